"""Anti-aliased drawing of analytic shapes in a posed frame.

A shape is the signed distance to its outline, negative inside, built from discs and half-planes with ``minimum``
(union) and ``maximum`` (intersection). Distances are measured in image pixels to first order, f / |grad f|, so the
outline stays one pixel soft under any scale and shear, and no image is ever resampled.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np

from ssrvae_core.data.pose import linear_maps, pixel_centres


class Frame:
    """Object coordinates of every pixel of ``n`` posed images, folded at the object's vertical axis.

    Parameters
    ----------
    poses : mapping of str to float array (n,)
        As drawn by :func:`ssrvae_core.data.pose.draw_poses`.
    unit : float
        Length of the object's unit in pixels, at scale 1.
    size : int
        Side of the images, pixels.

    Attributes
    ----------
    x, y : float32 array (n, size, size)
        Distance from the object's vertical axis, and height above its centre, in object units.
    """

    def __init__(self, poses: Mapping[str, np.ndarray], unit: float, size: int) -> None:
        inverse = np.linalg.inv(unit * linear_maps(poses)).astype(np.float32)[:, :, :, None, None]
        x, y = pixel_centres(size, size)
        x = x - poses["shift_x"][:, None, None].astype(np.float32)
        y = y - poses["shift_y"][:, None, None].astype(np.float32)
        signed = inverse[:, 0, 0] * x + inverse[:, 0, 1] * y
        self.x = np.abs(signed)
        self.y = inverse[:, 1, 0] * x + inverse[:, 1, 1] * y
        # The metric M M^T turns a gradient in object units into one in pixels; the fold flips its mixed part.
        self._xx = inverse[:, 0, 0] ** 2 + inverse[:, 0, 1] ** 2
        self._yy = inverse[:, 1, 0] ** 2 + inverse[:, 1, 1] ** 2
        mixed = inverse[:, 0, 0] * inverse[:, 1, 0] + inverse[:, 0, 1] * inverse[:, 1, 1]
        self._xy = np.copysign(mixed, signed * mixed)

    def flipped(self) -> Frame:
        """Return the same frame upside down."""
        other = copy.copy(self)
        other.y, other._xy = -self.y, -self._xy
        return other

    def half_plane(self, normal_x: float, normal_y: float, offset: float) -> np.ndarray:
        """Signed distance in pixels to the half-plane n.p <= offset (and its mirror image)."""
        squared = normal_x**2 * self._xx + normal_y**2 * self._yy
        if normal_x * normal_y:
            squared = squared + 2 * normal_x * normal_y * self._xy
        return (normal_x * self.x + normal_y * self.y - offset) / np.sqrt(squared)

    def disc(self, centre_x: float, centre_y: float, radius: float) -> np.ndarray:
        """Signed distance in pixels to a disc (and its mirror image)."""
        x, y = self.x - centre_x, self.y - centre_y
        distance = np.hypot(x, y) + np.float32(1e-6)
        slope = np.sqrt(self._xx * x * x + self._yy * y * y + 2 * self._xy * (x * y)) + np.float32(1e-9)
        return (distance - radius) * distance / slope


def coverage(distance: np.ndarray) -> np.ndarray:
    """Share of a pixel inside an outline at this signed distance from its centre, pixels."""
    return np.clip(np.float32(0.5) - distance, 0, 1, dtype=np.float32)
