from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrvae_core.evaluation.angles import SYMMETRY_ORDERS, angle_error, angle_report

TRUE = np.random.default_rng(0).uniform(-np.pi, np.pi, 50)


def _wrapped(angle):
    return np.angle(np.exp(1j * angle))


@given(offset=st.floats(-10, 10), order=st.integers(1, 6))
def test_the_offset_a_class_shares_is_not_an_error(offset, order):
    assert np.abs(angle_error(_wrapped(TRUE + offset), TRUE, order)).max() < 1e-6


@given(order=st.integers(1, 6), seed=st.integers(0, 100))
def test_a_turn_by_the_symmetry_is_not_an_error(order, seed):
    turns = np.random.default_rng(seed).integers(0, order, len(TRUE)) * 2 * np.pi / order
    assert np.abs(angle_error(_wrapped(TRUE + turns), TRUE, order)).max() < 1e-6


def test_errors_keep_their_size_and_sign():
    errors = np.radians([-10.0, 10.0, -20.0, 20.0])
    assert np.degrees(angle_error(_wrapped(3 + errors), np.full(4, 3.0), 2)) == pytest.approx([-10, 10, -20, 20])


def test_each_class_is_judged_with_its_own_gauge_and_symmetry(make_predictions):
    labels = np.tile([0, 1, 2], 40)
    true = np.linspace(-3, 3, 120, dtype=np.float32)
    diamonds_flip = (labels == 0) * np.pi * np.tile([0, 1], 60)
    noise = (labels == 1) * np.radians(8) * np.where(np.arange(120) // 3 % 2, 1, -1)
    predictions = make_predictions(
        list(labels), list(labels), factors={"angle": true}, angle=_wrapped(true + labels + diamonds_flip + noise)
    )
    report = angle_report(predictions, ("diamonds", "hearts", "sphere"), SYMMETRY_ORDERS)
    diamonds, hearts = report["per_class"]
    assert (diamonds["class"], diamonds["order"], diamonds["n"]) == ("diamonds", 2, 40)
    assert diamonds["resultant_length"] == pytest.approx(1)
    assert diamonds["median_error_deg"] == pytest.approx(0, abs=1e-3)
    assert hearts["resultant_length"] == pytest.approx(np.cos(np.radians(8)), rel=1e-4)
    assert hearts["median_error_deg"] == pytest.approx(8, rel=1e-3)
    assert report["n"] == 80
    assert report["resultant_length"] == pytest.approx((1 + np.cos(np.radians(8))) / 2, rel=1e-4)


def test_random_angles_have_a_short_resultant(make_predictions):
    rng = np.random.default_rng(0)
    true, estimated = rng.uniform(-np.pi, np.pi, (2, 1000))
    predictions = make_predictions([0] * 1000, [0] * 1000, factors={"angle": true}, angle=estimated)
    report = angle_report(predictions, ("hearts",), SYMMETRY_ORDERS)
    assert report["resultant_length"] < 0.1
    assert 70 < report["median_error_deg"] < 110


def test_a_model_without_rotation_has_no_angle_report(make_predictions):
    predictions = make_predictions([0, 1], [0, 1], factors={"angle": np.zeros(2, np.float32)})
    assert angle_report(predictions, ("a", "b", "c"), {}) is None
