"""Angles are counter-clockwise on the screen, shifts go right and up, and encode -> decode round-trips the pose."""

import math

import numpy as np
import pytest
import torch

from ssrvae_core.config import DatasetConfig, Disorder
from ssrvae_core.data import load
from ssrvae_core.geometry import centroid

POSE = {"translation": True, "scaling": True}
Z, Y = torch.tensor([[0.4, -0.8]]), torch.tensor([1])


def difference(first, second):
    """The angle between two directions, radians."""
    return abs(math.remainder(float(first) - float(second), 2 * math.pi))


@pytest.fixture
def observer(small, draw_object, still_life):
    """A marginal model that imagines the upright object, whatever the latents."""
    return lambda shape=(1, 32, 32), **settings: still_life(
        small("marginal", shape, **{"radii": 16, "angles": 64, "disc": 1.0} | settings), draw_object(shape)
    )


# What is drawn: the decoder's frame.


@pytest.mark.parametrize("engine", ["marginal", "latent"])
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 15, 15)])
def test_a_quarter_turn_is_drawn_counter_clockwise(small, engine, shape):
    model = small(engine, shape)
    upright, turned = model.decode(Z, Y), model.decode(Z, Y, angle=math.pi / 2)
    expected = np.rot90(upright.numpy(), axes=(-2, -1)).copy()
    torch.testing.assert_close(turned, torch.from_numpy(expected), atol=1e-4, rtol=0)


def test_the_angle_has_no_effect_without_rotation(small):
    model = small("none")
    assert torch.equal(model.decode(Z, Y), model.decode(Z, Y, angle=1.0))


@pytest.mark.parametrize("engine", ["none", "marginal", "latent"])
@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 14, 19)])
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_a_shifted_object_is_drawn_right_and_up(small, engine, shape, angle):
    model = small(engine, shape)
    there = model.decode(Z, Y, angle, torch.tensor([[3.0, 2.0]]))
    here = model.decode(Z, Y, angle)
    torch.testing.assert_close(there[..., :-2, 3:], here[..., 2:, :-3], atol=1e-4, rtol=0)


@pytest.mark.parametrize("engine", ["none", "marginal", "latent"])
@pytest.mark.parametrize("shape", [(1, 17, 17), (2, 13, 17)])
def test_a_scaled_object_is_drawn_larger_about_its_own_centre(small, engine, shape):
    model = small(engine, shape)
    middle = shape[1] // 2, shape[2] // 2
    steps = torch.arange(-2, 3)
    small_one = model.decode(Z, Y)[..., steps[:, None] + middle[0], steps + middle[1]]
    large = model.decode(Z, Y, 0.0, torch.tensor([[1.0, 2.0]]), 2.0)
    large = large[..., 2 * steps[:, None] + middle[0] - 2, 2 * steps + middle[1] + 1]
    torch.testing.assert_close(large, small_one, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 40)])
def test_the_template_is_drawn_in_any_pose_as_the_object_is(observer, draw_object, shape):
    model = observer(shape, centre=False)
    for angle, shift, scale in [(0.0, (0.0, 0.0), 1.0), (1.2, (2.0, -1.5), 1.0), (-2.3, (-1.0, 2.5), 0.75)]:
        drawn = model.decode(Z, Y, angle, torch.tensor([shift]), scale)
        expected = draw_object(shape, angle, shift, scale).clamp(0.01, 0.99)
        torch.testing.assert_close(drawn, expected, atol=0.06, rtol=0)


# What is inferred: the marginal engine.


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 38), (1, 40, 32)])
@pytest.mark.parametrize("angle", [-3.0, -1.0, 0.0, 0.5, 2.0, 3.1])
def test_the_estimated_angle_is_the_objects(observer, draw_object, shape, angle):
    code = observer(shape).encode(draw_object(shape, angle, shift=(1.0, -2.0)))
    assert difference(code.angle, angle) < 0.05
    assert code.concentration > 0.95


def test_turning_the_picture_turns_the_estimated_angle_with_it(observer, draw_object):
    image, model = draw_object(angle=0.4), observer()
    before = model.encode(image).angle
    for quarter in range(4):
        turned = torch.from_numpy(np.rot90(image.numpy(), quarter, axes=(-2, -1)).copy())
        assert difference(model.encode(turned).angle, before + quarter * math.pi / 2) < 1e-2


def test_the_angle_posterior_peaks_at_the_angle_and_sums_to_one(observer, draw_object):
    model = observer(angles=64)
    images = torch.cat([draw_object(angle=step * 2 * math.pi / 64) for step in (0, 5, 40)])
    posterior = model.angle_posterior(images, model.encode(images).y)
    assert posterior.argmax(1).tolist() == [0, 5, 40]
    torch.testing.assert_close(posterior.sum(1), torch.ones(3))


