"""The scores are scikit-learn's, whose import a training does without."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ssrvae_core.evaluation import scores

CLOSE = {"rel": 1e-9, "abs": 1e-12}


@st.composite
def cases(draw):
    """Labels, class probabilities and latents of a few images, some classes of which may never occur."""
    n, n_classes = draw(st.integers(6, 60)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.integers(0, draw(st.integers(2, n_classes)), n)
    labels[:2] = 0, 1
    class_prob = rng.dirichlet(np.full(n_classes, draw(st.sampled_from([0.01, 1.0]))), n)
    class_prob /= class_prob.sum(axis=1, keepdims=True)
    return labels, class_prob, rng.normal(size=(n, draw(st.integers(1, 4)))) * draw(st.sampled_from([1e-3, 1.0, 1e3]))


@settings(max_examples=25)
@given(cases())
def test_counts_and_ratios_of_classes_are_scikit_learns(case):
    labels, class_prob, _ = case
    predicted, every = class_prob.argmax(axis=1), np.arange(class_prob.shape[1])
    counts = scores.confusion_matrix(labels, predicted, len(every))
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(labels, predicted, labels=every))
    *expected, _ = metrics.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=np.nan)
    np.testing.assert_allclose(scores.precision_recall_f1(counts), expected, rtol=1e-12)


@settings(max_examples=25)
@given(cases())
def test_the_log_loss_is_scikit_learns(case):
    labels, class_prob, _ = case
    expected = metrics.log_loss(labels, class_prob, labels=np.arange(class_prob.shape[1]))
    assert scores.log_loss(labels, class_prob) == pytest.approx(expected, **CLOSE)


def test_the_log_loss_of_an_impossible_class_is_finite_in_the_type_of_the_probabilities():
    certain = np.array([[1, 0], [1, 0]], np.float32)
    expected = metrics.log_loss([0, 1], certain, labels=[0, 1])
    assert scores.log_loss(np.array([0, 1]), certain) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=25)
@given(cases())
def test_the_silhouette_is_scikit_learns(case):
    labels, _, z = case
    assert scores.silhouette_score(z, labels) == pytest.approx(metrics.silhouette_score(z, labels), rel=1e-6, abs=1e-9)


def test_the_silhouette_of_images_alone_in_their_class_or_all_in_one_place_is_scikit_learns():
    z = np.array([[0.0], [1.0], [5.0], [5.0]])
    for labels in ([0, 0, 1, 2], [0, 1, 1, 1], [0, 1, 2, 2]):
        expected = metrics.silhouette_score(z, labels)
        assert scores.silhouette_score(z, np.array(labels)) == pytest.approx(expected)
        assert scores.silhouette_score(np.zeros((4, 2)), np.array(labels)) == 0


def sklearn_r2(z, target):
    folds = KFold(5, shuffle=True, random_state=0)
    probe = make_pipeline(StandardScaler(), Ridge())
    return metrics.r2_score(target, cross_val_predict(probe, z, target, cv=folds))


@settings(max_examples=25)
@given(cases())
def test_the_probe_is_scikit_learns(case):
    _, class_prob, z = case
    if len(z) < 10:
        return
    angle = z[:, 0] + class_prob[:, 0]
    for target in (angle, np.stack([np.cos(angle), np.sin(angle)], axis=1)):
        assert scores.cross_validated_r2(z, target, 5) == pytest.approx(sklearn_r2(z, target), rel=1e-6, abs=1e-9)


def test_the_probe_of_constant_columns_is_scikit_learns():
    z = np.stack([np.linspace(0, 1, 30), np.full(30, 1e6 / 3)], axis=1)
    target = np.stack([z[:, 0] ** 2, np.ones(30)], axis=1)
    assert scores.cross_validated_r2(z, target, 5) == pytest.approx(sklearn_r2(z, target), rel=1e-9)
