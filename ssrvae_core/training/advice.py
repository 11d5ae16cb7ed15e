"""What a training has of a second opinion: teacher of unlabelled images, and partner whose weight left-out labels say.

Ring spectra and shape descriptors of the training images are measured once. A head on them says what class each
unlabelled image is likely to be of, and the network learns from both. Every short start leaves some labels out, so that
in the end each was left out once, by network and head alike: they say how far the one and the other can be believed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ssrvae_core.data import UNLABELLED, Split
from ssrvae_core.embedding.measuring import MEASURED, measure
from ssrvae_core.models import SSVAE
from ssrvae_core.models.opinion import LEAST, SecondOpinion
from ssrvae_core.records import Judgement
from ssrvae_core.training.starts import LeftOut

MOST_MEASURED = 2000
"""Images of either kind, labelled or not, that are measured at most: it takes a millisecond or two each."""

PART = 200
"""Images measured at a time."""

POWERS = (0.25, 0.5, 0.75, 1.0)

CANDIDATES = {
    "network": [(1.0, 0.0)],
    "measurements": [(0.0, power) for power in POWERS],
    "both": [(one, other) for one in POWERS for other in POWERS],
}
"""Powers of the network's and of the measurements' probabilities; the lower they are, the more even the product."""

LEAST_GAIN = 1.0
"""Nats, over all labels left out, that are worth a change of mind."""

NEVER = -1
"""Fold of a label that is never left out."""


@dataclass(frozen=True)
class Course:
    """What an epoch learns from.

    Attributes
    ----------
    fold : int, optional
        The labels that are left out.
    kept : int tensor (L,), optional
        Rows of the labelled images it learns from; all of them where None.
    opinion : float tensor (U, K), optional
        What the head says of each unlabelled image: log-probabilities of the classes, zeros where it says nothing.
    """

    fold: int | None = None
    kept: Tensor | None = None
    opinion: Tensor | None = None


class Advice:
    """The second opinion in training.

    Parameters
    ----------
    data : Split
        The run's data.
    n_folds : int
        Short starts, each of which leaves labels out; 1 leaves none out.
    seed : int
        Chooses which.
    """

    def __init__(self, data: Split, n_folds: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.n_classes, self.compared = data.labelled.n_classes, n_folds > 1
        labelled, unlabelled = data.labelled, data.unlabelled
        self._labelled, self._unlabelled = labelled, unlabelled
        self._own = np.sort(_evenly(labelled.labels, rng)[:MOST_MEASURED])
        self._others = np.sort(rng.permutation(len(unlabelled))[:MOST_MEASURED])
        self._groups: np.ndarray | None = None
        if labelled.groups is not None and unlabelled.groups is not None:
            groups = np.concatenate([labelled.groups[self._own], unlabelled.groups[self._others]])
            self._groups = groups if len(np.unique(groups)) > 1 else None
        self.by_group = self._groups is not None
        self._masks = all(part.masks is not None for part in (labelled, unlabelled))
        self.folds = np.full(len(labelled), NEVER)
        units = labelled.groups[self._own] if labelled.groups is not None and self.by_group else None
        self.folds[self._own] = folds(labelled.labels[self._own], units, n_folds, rng)
        self._opinion: SecondOpinion | None = None
        self._features = np.zeros((0, 0))

    def take(self, pause: Callable[[], None]) -> None:
        """Measure the training images, unless it is done; ``pause`` is called now and then."""
        if self._opinion is not None:
            return
        found = []
        for part, rows in ((self._labelled, self._own), (self._unlabelled, self._others)):
            for first in range(0, len(rows), PART):
                pause()
                some = rows[first : first + PART]
                masks = part.masks[some] if self._masks and part.masks is not None else None
                found.append(measure(part.images[some], masks))
        opinion = SecondOpinion(self.n_classes)
        self._features = opinion.scale({kind: np.concatenate([one[kind] for one in found]) for kind in MEASURED})
        opinion.on_masks.fill_(float(self._masks))
        self._opinion = opinion

    def course(self, fold: int | None, device: torch.device) -> Course:
        """Return what an epoch learns from that leaves a fold of labels out, or none.

        Of images that were not measured there is no opinion.
        """
        opinion = torch.zeros(len(self._unlabelled), self.n_classes)
        opinion[self._others] = self._fitted(fold).log_prob(self._features[len(self._own) :])
        kept = np.arange(len(self.folds)) if fold is None else np.flatnonzero(self.folds != fold)
        return Course(fold, torch.from_numpy(kept).to(device), opinion.to(device))

    def examine(self, model: SSVAE, fold: int) -> LeftOut:
        """Return what a network that did not know the labels of a fold says of its images, and what the head does."""
        rows = np.flatnonzero(self.folds == fold)
        parts = torch.from_numpy(self._labelled.images[rows]).split(PART) if len(rows) else ()
        encoded = [model.encode(part, alone=True).class_prob.cpu() for part in parts]
        network = torch.cat([*encoded, torch.zeros(0, self.n_classes)]).clamp(min=LEAST).log().log_softmax(dim=-1)
        measurements = self._fitted(fold).log_prob(self._features[np.searchsorted(self._own, rows)])
        return LeftOut(torch.from_numpy(self._labelled.labels[rows]), network, measurements)

    def join(self, model: SSVAE, left_out: list[LeftOut]) -> None:
        """Give the model heads that know all labels, and let network and heads count as left-out labels say."""
        assert model.opinion is not None, "the configuration has a second opinion"
        model.opinion.load_state_dict(self._fitted(None).state_dict())
        model.opinion.join(decide(left_out, by_group=self.by_group and self.compared))

    def _fitted(self, fold: int | None) -> SecondOpinion:
        """Return the heads, fitted without the labels of a fold."""
        assert self._opinion is not None, "take() comes first"
        labels = np.full(len(self._features), UNLABELLED)
        known = np.ones(len(self._own), dtype=bool) if fold is None else self.folds[self._own] != fold
        labels[: len(self._own)][known] = self._labelled.labels[self._own[known]]
        opinion = copy.deepcopy(self._opinion)
        opinion.fit(self._features, labels, self._groups)
        return opinion


def folds(
    labels: Int[np.ndarray, " n"], groups: Int[np.ndarray, " n"] | None, n_folds: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Return in which fold each label is left out; whole groups are, and the last of a class never.

    Parameters
    ----------
    labels : int array (N,)
        Classes.
    groups : int array (N,), optional
        Micrographs. One is left out with all its labels, and only where each of its classes is labelled elsewhere.
    n_folds : int
        How many there are; with 1 no label is left out.
    rng : Generator
        Deals the labels.

    Returns
    -------
    int array (N,)
        From 0 on, :data:`NEVER` for labels that are never left out.
    """
    found = np.full(len(labels), NEVER)
    if n_folds < 2:
        return found
    names, unit = np.unique(np.arange(len(labels)) if groups is None else groups, return_inverse=True)
    main = np.array([np.bincount(labels[unit == place]).argmax() for place in range(len(names))], dtype=int)
    shuffled = rng.permutation(len(names))
    dealt = shuffled[np.argsort(main[shuffled], kind="stable")]  # those of a class go to different folds
    fold_of = np.empty(len(names), dtype=int)
    fold_of[dealt] = np.arange(len(names)) % n_folds
    found = fold_of[unit]
    while True:
        bare = [
            (found == fold) & (labels == label)
            for fold in range(n_folds)
            for label in np.unique(labels)
            if not ((labels == label) & (found != fold)).any()
        ]
        if not bare:
            return found
        # One unit of a class that would be left without any stays.
        found[unit == unit[np.flatnonzero(bare[0])[0]]] = NEVER


