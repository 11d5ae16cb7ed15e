"""Ring spectra: a turn changes nothing, a wave shows at its frequency."""

import math

import numpy as np
import torch

from ssrvae_core.embedding.rings import ring_spectra
from ssrvae_core.evaluation.evaluate import turn


def blobs(shift=0.0):
    y, x = np.indices((48, 48))
    spots = [(24, 24, 9), (30, 18, 4), (17, 20, 3)]
    image = sum(np.exp(-((y - a - shift) ** 2 + (x - b - shift) ** 2) / (2 * s**2)) for a, b, s in spots)
    return (image / image.max())[None, None].astype(np.float32)


def test_a_turn_leaves_the_spectra_as_they_are():
    image = torch.from_numpy(blobs())
    upright = ring_spectra(image.numpy(), centre=False)
    for degrees in (30, 90, 133):
        turned = ring_spectra(turn(image, math.radians(degrees)).numpy(), centre=False)
        np.testing.assert_allclose(np.exp(turned), np.exp(upright), atol=0.01)


def test_a_shift_matters_only_where_nothing_is_centred():
    here, there = blobs(), blobs(shift=3.0)
    assert np.abs(ring_spectra(here) - ring_spectra(there)).max() < 0.3
    assert np.abs(ring_spectra(here, centre=False) - ring_spectra(there, centre=False)).max() > 1


def test_a_wave_around_the_centre_is_the_largest_at_its_frequency():
    y, x = np.indices((64, 64)) - 31.5
    image = (0.5 + 0.4 * np.cos(3 * np.arctan2(y, x)))[None, None].astype(np.float32)
    spectra = ring_spectra(image, n_radii=8, n_orders=6, centre=False).reshape(8, 6)
    assert (spectra[2:, 1:].argmax(axis=1) == 2).all()
    np.testing.assert_allclose(np.exp(spectra[2:, 0]), 0.51, atol=0.01)


def test_there_is_a_row_per_image_whatever_the_batch(monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.random((7, 2, 20, 30), dtype=np.float32)
    spectra = ring_spectra(images, n_radii=5, n_orders=4)
    assert spectra.shape == (7, 20)
    assert spectra.dtype == np.float32
    monkeypatch.setattr("ssrvae_core.embedding.rings.BATCH", 3)
    np.testing.assert_allclose(ring_spectra(images, n_radii=5, n_orders=4), spectra, atol=1e-5)
    assert ring_spectra(images[:0], n_radii=5, n_orders=4).shape == (0, 20)
