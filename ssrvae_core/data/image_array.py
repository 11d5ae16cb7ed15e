"""The images of a file as one array: its axes, its numbers, and its grey levels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.grey import Scale, scale_of, whole_range
from ssrvae_core.data.limits import MIN_SIDE, check_declared, check_rows
from ssrvae_core.data.stored import Array, StoredArray, blocks, ends

MOST_CHANNELS = 4
"""Most channels of an image whose axes have to be guessed: grey, two detectors, colour, colour and alpha."""


def checked_images(fields: Mapping[str, Array], path: Path) -> Array:
    """Return the images (N, H, W, C) as they are stored, in whatever type and byte order.

    Raises
    ------
    UserError
        If there are none, or they are not images.
    """
    if "images" not in fields:
        found = ", ".join(f"'{name}'" for name in fields) or "none that is known"
        raise UserError(f"{path} has no field 'images' (found: {found}); store the images under that name.")
    stored = fields["images"]
    if stored.ndim not in (3, 4):
        raise UserError(
            f"The field 'images' of {path} has the shape {stored.shape}; store it as (N, height, width) or"
            " (N, height, width, channels)."
        )
    (check_rows if isinstance(stored, StoredArray) else check_declared)(path, "images", stored.shape)
    if stored.dtype.kind not in "buif":
        raise UserError(
            f"The field 'images' of {path} has the type {stored.dtype}; store it as integers, floats or bool."
        )
    channels_last = _channels_last(stored)
    n, height, width, channels = channels_last.shape
    if not n or not channels:
        raise UserError(f"The field 'images' of {path} is empty (shape {stored.shape}); store at least one image.")
    if min(height, width) < MIN_SIDE:
        raise UserError(
            f"The images of {path} are {height} x {width} pixels, but at least {MIN_SIDE} x {MIN_SIDE} are needed;"
            " the order of the axes is (N, height, width, channels)."
        )
    _check_numbers(channels_last, path)
    return channels_last


def are_channels_first(shape: tuple[int, ...], least: int = MIN_SIDE) -> bool:
    """Whether images of this shape (N, a, b, c) are (N, channels, height, width), as torch has them.

    ``least`` is the smallest side of an image.
    """
    _, first, height, last = shape
    if last <= MOST_CHANNELS and min(first, height) >= least:
        return False
    return 0 < first <= MOST_CHANNELS and min(height, last) >= least


def grey_levels(
    images: Array, path: Path, intensity: tuple[float, float] | None, scale: Scale | None = None
) -> tuple[float, float]:
    """Return the grey levels of a file that become 0 and 1.

    Parameters
    ----------
    images : array or StoredArray (N, H, W, C)
        As they are stored.
    path : pathlib.Path
        Where they come from, for the messages.
    intensity : (float, float), optional
        As in :func:`ssrvae_core.data.fields.image_set`.
    scale : Scale, optional
        What :func:`ssrvae_core.data.grey.scale_of` says of the images, where that is known already.

    Raises
    ------
    UserError
        If nothing says which they are, or the images would be all one grey level on their scale.
    """
    if intensity is None:
        scale = scale or scale_of(images)
        if not scale.told_by_type and images.dtype.kind == "f":
            darkest, brightest = ends(images)
            raise UserError(
                f"The field 'images' of {path} holds floats from {darkest:g} to {brightest:g}, but where a run"
                " has no grey levels of its own (dataset.intensity) they must lie in [0, 1]; scale them as the run's"
                " training images were."
            )
        return whole_range(images.dtype) or (scale.black, scale.white)
    black, white = intensity
    darkest, brightest = ends(images)
    levels = np.clip((np.array([darkest, brightest]) - black) / (white - black), 0, 1).astype(np.float32)
    if levels[0] == levels[1]:
        raise UserError(
            f"The field 'images' of {path} goes from {darkest:g} to {brightest:g}, which is all"
            f" one grey level on the scale from {black:g} (black) to {white:g} (white); choose grey levels within the"
            " range of the images."
        )
    return black, white


def _channels_last(stored: Array) -> Array:
    """Return images (N, H, W, C) of (N, H, W), (N, H, W, C) or (N, C, H, W)."""
    if isinstance(stored, StoredArray):
        shape = _channels_last(np.broadcast_to(np.zeros(1), stored.shape)).shape
        return stored if shape == stored.shape else stored.mapped(lambda rows: _of_shape(rows, shape), shape)
    channels_last = stored[..., None] if stored.ndim == 3 else stored
    return np.moveaxis(channels_last, 1, 3) if are_channels_first(channels_last.shape) else channels_last


def _of_shape(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return rows as images of this shape: with an axis of channels, or with that moved to the end."""
    return rows[..., None] if rows.ndim == 3 else np.moveaxis(rows, 1, 3)


def _check_numbers(images: Array, path: Path) -> None:
    """Refuse what is not a finite number, and images without any contrast."""
    if images.dtype.kind == "f":
        finite = np.concatenate([np.isfinite(images[rows]).all(axis=(1, 2, 3)) for rows in blocks(images)])
        if not finite.any() and not any(np.isfinite(images[rows]).any() for rows in blocks(images)):
            raise UserError(f"The field 'images' of {path} holds no finite number at all; save the images again.")
        if not finite.all():
            raise UserError(
                f"The field 'images' of {path} holds NaN or infinity, first in image {finite.argmin()}"
                f" ({(~finite).sum():,} of {len(images):,} images); replace or drop them."
            )
    darkest, brightest = ends(images)
    if darkest == brightest:
        raise UserError(f"Every pixel in the field 'images' of {path} has the same value; there is nothing to learn.")
