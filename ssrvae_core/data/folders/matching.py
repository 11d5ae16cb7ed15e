"""From the pictures a table names to the pictures that are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ssrvae_core.config import MissingPictures, UserError
from ssrvae_core.data.folders.tables import Row, Table
from ssrvae_core.data.labels import normal

SHOWN = 3
"""Missing pictures that are named."""

LONGEST_NUMBER = 20
"""Most digits of a number in a name."""

_PAGE = re.compile(rf"(.+)#(\d{{1,{LONGEST_NUMBER}}})")


class Names:
    """An index of pictures by their names, from the exact path to the number in the name.

    Parameters
    ----------
    names : sequence of str
        Paths of the pictures, relative to the data set, with slashes.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._suffixes = {PurePosixPath(name).suffix.casefold() for name in names} - {""}
        self._levels: list[dict[str, list[int]]] = [{} for _ in range(len(_keys("a.b")))]
        for position, name in enumerate(names):
            for level, key in zip(self._levels, _keys(name), strict=True):
                if key:
                    level.setdefault(key, []).append(position)

    def find(self, name: str) -> list[int]:
        """Return the positions of the pictures a table may mean: none, one, or several between which it does not tell.

        The path counts before the file's name, that before the name without ending, and that before the number in it
        (as Excel makes 1 of 001). Folders above the data set, as on the machine the table was written on, are passed
        over.
        """
        path = normal(name.replace("\\", "/")).removeprefix("./")
        tails = [path]
        while "/" in tails[-1]:
            tails.append(tails[-1].partition("/")[2])
        exact, alike, *by_name = self._levels
        for tail in tails:
            for level, key in ((exact, tail), (alike, tail.casefold())):
                if key in level:
                    return level[key]
        keys = _keys(path)[2:]
        if PurePosixPath(path).suffix.casefold() in self._suffixes:
            keys = keys[:1]  # another ending means another picture
        return next((level[key] for level, key in zip(by_name, keys, strict=False) if key in level), [])

    def has(self, cell: str) -> bool:
        """Whether a cell of a table names a picture, or a page of one."""
        return bool(_found(cell, self)[0])


@dataclass
class Matched:
    """What a table says of each picture, by its position and page; page None is all of its pages."""

    values: dict[tuple[int, int | None], dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def of(self, position: int, page: int) -> dict[str, str]:
        """Return what is said of a page of a picture, empty where nothing is."""
        return self.values.get((position, page), self.values.get((position, None), {}))


def match(table: Table, names: Names, skip_missing: bool = False) -> Matched:
    """Find the picture of every row.

    Raises
    ------
    MissingPictures
        If pictures are missing and are not to be skipped, or all are missing.
    UserError
        If a name fits several pictures, or two rows say different things of one.
    """
    matched = Matched()
    for row in table.rows:
        target = _target(row, table, names)
        if target is None:
            matched.missing.append(row.file)
        elif matched.values.setdefault(target, row.values) != row.values:
            raise UserError(
                f"Line {row.line} of {table.path} names the picture '{row.file}' a second time, and says otherwise;"
                " keep one of the lines."
            )
    missing = matched.missing
    if missing and (not skip_missing or len(missing) == len(table.rows)):
        shown = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        raise MissingPictures(
            f"{len(missing)} of {len(table.rows)} rows of {table.path} name pictures that are not here: {shown};"
            " add the pictures, or remove these rows.",
            all_missing=len(missing) == len(table.rows),
        )
    return matched


def _target(row: Row, table: Table, names: Names) -> tuple[int, int | None] | None:
    found, page = _found(row.file, names)
    if len(found) > 1:
        first, second = (names.names[position] for position in found[:2])
        raise UserError(
            f"Line {row.line} of {table.path} names the picture '{row.file}', which fits {first} and {second}; write"
            " its ending and its folder, too."
        )
    return (found[0], page) if found else None


def _found(cell: str, names: Names) -> tuple[list[int], int | None]:
    """Return the positions a cell may mean, and the page it names."""
    if (paged := _PAGE.fullmatch(cell)) and (found := names.find(paged[1])):
        return found, int(paged[2])
    return names.find(cell), None


def _keys(name: str) -> tuple[str, ...]:
    """Return the keys of a path, the surest first: itself, without case, file name, without ending, its number."""
    lower = PurePosixPath(name.casefold())
    without_ending = str(lower.with_suffix("")) if lower.name else ""
    number = str(int(lower.stem)) if lower.stem.isdecimal() and len(lower.stem) < LONGEST_NUMBER else ""
    return name, name.casefold(), lower.name, without_ending, lower.stem, number
