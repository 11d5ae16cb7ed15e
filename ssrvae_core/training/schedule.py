"""What a training does when: the images of each step, the weight of the KL term, the learning rate, the early stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ssrvae_core.config import TrainingConfig


def n_steps(config: TrainingConfig, n_labelled: int, n_unlabelled: int) -> int:
    """Return the steps of an epoch: the larger of the two sets is seen at least once."""
    return max(
        config.min_steps,
        math.ceil(n_labelled / config.labelled_batch_size),
        math.ceil(n_unlabelled / config.batch_size),
    )


def shuffled_rows(n_images: int, size: int, n_steps: int, generator: torch.Generator) -> Int[Tensor, "step batch"]:
    """Return the rows of each step's images: shuffled passes, one after the other.

    Parameters
    ----------
    n_images : int
        Images there are.
    size : int
        Images per step; fewer where there are fewer.
    n_steps : int
        Steps.
    generator : torch.Generator
        Shuffles, on its own device.
    """
    size = min(size, n_images)
    n_passes = math.ceil(n_steps * size / n_images) if n_images else 0
    passes = [torch.randperm(n_images, generator=generator, device=generator.device) for _ in range(n_passes)]
    rows = torch.cat(passes) if passes else torch.empty(0, dtype=torch.long, device=generator.device)
    return rows[: n_steps * size].view(n_steps, size)


def beta(config: TrainingConfig, epoch: int) -> float:
    """Return the weight of the KL term in an epoch, from 0."""
    ramp = min(1.0, epoch / config.beta_ramp_epochs) if config.beta_ramp_epochs else 1.0
    return config.beta_start + ramp * (config.beta_end - config.beta_start)


def learning_rate(config: TrainingConfig, progress: float) -> float:
    """Return the learning rate after a share of the training."""
    return config.learning_rate * (cosine(progress) if config.schedule == "cosine" else 1.0)


def cosine(progress: float) -> float:
    """Return the factor of a learning rate that falls from 1 to 0 along half a cosine."""
    return (1 + math.cos(math.pi * progress)) / 2


@dataclass
class EarlyStop:
    """Ends a training whose loss has had no new best for so many epochs.

    Attributes
    ----------
    config : TrainingConfig
        How many these are, if any.
    best_loss : float
        Smallest loss so far.
    epochs_since_best : int
        Epochs since then.
    """

    config: TrainingConfig
    best_loss: float = math.inf
    epochs_since_best: int = 0

    @property
    def struck(self) -> bool:
        """Whether the training is at its end."""
        return self._ends(self.epochs_since_best)

    def strikes(self, epoch: int, loss: float) -> bool:
        """Whether it will be after this epoch, from 1."""
        return not self._is_best(epoch, loss) and self._ends(self.epochs_since_best + 1)

    def add(self, epoch: int, loss: float) -> None:
        """Take in the loss of an epoch, from 1."""
        if self._is_best(epoch, loss):
            self.best_loss, self.epochs_since_best = loss, 0
        else:
            self.epochs_since_best += 1

    def _ends(self, epochs_since_best: int) -> bool:
        patience = self.config.early_stop
        return patience is not None and epochs_since_best >= patience

    def _is_best(self, epoch: int, loss: float) -> bool:
        # While the KL weight ramps up, the loss rises by that alone: nothing before its end counts.
        return epoch <= self.config.beta_ramp_epochs + 1 or loss < self.best_loss
