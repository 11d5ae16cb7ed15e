"""What every picture needs whatever its format: its limits, alpha composited away, turned upright, grey found grey."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.limits import MAX_VALUES, check_declared

PARSER_DAMAGES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, SyntaxError, TypeError),
    *(struct.error, zlib.error),
)  # all of them were seen to leave the picture libraries on damaged bytes

TURNS = {5, 6, 7, 8}
"""Orientations that exchange height and width."""


def check_room(path: Path, shape: Sequence[int], room: int) -> None:
    """Refuse images (N, H, W, C) by their declared shape: beyond the limits, or what a folder has left of them.

    Raises
    ------
    UserError
        If they are too many or too large.
    """
    check_declared(path, "images", shape)
    if math.prod(shape) > room:
        raise UserError(f"The folder of {path} holds more than {MAX_VALUES:,} pixel values; read fewer at once.")


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels (H, W, C) as an orientation tag of TIFF or EXIF says, 1 to 8; any other says nothing."""
    if orientation in TURNS:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def without_alpha(pixels: np.ndarray) -> np.ndarray:
    """Composite on black: what is transparent has no colour of its own, whatever its pixels say.

    Parameters
    ----------
    pixels : array (H, W, C + 1)
        The last channel is the alpha.
    """
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    largest = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
    if not (alpha < largest).any():
        return colour
    composited = np.empty_like(colour)
    for row, hues, shares in zip(composited, colour, alpha, strict=True):  # row by row, as the products are floats
        products = hues * (shares / largest)
        row[:] = np.rint(products) if pixels.dtype.kind in "iub" else products
    return composited


def from_cmyk(pixels: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) of unsigned ink densities (H, W, 4), without a colour profile."""
    largest = np.iinfo(pixels.dtype).max
    colours = np.empty((*pixels.shape[:-1], 3), dtype=pixels.dtype)
    for row, inks in zip(colours, pixels, strict=True):  # row by row, as the products are floats
        inkless = largest - inks.astype(np.float64)
        row[:] = np.rint(inkless[:, :3] * inkless[:, 3:] / largest)
    return colours


def from_ycbcr(pixels: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) of 8-bit luminance and chroma (H, W, 3)."""
    from PIL import Image

    size = pixels.shape[1::-1]
    return np.asarray(Image.frombytes("YCbCr", size, np.ascontiguousarray(pixels).tobytes()).convert("RGB"))


def grey_if_grey(images: np.ndarray) -> np.ndarray:
    """Keep one channel of images (N, H, W, 3) that were saved in colour but hold grey alone."""
    if images.shape[-1] == 3 and all((image == image[..., :1]).all() for image in images):
        return np.ascontiguousarray(images[..., :1])
    return images
