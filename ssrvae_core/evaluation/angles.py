"""Error of estimated angles, modulo the rotational symmetry and the arbitrary zero of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ssrvae_core.records import Predictions

SYMMETRY_ORDERS: dict[str, int] = {
    "hearts": 1,
    "spades": 1,
    "diamonds": 2,
    "clubs": 1,
    "sphere": 0,
    "rod": 2,
    "cube": 4,
    "triangle": 3,
    "hexagon": 6,
}
"""Order m of the rotational symmetry of the generated classes: a turn by 2 pi / m changes nothing; 0: no turn does.

A class that is not listed has order 1."""


def angle_error(estimated: np.ndarray, true: np.ndarray, order: int) -> np.ndarray:
    """Error of each angle after the gauge, the offset all images of one class share, is removed.

    A model learns where "upright" is only up to a constant a class; the circular mean of the differences is that
    constant.

    Parameters
    ----------
    estimated, true : array (N,)
        Angles of the images of one class, radians.
    order : int
        Order m >= 1 of the class's rotational symmetry.

    Returns
    -------
    float64 array (N,)
        Errors in [-pi / m, pi / m], radians.
    """
    differences = order * (np.asarray(estimated, np.float64) - np.asarray(true, np.float64))
    gauge = np.angle(np.exp(1j * differences).mean())
    return np.angle(np.exp(1j * (differences - gauge))) / order


def angle_report(
    predictions: Predictions, class_names: Sequence[str], symmetry: Mapping[str, int]
) -> dict[str, Any] | None:
    """Judge the estimated angles against the factor ``angle``, per true class and overall.

    Misclassified images count too: their angle is what a user would see.

    Parameters
    ----------
    predictions : Predictions
        With the true angles in ``factors["angle"]``.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    symmetry : mapping of str to int
        Order of the rotational symmetry by class name, 0 for a class without any orientation; 1 where not listed.

    Returns
    -------
    dict or None
        ``resultant_length`` (the mean of |mean exp(i m (estimated - true))| over the images), ``median_error_deg``,
        ``n`` and ``per_class``, a list of the same with ``class`` and ``order``. None where no image has a class, an
        orientation, and both angles.
    """
    true = predictions.factors.get("angle")
    if true is None:
        return None
    usable = np.isfinite(true) & np.isfinite(predictions.angle)
    per_class: list[dict[str, Any]] = []
    errors: list[np.ndarray] = []
    for index, name in enumerate(class_names):
        order = symmetry.get(name, 1)
        chosen = usable & (predictions.labels == index)
        if order == 0 or not chosen.any():
            continue
        error = angle_error(predictions.angle[chosen], true[chosen], order)
        errors.append(error)
        per_class.append({"class": name, "order": order, **_summary(error, _length(error, order))})
    if not errors:
        return None
    length = np.average([row["resultant_length"] for row in per_class], weights=[row["n"] for row in per_class])
    return {**_summary(np.concatenate(errors), length), "per_class": per_class}


def _length(error: np.ndarray, order: int) -> float:
    """Mean resultant length; removing the gauge has not changed it."""
    return float(np.abs(np.exp(1j * order * error).mean()))


def _summary(error: np.ndarray, length: float) -> dict[str, Any]:
    return {
        "n": len(error),
        "resultant_length": float(length),
        "median_error_deg": float(np.degrees(np.median(np.abs(error)))),
    }
