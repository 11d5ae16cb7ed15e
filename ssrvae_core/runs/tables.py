"""Predictions as a table other programs open."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from ssrvae_core.config import UserError
from ssrvae_core.records import Predictions
from ssrvae_core.runs.files import atomic_write


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
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    latents = [f"z_{number}" for number in range(1, predictions.z_mean.shape[1] + 1)]
    probabilities = [f"p_{name}" for name in class_names]
    predicted, confidence = predictions.predicted, predictions.confidence
    table.writerow(["id", "name", "class", "confidence", "angle_degrees", *probabilities, *latents])
    for row in range(len(predictions)):
        angle = math.degrees(predictions.angle[row])
        table.writerow(
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
    try:
        atomic_write(path, text.getvalue())
    except OSError as error:
        raise UserError(f"The table {path} cannot be written ({error.strerror}); choose another place.") from error
