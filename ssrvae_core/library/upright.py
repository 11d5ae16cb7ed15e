"""Crops turned by minus the inferred angle about the particle's centre."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

BATCH = 256
"""Images that are turned at a time."""


def upright(
    images: Float[np.ndarray, "n channel height width"],
    angle: Float[np.ndarray, " n"],
    middle: Float[np.ndarray, "n 2"],
) -> Float[np.ndarray, "n channel height width"]:
    """Turn images by minus their angle, bilinearly; what comes from outside is the nearest border pixel.

    Parameters
    ----------
    images : float32 array (N, C, H, W)
        As seen.
    angle : float array (N,)
        Radians, counter-clockwise; an image whose angle is NaN is not turned.
    middle : float array (N, 2)
        The point of each that is brought to the centre, pixels right and up from it.
    """
    import torch

    from ssrvae_core import geometry

    out = np.empty_like(images, dtype=np.float32)
    for rows in batches(len(images)):
        x = torch.from_numpy(np.ascontiguousarray(images[rows], dtype=np.float32))
        turned = geometry.rotation(torch.from_numpy(np.nan_to_num(angle[rows]).astype(np.float32)))
        about = torch.from_numpy(np.ascontiguousarray(middle[rows], dtype=np.float32))
        points = geometry.pixel_points(*x.shape[-2:])
        out[rows] = geometry.sample_moved(x, points, turned, about).numpy()
    return out


def batches(n: int, size: int = BATCH) -> Iterator[slice]:
    """Yield slices that cover n rows."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
