"""Which content of each file the table of a watched folder is of: size and time, in a file beside the table.

A line is on disk before the row it belongs to and names the row's id, so that a line counts only where the table has
that row: whatever ends the process, a row never counts as of a content that it was not made from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ssrvae_core.config import UserError
from ssrvae_core.runs.files import append_line, atomic_write, drop_torn_line, whole_lines

ENDING = ".watch"
"""What the name of the file has after that of its table."""

Stamp = tuple[int, int]
"""Size and time of the last change of a file: another one is another content."""


class Stamps:
    """The stamps of the files whose rows are in a table; the process that has the table open reads and writes them.

    Parameters
    ----------
    table : Path
        The table.
    ids : mapping of str to int
        The id of the first row of each file in it.
    written : int
        When the table was changed last, Unix time in nanoseconds.

    Attributes
    ----------
    before : int
        A file without a stamp whose row is there was classified by an earlier version, which kept none. It counts as
        unchanged where it was changed last at this time or before, Unix time in nanoseconds.

    Raises
    ------
    UserError
        If the file beside the table cannot be read or written, or is damaged.
    """

    def __init__(self, table: Path, ids: Mapping[str, int], written: int) -> None:
        whole = table.resolve()  # the table itself, where a link leads to it
        self.path = whole.with_name(whole.name + ENDING)
        self.before = written
        self._stamps: dict[tuple[str, int], Stamp] = {}
        try:
            drop_torn_line(self.path)
            if not ids or not self._take_up():  # those of another table that had this name do not count
                atomic_write(self.path, json.dumps({"before": self.before}) + "\n")
        except OSError as error:
            raise self._refusal(error) from error

    def of(self, name: str, number: int) -> Stamp | None:
        """Return the stamp of the content that the row with this id is of; None where it is not known."""
        return self._stamps.get((name, number))

    def add(self, files: Iterable[tuple[str, int, Stamp]]) -> None:
        """Remember the stamps of files whose rows are about to be added: name, id of the first row, and stamp.

        Raises
        ------
        UserError
            If they cannot be written.
        """
        lines = [
            json.dumps({"name": name, "id": number, "size": size, "mtime_ns": time})
            for name, number, (size, time) in files
        ]
        try:
            append_line(self.path, "\n".join(lines))
        except OSError as error:
            raise self._refusal(error) from error

    def _take_up(self) -> bool:
        """Read what is in the file; False where there is nothing."""
        try:
            lines = [json.loads(line) for line in whole_lines(self.path)]
            if lines:
                self.before = int(lines[0]["before"])
            for line in lines[1:]:
                self._stamps[str(line["name"]), int(line["id"])] = int(line["size"]), int(line["mtime_ns"])
            return bool(lines)
        except (ValueError, TypeError, LookupError) as error:
            raise UserError(
                f"{self.path} is damaged; delete it, and files younger than the table beside it are classified again."
            ) from error

    def _refusal(self, error: OSError) -> UserError:
        return UserError(
            f"{self.path}, which goes with the table, cannot be read or written ({error.strerror}); choose another "
            "place with --out."
        )
