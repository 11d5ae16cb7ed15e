"""Sheets of many small pictures, of which a browser shows one at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

ACROSS = 32
PER_SHEET = ACROSS * ACROSS
"""Pictures on a sheet; fewer on the last."""
LARGEST_SIDE, SMALLEST_SIDE = 64, 16
"""Pixels along the longer side of a small picture."""
MOST_PIXELS = 96 * 2**20
"""Of all sheets together, which a browser may hold at once; beyond, the pictures are smaller."""
QUALITY = 85


@dataclass(frozen=True)
class Sheets:
    """How N small pictures lie on sheets, in the order of the particles' rows.

    Attributes
    ----------
    n : int
        Pictures.
    height, width : int
        Pixels of each.
    """

    n: int
    height: int
    width: int

    @classmethod
    def of(cls, n: int, height: int, width: int, *, side: int = LARGEST_SIDE) -> Sheets:
        """Return sheets of pictures of images with this height and width, no longer than ``side`` pixels."""
        longer = max(height, width)
        side = min(side, longer, max(SMALLEST_SIDE, int(np.sqrt(MOST_PIXELS / max(n, 1)))))
        return cls(n, *(max(1, round(extent * side / longer)) for extent in (height, width)))

    @property
    def count(self) -> int:
        """Number of sheets."""
        return -(-self.n // PER_SHEET)

    def rows(self, index: int) -> range:
        """Rows of the pictures on one sheet."""
        return range(index * PER_SHEET, min(self.n, (index + 1) * PER_SHEET))

    def described(self, urls: dict[int, str]) -> dict[str, Any]:
        """Return what the browser needs to know of them, with the addresses of those that are ready."""
        return {
            "height": self.height,
            "width": self.width,
            "across": ACROSS,
            "perSheet": PER_SHEET,
            "urls": {str(index): url for index, url in urls.items()},
        }

    def picture(self, pixels: np.ndarray) -> Image.Image:
        """Lay pictures (m, H, W) or (m, H, W, 3), uint8, out on one sheet."""
        m = len(pixels)
        across = min(m, ACROSS)
        down = -(-m // across)
        small = shrunk(pixels, self.height, self.width)
        whole = np.zeros((down * across, *small.shape[1:]), np.uint8)
        whole[:m] = small
        grid = whole.reshape(down, across, *small.shape[1:])
        laid = np.moveaxis(grid, 2, 1).reshape(down * self.height, across * self.width, *small.shape[3:])
        return Image.fromarray(laid)

    def encoded(self, pixels: np.ndarray, quality: int = QUALITY) -> bytes:
        """Return a sheet of pictures as WebP."""
        buffer = io.BytesIO()
        self.picture(pixels).save(buffer, format="WEBP", quality=quality, method=2)
        return buffer.getvalue()


def shrunk(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return pictures (m, H, W[, 3]) at another size, every pixel the mean of those it stands for."""
    if pixels.shape[1:3] == (height, width):
        return pixels
    resized = [Image.fromarray(p).resize((width, height), Image.Resampling.BOX) for p in pixels]
    return np.stack([np.asarray(picture) for picture in resized])


def within(
    sheets: Sheets, take: Callable[[range], np.ndarray], most: int, qualities: tuple[int, ...] = (85, 70, 50, 35, 20)
) -> tuple[Sheets, list[bytes]]:
    """Encode all sheets in at most so many bytes: first at a lower quality, then smaller.

    Parameters
    ----------
    sheets : Sheets
        As large as they may be.
    take : callable
        Returns the pixels of a range of rows.
    most : int
        Bytes of all sheets together.

    Returns
    -------
    tuple of Sheets and list of bytes
        No sheet where not even the smallest pictures fit.
    """
    for smaller in _sizes(sheets):
        for quality in qualities:
            first = smaller.encoded(take(smaller.rows(0)), quality)
            if len(first) * sheets.n / len(smaller.rows(0)) > 1.1 * most:
                continue
            made = [first, *(smaller.encoded(take(smaller.rows(i)), quality) for i in range(1, smaller.count))]
            if sum(map(len, made)) <= most:
                return smaller, made
    return smaller, []


def _sizes(sheets: Sheets) -> Iterator[Sheets]:
    side = max(sheets.height, sheets.width)
    while side >= SMALLEST_SIDE:
        yield Sheets.of(sheets.n, sheets.height, sheets.width, side=side)
        side = side * 3 // 4
