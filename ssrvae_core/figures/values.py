"""The numbers that can colour a point of a scatter, and the scale they are shown on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssrvae_core.evaluation.outliers import outlier_scores
from ssrvae_core.figures import theme
from ssrvae_core.figures.names import plain
from ssrvae_core.records import Predictions

TRUE_ANGLE = "true angle"
OUTLIER = "outlier score"
VALUES = ("confidence", "angle", OUTLIER, "log-likelihood")
RADIANS = ("angle", "shear_x", "shear_y")


def varies(factor: str, predictions: Predictions) -> bool:
    """Whether the images differ in a factor, so that a colour can tell them apart."""
    values = predictions.factors.get(factor, np.empty(0))
    values = values[np.isfinite(values)]
    return len(values) > 0 and values.min() < values.max()


def point_values(predictions: Predictions, name: str) -> np.ndarray:
    """Return one number a point; angles in degrees.

    Parameters
    ----------
    predictions : Predictions
        Of N images.
    name : str
        ``confidence``, ``angle`` (estimated), ``outlier score``, ``log-likelihood``, ``true angle``, or the name of
        another factor.

    Returns
    -------
    float array (N,)
        NaN where it is not known.
    """
    if name == "confidence":
        return predictions.confidence
    if name == "log-likelihood":
        return predictions.log_likelihood
    if name == OUTLIER:
        return outlier_scores(predictions)
    if name == "angle":
        return np.degrees(predictions.angle)
    factor = "angle" if name == TRUE_ANGLE else name
    values = predictions.factors[factor]
    return np.degrees(values) if factor in RADIANS else values


def colour_axis(each: Sequence[Predictions], name: str) -> dict[str, Any]:
    """Return one scale for several models; outliers beyond the first and the last percent do not stretch it."""
    bar = {"thickness": 12, "title": {"text": _with_unit(name), "side": "right"}}
    if name in ("angle", TRUE_ANGLE):
        bar |= {"tickvals": [-180, -90, 0, 90, 180]}
        return {"colorscale": theme.CYCLIC, "cmin": -180, "cmax": 180, "colorbar": bar}
    values = np.concatenate([point_values(predictions, name) for predictions in each])
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [1, 99]) if len(finite) else (0, 1)
    return {"colorscale": theme.SEQUENTIAL, "cmin": float(low), "cmax": float(high), "colorbar": bar}


def _with_unit(name: str) -> str:
    label = plain(name.replace("_", " ").capitalize())
    if name in (*RADIANS, TRUE_ANGLE):
        return f"{label} (degrees)"
    return f"{label} (nats)" if name == "log-likelihood" else label
