"""Averages of crops with neighbours in view, or of particles off the centre, are as sharp as what is known allows."""

from __future__ import annotations

import numpy as np
import pytest

from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.library.centres import intensity_centroid, mask_centroid
from ssrvae_core.library.crops import Crops

SIDE, N = 40, 60


def bars(rng, *, off, neighbours, bright):
    """Bars at any angle with a hook, so that upside down is not upright; their masks, and their centres (N, 2)."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    angle = rng.uniform(-np.pi, np.pi, N)
    middle = rng.normal(0, off, (N, 2))
    objects, around = [], []
    for k in range(N):
        dx, dy = x - middle[k, 0], -y - middle[k, 1]
        u = dx * np.cos(angle[k]) + dy * np.sin(angle[k])
        v = -dx * np.sin(angle[k]) + dy * np.cos(angle[k])
        objects.append(((abs(u) < 8) & (abs(v) < 2.5)) | ((abs(u - 6) < 2) & (abs(v - 3) < 3)))
        turn = rng.uniform(0, 2 * np.pi)
        around.append(np.hypot(x - 19 * np.cos(turn), y - 19 * np.sin(turn)) < 7)
    masks = np.array(objects)
    seen = masks | (np.array(around) & neighbours)
    images = np.where(seen, 0.8, 0.2) if bright else np.where(seen, 0.2, 0.8)
    images = images + rng.normal(0, 0.02, images.shape)
    return images.astype(np.float32)[:, None], masks, angle.astype(np.float32)


def crops(images, masks, angle, centre=True):
    labels = np.zeros(N, dtype=np.int64)
    found = ImageSet(images=images, labels=labels, ids=np.arange(N), class_names=("bars",), masks=masks)
    return Crops(found, angle, labels, centre=centre)


def sharpness(crops):
    """Standard deviation of the average upright crop over that of a single one."""
    upright = crops.rows(np.arange(N), turned=True)[:, 0, 8:-8, 8:-8]
    return upright.mean(axis=0).std() / upright.std(axis=(1, 2)).mean()


@pytest.mark.parametrize("bright", [False, True])
@pytest.mark.parametrize("centre", [False, True])
def test_the_average_of_masked_particles_is_sharp_wherever_they_and_their_neighbours_are(bright, centre):
    images, masks, angle = bars(np.random.default_rng(0), off=3, neighbours=True, bright=bright)
    assert sharpness(crops(images, masks, angle, centre)) > 0.85


@pytest.mark.parametrize("bright", [False, True])
@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize(("off", "neighbours"), [(0.3, True), (3, False)])
def test_without_masks_neighbours_and_an_object_off_the_centre_are_both_allowed_for(bright, centre, off, neighbours):
    images, _, angle = bars(np.random.default_rng(1), off=off, neighbours=neighbours, bright=bright)
    assert sharpness(crops(images, None, angle, centre)) > 0.85


def test_where_neither_point_is_better_the_one_of_the_model_is_taken():
    rng = np.random.default_rng(2)
    images, _, angle = bars(rng, off=0, neighbours=False, bright=True)
    images[:] = 0.5  # nothing in view
    for centre in (False, True):
        assert crops(images, None, angle, centre)._by_intensity is centre


def test_a_mask_has_its_centroid_and_an_empty_one_the_centre_of_the_image():
    masks = np.zeros((2, 11, 21), dtype=bool)
    masks[0, 2:5, 14:17] = True
    assert mask_centroid(masks).tolist() == [[5, 2], [0, 0]]
    assert np.allclose(intensity_centroid(masks[:, None].astype(np.float32)), [[5, 2], [0, 0]])
