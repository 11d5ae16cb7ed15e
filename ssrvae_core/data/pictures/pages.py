"""One picture file of any format, told by its first bytes: a suffix may lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssrvae_core.data.contents import Contents, Fields, Pages
from ssrvae_core.data.formats import readable
from ssrvae_core.data.limits import MAX_VALUES
from ssrvae_core.data.pictures.pixels import grey_if_grey
from ssrvae_core.data.pictures.raster import read_raster
from ssrvae_core.data.pictures.tiff import read_tiff

TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", *TIFF_SUFFIXES, ".bmp", ".jfif", ".jpe", ".webp", ".gif"),
    *(".pgm", ".ppm", ".pnm", ".jp2"),
)

TIFF = "TIFF"
STARTS = (
    *((start, TIFF) for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    *((start, "GIF") for start in (b"GIF87a", b"GIF89a")),
    *((start, "JPEG2000") for start in (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    (b"BM", "BMP"),
    *((b"P" + letter, "PPM") for letter in (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F")),
)


def read_pages(path: Path, room: int = MAX_VALUES) -> Pages:
    """Read the images of one picture file, without looking at any other file.

    Parameters
    ----------
    path : pathlib.Path
    room : int, optional
        Most pixel values, where a folder has already used some.

    Returns
    -------
    Pages
        Images (N, H, W, C) with the stored type in native byte order. Pages, planes and times are images; colours,
        and what the file calls channels, are channels. Pictures in colour that hold grey alone have one channel.

    Raises
    ------
    UserError
        If it is not a picture that is read, damaged, or too large.
    """
    kind = _kind(path)
    pages = read_tiff(path, room) if kind == TIFF else read_raster(path, room, kind)
    return Pages(grey_if_grey(pages.images), pages.pixel_size, pages.left_out, pages.remarks)


def read_picture(path: Path) -> Contents:
    """Read one picture, or the pages of one TIFF, as unlabelled images.

    Where the file says it, the field ``pixel_size`` is the height and width of a pixel in nanometres, (N, 2).
    """
    pages = read_pages(path)
    fields: Fields = {"images": pages.images}
    if pages.pixel_size is not None:
        fields["pixel_size"] = np.tile(np.array(pages.pixel_size, dtype=np.float64), (len(pages.images), 1))
    return Contents(fields, pages.left_out, pages.remarks)


def _kind(path: Path) -> str:
    with readable(path, "a picture"):
        with path.open("rb") as stream:
            start = stream.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"WEBP":
            return "WEBP"
        kind = next((kind for first, kind in STARTS if start.startswith(first)), None)
        if kind is None:
            raise ValueError("its first bytes are those of no known format" if start else "it is empty")
        return kind
