"""How classes are confused, from every label there is: each left out in turn, with its whole micrograph.

Where a person gave 40 labels, 10 are held out, and 10 images say little of a confusion matrix. A network cannot be
trained once per micrograph to know more; the head of the embedding can, in milliseconds. It is another classifier than
the network, so its confusion says nothing of the network's classes. But the fractions of the particles are the same
whoever classifies them: they are inferred from the head's classes and the head's confusion.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from ssrvae_core.library.confusion import Classified, confusion_of, validation_confusion
from ssrvae_core.library.quick import QuickHead
from ssrvae_core.library.state import NONE, Library
from ssrvae_core.records import Particles

FOLDS = 10
"""Parts that labels, or the micrographs they are on, are left out in."""

ENOUGH = 20
"""Images of each class that say enough of the run's own confusion where so many were held out."""


def best_known(
    library: Library, particles: Particles, head: QuickHead | None, *, by_micrograph: bool = False
) -> Classified:
    """Return the classification whose confusion is known better: the run's own, or the head's.

    The numbers of images decide, and not the intervals, which would be too narrow if the narrower ones were chosen: the
    run's own where it held out :data:`ENOUGH` images of each class, or where the head lacks a label of a class.

    Parameters
    ----------
    library, particles : Library and Particles
        Of one run.
    head : QuickHead or None
        Of the same run; None for generated data, whose labelled images look otherwise than the others.
    by_micrograph : bool
        Whether the run held out whole micrographs.
    """
    own = validation_confusion(library, particles, by_micrograph=by_micrograph)
    if head is not None and own.counts.sum(axis=1).min() < ENOUGH:
        found = by_head(head, library, particles)
        if found is not None and found.confusion.n > own.n:
            return found
    return Classified(library.current(particles.predictions.predicted), own)


def by_head(head: QuickHead, library: Library, particles: Particles) -> Classified | None:
    """Classify all particles by the labels of a library, and find the confusion by leaving labels out.

    Labels that were given by hand in the library teach the head; they do not judge it, as people correct what is
    confused.

    Parameters
    ----------
    head : QuickHead
        Of the same run.
    library, particles : Library and Particles
        Its state and what the run says.

    Returns
    -------
    Classified or None
        None where a class has no label, or no label can be left out.
    """
    numbers = np.array([*library.names])
    known = np.where(library.known == NONE, NONE, np.searchsorted(numbers, library.known))
    if len(numbers) < 2 or len(np.unique(known[known != NONE])) < len(numbers):
        return None
    judged = library.uncorrected
    fold, by_micrograph = _folds(known, judged, particles.groups)
    called = np.full(len(known), NONE)
    for number in np.unique(fold[fold != NONE]):
        left = fold == number
        kept = np.where(left, NONE, known)
        if by_micrograph and particles.groups is not None:  # with what was corrected on the same micrographs
            kept[np.isin(particles.groups, particles.groups[left])] = NONE
        if len(np.unique(kept[kept != NONE])) == len(numbers):
            called[left] = head.answers.predict_proba(kept)[left].argmax(axis=1)
    seen = called != NONE
    if not seen.any():
        return None
    groups = None if particles.groups is None else particles.groups[seen]
    confusion = confusion_of(
        numbers[known[seen]],
        numbers[called[seen]],
        numbers.tolist(),
        groups,
        by_micrograph=by_micrograph,
        left_out=True,
    )
    return Classified(numbers[head.answers.predict_proba(known).argmax(axis=1)], confusion)


def _folds(
    known: Int[np.ndarray, " n"], judged: np.ndarray, groups: Int[np.ndarray, " n"] | None
) -> tuple[Int[np.ndarray, " n"], bool]:
    """Return the part that each judged image is left out in, -1 for all others, and whether they are micrographs.

    Micrographs are left out whole where every class is known on two of them at least.
    """
    fold = np.full(len(known), NONE)
    rows = np.flatnonzero(judged)
    if groups is not None:
        told = known != NONE
        pairs = np.unique(np.stack([known[told], groups[told]]), axis=1)
        if np.bincount(pairs[0]).min() >= 2:
            _, number = np.unique(groups[rows], return_inverse=True)
            fold[rows] = number % FOLDS
            return fold, True
    for k in np.unique(known[rows]):
        own = rows[known[rows] == k]
        fold[own] = np.arange(len(own)) % FOLDS
    return fold, False
