"""Views of a data set: the images as they are, the silhouettes, or the contrast-normalised objects on black."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ssrvae_core.config import UserError, choose
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.stored import Array, blocks, in_memory

PERCENTILES = (1.0, 99.0)
"""Grey levels inside the mask that become the darkest and the brightest: robust against a few hot pixels."""

DARKEST = 0.5
"""The darkest level inside the mask: the step at the outline is at least as large as any contrast inside."""


def view(images: ImageSet, name: str) -> ImageSet:
    """Return a view of the data set, and of its samples as labelled ones.

    Parameters
    ----------
    images : ImageSet
        A data set, with masks unless ``name`` is ``"image"``.
    name : str
        ``"image"``: as it is. ``"mask"``: the silhouette, one channel, 1 inside and 0 outside. ``"masked"``: inside
        the mask the grey levels between the 1st and 99th percentile of each image and channel go to [0.5, 1], dark
        staying darker than bright; outside is 0. So neither background nor overall grey level is left to tell a class.

    Raises
    ------
    UserError
        If the data set has no masks, or an image's mask is empty.
    """
    if name == "image":
        return images
    draw = choose("view", VIEWS, name)

    def apply(samples: ImageSet) -> ImageSet:
        return replace(samples, images=draw(samples.images, _masks(samples, name)))

    as_labelled = images.as_labelled
    seen = apply(images)
    return seen if as_labelled is None else replace(seen, as_labelled=lambda positions: apply(as_labelled(positions)))


def check_masks(masks: Array | None, name: str) -> Array:
    """Return masks (N, H, W) that a view can be drawn with.

    Raises
    ------
    UserError
        If there are none, or one is empty.
    """
    if masks is None:
        raise UserError(f"The data set has no masks, so it has no view '{name}'; a file with a field 'masks' has.")
    empty = np.concatenate([~masks[rows].any(axis=(1, 2)) for rows in blocks(masks)])
    if empty.any():
        raise UserError(f"The mask of image {empty.argmax()} is empty; give every image a mask, or view 'image'.")
    return masks


def _masks(images: ImageSet, name: str) -> np.ndarray:
    return in_memory(check_masks(images.masks, name))


def _silhouettes(_: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return masks[:, None].astype(np.float32)


def _masked(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    out = np.zeros_like(images)
    for image, mask, target in zip(images, masks, out, strict=True):
        inside = image[:, mask]
        low, high = np.percentile(inside, PERCENTILES, axis=1, keepdims=True)
        span = np.where(high > low, high - low, 1)
        target[:, mask] = DARKEST + (1 - DARKEST) * np.clip((inside - low) / span, 0, 1)
    return out


VIEWS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"mask": _silhouettes, "masked": _masked}
"""Views that need masks: (images (N, C, H, W), masks (N, H, W)) -> images."""
