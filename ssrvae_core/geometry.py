"""Coordinates, sampling and the polar grid: pure functions on tensors.

Points are in pixels from the image's centre, ``x`` to the right and ``y`` up, so that a positive angle turns
counter-clockwise on the screen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def pixel_points(height: int, width: int, device: torch.device | None = None) -> Float[Tensor, "height width 2"]:
    """Return the point (x, y) of every pixel."""
    x = torch.arange(width, device=device, dtype=torch.float32) - (width - 1) / 2
    y = (height - 1) / 2 - torch.arange(height, device=device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def rotation(angle: Float[Tensor, " *batch"]) -> Float[Tensor, "*batch 2 2"]:
    """Return the matrices that turn column vectors by ``angle`` radians, counter-clockwise."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], dim=-1), torch.stack([sin, cos], dim=-1)], dim=-2)


def sample(
    images: Float[Tensor, "batch channel height width"], points: Float[Tensor, "batch *shape 2"]
) -> Float[Tensor, "batch channel *shape"]:
    """Read images at any points by bilinear interpolation; outside, the nearest border pixel is read."""
    return _read(images, points * _to_unit(images))


def sample_moved(
    images: Float[Tensor, "batch channel height width"],
    points: Float[Tensor, "*shape 2"],
    matrix: Float[Tensor, "batch 2 2"],
    offset: Float[Tensor, "batch 2"],
) -> Float[Tensor, "batch channel *shape"]:
    """Read every image at points of its own, ``matrix @ point + offset``, as :func:`sample` does."""
    to_unit = _to_unit(images)
    return _read(images, transform(points, to_unit[:, None] * matrix, to_unit * offset))


def _to_unit(images: Tensor) -> Tensor:
    """Return the factors (2,) from pixels to the coordinates of torch's sampling."""
    height, width = images.shape[-2:]
    # Filled where it is: copying two numbers to a GPU would wait for all that runs there.
    to_unit = images.new_full((2,), 2 / max(width - 1, 1))
    to_unit[1:].fill_(-2 / max(height - 1, 1))
    return to_unit


def _read(images: Tensor, points: Tensor) -> Tensor:
    grid = points.flatten(1, -2).unsqueeze(1)
    values = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return values.squeeze(2).unflatten(-1, points.shape[1:-1])


def transform(
    points: Float[Tensor, "*shape 2"], matrix: Float[Tensor, "batch 2 2"], offset: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch *shape 2"]:
    """Apply ``matrix @ point + offset`` of every batch member to every point."""
    # Elementwise, so that an image's points are the same in every batch; x and y each in one piece, as sampling reads
    # them fastest.
    x, y = points.reshape(-1, 2).unbind(-1)
    moved = torch.addcmul(torch.addcmul(offset[:, :, None], matrix[:, :, :1], x), matrix[:, :, 1:], y)
    return moved.transpose(1, 2).unflatten(1, points.shape[:-1])


def centroid(images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch 2"]:
    """Return the point the intensity is centred on, in pixels.

    The intensity is the squared difference from the background, which is the median of the border pixels: the
    square lets the object outweigh the noise of the many background pixels. A featureless image is centred at 0.
    """
    border = torch.cat([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], dim=-1)
    background = border.median(dim=-1).values[..., None, None]
    mass = (images - background).square()
    height, width = images.shape[-2:]
    points = pixel_points(height, width, device=images.device)
    of_columns, of_rows = mass.sum(dim=(1, 2)), mass.sum(dim=(1, 3))
    total = of_rows.sum(dim=-1)
    moment = torch.stack([(of_columns * points[0, :, 0]).sum(-1), (of_rows * points[:, 0, 1]).sum(-1)], dim=-1)
    return torch.where(total[:, None] > 0, moment / total.clamp_min(torch.finfo(mass.dtype).tiny)[:, None], 0.0)


@dataclass(frozen=True)
class PolarGrid:
    """Rings and directions around the centre, on which a rotation is a circular shift.

    Attributes
    ----------
    radii : tensor (R,)
        Middle radius of each ring, pixels.
    angles : tensor (T,)
        Directions, radians from 0 to 2 pi, counter-clockwise from the right.
    weights : tensor (R, 1)
        Area of a grid cell, pixels; over the whole grid they sum to the area of the disc.
    radius : float
        Radius of the disc, pixels.
    """

    radii: Tensor
    angles: Tensor
    weights: Tensor
    radius: float

    @staticmethod
    def build(radius: float, n_radii: int, n_angles: int) -> PolarGrid:
        """Cover a disc of ``radius`` pixels with ``n_radii`` rings of equal width and ``n_angles`` directions."""
        step = radius / n_radii
        radii = (torch.arange(n_radii) + 0.5) * step
        angles = torch.arange(n_angles) * (2 * math.pi / n_angles)
        weights = radii * step * (2 * math.pi / n_angles)
        return PolarGrid(radii, angles, weights[:, None], radius)

    def points(self) -> Float[Tensor, "radii angles 2"]:
        """Return the point of every grid cell."""
        direction = torch.stack([self.angles.cos(), self.angles.sin()], dim=-1)
        return self.radii[:, None, None] * direction


def from_polar(
    values: Float[Tensor, "batch channel radii angles"],
    grid: PolarGrid,
    points: Float[Tensor, "batch *shape 2"],
) -> Float[Tensor, "batch channel *shape"]:
    """Read a function on the polar grid at any points by bilinear interpolation.

    The angle wraps around; inside the first and outside the last ring, that ring is read.
    """
    n_angles = values.shape[-1]
    wrapped = torch.cat([values, values[..., :1]], dim=-1)
    x, y = points.unbind(-1)
    turn = torch.atan2(y, x).remainder(2 * math.pi) / (2 * math.pi)
    ring = torch.hypot(x, y) / grid.radius * values.shape[-2] - 0.5
    # `sample` reads in pixels from the centre: angle along the columns, radius up the rows.
    columns = turn * n_angles - n_angles / 2
    rows = (values.shape[-2] - 1) / 2 - ring
    return sample(wrapped, torch.stack([columns, rows], dim=-1))
