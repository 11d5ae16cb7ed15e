from __future__ import annotations

import numpy as np
import pytest
import torch

from ssrvae_core.config import ModelConfig
from ssrvae_core.evaluation.turning import all_angles, turned, turning
from ssrvae_core.models import build

SMALL = {"channels": (4, 8), "hidden": (16,)}


@pytest.fixture
def image():
    picture = np.zeros((1, 16, 16), np.float32)
    picture[0, 7:9, 8:15] = 1
    return picture


def model(rotation):
    torch.manual_seed(0)
    return build(ModelConfig(rotation=rotation, radii=6, angles=72, **SMALL), (1, 16, 16), 3).eval()


def test_once_round_ends_where_it_began(image):
    images = turned(image, all_angles())
    assert images.shape == (73, 1, 16, 16)
    np.testing.assert_allclose(images[0], images[-1], atol=1e-5)
    np.testing.assert_allclose(images[36], image, atol=1e-5)


def test_a_quarter_turn_is_counter_clockwise(image):
    up = turned(image, np.array([90]))[0, 0]
    assert up[1:8].sum() > 10 * up[9:].sum()


@pytest.mark.parametrize("rotation", ["none", "marginal", "latent"])
def test_every_engine_says_all_there_is_to_say(rotation, image):
    degrees = all_angles()
    seen = turning(model(rotation), turned(image, degrees), degrees)
    np.testing.assert_allclose(seen.class_prob.sum(axis=1), 1, rtol=1e-5)
    assert seen.drawn.shape == (73, 1, 16, 16)
    assert (seen.kl >= -1e-6).all() and np.isfinite(seen.reconstruction).all()
    assert (seen.classification(1) >= 0).all()
    if rotation == "none":
        assert seen.posterior is None and np.isnan(seen.angle).all()
    else:
        np.testing.assert_allclose(seen.posterior.sum(axis=1), 1, rtol=1e-4)


def test_the_peak_of_the_posterior_moves_by_as_much_as_the_image_turns(image):
    degrees = all_angles()
    seen = turning(model("marginal"), turned(image, degrees), degrees)
    assert np.ptp(seen.class_prob, axis=0).max() < 0.05
    upright = seen.posterior[degrees == 0][0]  # 72 angles: one bin is one step of the turn
    for bins in (9, 18, -27):
        np.testing.assert_allclose(seen.posterior[degrees == 5 * bins][0], np.roll(upright, bins), atol=0.02)


def test_the_posterior_of_an_angle_latent_is_centred_on_its_mean(image):
    seen = turning(model("latent"), turned(image, all_angles()), all_angles())
    grid = 2 * np.pi * np.arange(72) / 72
    mean = np.angle(seen.posterior @ np.exp(1j * grid))
    np.testing.assert_allclose(np.exp(1j * mean), np.exp(1j * seen.angle), atol=0.02)
