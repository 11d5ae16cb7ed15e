"""Measure how accurate each model is on the published card settings and on synthetic particles, over five seeds.

Usage: ``python benchmarks/cards.py [--models ss-rvae ss-vae] [--settings cards-b2 few-labels] [--seeds 5]``

A seed changes the labelled subset, the weights and the batches. Seconds are those of a whole run: drawing the data,
splitting, training and encoding the validation images. Validation labels are counted at the end and choose nothing.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from common import machine, report, spread
from sklearn.metrics import accuracy_score, confusion_matrix

from ssrvae_core.config import run_config
from ssrvae_core.data import load, split
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.training import Trainer
from ssrvae_core.training.device import peak_memory_mb

SETTINGS: dict[str, dict[str, Any]] = {
    "cards-a": {"data": "cards-a"},
    "cards-b1": {"data": "cards-b1"},
    "cards-b2": {"data": "cards-b2"},
    "particles": {"data": "particles"},
    "few-labels": {"data": "cards-b2", "labels_per_class": 5, "settings": {"dataset.unlabelled.rotation": 180}},
}


def run(model: str, setting: str, seed: int) -> dict[str, Any]:
    """Train one model and return its accuracy, time and memory."""
    began = time.perf_counter()
    config = run_config(model=model, seed=seed, **SETTINGS[setting])
    data = split(load(config.dataset), config.split)
    trainer = Trainer(config, data)
    epochs = list(trainer.fit())
    predictions = predict(trainer.model, data.validation)
    seconds = time.perf_counter() - began
    return {
        "accuracy": accuracy_score(predictions.labels, predictions.predicted),
        "seconds": round(seconds, 1),
        "seconds_an_epoch": round(sum(epoch.seconds for epoch in epochs) / config.training.trained(len(epochs)), 2),
        "peak_memory_mb": round(peak_memory_mb(trainer.device)),
        "confusion": confusion_matrix(predictions.labels, predictions.predicted).tolist(),
    }


def main() -> None:
    """Print a line per run and a line per setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["ss-rvae", "ss-vae"])
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    report(benchmark="cards", machine=machine())
    for model in arguments.models:
        for setting in arguments.settings:
            runs = []
            for seed in range(arguments.seeds):
                runs.append(run(model, setting, seed))
                report(model=model, setting=setting, seed=seed, **runs[-1])
            report(
                model=model,
                setting=setting,
                accuracy=spread([r["accuracy"] for r in runs]),
                seconds=spread([r["seconds"] for r in runs]),
            )


if __name__ == "__main__":
    main()
