"""The ss-rVAE with the rotation summed out exactly on a polar grid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ssrvae_core import geometry
from ssrvae_core.config import ModelConfig
from ssrvae_core.models import networks
from ssrvae_core.models.direction import peak_direction
from ssrvae_core.models.elbo import in_one_pass
from ssrvae_core.models.likelihood import RotationMarginal, log_angle_prior
from ssrvae_core.models.ssvae import SSVAE, Nuisance


class MarginalSSVAE(SSVAE):
    """ss-rVAE: a polar template decoder; classifier and encoder are invariant by construction."""

    weights: Tensor
    points: Tensor
    shifts: Tensor
    log_prior: Tensor
    log_prior_labelled: Tensor

    def __init__(self, config: ModelConfig, image_shape: tuple[int, int, int], n_classes: int) -> None:
        super().__init__(config, image_shape, n_classes)
        _, height, width = image_shape
        self.grid = geometry.PolarGrid.build(config.disc * min(height, width) / 2, config.radii, config.angles)
        steps = range(-config.shift_steps, config.shift_steps + 1)
        # The unshifted view comes first: classifier and encoder see that one.
        shifts = sorted(itertools.product(steps, steps), key=lambda step: step[0] ** 2 + step[1] ** 2)
        kappa = config.angle_concentration
        for name, value in {
            "weights": self.grid.weights,
            "points": self.grid.points(),
            "shifts": torch.tensor(shifts, dtype=torch.float32) * config.shift_step,
            "log_prior": log_angle_prior(self.grid.angles, kappa if config.angle_prior == "von_mises" else None),
            "log_prior_labelled": log_angle_prior(
                self.grid.angles, kappa if config.angle_prior_labelled == "von_mises" else None
            ),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def new_features(self) -> networks.Features:
        """Return circular convolutions, or the spectrum around the angle."""
        config, channels = self.config, self.image_shape[0]
        if config.networks == "mlp":
            return networks.Spectrum(channels, config.radii, config.angles)
        return networks.PolarFeatures(channels, config.radii, config.channels, config.activation)

    def classified(self) -> networks.Features:
        """Return the same of standardised views, if that is set."""
        features = self.new_features()
        return networks.Standardised(features) if self.config.standardise else features

    def new_decoder(self) -> nn.Module:
        """Return a dense decoder of the whole polar template."""
        config = self.config
        grid = (self.image_shape[0], config.radii, config.angles)
        return networks.DenseDecoder(config.latent_dim, self.n_classes, config.hidden, grid, config.activation)

    def look(self, images: Tensor, nuisance: Nuisance | None = None, middle: Tensor | None = None) -> Tensor:
        """Return polar views (B, S, C, R, T), one for each of the small shifts that are summed over."""
        offset = self.middle(images) if middle is None else middle
        matrix = torch.eye(2, device=images.device).expand(len(images), 2, 2)
        if nuisance is not None:
            matrix, offset = nuisance.matrix, offset + nuisance.shift
        views = [geometry.sample_moved(images, self.points, matrix, offset + shift) for shift in self.shifts]
        x = torch.stack(views, dim=1) if len(views) > 1 else views[0].unsqueeze(1)
        return x if nuisance is None else nuisance.intensity(x)

    def features(self, x: Tensor) -> Tensor:
        """Return the unshifted view."""
        return x[:, 0]

    def likelihood(self, z: Tensor, y: Tensor, *, labelled: bool = False) -> RotationMarginal:
        """Return p(x|z,y) with the rotation summed out; labelled images have an angle prior of their own."""
        return self._turned(self.family.natural(self.decoder(z, y)), labelled=labelled)

    def _turned(self, eta: Tensor, *, labelled: bool) -> RotationMarginal:
        prior = self.log_prior_labelled if labelled else self.log_prior
        return RotationMarginal(self.family, eta, self.weights, prior, shifts=len(self.shifts))

    def conditional(self, x: Tensor, z: Tensor, y: Tensor, *, labelled: bool) -> tuple[RotationMarginal, Tensor]:
        """Return p(x|z,y) with the rotation summed out, and the view."""
        return self.likelihood(z, y, labelled=labelled), x

    def log_likelihoods(
        self, x: Sequence[Tensor], z: Sequence[Tensor], y: Sequence[Tensor], labelled: Sequence[bool]
    ) -> list[Tensor]:
        """Return log p(x|z,y) of parts of a batch; all templates are decoded in one pass."""
        etas = in_one_pass(lambda z, y: self.family.natural(self.decoder(z, y)), z, y)
        return [
            self._turned(eta, labelled=known).log_prob(part) for part, eta, known in zip(x, etas, labelled, strict=True)
        ]

    def pose(self, x: Tensor, z: Tensor, z_sd: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return where the exact angle posterior peaks, the length of its first moment, and the mean shift."""
        likelihood = self.likelihood(z, y)
        posterior = likelihood.posterior(x)
        turned = posterior.sum(dim=-2)
        moment = torch.complex(
            turned @ self.grid.angles.to(x.device).cos(), turned @ self.grid.angles.to(x.device).sin()
        )
        return {
            "angle": peak_direction(turned, self.grid.angles.to(x.device)),
            "concentration": moment.abs().clamp(max=1),
            "shift": posterior.sum(dim=-1) @ self.shifts,
            "scale": x.new_ones(len(x)),
            "log_likelihood": likelihood.log_prob(x),
        }

    def draw(self, z: Tensor, y: Tensor, angle: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """Turn, scale and shift the template, and read it at every pixel."""
        template = self.family.mean(self.family.natural(self.decoder(z, y)))
        back = geometry.rotation(-angle) / scale[:, None, None]
        offset = -(back @ shift[:, :, None]).squeeze(-1)
        points = geometry.pixel_points(*self.image_shape[1:], device=z.device)
        return geometry.from_polar(template, self.grid, geometry.transform(points, back, offset))

    def angle_posterior(self, images: Tensor, y: Int[Tensor, " batch"]) -> Tensor:
        """Return the exact posterior (B, T) of the angle at these classes and the mean of z.

        Angle ``t`` of T is ``2 pi t / T`` radians.
        """
        with torch.no_grad():
            x = self.look(images.to(self.device))
            classes = self.one_hot(y.to(self.device))
            mean, _ = self.encoder(self.features(x), classes)
            return self.likelihood(mean, classes).posterior(x).sum(dim=-2)
