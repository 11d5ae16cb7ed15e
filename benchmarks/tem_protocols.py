"""Which particles are labelled, which are seen without a label, and which are judged: three protocols.

``transfer``: labels from half of each class's micrographs; all particles of the others are judged, and nothing of them
is seen in training. ``library``: the same labels and the same judged particles, but every particle is among the
unlabelled: what a person with a data set has. ``clicks``: labels asked for by a proposal over the whole set; the rest
is judged, and is among the unlabelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sklearn.cluster import KMeans

from ssrvae_core.data import UNLABELLED, ImageSet, Split

PROTOCOLS = ("transfer", "library", "clicks")

TRIALS = 1000
"""Random halves drawn before there are said to be no more, and 20 per split."""

Propose = Callable[[ImageSet, np.ndarray, np.ndarray, int, int], np.ndarray]
"""``propose(images, descriptors, labels, n, seed)``: rows to label next; ``labels`` (N,) are -1 where there is none,
and those of ``images`` are hidden. Never a row that has a label."""


@dataclass(frozen=True)
class Proposal:
    """A way to choose what to label.

    Attributes
    ----------
    propose : Propose
        The function.
    batch : int, optional
        Labels asked for at a time, the answers being given before the next; None for all at once.
    """

    propose: Propose
    batch: int | None = None


def coverage(images: ImageSet, descriptors: np.ndarray, labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Propose the image nearest to the middle of each of ``n`` k-means clusters of the descriptors."""
    standard = (descriptors - descriptors.mean(axis=0)) / np.maximum(descriptors.std(axis=0), 1e-6)
    clusters = KMeans(n, n_init=3, random_state=seed).fit(standard)
    distance = clusters.transform(standard)
    distance[labels != UNLABELLED] = np.inf
    chosen: list[int] = []
    for cluster in range(n):
        nearest = int(distance[:, cluster].argmin())
        distance[nearest] = np.inf  # two clusters never share one
        chosen.append(nearest)
    return np.array(chosen)


def at_random(images: ImageSet, descriptors: np.ndarray, labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Propose any images."""
    return np.random.default_rng(seed).choice(np.flatnonzero(labels == UNLABELLED), n, replace=False)


PROPOSALS = {"coverage": Proposal(coverage), "random": Proposal(at_random)}


def training_groups(images: ImageSet, n_splits: int) -> list[np.ndarray]:
    """Return the micrographs to learn from, for each split: half of each class's, no split twice.

    Of an odd number, the half is rounded up or down at random.
    """
    groups_of = [np.unique(images.groups[images.labels == label]) for label in range(images.n_classes)]
    drawn: list[tuple[int, ...]] = []
    for trial in range(TRIALS + 20 * n_splits):
        rng = np.random.default_rng([trial, len(PROTOCOLS)])
        halves = [rng.permutation(own)[: len(own) // 2 + (len(own) % 2) * rng.integers(2)] for own in groups_of]
        half = tuple(sorted(int(group) for group in np.concatenate(halves)))
        if half not in drawn:
            drawn.append(half)
        if len(drawn) == n_splits:
            return [np.array(one) for one in drawn]
    raise SystemExit(f"There are only {len(drawn)} ways to halve these micrographs; ask for at most as many --splits.")


def by_micrograph(images: ImageSet, training: np.ndarray, per_class: int, draw: int, *, library: bool) -> Split:
    """Return the parts of ``transfer`` or ``library``: labels from these micrographs, the others are judged."""
    inside = np.isin(images.groups, training)
    rng = np.random.default_rng([draw, *training])
    members = [np.flatnonzero(inside & (images.labels == label)) for label in range(images.n_classes)]
    labelled = np.sort(np.concatenate([rng.permutation(own)[:per_class] for own in members]))
    seen = np.arange(len(images)) if library else np.flatnonzero(inside)
    return _parts(images, labelled, np.setdiff1d(seen, labelled), np.flatnonzero(~inside))


def by_clicks(images: ImageSet, descriptors: np.ndarray, n_labels: int, seed: int, proposal: Proposal) -> Split:
    """Return the parts of ``clicks``: ``n_labels`` that the proposal asks for, all others judged and unlabelled."""
    blind, labels = images.without_labels(), np.full(len(images), UNLABELLED)
    while (known := int((labels != UNLABELLED).sum())) < n_labels:
        n = min(proposal.batch or n_labels, n_labels - known)
        rows = proposal.propose(blind, descriptors, labels, n, seed)
        if len(rows) != n or len(np.unique(rows)) != n or (labels[rows] != UNLABELLED).any():
            raise SystemExit(f"The proposal must name {n} different images without a label, but did not; correct it.")
        labels[rows] = images.labels[rows]
    rest = np.flatnonzero(labels == UNLABELLED)
    return _parts(images, np.flatnonzero(labels != UNLABELLED), rest, rest)


def _parts(images: ImageSet, labelled: np.ndarray, unlabelled: np.ndarray, judged: np.ndarray) -> Split:
    return Split(
        labelled=images.take(labelled),
        unlabelled=images.take(unlabelled).without_labels(),
        validation=images.take(judged),
        hidden_labels=images.labels[unlabelled],
    )


def known_classes(data: Split) -> tuple[Split, np.ndarray]:
    """Return the split with the labelled classes alone, numbered from 0, and their old numbers.

    Clicks may miss a class; a method cannot learn it, and all its particles count as wrong.
    """
    present = np.unique(data.labelled.labels)
    names = tuple(data.labelled.class_names[label] for label in present)
    labelled = replace(data.labelled, labels=np.searchsorted(present, data.labelled.labels), class_names=names)
    unlabelled = replace(data.unlabelled, class_names=names)
    hidden = np.full_like(data.hidden_labels, UNLABELLED)
    for new, old in enumerate(present):
        hidden[data.hidden_labels == old] = new
    # A method is never given the judged labels; it could not look at them by mistake.
    validation = replace(data.validation, class_names=names).without_labels()
    return Split(labelled, unlabelled, validation, hidden), present
