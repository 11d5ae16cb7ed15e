"""The evidence lower bound in closed form is Pyro's, number for number and gradient for gradient."""

import pytest
import torch
from pyro.infer import Trace_ELBO, TraceEnum_ELBO

from ssrvae_core.config import ModelConfig
from ssrvae_core.models import build
from ssrvae_core.models.elbo import elbos, in_one_pass

SHAPE = (2, 10, 12)
N_LABELLED, N_UNLABELLED, CLASSES = 3, 5, 3


class Fixed(torch.nn.Module):
    """An encoder of one's own, which need not have features."""

    def __init__(self, latents):
        super().__init__()
        self.middle = torch.nn.Parameter(torch.randn(CLASSES, latents))
        self.latents = latents

    def forward(self, x, y):
        mean = y @ self.middle + x.flatten(1).mean(1, keepdim=True)
        return mean, 0.5 + mean.square()


def gradients(model, value):
    model.zero_grad()
    value.backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("engine", ["none", "marginal", "latent"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"likelihood": "gaussian", "hidden": (8,)}, {"networks": "mlp", "centre": False}, {"encoder": True}],
    ids=["default", "gaussian", "mlp", "own encoder"],
)
def test_values_and_gradients_are_pyros_for_the_same_random_numbers(engine, settings):
    hidden = settings.get("hidden", (8, 7))
    rest = {name: value for name, value in settings.items() if name not in ("hidden", "encoder")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ModelConfig(rotation=engine, radii=5, angles=12, channels=(4, 6), hidden=hidden, **rest)
        model = build(config, SHAPE, CLASSES)
        if settings.get("encoder"):
            model.encoder = Fixed(model.latents)
        x = model.look(torch.rand(N_LABELLED + N_UNLABELLED, *SHAPE))
        y = torch.eye(CLASSES)[[0, 2, 1]]
        labelled, unlabelled = x.split([N_LABELLED, N_UNLABELLED])

        torch.manual_seed(1)
        expected = [
            -Trace_ELBO(max_plate_nesting=1).differentiable_loss(model.model, model.guide, labelled, y, 0.7),
            -TraceEnum_ELBO(max_plate_nesting=1).differentiable_loss(model.model, model.guide, unlabelled, None, 0.7),
        ]
        torch.manual_seed(1)
        bounds = [part.sum() for part in elbos(model, x, y, model.classifier(model.features(unlabelled)), 0.7)]
    torch.testing.assert_close(bounds, expected)
    for ours, theirs in zip(gradients(model, sum(bounds)), gradients(model, sum(expected)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * max(1.0, theirs.abs().max().item()))


def test_an_empty_part_has_no_bounds():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(ModelConfig(radii=5, angles=12, channels=(4,), hidden=(8,)), SHAPE, CLASSES)
        x = model.look(torch.rand(4, *SHAPE))
        none, y = torch.zeros(0, CLASSES), torch.eye(CLASSES)[[0, 2, 1, 0]]
        assert [len(part) for part in elbos(model, x, y, none)] == [4, 0]
        assert [len(part) for part in elbos(model, x, none, torch.zeros(4, CLASSES))] == [0, 4]


def test_batches_of_any_leading_dimensions_share_one_pass():
    calls = []

    def function(a, b):
        calls.append(len(a))
        return a * b.sum(-1, keepdim=True)

    a, b = [torch.rand(3, 2), torch.rand(4, 5, 2)], [torch.rand(3, 6), torch.rand(4, 5, 6)]
    parts = in_one_pass(function, a, b)
    assert calls == [23]
    for part, one, other in zip(parts, a, b, strict=True):
        torch.testing.assert_close(part, one * other.sum(-1, keepdim=True))
