"""The page directories (IFDs) of a TIFF file, read without trusting a number in them.

Nothing here looks beside the file, and what is read of a hostile file is bounded: the pages, the tags, and their bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from ssrvae_core.config import UserError

MAX_PAGES = 2**17
"""Most pages of one file."""

MAX_TAG_VALUES = 2**20
"""Most numbers in one tag, such as the places of the strips of a page."""

MAX_TAG_BYTES = 2**25
"""Most bytes of all tags of a file that are read."""

STRUCTURE = {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324}
STRUCTURE |= {325, 330, 338, 339, 347, 530, 32997}
"""Tags that the pixels hang on, read of every page."""

DESCRIPTION = 270
METADATA = {282, 283, 296, 33629, 34118, 34680, 34682, 65003, 65004, 65009, 65010}
"""Tags read of the first page. Like the description, one that is damaged does no harm; all others are not looked at."""

UIC2 = 33629
"""A tag of MetaMorph that counts the planes behind one directory; what it holds is not laid out as its type says."""

TYPES = {
    **{1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 7: "s", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"},
    **{13: "I", 16: "Q", 17: "q", 18: "Q"},
}

Value = bytes | tuple[float, ...]
Tags = dict[int, Value]


@dataclass(frozen=True)
class _Layout:
    order: Literal["<", ">"]
    count: str
    offset: str

    def size(self, form: str) -> int:
        return struct.calcsize(self.order + form)

    @property
    def entry(self) -> str:
        """One tag: code, type, number of values, and the values or where they are."""
        return f"{self.order}HH{self.offset}{self.size(self.offset)}s"


def byte_order(header: bytes) -> Literal["<", ">"]:
    """Return the byte order of a TIFF file, ``<`` or ``>``, by its first bytes."""
    return ">" if header[:2] == b"MM" else "<"


def read_directories(stream: IO[bytes], path: Path) -> list[Tags]:
    """Read the chain of pages.

    Parameters
    ----------
    stream : binary file
    path : pathlib.Path
        For the messages.

    Returns
    -------
    list of dict of int to tuple or bytes
        The tags of every page: numbers as a tuple, text and undefined bytes as bytes.

    Raises
    ------
    UserError
        If there are more than ``MAX_PAGES`` pages.
    ValueError, struct.error
        If the file is damaged.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    header = stream.read(16)
    order = byte_order(header)
    (version,) = struct.unpack_from(order + "H", header, 2)
    layout = _Layout(order, "Q", "Q") if version == 43 else _Layout(order, "H", "I")
    start = 8 if version == 43 else 4
    (first,) = struct.unpack_from(layout.order + layout.offset, header, start)
    room = _Room()
    chain = list(_chain(stream, layout, first, size, path))
    return [
        _tags(stream, layout, entries, STRUCTURE | {DESCRIPTION} | (set() if at else METADATA), room)
        for at, entries in enumerate(chain)
    ]


class _Room:
    """Bytes of tags that may still be read."""

    def __init__(self) -> None:
        self.left = MAX_TAG_BYTES

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueError(f"its tags hold more than {MAX_TAG_BYTES:,} bytes")


def _chain(stream: IO[bytes], layout: _Layout, offset: int, size: int, path: Path) -> Iterator[bytes]:
    """Follow the whole chain, before a tag is read, and return the entries of every directory."""
    seen: set[int] = set()
    room = _Room()
    while offset:
        if offset in seen:
            raise ValueError("its chain of pages runs in a circle")
        if len(seen) == MAX_PAGES:
            raise UserError(f"{path} holds more than {MAX_PAGES:,} pages; save it as several files with fewer pages.")
        seen.add(offset)
        head, entry, tail = layout.size(layout.count), layout.size(layout.entry[1:]), layout.size(layout.offset)
        broken = f"its chain of pages breaks off at page {len(seen) - 1}"
        if offset + head > size:
            raise ValueError(broken)
        stream.seek(offset)
        (count,) = struct.unpack(layout.order + layout.count, stream.read(head))
        if not count or offset + head + count * entry + tail > size:
            raise ValueError(broken)
        room.take(count * entry)
        content = stream.read(count * entry + tail)
        yield content[:-tail]
        (offset,) = struct.unpack(layout.order + layout.offset, content[-tail:])
    if not seen:
        raise ValueError("it has no page")


def _tags(stream: IO[bytes], layout: _Layout, entries: bytes, wanted: Set[int], room: _Room) -> Tags:
    tags: Tags = {}
    for code, kind, count, field in struct.iter_unpack(layout.entry, entries):
        if code not in wanted or code in tags or kind not in TYPES:
            continue
        if code == UIC2:
            tags[code] = (count,)
            continue
        try:
            tags[code] = _value(stream, layout, (code, kind, count, field), room)
        except ValueError:
            if code in STRUCTURE:
                raise
    return tags


def _value(stream: IO[bytes], layout: _Layout, entry: tuple[int, int, int, bytes], room: _Room) -> Value:
    code, kind, count, field = entry
    form = TYPES[kind]
    length = layout.size(form) * count
    if form != "s" and count > MAX_TAG_VALUES:
        raise ValueError(f"its tag {code} declares {count:,} numbers")
    if length > len(field):
        room.take(length)
        (offset,) = struct.unpack(layout.order + layout.offset, field)
        stream.seek(offset)
        field = stream.read(length)
        if len(field) < length:
            raise ValueError(f"its tag {code} lies outside the file")
    return (
        field[:length] if form == "s" else struct.unpack(f"{layout.order}{len(form) * count}{form[0]}", field[:length])
    )


def number(tags: Tags, code: int, default: int) -> int:
    """Return the first number of a tag as an integer, or the default where the page lacks it.

    Raises
    ------
    ValueError
        If it is not a whole number.
    """
    value = tags.get(code)
    if not value:
        return default
    first = value[0]
    if first != first or first != int(first):
        raise ValueError(f"its tag {code} is not a whole number")
    return int(first)


def numbers(tags: Tags, code: int) -> Sequence[int]:
    """Return the numbers of a tag as integers, none where the page lacks it."""
    value = tags.get(code, ())
    return value if all(isinstance(entry, int) for entry in value) else [int(entry) for entry in value]  # type: ignore[return-value]


def text(tags: Tags, code: int) -> str:
    """Return a tag's text, empty where the page lacks it."""
    value = tags.get(code, b"")
    content = value if isinstance(value, bytes) else b""
    content = content.partition(b"\0")[0]
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
