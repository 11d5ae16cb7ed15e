"""The scikit-learn face: images in several shapes and units, the user's own class values, scikit-learn's own checks."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from ssrvae_core import SSRVAEClassifier
from ssrvae_core.config import DatasetConfig, Disorder, UserError, run_config
from ssrvae_core.data import load

ROOT = Path(__file__).parents[2]
SMALL_PAPER = {
    "model.hidden": (32,),
    "training.labelled_batch_size": 16,
    "training.min_steps": 1,
}
SMALL_PLAIN = SMALL_PAPER | {"model.channels": (32,)}
SMALL = SMALL_PLAIN | {"model.radii": 4, "model.angles": 8}
OF_ROWS = SMALL | {
    "model.standardise": False,
    "training.labelled_batch_size": 32,
    "training.schedule": "constant",
}
"""For scikit-learn's checks, whose rows of few numbers are not pictures: their levels alone tell the classes apart."""
EXPECTED_FAILURES = {
    "check_classifiers_classes": "it takes -1 for a class, which here marks unlabelled images, as in"
    " sklearn.semi_supervised; scikit-learn exempts its own such estimators by their names"
}


def quick(**parameters):
    """An estimator of tiny networks, trained for an epoch."""
    small = {"none": SMALL_PLAIN, "latent": SMALL_PAPER}.get(parameters.get("rotation", "marginal"), SMALL)
    return SSRVAEClassifier(**{"epochs": 1, "settings": small, **parameters})


@pytest.fixture(scope="module")
def cards():
    """Images (80, 16, 16) of four suits at any angle, and their names."""
    config = DatasetConfig(size=16, unlabelled=Disorder(rotation=180), train_per_class=19, validation_per_class=1)
    images = load(config)
    return images.images[:, 0], np.array(images.class_names)[images.labels]


@pytest.fixture(scope="module")
def partly(cards):
    """The names where half of the images have none: -1."""
    y = cards[1].astype(object)
    y[40:] = -1
    return y


@pytest.fixture(scope="module")
def fitted(cards, partly):
    return quick(
        epochs=40, learning_rate=1e-2, augment=False, settings=SMALL | {"model.radii": 8, "model.angles": 16}
    ).fit(cards[0], partly)


@pytest.fixture(scope="module")
def fitted_once(cards, partly):
    return quick().fit(cards[0], partly)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:X has .* features, which are not a square image:UserWarning")
@parametrize_with_checks(
    [quick(epochs=12, learning_rate=1e-2, augment=False, settings=OF_ROWS)],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
    xfail_strict=True,
)
def test_the_estimator_keeps_scikit_learns_conventions(estimator, check):
    """Each check is scikit-learn's own, and raises where its convention is broken."""
    check(estimator)


def test_classes_come_back_in_the_users_values(fitted, cards):
    X, y = cards
    assert fitted.classes_.tolist() == ["clubs", "diamonds", "hearts", "spades"]
    assert set(fitted.predict(X)) <= set(y)
    assert fitted.predict_proba(X).argmax(axis=1).tolist() == fitted.classes_.searchsorted(fitted.predict(X)).tolist()
    assert fitted.score(X[40:], y[40:]) > 0.9


@pytest.mark.parametrize("values", [[10, 20, 30, 40], ["d", "c", "b", "a"], [1.0, 2.0, 3.0, 4.0]])
def test_classes_may_be_numbers_or_names(cards, values):
    X, y = cards
    labels = np.array(values)[np.unique(y, return_inverse=True)[1]]
    assert quick().fit(X, labels).classes_.tolist() == sorted(values)


def test_numbers_and_names_with_unlabelled_images_train_the_same_model(fitted, cards, partly):
    numbers = np.array([-1 if name == -1 else fitted.classes_.tolist().index(name) for name in partly])
    by_number, by_name = quick().fit(cards[0], numbers), quick().fit(cards[0], partly)
    assert by_number.classes_.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(by_number.predict_proba(cards[0]), by_name.predict_proba(cards[0]))


def test_unlabelled_images_are_learnt_from(cards, partly):
    X, _ = cards
    with_all, labelled_only = quick().fit(X, partly), quick().fit(X[:40], partly[:40])
    assert with_all.history_[0]["elbo_unlabelled"] < 0 == labelled_only.history_[0]["elbo_unlabelled"]


def test_rotating_the_image_leaves_the_class_unchanged_and_turns_the_angle(fitted, cards):
    X, y = cards
    turned = np.rot90(X, axes=(1, 2))
    np.testing.assert_array_equal(fitted.predict(turned), fitted.predict(X))
    X, turned = X[y != "diamonds"], turned[y != "diamonds"]  # a turned diamond has no angle of its own
    difference = np.exp(1j * (fitted.angle(turned) - fitted.angle(X) - np.pi / 2))
    np.testing.assert_allclose(difference, 1, atol=1e-2)


def test_images_in_rows_equal_images_as_such(fitted, cards):
    X, _ = cards
    np.testing.assert_array_equal(fitted.predict_proba(X.reshape(len(X), -1)), fitted.predict_proba(X))
    np.testing.assert_array_equal(fitted.transform(X.tolist()), fitted.transform(X))


