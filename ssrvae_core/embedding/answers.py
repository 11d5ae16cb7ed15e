"""What is answered at once when features are there: class probabilities after every label, and what to label next.

It needs neither torch nor the images.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ssrvae_core.config import UserError
from ssrvae_core.data.dataset import UNLABELLED
from ssrvae_core.data.labels import without_missing
from ssrvae_core.embedding.head import DOUBT, DOUBT_ACROSS_MICROGRAPHS, Mixture
from ssrvae_core.embedding.proposals import propose


@dataclass(frozen=True)
class Answers:
    """Answers questions about images whose features are known.

    Attributes
    ----------
    features : float32 array (N, F)
        Features of all images.
    columns : mapping of str to slice
        Columns of each kind of features.
    outlier_scores : float array (N,)
        How far each image is from its neighbours, see :func:`ssrvae_core.embedding.proposals.outlier_scores`.
    doubt : float
        Standard errors by which other features than the descriptors have to be better, see :func:`doubt_for`.
    seed : int
        Of the proposals.
    """

    features: np.ndarray
    columns: Mapping[str, slice]
    outlier_scores: np.ndarray
    doubt: float
    seed: int

    def predict_proba(
        self, labels: Int[np.ndarray, " n"], features: Float[np.ndarray, "m features"] | None = None
    ) -> Float[np.ndarray, "m classes"]:
        """Fit the head to labels, and return the class probabilities.

        Parameters
        ----------
        labels : int array (N,)
            Position of the class of each image, 0 to K - 1 with at least one label each, and -1 where unlabelled.
        features : float array (M, F), optional
            Of other images to judge; by default all.
        """
        return self._head(labels).predict_proba(self.features if features is None else features)

    def propose(self, labels: Int[np.ndarray, " n"], n: int = 10) -> Int[np.ndarray, " proposed"]:
        """Return which images to label next, their positions, the most telling first.

        Parameters
        ----------
        labels : int array (N,)
            Position of the class of each image, and -1 where unlabelled, as every image may be.
        n : int
            Images to propose; fewer are returned where fewer are unlabelled.

        Raises
        ------
        UserError
            If n is below 1.
        """
        if n < 1:
            raise UserError(f"n is {n}; ask for at least 1 image to label.")
        classes, present = np.unique(labels, return_inverse=True)
        labels = present - int(UNLABELLED in classes)  # without the classes that no image has
        probabilities = self.predict_proba(labels) if labels.max(initial=UNLABELLED) > 0 else None
        rng = np.random.default_rng(self.seed)
        return propose(self.features, probabilities, labels, int(n), rng, self.outlier_scores)

    def _head(self, labels: np.ndarray) -> Mixture:
        """Fit heads to all features and, where there are others, to the descriptors alone."""
        every = np.arange(self.features.shape[1])
        described = every[self.columns.get("descriptors", slice(0))]
        columns = [every, described] if 0 < len(described) < len(every) else [every]
        return Mixture.fit(self.features, labels, columns, self.doubt)


def doubt_for(groups: np.ndarray | None) -> float:
    """Return how much better other features than the descriptors have to be, in standard errors.

    Parameters
    ----------
    groups : array (N,), optional
        Micrograph of each image.
    """
    return DOUBT if groups is None or len(set(groups.tolist())) < 2 else DOUBT_ACROSS_MICROGRAPHS


def classes_of(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes (K,), and the position of each label among them, int64 (n,), -1 where unlabelled.

    Parameters
    ----------
    y : array, list or series (n,)
        Class of each image, a number or a name; what is taken for unlabelled is said at
        :func:`ssrvae_core.data.labels.is_missing`.
    n : int
        Number of images.

    Raises
    ------
    UserError
        If y has another length, or holds both numbers and names.
    """
    y, doubts = without_missing(y)
    for doubt in doubts:
        warnings.warn(doubt, UserWarning, stacklevel=4)
    y = np.asarray(y)
    if y.shape != (n,):
        raise UserError(
            f"y has the shape {y.shape}, but there were {n} images in fit; give one value for"
            f" each of them, {UNLABELLED} where it is unlabelled."
        )
    labelled = np.ones(len(y), dtype=bool) if y.dtype.kind in "US" else y != UNLABELLED
    try:
        classes, positions = np.unique(y[labelled], return_inverse=True)
    except TypeError as error:
        raise UserError("y holds both numbers and names; give either the one or the other.") from error
    labels = np.full(len(y), UNLABELLED)
    labels[labelled] = positions
    return classes, labels
