r"""Pixel likelihoods, and the likelihood with the rotation summed out exactly.

Every pixel family is an exponential family, :math:`\log p(x|\eta) = x\eta - A(\eta) + h(x)`. Turning the picture
leaves the sum of :math:`A` unchanged, so the log-likelihood at all angles is one circular cross-correlation of the
image with :math:`\eta` on a polar grid: one FFT.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.distributions import constraints

from ssrvae_core.config import ModelConfig


class PixelFamily(ABC):
    """An exponential family of a pixel's intensity; ``natural`` parameters are what the decoder gives."""

    @abstractmethod
    def natural(self, output: Tensor) -> Tensor:
        """Turn the decoder's output into the natural parameter."""

    @abstractmethod
    def log_partition(self, eta: Tensor) -> Tensor:
        """Return A(eta), elementwise."""

    @abstractmethod
    def base_measure(self, x: Tensor) -> Tensor:
        """Return h(x), elementwise."""

    @abstractmethod
    def mean(self, eta: Tensor) -> Tensor:
        """Return the expected intensity A'(eta), elementwise."""


class BernoulliFamily(PixelFamily):
    """Bernoulli; intensities in [0, 1] are read as probabilities, as in the reference."""

    def natural(self, output: Tensor) -> Tensor:
        """Return the logits that the decoder gives."""
        return output

    def log_partition(self, eta: Tensor) -> Tensor:
        """Return log(1 + exp(eta))."""
        return F.softplus(eta)

    def base_measure(self, x: Tensor) -> Tensor:
        """Return 0."""
        return torch.zeros_like(x)

    def mean(self, eta: Tensor) -> Tensor:
        """Return the logistic function of eta."""
        return torch.sigmoid(eta)


class ContinuousBernoulliFamily(PixelFamily):
    """Continuous Bernoulli (Loaiza-Ganem and Cunningham 2019): a proper density on [0, 1]."""

    _NEAR_ZERO = 0.1  # below it the closed forms cancel in float32, and a series is exact to the last digit

    def natural(self, output: Tensor) -> Tensor:
        """Return the logits that the decoder gives."""
        return output

    def _away_from_zero(self, eta: Tensor) -> Tensor:
        return torch.where(eta.abs() < self._NEAR_ZERO, torch.ones_like(eta), eta)

    def log_partition(self, eta: Tensor) -> Tensor:
        """Return log((exp(eta) - 1) / eta)."""
        near = eta / 2 + eta.square() / 24 - eta.pow(4) / 2880
        eta_far = self._away_from_zero(eta)
        size = eta_far.abs()
        far = F.relu(eta_far) + torch.log(-torch.expm1(-size)) - torch.log(size)
        return torch.where(eta.abs() < self._NEAR_ZERO, near, far)

    def base_measure(self, x: Tensor) -> Tensor:
        """Return 0."""
        return torch.zeros_like(x)

    def mean(self, eta: Tensor) -> Tensor:
        """Return 1 / (1 - exp(-eta)) - 1 / eta."""
        near = 0.5 + eta / 12 - eta.pow(3) / 720
        eta_far = self._away_from_zero(eta)
        size = eta_far.abs()  # exp(-size) never overflows, and the other sign follows by symmetry
        far = -1 / torch.expm1(-size) - 1 / size
        return torch.where(eta.abs() < self._NEAR_ZERO, near, torch.where(eta_far < 0, 1 - far, far))


class GaussianFamily(PixelFamily):
    """Gaussian with a fixed standard deviation; the decoder gives the mean."""

    def __init__(self, sd: float) -> None:
        self.sd = sd

    def natural(self, output: Tensor) -> Tensor:
        """Return mean / variance."""
        return output / self.sd**2

    def log_partition(self, eta: Tensor) -> Tensor:
        """Return eta^2 variance / 2."""
        return eta.square() * (self.sd**2 / 2)

    def base_measure(self, x: Tensor) -> Tensor:
        """Return the log-density's terms in x alone."""
        return -x.square() / (2 * self.sd**2) - math.log(self.sd * math.sqrt(2 * math.pi))

    def mean(self, eta: Tensor) -> Tensor:
        """Return eta variance."""
        return eta * self.sd**2


