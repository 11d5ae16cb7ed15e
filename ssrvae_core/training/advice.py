"""What a training has of a second opinion: teacher of unlabelled images, and partner whose weight left-out labels say.

Ring spectra and shape descriptors of the training images are measured once. A head on them says what class each
unlabelled image is likely to be of, and the network learns from both. Every short start leaves some labels out, so that
in the end each was left out once, by network and head alike: they say how far the one and the other can be believed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
"""Unlabelled images that are measured at most: a millisecond each, and more of them do not move the head."""

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
    told : float tensor (U, K), optional
        What the head says of each unlabelled image: log-probabilities of the classes, zeros where it says nothing.
    """

    fold: int | None = None
    kept: Tensor | None = None
    told: Tensor | None = None


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
        self.n_classes = data.labelled.n_classes
        self._labelled, self._unlabelled = data.labelled, data.unlabelled
        self._measured = np.sort(rng.permutation(len(data.unlabelled))[:MOST_MEASURED])
        of_labelled, of_unlabelled = data.labelled.groups, data.unlabelled.groups
        self._groups: np.ndarray | None = None
        if of_labelled is not None and of_unlabelled is not None:
            groups = np.concatenate([of_labelled, of_unlabelled[self._measured]])
            self._groups = groups if len(np.unique(groups)) > 1 else None
        self.by_group = self._groups is not None
        self.folds = folds(data.labelled.labels, of_labelled if self.by_group else None, n_folds, rng)
        self._opinion: SecondOpinion | None = None
        self._features = np.zeros((0, 0))

    def take(self, pause: Callable[[], None]) -> None:
        """Measure the training images, unless it is done; ``pause`` is called now and then."""
        if self._opinion is not None:
            return
        seen = [self._labelled, self._unlabelled.take(self._measured)]
        parts = [
            part.take(np.arange(first, min(first + PART, len(part))))
            for part in seen
            for first in range(0, len(part), PART)
        ]
        found = []
        for part in parts:
            pause()
            found.append(measure(part.images, part.masks))
        opinion = SecondOpinion(self.n_classes)
        self._features = opinion.scale({kind: np.concatenate([one[kind] for one in found]) for kind in MEASURED})
        self._opinion = opinion

    def course(self, fold: int | None, device: torch.device) -> Course:
        """Return what an epoch learns from that leaves a fold of labels out, or none.

        What was not measured is told nothing of.
        """
        told = torch.zeros(len(self._unlabelled), self.n_classes)
        told[self._measured] = self._fitted(fold).told(self._features[len(self._labelled) :])
        return Course(fold, torch.from_numpy(self._kept(fold)).to(device), told.to(device))

    def examine(self, model: SSVAE, fold: int) -> LeftOut:
        """Return what a network that did not know the labels of a fold says of its images, and what the head does."""
        rows = np.flatnonzero(self.folds == fold)
        parts = torch.from_numpy(self._labelled.images[rows]).split(PART) if len(rows) else ()
        said = [model.encode(part, alone=True).class_prob.cpu() for part in parts]
        network = torch.cat([*said, torch.zeros(0, self.n_classes)]).clamp(min=LEAST).log().log_softmax(dim=-1)
        measurements = self._fitted(fold).told(self._features[rows])
        return LeftOut(torch.from_numpy(self._labelled.labels[rows]), network, measurements)

    def join(self, model: SSVAE, left_out: list[LeftOut]) -> None:
        """Give the model heads that know all labels, and let network and heads count as left-out labels say."""
        assert model.opinion is not None, "the configuration has a second opinion"
        model.opinion.load_state_dict(self._fitted(None).state_dict())
        model.opinion.join(decide(left_out, by_group=self.by_group))

    def _kept(self, fold: int | None) -> Int[np.ndarray, " kept"]:
        return np.arange(len(self.folds)) if fold is None else np.flatnonzero(self.folds != fold)

    def _fitted(self, fold: int | None) -> SecondOpinion:
        """Return the heads, fitted without the labels of a fold."""
        assert self._opinion is not None, "take() comes first"
        labels, kept = np.full(len(self._features), UNLABELLED), self._kept(fold)
        labels[kept] = self._labelled.labels[kept]
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
        Micrographs. A class of which only one is labelled is never left out.
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
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        units = own if groups is None else groups[own]
        names = rng.permutation(np.unique(units))
        if len(names) > 1:
            for position, name in enumerate(names):
                found[own[units == name]] = position % n_folds
    return found


def decide(left_out: Sequence[LeftOut], *, by_group: bool) -> Judgement:
    """Say how much network and measurements count, by the labels that both did not know.

    Network alone, measurements alone or both, with the powers under which these labels are most probable; each class
    counts the same. The network was trained for a short start only, so it will be better than this says: it is believed
    unless one of the others is better by :data:`LEAST_GAIN`. Of several micrographs the measurements are, which know
    least of what is particular to one of them; as few were left out, the others have to be better by a standard error
    as well. Where no label could be left out, both count, or, of several micrographs, the measurements.

    Parameters
    ----------
    left_out : sequence of LeftOut
        What network and measurements said.
    by_group : bool
        Whether whole micrographs were left out.
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
    best: dict[str, tuple[float, tuple[float, float], np.ndarray]] = {}
    for kind, candidates in CANDIDATES.items():
        for powers in candidates:
            said = powers[0] * network + powers[1] * measurements
            each = said.log_softmax(dim=-1)[rows].double().numpy()
            score = float(weights @ each)
            if kind not in best or score > best[kind][0]:
                best[kind] = score, powers, each
    chosen, believed = max(best.values(), key=lambda found: found[0]), best["measurements" if by_group else "network"]
    gain = chosen[2] - believed[2]
    error = float(np.sqrt(weights**2 @ (gain - weights @ gain) ** 2)) if by_group else 0.0
    if chosen[0] - believed[0] <= max(error, LEAST_GAIN / len(labels)):
        chosen = believed
    alone, measured, both = (best[kind][0] for kind in CANDIDATES)
    return Judgement(*chosen[1], (alone, measured, both), len(labels))
