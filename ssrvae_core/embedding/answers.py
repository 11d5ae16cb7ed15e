"""What is answered at once when features are there: class probabilities after every label, and what to label next.

It needs neither torch nor the images.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ssrvae_core.config import UserError
from ssrvae_core.data.dataset import UNLABELLED
from ssrvae_core.data.labels import without_missing
from ssrvae_core.embedding.discriminant import MOST_JOINED
from ssrvae_core.embedding.head import DOUBT, DOUBT_ACROSS_MICROGRAPHS, Mixture
from ssrvae_core.embedding.neighbours import Neighbours
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
    groups : array (N,) or None
        Micrograph of each image, numbers or names; None where that is not known.
    seed : int
        Of the proposals.
    """

    features: np.ndarray
    columns: Mapping[str, slice]
    outlier_scores: np.ndarray
    groups: np.ndarray | None
    seed: int

    def predict_proba(
        self,
        labels: Int[np.ndarray, " n"],
        features: Float[np.ndarray, "m features"] | None = None,
        groups: np.ndarray | None = None,
    ) -> Float[np.ndarray, "m classes"]:
        """Fit the head to labels, and return the class probabilities.

        Parameters
        ----------
        labels : int array (N,)
            Position of the class of each image, 0 to K - 1 with at least one label each, and -1 where unlabelled.
        features : float array (M, F), optional
            Of other images to judge; by default all.
        groups : array (M,), optional
            Micrograph of each of those.
        """
        seen, groups = (self.features, self.groups) if features is None else (features, groups)
        return self._head(labels).predict_proba(seen, self._elsewhere(labels, len(seen), groups))

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

    @cached_property
    def _sets(self) -> list[np.ndarray]:
        """The columns of each head: of all features and, where there are others, of the descriptors alone."""
        every = np.arange(self.features.shape[1])
        described = every[self.columns.get("descriptors", slice(0))]
        return [every, described] if 0 < len(described) < len(every) else [every]

    @cached_property
    def _neighbours(self) -> list[Neighbours] | None:
        """The graph of each of these sets, which no label changes; None where there are too many images."""
        if len(self.features) > MOST_JOINED:
            return None
        return [Neighbours.fit(self.features[:, own]) for own in self._sets]

    @cached_property
    def _micrographs(self) -> np.ndarray | None:
        """Number of the micrograph of each image; None where there are not several."""
        if self.groups is None:
            return None
        names, numbers = np.unique(self.groups, return_inverse=True)
        return numbers if len(names) > 1 else None

    def _head(self, labels: np.ndarray) -> Mixture:
        doubt = DOUBT if self._micrographs is None else DOUBT_ACROSS_MICROGRAPHS
        return Mixture.fit(self.features, labels, self._sets, doubt, self._micrographs, self._neighbours)

    def _elsewhere(self, labels: np.ndarray, n: int, groups: np.ndarray | None) -> np.ndarray | None:
        """Return which of n images are of a micrograph without labels; None where micrographs are not told apart."""
        if self._micrographs is None or self.groups is None:
            return None
        if groups is None:
            return np.ones(n, dtype=bool)
        labelled = set(self.groups[labels != UNLABELLED].tolist())
        return np.array([name not in labelled for name in groups.tolist()])


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
