"""Clipping of the gradient's norm."""

from __future__ import annotations

import math

import torch


class GradientClip:
    """Clips the gradient's norm at a multiple of its running mean, whatever the size of the images.

    Parameters
    ----------
    multiple : float
        Largest norm, in running means.
    """

    MEMORY = 0.98  # of the running mean, a step
    ROUNDING = 2e-6  # torch adds half of it to the norm before it compares

    def __init__(self, multiple: float) -> None:
        self.multiple = multiple
        self.typical = 0.0

    def __call__(self, model: torch.nn.Module) -> bool:
        """Clip in place; return False, and change nothing, if the gradient is not finite."""
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        length = torch.nn.utils.get_total_norm(gradients)
        norm = length.item()
        if not math.isfinite(norm):
            return False
        limit = self.multiple * self.typical if self.typical else norm
        if norm > limit - self.ROUNDING:  # else the factor is 1
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), max(limit, 1e-12), length)
        self.typical = self.MEMORY * (self.typical or norm) + (1 - self.MEMORY) * min(norm, limit)
        return True