def pixel_family(config: ModelConfig) -> PixelFamily:
    """Return the family that the configuration names."""
    if config.likelihood == "gaussian":
        return GaussianFamily(config.gaussian_sd)
    return BernoulliFamily() if config.likelihood == "bernoulli" else ContinuousBernoulliFamily()


class IndependentPixels(TorchDistribution):
    """Independent pixels of one exponential family.

    Parameters
    ----------
    family : PixelFamily
        Family of a pixel.
    eta : tensor (*batch, C, P)
        Natural parameters of P pixels.
    weight : float
        Factor of the log-density; P_all / P makes a random subset of the pixels an unbiased estimate of all.
    """

    arg_constraints = {"eta": constraints.independent(constraints.real, 2)}  # noqa: RUF012 (torch's own convention)
    support = constraints.independent(constraints.real, 2)
    has_rsample = False

    def __init__(self, family: PixelFamily, eta: Tensor, *, weight: float = 1.0) -> None:
        self.family, self.eta, self.weight = family, eta, weight
        super().__init__(eta.shape[:-2], eta.shape[-2:], validate_args=False)

    def log_prob(self, x: Tensor) -> Float[Tensor, " *batch"]:
        """Return the log-density of images (*batch, C, P), nats."""
        fit = (x * self.eta - self.family.log_partition(self.eta)).sum(dim=(-2, -1))
        return self.weight * (fit + self.family.base_measure(x).sum(dim=(-2, -1)))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return the mean image, the usual way to show a decoder's image."""
        return self.family.mean(self.eta).expand(torch.Size(sample_shape) + self.eta.shape)


