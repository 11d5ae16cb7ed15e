"""Where a distribution over the circle points."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

NEIGHBOURHOOD = 12
"""The peak's surroundings reach so many-th of a turn to either side: peaks of up to sixfold objects stay apart."""


def peak_direction(
    probability: Float[Tensor, "batch angles"], angles: Float[Tensor, " angles"]
) -> Float[Tensor, " batch"]:
    """Return the mean direction of each distribution around its highest value.

    An object that looks the same after half a turn has two equally probable angles. The mean direction of all is then
    that of rounding errors; that around one of the two is one of the two.

    Parameters
    ----------
    probability : tensor (B, T)
        Of T evenly spaced angles.
    angles : tensor (T,)
        Radians.

    Returns
    -------
    tensor (B,)
        Radians in [-pi, pi].
    """
    n_angles = len(angles)
    reach = n_angles // NEIGHBOURHOOD
    steps = torch.arange(-reach, reach + 1, device=probability.device)
    near = (probability.argmax(dim=-1, keepdim=True) + steps) % n_angles
    weight, direction = probability.gather(-1, near), angles[near]
    return torch.atan2((weight * direction.sin()).sum(dim=-1), (weight * direction.cos()).sum(dim=-1))
