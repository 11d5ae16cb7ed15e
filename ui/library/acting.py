"""What a browser asks to be changed in a library, done in its journal: each change once, and only what can be meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.library import Journal, Library
from ui.explorer.told import ids_of, whole

KINDS = ("move", "split", "rename", "merge", "threshold", "undo", "redo")


def do(journal: Journal, action: Mapping[str, Any]) -> Library | None:
    """Make one change; return the library after it, or None where nothing can be meant by it.

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
        If it does not fit the library as it is now, or cannot be written.
    """
    match dict(action):
        case {"kind": "move", "who": str(who), "ids": str(ids), "to": int(to)}:
            return journal.move(_particles(journal, ids), to, who=who)
        case {"kind": "split", "who": str(who), "ids": str(ids), "name": str(name)}:
            return journal.split(_particles(journal, ids), name, who=who)
        case {"kind": "rename", "who": str(who), "number": int(number), "name": str(name)}:
            return journal.rename(number, name, who=who)
        case {"kind": "merge", "who": str(who), "numbers": list(numbers), "into": int(into)}:
            return journal.merge([k for k in numbers if whole(k) is not None], into, who=who)
        case {"kind": "threshold", "who": str(who), "value": None | int() | float() as value}:
            return journal.set_threshold(value, who=who)
        case {"kind": "undo" | "redo" as kind, "who": str(who), "entry": int(entry)}:
            return _back(journal, kind, entry, who)
    return None


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


def _particles(journal: Journal, ranges: str) -> np.ndarray:
    """Return the run's own particles in ranges of ids, which may span ids that it does not have."""
    return ids_of(ranges, journal.base.ids)


def waiting(actions: Sequence[Any], done: int) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the actions after the one that was done last, each with its number, in their order."""
    found = [
        (number, action)
        for action in actions
        if isinstance(action, Mapping) and (number := whole(action.get("sequence"))) is not None and number > done
    ]
    return sorted(found, key=lambda pair: pair[0])
