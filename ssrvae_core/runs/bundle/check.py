"""What the files of one run must say, each for itself and together, before a store takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from ssrvae_core.config import RunConfig, describe
from ssrvae_core.data.limits import MAX_NAME, MIN_SIDE
from ssrvae_core.records import Epoch
from ssrvae_core.runs import directory, thumbnails
from ssrvae_core.runs.bundle.archive import MAX_BYTES, Refusal
from ssrvae_core.runs.bundle.arrays import (
    Extent,
    check_manifold,
    check_predictions,
    check_snapshots,
    check_thumbnails,
    unpack,
)
from ssrvae_core.runs.bundle.documents import is_number, parse, parse_object
from ssrvae_core.runs.bundle.particles import check_particles, names_a_path
from ssrvae_core.runs.bundle.weights import Weights, check_fit, model_of, read_weights
from ssrvae_core.runs.directory import Status

if TYPE_CHECKING:
    from ssrvae_core.models.checkpoint import Metadata

LICENCE = "licence-note.txt"

_ARRAYS, _DOCUMENT = 2**28, 2**16
LARGEST: dict[str, int] = {
    directory.CONFIG: _DOCUMENT,
    directory.STATUS: 2**25,  # a confusion matrix of 1000 classes
    directory.METRICS: 2**26,
    directory.WEIGHTS: MAX_BYTES,
    directory.VALIDATION: MAX_BYTES,
    directory.PARTICLES: MAX_BYTES,
    directory.ENVIRONMENT: _DOCUMENT,
    LICENCE: _DOCUMENT,
    directory.SNAPSHOTS: _ARRAYS,
    directory.MANIFOLD: _ARRAYS,
    directory.THUMBNAILS: thumbnails.MAX_BYTES + 2**24,  # with the ids
}
"""The files of a run that is shared, and the most bytes of each.

What a run can do without is exported within these: fewer epochs of the film, or no manifold, which the weights can give
again.
"""

OPTIONAL = {directory.PARTICLES, directory.SNAPSHOTS, directory.MANIFOLD, directory.THUMBNAILS}

MAX_LAYERS = 256
MAX_CLASSES = 1000
MAX_PIXELS = 2**24
"""Most values of one image, those of 4096 x 4096 pixels."""
MAX_DRAWN = 2**34
"""Most pixels of a generated data set per class: 64 GB once they are float32, more than a training can hold of each.

