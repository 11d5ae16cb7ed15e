"""The evidence lower bound in closed form over the classes, labelled and unlabelled images in one pass.

It is what Pyro's ``Trace_ELBO`` (class observed) and ``TraceEnum_ELBO`` (class enumerated) make of
:meth:`~ssrvae_core.models.ssvae.SSVAE.model` and :meth:`~ssrvae_core.models.ssvae.SSVAE.guide`, from the same random
numbers. To trace and replay the two programs takes longer than to compute with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from ssrvae_core.models.ssvae import SSVAE


def elbos(
    model: SSVAE,
    x: Float[Tensor, "batch *event"],
    y: Float[Tensor, "labelled classes"],
    logits: Float[Tensor, "unlabelled classes"],
    beta: float = 1.0,
) -> tuple[Float[Tensor, " labelled"], Float[Tensor, " unlabelled"]]:
    """Return an unbiased estimate of the ELBO of each view, nats: one draw of z for every class.

    Parameters
    ----------
    model : SSVAE
        Any engine.
    x : tensor (B, ...)
        Views of labelled, then of unlabelled images.
    y : tensor (L, K)
        One-hot classes of the labelled images.
    logits : tensor (U, K)
        Of q(y|x) of the unlabelled images.
    beta : float
        Weight of the KL divergence of z.
    """
    n_labelled, n_unlabelled = len(y), len(logits)
    every_class = torch.eye(model.n_classes, device=x.device).unsqueeze(1).expand(-1, n_unlabelled, -1)
    known = [True] * (n_labelled > 0) + [False] * (n_unlabelled > 0)  # an empty part takes no part
    classes = [y if labelled else every_class for labelled in known]
    latents, divergences = [], []
    for mean, sd in model.infer(x, classes):
        noise = torch.randn(mean.shape, device=mean.device)
        z = mean + sd * noise
        latents.append(z)
        divergences.append((0.5 * (z.square() - noise.square()) - sd.log()).sum(dim=-1))
    views = x.split([n_labelled if labelled else n_unlabelled for labelled in known])
    fits = model.log_likelihoods(views, latents, classes, known)
    prior = -math.log(model.n_classes)
    terms = [fit + prior - beta * divergence for fit, divergence in zip(fits, divergences, strict=True)]
    log_q = logits.log_softmax(dim=-1).T
    return (
        terms[0] if n_labelled else y.new_zeros(0),
        (log_q.exp() * (terms[-1] - log_q)).sum(dim=0) if n_unlabelled else logits.new_zeros(0),
    )


def in_one_pass(function: Callable[..., Tensor], *columns: Sequence[Float[Tensor, "..."]]) -> list[Tensor]:
    """Apply a function of rows to several batches at once.

    Parameters
    ----------
    function : callable
        Of as many tensors (rows, ...) as there are columns; its rows do not depend on each other.
    *columns : sequences of tensors (*leading, n)
        For each argument, its batches; all columns have the same leading dimensions.

    Returns
    -------
    list of tensors (*leading, ...)
        Results of each batch.
    """
    leading = [batch.shape[:-1] for batch in columns[0]]
    rows = function(*(torch.cat([batch.flatten(0, -2) for batch in column]) for column in columns))
    parts = rows.split([shape.numel() for shape in leading])
    return [part.unflatten(0, shape) for part, shape in zip(parts, leading, strict=True)]