def test_drawings_have_the_shape_and_the_unit_of_the_images(cards, partly):
    X, _ = cards
    classifier = quick().fit((X * 255).astype(np.uint8), partly)
    drawn = classifier.decode(np.zeros((3, 2)), ["hearts", "clubs", "hearts"])
    assert classifier.scale_ == (0, 255)
    assert drawn.shape == (3, 16, 16)
    assert drawn.min() >= 0 and 1 < drawn.max() <= 255
    np.testing.assert_array_equal(drawn[0], drawn[2])


def test_a_drawing_is_turned_counter_clockwise(fitted):
    upright, turned = fitted.decode(np.zeros((2, 2)), "spades", angle=[0.0, np.pi / 2])
    np.testing.assert_allclose(turned, np.rot90(upright), atol=1e-4)


def test_latents_class_and_angle_draw_the_image_they_came_from(fitted, cards):
    X, _ = cards
    drawn = fitted.decode(fitted.transform(X), fitted.predict(X), fitted.angle(X))
    in_place = np.mean((drawn - X) ** 2)
    assert in_place < 0.85 * np.mean((np.swapaxes(drawn, 1, 2) - X) ** 2)
    assert in_place < 0.85 * np.mean((X.mean(axis=0) - X) ** 2)


def test_later_images_are_cut_off_where_the_scale_ends(fitted, cards):
    X, _ = cards
    shifted = np.where(X == 1, 7, X)
    np.testing.assert_array_equal(fitted.predict_proba(shifted), fitted.predict_proba(X))


@pytest.mark.parametrize("rotation", ["marginal", "latent", "none"])
def test_images_may_be_oblong_and_coloured(rotation):
    X, y = np.random.default_rng(0).random((12, 10, 14, 3)), np.arange(12) % 2
    classifier = quick(rotation=rotation).fit(X, y)
    assert classifier.image_shape_ == (10, 14, 3)
    assert classifier.decode(classifier.transform(X), y).shape == X.shape
    in_rows = quick(rotation=rotation, image_shape=(10, 14, 3)).fit(X.reshape(12, -1), y)
    np.testing.assert_array_equal(in_rows.transform(X), classifier.transform(X))
    assert np.isnan(classifier.angle(X)).all() == (rotation == "none")


def test_rows_that_are_no_square_are_laid_into_one_with_a_warning():
    X, y = np.random.default_rng(0).random((6, 20)), np.arange(6) % 2
    with pytest.warns(UserWarning, match="X has 20 features, which are not a square image; .* 5 x 5"):
        classifier = quick().fit(X, y)
    assert classifier.image_shape_ == (5, 5)
    assert classifier.predict(X).shape == (6,)


