"""What a second opinion is worth: the same splits with and without it, and who is heeded.

Usage: ``python benchmarks/second_opinion.py digits particles cards-b2 digits:2 [--seeds 3] [--without]
[--set training.epochs=24]``

``digits:2`` has two labels per class. Of each training with a second opinion it prints how well four posteriors judge
the validation images: the reported one, the network's alone, the measurements' alone, and both with power 1. With
``--without`` the same configuration is trained without a second opinion as well. Real particles: ``benchmarks/tem.py
--methods ss-rvae ss-rvae-alone``.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from typing import Any

import torch
from common import machine, report, spread
from sklearn.metrics import balanced_accuracy_score

from ssrvae_core.cli.app import setting
from ssrvae_core.config import run_config
from ssrvae_core.data import ImageSet, load, split
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.evaluation.metrics import expected_calibration_error
from ssrvae_core.models import SSVAE
from ssrvae_core.training import Trainer

POWERS = {"network": (1.0, 0.0), "measurements": (0.0, 1.0), "both": (1.0, 1.0)}


def judged(model: SSVAE, images: ImageSet) -> dict[str, float]:
    """Return balanced accuracy and calibration error."""
    said = predict(model, images)
    return {
        "balanced_accuracy": round(float(balanced_accuracy_score(said.labels, said.predicted)), 4),
        "ece": round(expected_calibration_error(said.labels, said.class_prob), 4),
    }


def fit(name: str, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Train once, and judge every posterior the model has."""
    data_name, _, labels = name.partition(":")
    config = run_config(data=data_name, seed=seed, labels_per_class=int(labels) if labels else None, settings=settings)
    data = split(load(config.dataset), config.split)
    began = time.process_time()
    trainer = Trainer(config, data, "cpu")
    for _ in trainer.fit():
        pass
    found: dict[str, Any] = {"cpu_seconds": round(time.process_time() - began, 1)}
    model, opinion = trainer.model, trainer.model.opinion
    if opinion is None:
        return found | {"without": judged(model, data.validation)}
    found |= {"judgement": asdict(opinion.judgement()), "reported": judged(model, data.validation)}
    for who, powers in POWERS.items():
        opinion.shares.copy_(torch.tensor(powers))
        found[who] = judged(model, data.validation)
    return found


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--set", metavar="NAME=VALUE", nargs="+", default=[], help="settings other than the defaults")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    settings = dict(setting(text) for text in arguments.set)
    torch.set_num_threads(arguments.threads)
    report(benchmark="second opinion", machine=machine(), settings=settings)
    for name in arguments.data:
        scores: dict[str, list[float]] = {}
        for seed in range(arguments.seeds):
            found = fit(name, seed, settings)
            if arguments.without:
                found |= {"without": fit(name, seed, settings | {"model.second_opinion": False})["without"]}
            report(data=name, seed=seed, **found)
            for who in ("reported", *POWERS, "without"):
                if who in found:
                    scores.setdefault(who, []).append(found[who]["balanced_accuracy"])
        report(data=name, balanced_accuracy={who: spread(values) for who, values in scores.items()})


if __name__ == "__main__":
    main()
