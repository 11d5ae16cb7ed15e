"""Labelled and unlabelled images together: where the classes lie and how they spread, by expectation and maximisation.

One Gaussian per class with one covariance, equal priors, and less weight for images without a label (Nigam et al. 2000,
doi:10.1023/A:1007692713085). The scatter of all images is known beforehand, and what a step changes in the covariance
has as few dimensions as there are classes. So all steps work on features that are whitened once, and a step costs two
products of the images with the means (Woodbury identity).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cholesky, solve_triangular

from ssrvae_core.embedding.covariance import ledoit_wolf

PRIOR_CONFIDENCE = 0.5
"""Factor of the log-odds before any label has been left out: with many features they are far too sure."""

UNLABELLED_WEIGHT = 0.1
"""What an unlabelled image counts for where a labelled one counts for 1."""

SMALLEST_SHRINKAGE = 0.05
"""Of the covariance of all images towards its diagonal; features are correlated, and near copies would be amplified."""

SETTLED = 1e-4
"""Change of what each class weighs, as a share of it, below which there are no more steps."""

FLOOR = 1e-6
"""Added to every variance, for features that are constant."""


class Crowd:
    """All images, some of them labelled.

    Parameters
    ----------
    features : float array (N, F)
        Features of all images.
    y : int array (N,)
        Position of the class of each, -1 where unlabelled.
    unlabelled_weight : float
        What an unlabelled image counts for.
    """

    def __init__(
        self,
        features: Float[np.ndarray, "n features"],
        y: Int[np.ndarray, " n"],
        unlabelled_weight: float = UNLABELLED_WEIGHT,
    ) -> None:
        self.features = features
        self.labelled = np.flatnonzero(y >= 0)
        self.known = np.eye(int(y.max()) + 1)[y[self.labelled]]
        self.weights = np.where(y >= 0, 1.0, unlabelled_weight)
        scatter, own = features.T @ features, features[self.labelled]
        self.sum = self.weights.sum()
        self.total = (unlabelled_weight * scatter + (1 - unlabelled_weight) * own.T @ own) / self.sum
        self.shrinkage = max(SMALLEST_SHRINKAGE, ledoit_wolf(features, scatter))
        self._white: np.ndarray | None = None

    def settle(self, shares: Float[np.ndarray, "n classes"], steps: int) -> Float[np.ndarray, "n classes"]:
        """Return the share of each class in each image after some steps; labelled images keep their class.

        The covariance is shrunk towards the variances within the classes of the first shares that are asked for.
        """
        shares = self._with_known(shares)
        if self._white is None:
            self._white = self._whitened(shares)
        turned = np.ascontiguousarray(shares.T)  # sums over the classes are fast along the first axis
        before = np.zeros(len(turned))
        for _ in range(steps):
            weighted = turned * self.weights
            counts = weighted.sum(axis=1)
            if (np.abs(counts - before) < SETTLED * counts).all():
                break
            before = counts
            means = (weighted @ self._white) / counts[:, None]
            narrow = means * np.sqrt((1 - self.shrinkage) * counts / self.sum)[:, None]
            gram = narrow @ narrow.T
            directions = means + means @ narrow.T @ np.linalg.solve(np.eye(len(gram)) - gram, narrow)
            odds = directions @ self._white.T - (directions * means).sum(axis=1)[:, None] / 2
            # The confidence before any label is left out keeps the first steps from settling on what they began with.
            turned = np.exp(PRIOR_CONFIDENCE * (odds - odds.max(axis=0)))
            turned /= turned.sum(axis=0)
            turned[:, self.labelled] = self.known.T
        return turned.T

    def gaussians(
        self, shares: Float[np.ndarray, "n classes"]
    ) -> tuple[
        Float[np.ndarray, "classes features"],
        Float[np.ndarray, "features features"],
        Float[np.ndarray, " classes"],
        float,
    ]:
        """Return each class's mean, the covariance, each class's weight, and that of a labelled image's residual."""
        weighted = shares * self.weights[:, None]
        counts = weighted.sum(axis=0)
        means = (weighted.T @ self.features) / counts[:, None]
        within = self.total - (means.T * counts) @ means / self.sum
        covariance = (1 - self.shrinkage) * within
        np.fill_diagonal(covariance, within.diagonal() + FLOOR)
        return means, covariance, counts, (1 - self.shrinkage) / self.sum

    def _whitened(self, shares: np.ndarray) -> np.ndarray:
        _, within, _, _ = self.gaussians(shares)
        covariance = (1 - self.shrinkage) * self.total
        covariance[np.diag_indices_from(covariance)] += self.shrinkage * within.diagonal() + FLOOR
        lower = cholesky(covariance, lower=True, check_finite=False)
        return solve_triangular(lower, self.features.T, lower=True, check_finite=False).T

    def _with_known(self, shares: np.ndarray) -> np.ndarray:
        shares = shares.copy()
        shares[self.labelled] = self.known
        return shares


def softmax(odds: Float[np.ndarray, "n classes"]) -> Float[np.ndarray, "n classes"]:
    """Return probabilities of log-odds."""
    turned = np.ascontiguousarray(odds.T)  # sums over the classes are fast along the first axis
    shares = np.exp(turned - turned.max(axis=0))
    return (shares / shares.sum(axis=0)).T


def certainty(shares: Float[np.ndarray, "n classes"]) -> float:
    """Return what the images tell about the classes: the mutual information of image and class, nats per image.

    It is large where images are certain and classes equally frequent (Bridle et al. 1991, "Unsupervised classifiers,
    mutual information and phantom targets").
    """
    logs = np.log(np.maximum(shares, np.finfo(float).tiny))
    mean = np.maximum(shares.mean(axis=0), np.finfo(float).tiny)
    return float((shares * logs).sum(axis=1).mean() - (mean * np.log(mean)).sum())
