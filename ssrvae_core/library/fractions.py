"""Class fractions of a library, with intervals that account for misclassification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssrvae_core.library.confusion import Classified, Confusion, validation_confusion
from ssrvae_core.library.double_sampling import interval, true_counts
from ssrvae_core.library.state import NONE, Library, Origin
from ssrvae_core.records import Particles
from ssrvae_core.shares import percent, percent_range

ALIKE = 1.5
"""Design effect from which on it is said that the images of one micrograph are confused alike."""


WIDEST = 0.25
"""Width of an interval from which on its estimate says nothing: a few corrections move it by several percent."""


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
    judged : int
        Images of the class that the confusion is known from. Where there is none, the estimate is little more than what
        was believed before any image was seen, and only the interval should be shown.
    estimate : float
        Posterior mean of the true share.
    low, high : float
        Interval that holds the true share with 95 % probability.
    """

    number: int
    counted: int
    known: int
    judged: int
    estimate: float
    low: float
    high: float

    @property
    def telling(self) -> bool:
        """Whether the estimate says something: images of the class were judged, and the interval is narrow."""
        return self.low == self.high or (self.judged > 0 and self.high - self.low < WIDEST)

    @property
    def in_words(self) -> str:
        """The interval of the true share, then its estimate where that says something.

        Such as ``35.2 to 47.1 %, about 41.0 %``; one number where every particle is known, which makes it exact.
        """
        if self.low == self.high:
            return percent(self.low, 1)
        interval = percent_range(self.low, self.high)
        return f"{interval}, about {percent(self.estimate, 1)}" if self.telling else interval


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

    @property
    def in_words(self) -> str:
        """What the intervals hold, and what they are known from."""
        return (
            f"A true share is the share of a class among the {self.total:,} particles that belong to any class,"
            f" corrected for misclassification as measured on {self.confusion.in_words}: a 95 % interval, followed by"
            " an estimate if the interval is narrow."
        )

    def called(self, one: Fraction, verb: str = "") -> str:
        """Return how many particles the library shows in a class, which is not an estimate: ``152 of 504, 30.2 %``."""
        share = f", {percent(one.counted / self.total, 1)}" if self.total else ""
        return f"{one.counted:,} of {self.total:,}{verb}{share}"


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
        effect = confusion.design_effect
        draws = true_counts(confusion.counts, called, learnt=confusion.learnt, design_effect=effect, seed=seed)
        shares = (known + draws) / total
    mean = shares.mean(axis=0)
    low, high = interval(shares)
    low, high = np.minimum(low, mean), np.maximum(high, mean)  # of whole counts the shortest interval may miss it
    return Fractions(
        classes=tuple(
            Fraction(
                number=number,
                counted=int(counted[place]),
                known=int(known[place]),
                judged=int(confusion.counts[place].sum()),
                estimate=float(mean[place]),
                low=float(low[place]),
                high=float(high[place]),
            )
            for place, number in enumerate(numbers)
        ),
        total=total,
        confusion=confusion,
        remarks=_remarks(library, confusion, particles, called),
    )


def _counts(classes: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    return np.array([(classes == number).sum() for number in numbers], dtype=np.int64)


def _remarks(library: Library, confusion: Confusion, particles: Particles, called: np.ndarray) -> tuple[str, ...]:
    """Say what the intervals cannot know."""
    if not called.any():
        return ()
    names = [*library.names.values()]
    new = [] if confusion.learnt is None else [name for name, ok in zip(names, confusion.learnt, strict=True) if not ok]
    rows = [(name, row) for name, row in zip(names, confusion.counts, strict=True) if name not in new]
    told = []
    if new:
        told.append(
            f"The model was not trained on class {', '.join(new)} and calls no particle so, so the intervals are wide;"
            " train again with the corrected labels to narrow them."
        )
    if not confusion.n:
        told.append(
            "No labelled image was held out, so nothing is known of how the model confuses classes; hold some out to"
            " narrow the intervals."
        )
    elif unseen := [name for name, row in rows if not row.sum()]:
        told.append(
            f"No image of class {', '.join(unseen)} could be left out, so how often it is missed is not known; label"
            " some more and train again to narrow the intervals."
            if confusion.left_out
            else f"No held-out image is of class {', '.join(unseen)}, so how often the model misses it is not known;"
            " hold some out to narrow the intervals."
        )
    if particles.groups is not None and confusion.n and not confusion.by_micrograph:
        told.append(
            "The confusion is known from images on micrographs that other labels are on, too; on new micrographs it may"
            " be larger, and the intervals are too narrow then."
        )
    if confusion.design_effect >= ALIKE:
        worth = max(1, round(confusion.n / confusion.design_effect))
        told.append(
            f"Mistakes come in whole micrographs here, so these {confusion.n:,} images say as much of the confusion as"
            f" {worth:,} independent ones; labels on more micrographs narrow the intervals."
        )
    if confusion.micrographs == 1:
        told.append(
            "The confusion is known from images of one micrograph, so nothing is known of how micrographs differ; the"
            " intervals are too narrow if they do."
        )
    return tuple(told)
