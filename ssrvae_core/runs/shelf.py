"""Directories that are named for 12 hex digits, in one folder: the runs of a store, and its embeddings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ssrvae_core.config import UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.files import locked, remove_directory
from ssrvae_core.runs.mode import require_editor

_ID = re.compile(r"[0-9a-f]{12}")
_PREFIX = re.compile(r"[0-9a-f]{1,12}")


def is_id(name: str) -> bool:
    """Whether a name is one that such a directory has."""
    return _ID.fullmatch(name) is not None


@dataclass(frozen=True)
class Shelf:
    """A folder of such directories.

    Attributes
    ----------
    root : Path
        The folder; it need not exist.
    store : Path
        The store it is or is in, as sentences name it.
    noun, article : str
        What a directory is, such as ``run``, and ``a`` or ``an``.
    command : str
        The command that lists them.
    other : Shelf, optional
        Where else an id may be from.
    """

    root: Path
    store: Path
    noun: str
    article: str
    command: str
    other: Shelf | None = None

    def ids(self) -> list[str]:
        """Return the names that are ids, sorted; links are left out, as they may lead out of the store."""
        try:
            with os.scandir(self.root) as entries:
                return sorted(e.name for e in entries if is_id(e.name) and e.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"The store {self.root} cannot be read: {error.strerror}.") from error

    def path(self, one: str) -> Path:
        """Return the directory of an id, which need not exist."""
        if not is_id(one):
            raise UserError(
                f"'{one}' is not {self.article} {self.noun} id: give the 12 hex digits that"
                f" 'python -m ssrvae_core {self.command}' shows."
            )
        return self.root / one

    def matches(self, prefix: str) -> list[str]:
        """Return the ids that begin with some digits."""
        return [one for one in self.ids() if one.startswith(prefix)]

    def resolve(self, prefix: str) -> str:
        """Return the one id that begins with some digits.

        Raises
        ------
        UserError
            If none or more than one does.
        """
        if not _PREFIX.fullmatch(prefix):
            raise UserError(
                f"'{prefix}' is not {self.article} {self.noun} id: give (the beginning of) 12 hex digits, as"
                f" '{self.command}' shows them."
            )
        found = self.matches(prefix)
        if not found and self.other is not None and self.other.matches(prefix):
            raise UserError(
                f"{prefix} is {self.other.article} {self.other.noun} and not {self.article} {self.noun};"
                f" '{self.command}' shows the {self.noun}s there are."
            )
        if not found:
            raise UserError(
                f"There is no {self.noun} {prefix} in the store {self.store}; '{self.command}' shows those there are."
            )
        if len(found) > 1:
            raise UserError(
                f"'{prefix}' is the beginning of {len(found)} {self.noun}s ({', '.join(found)}); give more digits."
            )
        return found[0]

    def delete(self, prefix: str) -> str:
        """Delete a directory by its id or the beginning of it, and return its id.

        Raises
        ------
        UserError
            If there is none, it is being trained, the store cannot be written, or this is a viewer.
        """
        require_editor()
        path = self.root / self.resolve(prefix)
        name = f"{self.noun.capitalize()} {path.name}"
        try:
            with locked(path / directory.LOCK, wait=False):
                remove_directory(path)
        except BlockingIOError as error:
            raise UserError(f"{name} is being trained; stop it before you delete it.") from error
        except OSError as error:
            raise UserError(f"{name} in {self.root} cannot be deleted: {error.strerror}.") from error
        return path.name
