"""Measure what the angles and latents of the ss-rVAE mean on the cards: one zero per class, shear in the latents.

Usage: ``python benchmarks/gauge.py [--settings '{"model.angle_prior_labelled": "von_mises"}' ...] [--seeds 3]``

The data are ``cards-b2`` with unlabelled and validation images at any angle. Per class, over the validation images:
``resultant``, |mean exp(i s (estimated - true))| for a class of symmetry s, which is 1 where the zero of the angle is
the same for every image; ``zero``, the angle in degrees that an upright image is given (modulo the symmetry); ``r2``,
the share of the variance of both shears that the latents explain (out of fold, nearest neighbours); and over all
classes the accuracy and the mean log-likelihood. Each line of ``--settings`` is trained with the same seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from common import machine, report
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsRegressor

from ssrvae_core.config import run_config
from ssrvae_core.data import load, split
from ssrvae_core.evaluation.angles import SYMMETRY_ORDERS
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.training import Trainer

ANY_ANGLE = {"dataset.unlabelled.rotation": 180}
NEIGHBOURS = 15


def explained(z: np.ndarray, target: np.ndarray) -> float:
    """Return the share of a factor's variance that nearest neighbours among the latents explain, out of fold."""
    predicted = cross_val_predict(KNeighborsRegressor(NEIGHBOURS), z, target, cv=5)
    return float(1 - ((predicted - target) ** 2).mean() / target.var())


def run(settings: dict[str, Any], seed: int, preset: str, labels: int | None) -> dict[str, Any]:
    """Train one model and say what its angles and latents mean."""
    config = run_config(
        data="cards-b2", preset=preset, seed=seed, labels_per_class=labels, settings={**ANY_ANGLE, **settings}
    )
    data = split(load(config.dataset), config.split)
    began = time.perf_counter()
    trainer = Trainer(config, data)
    epochs = list(trainer.fit())
    found = predict(trainer.model, data.validation)
    classes: dict[str, Any] = {}
    for number, name in enumerate(data.validation.class_names):
        own = found.labels == number
        order = SYMMETRY_ORDERS[name]
        turns = np.exp(1j * order * (found.angle[own] - found.factors["angle"][own])).mean()
        shears = [found.factors[factor][own] for factor in ("shear_x", "shear_y")]
        shears.append(shears[0] + shears[1])
        classes[name] = {
            "resultant": round(float(abs(turns)), 4),
            "zero": round(float(np.degrees(np.angle(turns)) / order), 1),
            "r2": [round(explained(found.z_mean[own], shear), 3) for shear in shears],
        }
    return {
        "classes": classes,
        "least_resultant": min(c["resultant"] for c in classes.values()),
        "accuracy": round(float((found.predicted == found.labels).mean()), 4),
        "log_likelihood": round(float(epochs[-1].elbo_unlabelled), 1),
        "seconds": round(time.perf_counter() - began, 1),
    }


def main() -> None:
    """Print a line per run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=json.loads, nargs="*", default=[{}])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--labels", type=int)
    arguments = parser.parse_args()
    report(benchmark="gauge", **machine())
    for seed in range(arguments.seeds):
        for settings in arguments.settings:
            found = run(settings, seed, arguments.preset, arguments.labels)
            report(settings=settings, seed=seed, **found)


if __name__ == "__main__":
    main()
