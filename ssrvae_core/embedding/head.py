"""The head: class probabilities from a few labels and many features, in closed form and so in milliseconds.

It starts as a linear discriminant whose pooled covariance within the classes is shrunk (Ledoit and Wolf 2004,
doi:10.1016/S0047-259X(03)00096-4). A few steps of expectation and maximisation then let the unlabelled images say
where the classes lie and how they spread: one Gaussian per class with one covariance, equal priors, and less weight
for images without a label (Nigam et al. 2000, doi:10.1023/A:1007692713085). The scatter of all images is known
beforehand, so that a step costs two products of the features with the means. In the end the confidence is fitted to
what is predicted for each label when that label is left out, which has a closed form too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve
from scipy.special import log_softmax, softmax

UNSEEN_VARIANCE = 0.5
"""Variance within the classes that is expected before labels show it; over all images it is 1."""

VARIANCE_LABELS = 2.0
"""Labels that this expectation counts as much as."""

PRIOR_CONFIDENCE = 0.5
"""Factor of the log-odds before any label has been left out: with many features they are far too sure."""

PRIOR_LABELS = 1.0
"""Labels that this factor counts as much as: the standard deviation of its logarithm is 1 over their root."""

CONFIDENCES = np.geomspace(0.02, 5.0, 60)
"""Factors of the log-odds of which the most probable is taken."""

UNLABELLED_WEIGHT = 0.1
"""What an unlabelled image counts for where a labelled one counts for 1."""

DOUBT = 1.0
"""Standard errors by which features beside the descriptors have to be better, to be heeded as much."""

DOUBT_ACROSS_MICROGRAPHS = 2.0
"""The same where the images are of several micrographs."""

STEPS = 10
"""Steps of expectation and maximisation."""

SMALLEST_SHRINKAGE = 0.05
"""Of the covariance of all images towards its diagonal; features are correlated, and near copies would be amplified."""

FLOOR = 1e-6
"""Added to every variance, for features that are constant."""


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Attributes
    ----------
    means : float array (K, F)
        Mean features of each class.
    precision : float array (F, F)
        Inverse of the covariance within the classes.
    confidence : float
        Factor of the log-odds.
    scores : float array (L,)
        Log-likelihood of each label under the head without it, nats; 0 where nothing is left of its class.
    """

    means: np.ndarray
    precision: np.ndarray
    confidence: float = PRIOR_CONFIDENCE
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def fit(
        cls, features: Float[np.ndarray, "n features"], y: Int[np.ndarray, " n"], *, transductive: bool = True
    ) -> Head:
        """Fit to labelled and unlabelled images.

        Parameters
        ----------
        features : float array (N, F)
            Features of all images, each with mean 0 and variance 1 over them.
        y : int array (N,)
            Position of the class of each, 0 to K - 1 with at least one label each, and -1 where unlabelled.
        transductive : bool
            Whether unlabelled images take part.
        """
        features = np.asarray(features, dtype=np.float64)
        labelled = np.flatnonzero(y >= 0)
        images, classes = features[labelled], np.asarray(y)[labelled]
        counts = np.bincount(classes).astype(float)
        means = (np.eye(len(counts))[classes].T @ images) / counts[:, None]
        covariance, weight = shrunk_covariance(images - means[classes], len(counts))
        head = cls(means, _inverse(covariance))
        if transductive and len(counts) > 1 and len(labelled) < len(features):
            head, counts, weight = head._with_unlabelled(features, labelled, classes)
        confidence, scores = _confidence(head.left_out(images, classes, counts, weight), classes, counts)
        return replace(head, confidence=confidence, scores=scores)

    def log_odds(self, features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n classes"]:
        """Return the logarithm of each class's density up to a constant per image, before the confidence."""
        whitened = self.means @ self.precision
        return features @ whitened.T - (whitened * self.means).sum(axis=1) / 2

    def predict_proba(self, features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n classes"]:
        """Return the class probabilities, float32 (N, K)."""
        return softmax(self.confidence * self.log_odds(features), axis=1).astype(np.float32)

    def _with_unlabelled(
        self, features: np.ndarray, labelled: np.ndarray, classes: np.ndarray
    ) -> tuple[Head, np.ndarray, float]:
        """Return the head after expectation and maximisation, each class's weight, and a label's in the covariance."""
        weights = np.full(len(features), UNLABELLED_WEIGHT)
        weights[labelled] = 1.0
        known = np.eye(len(self.means))[classes]
        total = (features * weights[:, None]).T @ features / weights.sum()
        shrinkage = max(SMALLEST_SHRINKAGE, ledoit_wolf(features, features.T @ features))
        head, counts = self, np.zeros(len(self.means))
        for _ in range(STEPS):
            # The confidence before any label is left out keeps the first steps from settling on what they began with.
            shares = softmax(PRIOR_CONFIDENCE * head.log_odds(features), axis=1)
            shares[labelled] = known
            shares *= weights[:, None]
            counts = shares.sum(axis=0)
            means = (shares.T @ features) / counts[:, None]
            within = total - (means.T * counts) @ means / weights.sum()
            covariance = (1 - shrinkage) * within
            np.fill_diagonal(covariance, within.diagonal() + FLOOR)
            head = Head(means, _inverse(covariance))
        return head, counts, (1 - shrinkage) / weights.sum()

    def left_out(
        self,
        images: Float[np.ndarray, "labelled features"],
        classes: Int[np.ndarray, " labelled"],
        counts: Float[np.ndarray, " classes"],
        weight: float,
    ) -> Float[np.ndarray, "labelled classes"]:
        """Return the log-densities of each labelled image under the head without it, up to a constant per image.

        Leaving an image out moves its class's mean, and takes its residual out of the covariance, which is an update
        of rank one: the Sherman-Morrison formula gives the precision without it.

        Parameters
        ----------
        images : float array (L, F)
            Features of the labelled images.
        classes : int array (L,)
            Position of the class of each.
        counts : float array (K,)
            What the images of each class weigh together; a labelled one weighs 1.
        weight : float
            Weight of the outer product of a labelled image's residual in the covariance.
        """
        rows, n = np.arange(len(classes)), counts[classes]
        rest = np.where(n > 1, n / np.maximum(n - 1, FLOOR), 1.0)
        residuals = images - self.means[classes]
        whitened, halves = residuals @ self.precision, self.means @ self.precision
        own = (whitened * residuals).sum(axis=1)
        # Squared distances to the means, and the whitened residual times the differences from them.
        squared = ((images @ self.precision) * images).sum(axis=1)[:, None] - 2 * images @ halves.T
        squared += (halves * self.means).sum(axis=1)
        along = (whitened * images).sum(axis=1)[:, None] - whitened @ self.means.T
        squared[rows, classes], along[rows, classes] = rest**2 * own, rest * own
        share = weight * rest
        left = np.maximum(1 - share * own, FLOOR)
        return -(squared + (share / left)[:, None] * along**2) / 2


@dataclass(frozen=True)
class Mixture:
    """Heads on several sets of features, the more heeded the better each predicts the labels that are left out.

    Which features tell the classes apart depends on the particles: of simple ones shape descriptors know nearly all,
    and more features only add noise; of complex ones they know little. Labels that are left out are alike to those that
    are kept, also in what is particular to their micrograph, which the other features may know and new micrographs do
    not share. So the last set of features is the one that is believed, and another has to be better by some standard
    errors. With one or two labels per class these errors say little, and the sets count about the same.

    Attributes
    ----------
    heads : tuple of Head
    columns : tuple of int arrays
        The features each head stands on.
    weights : float array (heads,)
        They sum to 1.
    """

    heads: tuple[Head, ...]
    columns: tuple[np.ndarray, ...]
    weights: np.ndarray

    @classmethod
    def fit(
        cls,
        features: Float[np.ndarray, "n features"],
        y: Int[np.ndarray, " n"],
        columns: Sequence[np.ndarray],
        doubt: float = DOUBT,
    ) -> Mixture:
        """Fit a head to each set of columns; see :meth:`Head.fit`.

        Parameters
        ----------
        features, y : arrays
            As in :meth:`Head.fit`.
        columns : sequence of int arrays
            The sets, the one that is believed last.
        doubt : float
            Standard errors by which the log-likelihood under another set must exceed that under the last.
        """
        heads = tuple(Head.fit(features[:, own], y) for own in columns)
        gains = np.stack([head.scores - heads[-1].scores for head in heads])
        errors = np.sqrt(gains.shape[1]) * gains.std(axis=1)
        return cls(heads, tuple(columns), softmax(gains.sum(axis=1) - doubt * errors))

    def predict_proba(self, features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n classes"]:
        """Return the class probabilities, float32 (N, K)."""
        parts = zip(self.weights, self.heads, self.columns, strict=True)
        total = sum(weight * head.predict_proba(features[:, own]) for weight, head, own in parts)
        return np.asarray(total, dtype=np.float32)


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


def _inverse(covariance: np.ndarray) -> np.ndarray:
    factor = cho_factor(covariance, check_finite=False)
    return cho_solve(factor, np.eye(len(covariance)), check_finite=False)


def _confidence(left_out: np.ndarray, classes: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the factor of the log-odds under which prior and left out labels are most probable, and their scores."""
    scores = np.zeros(len(classes))
    known = counts[classes] > 1 + FLOOR  # else nothing is left of the class
    if len(counts) < 2 or not known.any():
        return PRIOR_CONFIDENCE, scores
    logs = log_softmax(CONFIDENCES[:, None, None] * left_out[known], axis=-1)
    each = logs[:, np.arange(known.sum()), classes[known]]
    prior = -PRIOR_LABELS * np.log(CONFIDENCES / PRIOR_CONFIDENCE) ** 2 / 2
    best = (each.sum(axis=1) + prior).argmax()
    scores[known] = each[best]
    return float(CONFIDENCES[best]), scores
