"""Pictures that Pillow reads: PNG, JPEG, BMP, GIF, WebP, portable grey and colour maps, JPEG 2000."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ssrvae_core.data.contents import LeftOut, Pages
from ssrvae_core.data.formats import readable
from ssrvae_core.data.limits import MAX_BYTES
from ssrvae_core.data.pictures.pixels import PARSER_DAMAGES, check_room, upright, without_alpha

ORIENTATION = 0x112
LONGEST = 2**16
"""Pixels of the longest side: a header that declares more is damaged, and Pillow is slow on such rows."""

SIXTEEN_BIT_COLOURS = (2, 4, 6)  # PNG: RGB, grey with alpha, RGB with alpha


def read_raster(path: Path, room: int, kind: str) -> Pages:
    """Read a picture in a format of Pillow; of an animation, the first frame.

    Parameters
    ----------
    path : pathlib.Path
    room : int
        Most pixel values.
    kind : str
        The format, by Pillow's name. No other one is tried.

    Raises
    ------
    UserError
        If it is damaged or too large.
    """
    with _opened(path, kind) as picture:
        if max(picture.size) > LONGEST:
            raise ValueError(f"it declares a side of {max(picture.size):,} pixels")
        check_room(path, (1, *picture.size[::-1], len(picture.getbands())), room)
        remarks = _remarks(path, kind)
        picture.load()
        orientation = picture.getexif().get(ORIENTATION, 1)
        pixels = upright(_pixels(picture), orientation if isinstance(orientation, int) else 1)
        is_animated = getattr(picture, "is_animated", False)
    left_out = (LeftOut("animations after their first frame", "only the first frame is read"),) if is_animated else ()
    return Pages(pixels[None], None, left_out, remarks)


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[Any]:
    """Open a picture with Pillow, which refuses decompression bombs by their header."""
    from PIL import Image, UnidentifiedImageError

    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    with readable(path, "a picture", *PARSER_DAMAGES, *bombs), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
        content = io.BytesIO(path.read_bytes())  # reading more than there is costs nothing, unlike from the file
        try:
            picture = Image.open(content, formats=[kind])
        except UnidentifiedImageError as error:
            raise ValueError(f"its {kind} header is damaged") from error
        with picture:
            yield picture


def _remarks(path: Path, kind: str) -> tuple[str, ...]:
    with path.open("rb") as stream:
        header = stream.read(26)
    if kind == "PNG" and len(header) == 26 and header[24] == 16 and header[25] in SIXTEEN_BIT_COLOURS:
        return (f"The 16-bit colours of {path.name} are read with 8 bits; save it as TIFF to keep all of them.",)
    return ()


def _pixels(picture: Any) -> np.ndarray:
    """Pixels (H, W, C) of a Pillow image: palettes resolved, alpha composited away."""
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if picture.mode == "PA" or "transparency" in picture.info else "RGB")
    if picture.mode in ("L", "RGB") and "transparency" in picture.info:
        picture = picture.convert("LA" if picture.mode == "L" else "RGBA")
    if picture.mode in ("1", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    if picture.mode in ("La", "RGBa"):
        picture = picture.convert(picture.mode.upper())
    pixels = np.asarray(picture)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if picture.mode == "I" and pixels.size and pixels.min() >= 0 and pixels.max() <= np.iinfo(np.uint16).max:
        pixels = pixels.astype(np.uint16)  # what Pillow makes of some 16-bit pictures
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    return without_alpha(pixels) if picture.mode in ("LA", "RGBA") else pixels
