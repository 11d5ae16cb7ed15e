"""One zero of the angle per class: what the model draws of a class stands as its labelled images do.

The likelihood of an image at an unknown angle does not say which way up its template is. Each place in the latent space
may so have an upright of its own, and the angles of a class mean little. Labelled images that are known to come nearly
upright say it for all of the class.
"""

from __future__ import annotations

import math
from typing import TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor

from ssrvae_core.models import SSVAE, MarginalSSVAE, Nuisance

SHARPNESS = 100.0
"""Log-odds between the best turn and an unrelated one, where the picture is the image: a few degrees are as good."""
SMALLEST_NORM = 0.1
"""Of what is left without the mean of each ring: a rounder image has no direction to compare."""


def gauged(model: SSVAE) -> TypeGuard[MarginalSSVAE]:
    """Whether a model's labelled images are known to come nearly upright."""
    return isinstance(model, MarginalSSVAE) and model.config.angle_prior_labelled == "von_mises"


def gauge_loss(
    model: MarginalSSVAE,
    x: Float[Tensor, "labelled shifts channel radii angles"],
    y: Float[Tensor, "labelled classes"],
    generator: torch.Generator,
) -> Tensor:
    """Return how far from upright the model draws labelled images, a mean over them.

    Each is compared with what the decoder draws at its own latents. Both lose the mean of each ring, which no turn
    changes, and their size; the correlation at every turn, times :data:`SHARPNESS`, is the log-odds of that turn, and
    the loss is the negative log-probability of the turns that labelled images may have. A class that looks the same
    after a turn has a correlation that is the same after it, and is not asked to tell the two apart.

    Parameters
    ----------
    model : MarginalSSVAE
        With a von Mises prior of the labelled images' angle.
    x : tensor (B, S, C, R, T)
        Views of labelled images, as they are or sheared.
    y : tensor (B, K)
        Their one-hot classes.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    tensor ()
        Nats; 0 where every picture stands upright for certain. Its gradient reaches the decoder alone.
    """
    seen = model.features(x)
    with torch.no_grad():
        mean, sd = model.encoder(seen, y)
        z = mean + sd * torch.randn(mean.shape, generator=generator, device=x.device)
    drawn = model.family.mean(model.family.natural(model.decoder(z, y)))
    image, picture = (_directional(view, model.weights) for view in (seen, drawn))
    spectra = [torch.fft.rfft(view.flatten(-3, -2)) for view in (image * model.weights, picture)]
    fit = torch.fft.irfft((spectra[0] * spectra[1].conj()).sum(dim=-2), n=image.shape[-1])
    log_prior = model.log_prior_labelled - model.log_prior_labelled.max()
    return -((SHARPNESS * fit).log_softmax(dim=-1) + log_prior).logsumexp(dim=-1).mean()


def _directional(
    view: Float[Tensor, "batch channel radii angles"], weights: Float[Tensor, "radii 1"]
) -> Float[Tensor, "batch channel radii angles"]:
    """Return a view without the mean of each ring, and of length 1."""
    view = view - view.mean(dim=-1, keepdim=True)
    norm = (view.square() * weights).sum(dim=(-3, -2, -1), keepdim=True)
    return view / (norm + SMALLEST_NORM**2).sqrt()


def sheared(model: SSVAE, images: Tensor, shear: float, generator: torch.Generator) -> Tensor:
    """Return views of images sheared at random, along both axes and neither turned nor resized.

    Labelled images often show little of how far the others are sheared. Sheared as far as is declared, they reach the
    latents of those, and say there too which way is up.

    Parameters
    ----------
    model : SSVAE
        Whose views they are.
    images : tensor (B, C, H, W)
        Upright images.
    shear : float
        Half-range of either shear, degrees.
    generator : torch.Generator
        Source of randomness.
    """
    n_images = len(images)
    unit = torch.rand(n_images, 2, generator=generator, device=images.device)
    along_x, along_y = ((2 * unit - 1) * math.radians(shear)).tan().unbind(-1)
    ones = torch.ones_like(along_x)
    # One shear after the other keeps the area.
    matrix = torch.stack([ones, along_x, along_y, 1 + along_x * along_y], dim=-1).unflatten(-1, (2, 2))
    return model.look(images, Nuisance(matrix, torch.zeros_like(unit), ones, torch.zeros_like(ones)))
