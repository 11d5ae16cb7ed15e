"""What a browser asks to be changed in a library, done in its journal: each change once, and only what can be meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssrvae_core.config import UserError
from ssrvae_core.library import Journal, Library
from ui.explorer.told import ids_of, whole

KINDS = ("move", "split", "rename", "merge", "threshold", "undo", "redo")


def do(journal: Journal, action: Mapping[str, Any]) -> Library:
    """Make one change; return the library after it.

    Parameters
    ----------
    journal : Journal
        Of the run.
    action : mapping
        ``kind``, one of :data:`KINDS`, and ``who``; of "move" ``ids`` as ranges and ``to``, of "split" ``ids`` and
        ``name``, of "rename" ``number`` and ``name``, of "merge" ``numbers`` and ``into``, of "threshold" ``value`` or
        None, of "undo" and "redo" the ``entry`` that is taken back or made again.

    Raises
    ------
    UserError
        If nothing can be meant by it, it does not fit the library as it is now, or it cannot be written.
    """
    match {name: value for name, value in action.items() if not isinstance(value, bool)}:  # True is an int, too
        case {"kind": "move", "who": str(who), "ids": str(ids), "to": int(to)}:
            return journal.move(ids_of(ids, journal.base.ids), to, who=who)
        case {"kind": "split", "who": str(who), "ids": str(ids), "name": str(name)}:
            return journal.split(ids_of(ids, journal.base.ids), name, who=who)
        case {"kind": "rename", "who": str(who), "number": int(number), "name": str(name)}:
            return journal.rename(number, name, who=who)
        case {"kind": "merge", "who": str(who), "numbers": list(numbers), "into": int(into)}:
            return journal.merge(_numbers(numbers), into, who=who)
        case {"kind": "threshold", "who": str(who), "value": None | int() | float() as value}:
            return journal.set_threshold(value, who=who)
        case {"kind": "undo" | "redo" as kind, "who": str(who), "entry": int(entry)}:
            return _back(journal, kind, entry, who)
    raise UserError("What the browser asked for is not a change of a library, so nothing was changed; reload the page.")


def _back(journal: Journal, kind: str, entry: int, who: str) -> Library:
    """Take back, or make again, what the browser's button says, and not what somebody else changed meanwhile."""
    now = journal.read()
    last = now.undoable if kind == "undo" else now.redoable
    if last is None or last[0] != entry:
        raise UserError(
            "The library was changed meanwhile, so nothing was taken back; look at what changed last, and press"
            f" {kind.capitalize()} again."
        )
    return journal.undo(who=who) if kind == "undo" else journal.redo(who=who)


def _numbers(values: Sequence[Any]) -> list[int]:
    found = [number for value in values if (number := whole(value)) is not None]
    if len(found) < len(values):
        raise UserError("A class that is to be merged is not named by its number; reload the page, and merge again.")
    return found


def waiting(actions: Sequence[Any], done: int) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the actions after the one that was done last, each with its number, in their order."""
    found = [
        (number, action)
        for action in actions
        if isinstance(action, Mapping) and (number := whole(action.get("sequence"))) is not None and number > done
    ]
    return sorted(found, key=lambda pair: pair[0])
