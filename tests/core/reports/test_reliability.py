from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.evaluation.metrics import expected_calibration_error
from ssrvae_core.reports.reliability import reliability, reliability_figure


def test_the_gaps_average_to_the_expected_calibration_error(finished):
    predictions = finished.predictions()
    bins = reliability(predictions)
    error = np.average(np.abs(bins[:, 0] - bins[:, 1]), weights=bins[:, 2])
    assert error == pytest.approx(expected_calibration_error(predictions.labels, predictions.class_prob))
    assert bins[:, 2].sum() == len(predictions)


def test_images_without_a_label_are_left_out(finished):
    predictions = finished.predictions()
    assert reliability(replace(predictions, labels=np.full(len(predictions), -1))).shape == (0, 3)


def test_the_figure_shows_every_model_over_the_diagonal(finished):
    bins = reliability(finished.predictions())
    diagonal, line = reliability_figure({"ss-rVAE": bins}).data
    np.testing.assert_array_equal(diagonal.x, diagonal.y)
    np.testing.assert_array_equal(line.y, bins[:, 1])
