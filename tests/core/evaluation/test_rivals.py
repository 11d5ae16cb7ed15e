"""Every rival on images so small and easy that it must learn them: a little disc or a large one, anywhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssrvae_core.config import SplitConfig
from ssrvae_core.data import ImageSet, split
from ssrvae_core.evaluation.rivals import RIVALS, convolutional, judge, pixels, shape, spreading

SUPERVISED = ("decision-tree", "random-forest", "xgboost", "logistic-regression", "knn", "cnn")
SEMI_SUPERVISED = ("label-spreading", "cnn-fixmatch")
OF_OUTLINES = ("shape-descriptors",)
"""They standardise by the unlabelled images, which hardly changes a prediction."""


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Few trees and rounds are enough for discs; the networks take the steps of :func:`enough`."""
    monkeypatch.setattr(pixels, "TREES", 10)
    monkeypatch.setattr(pixels, "BOOSTING_ROUNDS", 10)
    monkeypatch.setattr(shape, "TREES", 10)
    monkeypatch.setattr(convolutional, "STEPS", 3)
    monkeypatch.setattr(convolutional, "FIXMATCH_STEPS", 10)  # until the network is sure of an unlabelled image


@pytest.fixture
def enough(monkeypatch):
    """Let the networks train until they can tell discs apart."""
    monkeypatch.setattr(convolutional, "STEPS", 40)
    monkeypatch.setattr(convolutional, "FIXMATCH_STEPS", 40)


def discs(n=40, side=12, channels=1, flattening=1.0, **arrays):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    y, x = np.indices((side, side + 2))
    centres = np.array([(side - 1) / 2, (side + 1) / 2]) + rng.uniform(-0.5, 0.5, (n, 2))
    squeezed = np.where(labels == 0, 1.0, flattening)[:, None, None]
    distance = np.hypot(squeezed * (y - centres[:, 0, None, None]), x - centres[:, 1, None, None])
    images = (distance < np.where(labels == 0, 2.0, 4.0)[:, None, None]) * 0.8 + rng.uniform(0, 0.2, distance.shape)
    images = np.repeat(images[:, None], channels, axis=1).astype(np.float32)
    return ImageSet(images=images, labels=labels, ids=np.arange(n), class_names=("little", "large"), **arrays)


def parted(labels_per_class=5, **options):
    return split(discs(**options), SplitConfig(labels_per_class=labels_per_class))


def easy(name, **options):
    """A split that the method must learn; the size of discs alone is nothing to one that compares shapes."""
    return parted(flattening=1.8 if name in OF_OUTLINES else 1.0, **options)


def probabilities(name, data, seed=0):
    return RIVALS[name](data, seed, "cpu").predict_proba(data.validation.images)


def test_every_rival_has_a_title_and_a_version():
    assert all(spec.title and spec.version >= 1 for spec in RIVALS.values())
    assert set(RIVALS) == {*SUPERVISED, *SEMI_SUPERVISED, *OF_OUTLINES}


@pytest.mark.usefixtures("enough")
@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_learns_what_is_easy(name):
    data = easy(name)
    judged = judge(RIVALS[name], data, 0, "cpu")
    class_prob = judged.predictions.class_prob
    assert class_prob.shape == (len(data.validation), 2)
    assert class_prob.dtype == np.float32
    np.testing.assert_allclose(class_prob.sum(axis=1), 1, atol=1e-5)
    assert judged.validation["accuracy"] >= 0.9
    assert judged.validation["flip_rate"] <= 0.2
    assert judged.parameters
    assert min(judged.fit_seconds, judged.predict_seconds) > 0


@pytest.mark.parametrize("name", RIVALS)
def test_a_seed_gives_the_same_predictions_and_leaves_other_random_numbers_alone(name):
    data = parted()
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first = probabilities(name, data, seed=3)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(probabilities(name, data, seed=3), first)


@pytest.mark.parametrize("name", RIVALS)
def test_no_hidden_and_no_validation_label_is_looked_at(name):
    data = parted()
    blind = replace(
        data, validation=data.validation.without_labels(), hidden_labels=np.full_like(data.hidden_labels, -1)
    )
    np.testing.assert_array_equal(probabilities(name, blind), probabilities(name, data))


