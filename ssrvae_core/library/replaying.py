"""From the entries of a journal to the state of the library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ssrvae_core.config import UserError
from ssrvae_core.library.base import NONE, Base
from ssrvae_core.library.entries import (
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
from ssrvae_core.library.state import Decision, Library

NOTHING_TO_UNDO = "There is nothing to undo; the library is as the run made it."
NOTHING_TO_REDO = "There is nothing to do again; nothing was undone since the last change."


def replay(entries: Sequence[Entry], base: Base, *, new: int = 0) -> Library:
    """Return the library that the entries of a journal make.

    Every change is applied to the state that it was written on: what was undone does not count.

    Parameters
    ----------
    entries : sequence of Entry
        In the order of the journal.
    base : Base
        What the run says.
    new : int
        How many of the last entries are being made now, whose faults are told without a line of the journal.

    Raises
    ------
    UserError
        If an entry is of another run, or names a particle, a class or an entry that is not there; the sentence tells
        which.
    """
    state = _State(base)
    split: dict[int, str] = {}
    for position, entry in enumerate(entries):
        with _about(position if position < len(entries) - new else None):
            if entry.run != base.run:
                raise UserError(
                    f"It is of run {entry.run}, but this is run {base.run}; move the journal back to the run it is of."
                )
            if isinstance(entry, Divide):
                if entry.number != len(base.class_names) + len(split):
                    raise UserError(
                        f"The new class has the number {entry.number}, but the next one is"
                        f" {len(base.class_names) + len(split)}; restore the line as it was written."
                    )
                split[entry.number] = entry.to
            state.take(position, entry)
    for position, change in state.done:
        with _about(position if position < len(entries) - new else None):
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
        next_class=len(base.class_names) + len(split),
        former={number: name for number, name in (split | state.former).items() if number not in state.names},
    )


@contextmanager
def _about(position: int | None) -> Iterator[None]:
    """Have complaints about an entry tell its line, where it has one."""
    try:
        yield
    except UserError as error:
        if position is None:
            raise
        sentence = str(error)
        raise UserError(
            f"Line {position + 1} of the journal does not fit: {sentence[:1].lower()}{sentence[1:]}"
        ) from error


def _check_last(named: int, changes: Sequence[tuple[int, Change]]) -> None:
    """Refuse an undo or redo that names another entry than the last one."""
    last, _ = changes[-1]
    if named != last:
        raise UserError(
            f"It is about line {named + 1}, but the last change before it is on line {last + 1}; restore the line as it"
            " was written."
        )


class _State:
    """A library while it is made."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.names = dict(enumerate(base.class_names))
        self.merged: dict[int, int] = {}
        self.former: dict[int, str] = {}
        self.decisions: dict[int, Decision] = {}
        self.threshold: float | None = None
        self.done: list[tuple[int, Change]] = []
        self.undone: list[tuple[int, Change]] = []

    def take(self, position: int, entry: Entry) -> None:
        """Put a change on those that count, or take the last one back."""
        if isinstance(entry, Undo):
            if not self.done:
                raise UserError(NOTHING_TO_UNDO)
            _check_last(entry.entry, self.done)
            self.undone.append(self.done.pop())
        elif isinstance(entry, Redo):
            if not self.undone:
                raise UserError(NOTHING_TO_REDO)
            _check_last(entry.entry, self.undone)
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
            self.former[number] = self.names.pop(number)

    def _check_class(self, number: int) -> None:
        if number in self.merged:
            raise UserError(
                f"Class {number} is not there any more: it was merged into class {self.merged[number]}; choose another"
                " one, or undo the merging first."
            )
        if number not in self.names:
            known = ", ".join(f"{own} ({name})" for own, name in self.names.items())
            raise UserError(f"There is no class {number}; the classes are {known}.")
