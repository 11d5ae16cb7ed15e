"""How far an image is from what its model has learnt to draw."""

from __future__ import annotations

import numpy as np

from ssrvae_core.evaluation.latents import FEWEST
from ssrvae_core.records import Predictions

_TO_DEVIATIONS = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation."""


def outlier_scores(predictions: Predictions) -> np.ndarray:
    """Return how much worse than usual for its predicted class a model draws each image.

    The negative log-likelihood, standardised within the predicted class by median and median absolute deviation
    (Iglewicz and Hoaglin 1993): 0 is usual, and beyond 3.5 an image counts as an outlier. The median keeps outliers
    from hiding themselves, and standardising by class keeps a class that is hard to draw from being called one.

    Parameters
    ----------
    predictions : Predictions
        What a model says of N images.

    Returns
    -------
    float64 array (N,)
        In standard deviations (in nats where most images of a class are alike); NaN where the log-likelihood is not
        known. A class of fewer than 10 images is measured by all images.
    """
    surprise = -predictions.log_likelihood.astype(np.float64)
    known = np.isfinite(surprise)
    scores = np.full(len(surprise), np.nan)
    for k in np.unique(predictions.predicted[known]):
        chosen = known & (predictions.predicted == k)
        usual = surprise[chosen] if chosen.sum() >= FEWEST else surprise[known]
        middle = np.median(usual)
        spread = _TO_DEVIATIONS * np.median(np.abs(usual - middle))
        scores[chosen] = (surprise[chosen] - middle) / (spread or 1.0)
    return scores
