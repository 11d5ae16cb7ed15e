"""Grey levels: numbers of any type are scaled, and a hot pixel does not set the scale."""

import numpy as np
import pytest

from ssrvae_core.data import file_dataset, load
from ssrvae_core.data.grey import scale_of, scaled

RNG = np.random.default_rng(0)
NOISE = RNG.integers(40, 230, (40, 16, 16)).astype(np.float64)


@pytest.mark.parametrize(
    "dtype", ["i1", "i2", "i4", "i8", "u4", "u8", ">i2", ">i4", ">u4", "f2", "f4", "f8", ">f4", ">f8"]
)
def test_signed_wide_and_floating_numbers_go_from_their_smallest_to_their_largest(tmp_path, dtype):
    values = (NOISE[:8] - (110 if np.dtype(dtype).kind != "u" else 0)) / (2 if dtype == "i1" else 1)
    np.save(tmp_path / "a.npy", values.astype(dtype))
    config = file_dataset(tmp_path / "a.npy")
    stored = values.astype(dtype).astype(np.float64)
    assert config.intensity == (stored.min(), stored.max())
    images = load(config).images[:, 0]
    np.testing.assert_allclose(images, (stored - stored.min()) / np.ptp(stored), atol=1e-6)


def test_bool_is_black_and_white(tmp_path):
    np.save(tmp_path / "a.npy", NOISE > 100)
    np.testing.assert_array_equal(load(file_dataset(tmp_path / "a.npy")).images[:, 0], NOISE > 100)


@pytest.mark.parametrize("dtype", ["u2", ">u2", "i2", "i4", "u4", "f4", "f8"])
@pytest.mark.parametrize("n_hot", [1, 5, 40])
def test_hot_pixels_do_not_set_the_scale(dtype, n_hot):
    clean = NOISE.astype(dtype)
    hot = clean.copy()
    hot[np.arange(n_hot) % 40, 3, 5] = 30_000
    scale = scale_of(hot)
    assert (scale.black, scale.white) == (scale_of(clean).black, scale_of(clean).white)
    assert scale.clipped == n_hot and scale_of(clean).clipped == 0
    assert scaled(hot[..., None], scale.black, scale.white).max() == 1


def test_dead_pixels_do_not_set_the_scale_either():
    dead = NOISE.copy()
    dead[3, 4, 4] = -1e6
    assert scale_of(dead).black == NOISE.min() and scale_of(dead).clipped == 1


def test_a_hot_pixel_leaves_floats_within_zero_and_one_where_they_are():
    images = NOISE / 255
    images[0, 0, 0] = 1e6
    assert scale_of(images).needed == (0, 1) and scale_of(NOISE / 255).needed is None


def test_small_bright_objects_are_no_hot_pixels():
    images = RNG.normal(0, 1, (100, 64, 64))
    images[:30, 10:13, 10:13] = 200
    assert scale_of(images).white == 200 and not scale_of(images).clipped
    images[:, 20:40, 20:40] = 300
    assert scale_of(images).white == 300


def test_a_few_values_that_lie_near_the_others_are_not_clipped():
    images = NOISE.copy()
    images[0, 0, 0] = 400
    assert scale_of(images).white == 400 and not scale_of(images).clipped


def test_many_colours_have_one_scale():
    images = np.stack([NOISE, NOISE * 2, NOISE * 3], axis=-1)
    assert scale_of(images).white == images.max()
    assert scaled(images, images.min(), images.max()).shape == (40, 3, 16, 16)
