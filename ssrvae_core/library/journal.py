"""The journal of a library on disk: ``journal.jsonl`` in the run's directory, which only grows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.library.base import NONE, Base, sample_ids
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
    checked_who,
    parse,
)
from ssrvae_core.library.replaying import NOTHING_TO_REDO, NOTHING_TO_UNDO, replay
from ssrvae_core.library.state import Library
from ssrvae_core.records import Particles
from ssrvae_core.runs.files import append_line, drop_torn_line, locked, writing
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.store import Run

JOURNAL = "journal.jsonl"
LOCK = "journal.lock"

Ids = Sequence[int] | np.ndarray


class Journal:
    """What people do in the library of a run: a line per change, replayed when it is opened.

    Two browsers may write at once: each change is made on what all others have written before, under a lock, and is on
    disk before the method returns. A line that a crash cut short is passed over. Every method that changes something
    returns the library after it, and raises a UserError where it does not fit, where the store cannot be written or
    where this is a viewer; nothing is written then.

    Parameters
    ----------
    run : Run
        Finished.
    particles : Particles, optional
        What the run says of all its images; by default they are read.

    Raises
    ------
    UserError
        If the run has no particles yet.
    """

    def __init__(self, run: Run, particles: Particles | None = None) -> None:
        particles = run.particles() if particles is None else particles
        if particles is None:
            raise UserError(
                f"Run {run.id} has not said yet what every particle is; have it classify all its images first, with"
                f" 'predict {run.id} --all' or on the Train page."
            )
        self.path, self.base = run.path / JOURNAL, _base(run, particles)
        self._entries: list[Entry] = []
        self._read = 0  # bytes of the file that the entries are from
        self._last = b""  # the last line of them

    def entries(self) -> list[Entry]:
        """Return every entry there is, the oldest first.

        Raises
        ------
        UserError
            If the journal cannot be read.
        """
        self._catch_up()
        return list(self._entries)

    def read(self) -> Library:
        """Return the library as it is now."""
        return self._replayed(self.entries())

    def at(self, n_entries: int) -> Library:
        """Return the library as it was after so many entries."""
        return self._replayed(self.entries()[:n_entries])

    def move(self, particles: Ids, to: int, *, who: str) -> Library:
        """Put particles into a class, or with -1 into none of these; also where they are there already."""

        def change(library: Library, **written: Any) -> Entry:
            ids, before = _before(library, particles)
            if to != NONE:
                _check_class(library, to)
            return Move(particles=ids, before=before, to=None if to == NONE else int(to), **written)

        return self._write(who, change)

    def split(self, particles: Ids, name: str, *, who: str) -> Library:
        """Make a new class of particles, whichever classes they are in."""

        def change(library: Library, **written: Any) -> Entry:
            ids, before = _before(library, particles)
            name_kept = checked_name(name)
            return Divide(particles=ids, before=before, number=library.next_class, to=name_kept, **written)

        return self._write(who, change)

    def rename(self, number: int, name: str, *, who: str) -> Library:
        """Give a class another name."""

        def change(library: Library, **written: Any) -> Entry:
            _check_class(library, number)
            return Rename(number=int(number), before=library.names.get(number, ""), to=checked_name(name), **written)

        return self._write(who, change)

    def merge(self, numbers: Sequence[int], into: int, *, who: str) -> Library:
        """Put whole classes into another one, whose name stays."""

        def change(library: Library, **written: Any) -> Entry:
            if not numbers:
                raise UserError("No class is named that is to be merged; choose one or more.")
            for number in (*numbers, into):
                _check_class(library, number)
            return Merge(numbers=tuple(map(int, numbers)), to=int(into), **written)

        return self._write(who, change)

    def set_threshold(self, value: float | None, *, who: str) -> Library:
        """Say from which outlier score on particles belong to none of these; None: from no score on."""

        def change(library: Library, **written: Any) -> Entry:
            if value is not None and not abs(value) <= sys.float_info.max:
                raise UserError(f"The threshold {value} is not a finite number; give an outlier score, such as 3.5.")
            return Threshold(before=library.threshold, to=None if value is None else float(value), **written)

        return self._write(who, change)

    def undo(self, *, who: str) -> Library:
        """Take the last change back, whoever made it."""

        def change(library: Library, **written: Any) -> Entry:
            if library.undoable is None:
                raise UserError(NOTHING_TO_UNDO)
            return Undo(entry=library.undoable[0], **written)

        return self._write(who, change)

    def redo(self, *, who: str) -> Library:
        """Make the change that was undone last again."""

        def change(library: Library, **written: Any) -> Entry:
            if library.redoable is None:
                raise UserError(NOTHING_TO_REDO)
            return Redo(entry=library.redoable[0], **written)

        return self._write(who, change)

    def _write(self, who: str, change: Callable[..., Entry]) -> Library:
        require_editor()
        name = checked_who(who)
        if not self.path.parent.is_dir():
            raise UserError(f"Run {self.base.run} is not in the store any more; choose another run.")
        with writing(f"The journal {self.path}"), locked(self.path.with_name(LOCK), wait=True):
            known = self.entries()
            entry = change(self._replayed(known), time=time.time(), who=name, run=self.base.run)
            library = replay([*known, entry], self.base, new=1)
            drop_torn_line(self.path)
            append_line(self.path, entry.line())
        return library

    def _replayed(self, entries: list[Entry]) -> Library:
        try:
            return replay(entries, self.base)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from error

    def _catch_up(self) -> None:
        """Read what was written since the last time."""
        try:
            if not self.path.exists():
                new = b""
                self._forget()
            else:
                with self.path.open("rb") as file:
                    file.seek(self._read - len(self._last))
                    if file.read(len(self._last)) != self._last:  # another file has its place
                        self._forget()
                        file.seek(0)
                    new = file.read()
        except OSError as error:
            raise UserError(f"{self.path} cannot be read ({error.strerror}); check its permissions.") from error
        whole = new[: new.rfind(b"\n") + 1]
        lines = whole.splitlines(keepends=True)
        for line in lines:
            try:
                self._entries.append(parse(line.decode("ascii")))
            except ValueError as error:
                number = len(self._entries) + 1
                self._forget()
                raise UserError(
                    f"Line {number} of {self.path} cannot be read: {error}; repair the line, or move the file away to"
                    " begin a new journal."
                ) from error
        self._read += len(whole)
        self._last = lines[-1] if lines else self._last

    def _forget(self) -> None:
        """Have the next reading begin at the file's beginning."""
        self._entries, self._read, self._last = [], 0, b""


