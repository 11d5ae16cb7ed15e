"""From what was clicked in a chart to a cell and its sample ids, and from sample ids to a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ssrvae_core.evaluation.outliers import outlier_scores
from ssrvae_core.figures import Panel
from ssrvae_core.records import Predictions


def selected_cell(event: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Return (true class, predicted class) of the cell clicked in a confusion matrix, None where none is."""
    cells = _customdata(event)
    if not cells:
        return None
    _, true, predicted = cells[-1]
    return true, predicted


def cell_ids(predictions: Predictions, true: int | None, predicted: int | None) -> np.ndarray:
    """Return the ids of the images in a cell of the confusion matrix; None stands for any class."""
    chosen = np.ones(len(predictions), dtype=bool)
    if true is not None:
        chosen &= predictions.labels == true
    if predicted is not None:
        chosen &= predictions.predicted == predicted
    return predictions.ids[chosen]


def rows_of(ids: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return the rows of these samples, in their order; samples the predictions do not have are left out."""
    order = np.argsort(predictions.ids)
    place = np.searchsorted(predictions.ids, ids, sorter=order)
    rows = order[np.minimum(place, len(order) - 1)] if len(order) else np.empty(0, np.int64)
    return rows[predictions.ids[rows] == ids] if len(rows) else rows


def least_certain_first(ids: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return the same samples, those with the smallest confidence first."""
    rows = rows_of(ids, predictions)
    return predictions.ids[rows[np.argsort(predictions.confidence[rows], kind="stable")]]


def table(ids: np.ndarray, panels: Sequence[Panel], run_ids: Sequence[str], class_names: Sequence[str]) -> pd.DataFrame:
    """Tabulate what each model says of these samples, a row per sample and run; angles in degrees.

    Parameters
    ----------
    ids : int array
        Sample ids.
    panels : sequence of Panel
        The models' titles and predictions.
    run_ids : sequence of str
        Their run ids.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    """
    names = np.array([*class_names, ""], dtype=object)
    parts = []
    for panel, run_id in zip(panels, run_ids, strict=True):
        p, rows = panel.predictions, rows_of(ids, panel.predictions)
        columns = {
            "id": p.ids[rows],
            "run": run_id,
            "model": panel.title,
            "class": names[p.labels[rows]],
            "predicted": names[p.predicted[rows]],
            "confidence": p.confidence[rows],
            "angle_degrees": np.degrees(p.angle[rows]),
            "log_likelihood": p.log_likelihood[rows],
            "outlier_score": outlier_scores(p)[rows],
        }
        latents = {f"z_{d + 1}": values for d, values in enumerate(p.z_mean[rows].T)}
        parts.append(pd.DataFrame(columns | latents))
    return pd.concat(parts, ignore_index=True).sort_values(["id", "run"], kind="stable", ignore_index=True)


def _customdata(event: Mapping[str, Any] | None) -> list[list[int]]:
    """Return the whole numbers every selected point carries.

    Streamlit hands one number over as it is, several as a list, or as a mapping where plotly packed them as bytes.
    """
    points = (event or {}).get("selection", {}).get("points", [])
    carried = [point["customdata"] for point in points if point.get("customdata") is not None]
    rows = [data.values() if isinstance(data, Mapping) else np.ravel(data) for data in carried]
    return [[int(value) for value in row] for row in rows]
