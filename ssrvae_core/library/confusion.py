"""How a classification confuses the classes of a library, and how many images that is known from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from ssrvae_core.library.base import beyond
from ssrvae_core.library.judging import held_out_and_judging
from ssrvae_core.library.state import Library
from ssrvae_core.records import Particles


@dataclass(frozen=True)
class Confusion:
    """How often the model took one class for another.

    Attributes
    ----------
    counts : int64 array (K, K)
        Images of class ``i`` that were called ``j``.
    design_effect : float
        Images of one micrograph are alike: so many of them tell as much as one, see :func:`design_effect`.
    micrographs : int, optional
        Micrographs that the images are from; None where that is not known.
    by_micrograph : bool
        Whether what classified them was trained on other micrographs alone.
    left_out : bool
        Whether they were classified by the head of an embedding without their labels, see
        :mod:`ssrvae_core.library.left_out`; else they are the run's validation images.
    learnt : bool array (K,), optional
        The classes that what classified them can call a particle; None where it can call it any. A class that people
        split off is not among those of a network that was trained before.
    """

    counts: np.ndarray
    design_effect: float = 1.0
    micrographs: int | None = None
    by_micrograph: bool = False
    left_out: bool = False
    learnt: np.ndarray | None = None

    @property
    def n(self) -> int:
        """Images that it is known from."""
        return int(self.counts.sum())

    @property
    def in_words(self) -> str:
        """Images that it is known from, such as ``10 held-out images``."""
        images = "image" if self.n == 1 else "images"
        if self.left_out:
            return f"{self.n:,} labelled {images}, each classified without its own label"
        return f"{self.n:,} held-out {images}"


@dataclass(frozen=True)
class Classified:
    """All particles by a fallible classification, and how it confuses classes.

    Attributes
    ----------
    called : int64 array (N,)
        The class of the library that each particle is called.
    confusion : Confusion
        In the order of the library's classes.
    """

    called: np.ndarray
    confusion: Confusion


def validation_confusion(library: Library, particles: Particles, *, by_micrograph: bool = False) -> Confusion:
    """Return how the model confuses the classes of a library, from the run's validation images.

    The classes are the library's. Images that a person moved are left out, as people move what is confused, and so are
    those that are outliers beyond the threshold, as particles like them are.
    """
    predictions, numbers = particles.predictions, list(library.names)
    outliers = beyond(particles.outlier_score, library.threshold)
    judged = held_out_and_judging(library, particles) & ~outliers
    truth, called = library.known[judged], library.current(predictions.predicted[judged])
    groups = None if particles.groups is None else particles.groups[judged]
    found = confusion_of(truth, called, numbers, groups, by_micrograph=by_micrograph)
    own = library.current(np.arange(len(library.base.class_names)))
    return replace(found, learnt=np.isin(numbers, own))


def confusion_of(
    truth: Int[np.ndarray, " n"],
    called: Int[np.ndarray, " n"],
    numbers: Sequence[int],
    groups: Int[np.ndarray, " n"] | None,
    *,
    by_micrograph: bool = False,
    left_out: bool = False,
) -> Confusion:
    """Return the confusion of images whose class is known.

    Parameters
    ----------
    truth, called : int array (N,)
        True class of each image, and the one that it is called.
    numbers : sequence of int
        The classes, ascending.
    groups : int array (N,), optional
        Micrograph of each image.
    by_micrograph, left_out : bool
        See :class:`Confusion`.
    """
    counts = np.zeros((len(numbers), len(numbers)), dtype=np.int64)
    np.add.at(counts, (np.searchsorted(numbers, truth), np.searchsorted(numbers, called)), 1)
    if groups is None:
        return Confusion(counts, left_out=left_out)
    effect = design_effect(truth == called, groups)
    return Confusion(counts, effect, len(np.unique(groups)), by_micrograph, left_out)


def design_effect(right: Bool[np.ndarray, " n"], groups: Int[np.ndarray, " n"]) -> float:
    """Return how many images of several micrographs tell as much as one that is independent, at least 1.

    From the analysis of variance of right and wrong between and within micrographs (Rao and Scott 1992,
    Biometrics 48, 577). 1 where there are not two micrographs.

    Parameters
    ----------
    right : bool array (N,)
        Whether each image was classified right.
    groups : int array (N,)
        Its micrograph.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n, m = len(group), len(sizes)
    if m < 2 or n <= m:
        return 1.0
    values = right.astype(np.float64)
    means = np.bincount(group, values) / sizes
    between = (sizes * (means - values.mean()) ** 2).sum() / (m - 1)
    within = ((values - means[group]) ** 2).sum() / (n - m)
    size = (n - (sizes**2).sum() / n) / (m - 1)
    spread = between + (size - 1) * within
    correlation = (between - within) / spread if spread > 0 else 0.0
    return float(max(1.0, 1 + ((sizes**2).sum() / n - 1) * correlation))
