"""Rotation is rigid, counter-clockwise and exact to the interpolation, whatever the image's shape."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssrvae_core.geometry import (
    PolarGrid,
    centroid,
    from_polar,
    pixel_points,
    rotation,
    sample,
    sample_moved,
    transform,
)

angles = st.floats(-10, 10)
sides = st.integers(8, 24)
BLOBS = torch.tensor([[5.0, 1.0], [-2.0, 4.0], [-1.0, -3.0]])
"""Middles (x, y) of the blobs of the test object, which no turn maps onto itself."""


def blobs(height, width, angle=0.0, shift=(0.0, 0.0), channels=1, sd=2.5):
    """Images (1, C, H, W) of smooth blobs, drawn exactly in any pose; each channel is brighter than the one before."""
    middles = BLOBS @ rotation(torch.tensor(float(angle))).T + torch.tensor(shift)
    squared = (pixel_points(height, width).unsqueeze(-2) - middles).square().sum(-1)
    image = (torch.tensor([1.0, 0.7, 0.5]) * (-squared / (2 * sd**2)).exp()).sum(-1) / 2
    return torch.stack([image * (k + 1) / channels for k in range(channels)]).unsqueeze(0)


@given(angles, angles)
def test_rotations_compose(first, second):
    first, second = torch.tensor([first, second], dtype=torch.float64)
    torch.testing.assert_close(rotation(first) @ rotation(second), rotation(first + second))


@given(angles)
def test_a_rotation_is_rigid_and_its_inverse_is_the_opposite_angle(angle):
    matrix = rotation(torch.tensor(angle, dtype=torch.float64))
    torch.testing.assert_close(matrix.T @ matrix, torch.eye(2, dtype=torch.float64))
    torch.testing.assert_close(rotation(torch.tensor(-angle, dtype=torch.float64)), matrix.T)


def test_a_quarter_turn_takes_right_to_up():
    up = rotation(torch.tensor(math.pi / 2)) @ torch.tensor([1.0, 0.0])
    torch.testing.assert_close(up, torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)


def test_points_are_right_and_up_of_the_centre():
    points = pixel_points(3, 5)
    assert points.shape == (3, 5, 2)
    assert points[0, 0].tolist() == [-2, 1]
    assert points[2, 4].tolist() == [2, -1]
    assert points[1, 2].tolist() == [0, 0]


@given(sides, sides, st.integers(1, 3))
def test_sampling_at_the_pixels_gives_the_image(height, width, channels):
    images = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(height * width))
    points = pixel_points(height, width).expand(2, height, width, 2)
    torch.testing.assert_close(sample(images, points), images, atol=1e-5, rtol=0)


def test_points_outside_read_the_border():
    images = torch.arange(12.0).view(1, 1, 3, 4)
    far = torch.tensor([[[-100.0, 100.0], [100.0, 100.0], [-100.0, -100.0], [100.0, -100.0]]])
    assert sample(images, far).flatten().tolist() == [0, 3, 8, 11]


@given(angles, st.integers(24, 32), st.integers(24, 32), st.integers(1, 3))
def test_images_of_any_shape_turn_rigidly(angle, height, width, channels):
    image = blobs(height, width, channels=channels)
    back = rotation(torch.tensor([-angle]))
    turned = sample(image, transform(pixel_points(height, width), back, torch.zeros(1, 2)))
    torch.testing.assert_close(turned, blobs(height, width, angle, channels=channels), atol=0.03, rtol=0)


def test_a_quarter_turn_is_numpys():
    image = torch.rand(1, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    back = rotation(torch.tensor([-math.pi / 2]))
    turned = sample(image, transform(pixel_points(9, 9), back, torch.zeros(1, 2)))
    expected = np.rot90(image.numpy(), axes=(-2, -1)).copy()
    torch.testing.assert_close(turned, torch.from_numpy(expected), atol=1e-5, rtol=0)


def test_transform_multiplies_then_adds_for_every_image_of_the_batch():
    points = torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(0))
    matrix = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(1))
    offset = torch.randn(3, 2, generator=torch.Generator().manual_seed(2))
    moved = transform(points, matrix, offset)
    assert moved.shape == (3, 4, 5, 2)
    torch.testing.assert_close(moved[1, 2, 3], matrix[1] @ points[2, 3] + offset[1])


@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(30, 40), st.integers(30, 40), st.floats(0, 0.5))
def test_centroid_finds_a_shifted_object_on_any_background(x, y, height, width, background):
    squared = (pixel_points(height, width) - torch.tensor([x, y])).square().sum(-1)
    blob = (-squared / 8).exp().expand(1, 3, height, width)
    expected = torch.tensor([[x, y]])
    torch.testing.assert_close(centroid(background + blob / 2), expected, atol=0.01, rtol=0)
    torch.testing.assert_close(centroid(1 - background - blob / 2), expected, atol=0.01, rtol=0)


def test_a_featureless_image_is_centred_already():
    assert centroid(torch.full((2, 1, 8, 12), 0.3)).tolist() == [[0, 0], [0, 0]]


@given(st.floats(2, 40), st.integers(2, 50), st.integers(8, 100))
def test_weights_sum_to_the_area_of_the_disc(radius, n_radii, n_angles):
    grid = PolarGrid.build(radius, n_radii, n_angles)
    assert (grid.weights.sum() * n_angles).item() == pytest.approx(math.pi * radius**2, rel=1e-5)


def test_directions_of_the_polar_grid_are_counter_clockwise_from_the_right():
    points = PolarGrid.build(4.0, 2, 8).points()
    torch.testing.assert_close(points[:, 0], torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    torch.testing.assert_close(points[:, 2], torch.tensor([[0.0, 1.0], [0.0, 3.0]]), atol=1e-6, rtol=0)


@given(st.integers(-40, 40), st.integers(26, 32), st.integers(26, 32), st.integers(1, 3))
def test_turning_the_object_shifts_its_polar_image(steps, height, width, channels):
    grid = PolarGrid.build(12.0, 12, 48)
    points = grid.points().unsqueeze(0)
    upright = sample(blobs(height, width, channels=channels), points)
    turned = sample(blobs(height, width, steps * 2 * math.pi / 48, channels=channels), points)
    torch.testing.assert_close(turned, upright.roll(steps, dims=-1), atol=0.03, rtol=0)


@given(st.integers(26, 32), st.integers(26, 32), st.integers(1, 3))
def test_reading_a_polar_image_back_at_the_pixels_gives_the_object(height, width, channels):
    image = blobs(height, width, channels=channels)
    grid = PolarGrid.build(14.0, 28, 96)
    pixels = pixel_points(height, width)
    back = from_polar(sample(image, grid.points().unsqueeze(0)), grid, pixels.unsqueeze(0))
    inside = pixels.norm(dim=-1) < 12
    torch.testing.assert_close(back[..., inside], image[..., inside], atol=0.03, rtol=0)


def test_reading_a_polar_image_at_its_own_points_gives_its_values_also_across_the_seam():
    grid = PolarGrid.build(6.0, 5, 16)
    values = torch.rand(2, 3, 5, 16, generator=torch.Generator().manual_seed(0))
    points = grid.points().expand(2, 5, 16, 2)
    torch.testing.assert_close(from_polar(values, grid, points), values, atol=1e-4, rtol=0)
    just_before = points @ rotation(torch.tensor(-math.pi / 16)).T
    between = (values + values.roll(1, dims=-1)) / 2
    torch.testing.assert_close(from_polar(values, grid, just_before), between, atol=1e-4, rtol=0)


def test_an_image_is_read_where_its_points_are_moved_to():
    generator = torch.Generator().manual_seed(0)
    images, matrix = torch.rand(3, 2, 9, 14, generator=generator), torch.randn(3, 2, 2, generator=generator)
    offset, points = torch.randn(3, 2, generator=generator), torch.randn(4, 5, 2, generator=generator)
    expected = sample(images, transform(points, matrix, offset))
    torch.testing.assert_close(sample_moved(images, points, matrix, offset), expected, atol=1e-5, rtol=0)
