"""What every engine promises: shapes, invariance, the evidence lower bound, and networks of one's own."""

import math

import numpy as np
import pytest
import torch
from pyro import poutine
from pyro.distributions import Normal
from pyro.infer import Trace_ELBO, TraceEnum_ELBO
from torch import nn

from ssrvae_core.config import ModelConfig
from ssrvae_core.models import Encoding, Nuisance, build

ENGINES = ["none", "marginal", "latent"]
POSES = {"translation": True, "scaling": True}
each_engine = pytest.mark.parametrize("engine", ENGINES)


def images(shape, n=4, seed=1):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))


@each_engine
@pytest.mark.parametrize("networks", ["conv", "mlp"])
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 14, 18), (2, 19, 11)])
def test_encoding_and_decoding_have_the_documented_shapes(small, engine, networks, shape):
    model = small(engine, shape, networks=networks, latent_dim=3, shift_steps=1, **POSES)
    code = model.encode(images(shape))
    shapes = {name: tuple(value.shape) for name, value in vars(code).items()}
    assert shapes == {
        "class_prob": (4, 3),
        "z_mean": (4, 3),
        "z_sd": (4, 3),
        "angle": (4,),
        "concentration": (4,),
        "shift": (4, 2),
        "scale": (4,),
        "log_likelihood": (4,),
    }
    torch.testing.assert_close(code.class_prob.sum(1), torch.ones(4))
    assert code.log_likelihood.isfinite().all()
    assert code.y.tolist() == code.class_prob.argmax(1).tolist()
    decoded = model.decode(code.z_mean, code.y, code.angle, code.shift, code.scale)
    assert decoded.shape == (4, *shape)
    assert decoded.min() >= 0 and decoded.max() <= 1


@each_engine
def test_only_models_with_rotation_know_an_angle(small, engine):
    code = small(engine).encode(images((1, 16, 16)))
    assert code.angle.isnan().all().item() == (engine == "none")
    assert code.concentration.isnan().all().item() == (engine == "none")
    if engine != "none":
        assert (code.angle.abs() <= math.pi + 1e-6).all()
        assert ((code.concentration >= 0) & (code.concentration <= 1)).all()


def test_encodings_of_batches_join_to_that_of_all(small):
    model, x = small(), images((1, 16, 16))
    joined = Encoding.join([model.encode(x[:3]), model.encode(x[3:])])
    for name, value in vars(model.encode(x)).items():
        torch.testing.assert_close(getattr(joined, name), value)


@pytest.mark.parametrize("networks", ["conv", "mlp"])
@pytest.mark.parametrize(("shape", "turns"), [((1, 16, 16), 1), ((3, 17, 17), 3), ((2, 14, 18), 2)])
def test_turning_the_image_by_right_angles_leaves_class_and_latents_exactly_unchanged(small, networks, shape, turns):
    model = small("marginal", shape, networks=networks, disc=0.9)
    upright = images(shape)
    turned = torch.from_numpy(np.rot90(upright.numpy(), turns, axes=(-2, -1)).copy())
    before, after = model.encode(upright), model.encode(turned)
    for name in ("class_prob", "z_mean", "z_sd"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("networks", ["conv", "mlp"])
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 36)])
def test_rotating_the_image_leaves_the_class_unchanged(small, draw_object, networks, shape):
    model = small("marginal", shape, networks=networks, radii=14, angles=64)
    codes = [model.encode(draw_object(shape, angle, (1.5, -1.0))) for angle in np.linspace(0, 2 * np.pi, 13)]
    for code in codes[1:]:
        torch.testing.assert_close(code.class_prob, codes[0].class_prob, atol=0.02, rtol=0)
        torch.testing.assert_close(code.z_mean, codes[0].z_mean, atol=0.02, rtol=0)


@each_engine
@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli", "gaussian"])
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_pyros_loss_equals_a_hand_written_enumeration(small, engine, likelihood, beta):
    model = small(engine, (2, 12, 14), likelihood=likelihood, shift_steps=1, **POSES)
    x = model.look(images((2, 12, 14), n=1))
    mean, sd = model.encoder(model.features(x), torch.eye(3).unsqueeze(1))
    z = mean + sd * torch.randn(mean.shape, generator=torch.Generator().manual_seed(2))
    log_q_y = model.classifier(model.features(x)).log_softmax(-1)[0]
    elbo = 0.0
    for k in range(3):
        seen = poutine.trace(model.observe).get_trace(x, z[k], torch.eye(3)[k : k + 1], labelled=False)
        kl = Normal(mean[k], sd[k]).log_prob(z[k]).sum() - Normal(0.0, 1.0).log_prob(z[k]).sum()
        elbo += log_q_y[k].exp() * (seen.log_prob_sum() - beta * kl - math.log(3) - log_q_y[k])
    fixed = poutine.Trace()
    fixed.add_node("z", name="z", type="sample", value=z, is_observed=False, infer={})
    guide = poutine.replay(model.guide, trace=fixed)
    loss = TraceEnum_ELBO(max_plate_nesting=1).loss(model.model, guide, x, None, beta)
    assert -loss == pytest.approx(elbo.item(), rel=1e-5)


