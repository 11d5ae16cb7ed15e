"""The samples of a TIFF page: its strips or tiles read, decompressed, and put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import numpy as np

from ssrvae_core.data.pictures.codecs import JPEG, NONE, Coding, picture, unpacked
from ssrvae_core.data.pictures.ifd import number, numbers
from ssrvae_core.data.pictures.tiff_page import MINISBLACK, YCBCR, Page

SLACK = 4096
"""Bytes by which a compressed strip may exceed twice its pixels: what lies behind is not read."""

REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Every byte with its bits in the opposite order."""

BLOCK = 2**20
"""Bytes that are taken apart into bits at a time."""

HORIZONTAL, FLOATING = 2, 3
T4_OPTIONS, T6_OPTIONS = 292, 293
BITS, PHOTOMETRIC, JPEG_TABLES, SUBSAMPLING = 258, 262, 347, 530
SCALARS = {256, 257, 259, 277, 278, 284, 322, 323}
"""Tags of one number that libtiff needs to decode JPEG."""


def read_samples(page: Page, stream: IO[bytes]) -> np.ndarray:
    """Read the samples of a page that was checked.

    Returns
    -------
    array (H, W, samples)
        As stored, in native byte order; JPEG's YCbCr colours as RGB.

    Raises
    ------
    ValueError, OSError, zlib.error, lzma.LZMAError
        If it is damaged.
    """
    if page.compression == JPEG:
        return _picture(page, _segments(page, stream, 0, len(page.needs)))
    count = len(page.needs) // page.planes
    pixels = np.empty((page.height, page.width, page.samples), dtype=page.dtype)
    inner = page.samples // page.planes
    options = {code: tuple(numbers(page.tags, code)) for code in (T4_OPTIONS, T6_OPTIONS) if code in page.tags}
    coding = Coding(page.compression, page.row_bytes, page.segment[1], options)
    for plane in range(page.planes):
        segments = _segments(page, stream, plane * count, count)
        needs = page.needs[plane * count : (plane + 1) * count]
        pixels[..., plane * inner : (plane + 1) * inner] = _plane(page, unpacked(segments, needs, coding))
    return pixels


def _segments(page: Page, stream: IO[bytes], first: int, count: int) -> list[bytes]:
    """Read strips or tiles as stored, never more of them than can belong to the page."""
    offsets = numbers(page.tags, 324 if page.is_tiled else 273)
    lengths = numbers(page.tags, 325 if page.is_tiled else 279)
    segments = []
    for at in range(first, first + count):
        most = page.needs[at] if page.compression == NONE else 2 * page.needs[at] + SLACK
        length = most if page.compression == NONE or at >= len(lengths) else min(most, lengths[at])
        stream.seek(offsets[at] + page.shift)
        segments.append(stream.read(length))
        if len(segments[-1]) < length and page.compression == NONE:
            raise ValueError(f"the pixels of page {page.index} are cut short")
    reverse = number(page.tags, 266, 1) == 2 and page.compression != JPEG
    return [segment.translate(REVERSED) for segment in segments] if reverse else segments


def _plane(page: Page, content: bytes) -> np.ndarray:
    """Pixels (H, W, samples of a plane) of strips or tiles one below the other."""
    width = page.segment[1]
    inner = page.samples // page.planes
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, page.row_bytes)
    pixels = _numbers(page, rows, width * inner).reshape(len(rows), width, inner)
    if page.is_tiled:
        down, across = page.grid
        tiles = pixels.reshape(down, across, page.segment[0], width, inner)
        pixels = tiles.transpose(0, 2, 1, 3, 4).reshape(-1, across * width, inner)
    return pixels[: page.height, : page.width]


def _numbers(page: Page, rows: np.ndarray, count: int) -> np.ndarray:
    """Numbers (rows, count) of bytes (rows, bytes)."""
    predictor = number(page.tags, 317, 1) if page.compression != NONE else 1
    if page.bits % 8 or page.bits not in (8, 16, 32, 64):
        if predictor != 1:
            raise ValueError(f"page {page.index} has differences of {page.bits} bits")
        return _unpacked_bits(rows, page.bits, count).astype(page.dtype)
    inner = page.samples // page.planes
    if predictor == FLOATING:
        return _from_byte_differences(rows, inner, page.dtype)
    stored = rows.view(np.dtype(f"u{page.bits // 8}").newbyteorder(page.order))
    values = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if predictor == HORIZONTAL:
        values = _summed(values, inner)
    return values.view(page.dtype)


def _summed(differences: np.ndarray, inner: int) -> np.ndarray:
    """Sum differences between neighbours in a row, sample by sample; sums wrap as the numbers did."""
    rows = differences.reshape(len(differences), -1, inner)
    return np.cumsum(rows, axis=1, dtype=differences.dtype).reshape(differences.shape)


def _from_byte_differences(rows: np.ndarray, inner: int, dtype: np.dtype) -> np.ndarray:
    """Floats whose bytes are stored as differences, all first bytes of a row ahead of the second ones."""
    if dtype.kind != "f":
        raise ValueError(f"differences of floats are declared of {dtype}")
    planes = _summed(rows, inner).reshape(len(rows), dtype.itemsize, -1)
    together = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))
    return together.reshape(len(rows), -1).astype(dtype)


def _unpacked_bits(rows: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Integers of samples that are not whole bytes, the highest bit first; every row starts at a byte."""
    if bits == 1:
        return np.unpackbits(rows, axis=1, count=count)
    place, within = np.divmod(np.arange(count) * bits, 8)
    values = np.empty((len(rows), count), dtype=np.uint16)
    step = max(1, BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        stored = np.pad(rows[start : start + step], ((0, 0), (0, 2))).astype(np.uint32)
        three = stored[:, place] << 16 | stored[:, place + 1] << 8 | stored[:, place + 2]
        values[start : start + step] = three >> (24 - bits - within).astype(np.uint32) & (2**bits - 1)
    return values


def _picture(page: Page, segments: list[bytes]) -> np.ndarray:
    """Have libtiff turn a page into grey, RGB or CMYK."""
    tags: dict[int, Sequence[int] | bytes] = {
        code: (number(page.tags, code, 0),) for code in SCALARS & page.tags.keys()
    }
    tags[BITS] = (page.bits,) * page.samples
    tags[PHOTOMETRIC] = (page.photometric if page.samples > 1 else MINISBLACK,)
    tables = page.tags.get(JPEG_TABLES)
    if isinstance(tables, bytes):
        tags[JPEG_TABLES] = tables
    if SUBSAMPLING in page.tags:
        tags[SUBSAMPLING] = tuple(numbers(page.tags, SUBSAMPLING))[:2]
    pixels = picture(tags, segments)
    expected = (page.height, page.width, 3 if page.photometric == YCBCR else page.samples)
    if pixels.shape != expected or pixels.dtype != np.uint8:
        raise ValueError(f"page {page.index} is not what its tags declare")
    return pixels
