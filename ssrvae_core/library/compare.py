"""What a training with corrected labels changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from ssrvae_core.library.judging import held_out_and_corrected, left_out_text
from ssrvae_core.library.outliers import Rate
from ssrvae_core.library.state import Library
from ssrvae_core.records import PARTS, Particles


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same particles.

    Attributes
    ----------
    both : int
        Particles that both runs classify.
    changed : int64 array (M,)
        Ids of those whose class is another, ascending.
    moves : tuple of (str, str, int)
        From which class to which, and how many, the most first.
    old, new : Rate
        How often each is right on the images that both held out and whose labels are from before any correction.
    left_out : int
        Images that both held out whose class a person corrected: they do not judge, as people correct what is wrong.
    only_old, only_new : int
        Images among those that one run alone tells right.
    p_value : float
        Probability of so uneven numbers if both runs are equally good (the exact test of McNemar 1947).
    """

    both: int
    changed: np.ndarray
    moves: tuple[tuple[str, str, int], ...]
    old: Rate
    new: Rate
    left_out: int
    only_old: int
    only_new: int
    p_value: float

    @property
    def in_words(self) -> str:
        """What changed, in a sentence or two."""
        told = f"{len(self.changed):,} of {self.both:,} particles are in another class."
        if self.old.n:
            judged = (
                f"Of {self.old.n:,} images that both runs held out, {self.old.count:,} were right before and"
                f" {self.new.count:,} are now."
            )
        elif self.left_out:
            judged = "No image that both runs held out had its label before any was moved, so nothing can be compared."
        else:
            judged = "No image that both runs held out has a label, so which run is better is not known."
        return " ".join(filter(None, (told, judged, left_out_text(self.left_out))))


def compare(
    old: Particles,
    old_names: tuple[str, ...],
    new: Particles,
    new_names: tuple[str, ...],
    library: Library | None = None,
) -> Comparison:
    """Compare what two runs say of the same particles.

    Parameters
    ----------
    old, new : Particles
        What the runs say; particles are the same where their ids are.
    old_names, new_names : tuple of str
        The runs' classes.
    library : Library, optional
        That of the old run when the new one was trained from it, which says what its classes are called there;
        :func:`ssrvae_core.library.training.parent_of` and :meth:`ssrvae_core.library.journal.Journal.at` find it.
        Labels that were set by hand in it do not judge. Without it, those that the runs do not agree on do not.
    """
    ids, a, b = np.intersect1d(old.ids, new.ids, assume_unique=True, return_indices=True)
    names = np.array(old_names, dtype=object)
    if library is not None:
        now = library.current(np.arange(len(old_names)))
        names = np.array([library.names[number] for number in now.tolist()], dtype=object)
    before = names[old.predictions.predicted[a]]
    after = np.array(new_names, dtype=object)[new.predictions.predicted[b]]
    differ = before != after
    pairs = Counter(zip(before[differ].tolist(), after[differ].tolist(), strict=True))
    held_out = PARTS.index("validation")
    both = (old.part[a] == held_out) & (new.part[b] == held_out)
    first, second = old.predictions.labels[a], new.predictions.labels[b]
    called = np.array(new_names, dtype=object)[second]
    if library is None:
        judged = both & (first >= 0) & (second >= 0) & (names[first] == called)
        left_out = both & ((first >= 0) | (second >= 0)) & ~judged
    else:
        judged = both & (second >= 0) & library.uncorrected[a]
        left_out = both & held_out_and_corrected(library, old)[a]
    truth = called[judged]
    old_right, new_right = before[judged] == truth, after[judged] == truth
    only_old, only_new = int((old_right & ~new_right).sum()), int((new_right & ~old_right).sum())
    n = int(judged.sum())
    return Comparison(
        both=len(ids),
        changed=ids[differ],
        moves=tuple((x, y, count) for (x, y), count in pairs.most_common()),
        old=Rate.of(int(old_right.sum()), n),
        new=Rate.of(int(new_right.sum()), n),
        left_out=int(left_out.sum()),
        only_old=only_old,
        only_new=only_new,
        p_value=float(binomtest(only_new, only_old + only_new).pvalue) if only_old + only_new else 1.0,
    )
