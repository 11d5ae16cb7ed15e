"""Checks the one structure of HDF5 files that libhdf5 was seen to read for ever when it is damaged."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

SIGNATURE = b"GCOL\1"
HEADER = 16
"""Bytes of a collection's header, and of the header of an object in it."""


def check_heaps(path: Path, length_bytes: int) -> None:
    """Check that every global heap of a file, where its texts and references lie, can be walked to its end.

    libhdf5 goes from object to object by their declared sizes, and comes back where a damaged one overflows. Python
    cannot interrupt it there.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    length_bytes : int
        Bytes of a length in it, as its superblock says.

    Raises
    ------
    ValueError
        If one is damaged.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for start in _collections(content):
            size = int.from_bytes(content[start + 8 : start + 8 + length_bytes], "little")
            if HEADER <= size <= len(content) - start and not _ends(content, start, start + size, length_bytes):
                raise ValueError("a heap of texts or references is damaged")


def _collections(content: mmap.mmap) -> Iterator[int]:
    at = content.find(SIGNATURE)
    while at >= 0:
        yield at
        at = content.find(SIGNATURE, at + 1)


def _ends(content: mmap.mmap, start: int, end: int, length_bytes: int) -> bool:
    """Whether the objects of a collection follow each other to its end; number 0 is the free room."""
    at = start + HEADER
    while end - at >= HEADER:
        number = int.from_bytes(content[at : at + 2], "little")
        size = int.from_bytes(content[at + 8 : at + 8 + length_bytes], "little")
        step = HEADER + -(-size // 8) * 8 if number else size
        if not 0 < step <= end - at:
            return False
        at += step
    return True