class TemplateFit(torch.autograd.Function):
    r"""How well each turn of a template fits: :math:`\sum_{p,t} x(p,t)\,\eta(p,t-a) - \sum_{p,t} w_p A(\eta(p,t))`.

    Correlating is multiplying one spectrum by the other's conjugate, and so are its gradients; the slope of ``A`` is
    the family's mean. Torch's own gradients take a dozen passes over arrays of all classes, images and pixels, and a
    complex FFT of a padded half spectrum; these take four passes and a real FFT. There is no second derivative.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "*#batch shifts rings angles"],
        eta: Float[Tensor, "*#batch rings angles"],
        weights: Float[Tensor, " rings"],
        family: PixelFamily,
    ) -> Float[Tensor, "*#batch shifts angles"]:
        """Return the fit of weighted images at every shift and angle; leading dimensions are broadcast."""
        n_angles = eta.shape[-1]
        # The image is conjugated, as it is the smaller one.
        image, template = torch.fft.rfft(x).conj_physical(), torch.fft.rfft(eta).unsqueeze(-3)
        fit = torch.fft.irfft((image * template).sum(dim=-2).conj(), n=n_angles)
        partition = family.log_partition(eta).flatten(-2) @ weights.repeat_interleave(n_angles)
        ctx.family = family
        ctx.save_for_backward(image, template if ctx.needs_input_grad[0] else None, eta, weights)
        return fit - partition[..., None, None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the gradients of image and template."""
        image, template, eta, weights = ctx.saved_tensors
        n_angles = gradient.shape[-1]
        spectrum = torch.fft.rfft(gradient).unsqueeze(-2).conj_physical()
        of_image = of_template = None
        if ctx.needs_input_grad[0]:
            of_image = torch.fft.irfft((spectrum * template.conj()).sum_to_size(image.shape).conj(), n=n_angles)
        if ctx.needs_input_grad[1]:
            rows = (*eta.shape[:-2], 1, *eta.shape[-2:-1], n_angles // 2 + 1)
            of_fit = torch.fft.irfft((image.conj() * spectrum).sum_to_size(rows).squeeze(-3), n=n_angles)
            share = gradient.sum(dim=(-2, -1)).sum_to_size(eta.shape[:-2])[..., None, None] * weights[:, None]
            of_template = of_fit.addcmul_(ctx.family.mean(eta), share, value=-1)
        return of_image, of_template, None, None


class RotationMarginal(TorchDistribution):
    r"""An image on a polar grid, under a template turned by an unknown angle that is summed out exactly.

    .. math:: \log p(x) = \log\sum_a p(a) \exp\Big(\sum_{r,t} w_r\, x(r,t)\, \eta(r,t-a)\Big)
              - \sum_{r,t} w_r A(\eta(r,t)) + \sum_{r,t} w_r h(x(r,t))

    Parameters
    ----------
    family : PixelFamily
        Family of a pixel.
    eta : tensor (*batch, C, R, T)
        Natural parameters of the template on the polar grid.
    weights : tensor (R, 1)
        Area of a grid cell, pixels.
    log_prior : tensor (*batch, T) or (T,)
        Log-probability of each of the T angles.
    shifts : int
        Number S of shifted views of one image that are summed over with equal weight; the observed image then
        has shape (*batch, S, C, R, T).

    Notes
    -----
    With several shifts, each view is weighed by its own disc of pixels. That is exact as long as what lies
    between the shifted discs is background.
    """

    arg_constraints = {"eta": constraints.independent(constraints.real, 3)}  # noqa: RUF012 (torch's own convention)
    support = constraints.independent(constraints.real, 4)
    has_rsample = False
    NEGLIGIBLE = 80.0
    """Nats below the most probable angle and shift."""

    def __init__(
        self, family: PixelFamily, eta: Tensor, weights: Tensor, log_prior: Tensor, *, shifts: int = 1
    ) -> None:
        self.family, self.eta, self.weights, self.log_prior = family, eta, weights, log_prior
        super().__init__(eta.shape[:-3], torch.Size((shifts, *eta.shape[-3:])), validate_args=False)

    def joint(self, x: Float[Tensor, "*#batch shifts channel radii angles"]) -> Float[Tensor, "*#batch shifts angles"]:
        """Return log p(x, shift, angle) for every shift and angle, nats; images and templates are broadcast."""
        channels = self.eta.shape[-3]
        fit = TemplateFit.apply(
            (x * self.weights).flatten(-3, -2),
            self.eta.flatten(-3, -2),
            self.weights.squeeze(-1).to(self.eta.dtype).repeat(channels),
            self.family,
        )
        prior = self.log_prior - math.log(self.event_shape[0])
        base = (self.family.base_measure(x) * self.weights).sum(dim=(-3, -2, -1))
        return fit + prior.unsqueeze(-2) + base.unsqueeze(-1)

    def log_prob(self, x: Tensor) -> Float[Tensor, " *batch"]:
        """Return the log-density of polar images, nats, with angle and shift summed out."""
        joint = self.joint(x).flatten(-2)
        # What is this far below the largest term does not change the sum, and its exponential would be too small for
        # the number format, which processors compute ten times as slowly.
        return joint.maximum(joint.detach().amax(dim=-1, keepdim=True) - self.NEGLIGIBLE).logsumexp(dim=-1)

    def posterior(self, x: Tensor) -> Float[Tensor, "*batch shifts angles"]:
        """Return the exact posterior probability of every shift and angle."""
        joint = self.joint(x)
        return joint.flatten(-2).softmax(dim=-1).unflatten(-1, joint.shape[-2:])

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return the mean of the unturned template at every shift, the usual way to show a decoder's image."""
        return (
            self.family.mean(self.eta)
            .unsqueeze(-4)
            .expand(torch.Size(sample_shape) + self.batch_shape + self.event_shape)
        )


def log_angle_prior(angles: Float[Tensor, " angles"], concentration: float | None) -> Float[Tensor, " angles"]:
    """Return the log-probability of each grid angle: uniform (None) or von Mises around 0."""
    logits = torch.zeros_like(angles) if concentration is None else concentration * angles.cos()
    return logits.log_softmax(dim=-1)
