"""One head: class probabilities from a few labels and one set of features, in closed form and so in milliseconds.

It starts as a linear discriminant whose pooled covariance within the classes is shrunk (Ledoit and Wolf 2004,
doi:10.1016/S0047-259X(03)00096-4), or from labels that spread from neighbour to neighbour. A few steps of expectation
and maximisation then let the unlabelled images say where the classes lie; of the two beginnings that one is kept after
which they tell more about the classes. In the end the confidence is fitted to what is predicted for each label when
that label is left out, which has a closed form, and a little to what the neighbours say of the unlabelled images.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from ssrvae_core.embedding.covariance import inverse, shrunk_covariance
from ssrvae_core.embedding.crowd import FLOOR, PRIOR_CONFIDENCE, Crowd, certainty, softmax
from ssrvae_core.embedding.neighbours import Neighbours

PRIOR_LABELS = 1.0
"""Labels that this factor counts as much as: the standard deviation of its logarithm is 1 over their root."""

OPINION_LABELS = 1.0
"""Labels per class that the opinion of the neighbours on all unlabelled images counts as much as."""

OPINIONS = 500
"""Unlabelled images at most that are asked for it, evenly over all."""

CONFIDENCES = np.geomspace(0.02, 5.0, 60)
"""Factors of the log-odds of which the most probable is taken."""

MISTAKEN = 0.003
"""Share of the labels that may be any class, whatever the image says: a single one must not take all confidence."""

COARSE = 6
"""Each so many of them is looked at first, and then those around the best."""

LEAST_LEFT = 0.1
"""Share of the variance along an image's residual that is left without the image, at least."""

FEW_LABELS = 20
"""Labels per class below which the neighbours are asked; beyond, they change nothing but the time."""

MOST_JOINED = 20_000
"""Images beyond which they are not asked either: to find those of all takes time with the square of the number."""

STEPS = 10
"""Steps of expectation and maximisation from the discriminant."""

