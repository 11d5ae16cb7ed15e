from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssrvae_core.config import DatasetConfig, Disorder, SplitConfig, UserError
from ssrvae_core.data import ImageSet, file_dataset, load, split

NANOSHAPES = Path(__file__).parents[4] / "shared" / "data" / "nanoshapes" / "crops64.npz"


def image_set(labels, **more):
    labels = np.asarray(labels)
    images = np.zeros((len(labels), 1, 8, 8), dtype=np.float32)
    names = tuple("abcdef"[: labels.max() + 1])
    return ImageSet(images, labels, 100 + np.arange(len(labels)), names, **more)


labels_of_sets = st.lists(st.integers(4, 30), min_size=2, max_size=5).flatmap(
    lambda counts: st.integers(0, 10).map(
        lambda extra: np.random.default_rng(extra).permutation(
            np.r_[np.repeat(np.arange(len(counts)), counts), np.full(extra, -1)]
        )
    )
)


@given(labels_of_sets, st.integers(0, 5), st.one_of(st.integers(1, 2), st.floats(0.01, 0.4), st.none()))
@settings(deadline=None, max_examples=60)
def test_the_parts_are_disjoint_and_together_everything(labels, seed, rule):
    rules = {"labels_per_class": rule} if isinstance(rule, int) else {"labelled_ratio": rule}
    images = image_set(labels)
    if isinstance(rule, float) and rule * len(labels) > (labels >= 0).sum() / 2:
        rules = {}
    parts = split(images, SplitConfig(seed=seed, **rules))
    ids = np.concatenate([parts.labelled.ids, parts.unlabelled.ids, parts.validation.ids])
    np.testing.assert_array_equal(np.sort(ids), images.ids)
    assert (parts.unlabelled.labels == -1).all()
    assert set(parts.labelled.labels) == set(range(images.n_classes)) == set(parts.validation.labels)
    np.testing.assert_array_equal(parts.hidden_labels, labels[parts.unlabelled.ids - 100])


@given(labels_of_sets, st.integers(0, 5), st.lists(st.floats(0.01, 0.6), min_size=2, max_size=2))
@settings(deadline=None, max_examples=60)
def test_a_smaller_ratio_has_a_subset_of_the_labels_and_the_same_validation(labels, seed, ratios):
    images = image_set(labels[labels >= 0])
    few, many = (split(images, SplitConfig(seed=seed, labelled_ratio=ratio)) for ratio in sorted(ratios))
    assert set(few.labelled.ids) <= set(many.labelled.ids)
    np.testing.assert_array_equal(few.validation.ids, many.validation.ids)
    assert len(few.labelled) + len(few.unlabelled) == len(many.labelled) + len(many.unlabelled)