@each_engine
def test_the_class_of_an_unlabelled_image_is_enumerated_and_never_sampled(small, engine):
    model = small(engine)
    x = model.look(images((1, 16, 16)))
    loss = TraceEnum_ELBO(max_plate_nesting=1)
    torch.manual_seed(0)
    first = loss.differentiable_loss(model.model, model.guide, x)
    gradient = torch.autograd.grad(first, list(model.classifier.parameters()), allow_unused=True)
    assert all(part is not None and part.isfinite().all() for part in gradient)


def test_labelled_images_have_an_angle_prior_of_their_own(small):
    model = small(angle_prior="uniform", angle_prior_labelled="von_mises", angle_concentration=4.0)
    x, y = model.look(images((1, 16, 16))), torch.eye(3)[[0, 1, 2, 0]]
    priors = {}
    for labelled in (False, True):
        trace = poutine.trace(model.observe).get_trace(x, torch.zeros(4, 2), y, labelled=labelled)
        priors[labelled] = trace.nodes["x"]["fn"].log_prior
    torch.testing.assert_close(priors[False], torch.full((16,), -math.log(16)))
    expected = (4 * (2 * math.pi * torch.arange(16) / 16).cos()).log_softmax(0)
    torch.testing.assert_close(priors[True], expected)
    torch.testing.assert_close(
        poutine.trace(model.model).get_trace(x, y).nodes["x"]["fn"].base_dist.log_prior, expected
    )


class Constant(nn.Module):
    """A network that says the same of every image."""

    def __init__(self, *values):
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))

    def forward(self, x):
        return self.values.expand(len(x), -1)


class ConstantEncoder(Constant):
    def forward(self, x, y):
        mean = self.values.expand(*y.shape[:-1], -1)
        return mean, torch.full_like(mean, 0.25)


class Bright(nn.Module):
    """A decoder with one brightness a class."""

    def __init__(self, grid):
        super().__init__()
        self.grid = grid

    def forward(self, *inputs):
        y = inputs[-1]
        return y.argmax(-1).float().view(*y.shape[:-1], *(1,) * len(self.grid)).expand(*y.shape[:-1], *self.grid)


@each_engine
def test_networks_handed_in_are_used(engine):
    config = ModelConfig(rotation=engine, radii=6, angles=16)
    latents = 2 + (engine == "latent")
    grid = {"none": (1, 16, 16), "marginal": (1, 6, 16), "latent": (1, 256)}[engine]
    handed = {
        "classifier": Constant(0.0, 3.0, 1.0),
        "encoder": ConstantEncoder(*(0.5,) * latents),
        "decoder": Bright(grid),
    }
    model = build(config, (1, 16, 16), 3, **handed)
    assert all(getattr(model, name) is network for name, network in handed.items())
    code = model.encode(images((1, 16, 16)))
    assert code.y.tolist() == [1] * 4
    assert (code.z_mean == 0.5).all() and (code.z_sd == 0.25).all()
    brightness = model.decode(torch.zeros(3, 2), torch.arange(3)).flatten(1)
    torch.testing.assert_close(brightness, torch.arange(3.0).sigmoid()[:, None].expand(3, 256))
    x = model.look(images((1, 16, 16)))
    assert math.isfinite(TraceEnum_ELBO(max_plate_nesting=1).loss(model.model, model.guide, x))
    assert math.isfinite(Trace_ELBO(max_plate_nesting=1).loss(model.model, model.guide, x, torch.eye(3)[[0, 1, 2, 0]]))


@each_engine
def test_manifold_points_like_a_scatter_plot(small, engine):
    model = small(engine, (2, 12, 14), latent_dim=3)
    grid = model.manifold2d(1, d=4, extent=1.5, angle=0.3, dims=(2, 0))
    assert grid.shape == (4, 4, 2, 12, 14)
    corners = {(0, 0): (1.5, -1.5), (0, 3): (1.5, 1.5), (3, 0): (-1.5, -1.5)}
    for (row, column), (vertical, horizontal) in corners.items():
        z = torch.tensor([[vertical, 0.0, horizontal]])
        torch.testing.assert_close(grid[row, column], model.decode(z, torch.tensor([1]), 0.3)[0])


@each_engine
def test_manifold_of_one_dimension_varies_along_the_rows_only(small, engine):
    grid = small(engine, latent_dim=1).manifold2d(0, d=3)
    torch.testing.assert_close(grid[0], grid[2])
    assert not torch.allclose(grid[:, 0], grid[:, 2])


