"""The head: what scikit-learn's parts say, and calibrated probabilities from few labels."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage, shrunk_covariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ssrvae_core.embedding import head as module
from ssrvae_core.embedding.head import Head, Mixture, ledoit_wolf
from ssrvae_core.evaluation.metrics import expected_calibration_error


def blobs(n=300, n_features=12, n_classes=3, distance=1.2, seed=0):
    """Standardised features (n, F) of overlapping classes, and their classes (n,)."""
    rng = np.random.default_rng(seed)
    classes = np.arange(n) % n_classes
    mixing = np.eye(n_features) + 0.3 * rng.normal(size=(n_features, n_features))
    centres = distance * rng.normal(size=(n_classes, n_features))
    features = rng.normal(size=(n, n_features)) @ mixing + centres[classes]
    return (features - features.mean(axis=0)) / features.std(axis=0), classes


def labelled(classes, per_class):
    """Labels of the first images of each class, -1 for all others."""
    y = np.full(len(classes), -1)
    for number in range(classes.max() + 1):
        first = np.flatnonzero(classes == number)[:per_class]
        y[first] = number
    return y


def test_the_shrinkage_is_that_of_ledoit_and_wolf():
    residuals, _ = blobs(n=40)
    assert ledoit_wolf(residuals, residuals.T @ residuals) == pytest.approx(
        ledoit_wolf_shrinkage(residuals, assume_centered=True)
    )


def test_the_log_odds_are_those_of_scikit_learns_discriminant(monkeypatch):
    features, classes = blobs()
    y = labelled(classes, 10)
    rows = np.flatnonzero(y >= 0)

    def same_shrinkage(residuals, n_means):
        return shrunk_covariance(residuals.T @ residuals / len(residuals), 0.3), 0.0

    monkeypatch.setattr(module, "shrunk_covariance", same_shrinkage)
    ours = Head.fit(features, y, transductive=False).log_odds(features)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3, priors=np.full(3, 1 / 3))
    theirs = theirs.fit(features[rows], y[rows]).decision_function(features)
    centred = theirs - theirs.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(ours - ours.mean(axis=1, keepdims=True), centred, rtol=1e-6, atol=1e-8)


def test_leaving_a_label_out_is_fitting_without_it():
    features, classes = blobs(n=24, n_features=5)
    counts = np.bincount(classes).astype(float)
    means = np.stack([features[classes == number].mean(axis=0) for number in range(3)])
    residuals, weight, ridge = features - means[classes], 0.03, 0.2 * np.eye(5)
    fitted = Head(means, np.linalg.inv(ridge + weight * residuals.T @ residuals))
    closed = fitted.left_out(features, classes, counts, weight)
    for row in range(len(features)):
        rest = np.arange(len(features)) != row
        own = np.stack([features[rest & (classes == number)].mean(axis=0) for number in range(3)])
        without = (features - own[classes])[rest]
        differences = features[row] - own
        distances = differences @ np.linalg.inv(ridge + weight * without.T @ without) * differences
        np.testing.assert_allclose(closed[row], -distances.sum(axis=1) / 2, rtol=1e-8)


@pytest.mark.parametrize("per_class", [1, 2, 10])
def test_unlabelled_images_help(per_class):
    features, classes = blobs(n=600)
    y = labelled(classes, per_class)
    rest = y < 0
    accuracy = {
        transductive: np.mean(
            Head.fit(features, y, transductive=transductive).predict_proba(features).argmax(axis=1)[rest]
            == classes[rest]
        )
        for transductive in (True, False)
    }
    assert accuracy[True] > 0.85
    assert accuracy[True] >= accuracy[False] - 0.005


def test_probabilities_are_calibrated():
    errors = []
    for seed in range(5):
        features, classes = blobs(n=900, distance=0.7, seed=seed)
        y = labelled(classes, 10)
        probabilities = Head.fit(features, y).predict_proba(features)[y < 0]
        errors.append(expected_calibration_error(classes[y < 0], probabilities))
    assert np.mean(errors) < 0.05


def test_probabilities_are_those_of_classes_in_order_and_sum_to_one():
    features, classes = blobs()
    probabilities = Head.fit(features, labelled(classes, 3)).predict_proba(features[:50])
    assert probabilities.shape == (50, 3) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_a_single_class_is_certain():
    features, _ = blobs()
    y = np.where(np.arange(len(features)) < 3, 0, -1)
    np.testing.assert_array_equal(Head.fit(features, y).predict_proba(features), 1)


def test_all_images_may_be_labelled():
    features, classes = blobs(n=60)
    predicted = Head.fit(features, classes).predict_proba(features).argmax(axis=1)
    assert np.mean(predicted == classes) > 0.9


def test_more_features_than_images_and_constant_ones_give_finite_probabilities():
    features, classes = blobs(n=12, n_features=40)
    features[:, :3] = 0
    probabilities = Head.fit(features, labelled(classes, 1)).predict_proba(features)
    assert np.isfinite(probabilities).all()


def test_a_class_with_one_label_beside_one_with_many_is_found():
    features, classes = blobs(n=300, distance=2.0)
    y = labelled(classes, 20)
    y[np.flatnonzero(y == 2)[1:]] = -1
    predicted = Head.fit(features, y).predict_proba(features).argmax(axis=1)
    assert np.mean(predicted[classes == 2] == 2) > 0.9


@pytest.mark.parametrize("telling", [0, 1])
def test_the_features_that_predict_left_out_labels_are_heeded(telling):
    features, classes = blobs(n=300, distance=2.0)
    noise = np.random.default_rng(1).normal(size=features.shape)
    both = np.hstack([features, noise] if telling == 0 else [noise, features])
    columns = [np.arange(12), np.arange(12, 24)]
    mixture = Mixture.fit(both, labelled(classes, 5), columns)
    assert mixture.weights[telling] > 0.9
    probabilities = mixture.predict_proba(both)
    assert np.mean(probabilities.argmax(axis=1) == classes) > 0.9
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_more_other_features_are_doubted_the_better_they_have_to_be():
    features, classes = blobs(n=300, distance=0.7)
    both = np.hstack([np.random.default_rng(9).normal(size=(300, 4)), features])
    columns = [np.arange(16), np.arange(4, 16)]  # the first set has nothing but noise beside the second
    believed = [Mixture.fit(both, labelled(classes, 10), columns, doubt).weights[1] for doubt in (0.0, 1.0, 2.0)]
    assert believed == sorted(believed)
    assert believed[2] > 0.85
