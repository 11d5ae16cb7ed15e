"""The pixel families against torch's distributions, and the rotation sum against brute force."""

import math

import pytest
import torch
import torch.nn.functional as F
from pyro.distributions import OneHotCategorical
from torch.distributions import ContinuousBernoulli, Normal

from ssrvae_core.config import ModelConfig
from ssrvae_core.geometry import PolarGrid
from ssrvae_core.models.likelihood import IndependentPixels, RotationMarginal, log_angle_prior, pixel_family

FAMILIES = ["bernoulli", "continuous_bernoulli", "gaussian"]
SD = 0.4
B, S, C, R, T = 3, 2, 2, 4, 12
GRID = PolarGrid.build(6.0, R, T)
WEIGHTS = GRID.weights.double()


def family(name):
    return pixel_family(ModelConfig(likelihood=name, gaussian_sd=SD))


def log_density(name, output, x):
    """The log-density of pixels x by torch's own distribution, from a decoder's output."""
    if name == "gaussian":
        return Normal(output, SD).log_prob(x)
    if name == "bernoulli":
        return -F.binary_cross_entropy_with_logits(*torch.broadcast_tensors(output, x), reduction="none")
    return ContinuousBernoulli(logits=output).log_prob(x)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def output(generator):
    """A decoder's output for templates, and below the polar images they are compared with."""
    return 2 * torch.randn(B, C, R, T, generator=generator, dtype=torch.float64)


@pytest.fixture
def x(generator):
    return torch.rand(B, S, C, R, T, generator=generator, dtype=torch.float64)


def marginal(name, output, prior=None, shifts=S):
    prior = log_angle_prior(GRID.angles.double(), None) if prior is None else prior
    pixels = family(name)
    return RotationMarginal(pixels, pixels.natural(output), WEIGHTS, prior, shifts=shifts)


@pytest.mark.parametrize("name", FAMILIES)
def test_log_density_is_torchs(name, generator):
    output = 4 * torch.randn(5, C, 40, generator=generator, dtype=torch.float64)
    x = torch.rand(5, C, 40, generator=generator, dtype=torch.float64)
    pixels = family(name)
    ours = IndependentPixels(pixels, pixels.natural(output)).log_prob(x)
    torch.testing.assert_close(ours, log_density(name, output, x).sum((-2, -1)))


@pytest.mark.parametrize("name", FAMILIES)
def test_mean_is_the_slope_of_the_log_partition(name):
    eta = torch.linspace(-30, 30, 241, dtype=torch.float64, requires_grad=True)
    pixels = family(name)
    (slope,) = torch.autograd.grad(pixels.log_partition(eta).sum(), eta)
    torch.testing.assert_close(pixels.mean(eta), slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [0.0, 1e-20, 1e-7, 1e-3, 0.0999, 0.1001, 0.5, 50.0, 1000.0])
