"""Class fractions of a library, with intervals that account for misclassification.

The particles of a run are of two kinds: those a person knows, by label or by hand, are counted; the others are
classified by the model, which confuses classes. How it does that is known from the validation images alone, so this is
double sampling (Tenenbein 1970, J. Am. Stat. Assoc. 65, 1350): a fallible classification of all, a true one of some.
What carries over from these to the others is how often class ``i`` is called ``j`` (the rows of the confusion matrix),
and not the class fractions, as people label as many of a rare class as of a common one. So the counts are inverted by
the rows, as Rogan and Gladen do (1978, Am. J. Epidemiol. 107, 71), but by Bayes' rule: with few labels the solution of
an inverted matrix leaves the simplex, or does not exist.

The model of the counts: rows ``theta_i`` have a Dirichlet prior; of class ``i``, ``n_ij`` validation images and an
unknown number ``z_ij`` of the others were called ``j``; the true fractions of the others have a Dirichlet prior; the
sums of ``z_ij`` over ``i`` are the counts that are seen. A Gibbs sampler draws ``z``, the rows and the fractions in
turn, many chains at once (for two classes: Joseph, Gyorkos and Coupal 1995, Am. J. Epidemiol. 141, 263).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ssrvae_core.library.state import NONE, Library, Origin
from ssrvae_core.records import PARTS, Particles

LEVEL = 0.95
"""Probability that an interval is to hold."""

RIGHT_PRIOR, WRONG_PRIOR = 1.0, 0.5
"""Images that are called right and wrong that the prior of a row of the confusion matrix is worth: a class is believed
to be told right in two of three cases until images of it are held out; the wrong ones are spread over all classes."""

FRACTION_PRIOR = 0.5
"""Parameter of the Dirichlet prior of the class fractions, Jeffreys' for known classes."""

MOST_COUNTED = 100
"""Images that are classified by the model are taken for this many at most, or for as many as five times those that the
confusion is known from: more images make the chains slow, and the intervals no narrower."""

