from __future__ import annotations

import numpy as np
import pytest

from ssrvae_core.evaluation.outliers import outlier_scores
from ssrvae_core.records import Predictions


def predictions(log_likelihood, predicted):
    n = len(predicted)
    return Predictions(
        ids=np.arange(n),
        labels=np.full(n, -1),
        class_prob=np.eye(2, dtype=np.float32)[predicted],
        z_mean=np.zeros((n, 2), np.float32),
        z_sd=np.ones((n, 2), np.float32),
        angle=np.full(n, np.nan, np.float32),
        concentration=np.full(n, np.nan, np.float32),
        log_likelihood=np.asarray(log_likelihood, np.float32),
    )


@pytest.fixture
def two_classes():
    """An easy class and a hard one, of 200 images each, their log-likelihoods normal."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(-100, 5, 200), rng.normal(-400, 30, 200)]), np.repeat([0, 1], 200)


def test_a_class_that_is_hard_to_draw_is_no_outlier(two_classes):
    scores = outlier_scores(predictions(*two_classes))
    for k in (0, 1):
        of_class = scores[two_classes[1] == k]
        assert np.median(of_class) == pytest.approx(0, abs=1e-6)
        assert of_class.std() == pytest.approx(1, abs=0.2)


def test_an_image_drawn_far_worse_than_its_class_stands_out(two_classes):
    log_likelihood, predicted = two_classes
    log_likelihood[[3, 7, 9]] = -150  # better than any of the hard class, ten deviations off for this one
    scores = outlier_scores(predictions(log_likelihood, predicted))
    assert set(np.argsort(scores)[-3:]) == {3, 7, 9}
    assert scores[3] == pytest.approx(10, rel=0.2)


def test_a_class_of_a_few_images_is_measured_by_all():
    log_likelihood = np.concatenate([np.linspace(-110, -90, 40), [-200.0]])
    scores = outlier_scores(predictions(log_likelihood, np.repeat([0, 1], [40, 1])))
    assert scores[-1] > 3.5


def test_what_has_no_likelihood_has_no_score_and_images_all_alike_have_none_that_stands_out():
    assert np.isnan(outlier_scores(predictions(np.full(3, np.nan), np.zeros(3, int)))).all()
    assert outlier_scores(predictions(np.full(12, -5.0), np.zeros(12, int))).tolist() == [0] * 12
