"""Measure what the angles and latents of the ss-rVAE mean on the cards: one zero per class, shear in the latents.

Usage: ``python benchmarks/gauge.py [--settings '{"training.gauge_weight": 0}' ...] [--seeds 3] [--dataset-seed 0]``

The data are ``cards-b2`` with unlabelled and validation images at any angle. Per class, over the validation images:
``resultant``, |mean exp(i s (estimated - true))| for a class of symmetry s, which is 1 where the zero of the angle is
the same for every image; ``zero``, the angle in degrees that an upright image is given (modulo the symmetry); ``r2``,
the share of the variance of each shear, and of their sum, that the latents explain (out of fold, nearest neighbours);
and over all classes the accuracy and the mean log-likelihood. Each line of ``--settings`` is trained with the same
seeds.

First come the bounds. The poses (angle, x, y) and (angle + difference, x', -y) give the same picture, so whoever sees
the picture alone knows the angle and the shears up to that choice at best, however good the model.
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
from ssrvae_core.data.cards import GLYPH_HEIGHT, SUITS
from ssrvae_core.data.shapes import Frame, coverage
from ssrvae_core.evaluation.angles import SYMMETRY_ORDERS
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.training import Trainer

ANY_ANGLE = {"dataset.unlabelled.rotation": 180}
NEIGHBOURS = 15


def rotation_of(along_x: np.ndarray, along_y: np.ndarray) -> np.ndarray:
    """Return the rotation, radians, that is in a shear along x followed by one along y (their polar decomposition)."""
    return np.arctan2(along_y - along_x, 2 + along_x * along_y)


def bounds(degrees: float, n: int = 400_000) -> dict[str, Any]:
    """Return the largest resultant and R2 that an estimator which sees the picture alone can reach.

    ``polar`` is the resultant of the estimate that gives all of the rotation to the angle; ``bayes`` that of the best
    estimate, which knows the ranges of all factors. The twin poses have the same density on the picture's side, so
    they are weighed by the prior's.
    """
    widest = np.deg2rad(degrees)
    shear_x, shear_y = np.random.default_rng(0).uniform(-widest, widest, (2, n))
    x, y = np.tan(shear_x), np.tan(shear_y)
    # The symmetric part of the shear is the same for -y and the x that goes with it.
    twin_y, twin_x = -y, (x * (1 + y**2) + 2 * y) / (1 + y**2)
    own = 1 / (1 + x**2)
    other = np.where(np.abs(np.arctan(twin_x)) <= widest, 1 / (1 + twin_x**2), 0.0)
    own, other = own / (own + other), other / (own + other)

    def r2(factor: np.ndarray, twin: np.ndarray) -> float:
        return float(1 - (factor - own * factor - other * twin).var() / factor.var())

    def resultant(order: int) -> dict[str, float]:
        turns, twins = (np.exp(1j * order * rotation_of(*shear)) for shear in ((x, y), (twin_x, twin_y)))
        return {
            "polar": round(float(abs(turns.mean())), 4),
            "bayes": round(float(np.abs(own * turns + other * twins).mean()), 4),
        }

    twin_shear_x = np.arctan(twin_x)
    return {
        "resultant_order_1": resultant(1),
        "resultant_order_2": resultant(2),
        "r2_shear_x": round(r2(shear_x, twin_shear_x), 3),
        "r2_shear_y": round(r2(shear_y, -shear_y), 3),
        "r2_sum": round(r2(shear_x + shear_y, twin_shear_x - shear_y), 3),
        "twins_differ_by": twin_difference(degrees),
    }


def twin_difference(degrees: float) -> float:
    """Return the largest difference of any pixel between cards drawn in twin poses: they are the same picture."""
    size, shear = 48, np.deg2rad(degrees) / 2
    x, y = np.tan([shear / 2]), np.tan([shear])
    twin_x, angle = (x * (1 + y**2) + 2 * y) / (1 + y**2), rotation_of(x, y)
    zero, one = np.zeros(1), np.ones(1)
    pixels = []
    for along_x, along_y, turn in ((x, y, zero), (twin_x, -y, angle - rotation_of(twin_x, -y))):
        poses = {"angle": turn, "shear_x": np.arctan(along_x), "shear_y": np.arctan(along_y)}
        frame = Frame({**poses, "scale": one, "shift_x": zero, "shift_y": zero}, GLYPH_HEIGHT * size, size)
        pixels.append(np.stack([coverage(suit(frame)) for suit in SUITS.values()]))
    return float(np.abs(pixels[0] - pixels[1]).max())


def explained(z: np.ndarray, target: np.ndarray) -> float:
    """Return the share of a factor's variance that nearest neighbours among the latents explain, out of fold."""
    predicted = cross_val_predict(KNeighborsRegressor(NEIGHBOURS), z, target, cv=5)
    return float(1 - ((predicted - target) ** 2).mean() / target.var())


def run(
    settings: dict[str, Any], seed: int, preset: str, labels: int | None, data_name: str = "cards-b2"
) -> dict[str, Any]:
    """Train one model and say what its angles and latents mean."""
    config = run_config(
        data=data_name, preset=preset, seed=seed, labels_per_class=labels, settings={**ANY_ANGLE, **settings}
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
    parser.add_argument("--data", default="cards-b2")
    parser.add_argument("--dataset-seed", type=int, default=0)
    arguments = parser.parse_args()
    report(benchmark="gauge", **machine())
    shear = run_config(data=arguments.data).dataset.unlabelled.shear
    report(shear=shear, bounds=bounds(shear))
    for seed in range(arguments.seeds):
        for settings in arguments.settings:
            asked = {"dataset.seed": arguments.dataset_seed, **settings}
            found = run(asked, seed, arguments.preset, arguments.labels, arguments.data)
            report(settings=settings, seed=seed, **found)


if __name__ == "__main__":
    main()
