"""One page of a TIFF file: what its tags declare, and its samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.limits import check_declared
from ssrvae_core.data.pictures.codecs import BILEVEL, JPEG, NONE, READ_COMPRESSIONS, compression_name
from ssrvae_core.data.pictures.ifd import Tags, number, numbers
from ssrvae_core.data.pictures.pixels import TURNS

MINISWHITE, MINISBLACK, RGB, PALETTE, MASK, CMYK, YCBCR = range(7)
COLOURS = {MINISWHITE: "grey", MINISBLACK: "grey", RGB: "colour", PALETTE: "colour", CMYK: "colour", YCBCR: "colour"}
OTHER_COLOURS = {8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32803: "a camera's colour filters", 32844: "LogL"}
OTHER_COLOURS |= {32845: "LogLuv", 34892: "raw camera data"}
ALPHA_SAMPLES = (1, 2)  # TIFF 6.0, ExtraSamples: associated and unassociated alpha
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4
MAX_SEGMENTS = 2**18
MAX_SAMPLES = 2**10


@dataclass(frozen=True)
class Page:
    """A page by its tags; ``shift`` is the place of its pixels behind those that the tags give, in bytes."""

    tags: Tags
    index: int
    order: Literal["<", ">"]
    shift: int = 0

    @cached_property
    def height(self) -> int:
        """Rows as stored."""
        return number(self.tags, 257, 0)

    @cached_property
    def width(self) -> int:
        """Columns as stored."""
        return number(self.tags, 256, 0)

    @cached_property
    def samples(self) -> int:
        """Numbers per pixel."""
        return number(self.tags, 277, 1)

    @cached_property
    def bits(self) -> int:
        """Bits of a sample."""
        return number(self.tags, 258, 1)

    @cached_property
    def compression(self) -> int:
        """The code of the compression, 1 where there is none."""
        return number(self.tags, 259, NONE)

    @cached_property
    def photometric(self) -> int:
        """How samples become colours."""
        return number(self.tags, 262, RGB if self.samples in (3, 4) else MINISBLACK)

    @cached_property
    def planes(self) -> int:
        """Parts in which the samples are stored one after the other: one, or one per sample."""
        return self.samples if number(self.tags, 284, 1) == 2 else 1

    @cached_property
    def is_tiled(self) -> bool:
        """Whether it is stored in tiles instead of strips."""
        return 322 in self.tags

    @cached_property
    def segment(self) -> tuple[int, int]:
        """Rows and columns of a strip or tile."""
        if self.is_tiled:
            return number(self.tags, 323, 0), number(self.tags, 322, 0)
        rows = number(self.tags, 278, self.height)
        return (min(rows, self.height) if rows > 0 else self.height), self.width

    @cached_property
    def grid(self) -> tuple[int, int]:
        """Strips or tiles down and across."""
        (height, width), (h, w) = (self.height, self.width), self.segment
        return -(-height // h), -(-width // w)

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of a row of a strip or tile."""
        return -(-self.segment[1] * (self.samples // self.planes) * self.bits // 8)

    @cached_property
    def dtype(self) -> np.dtype:
        """Type of a sample; bool where it has one bit."""
        form = number(self.tags, 339, UNSIGNED)
        if self.bits == 1:
            return np.dtype(bool)
        if form in (UNSIGNED, UNDEFINED) and (1 < self.bits <= 16 or self.bits in (32, 64)):
            return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if self.bits <= 8 * size)}")
        if form == SIGNED and self.bits in (8, 16, 32, 64):
            return np.dtype(f"i{self.bits // 8}")
        if form == FLOAT and self.bits in (16, 32, 64):
            return np.dtype(f"f{self.bits // 8}")
        raise ValueError(f"page {self.index} has samples of {self.bits} bits in the format {form}")

    @cached_property
    def extra(self) -> tuple[int, ...]:
        """What the samples beyond the colours are, as many as there are."""
        return tuple(numbers(self.tags, 338))[: max(0, self.samples - 1)]

    @cached_property
    def alpha(self) -> int | None:
        """The sample that is the alpha, None without one."""
        at = next((at for at, kind in enumerate(self.extra) if kind in ALPHA_SAMPLES), None)
        return None if at is None else self.samples - len(self.extra) + at

    @cached_property
    def palette(self) -> np.ndarray | None:
        """Colours (2**bits, 3) of 8 bits, (2**bits, 1) where all are grey; None without a palette."""
        if self.photometric != PALETTE:
            return None
        if self.bits > 16 or self.samples != 1 or self.dtype.kind == "f":
            raise ValueError(f"page {self.index} has a palette but samples that are not its indices")
        levels = np.array(numbers(self.tags, 320), dtype=np.int64)
        if levels.size != 3 * 2**self.bits:
            raise ValueError(f"page {self.index} has no palette of {2**self.bits} colours")
        colours = (levels.reshape(3, -1).T >> 8).astype(np.uint8)
        return colours[:, :1] if (colours == colours[:, :1]).all() else colours

    @cached_property
    def channels(self) -> int:
        """Channels once palettes are resolved, and the alpha is composited away."""
        if self.palette is not None:
            return self.palette.shape[1]
        if self.photometric in (CMYK, YCBCR):
            return 3
        return self.samples if self.alpha is None else self.samples - len(self.extra)

    @cached_property
    def orientation(self) -> int:
        """How the stored rows and columns are turned, 1 to 8."""
        return number(self.tags, 274, 1)

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the upright image."""
        sides = (self.width, self.height) if self.orientation in TURNS else (self.height, self.width)
        return (*sides, self.channels)

    @cached_property
    def pixel_type(self) -> np.dtype:
        """Type of a pixel of the image: a palette's colours have 8 bits, and so have 2 to 7 bits of grey."""
        return np.dtype(np.uint8) if self.palette is not None else self.dtype

    @property
    def kind(self) -> tuple[tuple[int, int, int], np.dtype, int]:
        """What the pages of one file must share."""
        return self.shape, self.pixel_type, 8 if self.palette is not None else self.bits

    @property
    def is_reduced(self) -> bool:
        """Whether it repeats another page at a lower resolution."""
        return bool(number(self.tags, 254, 0) & 1) or number(self.tags, 255, 0) == 2

    @property
    def is_mask(self) -> bool:
        """Whether it says where another page is transparent."""
        return bool(number(self.tags, 254, 0) & 4) or self.photometric == MASK

    def __str__(self) -> str:
        kind = {"u": "-bit", "i": "-bit signed", "f": "-bit float", "b": "-bit"}[self.pixel_type.kind]
        bits = 8 if self.palette is not None else self.bits
        colour = "grey" if self.channels == 1 else "colour" if self.channels == 3 else f"with {self.channels} channels"
        return f"{self.shape[0]} x {self.shape[1]} pixels of {bits}{kind} {colour}"

    def check(self, path: Path) -> None:
        """Refuse a page by its tags, before any of its pixels are read.

        Raises
        ------
        UserError
            If it is too large, or stored in a way that is not read.
        ValueError
            If the tags contradict one another.
        """
        place = f"Page {self.index} of {path}"
        if min(self.height, self.width, self.samples, *self.segment) < 1:
            raise ValueError(f"page {self.index} has no pixels")
        check_declared(path, "images", (self.height, self.width, self.samples), self.bits // 8)
        padded = tuple(count * side for count, side in zip(self.grid, self.segment, strict=True))
        check_declared(path, "images", (*padded, self.samples), self.bits // 8)
        if math.prod(self.grid) * self.planes > MAX_SEGMENTS:
            raise ValueError(f"page {self.index} declares {math.prod(self.grid) * self.planes:,} strips or tiles")
        if self.compression not in READ_COMPRESSIONS:
            name = compression_name(self.compression)
            raise UserError(
                f"{place} has the compression {name}, which is not read; save it uncompressed, or in LZW or Deflate."
            )
        if self.photometric not in COLOURS:
            name = OTHER_COLOURS.get(self.photometric, f"the colour space {self.photometric}")
            raise UserError(f"{place} is in {name}, which is not read; save it as grey or RGB.")
        if number(self.tags, 32997, 1) > 1:
            raise UserError(f"{place} is a volume, which is not read; save its planes as pages.")
        if self.photometric == YCBCR and self.compression != JPEG and tuple(numbers(self.tags, 530)) != (1, 1):
            raise UserError(
                f"{place} stores its colours at a lower resolution (YCbCr), which is read in JPEG compression alone;"
                " save it as RGB."
            )
        self._check_samples()

    def _check_samples(self) -> None:
        if len(set(numbers(self.tags, 258)[: self.samples])) > 1:
            raise ValueError(f"page {self.index} has samples of several depths")
        if self.samples > MAX_SAMPLES or (self.compression == JPEG and self.samples not in (1, 3, 4)):
            raise ValueError(f"page {self.index} has {self.samples:,} samples per pixel")
        if self.compression in BILEVEL and (self.bits > 1 or self.samples > 1):
            raise ValueError(f"page {self.index} has a compression for one bit, but {self.bits} bits")
        if (self.compression == JPEG or self.photometric == YCBCR) and self.dtype != np.uint8:
            raise ValueError(f"page {self.index} has {self.bits} bits, but its compression or colours need 8")
        if self.photometric in (RGB, YCBCR) and self.samples < 3:
            raise ValueError(f"page {self.index} has colours but {self.samples} samples")
        if self.photometric == CMYK and (self.samples < 4 or self.dtype.kind != "u" or self.bits not in (8, 16)):
            raise ValueError(f"page {self.index} has inks of {self.samples} samples with {self.bits} bits")
        if len(numbers(self.tags, 324 if self.is_tiled else 273)) < math.prod(self.grid) * self.planes:
            raise ValueError(f"page {self.index} does not say where its pixels are")

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the pixels where they are stored in strips without compression."""
        return self.height * self.row_bytes * self.planes

    @property
    def is_contiguous(self) -> bool:
        """Whether the pixels lie in one piece without compression, so that more can follow."""
        if self.compression != NONE or self.is_tiled:
            return False
        needs = np.cumsum([0, *self.needs])
        offsets = numbers(self.tags, 273)
        return all(offset == offsets[0] + need for offset, need in zip(offsets, needs[:-1], strict=False))

    @cached_property
    def needs(self) -> list[int]:
        """Bytes of every strip or tile without compression, plane after plane."""
        rows, (down, across) = self.segment[0], self.grid
        if self.is_tiled:
            return [rows * self.row_bytes] * (down * across * self.planes)
        heights = [rows] * (down - 1) + [self.height - rows * (down - 1)]
        return [height * self.row_bytes for height in heights] * self.planes
