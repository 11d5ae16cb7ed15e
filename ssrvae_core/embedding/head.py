"""The head: class probabilities from a few labels, by one head on all features and one on the descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ssrvae_core.embedding.crowd import UNLABELLED_WEIGHT, softmax
from ssrvae_core.embedding.discriminant import Head, fitted_confidence
from ssrvae_core.embedding.neighbours import Neighbours

DOUBT = 1.0
"""Standard errors by which features beside the descriptors have to be better, to be heeded as much."""

DOUBT_ACROSS_MICROGRAPHS = 2.0
"""The same where the images are of several micrographs."""

BELIEF = 3.0
"""Nats by which the descriptors are believed for micrographs without labels, before any is left out: 20 to 1."""

CONFIDENCE_ELSEWHERE = 0.6
"""Factor of a head's confidence for micrographs without labels. It is fitted to labels that are left out one by one,
beside others of their micrograph; new micrographs differ by more. Chosen on ``benchmarks/solids.py``."""

MOST_FOLDS = 6
"""Parts that the micrographs with labels are left out in."""

FOLD_IMAGES = 500
"""Unlabelled images at most that take part where micrographs are left out; they weigh as much as all."""

FOLD_LABELS = 300
"""Labels at most that take part there."""


@dataclass(frozen=True)
class Mixture:
    """Heads on several sets of features, the more heeded the better each predicts the labels that are left out.

    Which features tell the classes apart depends on the particles: of simple ones shape descriptors know nearly all,
    and more features only add noise; of complex ones they know little. Labels that are left out are alike to those that
    are kept, also in what is particular to their micrograph, which the other features may know and new micrographs do
    not share. So the last set of features is the one that is believed, and another has to be better by some standard
    errors. With one or two labels per class these errors say little, and it counts how far each head agrees with what
    the neighbours say of the unlabelled images. Images whose micrograph has no label have weights of their own: from
    how well the labels of whole micrographs are predicted without them, where two or more can be left out in turn. This
    shows what new micrographs do not share, so that no more than :data:`DOUBT` is left; but a few micrographs say
    little, and the last set is believed by :data:`BELIEF` besides. What a head says of them is less sure, by
    :data:`CONFIDENCE_ELSEWHERE`.

    Attributes
    ----------
    heads : tuple of Head
    columns : tuple of int arrays
        The features each head stands on.
    weights : float array (heads,)
        They sum to 1.
    weights_elsewhere : float array (heads,)
        The same for images whose micrograph has no label.
    """

    heads: tuple[Head, ...]
    columns: tuple[np.ndarray, ...]
    weights: np.ndarray
    weights_elsewhere: np.ndarray

    @classmethod
    def fit(
        cls,
        features: Float[np.ndarray, "n features"],
        y: Int[np.ndarray, " n"],
        columns: Sequence[np.ndarray],
        doubt: float = DOUBT,
        groups: Int[np.ndarray, " n"] | None = None,
        neighbours: Sequence[Neighbours] | None = None,
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
        groups : int array (N,), optional
            Micrograph of each image.
        neighbours : sequence of Neighbours, optional
            The graphs of the sets of features, which do not depend on the labels.
        """
        features, y = np.asarray(features, dtype=np.float64), np.asarray(y)
        heads = tuple(
            Head.fit(features[:, own], y, neighbours=neighbours[place] if neighbours else None)
            for place, own in enumerate(columns)
        )
        if len(heads) == 1:
            return cls(heads, tuple(columns), np.ones(1), np.ones(1))
        scores = np.stack([head.scores for head in heads])
        if groups is None or len(np.unique(groups)) < 2:
            weights = _weights(scores, doubt, np.array([head.opinion for head in heads]))
            return cls(heads, tuple(columns), weights, weights)
        # Neighbours are of the same micrograph, and agree on what is particular to it: their opinions do not count.
        weights = _weights(scores, doubt)
        elsewhere = _left_out_by_micrograph(features, y, columns, np.asarray(groups))
        belief = BELIEF * np.eye(len(heads))[-1]
        away = _weights(scores, doubt, belief) if elsewhere is None else _weights(elsewhere, min(doubt, DOUBT), belief)
        return cls(heads, tuple(columns), weights, away)

    def predict_proba(
        self, features: Float[np.ndarray, "n features"], elsewhere: Bool[np.ndarray, " n"] | None = None
    ) -> Float[np.ndarray, "n classes"]:
        """Return the class probabilities, float32 (N, K).

        Parameters
        ----------
        features : float array (N, F)
            Features of images.
        elsewhere : bool array (N,), optional
            True where an image is of a micrograph without labels; by default, none is.
        """
        away = np.zeros(len(features), dtype=bool) if elsewhere is None else elsewhere
        weights = np.where(away[:, None], self.weights_elsewhere, self.weights)
        factor = np.where(away, CONFIDENCE_ELSEWHERE, 1.0)[:, None]
        total = sum(
            weights[:, [place]] * softmax(factor * head.confidence * head.log_odds(features[:, own]))
            for place, (head, own) in enumerate(zip(self.heads, self.columns, strict=True))
        )
        return np.asarray(total, dtype=np.float32)


