"""The method that classifies outlines: where its outlines come from, which head it takes, how sure it is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from ssrvae_core.config import DATASETS, SplitConfig
from ssrvae_core.data import ImageSet, load, split
from ssrvae_core.data.views import view
from ssrvae_core.embedding.descriptors import DESCRIPTOR_NAMES
from ssrvae_core.evaluation.rivals import RIVALS, judge, shape
from ssrvae_core.evaluation.rivals.pixels import folds
from ssrvae_core.registry import RivalSpec


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(shape, "TREES", 20)


@pytest.fixture(scope="module")
def particles() -> ImageSet:
    return load(DATASETS["particles"].model_copy(update={"train_per_class": 12, "validation_per_class": 8}))


def parted(images, labels_per_class=8, **options):
    return split(images, SplitConfig(labels_per_class=labels_per_class, **options))


def test_it_tells_particles_apart_by_eight_labels_per_class(particles):
    judged = judge(RIVALS["shape-descriptors"], parted(particles), 0)
    assert judged.validation["balanced_accuracy"] >= 0.8  # guessing gives 0.2
    assert judged.validation["flip_rate"] <= 0.15
    assert judged.validation["ece"] <= 0.2
    assert judged.parameters["described_by"] == "masks"
    assert judged.parameters["head"] in shape.HEADS


def test_the_masks_are_used_where_there_are_some_and_the_outlines_elsewhere(particles):
    """The masks of validation images are swapped: only what looks at them is misled."""
    data = parted(particles)
    fitted = RIVALS["shape-descriptors"](data, 0, "cpu")
    images, masks = data.validation.images, data.validation.masks
    np.testing.assert_array_equal(fitted.predict_proba(images[::-1], masks), fitted.predict_proba(images, masks))
    assert not np.array_equal(fitted.predict_proba(images, masks[::-1]), fitted.predict_proba(images, masks))
    bare = replace(
        data, **{name: replace(getattr(data, name), masks=None) for name in ("labelled", "unlabelled", "validation")}
    )
    judged = judge(RIVALS["shape-descriptors"], bare, 0)
    assert judged.parameters["described_by"] == "outlines"
    assert judged.validation["balanced_accuracy"] >= 0.6


def test_a_silhouette_without_a_mask_beside_it_is_its_own_mask(particles):
    data = parted(view(particles, "mask"))
    fitted = RIVALS["shape-descriptors"](data, 0, "cpu")
    images, masks = data.validation.images, data.validation.masks
    np.testing.assert_array_equal(fitted.predict_proba(images), fitted.predict_proba(images, masks))


def test_masks_are_handed_to_methods_that_declare_them_alone_and_turn_with_their_images(particles):
    data = parted(particles)
    seen = []

    class Fitted:
        parameters = None

        def predict_proba(self, images, *masks):
            seen.append((images, *masks))
            return np.full((len(images), 5), 0.2)

    def fit(data, seed, device):
        return Fitted()

    judge(RivalSpec(fit), data, 0)
    assert {len(arguments) for arguments in seen} == {1}
    seen.clear()
    judge(RivalSpec(fit, masks=True), data, 0)
    assert {len(arguments) for arguments in seen} == {2}
    (images, masks), *turned = seen
    np.testing.assert_array_equal(masks, data.validation.masks)
    for turned_images, turned_masks in turned:
        assert turned_images.shape == images.shape
        assert turned_masks.dtype == bool
        assert not np.array_equal(turned_masks, masks)
        np.testing.assert_allclose(turned_masks.mean(), masks.mean(), rtol=0.1)
    seen.clear()
    judge(RivalSpec(fit, masks=True), replace(data, validation=replace(data.validation, masks=None)), 0)
    assert {len(arguments) for arguments in seen} == {1}


# Heads


def cloud(n_per_class, seed=0, classes=3, width=6):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), n_per_class)
    return rng.standard_normal((len(labels), width)) + 2 * np.eye(classes, width)[labels], labels


def blank(labels, groups=None):
    n = len(labels)
    images = np.zeros((n, 1, 2, 2), np.float32)
    return ImageSet(images, labels, np.arange(n), tuple("abc"), groups=groups)


def test_the_head_with_the_better_cross_validation_is_taken():
    class Worst:
        def fit(self, features, labels):
            self.n = labels.max() + 1
            return self

        def predict_proba(self, features):
            return np.eye(self.n)[np.zeros(len(features), dtype=int)]

    features, labels = cloud(8)
    parts = folds(blank(labels), 0)
    heads = {"worst": lambda seed: Worst(), "lda": shape.linear}
    fitted, told = shape.fit_head(features, labels, parts, 0, heads)
    assert (told["head"], told["folds"]) == ("lda", 5)
    new, truth = cloud(100, seed=1)
    assert (fitted.predict_proba(new).argmax(axis=1) == truth).mean() > 0.7


def test_a_head_that_is_too_sure_of_itself_is_calibrated():
    class Rash(shape.LinearDiscriminantAnalysis):
        def decision_function(self, features):
            return 5 * super().decision_function(features)

    features, labels = cloud(40)
    fitted, told = shape.fit_head(features, labels, folds(blank(labels), 0), 0, {"rash": lambda seed: Rash()})
    new, truth = cloud(400, seed=1)

    def cross_entropy(temperature):
        prob = shape.Calibrated(fitted.head, temperature).predict_proba(new)
        return -np.log(np.maximum(prob[np.arange(len(truth)), truth], 1e-9)).mean()

    assert 2 < told["temperature"] < 12
    assert cross_entropy(told["temperature"]) < 0.5 * cross_entropy(1.0)


def test_labels_that_all_come_back_are_no_certainty():
    sure = np.log(softmax(50 * np.eye(2)[np.repeat([0, 1], 10)], axis=1))
    temperature = shape._temperature(sure, np.repeat([0, 1], 10))
    confidence = softmax(sure / temperature, axis=1).max()
    assert confidence == pytest.approx(11 / 12, abs=0.02)


@pytest.mark.parametrize("counts", [(1, 1, 1), (1, 5, 5), (2, 2, 2), (2, 9, 9)])
def test_few_and_uneven_labels_are_enough(counts):
    labels = np.repeat(np.arange(3), counts)
    features = cloud(9)[0][np.concatenate([np.arange(n) + 9 * k for k, n in enumerate(counts)])]
    fitted, told = shape.fit_head(features, labels, folds(blank(labels), 0), 0)
    prob = fitted.predict_proba(cloud(9)[0])
    assert prob.shape == (27, 3)
    np.testing.assert_allclose(prob.sum(axis=1), 1)
    assert (told["folds"] == 0) == (min(counts) == 1)


def test_images_without_any_outline_get_probabilities(particles):
    data = parted(particles, labels_per_class=2)
    fitted = RIVALS["shape-descriptors"](data, 0, "cpu")
    prob = fitted.predict_proba(np.zeros_like(data.validation.images[:3]))
    assert np.isfinite(prob).all()


def test_constant_descriptors_say_nothing():
    units = shape.Standardised(np.full((4, len(DESCRIPTOR_NAMES)), 0.3, dtype=np.float32))
    assert not units(np.ones((2, len(DESCRIPTOR_NAMES)))).any()
