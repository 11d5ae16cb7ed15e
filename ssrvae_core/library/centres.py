"""Where the particle is in its crop: the point that an upright crop is turned about and shows in its middle.

A crop of a micrograph has neighbours in view, which draw the centroid of its grey levels to them; the mask of the
particle does not have them. Without masks, nothing says whether what is in view beside the particle is its neighbours
or whether it lies off the crop's centre; so both points are tried on some of the crops, and that one is taken about
which they are alike when they are turned.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from ssrvae_core.library.upright import upright

TRIED = 512
"""Crops that say which point is the better one."""

DISC = 0.45
"""Radius of what is compared, of the shorter side: corners are not in view of every turned crop."""


def intensity_centroid(images: Float[np.ndarray, "n channel height width"]) -> Float[np.ndarray, "n 2"]:
    """Return the point that the intensity is centred on, see :func:`ssrvae_core.geometry.centroid`."""
    import torch

    from ssrvae_core import geometry

    return geometry.centroid(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))).numpy()


def mask_centroid(masks: Bool[np.ndarray, "n height width"]) -> Float[np.ndarray, "n 2"]:
    """Return the centroid (x, y) of each mask, pixels right and up from the image's centre; 0 of an empty one."""
    height, width = masks.shape[1:]
    x, y = np.arange(width) - (width - 1) / 2, (height - 1) / 2 - np.arange(height)
    of_columns, of_rows = masks.sum(axis=1), masks.sum(axis=2)
    area = of_rows.sum(axis=1).clip(min=1)
    return (np.stack([of_columns @ x, of_rows @ y], axis=1) / area[:, None]).astype(np.float32)


def intensity_is_better(
    images: Float[np.ndarray, "n channel height width"],
    angle: Float[np.ndarray, " n"],
    frame: Int[np.ndarray, " n"],
    *,
    usual: bool,
) -> bool:
    """Whether crops are alike about the centroid of their grey levels, rather than about their own centres.

    Parameters
    ----------
    images : float32 array (N, C, H, W)
        Some crops, as seen.
    angle : float array (N,)
        Inferred angle of each, radians; NaN without rotation.
    frame : int array (N,)
        What is compared: crops that the model puts into one class.
    usual : bool
        What is returned where neither is better.
    """
    about_centroid = _likeness(upright(images, angle, intensity_centroid(images)), frame)
    about_centre = _likeness(upright(images, angle, np.zeros((len(images), 2), dtype=np.float32)), frame)
    return usual if np.isclose(about_centroid, about_centre, atol=1e-3) else bool(about_centroid > about_centre)


def _likeness(turned: Float[np.ndarray, "n channel height width"], frame: Int[np.ndarray, " n"]) -> float:
    """Return the mean correlation of crops with the average of all others of their class; 0 where there are none."""
    height, width = turned.shape[2:]
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) < DISC * min(height, width)
    inside = turned[:, :, disc].mean(axis=1, dtype=np.float64)
    found = [np.zeros(0)]
    for number in np.unique(frame):
        own = inside[frame == number]
        if len(own) > 1:
            others = (own.sum(axis=0) - own) / (len(own) - 1)
            found.append(_correlation(own, others))
    each = np.concatenate(found)
    return float(each.mean()) if len(each) else 0.0


def _correlation(a: Float[np.ndarray, "n pixels"], b: Float[np.ndarray, "n pixels"]) -> Float[np.ndarray, " n"]:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.where(size > 0, (a * b).sum(axis=1) / np.where(size > 0, size, 1), 0.0)
