"""The state of a library: which classes there are and which particle is in which, from the entries of its journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from jaxtyping import Int, Int8

from ssrvae_core.config import UserError
from ssrvae_core.library.base import NONE as NONE
from ssrvae_core.library.base import Base as Base
from ssrvae_core.library.entries import (
    NONE_OF_THESE,
    Change,
    Divide,
    Entry,
    Merge,
    Move,
    Redo,
    Rename,
    Threshold,
    Undo,
    checked_name,
)


class Origin(IntEnum):
    """Who says which class a particle is in."""

    MODEL = 0
    LABEL = 1
    """The label that the run was given: of its training, or of its validation images."""
    OUTLIER = 2
    """Its outlier score lies beyond the threshold."""
    HAND = 3
    """A person, in this library."""


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

    @property
    def counts(self) -> dict[int, int]:
        """Particles in each class, and in none of these under -1."""
        return {number: int((self.assigned == number).sum()) for number in (*self.names, NONE)}

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
            beyond = base.outlier_score > self.threshold  # not where it is NaN
            assigned[beyond], origin[beyond] = NONE, Origin.OUTLIER
        labelled = base.labels != NONE
        assigned[labelled], origin[labelled] = base.labels[labelled], Origin.LABEL
        if self.decisions:
            rows = base.rows(list(self.decisions))
            assigned[rows] = [decision.number for decision in self.decisions.values()]
            origin[rows] = Origin.HAND
        return self.current(assigned), origin


def _called(names: Mapping[int, str], name: str) -> int | None:
    if name.casefold() == NONE_OF_THESE:
        return NONE
    exact = next((number for number, own in names.items() if own == name), None)
    alike = [number for number, own in names.items() if own.casefold() == name.casefold()]
    return exact if exact is not None else alike[0] if len(alike) == 1 else None


def replay(entries: Sequence[Entry], base: Base) -> Library:
    """Return the library that the entries of a journal make.

    Every change is applied to the state that it was written on: what was undone does not count.

    Parameters
    ----------
    entries : sequence of Entry
        In the order of the journal.
    base : Base
        What the run says.

    Raises
    ------
    UserError
        If an entry is of another run, or names a particle or a class that is not there; the sentence tells which.
    """
    state, given = _State(base), 0
    for position, entry in enumerate(entries):
        with _about(position):
            if entry.run != base.run:
                raise UserError(
                    f"It is of run {entry.run}, but this is run {base.run}; move the journal back to the run it is of."
                )
            given += isinstance(entry, Divide)
            state.take(position, entry)
    for position, change in state.done:
        with _about(position):
            state.apply(change)
    return Library(
        base=base,
        names=dict(sorted(state.names.items())),
        merged=state.merged,
        decisions=state.decisions,
        threshold=state.threshold,
        n_entries=len(entries),
        undoable=state.done[-1] if state.done else None,
        redoable=state.undone[-1] if state.undone else None,
        next_class=len(base.class_names) + given,
    )


@contextmanager
def _about(position: int) -> Iterator[None]:
    """Have complaints about an entry tell its line."""
    try:
        yield
    except UserError as error:
        sentence = str(error)
        raise UserError(
            f"Line {position + 1} of the journal does not fit: {sentence[:1].lower()}{sentence[1:]}"
        ) from error


class _State:
    """A library while it is made."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.names = dict(enumerate(base.class_names))
        self.merged: dict[int, int] = {}
        self.decisions: dict[int, Decision] = {}
        self.threshold: float | None = None
        self.done: list[tuple[int, Change]] = []
        self.undone: list[tuple[int, Change]] = []

    def take(self, position: int, entry: Entry) -> None:
        """Put a change on those that count, or take the last one back."""
        if isinstance(entry, Undo):
            if not self.done:
                raise UserError("There is nothing to undo; the library is as the run made it.")
            self.undone.append(self.done.pop())
        elif isinstance(entry, Redo):
            if not self.undone:
                raise UserError("There is nothing to do again; nothing was undone since the last change.")
            self.done.append(self.undone.pop())
        else:
            self.done.append((position, entry))
            self.undone.clear()

    def apply(self, change: Change) -> None:
        """Change the state."""
        match change:
            case Move():
                if change.to is not None:
                    self._check_class(change.to)
                self._decide(change.particles, NONE if change.to is None else change.to, change)
            case Divide():
                if change.number in self.names or change.number in self.merged:
                    raise UserError(f"The new class has the number {change.number}, which another class has already.")
                self._name(change.number, change.to)
                self._decide(change.particles, change.number, change)
            case Rename():
                self._check_class(change.number)
                self._name(change.number, change.to)
            case Merge():
                self._merge(change.numbers, change.to)
            case Threshold():
                self.threshold = change.to

    def _decide(self, particles: Iterable[int], number: int, change: Move | Divide) -> None:
        self.base.rows(change.particles)  # refuses those that are not there
        self.decisions |= dict.fromkeys(particles, Decision(number, change.who, change.time))

    def _name(self, number: int, name: str) -> None:
        kept = checked_name(name)
        others = {other.casefold() for own, other in self.names.items() if own != number}
        if kept.casefold() in others:
            raise UserError(f"There is a class '{kept}' already; choose another name, or merge the two classes.")
        self.names[number] = kept

    def _merge(self, numbers: Sequence[int], into: int) -> None:
        for number in (into, *numbers):
            self._check_class(number)
        if into in numbers:
            raise UserError(f"The class '{self.names[into]}' cannot be merged into itself; choose another class.")
        if len(set(numbers)) < len(numbers):
            raise UserError("A class is to be merged twice; name each class once.")
        for number in numbers:
            self.merged[number] = into
            del self.names[number]

    def _check_class(self, number: int) -> None:
        if number in self.merged:
            raise UserError(
                f"Class {number} is not there any more: it was merged into class {self.merged[number]}; choose another"
                " one, or undo the merging first."
            )
        if number not in self.names:
            known = ", ".join(f"{own} ({name})" for own, name in self.names.items())
            raise UserError(f"There is no class {number}; the classes are {known}.")