@pytest.mark.parametrize("name", [*SUPERVISED, *SEMI_SUPERVISED])
def test_only_the_semi_supervised_learn_from_unlabelled_images(name):
    data = parted()
    inverted = replace(data, unlabelled=replace(data.unlabelled, images=1 - data.unlabelled.images))
    same = np.array_equal(probabilities(name, inverted), probabilities(name, data))
    assert same == (name in SUPERVISED)


@pytest.mark.parametrize("name", RIVALS)
def test_one_label_a_class_is_enough_and_leaves_nothing_to_search(name):
    fitted = RIVALS[name](parted(labels_per_class=1), 0, "cpu")
    assert fitted.parameters.get("folds", 0) == 0
    assert np.isfinite(fitted.predict_proba(discs().images)).all()


@pytest.mark.usefixtures("enough")
@pytest.mark.parametrize("name", RIVALS)
def test_channels_and_images_without_unlabelled_ones_beside_them_are_fine(name):
    data = easy(name, labels_per_class=15, channels=2)
    assert not len(data.unlabelled)
    assert (probabilities(name, data).argmax(axis=1) == data.validation.labels).mean() >= 0.9


def test_there_are_as_many_folds_as_the_rarest_class_has_labels_but_at_most_five():
    images = discs()
    sets = [images.take(np.r_[0:18:2, 1 : 2 * n : 2]) for n in (1, 2, 4, 9)]
    assert [len(pixels.folds(chosen, 0)) for chosen in sets] == [0, 2, 4, 5]


def test_a_micrograph_is_never_learnt_from_and_judged_on():
    images = discs(groups=np.arange(40) // 5 % 3)
    parts = pixels.folds(images, 0)
    assert len(parts) == 3
    for learnt, judged in parts:
        assert not set(images.groups[learnt]) & set(images.groups[judged])
    assert sorted(np.concatenate([judged for _, judged in parts])) == list(range(40))
    told = RIVALS["knn"](parted(labels_per_class=8, groups=np.arange(40) // 5 % 3), 0, "cpu").parameters
    assert told["folds"] == 3


def test_a_class_of_a_single_micrograph_is_spread_over_the_folds():
    assert len(pixels.folds(discs(groups=np.arange(40) % 2), 0)) == 5


def test_a_search_says_what_it_chose_and_by_what():
    told = RIVALS["knn"](parted(labels_per_class=3), 0, "cpu").parameters
    assert told["n_neighbors"] in (1, 3)
    assert told["weights"] in ("uniform", "distance")
    assert (told["folds"], 0 <= told["cross_validated_accuracy"] <= 1) == (3, True)


def test_label_spreading_takes_a_choice_of_very_many_unlabelled_images(monkeypatch):
    monkeypatch.setattr(spreading, "MOST_UNLABELLED", 4)
    data = parted()
    assert len(data.unlabelled) > 4
    assert RIVALS["label-spreading"](data, 0, "cpu").parameters["unlabelled_images"] == 4


def test_an_image_no_label_has_reached_may_be_of_any_class():
    """A crowd of unlabelled images far from every label; the graph does not connect them."""
    data = parted()
    crowd = np.random.default_rng(0).uniform(50, 51, (30, *data.unlabelled.image_shape)).astype(np.float32)
    far = replace(discs(n=30).without_labels(), images=crowd)
    fitted = RIVALS["label-spreading"](replace(data, unlabelled=far), 0, "cpu")
    np.testing.assert_allclose(fitted.predict_proba(crowd), 0.5)


def test_a_rival_is_judged_like_a_model_as_far_as_it_has_answers():
    data = parted(factors={"angle": np.linspace(-1, 1, 40, dtype=np.float32)})
    judged = judge(RIVALS["knn"], data, 0, "cpu")
    metrics = judged.validation
    assert np.sum(metrics["confusion"]) == metrics["n"] == len(data.validation)
    assert sum(row["n"] for row in metrics["accuracy_by_angle"]) == metrics["n"]
    assert [row["class"] for row in metrics["per_class"]] == ["little", "large"]
    assert metrics["nll"] >= 0 and 0 <= metrics["ece"] <= 1
    assert metrics["angle"] is None and metrics["silhouette"] is None and metrics["probe_r2"] == {"angle": None}
    np.testing.assert_array_equal(judged.predictions.ids, data.validation.ids)
