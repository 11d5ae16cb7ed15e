"""``particles.npz`` in a bundle: what it must hold, and the names in it as others may see them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PureWindowsPath

import numpy as np

from ssrvae_core.data.limits import MAX_NAME
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.runs import directory
from ssrvae_core.runs.bundle.archive import Refusal
from ssrvae_core.runs.bundle.arrays import FACTOR, MAX_FACTORS, Extent, check_predictions, is_factor
from ssrvae_core.runs.particle_file import UNITS, arrays_of, particles_of

_A_PATH = re.compile(r"(?:^|[\s\"'=:,;(])(?:~?/|[A-Za-z]:[\\/]|\\\\)")


def names_a_path(text: str) -> bool:
    """Whether a text holds what looks like a path of some machine."""
    return _A_PATH.search(text) is not None


def shared_arrays(particles: Particles) -> dict[str, np.ndarray]:
    """Return particles as a bundle holds them: no path of this machine, and no character that cannot be shown."""
    names, group_names = (
        None if texts is None or not any(texts) else tuple(map(_shared, texts))
        for texts in (particles.names, particles.group_names)
    )
    arrays = arrays_of(replace(particles, names=names, group_names=group_names))
    factors = [name for name in sorted(arrays) if name.startswith(FACTOR)]
    for name in [*(name for name in factors if not is_factor(name)), *filter(is_factor, factors[MAX_FACTORS:])]:
        del arrays[name]
    return arrays


def check_particles(arrays: Mapping[str, np.ndarray], validation_ids: np.ndarray, extent: Extent, what: str) -> None:
    """Check what ``particles.npz`` says against the run and the ids of its validation images."""
    own = {
        name: values
        for name, values in arrays.items()
        if name in directory.PREDICTION_ARRAYS or name.startswith(FACTOR)
    }
    check_predictions(own, extent, what)
    units = [name for name in arrays if name in {f"size_{unit}" for unit in UNITS}]
    kinds = {"part": np.uint8, "outlier_score": np.float32, "groups": np.int64, **dict.fromkeys(units, np.float32)}
    texts = {f"{name}{end}": kind for name in ("names", "group_names") for end, kind in _TEXT.items()}
    for name, values in arrays.items():
        if name in own:
            continue
        if name not in kinds | texts or values.dtype != (kinds | texts)[name] or values.ndim != 1:
            raise Refusal(f"{what} should not have the array {name[:MAX_NAME]!r}, or has it of another kind")
    if len(units) > 1 or any(not (arrays[name] >= 0).all() for name in units):
        raise Refusal(f"{what} has sizes of two kinds, or below 0")
    if np.isinf(arrays.get("outlier_score", np.zeros(0))).any() or (arrays.get("groups", np.zeros(1)) < 0).any():
        raise Refusal(f"{what} has an outlier score or a group that cannot be one")
    try:
        particles = particles_of(dict(arrays))
    except (ValueError, KeyError) as error:
        raise Refusal(f"{what} cannot be used: {error}") from error
    for text in (*(particles.names or ()), *(particles.group_names or ())):
        if len(text) > MAX_NAME or not text.isprintable() or names_a_path(text):
            raise Refusal(f"{what} has a name that is too long, cannot be shown, or is a path of some machine")
    if not np.array_equal(particles.ids[particles.part == PARTS.index("validation")], np.sort(validation_ids)):
        raise Refusal(f"{what} has other validation images than the run")


_TEXT = {"": np.uint8, "_bytes": np.int64}


def _shared(text: str) -> str:
    line = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return (PureWindowsPath(line).name if names_a_path(line) else line)[-MAX_NAME:]
