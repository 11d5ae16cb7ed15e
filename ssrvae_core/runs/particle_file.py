"""``particles.npz``: what a finished run says of every image of its data.

It holds the arrays of ``validation.npz`` for all images, in ascending order of the ids, and beside them ``part`` (N,)
uint8, ``outlier_score`` (N,) float32, and what the data have of ``groups`` (N,) int64, ``size_px`` or ``size_nm`` (N,)
float32, and the texts ``names`` and ``group_names``. Texts are one row of UTF-8 bytes, and ``names_bytes`` says how
many of them each text has, so that a single long name does not make every other one as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.runs import directory
from ssrvae_core.runs.files import replacing
from ssrvae_core.runs.npz import read_npz

UNITS = ("nm", "px")

_LENGTHS = "_bytes"
_ADVICE = "delete it, or have 'predict RUN --all' write it again"


def write(path: Path, particles: Particles) -> None:
    """Write ``particles.npz`` into a run's directory, array by array, whole or not at all."""
    with replacing(path / directory.PARTICLES) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays_of(particles))


def read(path: Path) -> Particles | None:
    """Read ``particles.npz`` from a run's directory; None where it was never written.

    Raises
    ------
    UserError
        If it cannot be read, or is not what :func:`write` writes.
    """
    file = path / directory.PARTICLES
    if not file.exists():
        return None
    arrays = read_npz(file, [*directory.PREDICTION_ARRAYS, "part", "outlier_score"], _ADVICE)
    try:
        return particles_of(arrays)
    except ValueError as error:
        raise UserError(f"{file} cannot be used ({error}); {_ADVICE}.") from error


def arrays_of(particles: Particles) -> dict[str, np.ndarray]:
    """Return particles as they are kept in a file."""
    arrays = directory.prediction_arrays(particles.predictions)
    arrays |= {"part": particles.part.astype(np.uint8), "outlier_score": particles.outlier_score}
    if particles.groups is not None:
        arrays["groups"] = particles.groups
    if particles.size is not None:
        arrays[f"size_{particles.size_unit}"] = particles.size
    for name in ("names", "group_names"):
        if (texts := getattr(particles, name)) is not None:
            arrays |= _packed(name, texts)
    return arrays


def particles_of(arrays: dict[str, np.ndarray]) -> Particles:
    """Return the particles of :func:`arrays_of`.

    Raises
    ------
    ValueError
        If the arrays do not fit each other; it says which.
    """
    n = arrays["ids"].size
    unit = next((unit for unit in UNITS if f"size_{unit}" in arrays), None)
    rows = [*directory.PREDICTION_ARRAYS, "part", "outlier_score", "groups", f"size_{unit}"]
    rows += [name for name in arrays if name.startswith(directory.FACTOR)]
    for name in rows:
        if name in arrays and (not arrays[name].ndim or len(arrays[name]) != n):
            raise ValueError(f"'{name}' does not have one row for each of its {n} images")
    for name in rows:
        whole = name in ("ids", "labels", "part", "groups")
        if name in arrays and arrays[name].dtype.kind not in ("iu" if whole else "f"):
            raise ValueError(f"'{name}' does not hold {'whole ' if whole else ''}numbers")
    if any(arrays[name].ndim != 2 for name in ("class_prob", "z_mean", "z_sd")):
        raise ValueError("its class probabilities or latents are not tables")
    if (arrays["ids"][1:] <= arrays["ids"][:-1]).any():  # a difference of two ids may not fit into their type
        raise ValueError("its ids are not in ascending order")
    if not np.isin(arrays["part"], np.arange(len(PARTS))).all():
        raise ValueError("it names a part that is not there")
    names, group_names, groups = _texts(arrays, "names"), _texts(arrays, "group_names"), arrays.get("groups")
    if names is not None and len(names) != n:
        raise ValueError(f"'names' does not have one name for each of its {n} images")
    if groups is not None and group_names is not None and not np.isin(groups, np.arange(len(group_names))).all():
        raise ValueError("it has a group without a name")
    return Particles(
        predictions=directory.predictions_of(arrays),
        part=arrays["part"].astype(np.int8),
        outlier_score=arrays["outlier_score"],
        groups=groups,
        group_names=group_names,
        names=names,
        size=None if unit is None else arrays[f"size_{unit}"],
        size_unit=unit,
    )


def _packed(name: str, texts: tuple[str, ...]) -> dict[str, np.ndarray]:
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]  # a file may be called anything
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return {name: np.frombuffer(b"".join(encoded), np.uint8), name + _LENGTHS: lengths}


def _texts(arrays: Mapping[str, np.ndarray], name: str) -> tuple[str, ...] | None:
    if name not in arrays and name + _LENGTHS not in arrays:
        return None
    if name not in arrays:
        raise ValueError(f"'{name}{_LENGTHS}' is of texts that are not there")
    lengths, content = arrays.get(name + _LENGTHS), arrays[name]
    if lengths is None or lengths.dtype != np.int64 or lengths.ndim != 1 or content.dtype != np.uint8:
        raise ValueError(f"'{name}' does not hold texts")
    if (lengths < 0).any() or lengths.sum() != content.size:
        raise ValueError(f"'{name}' is longer or shorter than its texts")
    ends, text = np.cumsum(lengths), content.tobytes()
    starts = ends - lengths
    return tuple(
        text[start:end].decode("utf-8", "surrogatepass")
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    )
