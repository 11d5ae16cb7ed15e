"""Measure ss-rVAE, the same without generative terms, a forest and two CNNs on real TEM particles with few labels.

Usage: ``python benchmarks/tem.py [--file ../shared/data/nanoshapes/crops64.npz] [--views mask masked] [--splits 5]
[--methods ss-rvae forest] [--set training.classifier_elbo_weight=1]``

There are 10 labels a class. All methods see the same labels and the same images in each of five splits; a split holds
whole micrographs out. The forest is chosen by cross-validation on the labelled images; ``forest_all_labels`` has every
label of the training part. The networks are those of :mod:`ssrvae_core.evaluation.rivals`: trained on the labels with
random rotations, and with FixMatch on the unlabelled images as well. Nothing is chosen by a validation label.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from common import machine, report, spread
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import GridSearchCV

from ssrvae_core.config import run_config
from ssrvae_core.data import Split, file_dataset, load, split
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.evaluation.rivals import RIVALS
from ssrvae_core.training import Trainer

METHODS = ("ss-rvae", "without_generative_terms", "forest", "forest_all_labels", "cnn", "cnn-fixmatch")
FOREST_GRID = {"max_features": ["sqrt", 0.1], "min_samples_leaf": [1, 3]}


def ours(data: Split, config: Any) -> np.ndarray:
    """Train a model and return its predictions of the validation part."""
    trainer = Trainer(config, data)
    for _ in trainer.fit():
        pass
    return predict(trainer.model, data.validation).predicted


def forest(images: np.ndarray, labels: np.ndarray, data: Split, seed: int) -> np.ndarray:
    """Fit a cross-validated random forest on the pixels and return its predictions of the validation part."""
    search = GridSearchCV(RandomForestClassifier(500, random_state=seed, n_jobs=-1), FOREST_GRID, cv=3)
    search.fit(images.reshape(len(images), -1), labels)
    return search.predict(data.validation.images.reshape(len(data.validation), -1))


def judge(method: str, dataset: Any, seed: int, settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return a method's predictions of one split's validation part, and the labels."""
    config = run_config(dataset=dataset, labels_per_class=10, by_group=True, seed=seed, settings=settings)
    data = split(load(dataset), config.split)
    labels = data.validation.labels
    if method == "ss-rvae":
        return ours(data, config), labels
    if method == "without_generative_terms":
        training = config.training.model_copy(update={"generative_weight": 0.0})
        return ours(data, config.model_copy(update={"training": training})), labels
    if method in RIVALS:
        return RIVALS[method](data, seed, "cpu").predict_proba(data.validation.images).argmax(axis=1), labels
    if method == "forest":
        return forest(data.labelled.images, data.labelled.labels, data, seed), labels
    every_image = np.concatenate([data.labelled.images, data.unlabelled.images])
    return forest(every_image, np.concatenate([data.labelled.labels, data.hidden_labels]), data, seed), labels


def main() -> None:
    """Print a line a split and method, and a line a view and method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", default="../shared/data/nanoshapes/crops64.npz")
    parser.add_argument("--views", nargs="+", default=["mask", "masked"])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of both of our models")
    arguments = parser.parse_args()
    settings = {name: json.loads(value) for name, value in (text.split("=", 1) for text in arguments.set)}
    report(benchmark="tem", machine=machine(), settings=settings)
    for view in arguments.views:
        dataset = file_dataset(arguments.file, view=view)
        scores: dict[str, list[float]] = {}
        for seed in range(arguments.splits):
            for method in arguments.methods:
                began = time.perf_counter()
                predicted, labels = judge(method, dataset, seed, settings)
                score = balanced_accuracy_score(labels, predicted)
                scores.setdefault(method, []).append(score)
                report(
                    view=view,
                    split=seed,
                    method=method,
                    balanced_accuracy=round(score, 4),
                    confusion=confusion_matrix(labels, predicted).tolist(),
                    seconds=round(time.perf_counter() - began, 1),
                )
        for method, values in scores.items():
            report(view=view, method=method, balanced_accuracy=spread(values))


if __name__ == "__main__":
    main()
