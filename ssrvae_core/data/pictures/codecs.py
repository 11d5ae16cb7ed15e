"""Strips and tiles of TIFF pages, from their compression to plain bytes; never more of them than a page needs."""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

NONE, JPEG = 1, 7
DEFLATE = (8, 32946)
LZMA = 34925
LIBTIFF = {2: "CCITT RLE", 3: "CCITT G3", 4: "CCITT G4", 5: "LZW", 32773: "PackBits", 50000: "ZSTD"}
BILEVEL = {2, 3, 4}
OTHERS = {6: "old-style JPEG", 34712: "JPEG 2000", 34887: "LERC", 50001: "WebP", 50002: "JPEG XL", 22610: "JPEG XR"}
OTHERS |= {34676: "SGI LogLuv", 34677: "SGI LogLuv", 32809: "ThunderScan", 33003: "JPEG 2000", 33005: "JPEG 2000"}
READ_COMPRESSIONS = {NONE, JPEG, LZMA, *DEFLATE, *LIBTIFF}

MAX_LZMA = 2**28
"""Most bytes of memory that the LZMA decoder may ask for."""

RUN = 2**25
"""Bytes that libtiff decompresses at a time, where they are in several strips or tiles."""

Tags = Mapping[int, Sequence[int] | bytes]


def compression_name(number: int) -> str:
    """Name a compression for a message."""
    return OTHERS.get(number) or LIBTIFF.get(number) or f"number {number}"


@dataclass(frozen=True)
class Coding:
    """How the strips or tiles of a page are stored.

    Attributes
    ----------
    compression : int
        One of ``READ_COMPRESSIONS`` but JPEG.
    row_bytes, columns : int
        Of a row of a strip or tile, without compression.
    options : mapping of int to numbers
        Tags of the facsimile compressions.
    """

    compression: int
    row_bytes: int
    columns: int
    options: Tags


def unpacked(segments: Sequence[bytes], needs: Sequence[int], coding: Coding) -> bytes:
    """Decompress strips or tiles and join them.

    Parameters
    ----------
    segments : sequence of bytes
        The strips or tiles as stored.
    needs : sequence of int
        Bytes of each one decompressed.
    coding : Coding

    Raises
    ------
    ValueError, OSError, zlib.error, lzma.LZMAError
        If one is damaged, or holds less.
    """
    if coding.compression in LIBTIFF:
        return b"".join(_by_libtiff(segments, needs, coding))
    plain = [_plain(segment, need, coding.compression) for segment, need in zip(segments, needs, strict=True)]
    if any(len(content) < need for content, need in zip(plain, needs, strict=True)):
        raise ValueError("its pixels are cut short")
    return b"".join(plain)


def _plain(segment: bytes, need: int, compression: int) -> bytes:
    if compression in DEFLATE:
        return zlib.decompressobj().decompress(segment, need)
    if compression == LZMA:
        return lzma.LZMADecompressor(memlimit=MAX_LZMA).decompress(segment, need)
    return segment[:need]


def _by_libtiff(segments: Sequence[bytes], needs: Sequence[int], coding: Coding) -> Iterator[bytes]:
    """Let libtiff decompress: to it the bytes are the pixels of a grey page that is one segment wide.

    The segments of a page in libtiff have one length but for the last, so that every plane is a page of its own.
    """
    bits, width = (1, coding.columns) if coding.compression in BILEVEL else (8, coding.row_bytes)
    tags = {258: [bits], 277: [1], 262: [1], 259: [coding.compression], 256: [width], **coding.options}
    start = 0
    while start < len(segments):
        stop, most = start + 1, start + max(1, RUN // needs[start])
        while stop < min(most, len(segments)) and needs[stop - 1] == needs[start] and needs[stop] <= needs[start]:
            stop += 1
        shape = {257: [sum(needs[start:stop]) // coding.row_bytes], 278: [needs[start] // coding.row_bytes]}
        yield _opened(excerpt(tags | shape, segments[start:stop])).tobytes()
        start = stop


def picture(tags: Tags, segments: Sequence[bytes]) -> np.ndarray:
    """Pixels (H, W, C) of a page in JPEG compression; YCbCr colours become RGB."""
    image = _opened(excerpt(tags, segments))
    pixels = np.asarray(image.convert("RGB") if image.mode == "YCbCr" else image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _opened(content: bytes) -> Any:
    image = _excerpt_class()(io.BytesIO(content))
    image.load()
    return image


@cache
def _excerpt_class() -> Any:
    from PIL import ImageFile, TiffImagePlugin

    class Excerpt(TiffImagePlugin.TiffImageFile):
        def load_prepare(self) -> None:
            ImageFile.ImageFile.load_prepare(self)  # without Pillow's own limit: the page was checked against ours

    return Excerpt


def excerpt(tags: Tags, segments: Sequence[bytes]) -> bytes:
    """Write a TIFF file of one page, with these tags and strips (or tiles, where the tags declare a tile).

    Parameters
    ----------
    tags : mapping of int to numbers or bytes
        All but the places and lengths of the segments.
    segments : sequence of bytes
        As stored.
    """
    offsets, lengths = (324, 325) if 322 in tags else (273, 279)
    places = np.cumsum([8, *map(len, segments)]).tolist()
    entries: dict[int, Sequence[int] | bytes] = {**tags, offsets: places[:-1], lengths: [len(s) for s in segments]}
    start = places[-1] + places[-1] % 2
    directory = struct.pack("<H", len(entries))
    beyond = b""
    for code in sorted(entries):
        value = entries[code]
        kind, count = (7, len(value)) if isinstance(value, bytes) else (4, len(value))
        field = value if isinstance(value, bytes) else struct.pack(f"<{count}I", *value)
        if len(field) > 4:
            place = start + 2 + 12 * len(entries) + 4 + len(beyond)
            beyond += field + b"\0" * (len(field) % 2)
            field = struct.pack("<I", place)
        directory += struct.pack("<HHI4s", code, kind, count, field)
    padding = b"\0" * (places[-1] % 2)
    return b"".join([struct.pack("<2sHI", b"II", 42, start), *segments, padding, directory, b"\0" * 4, beyond])
