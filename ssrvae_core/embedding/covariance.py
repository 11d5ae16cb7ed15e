"""Covariances within classes from few images: shrunk to their diagonal, and inverted."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

UNSEEN_VARIANCE = 0.5
"""Variance within the classes that is expected before labels show it; over all images it is 1."""

VARIANCE_LABELS = 2.0
"""Labels that this expectation counts as much as."""


def shrunk_covariance(
    residuals: Float[np.ndarray, "n features"], n_means: int
) -> tuple[Float[np.ndarray, "features features"], float]:
    """Shrink the covariance of residuals towards its diagonal, by Ledoit and Wolf's formula for standardised features.

    Parameters
    ----------
    residuals : float array (N, F)
        Differences from the means of their classes.
    n_means : int
        Means that were estimated: as many degrees of freedom are gone.

    Returns
    -------
    float array (F, F)
        The covariance, positive definite.
    float
        Weight of the outer product of each residual in it.
    """
    freedom = len(residuals) - n_means
    squares = (residuals**2).sum(axis=0)
    variance = (squares + VARIANCE_LABELS * UNSEEN_VARIANCE) / (max(freedom, 0) + VARIANCE_LABELS)
    if freedom < 1:
        return np.diag(variance), 0.0
    scatter = residuals.T @ residuals
    sd = np.sqrt(variance)
    shrinkage = ledoit_wolf(residuals / sd, scatter / np.outer(sd, sd))
    weight = (1 - shrinkage) / freedom
    return weight * scatter + shrinkage * np.diag(variance), weight


def ledoit_wolf(residuals: Float[np.ndarray, "n features"], scatter: Float[np.ndarray, "features features"]) -> float:
    """Return the best weight of a multiple of the identity in the covariance of residuals, between 0.001 and 1.

    It is :func:`sklearn.covariance.ledoit_wolf_shrinkage` of centred data; ``scatter`` is ``residuals.T @ residuals``.
    """
    n, p = residuals.shape
    level = np.trace(scatter) / (n * p)
    size = (scatter**2).sum() / n**2
    distance = size - p * level**2
    spread = ((residuals**2).sum(axis=1) ** 2).sum() / n**2 - size / n
    return float(np.clip(spread / distance, 1e-3, 1.0)) if distance > 0 else 1.0


def inverse(covariance: Float[np.ndarray, "features features"]) -> Float[np.ndarray, "features features"]:
    """Return the inverse of a positive definite matrix."""
    factor = cho_factor(covariance, check_finite=False)
    return cho_solve(factor, np.eye(len(covariance)), check_finite=False)
