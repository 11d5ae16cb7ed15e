"""Poses: how a drawn object is scaled, sheared, rotated and shifted, and the affine maps of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ssrvae_core.config import Disorder

POSE_FACTORS = ("angle", "shear_x", "shear_y", "scale", "shift_x", "shift_y")


def draw_poses(disorder: Disorder, n: int, size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw ``n`` poses, each factor uniform in its range.

    Parameters
    ----------
    disorder : Disorder
        The ranges.
    n : int
        How many.
    size : int
        Side of the image, pixels; shifts are a fraction of it.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    dict of str to float32 array (n,)
        ``angle`` (radians, counter-clockwise on the screen), ``shear_x``, ``shear_y`` (radians), ``scale``,
        ``shift_x`` (pixels to the right) and ``shift_y`` (pixels up).
    """
    rotation, shear = np.deg2rad(disorder.rotation), np.deg2rad(disorder.shear)
    shift = disorder.shift * size
    ranges = {
        "angle": (-rotation, rotation),
        "shear_x": (-shear, shear),
        "shear_y": (-shear, shear),
        "scale": disorder.scale,
        "shift_x": (-shift, shift),
        "shift_y": (-shift, shift),
    }
    return {name: rng.uniform(*ranges[name], size=n).astype(np.float32) for name in POSE_FACTORS}


def linear_maps(poses: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the maps from object to image coordinates, x right and y up, without the shift.

    The object is scaled, sheared along x, sheared along y, then rotated; a shear keeps the area.

    Parameters
    ----------
    poses : mapping of str to float array (n,)
        As drawn by :func:`draw_poses`.

    Returns
    -------
    float64 array (n, 2, 2)
    """
    angle = np.asarray(poses["angle"], dtype=np.float64)
    cos, sin = np.cos(angle), np.sin(angle)
    along_x, along_y = np.tan(poses["shear_x"], dtype=np.float64), np.tan(poses["shear_y"], dtype=np.float64)
    rotation = np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)
    shear = np.stack([np.ones_like(cos), along_x, along_y, 1 + along_x * along_y], axis=-1).reshape(-1, 2, 2)
    return np.asarray(poses["scale"], dtype=np.float64)[:, None, None] * (rotation @ shear)


def pixel_centres(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the pixel centres in pixels from the image's centre: x (width,) right, y (height, 1) up."""
    x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)
    y = np.float32((height - 1) / 2) - np.arange(height, dtype=np.float32)[:, None]
    return x, y
