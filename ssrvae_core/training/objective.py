"""What is minimised: the negative ELBO, the auxiliary classification loss and the consistency loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ssrvae_core.config import Augmentation, TrainingConfig
from ssrvae_core.geometry import rotation
from ssrvae_core.models import SSVAE, Nuisance
from ssrvae_core.models.elbo import elbos
from ssrvae_core.training.gauge import gauge_loss, gauged, sheared


@dataclass(frozen=True)
class Batch:
    """Labelled and unlabelled images of one step."""

    labelled: Float[Tensor, "labelled channel height width"]
    y: Float[Tensor, "labelled classes"]
    unlabelled: Float[Tensor, "unlabelled channel height width"]
    opinion: Float[Tensor, "unlabelled classes"] | None = None
    """Log-probabilities of the unlabelled images' classes in a second opinion."""


@dataclass(frozen=True)
class Losses:
    """The terms of one step, each a mean over the images it concerns, before its weight.

    The gauge (:mod:`ssrvae_core.training.gauge`) is in ``total`` alone.
    """

    elbo_unlabelled: Tensor
    elbo_labelled: Tensor
    classification: Tensor
    consistency: Tensor
    confident: Tensor
    total: Tensor


def draw_nuisance(config: Augmentation, images: Tensor, *, turn: bool, generator: torch.Generator) -> Nuisance:
    """Draw a nuisance for each image: any rotation (if ``turn``), shear, size, shift, contrast and brightness."""
    n_images, side = len(images), min(images.shape[-2:])

    def uniform(half_range: float, *shape: int) -> Tensor:
        unit = torch.rand(n_images, *shape, generator=generator, device=images.device)
        return (2 * unit - 1) * half_range

    shear = uniform(math.radians(config.shear), 2).tan()
    ones = torch.ones_like(shear[:, 0])
    matrix = torch.stack([ones, shear[:, 0], shear[:, 1], ones], dim=-1).unflatten(-1, (2, 2))
    matrix = matrix * uniform(config.scale).exp()[:, None, None]
    if turn and config.rotation:
        matrix = matrix @ rotation(uniform(math.pi))
    return Nuisance(
        matrix=matrix,
        shift=uniform(config.shift * side, 2),
        contrast=1 + uniform(config.intensity),
        brightness=uniform(config.intensity) / 2,
    )


class Objective:
    """The loss of a training step.

    Per unlabelled image of the batch: the ELBO with the class enumerated (``TraceEnum_ELBO``), the ELBO with the
    class observed, the auxiliary classification loss that Kingma et al. 2014 (eq. 9) add because the labelled ELBO
    does not train the classifier, and a consistency loss (FixMatch, Sohn et al. 2020, arXiv 2001.07685): a confident
    prediction on the image as it is must hold on the image under declared nuisances. With a second opinion, the
    prediction is the product of both.
    """

    def __init__(self, model: SSVAE, config: TrainingConfig) -> None:
        self.model, self.config = model, config

    def elbo(self, x: Tensor, y: Tensor | None, beta: float, logits: Tensor | None = None) -> Tensor:
        """Return the ELBO summed over views, nats: labelled if one-hot ``y`` is given.

        ``logits`` of q(y|x), where they are known already, spare the classifier.
        """
        if y is None:
            logits = self.model.classifier(self.model.features(x)) if logits is None else logits
            return elbos(self.model, x, x.new_zeros(0, self.model.n_classes), logits, beta)[1].sum()
        return elbos(self.model, x, y, x.new_zeros(0, self.model.n_classes), beta)[0].sum()

    def believed(
        self, probability: Float[Tensor, "unlabelled classes"]
    ) -> tuple[Int[Tensor, " unlabelled"], Float[Tensor, " unlabelled"]]:
        """Return the class each unlabelled image is taken for, and the weight of that: 1 where it is confident."""
        confidence, pseudo = probability.max(dim=-1)
        return pseudo, (confidence > self.config.consistency_threshold).float()

    def _augmented(self, images: Tensor, middle: Tensor, generator: torch.Generator) -> Tensor:
        """Return what the classifier sees of images under a random nuisance."""
        nuisance = None
        if self.config.augment:
            turn = self.model.config.rotation != "none"
            nuisance = draw_nuisance(self.config.augmentation, images, turn=turn, generator=generator)
        return self.model.features(self.model.look(images, nuisance, middle))

    def __call__(self, batch: Batch, beta: float, generator: torch.Generator, *, epoch: int | None = None) -> Losses:
        """Compute every term for a batch; ``total`` is what the step minimises, a number an unlabelled image.

        In an ``epoch`` (from 0) before ``training.labelled_epochs`` the unlabelled ELBO is told and not learnt from.
        """
        config, zero = self.config, batch.labelled.new_zeros(())
        elbo_labelled = elbo_unlabelled = consistency = confident = gauge = zero
        consistent = config.consistency_weight > 0 and len(batch.unlabelled) > 0
        n_labelled, n_consistent = len(batch.labelled), len(batch.unlabelled) if consistent else 0

        # Each image is looked at once as it is, labelled ones first, and once under a nuisance.
        images = torch.cat([batch.labelled, batch.unlabelled])
        middle = self.model.middle(images)
        x = self.model.look(images, None, middle)
        n_laden = n_labelled + n_consistent
        laden = self._augmented(images[:n_laden], middle[:n_laden], generator)
        logits = self.model.classifier(torch.cat([laden, self.model.features(x[n_labelled:])]))
        laden_labelled, laden_unlabelled, plain = logits.split([n_labelled, n_consistent, len(batch.unlabelled)])

        classification = F.cross_entropy(laden_labelled, batch.y)
        if consistent:
            network = plain.detach().log_softmax(dim=-1)
            both = network if batch.opinion is None else (network + batch.opinion).log_softmax(dim=-1)
            pseudo, weight = self.believed(both.exp())
            consistency = (F.cross_entropy(laden_unlabelled, pseudo, reduction="none") * weight).mean()
            # What the network is sure of by itself: starts are compared by it.
            confident = (network.exp().amax(dim=-1) > config.consistency_threshold).float().mean()
        if config.generative_weight > 0:
            if config.generative_shear and config.augment and gauged(self.model):
                upright = sheared(self.model, batch.labelled, config.augmentation.shear, generator)
                x = torch.cat([upright, x[n_labelled:]])
            share = config.classifier_elbo_weight
            felt = share * plain + (1 - share) * plain.detach()
            labelled, unlabelled = elbos(self.model, x, batch.y, felt, beta)
            elbo_labelled, elbo_unlabelled = labelled.mean(), unlabelled.mean() if len(unlabelled) else zero
            if epoch is not None and epoch < config.labelled_epochs and gauged(self.model):
                elbo_unlabelled = elbo_unlabelled.detach()
            if config.gauge_weight > 0 and gauged(self.model):
                gauge = gauge_loss(self.model, x[:n_labelled], batch.y, generator)
        total = (
            config.aux_weight * classification
            + config.consistency_weight * consistency
            - config.generative_weight * (elbo_labelled + elbo_unlabelled)
            + config.gauge_weight * gauge
        )
        return Losses(elbo_unlabelled, elbo_labelled, classification, consistency, confident, total)
