from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from ssrvae_core.evaluation.metrics import expected_calibration_error, probe_r2, silhouette, summary

NAMES = ("a", "b", "c")


def test_metrics_of_a_case_counted_by_hand(make_predictions):
    metrics = summary(make_predictions([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 2]), NAMES, {})
    assert metrics["n"] == 6
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert metrics["confusion"] == [[3, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert metrics["per_class"][0] == {
        "class": "a",
        "precision": 1.0,
        "recall": 0.75,
        "f1": pytest.approx(6 / 7),
        "support": 4,
    }
    assert metrics["nll"] == pytest.approx(-(4 * np.log(0.9) + 2 * np.log(0.05)) / 6, rel=1e-5)
    assert metrics["ece"] == pytest.approx(0.9 - 4 / 6, rel=1e-5)


def test_a_class_that_never_occurs_has_no_recall_and_does_not_lower_the_balanced_accuracy(make_predictions):
    metrics = summary(make_predictions([0, 1], [0, 1]), NAMES, {})
    assert metrics["per_class"][2] == {"class": "c", "precision": None, "recall": None, "f1": None, "support": 0}
    assert metrics["balanced_accuracy"] == 1.0


def test_images_without_a_label_are_left_out(make_predictions):
    metrics = summary(make_predictions([0, -1, 1, -1], [0, 2, 1, 2]), NAMES, {})
    assert metrics["n"] == 2
    assert metrics["accuracy"] == 1.0
    assert np.sum(metrics["confusion"]) == 2


def test_without_any_label_the_metrics_are_none(make_predictions):
    metrics = summary(make_predictions([-1, -1], [0, 1]), NAMES, {})
    assert metrics.pop("n") == 0
    assert metrics.pop("probe_r2") == {}
    assert set(metrics.values()) == {None}


def test_metrics_are_strict_json_even_when_a_probability_is_zero(make_predictions):
    n = 40
    factors = {
        "angle": np.linspace(-3, 3, n, dtype=np.float32),
        "scale": np.full(n, np.nan, np.float32),
        "shear_x": np.zeros(n, np.float32),
    }
    predictions = make_predictions([0, 1] * (n // 2), [1] * n, confidence=1.0, factors=factors, angle=factors["angle"])
    json.dumps(summary(predictions, NAMES, {}), allow_nan=False)


def test_a_confidence_that_tells_the_truth_has_no_calibration_error():
    confidence = np.repeat([0.55, 0.95], 100)
    labels = np.zeros(200, int)
    labels[:45] = labels[100:105] = 1
    class_prob = np.stack([confidence, 1 - confidence], axis=1)
    assert expected_calibration_error(labels, class_prob) == pytest.approx(0, abs=1e-12)
    assert expected_calibration_error(1 - labels, class_prob) > 0.4


def test_accuracy_falls_into_bins_of_the_absolute_angle(make_predictions):
    angles = np.radians(np.array([-5, 5, 50, -50, 180, np.nan], np.float32))
    predictions = make_predictions([0] * 6, [0, 1, 0, 0, 2, 2], factors={"angle": angles})
    bins = summary(predictions, NAMES, {})["accuracy_by_angle"]
    assert len(bins) == 12
    assert bins[0] == {"low_deg": 0, "high_deg": 15, "n": 2, "accuracy": 0.5}
    assert bins[1] == {"low_deg": 15, "high_deg": 30, "n": 0, "accuracy": None}
    assert bins[3] == {"low_deg": 45, "high_deg": 60, "n": 2, "accuracy": 1.0}
    assert bins[-1] == {"low_deg": 165, "high_deg": 180, "n": 1, "accuracy": 0.0}


def test_latents_that_hold_a_factor_are_told_from_latents_that_do_not():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-np.pi, np.pi, 300)
    scale = rng.normal(size=300)
    z = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    scale[:5] = np.nan
    scores = probe_r2(z, {"angle": angle, "scale": scale, "constant": np.ones(300)})
    assert scores["angle"] == pytest.approx(1, abs=1e-3)
    assert scores["scale"] < 0.1
    assert scores["constant"] is None


def test_latents_separated_by_class_have_a_silhouette_near_one():
    labels = np.repeat([0, 1], 1500)
    z = np.random.default_rng(0).normal(size=(3000, 2)) * 0.01 + labels[:, None]
    assert silhouette(z, labels) > 0.95
    assert silhouette(z, labels) == silhouette(z, labels)
    assert abs(silhouette(z, np.tile([0, 1], 1500))) < 0.05
    assert silhouette(z, np.zeros(3000, int)) is None


def test_metrics_are_importable_without_torch():
    code = "import sys, ssrvae_core.evaluation.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
