"""Tables of labels as Excel, pandas, Kaggle and instruments write them."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssrvae_core.config import UserError
from ssrvae_core.data.fields import part_of
from ssrvae_core.data.formats import readable
from ssrvae_core.data.labels import is_unlabelled, normal
from ssrvae_core.spreadsheets import original

TABLES = ("labels.csv", "labels.tsv", "labels.txt")
"""Names of a table of labels, whatever their case; the first that is there is read."""

DELIMITERS = (",", ";", "\t", "|")
SHOWN_COLUMNS = 8
"""Columns that are named of those that are not used."""
LONGEST_PREAMBLE = 50
"""Lines above the header within which it is looked for."""

ROLES: dict[str, tuple[tuple[str, ...], ...]] = {
    "file": (
        ("file",),
        (
            *("filename", "file name", "files", "filenames", "image file", "image filename", "image name", "file path"),
            *("picture file", "picture name", "image file name"),
        ),
        ("image", "images", "img", "picture", "path", "filepath", "image path", "crop", "particle image"),
        ("id", "image id", "imageid", "name", "particle", "particle id", "sample", "sample id", "uuid"),
    ),
    "label": (
        ("label",),
        ("class", "labels", "class name", "classname", "class label", "target", "species", "category"),
        ("classes", "type", "shape", "kind", "morphology", "phase", "structure", "annotation", "ground truth", "y"),
    ),
    "group": (
        ("group",),
        ("micrograph", "groups", "group id", "group name", "micrograph id", "micrograph name", "micrographs"),
    ),
    "split": (("split",), ("part", "subset", "partition", "set", "data split")),
}
"""What a column is called, by what it is: ranks of names, the surest first."""

Matches = Callable[[str], bool]
"""Whether a cell names a picture that is there."""


@dataclass(frozen=True)
class Row:
    """A line of a table: its number in the file, the picture it names, and what it says by role."""

    line: int
    file: str
    values: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table of labels.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    roles : tuple of str
        What it says of pictures: of "label", "group" and "split" those that have a column.
    rows : tuple of Row
        In their order.
    remarks : tuple of str
        How it was read.
    file_column : str
        What the column that names the pictures is called; empty where the table has no header.
    """

    path: Path
    roles: tuple[str, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()
    file_column: str = ""


@dataclass(frozen=True)
class _Lines:
    """The lines of a text cut at one delimiter: numbers and cells, blank ones left out."""

    delimiter: str
    numbers: tuple[int, ...]
    cells: tuple[tuple[str, ...], ...]
    torn: frozenset[int]
    """Numbers of the lines with a cell that goes on in the next one."""


def read_table(path: Path, matches: Matches, id_columns: Sequence[str] = ()) -> Table:
    """Read a table of labels, also one that was written for spreadsheets (:mod:`ssrvae_core.spreadsheets`).

    Parameters
    ----------
    path : pathlib.Path
        Text in UTF-8, UTF-16 or Windows-1252, with commas, semicolons, tabs or bars between its cells.
    matches : callable
        Tells which of several columns names the pictures.
    id_columns : sequence of str
        Names of the column of pictures, beside "file", that need no remark.

    Raises
    ------
    UserError
        If no header, or more than one column that could hold the labels, is found; the sentence names them.
    """
    with readable(path, "a table of labels", csv.Error):
        text, remarks = _text(path)
        candidates = [_lines(text, delimiter) for delimiter in DELIMITERS]
    for lines in candidates:
        for at in range(min(LONGEST_PREAMBLE, len(lines.cells))):
            columns = _columns(lines.cells[at])
            if "file" in columns and (len(columns) > 1 or len(_filled(lines.cells[at])) == 2):
                return _with_header(path, lines, at, columns, matches, remarks, id_columns)
            if columns.keys() == {"file"} and (table := _one_hot(path, lines, at, columns["file"], matches, remarks)):
                return table
    for lines in candidates:
        named = [cells for cells in lines.cells if len(cells) == 2 and matches(_picture(cells[0], matches))]
        if named and named[0] == lines.cells[0] and 2 * len(named) >= len(lines.cells):
            told = f"{path.name} has no header; its first column is taken as file and its second as label."
            return _table(path, lines, -1, {"file": 0, "label": 1}, matches, (*remarks, told))
    first = next((", ".join(lines.cells[0]) for lines in candidates if lines.cells), "nothing")
    raise UserError(
        f"{path} needs a first line 'file,label' and a line for every labelled picture, but begins with"
        f" '{first[:80]}'; name these two columns in its first line."
    )


def _text(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return a table's text, and a remark where its encoding had to be guessed."""
    content = path.read_bytes()
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UserError(f"{path} is an Excel workbook and not a CSV file; save it as 'CSV UTF-8' in Excel.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16"), ()
    if content[:64].count(0) > len(content[:64]) // 3:
        return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be"), ()
    try:
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        told = f"{path.name} is not UTF-8 and is read as Windows-1252 (Latin-1); check names with umlauts and accents."
        try:
            return content.decode("cp1252"), (told,)
        except UnicodeDecodeError:
            return content.decode("latin-1"), (told,)


def _lines(text: str, delimiter: str) -> _Lines:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    numbers, cells, torn = [], [], set()
    for row in reader:
        clean = tuple(normal(cell) for cell in row)
        if any(clean):
            numbers.append(reader.line_num)
            cells.append(clean)
            if any("\n" in cell.strip() for cell in row):
                torn.add(reader.line_num)
    return _Lines(delimiter, tuple(numbers), tuple(cells), frozenset(torn))


def _filled(cells: Sequence[str]) -> list[str]:
    return [cell for cell in cells if cell]


def _columns(cells: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns that may have each role, the surest first; a role that none may have is left out."""
    ranks = {role: {at: rank for at, cell in enumerate(cells) if (rank := _rank(cell, role)) >= 0} for role in ROLES}
    return {role: sorted(found, key=lambda at: found[at]) for role, found in ranks.items() if found}


def _rank(cell: str, role: str) -> int:
    """Return how sure it is that a column of this name has a role: 0 is the surest, -1 is not at all."""
    plain = " ".join(cell.casefold().replace("_", " ").replace("-", " ").split())
    return next((rank for rank, names in enumerate(ROLES[role]) if plain in names), -1)


def _with_header(
    path: Path,
    lines: _Lines,
    at: int,
    columns: dict[str, list[int]],
    matches: Matches,
    remarks: tuple[str, ...],
    id_columns: Sequence[str],
) -> Table:
    header = lines.cells[at]
    told = list(remarks)
    if at:
        above = "; ".join(", ".join(cells)[:60] for cells in lines.cells[:at])
        told.append(f"What stands above the header of {path.name} is passed over: {above}.")
    rows = lines.cells[at + 1 :]
    chosen = {"file": _file_column(rows, columns["file"], matches)}
    if not _are_parts(rows, columns.get("split", []), header):
        columns = {role: own for role, own in columns.items() if role != "split"}
    for role in ("label", "group", "split"):
        if (column := _one_column(path, header, role, columns.get(role, []), chosen)) is not None:
            chosen[role] = column
    filled = [column for column, cell in enumerate(header) if cell]
    if len(chosen) == 1 and len(filled) == 2:
        chosen["label"] = next(column for column in filled if column != chosen["file"])
    unused = [cell for column, cell in enumerate(header) if cell and column not in chosen.values()]
    if unused:
        told.append(f"Columns of {path.name} that are not used: {', '.join(unused[:SHOWN_COLUMNS])}.")
    for role, column in chosen.items():
        known = (role, *id_columns) if role == "file" else (role,)
        if header[column].casefold() not in known:
            told.append(f"The column '{header[column]}' of {path.name} is taken as {role}.")
    return _table(path, lines, at, chosen, matches, tuple(told))


def _are_parts(rows: Sequence[Sequence[str]], columns: Sequence[int], header: Sequence[str]) -> bool:
    """Whether a column says of each picture if it is for training or validation; one that is called so has to."""
    surely = any(header[column].casefold() == "split" for column in columns)
    cells = [cells[column] for cells in rows for column in columns[:1] if column < len(cells)]
    return surely or all(is_unlabelled(cell) or part_of(cell) is not None for cell in cells)


def _one_hot(
    path: Path, lines: _Lines, at: int, columns: list[int], matches: Matches, remarks: tuple[str, ...]
) -> Table | None:
    """Read a table with a column of zeros and ones for each class; None where it is not one."""
    rows = lines.cells[at + 1 :]
    file = _file_column(rows, columns, matches)
    classes = [column for column, cell in enumerate(lines.cells[at]) if cell and column != file]
    numbers = {"0": 0, "0.0": 0, "": 0, "1": 1, "1.0": 1}
    one = [[numbers.get(cells[column]) if column < len(cells) else 0 for column in classes] for cells in rows]
    if len(classes) < 2 or not rows or any(None in row or sum(filter(None, row)) > 1 for row in one):
        return None
    names = [original(lines.cells[at][classes[row.index(1)]]) if 1 in row else "" for row in one]
    told = f"The columns of {path.name} are one-hot: {len(classes)} classes; a row of zeros is taken as unlabelled."
    picked = [
        Row(number, _picture(cells[file], matches), {"label": name})
        for number, cells, name in zip(lines.numbers[at + 1 :], rows, names, strict=True)
        if len(cells) > file and cells[file]
    ]
    return Table(path, ("label",), tuple(picked), (*remarks, told), lines.cells[at][file])


def _file_column(rows: Sequence[Sequence[str]], columns: list[int], matches: Matches) -> int:
    """Return the column that names most pictures, of several the surest by name."""
    if len(columns) == 1:
        return columns[0]
    counts = [
        sum(matches(_picture(cells[column], matches)) for cells in rows if column < len(cells)) for column in columns
    ]
    return columns[counts.index(max(counts))]


def _one_column(path: Path, header: Sequence[str], role: str, columns: list[int], chosen: dict[str, int]) -> int | None:
    """Return the column of a role; None where there is none."""
    free = [column for column in columns if column not in chosen.values()]
    if not free:
        return None
    best = min(_rank(header[column], role) for column in free)
    surest = [column for column in free if _rank(header[column], role) == best]
    if len(surest) > 1:
        names = " and ".join(f"'{header[column]}'" for column in surest)
        raise UserError(f"The columns {names} of {path} could both be the {role}; call one of them '{role}'.")
    return surest[0]


def _picture(cell: str, matches: Matches) -> str:
    """Return the name of a picture, as it was before a table for spreadsheets was made of it."""
    return cell if matches(cell) else original(cell)


def _table(
    path: Path, lines: _Lines, at: int, chosen: dict[str, int], matches: Matches, remarks: tuple[str, ...]
) -> Table:
    width = len(lines.cells[at]) if at >= 0 else max(map(len, lines.cells))
    rows, short = [], 0
    for number, cells in zip(lines.numbers[at + 1 :], lines.cells[at + 1 :], strict=True):
        if any(cells[width:]):
            raise UserError(
                f"Line {number} of {path} has {len(cells)} cells, but the header has {width}; put a cell that holds"
                f" '{lines.delimiter}' in quotation marks."
            )
        if number in lines.torn:
            raise UserError(f"A quotation mark in {path} is not closed, near line {number}; close it, or remove it.")
        found = {role: cells[column] if column < len(cells) else "" for role, column in chosen.items()}
        short += len(cells) <= max(chosen.values())
        file = _picture(found.pop("file"), matches)
        values = {role: original(cell) for role, cell in found.items()}
        if file:
            rows.append(Row(number, file, values))
    if short:
        told = f"Lines of {path.name} that end early: {short}; what they lack is taken as empty."
        remarks = (*remarks, told)
    named = lines.cells[at][chosen["file"]] if at >= 0 else ""
    return Table(path, tuple(role for role in chosen if role != "file"), tuple(rows), remarks, named)
