"""TIFF files: one road to the pixels, whatever their compression, depth, colours and layout.

A file is one file. Libraries that gather a series also look for its other files, by names in the file's own text or
by what lies beside it; so the directory of pages is read here, and no name in a file is ever followed.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import LeftOut, Pages
from ssrvae_core.data.formats import readable
from ssrvae_core.data.pictures.calibration import pixel_size
from ssrvae_core.data.pictures.codecs import JPEG
from ssrvae_core.data.pictures.ifd import DESCRIPTION, byte_order, numbers, read_directories, text
from ssrvae_core.data.pictures.ome import ome_root
from ssrvae_core.data.pictures.pixels import (
    PARSER_DAMAGES,
    TURNS,
    check_room,
    from_cmyk,
    from_ycbcr,
    upright,
    without_alpha,
)
from ssrvae_core.data.pictures.tiff_axes import arrange
from ssrvae_core.data.pictures.tiff_page import CMYK, MINISWHITE, YCBCR, Page
from ssrvae_core.data.pictures.tiff_samples import read_samples


def read_tiff(path: Path, room: int) -> Pages:
    """Read the images of a TIFF file.

    Parameters
    ----------
    path : pathlib.Path
    room : int
        Most pixel values.

    Raises
    ------
    UserError
        If it is damaged, too large, or stored in a way that is not read; or its pages are unlike one another.
    """
    with readable(path, "a TIFF file", lzma.LZMAError, *PARSER_DAMAGES), path.open("rb") as stream:
        order = byte_order(stream.read(2))
        found = [Page(tags, index, order) for index, tags in enumerate(read_directories(stream, path))]
        pages, left_out = _full_pages(found)
        for page in pages:
            page.check(path)
        _check_alike(pages, path)
        ome = ome_root(text(pages[0].tags, DESCRIPTION))
        arrangement = arrange(pages, path, stream.seek(0, 2), ome)
        images = _images(arrangement.images, stream, path, room)
    size = pixel_size(pages[0].tags, ome)
    if size and pages[0].orientation in TURNS:
        size = size[::-1]
    return Pages(images, size, (*left_out, *arrangement.left_out), arrangement.remarks)


def _full_pages(found: Sequence[Page]) -> tuple[list[Page], list[LeftOut]]:
    """Pages that are images, and what there is beside: smaller copies, masks, and pages within pages."""
    masks = [page for page in found if page.is_mask]
    others = [page for page in found if not page.is_mask]
    full = [page for page in others if not page.is_reduced] or others
    if not full:
        raise ValueError("it holds masks alone")
    counts = {
        ("pages of reduced resolution", "they repeat larger pages"): len(others) - len(full),
        ("transparency masks", "they are not images"): len(masks),
        ("pages within pages", "they repeat them, usually at a lower resolution"): sum(
            len(numbers(page.tags, 330)) for page in full
        ),
    }
    return full, [LeftOut(what, why, count) for (what, why), count in counts.items() if count]


def _check_alike(pages: Sequence[Page], path: Path) -> None:
    """Refuse pages of unlike size, depth or colours."""
    first = pages[0]
    odd = next((page for page in pages if page.kind != first.kind), None)
    if odd is not None:
        raise UserError(
            f"Page {odd.index} of {path} has {odd}, but page {first.index} has {first}; save only pages of one kind in"
            " one file."
        )


def _images(groups: Sequence[Sequence[Page]], stream: IO[bytes], path: Path, room: int) -> np.ndarray:
    """Fill the array of all images page by page."""
    first = groups[0][0]
    height, width, channels = first.shape
    shape = (len(groups), height, width, channels * len(groups[0]))
    check_room(path, shape, room)
    images = np.empty(shape, dtype=first.pixel_type)
    for image, group in zip(images, groups, strict=True):
        for at, page in enumerate(group):
            image[..., at * channels : (at + 1) * channels] = _pixels(page, stream)
    return images


def _pixels(page: Page, stream: IO[bytes]) -> np.ndarray:
    """Pixels (H, W, C) of a page: in colours or grey levels, without alpha, upright."""
    samples = read_samples(page, stream)
    if page.palette is not None:
        samples = page.palette[samples[..., 0].astype(np.intp)]
    elif page.photometric == MINISWHITE:
        samples[..., : page.samples - len(page.extra)] = _inverted(samples[..., : page.samples - len(page.extra)], page)
    if page.palette is None and 1 < page.bits < 8:
        samples = _eight_bit_levels(page.bits)[samples]
    if page.alpha is not None:
        colour = samples[..., : page.samples - len(page.extra)]
        is_associated = page.extra[page.alpha - page.samples + len(page.extra)] == 1
        samples = colour if is_associated else without_alpha(np.dstack([colour, samples[..., page.alpha]]))
    if page.photometric == CMYK:
        samples = from_cmyk(samples[..., :4])
    if page.photometric == YCBCR and page.compression != JPEG:
        samples = from_ycbcr(samples[..., :3])
    return upright(samples, page.orientation)


def _inverted(grey: np.ndarray, page: Page) -> np.ndarray:
    """Grey levels of samples whose white is zero; the white of floats is one."""
    if page.dtype.kind == "b":
        return ~grey
    if page.dtype.kind == "i":
        return -1 - grey
    if page.dtype.kind == "f":
        return 1 - grey
    return np.subtract(grey.dtype.type(2**page.bits - 1), grey)


def _eight_bit_levels(bits: int) -> np.ndarray:
    """Grey levels of 2 to 7 bits, spread over the 8 bits they are kept in."""
    return np.rint(np.arange(2**bits) * (255 / (2**bits - 1))).astype(np.uint8)