STEPS_FROM_NEIGHBOURS = 20
"""The same from the spread labels, which lie further away."""


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
    opinion : float
        Log-likelihood of what the neighbours say of the unlabelled images, nats, as of a few labels.
    """

    means: np.ndarray
    precision: np.ndarray
    confidence: float = PRIOR_CONFIDENCE
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    opinion: float = 0.0

    @classmethod
    def fit(
        cls,
        features: Float[np.ndarray, "n features"],
        y: Int[np.ndarray, " n"],
        *,
        transductive: bool = True,
        neighbours: Neighbours | None = None,
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
        neighbours : Neighbours, optional
            The graph of these features; it does not depend on the labels, and whoever fits again keeps it.
        """
        features, y = np.asarray(features, dtype=np.float64), np.asarray(y)
        labelled = np.flatnonzero(y >= 0)
        images, classes = features[labelled], y[labelled]
        means, covariance, counts, weight = _discriminant(images, classes)
        head, spread = cls(means, inverse(covariance)), None
        if transductive and len(counts) > 1 and len(labelled) < len(features):
            crowd = Crowd(features, y)
            shares = crowd.settle(softmax(PRIOR_CONFIDENCE * head.log_odds(features)), STEPS)
            if len(labelled) < FEW_LABELS * len(counts) and len(features) <= MOST_JOINED:
                spread = (neighbours or Neighbours.fit(features)).spread(y, len(counts))
                shares = max(shares, crowd.settle(spread, STEPS_FROM_NEIGHBOURS), key=certainty)
            means, covariance, counts, weight = crowd.gaussians(shares)
            head = cls(means, inverse(covariance))
        known = np.bincount(classes)[classes] > 1  # else nothing but guesses is left of the class
        left_out = head.left_out(images[known], classes[known], counts, weight)
        asked = np.flatnonzero(y < 0) if spread is not None else np.empty(0, dtype=np.int64)
        asked = asked[:: -(-len(asked) // OPINIONS) or 1]
        opinions = np.empty(0, dtype=np.int64) if spread is None else spread[asked].argmax(axis=1)
        confidence, scores, opinion = fitted_confidence(
            left_out, classes[known], head.log_odds(features[asked]), opinions
        )
        every = np.zeros(len(classes))
        every[known] = scores
        return cls(head.means, head.precision, confidence, every, opinion)

    @classmethod
    def without_confidence(
        cls, features: Float[np.ndarray, "n features"], y: Int[np.ndarray, " n"], unlabelled_weight: float
    ) -> Head:
        """Fit from the discriminant alone, with this weight of an unlabelled image; other parameters as in fit."""
        labelled = np.flatnonzero(y >= 0)
        means, covariance, _, _ = _discriminant(features[labelled], y[labelled])
        head = cls(means, inverse(covariance))
        crowd = Crowd(features, y, unlabelled_weight)
        shares = crowd.settle(softmax(PRIOR_CONFIDENCE * head.log_odds(features)), STEPS)
        means, covariance, _, _ = crowd.gaussians(shares)
        return cls(means, inverse(covariance))

    def log_odds(self, features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n classes"]:
        """Return the logarithm of each class's density up to a constant per image, before the confidence."""
        whitened = self.means @ self.precision
        return features @ whitened.T - (whitened * self.means).sum(axis=1) / 2

    def predict_proba(self, features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n classes"]:
        """Return the class probabilities, float32 (N, K)."""
        return softmax(self.confidence * self.log_odds(features)).astype(np.float32)

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
        left = np.maximum(1 - share * own, LEAST_LEFT)
        return -(squared + (share / left)[:, None] * along**2) / 2


def fitted_confidence(
    left_out: Float[np.ndarray, "labelled classes"],
    classes: Int[np.ndarray, " labelled"],
    unlabelled: Float[np.ndarray, "asked classes"],
    opinions: Int[np.ndarray, " asked"],
) -> tuple[float, Float[np.ndarray, " labelled"], float]:
    """Return the factor of the log-odds under which prior, left out labels and opinions are most probable.

    Parameters
    ----------
    left_out : float array (L, K)
        Log-odds of labelled images under heads without them.
    classes : int array (L,)
        Their classes.
    unlabelled : float array (A, K)
        Log-odds of unlabelled images.
    opinions : int array (A,)
        The classes that the neighbours say; together they count as much as :data:`OPINION_LABELS` labels per
        class.

    Returns
    -------
    float
        The factor; :data:`PRIOR_CONFIDENCE` where there is nothing to fit.
    float array (L,)
        Log-likelihood of each label, nats.
    float
        That of the opinions.
    """
    if left_out.shape[1] < 2 or not len(left_out) + len(unlabelled):
        return PRIOR_CONFIDENCE, np.zeros(len(left_out)), 0.0
    odds = np.concatenate([left_out, unlabelled])
    # Against the class that is right, and turned: sums over the classes are fast along the first axis.
    odds = np.ascontiguousarray((odds - odds[np.arange(len(odds)), np.concatenate([classes, opinions])][:, None]).T)
    one = OPINION_LABELS * left_out.shape[1] / max(len(opinions), 1)
    each = np.concatenate([np.ones(len(left_out)), np.full(len(opinions), one)])
    top = odds.max(axis=0)  # 0 at least
    odds -= top

    def logs(place: int) -> np.ndarray:
        found = -CONFIDENCES[place] * top - np.log(np.exp(CONFIDENCES[place] * odds).sum(axis=0))
        found[: len(left_out)] = np.log((1 - MISTAKEN) * np.exp(found[: len(left_out)]) + MISTAKEN / len(odds))
        return found

    def probability(place: int) -> float:
        prior = -PRIOR_LABELS * np.log(CONFIDENCES[place] / PRIOR_CONFIDENCE) ** 2 / 2
        return float(each @ logs(place) + prior)

    best = max(range(0, len(CONFIDENCES), COARSE), key=probability)
    best = max(range(max(0, best - COARSE + 1), min(len(CONFIDENCES), best + COARSE)), key=probability)
    found = logs(best)
    return float(CONFIDENCES[best]), found[: len(left_out)], float(each[len(left_out) :] @ found[len(left_out) :])


def _discriminant(images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return means, shrunk covariance, images per class, and the weight of a residual in the covariance."""
    counts = np.bincount(classes).astype(float)
    means = (np.eye(len(counts))[classes].T @ images) / counts[:, None]
    covariance, weight = shrunk_covariance(images - means[classes], len(counts))
    return means, covariance, counts, weight
