"""The head: what scikit-learn's parts say, and calibrated probabilities from few labels."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage, shrunk_covariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ssrvae_core.embedding import discriminant as module
from ssrvae_core.embedding.covariance import ledoit_wolf
from ssrvae_core.embedding.crowd import FLOOR, PRIOR_CONFIDENCE, Crowd, certainty, softmax
from ssrvae_core.embedding.discriminant import Head
from ssrvae_core.embedding.head import Mixture
from ssrvae_core.embedding.neighbours import REACH, Neighbours
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


def test_labels_spread_where_the_classes_are_far_from_round():
    # Two long parallel bands: the single label of each lies at an end, and the nearest label is often the wrong one.
    rng = np.random.default_rng(0)
    classes = np.arange(400) % 2
    along = rng.uniform(0, 12, size=400)
    features = np.stack([along, 1.5 * classes + 0.1 * rng.normal(size=400)], axis=1)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    y = np.full(400, -1)
    y[np.argmin(np.where(classes == 0, along, np.inf))] = 0
    y[np.argmax(np.where(classes == 1, along, -np.inf))] = 1
    shares = Neighbours.fit(features).spread(y, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert np.mean(shares.argmax(axis=1) == classes) > 0.99


def test_spreading_is_the_solution_of_the_linear_system():
    features, classes = blobs(n=60)
    graph = Neighbours.fit(features)
    begin = np.eye(3)[classes] * (np.arange(60) < 6)[:, None]
    expected = np.linalg.solve(np.eye(60) - REACH * graph.weights.toarray(), begin)
    np.testing.assert_allclose(graph._solve(begin), expected, rtol=1e-4, atol=1e-5)


def test_images_that_are_all_alike_or_two_have_a_graph():
    for features in (np.zeros((20, 3)), np.array([[0.0, 1.0], [1.0, 0.0]])):
        y = np.full(len(features), -1)
        y[:2] = 0, 1
        shares = Neighbours.fit(features).spread(y, 2)
        assert np.isfinite(shares).all()


def test_the_steps_on_whitened_features_are_those_of_the_gaussians():
    features, classes = blobs(n=200, n_features=6)
    y = labelled(classes, 4)
    crowd = Crowd(features, y)
    shares = crowd.settle(np.full((200, 3), 1 / 3), 0)
    means, covariance, counts, _ = crowd.gaussians(shares)
    covariance = (1 - crowd.shrinkage) * (crowd.total - (means.T * counts) @ means / crowd.sum)
    _, first, _, _ = crowd.gaussians(shares)
    covariance += np.diag(crowd.shrinkage * (first.diagonal() - FLOOR) + FLOOR)
    expected = softmax(PRIOR_CONFIDENCE * Head(means, np.linalg.inv(covariance)).log_odds(features))
    expected[y >= 0] = np.eye(3)[y[y >= 0]]
    np.testing.assert_allclose(crowd.settle(shares, 1), expected, atol=1e-4)


def test_certainty_is_highest_where_images_are_sure_and_classes_even():
    sure = np.eye(3)[np.arange(30) % 3]
    assert certainty(sure) == pytest.approx(np.log(3))
    assert certainty(np.full((30, 3), 1 / 3)) == pytest.approx(0, abs=1e-9)
    assert certainty(np.eye(3)[np.zeros(30, dtype=int)]) == pytest.approx(0, abs=1e-9)


def test_one_label_per_class_is_enough_where_the_classes_lie_apart():
    scores = []
    for seed in range(8):
        features, classes = blobs(n=400, n_features=30, n_classes=5, distance=1.5, seed=seed)
        y = labelled(classes, 1)
        probabilities = Head.fit(features, y).predict_proba(features)
        scores.append(np.mean(probabilities.argmax(axis=1) == classes))
    assert min(scores) > 0.99


def test_one_mistaken_label_does_not_take_all_confidence():
    features, classes = blobs(n=300, distance=2.0)
    y = labelled(classes, 8)
    right = Head.fit(features, y)
    features = features.copy()
    features[0] = 10.0  # far from everything, as a failed outline is
    odd = Head.fit(features, y)
    assert odd.confidence > right.confidence / 4
    assert odd.predict_proba(features)[y < 0].max(axis=1).mean() > 0.9


def test_with_one_label_per_class_neighbours_say_which_features_to_heed():
    weights = []
    for seed in range(5):
        features, classes = blobs(n=400, n_features=24, n_classes=8, distance=2.0, seed=seed)
        described = np.random.default_rng(seed).normal(size=(400, 12))  # descriptors that know nothing
        both = np.hstack([features, described])
        weights.append(Mixture.fit(both, labelled(classes, 1), [np.arange(36), np.arange(24, 36)]).weights[0])
    assert min(weights) > 0.95


def micrographs(seed=0, per_class=4, n=40):
    """Return descriptors and other features, of which the others know the micrograph only; classes and micrographs."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(3 * per_class), n)
    classes = groups // per_class
    described = rng.normal(size=(len(groups), 6)) + 1.5 * rng.normal(size=(3, 6))[classes]
    others = 0.5 * rng.normal(size=(len(groups), 6)) + 2.0 * rng.normal(size=(3 * per_class, 6))[groups]
    features = np.hstack([others, described])
    return (features - features.mean(axis=0)) / features.std(axis=0), classes, groups