@pytest.mark.parametrize("networks", ["conv", "mlp"])
def test_an_untrained_model_recognises_its_own_drawing_at_the_angle_it_drew(small, networks):
    model = small("marginal", (1, 24, 24), networks=networks, likelihood="gaussian", radii=12, angles=32, centre=False)
    for step in (0, 3, 16, 29):
        drawn = model.decode(Z, Y, step * 2 * math.pi / 32)
        posterior = model.likelihood(Z, model.one_hot(Y)).posterior(model.look(drawn))
        assert posterior.argmax().item() == step


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 36, 44)])
@pytest.mark.parametrize("angle", [-1.7, 0.6])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0)])
def test_decoding_an_encoded_pose_puts_the_object_where_it_was(observer, draw_object, shape, angle, shift):
    model, image = observer(shape), draw_object(shape, angle, shift)
    code = model.encode(image)
    drawn = model.decode(code.z_mean, code.y, code.angle, code.shift, code.scale)
    torch.testing.assert_close(drawn, image.clamp(0.01, 0.99), atol=0.08, rtol=0)
    torch.testing.assert_close(code.shift, centroid(image), atol=0.1, rtol=0)


def test_the_sum_over_shifts_finds_an_uncentred_object(observer, draw_object):
    model = observer(centre=False, shift_steps=2, shift_step=1.0)
    for shift in [(0.0, 0.0), (2.0, -1.0), (-1.0, 2.0)]:
        image = draw_object(angle=0.8, shift=shift)
        code = model.encode(image)
        torch.testing.assert_close(code.shift, torch.tensor([shift]), atol=0.3, rtol=0)
        assert difference(code.angle, 0.8) < 0.1
        drawn = model.decode(code.z_mean, code.y, code.angle, code.shift)
        torch.testing.assert_close(drawn, image.clamp(0.01, 0.99), atol=0.1, rtol=0)


def test_angles_are_those_of_the_cards(small, still_life):
    pair = {"labelled": Disorder(rotation=100), "unlabelled": Disorder(rotation=100)}
    turned = load(DatasetConfig(size=32, train_per_class=4, validation_per_class=1, **pair))
    upright = load(DatasetConfig(size=32, train_per_class=1, validation_per_class=1))
    for k, name in enumerate(turned.class_names):
        if name == "diamonds":  # half a turn maps a diamond onto itself
            continue
        template = torch.from_numpy(upright.images[(upright.labels == k) & ~upright.validation][:1])
        model = still_life(small("marginal", (1, 32, 32), radii=16, angles=64), template)
        rows = turned.labels == k
        code = model.encode(torch.from_numpy(turned.images[rows]))
        for estimated, true in zip(code.angle, turned.factors["angle"][rows], strict=True):
            assert difference(estimated, true) < 0.1, name


# What is inferred: the latent engine.


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 12, 17)])
@pytest.mark.parametrize("pose", [{}, {"translation": True}, {"scaling": True}, POSE, {"angle": False, **POSE}])
@pytest.mark.parametrize("centre", [False, True])
def test_drawing_in_the_inferred_pose_is_the_mean_of_the_likelihood(small, shape, pose, centre):
    model = small("latent", shape, centre=centre, **pose)
    latents = torch.randn(5, model.latents, generator=torch.Generator().manual_seed(0))
    y = torch.eye(3)[[0, 1, 2, 0, 1]]
    with torch.no_grad():
        mean = model.likelihood(latents, y).sample().unflatten(-1, shape[1:])
        known = model.pose(mean, latents, torch.ones_like(latents), y)
    drawn = model.decode(latents[:, model.pose_latents :], y.argmax(1), known["angle"], known["shift"], known["scale"])
    torch.testing.assert_close(drawn, mean, atol=1e-4, rtol=0)


@pytest.mark.parametrize("engine", ["none", "latent"])
def test_centring_is_part_of_the_encoded_shift(small, draw_object, engine):
    image = draw_object(shift=(4.0, -3.0))
    centred, plain = small(engine, (1, 32, 32)), small(engine, (1, 32, 32), centre=False)
    torch.testing.assert_close(centred.encode(image).shift, centroid(image))
    assert plain.encode(image).shift.tolist() == [[0, 0]]


def test_a_latent_angle_wraps_around_the_circle(small):
    model = small("latent", angle_sd=2.0)
    z = torch.tensor([[2.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    with torch.no_grad():
        pose = model.pose(torch.rand(2, 1, 16, 16), z, torch.tensor([[0.0], [0.5]]).expand(2, 3), torch.eye(3)[:2])
    torch.testing.assert_close(pose["angle"], torch.tensor([4 - 2 * math.pi, 1.0]))
    torch.testing.assert_close(pose["concentration"], torch.tensor([1.0, math.exp(-0.5)]))
