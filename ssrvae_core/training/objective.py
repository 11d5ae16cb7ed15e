"""What is minimised: the negative ELBO, the auxiliary classification loss and the consistency loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyro
import torch
import torch.nn.functional as F
from jaxtyping import Float
from pyro.infer import Trace_ELBO, TraceEnum_ELBO
from torch import Tensor

from ssrvae_core.config import Augmentation, TrainingConfig
from ssrvae_core.geometry import rotation
from ssrvae_core.models import SSVAE, Nuisance
from ssrvae_core.training.gauge import gauge_loss, gauged, sheared


@dataclass(frozen=True)
class Batch:
    """Labelled and unlabelled images of one step."""

    labelled: Float[Tensor, "labelled channel height width"]
    y: Float[Tensor, "labelled classes"]
    unlabelled: Float[Tensor, "unlabelled channel height width"]


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
    prediction on the image as it is must hold on the image under declared nuisances.
    """

    def __init__(self, model: SSVAE, config: TrainingConfig) -> None:
        self.model, self.config = model, config
        self._enumerated = TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=False)
        self._observed = Trace_ELBO(max_plate_nesting=1, strict_enumeration_warning=False)

    def elbo(self, x: Tensor, y: Tensor | None, beta: float, logits: Tensor | None = None) -> Tensor:
        """Return the ELBO summed over views, nats: labelled if one-hot ``y`` is given.

        ``logits`` of q(y|x), where they are known already, spare the guide the classifier.
        """
        estimator = self._enumerated if y is None else self._observed
        with pyro.validation_enabled(False):  # costs a tenth of a step; the networks' output cannot be out of range
            return -estimator.differentiable_loss(self.model.model, self.model.guide, x, y, beta, logits)

    def _augmented(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return what the classifier sees of images under a random nuisance."""
        nuisance = None
        if self.config.augment:
            turn = self.model.config.rotation != "none"
            nuisance = draw_nuisance(self.config.augmentation, images, turn=turn, generator=generator)
        return self.model.features(self.model.look(images, nuisance))

    def _upright(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the views of labelled images whose likelihood counts."""
        config = self.config
        if config.generative_shear and config.augment and gauged(self.model):
            return sheared(self.model, images, config.augmentation.shear, generator)
        return self.model.look(images)

    def __call__(self, batch: Batch, beta: float, generator: torch.Generator, *, epoch: int | None = None) -> Losses:
        """Compute every term for a batch; ``total`` is what the step minimises, a number an unlabelled image.

        In an ``epoch`` (from 0) before ``training.labelled_epochs`` the unlabelled ELBO is told and not learnt from.
        """
        config, zero = self.config, batch.labelled.new_zeros(())
        elbo_labelled = elbo_unlabelled = consistency = confident = gauge = zero
        consistent = config.consistency_weight > 0 and len(batch.unlabelled) > 0
        n_labelled, n_consistent = len(batch.labelled), len(batch.unlabelled) if consistent else 0

        # One pass of the classifier over all that it sees: nuisance-laden images first, plain ones last.
        x = self.model.look(batch.unlabelled)
        laden = torch.cat([batch.labelled, batch.unlabelled]) if consistent else batch.labelled
        logits = self.model.classifier(torch.cat([self._augmented(laden, generator), self.model.features(x)]))
        laden_labelled, laden_unlabelled, plain = logits.split([n_labelled, n_consistent, len(x)])

        classification = F.cross_entropy(laden_labelled, batch.y)
        if consistent:
            confidence, pseudo = plain.detach().softmax(dim=-1).max(dim=-1)
            certain = (confidence > config.consistency_threshold).float()
            consistency = (F.cross_entropy(laden_unlabelled, pseudo, reduction="none") * certain).mean()
            confident = certain.mean()
        if config.generative_weight > 0:
            upright = self._upright(batch.labelled, generator)
            elbo_labelled = self.elbo(upright, batch.y, beta) / n_labelled
            if config.gauge_weight > 0 and gauged(self.model):
                gauge = gauge_loss(self.model, upright, batch.y, generator)
            if len(x):
                share = config.classifier_elbo_weight
                felt = share * plain + (1 - share) * plain.detach()
                elbo_unlabelled = self.elbo(x, None, beta, felt) / len(x)
                if epoch is not None and epoch < config.labelled_epochs and gauged(self.model):
                    elbo_unlabelled = elbo_unlabelled.detach()
        total = (
            config.aux_weight * classification
            + config.consistency_weight * consistency
            - config.generative_weight * (elbo_labelled + elbo_unlabelled)
            + config.gauge_weight * gauge
        )
        return Losses(elbo_unlabelled, elbo_labelled, classification, consistency, confident, total)