@given(labels_of_sets, st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_fewer_labels_a_class_are_a_subset_of_more(labels, seed):
    images = image_set(labels)
    one, three, all_ = (split(images, SplitConfig(seed=seed, labels_per_class=n)) for n in (1, 3, None))
    assert set(one.labelled.ids) < set(three.labelled.ids) <= set(all_.labelled.ids)
    np.testing.assert_array_equal(one.validation.ids, all_.validation.ids)


def test_a_supervised_ratio_is_labelled_over_all_training_images_and_stratified():
    parts = split(image_set(np.repeat([0, 1], [400, 1200])), SplitConfig(labelled_ratio=0.05))
    assert len(parts.labelled) == round(0.05 * 1200)
    assert np.bincount(parts.labelled.labels).tolist() == [15, 45]


def test_a_tiny_ratio_still_labels_one_image_of_every_class():
    parts = split(image_set(np.repeat([0, 1, 2], [200, 10, 10])), SplitConfig(labelled_ratio=0.001))
    assert np.bincount(parts.labelled.labels).tolist() == [1, 1, 1]


def test_without_a_rule_every_label_is_used():
    parts = split(image_set(np.r_[np.repeat([0, 1], 8), [-1, -1]]), SplitConfig())
    assert len(parts.labelled) == 12
    np.testing.assert_array_equal(parts.hidden_labels, [-1, -1])


def test_validation_is_a_stratified_share():
    parts = split(image_set(np.repeat([0, 1], [40, 80])), SplitConfig(validation_fraction=0.25))
    assert np.bincount(parts.validation.labels).tolist() == [10, 20]


def test_another_seed_splits_differently():
    images = image_set(np.repeat([0, 1], 50))
    first, second = (split(images, SplitConfig(seed=seed, labels_per_class=5)) for seed in (0, 1))
    assert set(first.validation.ids) != set(second.validation.ids)
    assert set(first.labelled.ids) != set(second.labelled.ids)


def test_a_data_set_that_marks_its_validation_part_keeps_it():
    marked = np.arange(12) % 3 == 0
    parts = split(image_set(np.arange(12) % 2, validation=marked), SplitConfig(labels_per_class=2))
    np.testing.assert_array_equal(parts.validation.ids, 100 + np.flatnonzero(marked))


def test_labelled_cards_have_the_labelled_disorder_and_the_rest_the_strong_one():
    images = load(
        DatasetConfig(
            size=16,
            train_per_class=10,
            validation_per_class=3,
            labelled=Disorder(rotation=2),
            unlabelled=Disorder(rotation=180),
        )
    )
    parts = split(images, SplitConfig(labelled_ratio=0.2))
    assert len(parts.labelled) == 8
    assert np.abs(parts.labelled.factors["angle"]).max() <= np.deg2rad(2)
    assert np.abs(parts.unlabelled.factors["angle"]).max() > np.deg2rad(20)
    np.testing.assert_array_equal(parts.labelled.images, images.as_labelled(parts.labelled.ids).images)


@given(st.integers(0, 200), st.integers(6, 9), st.floats(0.1, 0.9))
@settings(deadline=None, max_examples=60)
def test_a_split_by_group_keeps_groups_whole_and_every_class_on_both_sides(seed, n_groups, fraction):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.arange(120) % n_groups)
    labels = np.where(rng.random(120) < 0.1, -1, groups % 3)
    parts = split(image_set(labels, groups=groups), SplitConfig(by_group=True, seed=seed, validation_fraction=fraction))
    training = np.concatenate([parts.labelled.groups, parts.unlabelled.groups])
    assert not set(training) & set(parts.validation.groups)
    assert {0, 1, 2} <= set(parts.validation.labels) and {0, 1, 2} == set(parts.labelled.labels)


@pytest.mark.skipif(not NANOSHAPES.exists(), reason="the NanoShapes crops are not here")
@pytest.mark.parametrize("view", ["mask", "masked"])
def test_the_tem_particles_split_by_micrograph(view):
    images = load(file_dataset(NANOSHAPES, view))
    held_out = set()
    for seed in range(5):
        parts = split(images, SplitConfig(labels_per_class=10, by_group=True, seed=seed))
        assert np.bincount(parts.labelled.labels).tolist() == [10, 10, 10]
        assert not set(parts.validation.groups) & set(parts.unlabelled.groups)
        assert 0.1 < len(parts.validation) / len(images) < 0.5
        held_out.add(tuple(np.unique(parts.validation.groups)))
    assert len(held_out) > 1


@pytest.mark.parametrize(
    ("images", "config", "sentence"),
    [
        (image_set([0] * 8), {}, "labels have 1 class"),
        (
            ImageSet(np.zeros((4, 1, 8, 8)), np.full(4, -1), np.arange(4), ()),
            {},
            "No image of the data set has a label; store labels",
        ),
        (image_set([0] * 8 + [2] * 8), {}, "Class 'b' has no labelled image"),
        (image_set([0] * 8 + [1]), {}, "Class 'b' has 1 labelled image,"),
        (image_set([0, 1] * 8), {"labels_per_class": 7}, "7 labels per class are asked for, but class 'a' has 6"),
        (image_set([0, 1] * 8 + [-1] * 8), {"labelled_ratio": 0.9}, "ask for at most 0.6"),
        (image_set([0, 1] * 8), {"by_group": True}, "has no groups"),
        (image_set([0, 1] * 8, groups=np.arange(16) % 2), {"by_group": True}, "Class 'a' is in 1 of 2 groups"),
        (
            image_set([0, 1] * 8, groups=np.zeros(16, int), validation=np.arange(16) < 4),
            {"by_group": True},
            "shares group 0",
        ),
        (
            image_set([0, 1, 2] * 2, validation=np.arange(6) % 3 == 2),
            {},
            "No training image of class 'c' has a label",
        ),
        (
            ImageSet(np.zeros((4, 1, 8, 8)), np.array([0, 1, 7, 1]), np.arange(4), ("a", "b")),
            {},
            "Image 2 has the label",
        ),
    ],
)
def test_a_rule_that_cannot_be_met_is_one_sentence(images, config, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        split(images, SplitConfig(**config))
    assert str(error.value).count(". ") == 0 and str(error.value).endswith(".")
