"""Proposals: all kinds first, then what is unsure, and outliers last."""

import numpy as np
import pytest

from ssrvae_core.embedding.proposals import COVERAGE, covering, is_outlier, outlier_scores, propose, unsure

KINDS, EACH = 6, 30
N = KINDS * EACH


@pytest.fixture
def groups():
    """The group of each image."""
    return np.arange(N) % KINDS


@pytest.fixture
def features(groups):
    """Six tight groups far from each other."""
    rng = np.random.default_rng(0)
    return 20 * np.eye(KINDS)[groups] + rng.normal(size=(N, KINDS))


@pytest.fixture
def unlabelled():
    return np.full(N, -1)


def rng():
    return np.random.default_rng(0)


def test_the_first_proposals_are_one_of_each_group(features, groups, unlabelled):
    assert sorted(groups[propose(features, None, unlabelled, KINDS, rng())]) == list(range(KINDS))


def test_groups_with_labels_are_left_out_while_others_have_none(features, groups, unlabelled):
    y = unlabelled
    y[np.flatnonzero(groups < 4)[:12]] = 0
    assert {4, 5} <= set(groups[propose(features, None, y, 8, rng())])


def test_the_same_state_gives_the_same_proposals(features, unlabelled):
    first, second = (propose(features, None, unlabelled, 10, rng()) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_outlier_scores_that_are_there_are_not_computed_again(features, unlabelled, monkeypatch):
    expected = propose(features, None, unlabelled, 10, rng())
    scores = outlier_scores(features)
    monkeypatch.setattr("ssrvae_core.embedding.proposals.outlier_scores", lambda _: pytest.fail("computed again"))
    np.testing.assert_array_equal(propose(features, None, unlabelled, 10, rng(), scores), expected)


@pytest.mark.parametrize("n", [1, 7, N - 5, N, N + 10])
def test_each_proposal_is_unlabelled_and_there_once(features, unlabelled, n):
    y = unlabelled
    y[:5] = 0
    chosen = propose(features, None, y, n, rng())
    assert len(chosen) == min(n, N - 5) == len(set(chosen))
    assert (y[chosen] < 0).all()


@pytest.mark.parametrize("labels", [COVERAGE, 2])
def test_every_image_is_proposed_in_the_end_whatever_the_probabilities(features, unlabelled, labels):
    y = unlabelled
    y[:labels] = np.arange(labels) % 2
    probabilities = np.random.default_rng(1).dirichlet([1, 1], size=N)
    chosen = propose(features, probabilities, y, N, rng())
    assert sorted(chosen) == list(range(labels, N))


def test_no_proposals_where_all_is_labelled(features):
    assert len(propose(features, None, np.zeros(N, dtype=int), 5, rng())) == 0


def test_after_coverage_the_unsure_images_are_proposed(features, groups, unlabelled):
    y = unlabelled
    y[: 2 * COVERAGE] = groups[: 2 * COVERAGE] % 2
    probabilities = np.tile([0.99, 0.01], (N, 1))
    probabilities[groups == 3] = [0.5, 0.5]
    chosen = propose(features, probabilities, y, 2, rng())
    assert set(groups[chosen]) == {3}


def test_unsure_proposals_cover_the_groups_of_unsure_images(features, groups):
    probabilities = np.tile([0.99, 0.01], (N, 1))
    probabilities[groups < 3] = [0.52, 0.48]
    chosen = unsure(features, probabilities, np.ones(N, dtype=bool), 9, outlier_scores(features), seed=0)
    assert set(groups[chosen]) == {0, 1, 2}


def test_outliers_are_proposed_last(features, unlabelled):
    rng_ = np.random.default_rng(3)
    odd = np.arange(0, N, 30)  # fewer than the share that counts as outliers
    features[odd] += 200 * rng_.normal(size=(len(odd), KINDS))
    scores = outlier_scores(features)
    assert is_outlier(scores)[odd].all()
    n_usual = int((~is_outlier(scores)).sum())
    chosen = covering(features, unlabelled < 0, N, scores, seed=0)
    assert not set(chosen[:n_usual]) & set(odd)
    probabilities = np.full((N, 2), 0.5)
    assert not set(unsure(features, probabilities, unlabelled < 0, 20, scores, seed=0)) & set(odd)


def test_outlier_scores_of_usual_images_are_near_one(features):
    assert np.median(outlier_scores(features)) == pytest.approx(1)


@pytest.mark.parametrize("n_images", [1, 2, 3])
def test_few_images_and_equal_ones_are_no_problem(n_images):
    alike = np.zeros((n_images, 4))
    y = np.full(n_images, -1)
    assert sorted(propose(alike, None, y, 5, rng())) == list(range(n_images))
    y[0] = 0
    assert sorted(propose(alike, np.full((n_images, 2), 0.5), y, 5, rng())) == list(range(1, n_images))
