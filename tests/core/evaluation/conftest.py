"""Predictions with a known answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ssrvae_core.records import Predictions

MakePredictions = Callable[..., Predictions]


@pytest.fixture
def make_predictions() -> MakePredictions:
    """Build predictions from labels and predicted classes; anything else can be set by name."""

    def make(labels: list[int], predicted: list[int], *, n_classes: int = 3, confidence: float = 0.9, **fields):
        n = len(labels)
        class_prob = np.full((n, n_classes), (1 - confidence) / (n_classes - 1), np.float32)
        class_prob[np.arange(n), np.array(predicted, dtype=int)] = confidence
        arrays = {
            "ids": np.arange(n),
            "labels": np.array(labels, dtype=np.int64),
            "class_prob": class_prob,
            "z_mean": np.random.default_rng(1).normal(size=(n, 2)).astype(np.float32),
            "z_sd": np.ones((n, 2), np.float32),
            "angle": np.full(n, np.nan, np.float32),
            "concentration": np.full(n, np.nan, np.float32),
            "log_likelihood": np.zeros(n, np.float32),
        }
        return Predictions(**arrays | fields)

    return make
