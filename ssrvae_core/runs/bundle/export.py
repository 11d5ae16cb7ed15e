"""From runs in a store to a bundle that names nothing of the machine it comes from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.records import Snapshot
from ssrvae_core.runs import directory
from ssrvae_core.runs.bundle import manifest
from ssrvae_core.runs.bundle.archive import MAX_BYTES, Refusal, write
from ssrvae_core.runs.bundle.arrays import MAX_FACTORS, is_factor, pack
from ssrvae_core.runs.bundle.check import LARGEST, LICENCE, check_run
from ssrvae_core.runs.bundle.documents import MAX_PATH, parse_object
from ssrvae_core.runs.bundle.manifest import MANIFEST, MAX_RUNS, Files, Listed, Manifest, config_id
from ssrvae_core.runs.bundle.particles import names_a_path, shared_arrays
from ssrvae_core.runs.bundle.weights import read_weights, with_metadata
from ssrvae_core.runs.data_files import shared_name
from ssrvae_core.runs.files import replacing, whole_lines
from ssrvae_core.runs.store import Run
from ssrvae_core.runs.thumbnails import LARGEST_SIDE, Thumbnails, to_share

_SPOOL = 2**26
MANIFEST_ROOM = 2**24
"""Bytes left for the manifest."""
_HEADERS = 2**14  # of the arrays in a file, with room to spare

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
{images} The weights and predictions are results computed from the images; they
belong to whoever trained the run, who may say more in place of this note.
"""
_NO_IMAGES = "No image of the training is in the bundle."
_SMALL_IMAGES = (
    f"Small pictures of the validation images, at most {LARGEST_SIDE} x {LARGEST_SIDE} pixels, are in the bundle.\n"
    "No other image is."
)
_ALL_SMALL = f"Small pictures of all images, at most {LARGEST_SIDE} x {LARGEST_SIDE} pixels, are in the bundle."
_ABOUT_IMAGES = (_NO_IMAGES, _SMALL_IMAGES, _ALL_SMALL)


def export_bundle(runs: Sequence[Run], out: Path | BinaryIO, *, thumbnails: bool = False) -> None:
    """Write finished runs as a bundle that :func:`~ssrvae_core.runs.bundle.import_bundle` takes.

    It holds configuration, weights, metrics, what the run says of its images, with their names and micrographs where it
    has classified all of them, snapshot arrays, environment and a licence note, and no training image, process number
    or directory of this machine. Equal runs give equal bundles.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs; one that is given twice is written once.
    out : Path or binary file
        Where to write. A file of that name is replaced, once the new one is whole.
    thumbnails : bool
        Whether to add small pictures, at most 64 x 64 pixels, of runs on a file: of all images where the run has
        classified all of them, else of the validation images. Whoever gets the bundle sees them without the file.

    Raises
    ------
    UserError
        If a run is not finished or damaged, its images are not here for the pictures, or the file cannot be written.
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
                write(file, _members(chosen, thumbnails), packed=True)
        else:
            with tempfile.SpooledTemporaryFile(_SPOOL) as spool:
                write(spool, _members(chosen, thumbnails), packed=True)
                spool.seek(0)
                copyfileobj(spool, out)
    except OSError as error:
        where = out if isinstance(out, Path) else "bundle"
        raise UserError(f"The {where} cannot be written ({error.strerror}); choose another place.") from error


def _members(runs: dict[str, Run], thumbnails: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a bundle, the manifest last."""
    files: dict[str, Listed] = {}
    room = MAX_BYTES - MANIFEST_ROOM
    for _, run in sorted(runs.items()):
        for name, content in sorted(_shared(run, thumbnails).items()):
            room -= len(content)
            if room < 0:
                raise UserError(f"The bundle would hold more than {MAX_BYTES >> 20} MB; export fewer runs at a time.")
            files[f"{run.id}/{name}"] = manifest.listed(content)
            yield f"{run.id}/{name}", content
    version = manifest.version_of(name.partition("/")[2] for name in files)
    yield MANIFEST, (Manifest(version=version, files=files).model_dump_json(indent=2) + "\n").encode()


def _shared(run: Run, thumbnails: bool) -> Files:
    """Return the files of a run as they are shared; what an import would refuse is not let out either."""
    try:
        files = _collect(run, thumbnails)
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