def _evenly(labels: Int[np.ndarray, " n"], rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Return all rows in an order in which the classes take turns as long as they last."""
    shuffled = rng.permutation(len(labels))
    turn = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        own = np.flatnonzero(labels[shuffled] == label)
        turn[own] = np.arange(len(own))
    return shuffled[np.argsort(turn, kind="stable")]


def decide(left_out: Sequence[LeftOut], *, by_group: bool) -> Judgement:
    """Say how much network and measurements count, by the labels that both did not know.

    Network alone, measurements alone or both, with the powers under which these labels are most probable; each class
    counts the same. The network was trained for a short start only, so it will be better than this says, and it learns
    from unlabelled images how these are disordered, of which labels say little: of all that is as good as the best by
    less than :data:`LEAST_GAIN`, that is taken in which it counts most. Of several micrographs the measurements are
    believed, which know least of what is particular to one of them; as few were left out, the others have to be better
    by a standard error as well, and the power of measurements alone is 1, since they are fitted to be as sure as they
    may of new ones. Where no label could be left out, both count, or, of several micrographs, the measurements.

    Parameters
    ----------
    left_out : sequence of LeftOut
        What network and measurements said.
    by_group : bool
        Whether whole micrographs were left out, or would have been.

    Returns
    -------
    Judgement
        Who counts how much, and the scores.
    """
    labels = np.concatenate([one.labels.numpy() for one in left_out]) if left_out else np.zeros(0, dtype=int)
    if not len(labels):
        return Judgement(network=0.0 if by_group else 1.0, measurements=1.0)
    network, measurements = (
        torch.cat([getattr(one, name) for one in left_out]) for name in ("network", "measurements")
    )
    counts = np.bincount(labels)[labels]
    weights = 1 / counts / (1 / counts).sum()
    rows = torch.arange(len(labels)), torch.from_numpy(labels)
    said = {powers: powers[0] * network + powers[1] * measurements for powers in chain(*CANDIDATES.values())}
    each = {powers: one.log_softmax(dim=-1)[rows].double().numpy() for powers, one in said.items()}
    scores = {powers: float(weights @ one) for powers, one in each.items()}
    best = {kind: max(candidates, key=scores.__getitem__) for kind, candidates in CANDIDATES.items()}
    gain = LEAST_GAIN / len(labels)
    if by_group:
        chosen = best["measurements"]
        for powers in (best["network"], best["both"]):
            gains = each[powers] - each[chosen]
            error = float(np.sqrt(weights**2 @ (gains - weights @ gains) ** 2))
            if weights @ gains > max(error, gain):
                chosen = powers
        chosen = chosen if chosen[0] else (0.0, 1.0)
    else:
        good = [powers for powers, score in scores.items() if score >= max(scores.values()) - gain]
        chosen = max(good, key=lambda powers: (powers == best["network"], powers[0], scores[powers]))
    alone, measured, both = (scores[best[kind]] for kind in CANDIDATES)
    return Judgement(*chosen, (alone, measured, both), len(labels))
