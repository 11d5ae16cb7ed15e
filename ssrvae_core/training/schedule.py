"""What a training does when: the weight of the KL term, the learning rate, the early stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ssrvae_core.config import TrainingConfig


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
