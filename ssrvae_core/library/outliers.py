"""None of these: outlier thresholds, and how many good particles each costs.

How often a threshold is a false alarm is measured on images that are trusted: held out from training, with a label that
says that they belong to a class and that nobody corrected. None of ten is not none of all, so a rate has an interval.
It is that of the held-out images, which may score otherwise than the others, as they may lie on other micrographs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import beta

from ssrvae_core.config import UserError
from ssrvae_core.library.base import beyond
from ssrvae_core.library.double_sampling import LEVEL
from ssrvae_core.library.judging import held_out_and_corrected, held_out_and_judging, left_out_text
from ssrvae_core.library.state import NONE, Library
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.shares import percent_range


@dataclass(frozen=True)
class Rate:
    """How often something happens: seen ``count`` times of ``n``.

    Attributes
    ----------
    count, n : int
        Times seen, and images looked at.
    low, high : float
        Interval of Clopper and Pearson (1934, Biometrika 26, 404), which holds the true rate with 95 %
        probability at least.
    """

    count: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """The rate that was seen; None of no image."""
        return self.count / self.n if self.n else None

    @classmethod
    def of(cls, count: int, n: int, level: float = LEVEL) -> Rate:
        """Return the rate with its interval."""
        tail = (1 - level) / 2
        low = float(beta.ppf(tail, count, n - count + 1)) if count else 0.0
        high = float(beta.ppf(1 - tail, count + 1, n - count)) if count < n else 1.0
        return cls(count, n, low, high)


def trusted_scores(library: Library, particles: Particles) -> Float[np.ndarray, " trusted"]:
    """Return the outlier scores of the run's trusted images, ascending.

    They are held out, labelled, and have a score. Those that a person moved are left out: people move what a run has
    wrong, and that scores higher.
    """
    return np.sort(particles.outlier_score[_trusted(library, particles)])


def _trusted(library: Library, particles: Particles) -> Bool[np.ndarray, " n"]:
    return held_out_and_judging(library, particles) & np.isfinite(particles.outlier_score)


def on_other_micrographs(library: Library, particles: Particles) -> bool:
    """Whether the trusted images are from micrographs that the run was not trained on."""
    trusted = _trusted(library, particles)
    if particles.groups is None or not trusted.any():
        return False
    trained_on = particles.groups[particles.part != PARTS.index("validation")]
    return not np.isin(particles.groups[trusted], trained_on).any()


def _judged(library: Library, particles: Particles) -> Bool[np.ndarray, " n"]:
    """Return which particles a threshold judges: those with a score that are neither labelled nor moved by hand."""
    decided = np.isin(library.base.ids, list(library.decisions))
    return (library.base.labels == NONE) & ~decided & np.isfinite(particles.outlier_score)


def false_alarms(library: Library, particles: Particles, threshold: float) -> Rate:
    """Return how often an image that belongs to a class lies beyond a threshold."""
    scores = trusted_scores(library, particles)
    return Rate.of(int(beyond(scores, threshold).sum()), len(scores))


def threshold_for(library: Library, particles: Particles, rate: float) -> float:
    """Return the threshold that is expected to be a false alarm for this share of good particles, or fewer.

    Parameters
    ----------
    library, particles : Library and Particles
        Of one run.
    rate : float
        Between 0 and 1, exclusive.

    Returns
    -------
    float
        An order statistic of the trusted scores: a new good particle lies beyond the ``k``-th of ``n`` with the
        probability ``(n + 1 - k) / (n + 1)`` (Vovk et al. 2005, conformal prediction).

    Raises
    ------
    UserError
        If there are too few trusted images for so small a rate.
    """
    if not 0 < rate < 1:
        raise UserError(f"A false-alarm rate of {rate:g} is not possible; give one between 0 and 1, such as 0.05.")
    scores = trusted_scores(library, particles)
    n = len(scores)
    k = math.ceil((n + 1) * (1 - rate) - 1e-9)
    if k > n:
        least = 1 / (n + 1)
        advice = f"ask for {least:.2g} or more" if n else "hold out labelled images"
        raise UserError(
            f"{n:,} labelled images with an outlier score were held out and not moved, which is too few for a"
            f" false-alarm rate of {rate:g}; {advice}, or set the threshold itself."
        )
    return float(scores[max(k, 1) - 1])


@dataclass(frozen=True)
class Outliers:
    """What a threshold does to a library.

    Attributes
    ----------
    threshold : float or None
        The outlier score, None where there is no threshold.
    beyond : int
        Particles that are none of these by it: neither labelled nor decided by hand.
    judged : int
        Particles with an outlier score that are neither labelled nor decided by hand.
    rate : Rate
        How often a held-out image of known class lies beyond it.
    apart : bool
        Whether those images are from micrographs that the run was not trained on.
    left_out : int
        Held-out images that are not among them because a person moved them.
    """

    threshold: float | None
    beyond: int
    judged: int
    rate: Rate
    apart: bool
    left_out: int

    @property
    def expected(self) -> tuple[float, float]:
        """How many would be beyond the threshold if all particles were good and scored as held-out images do."""
        return self.rate.low * self.judged, self.rate.high * self.judged

    @property
    def scores_differ(self) -> bool:
        """Whether held-out images score higher than the others: more false alarms are expected than were found."""
        return self.expected[0] > self.beyond

    @property
    def in_words(self) -> str:
        """What the threshold costs, one or two sentences."""
        if self.threshold is None:
            return "No outlier threshold is set, so every particle is in a class."
        found = f"{self.beyond:,} of {self.judged:,} particles lie beyond the outlier score {self.threshold:g}"
        left_out = left_out_text(self.left_out)
        if not self.rate.n:
            lacking = "whose label nobody corrected" if self.left_out else "with a label"
            told = f"{found}; no image {lacking} was held out, so how many good particles that costs is not known."
            return " ".join(filter(None, (told, left_out)))
        apart = ", from micrographs that were held out whole" if self.apart else ""
        rate = (
            f"It is a false alarm for {self.rate.count:,} of {self.rate.n:,} held-out images of known class{apart}"
            f" ({percent_range(self.rate.low, self.rate.high)})"
        )
        low, high = self.expected
        if self.scores_differ:
            meaning = "these score higher than the others, so the rate is not that of the others"
        elif self.apart:
            number = f"{low:,.0f} to {high:,.0f}"
            meaning = f"if the other particles score alike, {number} of them would lie beyond it even if all were good"
        else:
            meaning = f"so {low:,.0f} to {high:,.0f} of them would lie beyond it even if all were good"
        joint = ", " if meaning.startswith("so ") else "; "
        return " ".join(filter(None, (f"{found}. {rate}{joint}{meaning}.", left_out)))


def outliers(library: Library, particles: Particles, threshold: float | None = None) -> Outliers:
    """Return what a threshold does, by default the library's own."""
    threshold = library.threshold if threshold is None else threshold
    judged = _judged(library, particles)
    outliers = judged & beyond(particles.outlier_score, threshold)
    return Outliers(
        threshold=threshold,
        beyond=int(outliers.sum()),
        judged=int(judged.sum()),
        rate=false_alarms(library, particles, np.inf if threshold is None else threshold),
        apart=on_other_micrographs(library, particles),
        left_out=int(held_out_and_corrected(library, particles).sum()),
    )
