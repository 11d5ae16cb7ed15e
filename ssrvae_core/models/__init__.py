"""The models: likelihoods, networks, the Pyro program and its three engines."""

from __future__ import annotations

from torch import nn

from ssrvae_core.config import ModelConfig
from ssrvae_core.models.latent import LatentSSVAE
from ssrvae_core.models.marginal import MarginalSSVAE
from ssrvae_core.models.plain import PlainSSVAE
from ssrvae_core.models.ssvae import SSVAE, Encoding, Nuisance

ENGINES: dict[str, type[PlainSSVAE] | type[MarginalSSVAE] | type[LatentSSVAE]] = {
    "none": PlainSSVAE,
    "marginal": MarginalSSVAE,
    "latent": LatentSSVAE,
}


def build(
    config: ModelConfig,
    image_shape: tuple[int, int, int],
    n_classes: int,
    *,
    classifier: nn.Module | None = None,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> SSVAE:
    """Build a model, with your own networks where you hand them in.

    Parameters
    ----------
    config : ModelConfig
        The settings; ``config.rotation`` chooses the engine.
    image_shape : tuple (C, H, W)
        Shape of an image.
    n_classes : int
        Number of classes K.
    classifier, encoder, decoder : nn.Module, optional
        Networks with the calls described in :mod:`ssrvae_core.models.networks`.
    """
    return ENGINES[config.rotation](config, image_shape, n_classes).equip(classifier, encoder, decoder)


__all__ = ["ENGINES", "SSVAE", "Encoding", "LatentSSVAE", "MarginalSSVAE", "Nuisance", "PlainSSVAE", "build"]
