"""The angle that is told of a posterior with one peak or several."""

import math

import pytest
import torch

from ssrvae_core.models.direction import peak_direction

ANGLES = torch.arange(64) * (2 * math.pi / 64)


def posterior(angle, order, concentration=30.0):
    return (concentration * (order * (ANGLES - angle)).cos()).softmax(dim=-1)[None]


@pytest.mark.parametrize("angle", [-3.1, -0.4, 0.0, 1.234])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_the_angle_of_a_symmetric_object_is_one_of_its_own(order, angle):
    found = float(peak_direction(posterior(angle, order), ANGLES))
    assert abs(math.remainder(order * (found - angle), 2 * math.pi)) / order < 0.05


@pytest.mark.parametrize("angle", [-3.1, -0.4, 1.234])
def test_of_one_narrow_peak_it_is_the_mean_direction(angle):
    found = float(peak_direction(posterior(angle, 1, 100.0), ANGLES))
    assert abs(math.remainder(found - angle, 2 * math.pi)) < 2e-3


def test_a_grid_too_coarse_for_neighbours_gives_its_best_angle():
    coarse = torch.arange(8) * (math.pi / 4)
    probability = torch.tensor([[0.1, 0.1, 0.4, 0.1, 0.1, 0.1, 0.05, 0.05]])
    assert float(peak_direction(probability, coarse)) == pytest.approx(math.pi / 2)
