"""The ss-VAE: no invariance. The paper's control."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ssrvae_core import geometry
from ssrvae_core.config import ModelConfig
from ssrvae_core.models import networks
from ssrvae_core.models.likelihood import IndependentPixels
from ssrvae_core.models.ssvae import SSVAE, Nuisance


class PixelView:
    """The image on its own pixels, its intensity centroid brought to the centre when asked to."""

    def __init__(self, image_shape: tuple[int, int, int], centre: bool) -> None:
        self.centre = centre
        self.points = geometry.pixel_points(*image_shape[1:])

    def __call__(self, images: Tensor, nuisance: Nuisance | None, middle: Tensor | None = None) -> Tensor:
        """Return views (B, C, H, W); without centring or nuisance, the images themselves.

        ``middle`` (B, 2) is the point that is brought to the centre, where it is known already.
        """
        if not self.centre and nuisance is None:
            return images
        if middle is None:
            middle = geometry.centroid(images) if self.centre else images.new_zeros(len(images), 2)
        offset = middle
        matrix = torch.eye(2, device=images.device).expand(len(images), 2, 2)
        if nuisance is not None:
            matrix, offset = nuisance.matrix, offset + nuisance.shift
        self.points = self.points.to(images.device)  # once, and not at every step
        x = geometry.sample_moved(images, self.points, matrix, offset)
        return x if nuisance is None else nuisance.intensity(x)


def pixel_features(config: ModelConfig, image_shape: tuple[int, int, int]) -> networks.Features:
    """Return what classifier and encoder stand on where the view is the pixels."""
    if config.networks == "mlp":
        return networks.Flatten(image_shape)
    return networks.PixelFeatures(image_shape, config.channels, config.activation)


class PlainSSVAE(SSVAE):
    """ss-VAE: a dense decoder on pixels, convolutions or fully connected layers to infer."""

    def __init__(self, config: ModelConfig, image_shape: tuple[int, int, int], n_classes: int) -> None:
        super().__init__(config, image_shape, n_classes)
        self._view = PixelView(image_shape, config.centre)

    def new_features(self) -> networks.Features:
        """Return convolutions, or the intensities themselves."""
        return pixel_features(self.config, self.image_shape)

    def new_decoder(self) -> nn.Module:
        """Return a dense decoder of all pixels."""
        config = self.config
        return networks.DenseDecoder(
            config.latent_dim, self.n_classes, config.hidden, self.image_shape, config.activation
        )

    def look(self, images: Tensor, nuisance: Nuisance | None = None, middle: Tensor | None = None) -> Tensor:
        """Return pixel views (B, C, H, W)."""
        return self._view(images, nuisance, middle)

    def features(self, x: Tensor) -> Tensor:
        """Return the whole view."""
        return x

    def _likelihood(self, z: Tensor, y: Tensor) -> IndependentPixels:
        return IndependentPixels(self.family, self.family.natural(self.decoder(z, y)).flatten(-2))

    def conditional(self, x: Tensor, z: Tensor, y: Tensor, *, labelled: bool) -> tuple[IndependentPixels, Tensor]:
        """Return p(x|z,y) pixel by pixel, and the view in one row per channel."""
        return self._likelihood(z, y), x.flatten(-2)

    def pose(self, x: Tensor, z: Tensor, z_sd: Tensor, y: Tensor) -> dict[str, Tensor]:
        """There is no pose: the angle is unknown, the shift is the centring's."""
        unknown = x.new_full((len(x),), math.nan)
        return {
            "angle": unknown,
            "concentration": unknown,
            "shift": x.new_zeros(len(x), 2),
            "scale": x.new_ones(len(x)),
            "log_likelihood": self._likelihood(z, y).log_prob(x.flatten(-2)),
        }

    def draw(self, z: Tensor, y: Tensor, angle: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """Draw the objects, shifted and scaled; the angle has no effect."""
        images = self.family.mean(self.family.natural(self.decoder(z, y)))
        matrix = torch.eye(2, device=z.device) / scale[:, None, None]
        points = geometry.pixel_points(*self.image_shape[1:], device=z.device)
        return geometry.sample(images, geometry.transform(points, matrix, -shift / scale[:, None]))