The default numbers of images at the largest size are 2**30.
"""

_LONGEST_LINE = 4096


def check_run(files: Mapping[str, bytes]) -> Weights:
    """Check all files of one run.

    Parameters
    ----------
    files : mapping of str to bytes
        By name.

    Returns
    -------
    Weights
        The run's weights.

    Raises
    ------
    Refusal
        If anything is not as a finished run of this version has it.
    """
    for name in files:
        if name not in LARGEST or len(files[name]) > LARGEST[name]:
            raise Refusal(f"{name} has no place in a run, or is too large")
    if missing := [name for name in LARGEST if name not in files and name not in OPTIONAL]:
        raise Refusal(f"{missing[0]} is missing")
    config = _config(files[directory.CONFIG])
    weights = read_weights(files[directory.WEIGHTS], directory.WEIGHTS)
    model = _model(weights, config)
    names, extent = model.class_names, Extent(config, len(model.class_names), model.image_shape)
    check_fit(weights, model, directory.WEIGHTS)
    predictions = unpack(files[directory.VALIDATION], directory.VALIDATION)
    check_predictions(predictions, extent, directory.VALIDATION)
    particles: dict[str, np.ndarray] = {}
    if directory.PARTICLES in files:
        particles = unpack(files[directory.PARTICLES], directory.PARTICLES)
        check_particles(particles, predictions["ids"], extent, directory.PARTICLES)
    if directory.SNAPSHOTS in files:
        snapshots = unpack(files[directory.SNAPSHOTS], directory.SNAPSHOTS)
        check_snapshots(snapshots, predictions["ids"], extent, directory.SNAPSHOTS)
    if directory.MANIFOLD in files:
        check_manifold(unpack(files[directory.MANIFOLD], directory.MANIFOLD), extent, directory.MANIFOLD)
    if directory.THUMBNAILS in files:
        if config.dataset.source in thumbnails.DRAWN:
            raise Refusal(f"{directory.THUMBNAILS} has pictures of images that every program draws itself")
        small = unpack(files[directory.THUMBNAILS], directory.THUMBNAILS)
        check_thumbnails(small, [predictions["ids"], *([particles["ids"]] if particles else [])], directory.THUMBNAILS)
    status = _status(files[directory.STATUS], config, names)
    _check_evaluation(status.validation, predictions, names)
    _check_metrics(files[directory.METRICS], status)
    _check_environment(files[directory.ENVIRONMENT])
    _check_note(files[LICENCE])
    return weights


def _config(content: bytes) -> RunConfig:
    parse_object(content, directory.CONFIG)
    try:
        config = RunConfig.model_validate_json(content)
    except ValidationError as error:
        raise Refusal(f"{directory.CONFIG} is not one of this version: {describe(error)[:300].rstrip('.')}") from error
    dataset, model = config.dataset, config.model
    if dataset.path is not None and (re.search(r"[/\\]", dataset.path) or dataset.path in ("", ".", "..", "~")):
        raise Refusal(f"{directory.CONFIG} says where the images are on some machine, not just their file's name")
    if max(len(model.channels), len(model.hidden)) > MAX_LAYERS:
        raise Refusal(f"{directory.CONFIG} asks for more than {MAX_LAYERS} layers")
    drawn = dataset.source in thumbnails.DRAWN  # the numbers do nothing for a file
    if drawn and (dataset.train_per_class + dataset.validation_per_class) * dataset.size**2 > MAX_DRAWN:
        raise Refusal(f"{directory.CONFIG} asks for more than {MAX_DRAWN:,} pixels per class")
    return config


def _model(weights: Weights, config: RunConfig) -> Metadata:
    """Return what the weights say of their model, which must be the run's and of a usable size."""
    what = directory.WEIGHTS
    model = model_of(weights, what)
    if model.config != config:
        raise Refusal(f"{what} was trained with another configuration than its run")
    names, (channels, height, width) = model.class_names, model.image_shape
    if len(names) > MAX_CLASSES or len(set(names)) < len(names):
        raise Refusal(f"{what} has a class name twice, or more than {MAX_CLASSES} classes")
    if any(not 0 < len(name) <= MAX_NAME for name in names):
        raise Refusal(f"a class name in {what} is empty or longer than {MAX_NAME} characters")
    if min(height, width) < MIN_SIDE or channels * height * width > MAX_PIXELS:
        raise Refusal(f"the images of {what} are smaller than {MIN_SIDE} pixels or have more than {MAX_PIXELS} values")
    return model


def _status(content: bytes, config: RunConfig, names: tuple[str, ...]) -> Status:
    values = parse_object(content, directory.STATUS)
    if odd := values.keys() - Status.model_fields.keys():
        raise Refusal(f"{directory.STATUS} has the unknown field {min(odd)!r}")
    try:
        status = Status.model_validate_json(content)
    except ValidationError as error:
        raise Refusal(f"{directory.STATUS} is not valid: {describe(error)[:300].rstrip('.')}") from error
    if status.state != "finished" or status.error is not None or status.pid is not None or status.pid_started:
        raise Refusal(f"{directory.STATUS} is not that of a finished run")
    if status.epochs != config.training.epochs or not 1 <= status.epoch <= status.epochs:
        raise Refusal(f"{directory.STATUS} counts other epochs than {directory.CONFIG}")
    if status.class_names != names:
        raise Refusal(f"{directory.STATUS} and {directory.WEIGHTS} name different classes")
    if not 0 <= status.updated <= directory.LATEST or not 0 <= status.seconds <= directory.LATEST:
        raise Refusal(f"{directory.STATUS} has an impossible time")
    if (status.n_labelled is not None and status.n_labelled < 1) or (status.n_unlabelled or 0) < 0:
        raise Refusal(f"{directory.STATUS} has an impossible number of images")
    return status


def _check_evaluation(
    values: dict[str, Any] | None, predictions: Mapping[str, np.ndarray], names: tuple[str, ...]
) -> None:
    """Check the numbers that lists and pages show, and that they are those of the predictions."""
    what, k = f"the evaluation in {directory.STATUS}", len(names)
    if values is None:
        raise Refusal(f"{what} is missing")
    labels = predictions["labels"]
    known = labels >= 0
    _check_scores(values, judged=bool(known.any()), what=what)
    if values["n"] != known.sum():
        raise Refusal(f"{what} is of another number of images than have a label")
    support = np.bincount(labels[known], minlength=k)
    accuracy, confusion, per_class = (values[name] for name in ("accuracy", "confusion", "per_class"))
    if not known.any():
        if accuracy is not None or confusion is not None or per_class is not None:
            raise Refusal(f"{what} judges images that have no label")
        return
    if not _counts(confusion, k) or (np.sum(counts := np.array(confusion), axis=1) != support).any():
        raise Refusal(f"the confusion matrix of {what} does not count the run's images")
    if not isinstance(per_class, list) or [_class_of(row) for row in per_class] != list(names):
        raise Refusal(f"{what} does not list the run's classes")
    right = float(np.trace(counts) / known.sum())
    seen = float(np.mean(predictions["class_prob"].argmax(axis=1)[known] == labels[known]))
    # The matrix is of a second pass over the images: on a GPU the two may differ where two classes are all but equal.
    level = max(0.01, 1.5 / known.sum())  # of few images, one
    if accuracy is None or abs(accuracy - right) > 1e-6 or abs(right - seen) > level:
        raise Refusal(f"the accuracy of {what} is not that of the run's predictions")


