"""The paper's ss-rVAE: the pose is a Gaussian latent, and the decoder is evaluated at every moved pixel coordinate.

Agrees number for number with the public reference implementation (pyroVED 0.3.0, class ``ssiVAE``).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ssrvae_core import geometry
from ssrvae_core.config import ModelConfig
from ssrvae_core.models import networks
from ssrvae_core.models.likelihood import IndependentPixels
from ssrvae_core.models.plain import PixelView, pixel_features
from ssrvae_core.models.ssvae import SSVAE, Nuisance


def coordinate_grid(height: int, width: int) -> Tensor:
    """Return the reference's coordinates (H W, 2): 1 to -1 along the columns is second, -1 to 1 down the rows first.

    For other than square images the longer side runs from -1 to 1, so that a turn stays rigid.
    """
    longest = max(height, width)
    down = torch.linspace(-1, 1, height) * ((height - 1) / (longest - 1))
    left = torch.linspace(1, -1, width) * ((width - 1) / (longest - 1))
    return torch.stack(torch.meshgrid(down, left, indexing="ij"), dim=-1).flatten(0, 1)


class LatentSSVAE(SSVAE):
    """ss-rVAE with latents for the angle, the shift and the scale, whichever the configuration asks for."""

    grid: Tensor

    def __init__(self, config: ModelConfig, image_shape: tuple[int, int, int], n_classes: int) -> None:
        super().__init__(config, image_shape, n_classes)
        self.pose_latents = config.angle + 2 * config.translation + config.scaling
        self._view = PixelView(image_shape, config.centre)
        self._half = (max(image_shape[1:]) - 1) / 2
        self.register_buffer("grid", coordinate_grid(*image_shape[1:]), persistent=False)

    def new_features(self) -> networks.Features:
        """Return convolutions, or the intensities themselves."""
        return pixel_features(self.config, self.image_shape)

    def new_decoder(self) -> nn.Module:
        """Return a decoder of one coordinate."""
        config = self.config
        return networks.SpatialDecoder(
            config.latent_dim, self.n_classes, config.hidden, self.image_shape[0], config.activation
        )

    def look(self, images: Tensor, nuisance: Nuisance | None = None, middle: Tensor | None = None) -> Tensor:
        """Return pixel views (B, C, H, W)."""
        return self._view(images, nuisance, middle)

    def features(self, x: Tensor) -> Tensor:
        """Return the whole view."""
        return x

    def move(self, pose: Tensor, points: Tensor) -> Tensor:
        """Move coordinates (P, 2) by pose latents (*batch, pose): turn, then scale, then shift."""
        config, moved = self.config, points
        if config.angle:
            moved = moved @ geometry.rotation(-config.angle_sd * pose[..., 0])
        if config.scaling:
            moved = moved * (1 + config.scaling_sd * pose[..., -1, None, None])
        if config.translation:
            moved = moved + config.translation_sd * self._shift_latents(pose).unsqueeze(-2)
        return moved

    def _shift_latents(self, latents: Tensor) -> Tensor:
        return latents[..., self.config.angle : self.config.angle + 2]

    def likelihood(self, latents: Tensor, y: Tensor, pixels: Tensor | None = None) -> IndependentPixels:
        """Return p(x|z,y) of flattened images at the given pixels (indices), by default at all."""
        points = self.grid if pixels is None else self.grid[pixels]
        moved = self.move(latents[..., : self.pose_latents], points)
        eta = self.family.natural(self.decoder(moved, latents[..., self.pose_latents :], y))
        return IndependentPixels(self.family, eta, weight=len(self.grid) / len(points))

    def conditional(self, x: Tensor, z: Tensor, y: Tensor, *, labelled: bool) -> tuple[IndependentPixels, Tensor]:
        """Return p(x|z,y), in training at a random subset of the pixels when ``pixel_fraction`` is below 1."""
        x, pixels = x.flatten(-2), None
        if self.training and self.config.pixel_fraction < 1:
            n_pixels = len(self.grid)
            kept = max(1, round(self.config.pixel_fraction * n_pixels))
            pixels = torch.randperm(n_pixels, device=x.device)[:kept]
            x = x[..., pixels]
        return self.likelihood(z, y, pixels), x

    def pose(self, x: Tensor, z: Tensor, z_sd: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Read the pose off its latents; the angle's Gaussian is wrapped around the circle."""
        config, n_rows = self.config, len(x)
        unknown = x.new_full((n_rows,), math.nan)
        angle = z[:, 0] * config.angle_sd if config.angle else x.new_zeros(n_rows)
        scale = x.new_ones(n_rows) / (1 + config.scaling_sd * z[:, self.pose_latents - 1] if config.scaling else 1.0)
        shift = x.new_zeros(n_rows, 2)
        if config.translation:
            # The coordinates move down and left after the turn, so the turned object moves up and right.
            up_right = config.translation_sd * self._half * self._shift_latents(z)
            right_up = geometry.rotation(angle) @ up_right.flip(-1)[:, :, None]
            shift = scale[:, None] * right_up.squeeze(-1)
        return {
            "angle": torch.remainder(angle + math.pi, 2 * math.pi) - math.pi if config.angle else unknown,
            "concentration": torch.exp(-0.5 * (z_sd[:, 0] * config.angle_sd).square()) if config.angle else unknown,
            "shift": shift,
            "scale": scale,
            "log_likelihood": self.likelihood(z, y).log_prob(x.flatten(-2)),
        }

    def draw(self, z: Tensor, y: Tensor, angle: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """Evaluate the decoder at coordinates turned (unless the model has no angle), scaled and shifted back."""
        height, width = self.image_shape[1:]
        down_left = -shift.flip(-1) / self._half
        points = (self.grid - down_left[:, None, :]) / scale[:, None, None]
        if self.config.angle:
            points = points @ geometry.rotation(-angle)
        images = self.family.mean(self.family.natural(self.decoder(points, z, y)))
        return images.unflatten(-1, (height, width))
