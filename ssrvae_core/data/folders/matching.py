"""From the pictures a table names to the pictures that are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ssrvae_core.config import MissingPictures, UserError
from ssrvae_core.data.folders.tables import Row, Table
from ssrvae_core.data.labels import normal

FOLDER_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
"""Endings that a picture's name has in a table, though the picture itself may have another one here."""

SHOWN = 3
"""Missing pictures that are named."""

LONGEST_NUMBER = 20
"""Most digits of a number in a name."""

_NUMBER = re.compile(rf"(\d{{1,{LONGEST_NUMBER}}})(\.0*)?", re.ASCII)
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
        self._endings = {PurePosixPath(name).suffix.casefold() for name in names} | set(FOLDER_ENDINGS)
        self._paths: dict[str, list[int]] = {}
        self._levels: tuple[dict[str, list[int]], ...] = ({}, {}, {}, {}, {})
        for position, name in enumerate(names):
            self._paths.setdefault(name, []).append(position)
            for level, key in zip(self._levels, self._keys(name), strict=True):
                if key:
                    level.setdefault(key, []).append(position)

    def find(self, name: str) -> list[int]:
        """Return the positions of the pictures a table may mean: none, one, or several between which it does not tell.

        The path counts before the path without ending, and a name that has no folder may be that of a picture in any,
        with its ending, without, or as a number (as Excel makes 1 of 001). Folders above the data set, as on the
        machine the table was written on, are passed over; another folder within it means another picture.
        """
        path = normal(name.replace("\\", "/")).removeprefix("./")
        tails = [path]
        while "/" in tails[-1]:
            tails.append(tails[-1].partition("/")[2])
        alike, without_ending, by_name, by_stem, by_number = self._levels
        for tail in tails:
            if tail in self._paths:
                return self._paths[tail]
            if tail.casefold() in alike:
                return alike[tail.casefold()]
        if self._ending(path):
            return by_name.get(path.casefold(), []) if "/" not in path else []
        for tail in tails:
            if tail.casefold() in without_ending:
                return without_ending[tail.casefold()]
        if "/" in path:
            return []
        return by_stem.get(path.casefold(), []) or by_number.get(_number(path), [])

    def _ending(self, name: str) -> str:
        """Return the ending of a name if it is one that pictures have; a dot may also be part of a name."""
        ending = PurePosixPath(name).suffix
        return ending if ending.casefold() in self._endings else ""

    def _keys(self, path: str) -> tuple[str, ...]:
        """Return the keys of a picture: path and path without ending, name and name without, number; small letters."""
        lower = path.casefold()
        bare = lower.removesuffix(self._ending(lower))
        stem = bare.rpartition("/")[2]
        return lower, bare, lower.rpartition("/")[2], stem, _number(stem)

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
                f"Line {row.line} of {table.path} names the picture '{row.file}' a second time, with other values;"
                " keep one of the lines."
            )
    missing = matched.missing
    if missing and (not skip_missing or len(missing) == len(table.rows)):
        shown = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        raise MissingPictures(
            f"{len(missing):,} of {len(table.rows):,} rows of {table.path} name pictures that are not here: {shown};"
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


def _number(stem: str) -> str:
    """Return the number a name is, without leading zeros and decimals; empty where it is none."""
    found = _NUMBER.fullmatch(stem)
    return str(int(found[1])) if found else ""