def _check_class(library: Library, number: int) -> None:
    """Refuse what is not a class and never was; of those that were merged away the replay says where they are."""
    if number == NONE:
        raise UserError("None of these is not a class, so it cannot be renamed or merged; move its particles instead.")
    if number < 0 or number >= library.next_class:
        raise UserError(f"There is no class {number}; the classes are {', '.join(library.names.values())}.")


def _before(library: Library, particles: Ids) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
    """Return ids, each once, and the classes they are in."""
    ids = list(dict.fromkeys(sample_ids(particles).tolist()))
    if not ids:
        raise UserError("No particle is selected; select one or more first.")
    now = library.assigned[library.base.rows(ids)].tolist()
    return tuple(ids), tuple(None if number == NONE else number for number in now)


def in_words(change: Change, names: dict[int, str] | None = None) -> str:
    """Return what a change did, for a button or a list of changes.

    Parameters
    ----------
    change : Change
        An entry that is neither an undo nor a redo.
    names : dict, optional
        Names of the classes by id; by default they are called by their ids.
    """

    def name(number: int | None) -> str:
        return "none of these" if number is None else (names or {}).get(number, f"class {number}")

    match change:
        case Move():
            return f"{_particles(change.particles)} to {name(change.to)}"
        case Divide():
            return f"{_particles(change.particles)} to a new class {change.to}"
        case Rename():
            return f"{change.before} renamed to {change.to}"
        case Merge():
            return f"{' and '.join(map(name, change.numbers))} merged into {name(change.to)}"
        case Threshold():
            return "no outlier threshold" if change.to is None else f"outlier threshold {change.to:g}"


def _particles(ids: Sequence[int]) -> str:
    return "1 particle" if len(ids) == 1 else f"{len(ids):,} particles"


def _base(run: Run, particles: Particles) -> Base:
    from ssrvae_core.library.training import corrected_before, moved_before

    return Base.of(run.id, run.class_names, particles, corrected_before(run), moved_before(run))
