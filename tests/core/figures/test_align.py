from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrvae_core.config import UserError
from ssrvae_core.figures.align import align_frames


def orthogonal(dims, rng):
    """A random rotation, with a reflection half of the time."""
    return np.linalg.qr(rng.normal(size=(dims, dims)))[0]


@given(seed=st.integers(0, 2**32 - 1), dims=st.integers(1, 5))
def test_a_rotated_and_reflected_copy_is_mapped_back_exactly(seed, dims):
    rng = np.random.default_rng(seed)
    last = rng.normal(size=(20, dims)) * np.arange(1, dims + 1)
    copy = last @ orthogonal(dims, rng) + rng.normal(size=dims)
    first, shown = align_frames([(np.arange(20), copy), (np.arange(20), last)])
    np.testing.assert_allclose(first, shown, atol=1e-4)
    assert first.shape == (20, 2) and first.dtype == np.float32


def test_the_last_frame_of_two_latents_stays_as_it_is():
    z = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    np.testing.assert_array_equal(align_frames([(np.arange(9), z + 1), (np.arange(9), z)])[1], z)


def test_shared_samples_are_found_in_any_order_and_spread_is_not_scaled():
    rng = np.random.default_rng(1)
    last = rng.normal(size=(12, 2))
    order = rng.permutation(12)[:8]
    turn = orthogonal(2, rng)
    ids = np.concatenate([order, [99]])
    other = np.concatenate([3 * last[order] @ turn, [[5.0, 5.0]]])
    aligned, _ = align_frames([(ids, other), (np.arange(12), last)])
    centred = last[order] - last[order].mean(axis=0)
    np.testing.assert_allclose(aligned[:8] - aligned[:8].mean(axis=0), 3 * centred, atol=1e-4)


def test_frames_with_fewer_than_three_shared_samples_are_left_alone():
    z = np.random.default_rng(2).normal(size=(6, 2)).astype(np.float32)
    other = z[:, ::-1] + 4
    aligned, _ = align_frames([(np.array([0, 1, 10, 11, 12, 13]), other), (np.arange(6), z)])
    np.testing.assert_array_equal(aligned, other)


def test_one_latent_lies_on_a_line_and_its_sign_is_learnt():
    z = np.linspace(-1, 1, 5)[:, None] + 0.3
    first, last = align_frames([(np.arange(5), -z), (np.arange(5), z)])
    np.testing.assert_allclose(first, last, atol=1e-6)
    assert not last[:, 1].any()


def test_many_latents_are_shown_along_the_two_widest_directions_of_the_last_frame():
    rng = np.random.default_rng(3)
    wide = np.stack([9 * rng.normal(size=200), 0.01 * rng.normal(size=200), 3 * rng.normal(size=200)], axis=1)
    (shown,) = align_frames([(np.arange(200), wide)])
    assert abs(np.corrcoef(shown[:, 0], wide[:, 0])[0, 1]) > 0.99
    assert abs(np.corrcoef(shown[:, 1], wide[:, 2])[0, 1]) > 0.98


def test_frames_of_different_latents_are_refused_and_no_frames_stay_none():
    with pytest.raises(UserError, match="latent_dim"):
        align_frames([(np.arange(4), np.zeros((4, 2))), (np.arange(4), np.zeros((4, 3)))])
    assert align_frames([]) == []