@each_engine
def test_traversal_moves_one_dimension_upwards(small, engine):
    model = small(engine, latent_dim=3)
    steps = model.traverse(2, dim=1, d=5, extent=2.0)
    assert steps.shape == (5, 1, 16, 16)
    torch.testing.assert_close(steps[4], model.decode(torch.tensor([[0.0, 2.0, 0.0]]), torch.tensor([2]))[0])
    torch.testing.assert_close(steps[2], model.decode(torch.zeros(1, 3), torch.tensor([2]))[0])


@each_engine
def test_manifold_and_traversal_stay_within_bounds_and_the_other_latents_in_their_middle(small, engine):
    model = small(engine, latent_dim=3)
    bounds = np.array([[-0.5, 0.1], [1.0, 3.0], [0.2, 0.4]])
    one = torch.tensor([1])
    grid = model.manifold2d(1, d=3, dims=(2, 0), bounds=bounds)
    torch.testing.assert_close(grid[0, 2], model.decode(torch.tensor([[0.1, 2.0, 0.4]]), one)[0])
    torch.testing.assert_close(grid[2, 0], model.decode(torch.tensor([[-0.5, 2.0, 0.2]]), one)[0])
    steps = model.traverse(1, dim=1, d=3, bounds=bounds)
    torch.testing.assert_close(steps[0], model.decode(torch.tensor([[-0.2, 1.0, 0.3]]), one)[0])
    torch.testing.assert_close(steps[2], model.decode(torch.tensor([[-0.2, 3.0, 0.3]]), one)[0])


@each_engine
def test_a_declared_nuisance_moves_the_view_and_its_intensity(small, engine):
    model, x = small(engine, centre=False), images((1, 16, 16))
    still = Nuisance(torch.eye(2).expand(4, 2, 2), torch.zeros(4, 2), torch.ones(4), torch.zeros(4))
    torch.testing.assert_close(model.look(x, still), model.look(x), atol=1e-5, rtol=0)
    brighter = Nuisance(still.matrix, still.shift, 0.5 * still.contrast, still.brightness + 0.1)
    torch.testing.assert_close(model.look(x, brighter), 0.5 * model.look(x) + 0.1, atol=1e-5, rtol=0)
    moved = Nuisance(still.matrix, torch.tensor([1.0, 2.0]).expand(4, 2), still.contrast, still.brightness)
    expected = model.look(x.roll((2, -1), dims=(-2, -1)))
    inside = (..., slice(0, 4), slice(None)) if engine == "marginal" else (..., slice(2, None), slice(0, -1))
    torch.testing.assert_close(model.look(x, moved)[inside], expected[inside], atol=1e-5, rtol=0)


def test_pixel_subsets_estimate_the_whole_log_likelihood_without_bias(small):
    model = small("latent", (2, 12, 14), pixel_fraction=0.25)
    x, z, y = images((2, 12, 14)), images((3,), seed=2), torch.eye(3)[[0, 1, 2, 0]]

    def log_likelihood():
        return poutine.trace(model.observe).get_trace(model.look(x), z, y, labelled=False).log_prob_sum().item()

    whole = log_likelihood()
    assert log_likelihood() == whole
    model.train()
    torch.manual_seed(0)
    draws = np.array([log_likelihood() for _ in range(400)])
    assert draws.std() > 0
    assert abs(draws.mean() - whole) < 4 * draws.std() / math.sqrt(len(draws))


def test_training_sees_the_share_of_pixels_it_was_told(small):
    model = small("latent", pixel_fraction=0.25).train()
    trace = poutine.trace(model.observe).get_trace(
        images((1, 16, 16)), torch.zeros(4, 3), torch.eye(3)[[0] * 4], labelled=True
    )
    assert trace.nodes["x"]["value"].shape == (4, 1, 64)


@each_engine
def test_the_prior_of_classes_is_uniform_and_of_latents_standard_normal(small, engine):
    model = small(engine)
    trace = poutine.trace(model.model).get_trace(model.look(images((1, 16, 16))))
    torch.testing.assert_close(trace.nodes["y"]["fn"].mean, torch.full((4, 3), 1 / 3))
    assert (trace.nodes["z"]["fn"].mean == 0).all() and (trace.nodes["z"]["fn"].variance == 1).all()
    assert trace.nodes["z"]["value"].shape == (4, model.latents)


@each_engine
def test_what_a_model_is_asked_is_brought_to_its_device(small, engine):
    model, x = small(engine, shift_steps=1, **POSES).to("meta"), images((1, 16, 16))
    code = model.encode(x)
    assert {value.device.type for value in vars(code).values()} == {"meta"}
    pose = torch.zeros(4), torch.zeros(4, 2), torch.ones(4)
    assert model.decode(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long), *pose).device.type == "meta"
    assert model.manifold2d(1, d=3).device.type == "meta"
