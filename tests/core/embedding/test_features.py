"""Features: blocks on one scale, and the same scale for new images."""

import numpy as np
import pytest

from ssrvae_core.config import DatasetConfig, Disorder, EmbeddingConfig, ModelConfig
from ssrvae_core.data import load
from ssrvae_core.embedding.features import Features
from ssrvae_core.embedding.scaling import WIDEST, Block

SMALL = ModelConfig(latent_dim=3, hidden=(16,), channels=(16,), radii=8, angles=16)
EVERY = ("latents", "pooled", "rings", "descriptors")


@pytest.fixture(scope="module")
def images():
    data = load(DatasetConfig(size=16, unlabelled=Disorder(rotation=180), train_per_class=9, validation_per_class=1))
    return data.images


def config(*blocks, **settings):
    return EmbeddingConfig(**{"model": SMALL, "steps": 2, "components": 5, "blocks": blocks or EVERY, **settings})


def test_every_feature_has_mean_zero_and_variance_one_or_is_constant(images):
    fitted = Features(config()).fit_transform(images).astype(np.float64)
    np.testing.assert_allclose(fitted.mean(axis=0), 0, atol=0.15)  # but for what is cut off far out
    assert (fitted.std(axis=0) < 1.001).all()
    assert (fitted.std(axis=0) > 0.5).mean() > 0.9


def test_columns_tell_which_block_a_feature_belongs_to(images):
    features = Features(config())
    width = features.fit_transform(images).shape[1]
    columns = features.columns()
    assert tuple(columns) == EVERY
    assert columns["latents"] == slice(0, 3) and columns["pooled"] == slice(3, 8) and columns["rings"] == slice(8, 13)
    assert columns["descriptors"].stop == width


def test_fitted_images_have_the_same_features_when_transformed(images):
    features = Features(config())
    fitted = features.fit_transform(images)
    np.testing.assert_allclose(features.transform(images), fitted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features.transform(images[3:4])[0], fitted[3], rtol=1e-3, atol=1e-3)


def test_new_images_are_scaled_by_the_fitted_ones(images):
    features = Features(config("descriptors"))
    fitted = features.fit_transform(images[:30])
    masks = np.zeros((1, 16, 16), dtype=bool)
    masks[0, 3:13, 7:9] = True
    new = features.transform(images[30:31], masks)
    assert new.shape == (1, fitted.shape[1]) and np.abs(new).max() > 1


def test_without_latents_no_network_is_trained(images):
    features = Features(config("rings", "descriptors"))
    assert features.stage is None
    assert features.fit_transform(images).shape[0] == len(images)


def test_masks_are_what_the_descriptors_measure(images):
    masks = np.zeros((len(images), 16, 16), dtype=bool)
    masks[:, 4:12, 4:12] = True
    masks[::2, 4:12, 4:7] = False
    own, found = (Features(config("descriptors")).fit_transform(images, given) for given in (masks, None))
    assert not np.allclose(own, found)


def test_a_failed_measurement_is_cut_off():
    values = np.random.default_rng(0).normal(size=(500, 2))
    block = Block.fit("descriptors", values, components=5)
    assert np.abs(block(np.array([[1e6, -1e6]]))).max() <= WIDEST


def test_constant_features_are_zero():
    values = np.ones((20, 3))
    values[:, 1] = np.arange(20)
    fitted = Block.fit("descriptors", values, components=5)(values)
    np.testing.assert_array_equal(fitted[:, [0, 2]], 0)
