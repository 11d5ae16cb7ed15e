"""Convolutions and pooling around a circle, in the layout that libraries for multiplying matrices read fastest.

The channels are the last axis. Where the angles are, as in :class:`torch.nn.Conv1d`, every convolution and its gradient
copy their images to and fro, which takes as long as the products themselves.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Wrap(torch.autograd.Function):
    """Surrounds the circle by borders that repeat its other end, as often as they are long."""

    @staticmethod
    def forward(
        ctx: Any, circle: Float[Tensor, "batch angles channels"], border: int
    ) -> Float[Tensor, "batch wrapped channels"]:
        """Return the circle with ``border`` places on either side of it."""
        ctx.size, ctx.border = circle.shape[1], border
        wrapped = circle.new_empty(len(circle), ctx.size + 2 * border, circle.shape[-1])
        wrapped[:, border : border + ctx.size] = circle
        for places, source in _borders(ctx.size, border):
            wrapped[:, places] = circle[:, source]
        return wrapped

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Add the gradients of the borders to those of the places that they repeat."""
        of_circle = gradient[:, ctx.border : ctx.border + ctx.size].clone(memory_format=torch.contiguous_format)
        for places, source in _borders(ctx.size, ctx.border):
            of_circle[:, source] += gradient[:, places]
        return of_circle, None


def _borders(size: int, border: int) -> list[tuple[slice, slice]]:
    """Return the places of the borders, and those of the circle that they repeat, in pieces of the circle's size."""
    pairs = []
    for done in range(0, border, size):
        length = min(border - done, size)
        end, first = border - done, border + size + done
        pairs.append((slice(end - length, end), slice(size - length, size)))
        pairs.append((slice(first, first + length), slice(length)))
    return pairs


class CircularConvolution(nn.Conv1d):
    """A convolution around a circle, of an odd width; parameters are those of :class:`torch.nn.Conv1d`."""

    def forward(self, x: Float[Tensor, "batch angles before"]) -> Float[Tensor, "batch fewer after"]:
        """Return the responses around the circle."""
        images = Wrap.apply(x, self.kernel_size[0] // 2).transpose(1, 2).unsqueeze(2)
        weight = self.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        return F.conv2d(images, weight, self.bias, (1, *self.stride)).squeeze(2).transpose(1, 2)


class CircularPool(torch.autograd.Function):
    """The mean and the largest value around the circle; several largest ones share their gradient."""

    @staticmethod
    def forward(ctx: Any, values: Float[Tensor, "batch angles channels"]) -> Float[Tensor, "batch pooled"]:
        """Return the mean of every channel, then the largest value of every channel."""
        largest = values.amax(dim=1)
        ctx.save_for_backward(values, largest)
        return torch.cat([values.mean(dim=1), largest], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the gradient of every value."""
        values, largest = ctx.saved_tensors
        of_mean, of_largest = gradient.unsqueeze(1).chunk(2, dim=-1)
        # 1 where the value is the largest one, else 0; comparing gives bytes, which take several times as long.
        is_largest = (values - largest.unsqueeze(1)).sign_().add_(1)
        of_largest = of_largest / is_largest.sum(dim=1, keepdim=True)
        return torch.addcmul(of_mean / values.shape[1], is_largest, of_largest)
