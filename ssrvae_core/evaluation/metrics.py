"""Metrics of a model's predictions: plain arrays in, numbers ready for JSON out.

Images without a label are left out of everything that needs one; a metric that cannot be computed is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import (
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    r2_score,
    silhouette_score,
)
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ssrvae_core.evaluation.angles import angle_report
from ssrvae_core.records import Predictions

CALIBRATION_BINS = 15
ANGLE_BIN_DEG = 15
SILHOUETTE_SAMPLES = 2000
PROBE_FOLDS = 5


def summary(predictions: Predictions, class_names: Sequence[str], symmetry: Mapping[str, int]) -> dict[str, Any]:
    """Every metric that predictions alone can give.

    Parameters
    ----------
    predictions : Predictions
        Of N images with K classes.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``.
    symmetry : mapping of str to int
        Order of rotational symmetry by class name, see :data:`ssrvae_core.evaluation.angles.SYMMETRY_ORDERS`.

    Returns
    -------
    dict
        ``n`` (images with a label), ``accuracy``, ``balanced_accuracy`` (mean recall of the classes that occur),
        ``confusion`` (K lists of K counts, a row per true class), ``per_class``, ``ece``, ``nll``,
        ``accuracy_by_angle``, ``angle``, ``probe_r2`` and ``silhouette``; None where it cannot be computed.
    """
    known = predictions.labels >= 0
    labels, class_prob = predictions.labels[known], predictions.class_prob[known]
    predicted = predictions.predicted[known]
    metrics: dict[str, Any] = {
        "n": len(labels),
        "angle": angle_report(predictions, class_names, symmetry),
        "probe_r2": probe_r2(predictions.z_mean, predictions.factors),
        "accuracy_by_angle": accuracy_by_angle(predictions),
        "silhouette": silhouette(predictions.z_mean[known], labels),
    }
    if not len(labels):
        empty = ("accuracy", "balanced_accuracy", "confusion", "per_class", "ece", "nll")
        return metrics | dict.fromkeys(empty)
    counts = confusion_matrix(labels, predicted, labels=np.arange(len(class_names)))
    support = counts.sum(axis=1)
    occurs = support > 0
    return metrics | {
        "accuracy": float(np.mean(predicted == labels)),
        "balanced_accuracy": float(np.mean(counts.diagonal()[occurs] / support[occurs])),
        "confusion": counts.tolist(),
        "per_class": per_class(labels, predicted, class_names),
        "ece": expected_calibration_error(labels, class_prob),
        "nll": float(log_loss(labels, class_prob, labels=np.arange(len(class_names)))),
    }


def per_class(labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class; None where a ratio is 0/0, as for a class that never occurs."""
    columns = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(len(class_names)), zero_division=np.nan
    )
    return [
        {
            "class": name,
            "precision": _number(precision),
            "recall": _number(recall),
            "f1": _number(f1),
            "support": int(support),
        }
        for name, precision, recall, f1, support in zip(class_names, *columns, strict=True)
    ]


def expected_calibration_error(labels: np.ndarray, class_prob: np.ndarray) -> float:
    """Mean gap between confidence and accuracy.

    The images fall into 15 bins of equal width by confidence, the probability of the predicted class; the gaps
    |accuracy - mean confidence| of the bins are averaged with their numbers of images as weights (Guo et al. 2017,
    arXiv 1706.04599, eq. 3).

    Parameters
    ----------
    labels : int array (N,)
        True classes, N > 0.
    class_prob : float array (N, K)
        Class probabilities.
    """
    confidence = class_prob.max(axis=1).astype(np.float64)
    surplus = (class_prob.argmax(axis=1) == labels) - confidence
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    return float(np.abs(np.bincount(bins, weights=surplus)).sum() / len(labels))


def accuracy_by_angle(predictions: Predictions) -> list[dict[str, Any]] | None:
    """Accuracy in bins of the absolute true angle, 15 degrees wide, up to the last bin with an image in it.

    Returns
    -------
    list of dict or None
        ``low_deg``, ``high_deg``, ``n`` and ``accuracy`` (None in an empty bin) of each bin; None where no image has
        both a label and the factor ``angle``.
    """
    angle = predictions.factors.get("angle")
    if angle is None:
        return None
    usable = np.isfinite(angle) & (predictions.labels >= 0)
    if not usable.any():
        return None
    degrees = np.degrees(np.abs(np.angle(np.exp(1j * angle[usable].astype(np.float64)))))
    bins = np.minimum(degrees // ANGLE_BIN_DEG, 180 // ANGLE_BIN_DEG - 1).astype(int)
    n = np.bincount(bins)
    right = np.bincount(bins, weights=(predictions.predicted == predictions.labels)[usable])
    return [
        {
            "low_deg": index * ANGLE_BIN_DEG,
            "high_deg": (index + 1) * ANGLE_BIN_DEG,
            "n": int(count),
            "accuracy": float(right[index] / count) if count else None,
        }
        for index, count in enumerate(n)
    ]


def silhouette(z: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean silhouette of the latents by class, in [-1, 1], on at most 2000 images drawn with a fixed seed.

    Parameters
    ----------
    z : float array (N, D)
        Latent means.
    labels : int array (N,)
        True classes, none of them -1.
    """
    if len(z) > SILHOUETTE_SAMPLES:
        chosen = np.random.default_rng(0).choice(len(z), SILHOUETTE_SAMPLES, replace=False)
        z, labels = z[chosen], labels[chosen]
    finite = np.isfinite(z).all(axis=1)
    z, labels = z[finite], labels[finite]
    if not z.shape[1] or not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return float(silhouette_score(z, labels))


def probe_r2(z: np.ndarray, factors: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """How much of each known factor a linear map of the latents explains.

    R2 of five-fold cross-validated ridge regression on standardised latents, over all classes at once. ``angle`` is
    predicted as its cosine and sine. A label is not needed, so unlabelled images take part.

    Parameters
    ----------
    z : float array (N, D)
        Latent means.
    factors : mapping of str to float array (N,)
        Known factors, NaN where unknown.

    Returns
    -------
    dict of str to float or None
        None for a factor that does not vary or is known of too few images.
    """
    return {name: _probe(z, values, circular=name == "angle") for name, values in factors.items()}


def _probe(z: np.ndarray, values: np.ndarray, *, circular: bool) -> float | None:
    usable = np.isfinite(values) & np.isfinite(z).all(axis=1)
    target = values[usable].astype(np.float64)
    if not z.shape[1] or len(target) < 2 * PROBE_FOLDS or np.ptp(target) == 0:
        return None
    if circular:
        target = np.stack([np.cos(target), np.sin(target)], axis=1)
    folds = KFold(PROBE_FOLDS, shuffle=True, random_state=0)
    probe = make_pipeline(StandardScaler(), Ridge())
    return float(r2_score(target, cross_val_predict(probe, z[usable].astype(np.float64), target, cv=folds)))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
