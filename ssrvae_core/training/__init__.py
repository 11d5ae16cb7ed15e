"""Training: the loop, the objective, reproducible randomness."""

from ssrvae_core.training.device import choose_device
from ssrvae_core.training.trainer import Diverged, Trainer

__all__ = ["Diverged", "Trainer", "choose_device"]
