"""Predictions as a table other programs open."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.records import Predictions
from ssrvae_core.runs.files import atomic_write

if TYPE_CHECKING:
    from ssrvae_core.data.labels import Labels
    from ssrvae_core.runs.embeddings.files import Samples


def write_table(
    path: Path, predictions: Predictions, class_names: Sequence[str], names: Sequence[str] | None = None
) -> None:
    """Write predictions as CSV, whole or not at all.

    The columns are ``id``, ``name``, ``class``, ``confidence``, ``angle_degrees`` (counter-clockwise; empty for a
    model without rotation), ``p_<class>`` for every class, and ``z_1``, ``z_2`` and so on.

    Parameters
    ----------
    path : Path
        The file; its directory must exist.
    predictions : Predictions
        N predictions of K classes.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``.
    names : sequence of str, length N, optional
        Where each image comes from, such as a file name.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    latents = [f"z_{number}" for number in range(1, predictions.z_mean.shape[1] + 1)]
    probabilities = [f"p_{name}" for name in class_names]
    predicted, confidence = predictions.predicted, predictions.confidence
    rows = []
    for row in range(len(predictions)):
        angle = math.degrees(predictions.angle[row])
        rows.append(
            [
                int(predictions.ids[row]),
                names[row] if names is not None else "",
                class_names[predicted[row]],
                confidence[row],
                "" if math.isnan(angle) else round(angle, 3),
                *predictions.class_prob[row],
                *predictions.z_mean[row],
            ]
        )
    _write(path, ["id", "name", "class", "confidence", "angle_degrees", *probabilities, *latents], rows)


def write_classes(
    path: Path, samples: Samples, labels: Labels, probabilities: np.ndarray, scores: np.ndarray | None
) -> None:
    """Write the classes of an embedding's images as CSV, whole or not at all.

    The columns are ``id``, ``name``, ``group`` (its micrograph), ``label`` (as it was given, empty where there is
    none), ``class``, ``confidence``, ``outlier_score`` and ``p_<class>`` for every class.

    Parameters
    ----------
    path : Path
        The file; its directory must exist.
    samples : Samples
        N images.
    labels : Labels
        Their labels and the K classes.
    probabilities : float array (N, K)
        Class probabilities.
    scores : float array (N,), optional
        Outlier scores; the column is empty without.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    names = labels.class_names
    predicted = probabilities.argmax(axis=1)
    rows = (
        [
            int(samples.ids[row]),
            samples.name(row),
            samples.group(row),
            names[labels.index[row]] if labels.index[row] >= 0 else "",
            names[predicted[row]],
            probabilities[row, predicted[row]],
            "" if scores is None else round(float(scores[row]), 4),
            *probabilities[row],
        ]
        for row in range(len(samples))
    )
    columns = ["id", "name", "group", "label", "class", "confidence", "outlier_score"]
    _write(path, [*columns, *(f"p_{name}" for name in names)], rows)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    try:
        atomic_write(path, text.getvalue())
    except OSError as error:
        raise UserError(f"The table {path} cannot be written ({error.strerror}); choose another place.") from error
