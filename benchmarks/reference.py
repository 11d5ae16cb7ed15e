"""Time a step of the public reference implementation and of both our engines, one after the other in one process.

Usage: ``python -m pip install --no-deps --target DIR pyroved==0.3.0``, then
``PYTHONPATH=DIR python benchmarks/reference.py [--steps 5] [--repeats 3]``

A step is 50 unlabelled images of 48x48 with four classes: in the reference its two losses and their updates, in ours
the same images with as many labelled ones beside them. It is here for its speed alone, and nothing else needs it.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from unittest.mock import MagicMock

import torch
from common import machine, report, spread
from speed import CLASSES, ENGINES, engine_step_seconds

IMAGES = 50
SIDE = 48
OURS = ("ss-rvae, source", "ss-rvae, default", "ss-rvae-paper exact, source", "ss-rvae-paper stochastic, source")


def reference_step_seconds(steps: int) -> float:
    """Seconds a step of pyroVED's ss-rVAE takes, after one to warm up."""
    for drawing in ("torchvision", "torchvision.utils", "matplotlib", "matplotlib.pyplot"):
        sys.modules[drawing] = MagicMock()  # imported, and not used for a step
    pyroved = import_module("pyroved")  # installed for this measurement alone
    model = pyroved.models.ssiVAE((SIDE, SIDE), latent_dim=2, num_classes=CLASSES, invariances=["r"])
    trainer = pyroved.trainers.auxSVItrainer(model)
    images = torch.rand(IMAGES, SIDE * SIDE)
    trainer.compute_loss(images)
    began = time.perf_counter()
    for _ in range(steps):
        trainer.compute_loss(images)
    return (time.perf_counter() - began) / steps


def main() -> None:
    """Print a line per repeat, then a line per engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    report(benchmark="reference", machine=machine())
    seconds: dict[str, list[float]] = {name: [] for name in ("reference", *OURS)}
    for _ in range(arguments.repeats):
        seconds["reference"].append(reference_step_seconds(arguments.steps))
        for name in OURS:
            seconds[name] += engine_step_seconds(ENGINES[name], arguments.steps, repeats=1)
        report(**{name: round(values[-1], 4) for name, values in seconds.items()})
    for name, values in seconds.items():
        report(
            engine=name, step_seconds=spread(values), reference_over=round(min(seconds["reference"]) / min(values), 1)
        )


if __name__ == "__main__":
    main()
