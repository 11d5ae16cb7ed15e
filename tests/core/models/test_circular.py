"""Convolutions and pooling around a circle are PyTorch's own, in another layout."""

import pytest
import torch
from torch import nn

from ssrvae_core.models.circular import CircularConvolution, CircularPool, Wrap


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("n_angles", [2, 7, 16])
def test_responses_and_gradients_are_those_of_pytorchs_circular_convolution(n_angles, step):
    ours = CircularConvolution(3, 4, 5, step).double()
    theirs = nn.Conv1d(3, 4, 5, step, 2, padding_mode="circular", dtype=torch.float64)
    theirs.load_state_dict(ours.state_dict())
    results = []
    for network, turned in ((ours, True), (theirs, False)):
        x = noise(6, 3, n_angles).requires_grad_()
        responses = network(x.transpose(1, 2)).transpose(1, 2) if turned else network(x)
        responses.square().sum().backward()
        results.append([responses, x.grad, network.weight.grad, network.bias.grad])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_a_border_longer_than_the_circle_goes_around_it_again():
    circle = torch.arange(3.0).view(1, 3, 1)
    assert Wrap.apply(circle, 4).flatten().tolist() == [2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert torch.autograd.gradcheck(lambda x: Wrap.apply(x, 4), noise(2, 3, 2).requires_grad_())


def test_pooling_is_the_mean_and_the_largest_and_so_are_its_gradients():
    x = noise(3, 8, 2)
    x[0, 5] = x[0].amax(0)  # two largest ones, which share the gradient
    weights, results = noise(3, 4), []
    for pool in (CircularPool.apply, lambda x: torch.cat([x.mean(1), x.amax(1)], dim=1)):
        leaf = x.clone().requires_grad_()
        pooled = pool(leaf)
        (pooled * weights).sum().backward()
        results.append([pooled, leaf.grad])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
