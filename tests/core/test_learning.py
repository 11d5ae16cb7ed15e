"""What the models are for: a few weakly rotated labels, and many images at any angle."""

import pytest

from ssrvae_core.config import run_config
from ssrvae_core.data import load, split
from ssrvae_core.evaluation.evaluate import evaluate
from ssrvae_core.training import Trainer

SMALL = {
    "model.radii": 10,
    "model.angles": 24,
    "model.channels": [16, 32],
    "model.hidden": [64],
    "training.learning_rate": 5e-3,
}
"""Smaller networks than the preset's learn faster, and bear larger steps; run seeds 0 to 3 all read every suit."""


@pytest.mark.slow
def test_ten_labels_a_class_teach_the_suits_at_any_angle():
    config = run_config(preset="teaching", labels_per_class=10, settings=SMALL)
    data = split(load(config.dataset), config.split)
    trainer = Trainer(config, data, device="cpu")
    bounds = [epoch.elbo_unlabelled for epoch in trainer.fit()]
    judged = evaluate(trainer.model, data.validation)
    assert judged["accuracy"] > 0.97
    assert min(entry["accuracy"] for entry in judged["accuracy_by_angle"]) > 0.9
    assert judged["flip_rate"] < 0.02
    assert bounds[-1] > bounds[0]