def _check_scores(values: Mapping[str, Any], *, judged: bool, what: str) -> None:
    """Check that every score is there, and of the kind that tables and figures take."""
    lists = ("confusion", "per_class", "accuracy_by_angle", "angle", "probe_r2")
    if missing := [name for name in (*directory.SCORES, *lists) if name not in values]:
        raise Refusal(f"{what} lacks '{missing[0]}'")
    may_be_none = {"silhouette"} if judged else {"silhouette", "accuracy", "balanced_accuracy", "ece", "nll"}
    for name in directory.SCORES:
        if not is_number(values[name]) and not (values[name] is None and name in may_be_none):
            raise Refusal(f"{what} has a '{name}' that is not a number")
    bins = values["accuracy_by_angle"]
    if bins is not None and not (isinstance(bins, list) and all(_is_bin(row) for row in bins)):
        raise Refusal(f"the accuracy by angle of {what} is not a list of bins")
    for name in ("angle", "probe_r2"):
        if values[name] is not None and not isinstance(values[name], dict):
            raise Refusal(f"'{name}' of {what} is not a set of numbers")


def _is_bin(row: Any) -> bool:
    """Whether this is an accuracy in a bin of the angle; that of an empty bin is None."""
    if not isinstance(row, dict) or row.keys() != {"low_deg", "high_deg", "n", "accuracy"}:
        return False
    return all(is_number(value) or (value is None and name == "accuracy") for name, value in row.items())


def _counts(confusion: Any, k: int) -> bool:
    """Whether this is a K x K matrix of counts."""
    rows = confusion if isinstance(confusion, list) and len(confusion) == k else [None]
    return all(
        isinstance(row, list) and len(row) == k and all(type(count) is int and count >= 0 for count in row)
        for row in rows
    )


def _class_of(row: Any) -> str | None:
    """Return the class of a row of numbers, None if it is anything else."""
    if not isinstance(row, dict):
        return None
    numbers = all(value is None or is_number(value) for name, value in row.items() if name != "class")
    return row.get("class") if numbers else None


def _check_metrics(content: bytes, status: Status) -> None:
    what = directory.METRICS
    lines = content.split(b"\n")
    if lines.pop() != b"" or len(lines) != status.epoch:
        raise Refusal(f"{what} does not have one whole line for each of the run's {status.epoch} epochs")
    known = {field.name for field in fields(Epoch)} - {"snapshot"}
    for number, line in enumerate(lines, start=1):
        values = parse_object(line[:_LONGEST_LINE], f"line {number} of {what}")
        if not values.keys() <= known or values.get("epoch") != number:
            raise Refusal(f"line {number} of {what} is not that of epoch {number}")
        if any(value is not None and not is_number(value) for value in values.values()):
            raise Refusal(f"line {number} of {what} holds something that is not a number")


def _check_environment(content: bytes) -> None:
    values = parse(content, directory.ENVIRONMENT)
    if not isinstance(values, dict):
        raise Refusal(f"{directory.ENVIRONMENT} is not a JSON object")
    for value in _leaves(values):
        if isinstance(value, str) and names_a_path(value):
            raise Refusal(f"{directory.ENVIRONMENT} names a path of some machine")


def _leaves(values: Any) -> list[Any]:
    if isinstance(values, dict):
        return [*values, *(leaf for inner in values.values() for leaf in _leaves(inner))]
    if isinstance(values, list):
        return [leaf for inner in values for leaf in _leaves(inner)]
    return [values]


def _check_note(content: bytes) -> None:
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise Refusal(f"{LICENCE} is not UTF-8 text") from error
    if not all(line.isprintable() for line in lines):
        raise Refusal(f"{LICENCE} has characters that cannot be shown")
