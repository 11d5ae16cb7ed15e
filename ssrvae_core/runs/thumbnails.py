"""Small pictures of a run's images, for where the file of its images is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.data_files import is_here, load_images

if TYPE_CHECKING:
    from ssrvae_core.runs.store import Run

LARGEST_SIDE, SMALLEST_SIDE = 64, 8
"""Most pixels along a side of a small picture, and the fewest that are worth to be kept."""
MAX_BYTES = 2**26
"""Most bytes of all small pictures of a run."""

DRAWN = frozenset({"cards", "particles", "digits"})
"""Sources whose images every program draws or has itself."""


@dataclass(frozen=True)
class Thumbnails:
    """Small pictures: ``pixels`` (N, H, W) grey or (N, H, W, 3), uint8, of the samples ``ids``, ascending."""

    ids: np.ndarray
    pixels: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Return them as they are kept in a file."""
        return {"ids": self.ids, "images": self.pixels}


def thumbnails(run: Run) -> Thumbnails | None:
    """Return the small pictures that a run came with, None where it came with none.

    Raises
    ------
    UserError
        If their file cannot be read.
    """
    arrays = directory.read_thumbnails(run.path)
    return None if arrays is None else Thumbnails(arrays["ids"], arrays["images"])


def can_share(run: Run) -> bool:
    """Whether small pictures of a run's images can be made or handed on, and are of use to anybody."""
    there = (run.path / directory.THUMBNAILS).exists()
    return run.config.dataset.source not in DRAWN and (there or is_here(run.dataset))


def to_share(run: Run, *, every: bool = False) -> Thumbnails | None:
    """Return small pictures of a finished run's images, None where any program draws the images itself.

    Parameters
    ----------
    run : Run
        The run. Where its images are not here, the pictures that it came with are returned.
    every : bool
        Whether to return those of all images, of a run that has classified all of them; else of the validation images.

    Raises
    ------
    UserError
        If neither the images nor the pictures that the run came with are here, or there are too many images.
    """
    if run.config.dataset.source in DRAWN:
        return None
    try:
        images = load_images(run.config.dataset, run.path.parent)
    except UserError:
        if (kept := thumbnails(run)) is not None:
            return kept
        raise
    particles = run.particles() if every else None
    ids = np.sort(run.predictions().ids) if particles is None else particles.ids
    order = np.argsort(images.ids)
    rows = order[np.searchsorted(images.ids, ids, sorter=order).clip(max=len(order) - 1)]
    if not np.array_equal(images.ids[rows], ids):
        raise UserError(f"The file of run {run.id} lacks some of its images; restore the file.")
    return Thumbnails(ids, shrunk(images.images, rows))


def shrunk(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows of images (N, C, H, W) in [0, 1] as small pictures, every pixel the mean of those it stands for.

    Raises
    ------
    UserError
        If there are so many that they would not fit into :data:`MAX_BYTES`.
    """
    from PIL import Image

    n, (channels, height, width) = len(rows), images.shape[1:]
    depth, side = (3 if channels == 3 else 1), min(LARGEST_SIDE, max(height, width))
    while n * depth * np.prod(_size(height, width, side)) > MAX_BYTES:
        side -= 1
    if side < SMALLEST_SIDE:
        raise UserError(
            f"Small pictures of {n:,} images take more than {MAX_BYTES >> 20} MB; export the run without thumbnails."
        )
    size = _size(height, width, side)
    small = np.empty((n, *size, *((3,) if depth == 3 else ())), np.uint8)
    for place, row in enumerate(rows.tolist()):
        picture = to_pixels(images[row])
        if size != (height, width):
            picture = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BOX))
        small[place] = picture
    return small


def _size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return height and width of an image whose longer side is to have this many pixels."""
    longer = max(height, width)
    return max(1, round(height * side / longer)), max(1, round(width * side / longer))


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Return images (..., C, H, W) in [0, 1] as bytes: (..., H, W, 3) if they have three channels, else their mean."""
    seen = np.moveaxis(images, -3, -1) if images.shape[-3] == 3 else images.mean(axis=-3)
    return np.round(255 * np.clip(seen, 0, 1)).astype(np.uint8)


def fault(arrays: Mapping[str, np.ndarray], ids: np.ndarray) -> str | None:
    """Return what is wrong with arrays that claim to be small pictures of these samples, None where nothing is."""
    if arrays.keys() != {"ids", "images"}:
        return "does not hold small pictures"
    pixels = arrays["images"]
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or pixels.shape[3:] not in ((), (3,)):
        return f"holds pictures of the type {pixels.dtype} and shape {pixels.shape}"
    if max(pixels.shape[1:3]) > LARGEST_SIDE or pixels.nbytes > MAX_BYTES:
        return f"holds pictures of more than {LARGEST_SIDE} x {LARGEST_SIDE} pixels or {MAX_BYTES >> 20} MB"
    if arrays["ids"].dtype != np.int64 or not np.array_equal(arrays["ids"], np.sort(ids)) or len(pixels) != len(ids):
        return "does not have one picture for each of the run's images"
    return None