def of_half(classes, groups, n, rng):
    """Return n labels per class from the first two micrographs of each class."""
    y = np.full(len(classes), -1)
    for number in range(3):
        own = np.unique(groups[classes == number])[:2]
        y[rng.choice(np.flatnonzero(np.isin(groups, own)), n, replace=False)] = number
    return y


def test_what_only_micrographs_share_is_not_heeded_in_others():
    columns = [np.arange(12), np.arange(6, 12)]
    mixed, described = [], []
    for seed in range(6):
        features, classes, groups = micrographs(seed)
        y = of_half(classes, groups, 10, np.random.default_rng(seed))
        mixture = Mixture.fit(features, y, columns, 2.0, groups)
        away = ~np.isin(groups, groups[y >= 0])
        assert mixture.weights_elsewhere[0] < 0.1
        for scores, probabilities in (
            (mixed, mixture.predict_proba(features, away)),
            (described, mixture.heads[1].predict_proba(features[:, columns[1]])),
        ):
            scores.append(np.mean((probabilities.argmax(axis=1) == classes)[away]))
    assert np.mean(mixed) >= np.mean(described) - 0.002


def test_several_groups_raise_the_doubt_where_no_micrograph_can_be_left_out():
    features, classes, groups = micrographs()
    y = np.where(np.isin(groups, [0, 4, 8]) & (np.arange(len(groups)) % 4 == 0), classes, -1)
    columns = [np.arange(12), np.arange(6, 12)]
    mixture = Mixture.fit(features, y, columns, 2.0, groups)
    assert mixture.weights_elsewhere[1] > max(0.9, mixture.weights[1])
    same = Mixture.fit(features, y, columns, 2.0, 0 * groups)
    np.testing.assert_array_equal(same.weights_elsewhere, same.weights)


def test_the_probabilities_of_an_image_are_those_of_its_micrograph():
    features, classes, groups = micrographs()
    mixture = Mixture.fit(
        features,
        of_half(classes, groups, 10, np.random.default_rng(0)),
        [np.arange(12), np.arange(6, 12)],
        0.0,
        groups,
    )
    away = np.arange(len(groups)) % 2 == 0
    found = mixture.predict_proba(features, away)
    np.testing.assert_allclose(found[~away], mixture.predict_proba(features)[~away])
    np.testing.assert_allclose(found[away], mixture.predict_proba(features, np.ones(len(away), dtype=bool))[away])
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_it_is_less_sure_of_images_whose_micrograph_has_no_label():
    features, classes, groups = micrographs()
    y = of_half(classes, groups, 10, np.random.default_rng(0))
    mixture = Mixture.fit(features, y, [np.arange(6, 12)], 0.0, groups)
    here, away = (mixture.predict_proba(features, np.full(len(y), where)) for where in (False, True))
    np.testing.assert_array_equal(here.argmax(axis=1), away.argmax(axis=1))
    assert (away.max(axis=1) < here.max(axis=1)).mean() > 0.9