CHAINS, WARM_UP, KEPT, EVERY = 40, 400, 150, 4
"""Chains of the sampler, their steps before draws are kept, the draws kept of each, and the steps between them."""


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
    """

    counts: np.ndarray
    design_effect: float = 1.0
    micrographs: int | None = None
    by_micrograph: bool = False
    left_out: bool = False

    @property
    def n(self) -> int:
        """Images that it is known from."""
        return int(self.counts.sum())

    @property
    def in_words(self) -> str:
        """Images that it is known from, such as ``10 held-out images``."""
        kind = "labelled images, each classified without its own label" if self.left_out else "held-out images"
        return f"{self.n:,} {kind}"


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


@dataclass(frozen=True)
class Fraction:
    """The share of a class among the particles that belong to any class.

    Attributes
    ----------
    number : int
        The class.
    counted : int
        Particles in it, as the library shows them.
    known : int
        Those of them that a person knows, by label or by hand.
    estimate : float
        Posterior mean of the true share.
    low, high : float
        Interval that holds the true share with 95 % probability.
    """

    number: int
    counted: int
    known: int
    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Fractions:
    """Class fractions of a library.

    Attributes
    ----------
    classes : tuple of Fraction
        In the order of the classes.
    total : int
        Particles that belong to any class.
    confusion : Confusion
        What the misclassification is known from.
    remarks : tuple of str
        What has to be known of the intervals; a sentence each.
    """

    classes: tuple[Fraction, ...]
    total: int
    confusion: Confusion
    remarks: tuple[str, ...]


def class_fractions(
    library: Library,
    particles: Particles,
    *,
    by_micrograph: bool = False,
    classified: Classified | None = None,
    seed: int = 0,
) -> Fractions:
    """Estimate the true class fractions of a library.

    Parameters
    ----------
    library : Library
        Of these particles.
    particles : Particles
        What the run says of all images.
    by_micrograph : bool
        Whether the run held out whole micrographs (``run.config.split.by_group``).
    classified : Classified, optional
        The classification that the fractions are inferred from, by default the run's own; where few images were held
        out, that of :func:`ssrvae_core.library.left_out.by_head` is known better.
    seed : int
        Of the sampler; the same library always gives the same numbers.

    Returns
    -------
    Fractions
        The shares of the particles that belong to any class sum to 1. None of these is not among them: how many good
        particles an outlier threshold costs is said by :func:`ssrvae_core.library.outliers.false_alarms`.
    """
    numbers = list(library.names)
    if classified is None:
        classified = Classified(
            library.current(particles.predictions.predicted),
            validation_confusion(library, particles, by_micrograph=by_micrograph),
        )
    confusion = classified.confusion
    kept = library.assigned != NONE
    unknown = kept & (library.origin == Origin.MODEL)
    counted = _counts(library.assigned[kept], numbers)
    known = _counts(library.assigned[kept & ~unknown], numbers)
    called = _counts(classified.called[unknown], numbers)
    total = int(kept.sum())
    shares = np.zeros((1, len(numbers)))
    if total:
        draws = true_counts(confusion.counts, called, design_effect=confusion.design_effect, seed=seed)
        shares = (known + draws) / total
    low, high = interval(shares)
    return Fractions(
        classes=tuple(
            Fraction(
                number=number,
                counted=int(counted[place]),
                known=int(known[place]),
                estimate=float(shares[:, place].mean()),
                low=float(low[place]),
                high=float(high[place]),
            )
            for place, number in enumerate(numbers)
        ),
        total=total,
        confusion=confusion,
        remarks=_remarks(library, confusion, particles, called),
    )


def validation_confusion(library: Library, particles: Particles, *, by_micrograph: bool = False) -> Confusion:
    """Return how the model confuses the classes of a library, from the run's validation images.

    The classes are the library's: a validation image that a person moved is of the class it was moved to. Those that
    are outliers beyond the threshold, or none of these, are left out, as particles like them are.
    """
    predictions, numbers = particles.predictions, list(library.names)
    beyond = particles.outlier_score > (np.inf if library.threshold is None else library.threshold)
    judged = (particles.part == PARTS.index("validation")) & (library.known != NONE) & ~beyond
    truth, called = library.known[judged], library.current(predictions.predicted[judged])
    groups = None if particles.groups is None else particles.groups[judged]
    return confusion_of(truth, called, numbers, groups, by_micrograph=by_micrograph)


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


def true_counts(
    confusion: Int[np.ndarray, "classes classes"],
    called: Int[np.ndarray, " classes"],
    *,
    design_effect: float = 1.0,
    seed: int = 0,
) -> Float[np.ndarray, "draws classes"]:
    """Draw how many particles are truly of each class, from their posterior.

    Parameters
    ----------
    confusion : int array (K, K)
        Images of known class ``i`` that were called ``j``.
    called : int array (K,)
        Other images that were called ``j``.
    design_effect : float
        The images of the confusion tell as much as this many times fewer.
    seed : int
        Of the sampler.

    Returns
    -------
    float array (:data:`CHAINS` * :data:`KEPT`, K)
        Every row sums to the number of the other images.
    """
    rng, k, n = np.random.default_rng(seed), len(called), int(called.sum())
    if n == 0 or k == 1:
        return np.tile(called.astype(np.float64), (CHAINS * KEPT, 1))
    told = confusion / design_effect
    taken = _thinned(called, int(max(MOST_COUNTED, 5 * confusion.sum())))
    shares = rng.dirichlet(np.ones(k), CHAINS)
    prior = np.where(np.eye(k, dtype=bool), RIGHT_PRIOR, WRONG_PRIOR / (k - 1))
    theta = _dirichlet(rng, np.tile(prior + told, (CHAINS, 1, 1)))
    kept = []
    for step in range(WARM_UP + KEPT * EVERY):
        odds = shares[:, :, None] * theta
        odds = np.moveaxis(odds / odds.sum(axis=1, keepdims=True), 1, 2)  # of each call, the true classes
        truly = np.moveaxis(rng.multinomial(taken[None], odds), 1, 2)
        theta = _dirichlet(rng, prior + told + truly)
        shares = _dirichlet(rng, FRACTION_PRIOR + truly.sum(axis=2))
        if step >= WARM_UP and step % EVERY == 0:
            kept.append(truly.sum(axis=2))
    return np.concatenate(kept) * (n / taken.sum())


def interval(draws: Float[np.ndarray, "draws classes"], level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the shortest interval (K,) that holds this share of the draws, of each column.

    It may begin at 0 or end at 1, as that of equal tails cannot.
    """
    ordered = np.sort(draws, axis=0)
    inside = int(np.ceil(level * len(ordered)))
    widths = ordered[inside - 1 :] - ordered[: len(ordered) - inside + 1]
    first, columns = widths.argmin(axis=0), np.arange(draws.shape[1])
    return ordered[first, columns], ordered[first + inside - 1, columns]


def _dirichlet(rng: np.random.Generator, parameters: np.ndarray) -> np.ndarray:
    """Draw from Dirichlet distributions along the last axis."""
    gammas = rng.standard_gamma(parameters) + np.finfo(np.float64).tiny
    return gammas / gammas.sum(axis=-1, keepdims=True)


def _thinned(counts: np.ndarray, most: int) -> np.ndarray:
    """Return counts with the same shares and a smaller sum, none of them rounded to 0."""
    if counts.sum() <= most:
        return counts
    return np.maximum(np.round(counts * (most / counts.sum())), counts > 0).astype(np.int64)


def _counts(classes: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    return np.array([(classes == number).sum() for number in numbers], dtype=np.int64)


def _remarks(library: Library, confusion: Confusion, particles: Particles, called: np.ndarray) -> tuple[str, ...]:
    """Say what the intervals cannot know."""
    if not called.any():
        return ()
    told, rows = [], zip(library.names.values(), confusion.counts, strict=True)
    if not confusion.n:
        told.append(
            "No labelled image was held out, so nothing is known of how the model confuses classes; hold some out to"
            " narrow the intervals."
        )
    elif unseen := [name for name, row in rows if not row.sum()]:
        told.append(
            f"No held-out image is of class {', '.join(unseen)}, so how often the model misses it is not known; hold"
            " some out to narrow the intervals."
        )
    if particles.groups is not None and confusion.n and not confusion.by_micrograph:
        told.append(
            "The confusion is known from images on micrographs that other labels are on, too; on new micrographs it may"
            " be larger, and the intervals are too narrow then."
        )
    if confusion.micrographs == 1:
        told.append(
            "The confusion is known from images of one micrograph, so nothing is known of how micrographs differ; the"
            " intervals are too narrow if they do."
        )
    return tuple(told)
