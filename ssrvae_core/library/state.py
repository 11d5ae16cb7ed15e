"""The state of a library: which classes there are and which particle is in which, from the entries of its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int, Int8

from ssrvae_core.config import UserError
from ssrvae_core.library.base import NONE as NONE
from ssrvae_core.library.base import Base as Base
from ssrvae_core.library.base import beyond
from ssrvae_core.library.entries import (
    NONE_OF_THESE,
    Change,
)


class Origin(IntEnum):
    """Who says which class a particle is in."""

    MODEL = 0
    LABEL = 1
    """The label that the run was given: of its training, or of its validation images."""
    OUTLIER = 2
    """Its outlier score lies beyond the threshold."""
    HAND = 3
    """A person, in this library; who confirms the label that is there changes nothing."""


@dataclass(frozen=True)
class Decision:
    """What a person decided of a particle: the class, -1 for none of these, and who and when (Unix time)."""

    number: int
    who: str
    time: float


@dataclass(frozen=True)
class Library:
    """Classes, and the particles in them.

    Attributes
    ----------
    base : Base
        What the run says.
    names : mapping of int to str
        Name of every class, in the order of their ids, which never change; those merged into others are not there.
    merged : mapping of int to int
        Class that each class was merged into.
    decisions : mapping of int to Decision
        What was decided by hand, by sample id.
    threshold : float, optional
        Outlier score beyond which a particle without label or decision belongs to none of these.
    n_entries : int
        Entries of the journal that were read.
    undoable, redoable : Entry, optional
        What the next undo takes back, and what the next redo brings again.
    next_class : int
        Id of the class that the next split makes; no id is given twice.
    former : mapping of int to str
        Last name of every class that is not there any more: merged into another, or made by a split that was undone.
    """

    base: Base
    names: Mapping[int, str]
    merged: Mapping[int, int] = field(default_factory=dict)
    decisions: Mapping[int, Decision] = field(default_factory=dict)
    threshold: float | None = None
    n_entries: int = 0
    undoable: tuple[int, Change] | None = None
    redoable: tuple[int, Change] | None = None
    next_class: int = 0
    former: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def assigned(self) -> Int[np.ndarray, " n"]:
        """Class of each particle, int64 (N,), -1 for none of these."""
        return self._assignment[0]

    @cached_property
    def origin(self) -> Int8[np.ndarray, " n"]:
        """Who says so, int8 (N,) of :class:`Origin`."""
        return self._assignment[1]

    @cached_property
    def known(self) -> Int[np.ndarray, " n"]:
        """Class of each particle that a person knows, by label or by hand; -1 of all others.

        What was decided to be none of these is -1, too.
        """
        by_person = np.isin(self.origin, (Origin.LABEL, Origin.HAND))
        return np.where(by_person, self.assigned, NONE)

    @cached_property
    def uncorrected(self) -> Bool[np.ndarray, " n"]:
        """Which particles of a class have a label from before any correction by hand, bool (N,).

        These may judge a classification: people correct what is wrong, so what they corrected is not a fair sample.
        """
        return (self.origin == Origin.LABEL) & (self.assigned != NONE) & ~self.base.corrected

    @property
    def counts(self) -> dict[int, int]:
        """Particles in each class, and in none of these under -1."""
        return {number: int((self.assigned == number).sum()) for number in (*self.names, NONE)}

    @property
    def all_names(self) -> dict[int, str]:
        """Names of all classes that there ever were, as changes of the past tell of them."""
        return dict(sorted({**self.former, **self.names}.items()))

    def members(self, number: int) -> Int[np.ndarray, " members"]:
        """Return the ids of the particles in a class, or with -1 in none of these."""
        return self.base.ids[self.assigned == number]

    def current(self, numbers: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Return the classes that the run's own classes are now, after what was merged; -1 stays."""
        table = np.array([self._now(k) for k in range(self.next_class)] + [NONE], dtype=np.int64)
        return table[numbers]

    def class_called(self, name: str) -> int:
        """Return the id of the class with this name, or written in another case; -1 for "none of these".

        Raises
        ------
        UserError
            If there is no such class.
        """
        found = _called(self.names, name)
        if found is None:
            raise UserError(f"There is no class '{name}'; the classes are {', '.join(self.names.values())}.")
        return found

    def _now(self, number: int) -> int:
        while number in self.merged:
            number = self.merged[number]
        return number

    @cached_property
    def _assignment(self) -> tuple[np.ndarray, np.ndarray]:
        base = self.base
        assigned = np.array(base.predicted, dtype=np.int64)
        origin = np.full(len(assigned), Origin.MODEL, dtype=np.int8)
        if self.threshold is not None:
            outliers = beyond(base.outlier_score, self.threshold)
            assigned[outliers], origin[outliers] = NONE, Origin.OUTLIER
        labelled = base.labels != NONE
        assigned[labelled], origin[labelled] = base.labels[labelled], Origin.LABEL
        if self.decisions:
            rows = base.rows(list(self.decisions))
            decided = np.array([decision.number for decision in self.decisions.values()], dtype=np.int64)
            confirmed = labelled[rows] & (self.current(decided) == self.current(base.labels[rows]))
            assigned[rows] = decided
            origin[rows] = np.where(confirmed, Origin.LABEL, Origin.HAND)
        return self.current(assigned), origin


def _called(names: Mapping[int, str], name: str) -> int | None:
    exact = next((number for number, own in names.items() if own == name), None)
    if exact is None and name.casefold() == NONE_OF_THESE:
        return NONE
    alike = [number for number, own in names.items() if own.casefold() == name.casefold()]
    return exact if exact is not None else alike[0] if len(alike) == 1 else None
