"""Which pages of a TIFF file make up an image: channels beside one another, times and planes one after the other.

ImageJ, OME and tifffile describe that in the first page's text. File names in these texts are never followed: a file
is one file, and what lies in others is counted as left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import LeftOut
from ssrvae_core.data.pictures.ifd import DESCRIPTION, MAX_PAGES, UIC2, number, text
from ssrvae_core.data.pictures.ome import Element, is_ome, ome_planes
from ssrvae_core.data.pictures.tiff_page import Page

COLOURS_AT_MOST = 4
"""Pages that are taken as channels of a single image without a remark: programs call the pages of a stack so, too."""

MAX_AXES = 16
"""Most axes of an array that are believed."""


@dataclass(frozen=True)
class Arrangement:
    """The images of a file: of every image, the pages that are its channels; and what was left out or assumed."""

    images: Sequence[Sequence[Page]]
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()


def arrange(pages: Sequence[Page], path: Path, size: int, ome: Element | None) -> Arrangement:
    """Tell which pages make up an image.

    Parameters
    ----------
    pages : sequence of Page
        Those at full resolution.
    path : pathlib.Path
        Of the file, for the messages and to find its own planes by its name.
    size : int
        Bytes of the file.
    ome : Element or None
        The OME-XML of the first page, None where it has none or it cannot be parsed.

    Raises
    ------
    UserError
        If the axes are none of images.
    ValueError
        If the file declares more planes than it holds.
    """
    found = _arranged(pages, path, size, ome)
    if len(found.images) > 1 or len(found.images[0]) <= COLOURS_AT_MOST:
        return found
    remark = (
        f"{path.name} says that its {len(found.images[0])} pages are the channels of one image; save it with the axes"
        " TYX if every page is an image."
    )
    return replace(found, remarks=(*found.remarks, remark))


def _arranged(pages: Sequence[Page], path: Path, size: int, ome: Element | None) -> Arrangement:
    description = text(pages[0].tags, DESCRIPTION)
    if is_ome(description):
        return _ome(pages, ome, path)
    if description.startswith("ImageJ="):
        return _imagej(pages, description, path, size)
    if description.startswith('{"shape":'):
        return Arrangement(list(_shaped(pages, path, size)))
    if UIC2 in pages[0].tags and len(pages) == 1:
        pages = _continued(pages[0], number(pages[0].tags, UIC2, 1), size)
    return Arrangement([(page,) for page in pages])


def _continued(page: Page, count: int, size: int) -> list[Page]:
    """Return the pages behind a single directory, whose pixels follow those of the first page in one piece.

    Raises
    ------
    ValueError
        If they do not, or the file ends before.
    """
    if count <= 1:
        return [page]
    if count > MAX_PAGES:
        raise ValueError(f"it declares {count:,} pages, more than the {MAX_PAGES:,} that are read at once")
    if not page.is_contiguous:
        raise ValueError(f"it declares {count:,} pages but describes one, in pieces")
    if int(number(page.tags, 273, 0)) + count * page.nbytes > size:
        raise ValueError(f"it declares {count:,} pages but ends before the last one")
    return [replace(page, index=page.index + k, shift=k * page.nbytes) for k in range(count)]


def _imagej(pages: Sequence[Page], description: str, path: Path, size: int) -> Arrangement:
    """Pages of a hyperstack: the channels of a plane follow one another, then the planes, then the times."""
    values = dict(line.partition("=")[::2] for line in description.splitlines())
    count, channels = (_whole(values.get(name, "1")) for name in ("images", "channels"))
    if len(pages) == 1:
        pages = _continued(pages[0], count, size)
    channels = max(1, channels)
    if len(pages) % channels:
        remark = (
            f"{path.name} declares {channels} channels but holds {len(pages)} pages, so every page is taken as an"
            " image of its own; save it again as a hyperstack if the channels belong together."
        )
        return Arrangement([(page,) for page in pages], remarks=(remark,))
    return Arrangement([pages[at : at + channels] for at in range(0, len(pages), channels)])


def _whole(value: str) -> int:
    return int(value) if value.strip().isascii() and value.strip().isdecimal() and len(value) < 12 else 1


def _shaped(pages: Sequence[Page], path: Path, size: int) -> Iterator[Sequence[Page]]:
    """Images of a file that tifffile wrote, which describes every array at its first page."""
    at = 0
    while at < len(pages):
        shape, axes = _declared_shape(text(pages[at].tags, DESCRIPTION))
        page = pages[at]
        values = page.height * page.width * page.samples
        if math.prod(shape) % values:
            shape, axes = (), ""  # a text that was kept while the pages were changed
        count = math.prod(shape) // values if shape else 1
        run = pages[at : at + count]
        at += len(run)
        if len(run) == 1 and count > 1:
            run = _continued(page, count, size)
        yield from _by_axes(run, shape, axes, path)


def _declared_shape(description: str) -> tuple[tuple[int, ...], str]:
    """Return the shape and the axes that tifffile noted, both empty where there are none."""
    if not description.startswith('{"shape":'):
        return (), ""
    try:
        declared: Any = json.loads(description)
    except (ValueError, RecursionError):
        return (), ""
    shape, axes = declared["shape"], declared.get("axes")
    is_shape = isinstance(shape, list) and len(shape) <= MAX_AXES
    if not is_shape or not all(isinstance(side, int) and 0 < side < 2**32 for side in shape):
        return (), ""
    known = isinstance(axes, str) and len(axes) == len(shape)
    return tuple(shape), axes if known else ""


def _by_axes(run: Sequence[Page], shape: tuple[int, ...], axes: str, path: Path) -> Iterator[Sequence[Page]]:
    """Bring the axis of channels last, if pages are channels."""
    leading = next((n for n in range(len(shape) + 1) if math.prod(shape[:n]) == len(run)), None)
    if not axes or leading is None:
        yield from ((page,) for page in run)
        return
    if not {"Y", "X"} <= set(axes[leading:]):
        raise UserError(
            f"The pages of {path} have the axes '{axes[leading:]}' of '{axes}' and not Y and X; save a stack of images."
        )
    order = np.arange(len(run)).reshape(shape[:leading])
    channel = next((axes.index(axis) for axis in "CS" if axis in axes[:leading]), None)
    order = order[..., None] if channel is None else np.moveaxis(order, channel, -1)
    yield from ([run[at] for at in group] for group in order.reshape(-1, order.shape[-1]))


def _ome(pages: Sequence[Page], ome: Element | None, path: Path) -> Arrangement:
    """Planes of this file alone."""
    planes = ome_planes(ome, path.name, {page.index: page.samples for page in pages})
    left_out = planes.left_out
    if not planes.images:
        remark = (
            f"What {path.name} says of its planes fits none of its pages, so every page is taken as an image; save it"
            " again as one OME-TIFF file if the pages are channels."
        )
        return Arrangement([(page,) for page in pages], left_out, (remark,))
    remarks: tuple[str, ...] = ()
    if planes.apart:
        remarks = (
            f"{path.name} does not hold the same channels of every plane, so every plane is taken as an image of one"
            " channel; save all channels in one file to have them as channels of an image.",
        )
    numbered = {page.index: page for page in pages}
    return Arrangement([[numbered[ifd] for ifd in image] for image in planes.images], left_out, remarks)
