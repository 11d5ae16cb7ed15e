"""The unsupervised stage: no labels, any angle, the same result from the same seed."""

import copy

import numpy as np
import pytest
import torch

from ssrvae_core.config import DatasetConfig, Disorder, EmbeddingConfig, ModelConfig, UserError
from ssrvae_core.data import load
from ssrvae_core.embedding.stage import Stage

SMALL = ModelConfig(latent_dim=3, hidden=(16,), channels=(16,), radii=8, angles=16)


def config(**settings):
    return EmbeddingConfig(**{"model": SMALL, "steps": 4, "batch_size": 20, **settings})


@pytest.fixture(scope="module")
def images():
    data = load(DatasetConfig(size=16, unlabelled=Disorder(rotation=180), train_per_class=9, validation_per_class=1))
    return data.images


def test_it_learns_without_labels(images):
    stage = Stage(config(steps=60, learning_rate=1e-2)).fit(images)
    assert len(stage.elbo) == 60
    assert np.mean(stage.elbo[-10:]) > np.mean(stage.elbo[:10])


def test_latents_and_pooled_responses_have_a_row_per_image(images):
    latents, pooled = Stage(config()).fit(images).encode(images[:7])
    assert latents.shape == (7, 3) and pooled.shape == (7, 32)
    assert latents.dtype == pooled.dtype == np.float32


def test_the_same_seed_gives_the_same_latents_and_another_one_others(images):
    first, second, third = (Stage(config(), seed).fit(images).encode(images)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, third)


def test_an_image_has_the_same_latents_alone_and_among_others(images):
    stage = Stage(config()).fit(images)
    together, _ = stage.encode(images)
    alone, _ = stage.encode(images[5:6])
    np.testing.assert_allclose(alone[0], together[5], rtol=1e-4, atol=1e-5)


def test_turning_the_image_leaves_the_latents_unchanged(images):
    stage = Stage(config()).fit(images)
    upright, turned = (stage.encode(x)[0] for x in (images, np.rot90(images, axes=(2, 3)).copy()))
    np.testing.assert_allclose(turned, upright, rtol=1e-3, atol=1e-3)


def test_the_steps_are_told_and_can_be_stopped(images):
    told = []

    def on_step(step, n_steps):
        told.append((step, n_steps))
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stage(config()).fit(images, on_step)
    assert told == [(0, 4), (1, 4), (2, 4)]


def test_a_stage_goes_on_from_its_state_to_the_same_weights(images):
    kept, whole = [], Stage(config()).fit(images)
    stopped = Stage(config())
    stopped.fit(images, lambda step, _: kept.append(copy.deepcopy(stopped.state_dict())) if step == 2 else None)
    made, resumed = [], Stage(config())
    resumed.prepare(images.shape[1:])
    resumed.load_state_dict(kept[0])
    resumed.fit(images, lambda step, _: made.append(step))
    assert made == [2, 3]
    assert resumed.elbo == whole.elbo
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], tensor), name
    with pytest.raises(KeyError):
        resumed.load_state_dict({})


@pytest.mark.parametrize("n", [1, 2])
def test_very_few_images_will_do(images, n):
    latents, _ = Stage(config()).fit(images[:n]).encode(images[:n])
    assert np.isfinite(latents).all()


def test_a_training_that_diverges_says_what_to_lower(images):
    broken = images.copy()
    broken[:] = np.nan
    with pytest.raises(UserError, match="learning_rate"):
        Stage(config()).fit(broken)
