"""From runs in a store to a bundle that names nothing of the machine it comes from."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.bundle import manifest
from ssrvae_core.runs.bundle.archive import MAX_BYTES, Refusal, write
from ssrvae_core.runs.bundle.arrays import pack
from ssrvae_core.runs.bundle.check import LICENCE, check_run, names_a_path
from ssrvae_core.runs.bundle.documents import MAX_PATH, parse_object
from ssrvae_core.runs.bundle.manifest import MANIFEST, MAX_RUNS, Files, Listed, Manifest, config_id
from ssrvae_core.runs.bundle.weights import read_weights, with_metadata
from ssrvae_core.runs.files import replacing, whole_lines
from ssrvae_core.runs.store import Run

_SPOOL = 2**26
MANIFEST_ROOM = 2**24
"""Bytes left for the manifest."""

_DATA_LICENCES = {
    "cards": "The images are drawn by the program, under the MIT licence as the program itself.",
    "particles": "The images are drawn by the program, under the MIT licence as the program itself.",
    "digits": "The images are scikit-learn's copy of the UCI data set 'Optical Recognition of Handwritten Digits' "
    "(E. Alpaydin and C. Kaynak, 1998), CC BY 4.0.",
}
_OTHER_DATA = "The images are the property of their owner; ask whoever gave you this run what you may do with it."
_NOTE = """\
Licence note for run {id}

{data}
No image of the training is in the bundle. The weights and predictions are results computed from the images; they
belong to whoever trained the run, who may say more in place of this note.
"""


def export_bundle(runs: Sequence[Run], out: Path | BinaryIO) -> None:
    """Write finished runs as a bundle that :func:`~ssrvae_core.runs.bundle.import_bundle` takes.

    It holds configuration, weights, metrics, validation and snapshot arrays, environment and a licence note, and no
    training image, process number or directory of this machine. Equal runs give equal bundles.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs; one that is given twice is written once.
    out : Path or binary file
        Where to write. A file of that name is replaced, once the new one is whole.

    Raises
    ------
    UserError
        If a run is not finished or damaged, or the file cannot be written.
    """
    chosen = {run.id: run for run in runs}
    if not 0 < len(chosen) <= MAX_RUNS:
        raise UserError(f"A bundle holds 1 to {MAX_RUNS} runs, but {len(chosen)} are given; choose others.")
    for run in chosen.values():
        if run.status.state != "finished":
            raise UserError(
                f"Run {run.id} is {run.status.state}; only finished runs can be exported, so train it first."
            )
    try:
        if isinstance(out, Path):
            with replacing(out) as temporary, temporary.open("wb") as file:
                write(file, _members(chosen), packed=True)
        else:
            with tempfile.SpooledTemporaryFile(_SPOOL) as spool:
                write(spool, _members(chosen), packed=True)
                spool.seek(0)
                copyfileobj(spool, out)
    except OSError as error:
        where = out if isinstance(out, Path) else "bundle"
        raise UserError(f"The {where} cannot be written ({error.strerror}); choose another place.") from error


def _members(runs: dict[str, Run]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a bundle, the manifest last."""
    files: dict[str, Listed] = {}
    room = MAX_BYTES - MANIFEST_ROOM
    for _, run in sorted(runs.items()):
        for name, content in sorted(_shared(run).items()):
            room -= len(content)
            if room < 0:
                raise UserError(f"The bundle would hold more than {MAX_BYTES >> 20} MB; export fewer runs at a time.")
            files[f"{run.id}/{name}"] = manifest.listed(content)
            yield f"{run.id}/{name}", content
    yield MANIFEST, (Manifest(version=manifest.VERSION, files=files).model_dump_json(indent=2) + "\n").encode()


def _shared(run: Run) -> Files:
    """Return the files of a run as they are shared; what an import would refuse is not let out either."""
    try:
        files = _collect(run)
        check_run(files)
        if config_id(files[directory.CONFIG]) != run.id:
            raise Refusal(f"{directory.CONFIG} gives another id")
    except Refusal as reason:
        raise UserError(f"Run {run.id} cannot be exported: {reason}.") from reason
    except OSError as error:
        raise UserError(
            f"Run {run.id} cannot be exported: {error.filename} cannot be read ({error.strerror})."
        ) from error
    return files


def _collect(run: Run) -> Files:
    path = run.path
    config = parse_object((path / directory.CONFIG).read_bytes(), directory.CONFIG, MAX_PATH)
    environment = parse_object((path / directory.ENVIRONMENT).read_bytes(), directory.ENVIRONMENT, MAX_PATH)
    weights = (path / directory.WEIGHTS).read_bytes()
    model = read_weights(weights, directory.WEIGHTS).metadata
    model["config"] = _without_place(model.get("config"))
    files = {
        directory.CONFIG: _json(_without_place(config)),
        directory.STATUS: _json(
            run.status.model_copy(update={"pid": None, "pid_started": None}).model_dump(mode="json")
        ),
        directory.METRICS: "".join(line + "\n" for line in whole_lines(path / directory.METRICS)).encode(),
        directory.WEIGHTS: with_metadata(weights, model, directory.WEIGHTS),
        directory.VALIDATION: pack(_predictions(run)),
        directory.ENVIRONMENT: _json(_without_paths(environment)),
        LICENCE: _note(run),
    }
    if frames := run.snapshots():
        epochs, snapshots = zip(*frames, strict=True)
        arrays = {name: np.stack([getattr(frame, name) for frame in snapshots]) for name in ("z_mean", "class_prob")}
        files[directory.SNAPSHOTS] = pack({"epochs": np.array(epochs), "ids": snapshots[0].ids, **arrays})
    if (images := directory.read_manifold(path)) is not None:
        files[directory.MANIFOLD] = pack({"images": images})
    return files


def _json(values: Any) -> bytes:
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()


def _without_place(config: Any) -> Any:
    """Return a configuration with the file's name in place of its path; the id does not depend on it."""
    match config:
        case {"dataset": {"path": str(path)} as dataset}:
            name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
            return {**config, "dataset": {**dataset, "path": name or "images"}}
    return config


def _predictions(run: Run) -> dict[str, np.ndarray]:
    predictions = run.predictions()
    rows = {name: array for name, array in vars(predictions).items() if name != "factors"}
    return rows | directory.factor_arrays(predictions)


def _without_paths(value: Any) -> Any:
    """Return JSON values with None where a text looks like a path of this machine."""
    if isinstance(value, dict):
        return {key: _without_paths(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_paths(inner) for inner in value]
    return None if isinstance(value, str) and names_a_path(value) else value


def _note(run: Run) -> bytes:
    """Return the note a run came with, else one that says what follows from its data."""
    if (run.path / LICENCE).exists():
        try:
            text = (run.path / LICENCE).read_text("utf-8-sig")  # with any system's line ends
        except UnicodeDecodeError as error:
            raise Refusal(f"its {LICENCE} is not UTF-8 text; save it as such") from error
        return text.expandtabs().encode()
    data = _DATA_LICENCES.get(run.config.dataset.source, _OTHER_DATA)
    return _NOTE.format(id=run.id, data=data).encode()
