"""The embedding from Python: labels of every kind, images of every shape, and errors in a sentence."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from ssrvae_core import ParticleEmbedding
from ssrvae_core.config import DatasetConfig, Disorder, UserError
from ssrvae_core.data import load
from ssrvae_core.embedding.answers import Answers


def quick(**parameters):
    return ParticleEmbedding(**{"latent_dim": 2, "steps": 3, **parameters})


@pytest.fixture(scope="module")
def cards():
    """Images (80, 24, 24) of four suits at any angle, and their names."""
    images = load(DatasetConfig(size=24, unlabelled=Disorder(rotation=180), train_per_class=19, validation_per_class=1))
    return images.images[:, 0], np.array(images.class_names)[images.labels]


@pytest.fixture(scope="module")
def fitted(cards):
    return quick().fit(cards[0])


@pytest.fixture
def partly(cards):
    """Names of a third of the images, -1 for the others."""
    y = cards[1].astype(object)
    y[np.arange(len(y)) % 3 > 0] = -1
    return y


def test_features_are_finite_rows(fitted, cards):
    assert fitted.features_.dtype == np.float32 and len(fitted.features_) == len(cards[0])
    assert np.isfinite(fitted.features_).all()
    assert fitted.outlier_scores_.shape == (len(cards[0]),)


def test_labelling_from_nothing_finds_the_classes(fitted, cards):
    names = cards[1]
    y = np.full(len(names), -1, dtype=object)
    for _ in range(3):
        chosen = fitted.propose(y, n=8)
        assert len(chosen) == 8 and all(y[chosen] == -1)
        y[chosen] = names[chosen]
    probabilities = fitted.predict_proba(y)
    classes = np.unique(names)
    rest = y == -1
    assert probabilities.shape == (len(names), 4)
    assert np.mean(classes[probabilities.argmax(axis=1)][rest] == names[rest]) > 0.9


def test_the_same_labels_give_the_same_proposals(fitted, partly):
    np.testing.assert_array_equal(fitted.propose(partly), fitted.propose(partly))


def test_new_images_are_judged_like_fitted_ones(fitted, cards, partly):
    X = cards[0]
    np.testing.assert_allclose(fitted.transform(X[:9]), fitted.features_[:9], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(fitted.predict_proba(partly, X[:9]), fitted.predict_proba(partly)[:9], atol=1e-3)


@pytest.mark.parametrize("missing", [-1, None, np.nan, pd.NA, "", "nan", "unlabelled"])
def test_every_kind_of_unlabelled_is_understood(fitted, partly, missing):
    y = [missing if value == -1 else value for value in partly]
    np.testing.assert_array_equal(fitted.predict_proba(y), fitted.predict_proba(partly))
    np.testing.assert_array_equal(fitted.propose(y), fitted.propose(partly))


def test_numbers_and_series_are_labels_too(fitted, partly):
    numbers = pd.Series([-1 if value == -1 else 7 * len(value) for value in partly])
    assert fitted.predict_proba(numbers).shape[1] == numbers[numbers >= 0].nunique()


def test_a_doubtful_text_is_taken_as_unlabelled_with_a_warning(fitted, partly):
    y = [value if value != -1 else "unknown" for value in partly]
    with pytest.warns(UserWarning, match="unknown"):
        fitted.predict_proba(y)


def test_one_class_is_certain_and_proposals_go_on(fitted, cards):
    y = np.full(len(cards[0]), -1)
    y[0] = 5
    np.testing.assert_array_equal(fitted.predict_proba(y), np.ones((len(y), 1)))
    assert 0 not in fitted.propose(y, n=5)


def test_a_class_that_no_image_has_changes_no_proposal(fitted, cards):
    features, columns = fitted.features_, fitted.columns_
    answers = Answers(features, columns, fitted.outlier_scores_, 1.0, 0)
    labels = np.full(len(features), -1)
    labels[:40] = np.arange(40) % 2
    np.testing.assert_array_equal(
        answers.propose(np.where(labels < 0, -1, 3 * labels + 2), 5), answers.propose(labels, 5)
    )


def test_shapes_of_images_do_not_matter(cards):
    X = cards[0]
    rows = X.reshape(len(X), -1)
    first = quick().fit(X)
    for same in (rows, X[:, None], X[..., None]):
        np.testing.assert_array_equal(quick().fit(same).features_, first.features_)
    in_colour = quick().fit(np.stack([X, X, X], axis=-1))
    assert in_colour.image_shape_ == (24, 24, 3)
    assert in_colour.transform(np.stack([X[:2]] * 3, axis=1)).shape[0] == 2


def test_the_unit_of_the_intensity_does_not_matter(cards):
    X = cards[0]
    np.testing.assert_allclose(quick().fit(1000 * X + 7).features_, quick().fit(X).features_, rtol=0.05, atol=0.05)


def test_what_was_fitted_on_masks_is_not_asked_without(cards):
    X, masks = cards[0], cards[0] > 0.5
    embedding = quick().fit(X, masks)
    with pytest.raises(UserError, match="masks"):
        embedding.transform(X[:3])
    assert embedding.transform(X[:3], masks[:3]).shape[0] == 3
    np.testing.assert_array_equal(quick().fit(X).transform(X[:3], masks[:3]), quick().fit(X).transform(X[:3]))


def test_masks_change_the_descriptors(cards, fitted):
    masks = np.zeros(cards[0].shape, dtype=bool)
    masks[:, 4:20, 4:20] = True
    masks[::2, 4:10] = False
    embedding = quick().fit(cards[0], masks=masks)
    assert not np.allclose(embedding.features_, fitted.features_)
    np.testing.assert_allclose(
        embedding.transform(cards[0][:4], masks=masks[:4].astype(int)), embedding.features_[:4], rtol=1e-3, atol=1e-3
    )


def test_a_seed_makes_two_fits_equal(cards):
    first, second = (quick(random_state=4).fit(cards[0]).features_ for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [({"steps": 0}, "steps"), ({"latent_dim": 0}, "latent_dim"), ({"blocks": ("x",)}, "blocks")],
)
def test_a_setting_that_cannot_be_is_named(cards, parameters, field):
    with pytest.raises(UserError, match=field):
        quick(**parameters).fit(cards[0])


def test_images_of_a_labelled_micrograph_are_judged_like_its_others(cards, partly):
    images, groups = cards[0], np.array(["first", "second", "third", "fourth"])[np.arange(len(cards[0])) % 4]
    y = np.where((groups == "third") | (groups == "fourth"), -1, partly)
    embedding = quick().fit(images, groups=groups)
    among = embedding.predict_proba(y)
    new = embedding.predict_proba(y, images)  # of micrographs that are not said, and so new ones
    np.testing.assert_allclose(embedding.predict_proba(y, images, groups=groups), among, atol=1e-4)
    without = np.isin(groups, ["third", "fourth"])
    np.testing.assert_allclose(new[without], among[without], atol=1e-4)
    assert len(embedding.propose(y, n=4)) == 4


def test_errors_name_what_is_wrong(fitted, cards):
    n = len(cards[0])
    with pytest.raises(UserError, match="unlabelled"):
        fitted.predict_proba(np.full(n, -1))
    with pytest.raises(UserError, match=str(n)):
        fitted.predict_proba([0, 1])
    with pytest.raises(UserError, match="n is 0"):
        fitted.propose(np.full(n, -1), n=0)
    with pytest.raises(UserError, match="masks"):
        fitted.transform(cards[0], masks=np.ones((n, 3, 3), dtype=bool))
    with pytest.raises(UserError, match="masks"):
        fitted.transform(cards[0], masks=np.full(cards[0].shape, 0.5))
    with pytest.raises(UserError, match="groups"):
        quick().fit(cards[0], groups=np.zeros(n + 1))
    with pytest.raises(UserError, match="without X"):
        fitted.predict_proba(np.arange(n) % 2, masks=np.ones(cards[0].shape, dtype=bool))
    with pytest.raises(UserError, match="groups are given without X"):
        fitted.predict_proba(np.arange(n) % 2, groups=np.zeros(n))
    with pytest.raises(UserError, match="groups has the shape"):
        fitted.predict_proba(np.arange(n) % 2, X=cards[0][:5], groups=np.zeros(4))
    with pytest.raises(UserError, match="names"):
        fitted.predict_proba(np.array([1, "a"] * (n // 2), dtype=object))
    with pytest.raises(UserError, match="shape"):
        fitted.transform(cards[0].reshape(n, 12, 48))
    with pytest.raises(NotFittedError):
        quick().propose([0])


def test_parameters_are_stored_untouched():
    embedding = clone(ParticleEmbedding(latent_dim=8, random_state=3))
    assert embedding.get_params()["latent_dim"] == 8


def test_importing_the_core_does_not_bring_torch():
    code = (
        "import sys, ssrvae_core; assert 'ParticleEmbedding' in ssrvae_core.__all__; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
