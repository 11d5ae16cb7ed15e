"""The short starts of a training, of which one goes on: what was found of them so far, and an epoch half done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ssrvae_core.records import Epoch, Snapshot


@dataclass
class Within:
    """An epoch that is not at its end: the steps done, what they summed to, and the random state after them.

    Attributes
    ----------
    sums : Tensor
        Sum over the steps of each term of the loss.
    step, n_images : int
        Steps done, and the images they took.
    seconds : float
        Wall time they took.
    random : list of Tensor, optional
        See :func:`ssrvae_core.training.device.random_state`; None at the beginning.
    """

    sums: Tensor
    step: int = 0
    n_images: int = 0
    seconds: float = 0.0
    random: list[Tensor] | None = None


@dataclass(frozen=True)
class LeftOut:
    """What was said of labelled images by a network and by a head that did not know their labels.

    Attributes
    ----------
    labels : int tensor (L,)
        Their labels.
    network, measurements : float tensor (L, K)
        Log-probabilities of the classes.
    """

    labels: Tensor
    network: Tensor
    measurements: Tensor


@dataclass
class Starts:
    """What is known of the short starts.

    Attributes
    ----------
    start : int
        The one under way, from 0; as many as there are, once all are done.
    records : list of Epoch
        Its epochs so far.
    spent : float
        Seconds that all starts took.
    best : tuple, optional
        Share of unlabelled images that the best start is sure of and its consistency, its trainer's state, and its
        records.
    failure : str, optional
        The sentence of a start that diverged.
    left_out : list of LeftOut
        What each start said of the labels it did not learn from, where there is a second opinion.
    """

    start: int = 0
    records: list[Epoch] = field(default_factory=list)
    spent: float = 0.0
    best: tuple[tuple[float, float], dict[str, Any], list[Epoch]] | None = None
    failure: str | None = None
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, record: Epoch) -> None:
        """Take in an epoch of the start under way."""
        self.records.append(record)
        self.spent += record.seconds

    def judge(self, state: dict[str, Any]) -> None:
        """Compare the start, which is at its end in this state, with the best one, and go to the next."""
        sure = self.records[-1].confident, -self.records[-1].consistency
        if self.best is None or sure > self.best[0]:
            self.best = sure, state, self.records
        self._next()

    def fail(self, sentence: str) -> None:
        """Leave the start out, and go to the next."""
        self.failure = sentence
        self._next()

    def _next(self) -> None:
        self.start, self.records = self.start + 1, []

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as tensors and plain values (``torch.load(weights_only=True)`` reads it)."""
        best = None if self.best is None else (list(self.best[0]), self.best[1], _plain(self.best[2]))
        return {
            "start": self.start,
            "records": _plain(self.records),
            "spent": self.spent,
            "best": best,
            "failure": self.failure,
            "left_out": [vars(one) for one in self.left_out],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Starts:
        """Return what :meth:`state_dict` was taken from."""
        best = None
        if state["best"] is not None:
            (confident, consistency), trainer, records = state["best"]
            best = (confident, consistency), trainer, _records(records)
        left_out = [LeftOut(**one) for one in state.get("left_out", [])]  # not in checkpoints of earlier versions
        return cls(state["start"], _records(state["records"]), state["spent"], best, state["failure"], left_out)


def _plain(records: list[Epoch]) -> list[dict[str, Any]]:
    """Return records as plain values, their snapshots as tensors."""
    return [vars(record) | {"snapshot": _tensors(record.snapshot)} for record in records]


def _tensors(snapshot: Snapshot | None) -> dict[str, Tensor] | None:
    return None if snapshot is None else {name: torch.from_numpy(array) for name, array in vars(snapshot).items()}


def _records(plain: list[dict[str, Any]]) -> list[Epoch]:
    records = [Epoch(**values) for values in plain]
    return [replace(record, snapshot=_arrays(record.snapshot)) for record in records]


def _arrays(tensors: Any) -> Snapshot | None:
    return tensors and Snapshot(**{name: tensor.numpy() for name, tensor in tensors.items()})