def test_single_precision_keeps_values_and_gradients_right(name, size):
    exact = torch.tensor([-size, size], dtype=torch.float64, requires_grad=True)
    single = exact.detach().float().requires_grad_()
    for function in ("log_partition", "mean"):
        values = getattr(family(name), function)(single)
        reference = getattr(family(name), function)(exact)
        (gradient,) = torch.autograd.grad(values.sum(), single)
        (slope,) = torch.autograd.grad(reference.sum(), exact)
        torch.testing.assert_close(values, reference.float(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(gradient, slope.float(), rtol=1e-2, atol=1e-4)
        assert gradient.isfinite().all()


def test_continuous_bernoulli_is_a_density():
    x = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    pixels = family("continuous_bernoulli")
    for eta in torch.tensor([-20.0, -1.0, -0.05, 0.0, 0.05, 3.0], dtype=torch.float64):
        assert torch.trapezoid((x * eta - pixels.log_partition(eta)).exp(), x).item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("concentration", [None, 3.0])
def test_rotation_sum_equals_brute_force_over_turned_templates(name, concentration, output, x):
    prior = log_angle_prior(GRID.angles.double(), concentration)
    terms = torch.stack(
        [
            (log_density(name, output.roll(a, dims=-1).unsqueeze(1), x) * WEIGHTS).sum((-3, -2, -1)) + prior[a]
            for a in range(T)
        ],
        dim=-1,
    ) - math.log(S)
    ours = marginal(name, output, prior)
    torch.testing.assert_close(ours.joint(x), terms)
    torch.testing.assert_close(ours.log_prob(x), terms.flatten(1).logsumexp(-1))
    torch.testing.assert_close(ours.posterior(x), terms.flatten(1).softmax(-1).unflatten(-1, (S, T)))


@pytest.mark.parametrize("n_angles", [8, 9])
def test_rotation_sum_is_exact_for_even_and_odd_numbers_of_directions(n_angles, generator):
    eta = torch.randn(1, 1, 2, n_angles, generator=generator, dtype=torch.float64)
    x = torch.rand(1, 1, 1, 2, n_angles, generator=generator, dtype=torch.float64)
    prior = torch.zeros(n_angles, dtype=torch.float64)
    fit = RotationMarginal(family("bernoulli"), eta, torch.ones(2, 1), prior).joint(x).squeeze()
    expected = torch.stack([log_density("bernoulli", eta.roll(a, -1), x).sum() for a in range(n_angles)])
    torch.testing.assert_close(fit, expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_are_those_of_finite_differences(name, output, x):
    prior = log_angle_prior(GRID.angles.double(), 3.0)
    output, x = output[:1, :, :2, :6].requires_grad_(), x[:1, :, :, :2, :6].requires_grad_()

    def log_prob(output, x):
        pixels = family(name)
        return RotationMarginal(pixels, pixels.natural(output), WEIGHTS[:2], prior[:6], shifts=S).log_prob(x)

    assert torch.autograd.gradcheck(log_prob, (output, x))
    assert torch.autograd.gradcheck(log_prob, (torch.stack([output, 2 * output]), x))  # every class, one image


@pytest.mark.parametrize("name", FAMILIES)
def test_turning_the_image_leaves_its_likelihood_unchanged_and_moves_the_posterior_along(name, output, x):
    likelihood = marginal(name, output)
    posterior, turned = likelihood.posterior(x), likelihood.posterior(x.roll(1, dims=-1))
    torch.testing.assert_close(posterior.sum((-2, -1)), torch.ones(B, dtype=torch.float64))
    torch.testing.assert_close(turned, posterior.roll(1, dims=-1))
    torch.testing.assert_close(likelihood.log_prob(x.roll(1, dims=-1)), likelihood.log_prob(x))


def test_von_mises_prior_prefers_the_upright_image(output):
    image = family("bernoulli").mean(output).round().unsqueeze(1)
    likelihood = marginal("bernoulli", output, log_angle_prior(GRID.angles.double(), 8.0), shifts=1)
    assert (likelihood.log_prob(image) > likelihood.log_prob(image.roll(T // 2, dims=-1))).all()


def test_angle_priors_are_probabilities_centred_on_zero():
    for concentration in (None, 8.0):
        prior = log_angle_prior(GRID.angles, concentration)
        assert prior.exp().sum().item() == pytest.approx(1, rel=1e-6)
        assert prior.max() == prior[0]
        torch.testing.assert_close(prior[1:], prior[1:].flip(0))


def test_enumerated_classes_broadcast_against_one_batch_of_images(output, x):
    leading = torch.stack([output, output.flip(-1)])
    both = marginal("bernoulli", leading)
    assert both.batch_shape == (2, B)
    assert both.event_shape == (S, C, R, T)
    each = torch.stack([marginal("bernoulli", one).log_prob(x) for one in leading])
    torch.testing.assert_close(both.log_prob(x), each)


def test_the_most_likely_of_two_templates_is_the_one_the_image_shows_at_any_angle(output):
    templates = torch.stack([output, output.flip(-1)])
    shown = family("bernoulli").mean(output).round().roll(5, dims=-1).unsqueeze(1)
    posterior = OneHotCategorical(logits=marginal("bernoulli", templates, shifts=1).log_prob(shown).T).probs
    assert (posterior[:, 0] > 0.99).all()


def test_weighted_subset_of_the_pixels_scales_up(generator):
    eta, x = torch.randn(2, 3, C, 10, generator=generator)
    pixels = family("bernoulli")
    torch.testing.assert_close(
        IndependentPixels(pixels, eta, weight=2.5).log_prob(x), 2.5 * IndependentPixels(pixels, eta).log_prob(x)
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_sampling_shows_the_mean_image(name, output):
    likelihood = marginal(name, output)
    assert likelihood.sample().shape == (B, S, C, R, T)
    assert likelihood.sample((4,)).shape == (4, B, S, C, R, T)
    flat = IndependentPixels(family(name), output.flatten(-2))
    assert flat.sample((4,)).shape == (4, B, C, R * T)
    if name == "gaussian":
        torch.testing.assert_close(marginal(name, family(name).sd ** 2 * output).sample()[:, 0], SD**2 * output)
