"""Measure the rivals on the same splits as our models: accuracy, calibration, time and what they chose.

Usage: ``python benchmarks/rivals.py [--data cards-teaching cards-b2] [--labels-per-class 40] [--rivals cnn knn]
[--seeds 3]``

A seed changes the labelled images and everything random in a rival; the images stay the same. Every rival is chosen by
cross-validation on the labelled images. Seconds are those of fitting, the search included.
"""

from __future__ import annotations

import argparse

from common import machine, report, spread

from ssrvae_core.config import DATASETS, run_config
from ssrvae_core.data import load, split
from ssrvae_core.evaluation.rivals import RIVALS, Judged, judge


def told(judged: Judged) -> dict[str, object]:
    """Return what is printed of one fit."""
    metrics = {name: judged.validation[name] for name in ("accuracy", "balanced_accuracy", "nll", "ece", "flip_rate")}
    return {
        **{name: round(value, 4) for name, value in metrics.items()},
        "confusion": judged.validation["confusion"],
        "parameters": judged.parameters,
        "fit_seconds": round(judged.fit_seconds, 1),
        "predict_seconds": round(judged.predict_seconds, 2),
    }


def main() -> None:
    """Print a line per fit and a line per rival."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["cards-teaching", "cards-b2"], choices=list(DATASETS))
    parser.add_argument("--labels-per-class", type=int, help="by default the data set's own number")
    parser.add_argument("--rivals", nargs="+", default=list(RIVALS), choices=list(RIVALS))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    report(benchmark="rivals", machine=machine())
    for data in arguments.data:
        configs = [
            run_config(data=data, labels_per_class=arguments.labels_per_class, seed=seed)
            for seed in range(arguments.seeds)
        ]
        splits = [split(load(configs[0].dataset), config.split) for config in configs]
        for rival in arguments.rivals:
            fits = []
            for seed, parts in enumerate(splits):
                fits.append(judge(RIVALS[rival], parts, seed))
                report(data=data, labelled=len(parts.labelled), rival=rival, seed=seed, **told(fits[-1]))
            report(
                data=data,
                rival=rival,
                accuracy=spread([fit.validation["accuracy"] for fit in fits]),
                fit_seconds=spread([fit.fit_seconds for fit in fits]),
            )


if __name__ == "__main__":
    main()
