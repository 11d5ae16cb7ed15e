"""Predictions to draw."""

from __future__ import annotations

import numpy as np
import pytest

from ssrvae_core.records import Predictions


@pytest.fixture
def make_predictions():
    """Build predictions of ``n`` images of three classes in turn; the first is misclassified, the last unlabelled."""

    def make(n: int = 12, *, dims: int = 2, first_id: int = 500, rotation: bool = True) -> Predictions:
        rng = np.random.default_rng(first_id)
        labels = np.arange(n) % 3
        class_prob = np.full((n, 3), 0.1, np.float32)
        class_prob[np.arange(n), labels] = 0.8
        class_prob[0] = [0.1, 0.8, 0.1]
        labels[-1] = -1
        angle = rng.uniform(-3, 3, n).astype(np.float32)
        return Predictions(
            ids=np.arange(first_id, first_id + n),
            labels=labels,
            class_prob=class_prob,
            z_mean=rng.normal(size=(n, dims)).astype(np.float32),
            z_sd=np.ones((n, dims), np.float32),
            angle=angle if rotation else np.full(n, np.nan, np.float32),
            concentration=np.ones(n, np.float32),
            log_likelihood=rng.normal(-300, 10, n).astype(np.float32),
            factors={
                "angle": angle,
                "scale": np.linspace(1, 1.3, n, dtype=np.float32),
                "shift_x": np.zeros(n, np.float32),
            },
        )

    return make