def _collect(run: Run, thumbnails: bool) -> Files:
    path, name = run.path, shared_name(run.config.dataset, run.path.parent)
    particles = _particles(run)
    small = _thumbnails(run, particles is not None) if thumbnails else None
    config = parse_object((path / directory.CONFIG).read_bytes(), directory.CONFIG, MAX_PATH)
    environment = parse_object((path / directory.ENVIRONMENT).read_bytes(), directory.ENVIRONMENT, MAX_PATH)
    weights = (path / directory.WEIGHTS).read_bytes()
    model = read_weights(weights, directory.WEIGHTS).metadata
    model["config"] = _without_place(model.get("config"), name)
    files = {
        directory.CONFIG: _json(_without_place(config, name)),
        directory.STATUS: _json(
            run.status.model_copy(update={"pid": None, "pid_started": None}).model_dump(mode="json")
        ),
        directory.METRICS: "".join(line + "\n" for line in whole_lines(path / directory.METRICS)).encode(),
        directory.WEIGHTS: with_metadata(weights, model, directory.WEIGHTS),
        directory.VALIDATION: pack(_predictions(run)),
        directory.ENVIRONMENT: _json(_without_paths(environment)),
        LICENCE: _note(run, _about(run, small)),
    }
    if particles is not None:
        files[directory.PARTICLES] = particles
    if frames := _few(run.snapshots()):
        epochs, snapshots = zip(*frames, strict=True)
        arrays = {name: np.stack([getattr(frame, name) for frame in snapshots]) for name in ("z_mean", "class_prob")}
        files[directory.SNAPSHOTS] = pack({"epochs": np.array(epochs), "ids": snapshots[0].ids, **arrays})
    images = directory.read_manifold(path)
    if images is not None and images.nbytes + _HEADERS <= LARGEST[directory.MANIFOLD]:
        files[directory.MANIFOLD] = pack({"images": images})
    if small is not None:
        files[directory.THUMBNAILS] = pack(small.arrays())
    return files


def _particles(run: Run) -> bytes | None:
    """Return what the run says of all its images; None where it does not know, or that is too large."""
    particles = run.particles()
    packed = None if particles is None else pack(shared_arrays(particles))
    return packed if packed is None or len(packed) <= LARGEST[directory.PARTICLES] else None


def _about(run: Run, small: Thumbnails | None) -> str:
    """Say which images are in a bundle."""
    if small is None:
        return _NO_IMAGES
    return _SMALL_IMAGES if len(small.ids) == len(run.predictions()) else _ALL_SMALL


def _thumbnails(run: Run, every: bool) -> Thumbnails | None:
    try:
        return to_share(run, every=every)
    except UserError as error:
        raise UserError(f"Run {run.id} cannot be exported with thumbnails: {str(error).rstrip('.')}.") from error


def _few(frames: Sequence[tuple[int, Snapshot]]) -> list[tuple[int, Snapshot]]:
    """Return as many epochs of a film, evenly chosen with the first and the last, as a bundle has room for."""
    if not frames:
        return []
    room = LARGEST[directory.SNAPSHOTS] - _HEADERS - 8 * len(frames) - frames[0][1].ids.nbytes
    most = max(0, room) // (frames[0][1].z_mean.nbytes + frames[0][1].class_prob.nbytes)
    if most < 2:  # not even a beginning and an end
        return []
    if len(frames) <= most:
        return list(frames)
    return [frames[at] for at in np.linspace(0, len(frames) - 1, most).round().astype(int)]


def _json(values: Any) -> bytes:
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()


def _without_place(config: Any, name: str) -> Any:
    """Return a configuration with the file's name in place of its path, and no word of how a folder was read.

    The id depends on neither. An earlier version does not know that of the latter.
    """
    match config:
        case {"dataset": {"path": path} as dataset}:
            kept = {setting: value for setting, value in dataset.items() if setting != "skip_missing"}
            return {**config, "dataset": kept | ({"path": name} if isinstance(path, str) else {})}
    return config


def _predictions(run: Run) -> dict[str, np.ndarray]:
    predictions = run.predictions()
    rows = {name: array for name, array in vars(predictions).items() if name != "factors"}
    factors = [item for item in sorted(directory.factor_arrays(predictions).items()) if is_factor(item[0])]
    return rows | dict(factors[:MAX_FACTORS])


def _without_paths(value: Any) -> Any:
    """Return JSON values with None where a text looks like a path of this machine."""
    if isinstance(value, dict):
        return {key: _without_paths(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_paths(inner) for inner in value]
    return None if isinstance(value, str) and names_a_path(value) else value


def _note(run: Run, images: str) -> bytes:
    """Return the note that somebody wrote for a run, else one that says what follows from its data."""
    data = _DATA_LICENCES.get(run.config.dataset.source, _OTHER_DATA)
    own, *others = (
        _NOTE.format(id=run.id, data=data, images=told)
        for told in (images, *(other for other in _ABOUT_IMAGES if other != images))
    )
    if (run.path / LICENCE).exists():
        try:
            text = (run.path / LICENCE).read_text("utf-8-sig")  # with any system's line ends
        except UnicodeDecodeError as error:
            raise Refusal(f"its {LICENCE} is not UTF-8 text; save it as such") from error
        if text not in others:  # which this program wrote into another bundle
            return text.expandtabs().encode()
    return own.encode()
