"""Particles, digits and the registry of sources."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from ssrvae_core.config import DATASETS, DatasetConfig, Disorder, UserError
from ssrvae_core.data import SOURCES, ImageSet, load, open_images, read_images
from ssrvae_core.data.digits import _posed
from ssrvae_core.data.pose import POSE_FACTORS
from ssrvae_core.data.summary import summary

EXAMPLE = Path(__file__).parents[3] / "examples" / "tiny_particles.npz"


def few(name, **changes):
    return DATASETS[name].model_copy(update={"train_per_class": 4, "validation_per_class": 2, **changes})


@pytest.mark.parametrize("name", ["cards-a", "particles", "digits"])
def test_generated_sets_are_reproducible_and_in_range(name):
    first, second = load(few(name)), load(few(name))
    np.testing.assert_array_equal(first.images, second.images)
    assert first.images.dtype == np.float32
    assert first.images.min() >= 0 and first.images.max() <= 1
    assert len(np.unique(first.ids)) == len(first) == 6 * first.n_classes
    assert set(np.bincount(first.labels)) == {6}


@pytest.mark.parametrize("name", ["cards-a", "particles", "digits"])
def test_a_labelled_sample_looks_the_same_in_every_labelled_subset(name):
    images = load(few(name))
    many = images.as_labelled(np.arange(len(images)))
    some = images.as_labelled(np.array([5, 1]))
    np.testing.assert_array_equal(some.images, many.images[[5, 1]])
    limit = np.deg2rad(DATASETS[name].labelled.rotation) + 1e-6
    assert np.abs(many.factors["angle"]).max() <= limit
    assert np.abs(images.factors["angle"]).max() > limit


def test_particles_are_darker_than_the_film_and_their_masks_fit():
    images = load(few("particles"))
    for image, mask in zip(images.images[:, 0], images.masks, strict=True):
        assert 0.02 < mask.mean() < 0.5
        assert image[mask].mean() < np.median(image[~mask])
    assert {"size", "aspect", "rounding", "contrast", "angle"} <= images.factors.keys()


def test_a_rod_is_as_long_as_its_recorded_size_and_points_along_its_angle():
    still = few("particles", unlabelled=Disorder(rotation=180), size=64)
    images = load(still)
    y, x = np.mgrid[31.5:-32:-1, -31.5:32]
    for i in np.flatnonzero(images.labels == 1):
        angle = images.factors["angle"][i]
        along = (x * np.cos(angle) + y * np.sin(angle))[images.masks[i]]
        across = (y * np.cos(angle) - x * np.sin(angle))[images.masks[i]]
        assert abs(np.ptp(along) + 1 - images.factors["size"][i]) < 2.5
        assert abs(np.ptp(along) / np.ptp(across) / images.factors["aspect"][i] - 1) < 0.25


def test_particles_keep_their_identity_in_the_labelled_look():
    images = load(few("particles"))
    labelled = images.as_labelled(np.arange(5))
    for name in ("size", "aspect", "contrast"):
        np.testing.assert_array_equal(labelled.factors[name], images.factors[name][:5])


def test_an_undisturbed_particle_stands_upright():
    images = load(few("particles", unlabelled=Disorder()))
    np.testing.assert_array_equal(images.masks, images.masks[:, :, ::-1])


def test_a_digit_turns_counter_clockwise_and_moves_right_and_up():
    upright = {name: np.zeros(1) for name in POSE_FACTORS} | {"scale": np.ones(1)}
    original = np.random.default_rng(0).random((1, 8, 8))
    image = _posed(original, upright, 28)[0, 0]
    turned = _posed(original, upright | {"angle": np.array([np.pi / 2])}, 28)[0, 0]
    moved = _posed(original, upright | {"shift_x": np.array([2.0]), "shift_y": np.array([1.0])}, 28)[0, 0]
    np.testing.assert_allclose(turned, np.rot90(image), atol=1e-6)
    np.testing.assert_allclose(moved[:-1, 2:], image[1:, :-2], atol=1e-6)


def test_no_digit_is_in_training_and_in_validation():
    images = load(DATASETS["digits"].model_copy(update={"unlabelled": Disorder()}))
    flat = images.images.reshape(len(images), -1).round(4)
    training = {row.tobytes() for row in flat[~images.validation]}
    assert not training & {row.tobytes() for row in flat[images.validation]}


def test_asking_for_more_digits_than_there_are_is_one_sentence():
    with pytest.raises(UserError, match="174 images per class, but train_per_class"):
        load(few("digits", train_per_class=500))


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(UserError, match="no data source called 'crystals'; choose one of cards"):
        load(DatasetConfig(source="crystals"))


def test_a_user_can_register_a_source(monkeypatch):
    def stripes(config):
        images = np.zeros((2, 1, config.size, config.size), dtype=np.float32)
        images[1, :, ::2] = 1
        return ImageSet(images, np.arange(2), np.arange(2), ("plain", "striped"))

    monkeypatch.setitem(SOURCES, "stripes", stripes)
    assert load(DatasetConfig(source="stripes")).class_names == ("plain", "striped")


def tiny_particles():
    """The images of ``examples/tiny_particles.npz``: 20 spheres, 20 rods and 20 triangles."""
    config = DatasetConfig(
        source="particles",
        size=32,
        train_per_class=20,
        validation_per_class=1,
        unlabelled=Disorder(rotation=180, shift=0.03),
        seed=1,
    )
    images = load(config)
    kept = ("sphere", "rod", "triangle")
    number = np.full(images.n_classes, -1)
    number[[images.class_names.index(name) for name in kept]] = range(len(kept))
    chosen = images.take(np.flatnonzero(~images.validation & (number[images.labels] >= 0)))
    return {
        "images": np.rint(chosen.images[:, 0] * 255).astype(np.uint8),
        "masks": chosen.masks,
        "labels": number[chosen.labels],
        "class_names": np.array(kept),
        "groups": np.arange(len(chosen)) // 12,
    }


def test_the_example_file_is_what_the_generator_draws():
    expected = tiny_particles()
    with np.load(EXAMPLE, allow_pickle=False) as stored:
        assert set(stored.files) == set(expected)
        for name in ("masks", "labels", "class_names", "groups"):
            np.testing.assert_array_equal(stored[name], expected[name])
        # Other processors may round a Poisson draw differently.
        assert np.mean(stored["images"] != expected["images"]) < 0.01
    images = read_images(EXAMPLE)
    assert images.images.shape == (60, 1, 32, 32)
    assert EXAMPLE.stat().st_size < 200_000


def test_the_example_of_own_particles_has_masks_micrographs_and_few_labels(tmp_path):
    import_module("examples.own_particles").main(str(tmp_path / "particles.npz"))
    found = summary(open_images(tmp_path / "particles.npz"))
    assert (found.images, found.unlabelled, found.groups, found.masks) == (505, 465, 12, True)
    assert set(found.classes.values()) == {8} and len(found.classes) == 5
