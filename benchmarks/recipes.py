"""Would another way to learn from unlabelled images be better than the fixed threshold? Paired, on one split per seed.

Usage: ``python benchmarks/recipes.py [--data digits] [--labels 10] [--seeds 3] [--recipes fixed soft ...]``

All is the ``fast`` preset without a second opinion, so that the network's own learning is compared:

- ``fixed``: the product's, a pseudo-label counts where its probability exceeds 0.95 (FixMatch, arXiv 2001.07685);
- ``soft``: every pseudo-label counts, by a Gaussian of how far its confidence is below the running mean (SoftMatch,
  arXiv 2301.10921);
- ``free``: the threshold is the running mean of the confidence, scaled per class by how often the class is predicted
  (FreeMatch, arXiv 2205.07246);
- ``aligned``: probabilities are multiplied by how much rarer than others a class is predicted before the threshold
  (distribution alignment as in ReMixMatch, arXiv 1911.09785);
- ``averaged``: as ``fixed``, but the weights that are judged are a running mean over the steps;
- ``ensemble``: as ``fixed``, with the mean probabilities of three whole trainings from other weights (three times the
  time).

A line per fit: balanced accuracy, calibration error, processor seconds; and the paired difference from ``fixed``.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from common import machine, report, spread
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor

from ssrvae_core.config import RunConfig, run_config
from ssrvae_core.data import Split, load, split
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.evaluation.metrics import expected_calibration_error
from ssrvae_core.training import Trainer
from ssrvae_core.training.objective import Objective

SETTINGS = {"model.second_opinion": False}
MEMORY = 0.99
"""Of the running means of the recipes, per step (0.999 in the sources, whose trainings are a hundred times as long)."""
AVERAGED = 0.98
"""Of the averaged weights, per step."""
MEMBERS = 3


class Running(Objective):
    """Keeps running means of the confidence, its variance and the class probabilities."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        n_classes = self.model.n_classes
        self.mean, self.variance = torch.tensor(1 / n_classes), torch.tensor(1.0)
        self.classes = torch.full((n_classes,), 1 / n_classes)

    def update(self, probability: Tensor) -> None:
        """Take in a batch."""
        confidence = probability.amax(dim=-1)
        self.mean = MEMORY * self.mean + (1 - MEMORY) * confidence.mean()
        self.variance = MEMORY * self.variance + (1 - MEMORY) * confidence.var()
        self.classes = MEMORY * self.classes + (1 - MEMORY) * probability.mean(dim=0)


class Soft(Running):
    """Weights by confidence instead of a threshold."""

    def believed(self, probability: Tensor) -> tuple[Tensor, Tensor]:
        """See the module."""
        self.update(probability)
        confidence, pseudo = probability.max(dim=-1)
        below = (self.mean - confidence).clamp(min=0)
        return pseudo, torch.exp(-(below**2) / (2 * self.variance / 4))


class Free(Running):
    """A threshold that follows the confidence, per class."""

    def believed(self, probability: Tensor) -> tuple[Tensor, Tensor]:
        """See the module."""
        self.update(probability)
        confidence, pseudo = probability.max(dim=-1)
        thresholds = self.mean * self.classes / self.classes.max()
        return pseudo, (confidence > thresholds[pseudo]).float()


class Aligned(Running):
    """Probabilities that predict all classes equally often."""

    def believed(self, probability: Tensor) -> tuple[Tensor, Tensor]:
        """See the module."""
        self.update(probability)
        aligned = probability / self.classes
        return super().believed(aligned / aligned.sum(dim=-1, keepdim=True))


OBJECTIVES = {"fixed": Objective, "soft": Soft, "free": Free, "aligned": Aligned, "averaged": Objective}
RECIPES = (*OBJECTIVES, "ensemble")


def train(config: RunConfig, data: Split, recipe: str) -> np.ndarray:
    """Return the class probabilities of the validation images."""
    trainer = Trainer(config, data, "cpu")
    trainer._objective = OBJECTIVES[recipe](trainer.model, config.training)
    mean: dict[str, Tensor] = {}

    def remember(_: Any) -> None:
        for name, values in trainer.model.named_parameters():
            held = mean.setdefault(name, values.detach().clone())
            held.lerp_(values.detach(), 1 - AVERAGED)

    for _ in trainer.choose_start():
        pass
    if recipe == "averaged":
        trainer.on_step = remember
    for _ in trainer.fit():
        pass
    if recipe == "averaged":
        trainer.model.load_state_dict(mean, strict=False)
    return predict(trainer.model, data.validation).class_prob


def fit(config: RunConfig, data: Split, recipe: str) -> dict[str, float]:
    """Train and judge."""
    began = time.process_time()
    if recipe == "ensemble":
        members = [config.model_copy(update={"seed": config.seed + 1000 * member}) for member in range(MEMBERS)]
        found = np.mean([train(member, data, "fixed") for member in members], axis=0)
    else:
        found = train(config, data, recipe)
    labels = data.validation.labels
    return {
        "balanced_accuracy": round(float(balanced_accuracy_score(labels, found.argmax(axis=1))), 4),
        "ece": round(expected_calibration_error(labels, found), 4),
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--labels", type=int, default=10, help="per class")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    report(benchmark="recipes", machine=machine(), data=arguments.data, labels=arguments.labels)
    scores: dict[str, list[float]] = {}
    for seed in range(arguments.seeds):
        config = run_config(data=arguments.data, seed=seed, labels_per_class=arguments.labels, settings=SETTINGS)
        data = split(load(config.dataset), config.split)
        for recipe in arguments.recipes:
            found = fit(config, data, recipe)
            scores.setdefault(recipe, []).append(found["balanced_accuracy"])
            report(recipe=recipe, seed=seed, **found)
    for recipe, values in scores.items():
        gains = [one - other for one, other in zip(values, scores.get("fixed", values), strict=True)]
        report(recipe=recipe, balanced_accuracy=spread(values), over_fixed=spread(gains))


if __name__ == "__main__":
    main()