def _weights(scores: np.ndarray, doubt: float, opinions: np.ndarray | None = None) -> np.ndarray:
    """Return the weights of heads from log-likelihoods (heads, units) and (heads,); the last head is believed."""
    gains = scores - scores[-1]
    n = gains.shape[1]
    errors = n * gains.std(axis=1) / np.sqrt(max(n - 1, 1))
    return softmax((gains.sum(axis=1) - doubt * errors + (0 if opinions is None else opinions))[None])[0]


def _left_out_by_micrograph(
    features: np.ndarray, y: np.ndarray, columns: Sequence[np.ndarray], groups: np.ndarray
) -> np.ndarray | None:
    """Return the log-likelihood of the labels of each fold of micrographs under each set's head without them.

    Returns float (sets, folds), or None where fewer than two folds leave a label of every class.
    """
    labelled = _some(np.flatnonzero(y >= 0), FOLD_LABELS)
    classes, fold = y[labelled], _folds(y[labelled], groups[labelled])
    kept = [f for f in range(fold.max() + 1) if len(np.unique(classes[fold != f])) == classes.max() + 1]
    free = np.flatnonzero(y < 0)
    others = _some(free, FOLD_IMAGES)
    if len(kept) < 2 or not len(others):
        return None
    rows = np.concatenate([labelled, others])
    weight = UNLABELLED_WEIGHT * len(free) / len(others)
    judged = np.isin(fold, kept)
    scores = []
    for own in columns:
        crowd, odds = features[np.ix_(rows, own)], np.zeros((len(labelled), int(classes.max()) + 1))
        for f in kept:
            without = np.concatenate([np.where(fold == f, -1, classes), np.full(len(others), -1)])
            odds[fold == f] = Head.without_confidence(crowd, without, weight).log_odds(crowd[: len(fold)][fold == f])
        none = np.zeros((0, odds.shape[1]))
        _, found, _ = fitted_confidence(odds[judged], classes[judged], none, np.empty(0, dtype=np.int64))
        scores.append(np.bincount(fold[judged], found, minlength=fold.max() + 1)[kept])
    return np.stack(scores)


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    """Return so many of them at most, evenly over all."""
    return rows[:: -(-len(rows) // most) or 1]


def _folds(classes: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the fold of each label, that of its micrograph; the micrographs of a class go to different ones."""
    names, group = np.unique(groups, return_inverse=True)
    main = [np.bincount(classes[group == place]).argmax() for place in range(len(names))]
    fold = np.empty(len(names), dtype=np.int64)
    fold[np.argsort(main, kind="stable")] = np.arange(len(names)) % MOST_FOLDS
    return fold[group]
