"""Label spreading, scikit-learn's semi-supervised classifier: labels diffuse over a graph of nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.semi_supervised import LabelSpreading

from ssrvae_core.data import UNLABELLED, Split
from ssrvae_core.evaluation.rivals.pixels import Folds, flat, folds

MOST_UNLABELLED = 4000
"""Unlabelled images in the graph; of more, a random choice. Its time grows with their square."""

NEIGHBOURS = (7, 3, 15)
"""Neighbours an image is connected to, itself included; the first where the labels leave the choice open."""

CLAMPING = 0.8
"""Share of a label that comes from the neighbours: with scikit-learn's 0.2 no label reaches images at other angles."""

MOST_STEPS = 3000


class FittedSpreading:
    """The labels that have spread over the graph; a new image takes those of its neighbours in it."""

    def __init__(self, spreading: LabelSpreading, parameters: dict[str, Any]) -> None:
        self.spreading, self.parameters = spreading, parameters

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities (N, K) of images (N, C, H, W); uniform where no label has reached."""
        with np.errstate(invalid="ignore"):  # 0 / 0 where none has
            prob = self.spreading.predict_proba(flat(images))
        return np.where(np.isfinite(prob), prob, 1 / prob.shape[1])


def label_spreading(data: Split, seed: int, device: str) -> FittedSpreading:
    """Spread the labels over labelled and unlabelled images (Zhou et al. 2004, NIPS 16).

    The number of neighbours is chosen by hiding the labels of a fold and counting how many come back.
    """
    rng, n_unlabelled = np.random.default_rng(seed), len(data.unlabelled)
    chosen = rng.choice(n_unlabelled, min(n_unlabelled, MOST_UNLABELLED), replace=False)
    labels = data.labelled.labels
    pixels = np.concatenate([flat(data.labelled.images), flat(data.unlabelled.images[chosen])])
    known = np.concatenate([labels, np.full(len(chosen), UNLABELLED)])
    candidates = [min(number, len(pixels)) for number in NEIGHBOURS]
    neighbours, accuracy = candidates[0], None
    parts = folds(data.labelled, seed)
    if parts:
        scores = [_cross_validated(pixels, known, labels, number, parts) for number in candidates]
        neighbours, accuracy = candidates[int(np.argmax(scores))], max(scores)
    told = {
        "n_neighbors": neighbours,
        "unlabelled_images": len(chosen),
        "folds": len(parts),
        "cross_validated_accuracy": accuracy,
    }
    return FittedSpreading(_spread(pixels, known, neighbours), told)


def _spread(pixels: np.ndarray, known: np.ndarray, neighbours: int) -> LabelSpreading:
    return LabelSpreading(kernel="knn", n_neighbors=neighbours, alpha=CLAMPING, max_iter=MOST_STEPS).fit(pixels, known)


def _cross_validated(pixels: np.ndarray, known: np.ndarray, labels: np.ndarray, neighbours: int, parts: Folds) -> float:
    """Share of the labels that come back when a fold's are hidden; the labelled images are the first rows."""
    right = 0
    for _, fold in parts:
        hidden = known.copy()
        hidden[fold] = UNLABELLED
        right += int((_spread(pixels, hidden, neighbours).transduction_[fold] == labels[fold]).sum())
    return right / len(labels)
