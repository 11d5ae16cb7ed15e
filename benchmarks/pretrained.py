"""Does the semi-supervised model gain by starting from the unsupervised one? Paired, with as many steps for both.

Usage: ``python benchmarks/pretrained.py [--data digits particles] [--seeds 3] [--steps 1500]``

``scratch`` is the ``fast`` preset without a second opinion and with one start; ``longer`` has as many more epochs as
the unsupervised stage has steps; ``pretrained`` is ``scratch`` with encoder, decoder and the classifier's convolutions
of that stage (M1 of Kingma et al. 2014), which is trained on all training images without a label. Every class begins
with the same decoder. Prints balanced accuracy, ECE, the unlabelled ELBO and processor seconds, stage included.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from common import machine, report, spread
from sklearn.metrics import balanced_accuracy_score

from ssrvae_core.config import EmbeddingConfig, RunConfig, run_config
from ssrvae_core.data import Split, load, split
from ssrvae_core.embedding.stage import Stage
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.evaluation.metrics import expected_calibration_error
from ssrvae_core.models import SSVAE
from ssrvae_core.training import Trainer

SETTINGS = {"model.second_opinion": False, "training.starts": 1}


def take_over(model: SSVAE, stage: SSVAE) -> None:
    """Give a model of K classes the weights of one with a single class."""
    own, n_classes = model.state_dict(), model.n_classes
    for name, learnt in stage.named_parameters():
        if name.startswith("classifier."):
            continue
        if learnt.shape != own[name].shape:  # the columns of the class come last: one there, one per class here
            learnt = torch.cat([learnt[:, :-1], learnt[:, -1:].expand(-1, n_classes)], dim=1)
        own[name] = learnt
        if name.startswith("encoder.features."):
            # The classifier's features lie one level deeper, behind its standardised view.
            own[name.replace("encoder.features.", "classifier.features.features.")] = learnt
    model.load_state_dict(own)


def fit(config: RunConfig, data: Split, stage: SSVAE | None = None) -> dict[str, Any]:
    """Train and judge."""
    trainer = Trainer(config, data, "cpu")
    if stage is not None:
        take_over(trainer.model, stage)
    *_, last = trainer.fit()
    said = predict(trainer.model, data.validation)
    return {
        "balanced_accuracy": round(float(balanced_accuracy_score(said.labels, said.predicted)), 4),
        "ece": round(expected_calibration_error(said.labels, said.class_prob), 4),
        "elbo": round(last.elbo_unlabelled, 1),
    }


def run(name: str, seed: int, steps: int) -> dict[str, dict[str, Any]]:
    """Fit all three on one split."""
    config = run_config(data=name, seed=seed, settings=SETTINGS)
    data = split(load(config.dataset), config.split)
    images = np.concatenate([data.labelled.images, data.unlabelled.images])
    per_epoch = Trainer(config, data, "cpu").position.steps
    longer = run_config(
        data=name,
        seed=seed,
        settings={**SETTINGS, "training.epochs": config.training.epochs + round(steps / per_epoch)},
    )
    found = {}
    for kind in ("scratch", "longer", "pretrained"):
        began, stage = time.process_time(), None
        if kind == "pretrained":
            shared = config.model.model_copy(update={"standardise": False, "angle_prior_labelled": "uniform"})
            stage = Stage(EmbeddingConfig(model=shared, steps=steps), seed, "cpu").fit(images).model
        found[kind] = fit(longer if kind == "longer" else config, data, stage)
        found[kind]["cpu_seconds"] = round(time.process_time() - began, 1)
    return found


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["digits", "particles"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    report(benchmark="pretrained", machine=machine(), steps=arguments.steps, settings=SETTINGS)
    for name in arguments.data:
        fits = []
        for seed in range(arguments.seeds):
            fits.append(run(name, seed, arguments.steps))
            report(data=name, seed=seed, **fits[-1])
        for kind in ("scratch", "longer", "pretrained"):
            report(data=name, method=kind, balanced_accuracy=spread([one[kind]["balanced_accuracy"] for one in fits]))


if __name__ == "__main__":
    main()
