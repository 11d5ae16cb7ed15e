"""How far an image is from what its model has learnt to draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssrvae_core.evaluation.latents import FEWEST
from ssrvae_core.records import Predictions

_TO_DEVIATIONS = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation."""


@dataclass(frozen=True)
class Usual:
    """How well a model usually draws images it takes for each of its K classes.

    Attributes
    ----------
    middle, spread : float64 array (K,)
        Median of the negative log-likelihood, nats, and its standard deviation as the median absolute deviation tells
        it; NaN where no log-likelihood is known.
    """

    middle: np.ndarray
    spread: np.ndarray


def usual(predictions: Predictions) -> Usual:
    """Return how well a model usually draws each class, by images of its own data.

    Parameters
    ----------
    predictions : Predictions
        What the model says of N images. A class of fewer than 10 of them is measured by all.
    """
    surprise = -predictions.log_likelihood.astype(np.float64)
    known, predicted = np.isfinite(surprise), predictions.predicted
    n_classes = predictions.class_prob.shape[1]
    middle, spread = np.full(n_classes, np.nan), np.full(n_classes, np.nan)
    if not known.any():
        return Usual(middle, spread)
    counts = np.bincount(predicted[known], minlength=n_classes)
    for k in range(n_classes):
        values = surprise[known & (predicted == k)] if counts[k] >= FEWEST else surprise[known]
        middle[k] = np.median(values)
        spread[k] = _TO_DEVIATIONS * np.median(np.abs(values - middle[k])) or 1.0
    return Usual(middle, spread)


def outlier_scores(predictions: Predictions, by: Usual | None = None) -> np.ndarray:
    """Return how much worse than usual for its predicted class a model draws each image.

    The negative log-likelihood, standardised within the predicted class by median and median absolute deviation
    (Iglewicz and Hoaglin 1993): 0 is usual, and beyond 3.5 an image counts as an outlier. The median keeps outliers
    from hiding themselves, and standardising by class keeps a class that is hard to draw from being called one.

    Parameters
    ----------
    predictions : Predictions
        What a model says of N images.
    by : Usual, optional
        What is usual, such as that of a run's own images for images that are new to it; by default, what is usual
        among these images.

    Returns
    -------
    float64 array (N,)
        In standard deviations (in nats where most images of a class are alike); NaN where the log-likelihood is not
        known. A class of fewer than 10 images is measured by all images.
    """
    surprise = -predictions.log_likelihood.astype(np.float64)
    by, predicted = by or usual(predictions), predictions.predicted
    scores = (surprise - by.middle[predicted]) / by.spread[predicted]
    return np.where(np.isfinite(surprise), scores, np.nan)
