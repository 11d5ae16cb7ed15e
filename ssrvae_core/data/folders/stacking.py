"""Many picture files as one array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import LeftOut, Pages, summed
from ssrvae_core.data.folders.spool import Spool
from ssrvae_core.data.limits import MAX_VALUES
from ssrvae_core.data.stored import Array, StoredArray, blocks


@dataclass(frozen=True)
class Stack:
    """The pages of several files.

    Attributes
    ----------
    images : array or StoredArray (N, H, W, C)
        All pages, file by file.
    counts : int array (F,)
        Pages of each file.
    pixel_size : float64 array (N, 2) or None
        Height and width of a pixel in nanometres, NaN where it is not known; None where it is known of no page.
    left_out, remarks
        As in :class:`ssrvae_core.data.contents.Contents`.
    """

    images: Array
    counts: np.ndarray
    pixel_size: np.ndarray | None
    left_out: tuple[LeftOut, ...]
    remarks: tuple[str, ...]


def stack(files: Sequence[Path], source: Path, read: Callable[[Path, int], Pages], *, held: bool = True) -> Stack:
    """Read all pages of all files.

    Parameters
    ----------
    files : sequence of Path
        At least one.
    source : Path
        The folder they are in, for the messages.
    read : callable
        ``(file, room) -> Pages``, refusing more than ``room`` pixel values.
    held : bool
        Whether all of them have to be such as can be held in memory; otherwise more go into a temporary file.

    Raises
    ------
    UserError
        If they have not one size, one depth and one colour, or hold too much; the sentence names two of them.
    """
    parts: list[Pages] = []
    room, spool = MAX_VALUES, None
    for file in files:
        pages = read(file, room if held else MAX_VALUES)
        if parts:
            _check_alike(file, pages.images, files[0], parts[0].images, source)
        room -= pages.images.size
        if room < 0 and spool is None:
            spool = Spool()
            parts = [spool.keep(before) for before in parts]
        parts.append(pages if spool is None else spool.keep(pages))
    counts = np.array([len(pages.images) for pages in parts])
    channels = max(pages.images.shape[3] for pages in parts)
    odd = next((i for i, pages in enumerate(parts) if pages.images.shape[3] not in (1, channels)), None)
    if odd is not None:
        found = parts[odd].images.shape[3]
        raise UserError(
            f"{files[odd]} has {found} channels but others in {source} have {channels}; save all of them alike."
        )
    pixel_size = _pixel_sizes(parts, counts)
    left_out = summed(entry for pages in parts for entry in pages.left_out)
    remarks = tuple(dict.fromkeys(remark for pages in parts for remark in pages.remarks))
    images: Array = _joined(parts, int(counts.sum()), channels) if spool is None else spool.array(channels)
    if channels == 3 and all(bool((some == _grey(some)).all()) for some in (images[rows] for rows in blocks(images))):
        grey = (*images.shape[:3], 1)  # grey pictures that were saved in colour
        images = images.mapped(_grey, grey) if isinstance(images, StoredArray) else _grey(images)
    return Stack(images, counts, pixel_size, left_out, remarks)


def _grey(images: np.ndarray) -> np.ndarray:
    return images[..., :1]


def _check_alike(file: Path, images: np.ndarray, first_file: Path, first: np.ndarray, source: Path) -> None:
    if images.shape[1:3] != first.shape[1:3]:
        raise UserError(
            f"{file} is {_size(images)} pixels but {first_file} is {_size(first)}; all images of {source} must have one"
            " size, so crop or pad them first."
        )
    if images.dtype != first.dtype:
        raise UserError(
            f"{file} has {images.dtype} pixels but {first_file} has {first.dtype}; save all images of {source} with one"
            " depth."
        )


def _joined(parts: list[Pages], n: int, channels: int) -> np.ndarray:
    """Put the pages into one array, giving each part's memory back as soon as it is copied; ``parts`` is emptied."""
    if len(parts) == 1:
        return parts.pop().images
    first = parts[0].images
    images = np.empty((n, *first.shape[1:3], channels), dtype=first.dtype)
    del first
    end = n
    while parts:
        own = parts.pop().images
        images[end - len(own) : end] = own
        end -= len(own)
    return images


def _pixel_sizes(parts: Sequence[Pages], counts: np.ndarray) -> np.ndarray | None:
    if all(pages.pixel_size is None for pages in parts):
        return None
    sizes = [(np.nan, np.nan) if pages.pixel_size is None else pages.pixel_size for pages in parts]
    return np.repeat(np.array(sizes, dtype=np.float64), counts, axis=0)


def _size(images: np.ndarray) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"