def test_two_fits_of_one_seed_are_equal_and_of_two_seeds_are_not(cards, partly):
    X, _ = cards
    first, again, other = (quick(random_state=seed).fit(X, partly).transform(X) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_parameters_left_out_are_those_of_the_preset(cards, partly):
    plain = quick(preset="teaching").fit(*_few(cards, partly)).config_
    given = SMALL | {"training.epochs": 1}
    assert plain == run_config(preset="teaching", dataset=DatasetConfig(source="array"), settings=given)
    chosen = quick(preset="teaching", rotation="none", latent_dim=3, likelihood="gaussian", random_state=4)
    config = chosen.fit(*_few(cards, partly)).config_
    assert (config.model.rotation, config.model.latent_dim, config.model.likelihood) == ("none", 3, "gaussian")
    assert config.seed == 4


def test_numbers_of_a_parameter_grid_are_accepted(cards, partly):
    estimator = clone(quick()).set_params(latent_dim=np.int64(3), learning_rate=np.float32(0.01))
    assert estimator.fit(*_few(cards, partly)).transform(cards[0]).shape == (80, 3)


def test_a_random_state_object_draws_the_seed(cards, partly):
    seeds = [quick(random_state=np.random.RandomState(n)).fit(*_few(cards, partly)).config_.seed for n in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_verbose_prints_a_line_an_epoch(cards, partly, capsys):
    quick(epochs=2, verbose=1).fit(*_few(cards, partly))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"y": np.full(80, -1)}, "Every label in y is -1, which means unlabelled"),
        ({"y": np.where(np.arange(80) < 9, 3, -1)}, r"The labels in y have 1 class \('3'\)"),
        ({"X": np.full((80, 16, 16), 7)}, "Every value in X is 7; there is nothing to learn"),
        ({"X": [np.zeros((8, 8))] * 79 + [np.zeros((9, 9))]}, "The images in X have several shapes"),
        ({"image_shape": (16, 15)}, r"image_shape is \(16, 15\), but X holds images of shape \(16, 16\)"),
        ({"X": np.eye(80)[:, :64], "image_shape": (9, 9)}, r"image_shape is \(9, 9\), but X holds 64 features"),
        ({"rotation": "any"}, "There is no rotation called 'any'; choose one of none, marginal, latent"),
        ({"preset": "slow"}, "There is no preset called 'slow'"),
        ({"epochs": 0}, "training.epochs is not valid"),
        ({"random_state": -1}, "seed is not valid"),
        ({"settings": {"dataset.size": 9}}, "'dataset.size' is not a setting of an estimator"),
        ({"settings": {"model.hiden": 9}}, "There is no setting 'model.hiden'"),
        ({"rotation": "none", "settings": SMALL}, "model.radii does nothing for ss-vae; leave it out"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_one_sentence(cards, partly, change, sentence):
    data = {"X": cards[0], "y": partly}
    parameters = {name: value for name, value in change.items() if name not in data}
    with pytest.raises(UserError, match=sentence):
        quick(**parameters).fit(**{name: change.get(name, value) for name, value in data.items()})


def test_images_of_another_shape_are_refused(fitted, cards):
    with pytest.raises(UserError, match=r"X holds images of shape \(8, 32\), but those in fit had \(16, 16\)"):
        fitted.predict(cards[0].reshape(-1, 8, 32))
    with pytest.raises(ValueError, match="X has 100 features, but SSRVAEClassifier is expecting 256"):
        fitted.predict(cards[0][:, :10, :10])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((np.zeros((2, 3)), "hearts"), r"z has the shape \(2, 3\); give an array \(n, 2\)"),
        ((np.zeros((2, 2)), ["hearts", "stars"]), "y has the class 'stars', which was not in fit"),
        ((np.zeros((3, 2)), ["hearts", "clubs"]), r"z has 3 rows, but y has the shape \(2,\)"),
        ((np.zeros((3, 2)), "clubs", [0.0, 1.0]), r"z has 3 rows, but .* angle \(2,\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_one_sentence(fitted, arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        fitted.decode(*arguments)


def test_an_estimator_that_is_not_fitted_says_so():
    for method in ("predict", "predict_proba", "transform", "angle"):
        with pytest.raises(NotFittedError):
            getattr(SSRVAEClassifier(), method)(np.zeros((2, 8, 8)))
    with pytest.raises(NotFittedError):
        SSRVAEClassifier().decode(np.zeros((1, 2)), 0)


def test_importing_the_core_loads_neither_torch_nor_scikit_learn():
    code = "import sys, ssrvae_core; sys.exit(bool({'torch', 'sklearn', 'pyro'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.slow
def test_the_example_runs_and_its_classifier_reads_the_cards(capsys):
    names = runpy.run_path(str(ROOT / "examples" / "estimator.py"))
    assert names["accuracy"] > 0.9
    printed = capsys.readouterr().out
    assert f"accuracy on 100 new images: {names['accuracy']:.3f}" in printed
    assert all(f"\n{suit}\n" in printed for suit in ("clubs", "diamonds", "hearts", "spades"))


def _few(cards, partly):
    """Sixteen labelled and eight unlabelled images."""
    rows = np.r_[:16, 40:48]
    return cards[0][rows], partly[rows]


@pytest.mark.parametrize("missing", [-1, "-1", "", None, float("nan"), pd.NA, "nan"])
def test_every_way_to_say_no_label_trains_the_same_model(fitted_once, cards, partly, missing):
    y = [missing if label == -1 else label for label in partly]
    classifier = quick().fit(cards[0], y)
    assert classifier.classes_.tolist() == ["clubs", "diamonds", "hearts", "spades"]
    np.testing.assert_array_equal(classifier.predict_proba(cards[0]), fitted_once.predict_proba(cards[0]))


def test_a_text_that_could_be_a_class_warns_how_it_is_taken(cards, partly):
    y = np.where(partly == -1, "unknown", partly.astype(str))
    with pytest.warns(UserWarning, match=r"'unknown' are taken as unlabelled.*name"):
        assert "unknown" not in quick().fit(cards[0], y).classes_


def test_images_of_torch_have_their_channels_first(fitted_once, cards, partly):
    images, _ = cards
    first = quick().fit(images[:, None], partly)
    assert first.image_shape_ == (16, 16, 1)
    np.testing.assert_array_equal(first.predict_proba(images[:, None]), fitted_once.predict_proba(images))
    np.testing.assert_array_equal(first.predict_proba(torch.tensor(images)), fitted_once.predict_proba(images))
    coloured = np.stack([images] * 3, axis=1)
    both = [quick().fit(x, partly).predict_proba(x) for x in (coloured, np.moveaxis(coloured, 1, 3))]
    np.testing.assert_array_equal(*both)
    assert quick().fit(coloured, partly).image_shape_ == (16, 16, 3)


def test_images_are_never_a_row_of_pixels(cards, partly):
    with pytest.raises(UserError, match="a single row of pixels"):
        quick().fit(np.zeros((80, 1, 4, 16)), partly)


def test_a_hot_pixel_does_not_set_the_scale(cards, partly):
    hot = 100 * cards[0] + 5
    hot[3, 2, 2] = 1e6
    with pytest.warns(UserWarning, match=r"set apart from all others \(1\)"):
        classifier = quick().fit(hot, partly)
    assert classifier.scale_ == (5, 105)
