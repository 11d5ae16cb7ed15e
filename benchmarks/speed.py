"""Measure the seconds of a training step and epoch of both engines, and the time to 0.99 accuracy on cards-b2.

Usage: ``python benchmarks/speed.py [--steps 20] [--repeats 3] [--seeds 5] [--latent-seeds 1]
[--only-time-to-accuracy | --turns REVISION | --roofline | --targets | --fast [EPOCHS]]``

The step is the reference's: 50 unlabelled images of 48x48 with four classes, and as many labelled ones. The public
reference implementation (pyroVED 0.3.0) took 3.49 s for it on 2 CPU cores of this kind of machine, measured once; it
is not run here. ``source`` trains on the ELBO and the auxiliary loss alone, as the reference does; ``default`` is our
recipe. The best of the repeats is reported beside all of them, since a busy machine only ever adds time. The time to
0.99 is asked of the default recipe of both engines, within its epochs, and the time of the short starts counts.

``--turns`` trains epochs of ``cards-b2`` of this tree and of another revision in turns. ``--roofline`` says how far
each part of a step is from its bound. ``--targets`` reports images encoded per second and what more classes cost, and
``--fast`` the preset on 500 particles of 64x64, or its first epochs. On a machine that others use as well, look at the
processor seconds, with ``OMP_NUM_THREADS=1``.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import roofline
from common import machine, report, spread
from turns import turns

from ssrvae_core.config import RunConfig, run_config
from ssrvae_core.data import load, split
from ssrvae_core.training import Trainer

REFERENCE_STEP = 3.49  # seconds, pyroVED 0.3.0, 2 CPU cores
TARGET = 0.99
CLASSES = 4
SOURCE = {"training.augment": False, "training.consistency_weight": 0.0}
ENGINES: dict[str, dict[str, Any]] = {
    "ss-vae, default": {"model": "ss-vae"},
    "ss-rvae, default": {"model": "ss-rvae"},
    "ss-rvae, source": {"model": "ss-rvae", "settings": SOURCE},
    "ss-rvae-paper exact, source": {"model": "ss-rvae-paper", "settings": {**SOURCE, "model.pixel_fraction": 1.0}},
    "ss-rvae-paper stochastic, source": {"model": "ss-rvae-paper", "settings": SOURCE},
    "ss-rvae-paper stochastic, default": {"model": "ss-rvae-paper"},
}


def epoch_seconds(config: RunConfig, repeats: int) -> list[float]:
    """Train ``repeats`` epochs after one to warm up, and return the seconds of each."""
    trainer = Trainer(config, split(load(config.dataset), config.split))
    return [epoch.seconds for epoch in trainer.fit()][1 : repeats + 1]


def engine_step_seconds(engine: dict[str, Any], steps: int, repeats: int) -> list[float]:
    """Return the seconds of a step of 50 unlabelled and as many labelled images, one value a repeat of ``steps``."""
    batch = {"training.batch_size": 50, "training.labelled_batch_size": 50, "training.min_steps": 1}
    size = {"dataset.train_per_class": 50 * (steps + 1) // CLASSES, "dataset.validation_per_class": 1}
    config = run_config(
        model=engine["model"],
        labels_per_class=12,
        settings={**engine.get("settings", {}), **batch, **size, "training.epochs": repeats + 1},
    )
    n_steps = int(np.ceil((CLASSES * size["dataset.train_per_class"] - 12 * CLASSES) / 50))
    return [value / n_steps for value in epoch_seconds(config, repeats)]


def step(name: str, steps: int, repeats: int) -> None:
    """Report a step of 50 images."""
    seconds = engine_step_seconds(ENGINES[name], steps, repeats)
    report(engine=name, step_seconds=spread(seconds), reference_over_best=round(REFERENCE_STEP / min(seconds), 1))


def epoch(name: str, repeats: int) -> None:
    """Report an epoch of 12 000 unlabelled images of 48x48 with the recipe's own batch size."""
    engine = ENGINES[name]
    config = run_config(model=engine["model"], settings={**engine.get("settings", {}), "training.epochs": repeats + 1})
    report(engine=name, epoch_seconds=spread(epoch_seconds(config, repeats)))


def time_to_accuracy(name: str, seed: int) -> None:
    """Report the training seconds after which the tracked validation accuracy stays at the target or above."""
    engine = ENGINES[name]
    config = run_config(model=engine["model"], seed=seed, settings=engine.get("settings", {}))
    trainer = Trainer(config, split(load(config.dataset), config.split))
    began, epochs, at = time.perf_counter(), [], []
    for record in trainer.fit():
        epochs.append(record)
        at.append(time.perf_counter() - began)
        report(
            engine=name, seed=seed, epoch=record.epoch, accuracy=record.validation_accuracy, seconds=round(at[-1], 1)
        )
    below = [record.epoch for record in epochs if record.validation_accuracy < TARGET]
    first = below[-1] if below else 0
    reached = first < len(epochs)
    report(
        engine=name,
        seed=seed,
        target=TARGET,
        epochs=first + 1 if reached else None,
        seconds=round(at[first], 1) if reached else None,
        seconds_in_all=round(at[-1], 1),
    )


def main() -> None:
    """Print a line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--latent-seeds", type=int, default=1)
    parser.add_argument("--only-time-to-accuracy", action="store_true")
    parser.add_argument("--turns", metavar="REVISION")
    parser.add_argument("--roofline", action="store_true")
    parser.add_argument("--targets", action="store_true")
    parser.add_argument("--fast", nargs="?", type=int, const=10**6, metavar="EPOCHS")
    arguments = parser.parse_args()
    report(benchmark="speed", machine=machine(), reference_step_seconds=REFERENCE_STEP)
    if arguments.turns:
        turns(arguments.turns, arguments.repeats)
    if arguments.roofline:
        roofline.roofline()
    if arguments.targets:
        roofline.encoding()
        roofline.classes()
    if arguments.fast:
        roofline.fast(arguments.fast)
    if arguments.turns or arguments.roofline or arguments.targets or arguments.fast:
        return
    for name in [] if arguments.only_time_to_accuracy else ENGINES:
        began = time.perf_counter()
        step(name, arguments.steps, arguments.repeats)
        if "exact" not in name:
            epoch(name, arguments.repeats)
        report(engine=name, measured_in=round(time.perf_counter() - began, 1))
    for seed in range(arguments.seeds):
        time_to_accuracy("ss-rvae, default", seed)
    for seed in range(arguments.latent_seeds):
        time_to_accuracy("ss-rvae-paper stochastic, default", seed)


if __name__ == "__main__":
    main()
