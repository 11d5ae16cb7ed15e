"""How long a training will take: as long as similar runs took, else by a benchmark."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ssrvae_core.config import RunConfig
from ssrvae_core.registry import source_of
from ssrvae_core.runs import Run

SIMILAR = 5
"""Runs at most that an expectation is taken from, the latest ones."""

BENCHMARK_SIDE = 48
BENCHMARK_PIXEL_FRACTION = 0.1
SECONDS_AN_IMAGE = {"ss-vae": 1.2e-3, "ss-rvae": 3.6e-4, "ss-rvae-paper": 2.4e-3}
"""Seconds to train on one image of 48 x 48 pixels, on two cores without a GPU, from docs/benchmarks.md: 161 s for the
8 epochs of cards-b2; 5.7 s an epoch of 120 steps; 37 s for the same with a tenth of the pixels."""


@dataclass(frozen=True)
class Forecast:
    """An expected time in seconds, and the runs it was measured on: none where a benchmark stands in for them."""

    seconds: float
    measured_on: tuple[Run, ...] = ()


def images_an_epoch(config: RunConfig, n_labelled: int, n_unlabelled: int) -> int:
    """Return the images that go through the model in an epoch, those that come several times counted so."""
    training = config.training
    sizes = min(training.labelled_batch_size, n_labelled), min(training.batch_size, n_unlabelled)
    steps = max(
        training.min_steps,
        math.ceil(n_labelled / training.labelled_batch_size),
        math.ceil(n_unlabelled / training.batch_size),
    )
    return steps * sum(sizes)


def forecast(
    config: RunConfig, n_labelled: int, n_unlabelled: int, shape: tuple[int, int], runs: Sequence[Run]
) -> Forecast:
    """Expect a training's time.

    Parameters
    ----------
    config : RunConfig
        What is to be trained.
    n_labelled, n_unlabelled : int
        Training images of either kind.
    shape : tuple of int
        Height and width of the images, pixels.
    runs : sequence of Run
        The store's, the latest first. Finished ones of the same model on images of the same size count.
    """
    images = config.training.trained(config.training.epochs) * images_an_epoch(config, n_labelled, n_unlabelled)
    similar = tuple(run for run in runs if _measured(run) and _alike(run.config, config, shape))[:SIMILAR]
    if similar:
        return Forecast(images * statistics.median(run.status.seconds / _images_of(run) for run in similar), similar)
    # Small images take hardly less than the benchmark's: the steps themselves take time.
    seconds = SECONDS_AN_IMAGE[config.model.name] * max(1.0, math.prod(shape) / BENCHMARK_SIDE**2)
    if config.model.name == "ss-rvae-paper":
        seconds *= config.model.pixel_fraction / BENCHMARK_PIXEL_FRACTION
    return Forecast(images * seconds)


def _measured(run: Run) -> bool:
    return run.status.state == "finished" and run.status.seconds > 0 and _images_of(run) > 0


def _images_of(run: Run) -> int:
    status, config = run.status, run.config
    images = images_an_epoch(config, status.n_labelled or 0, status.n_unlabelled or 0)
    return config.training.trained(status.epoch) * images


def _alike(one: RunConfig, other: RunConfig, shape: tuple[int, int]) -> bool:
    if one.model.name != other.model.name or one.model.pixel_fraction != other.model.pixel_fraction:
        return False
    if one.dataset.source == "file":  # its run does not say how large the images are
        return one.dataset.sha256 == other.dataset.sha256
    if not source_of(one.dataset.source).generated:  # nor does this one
        return one.dataset == other.dataset
    return (one.dataset.size, one.dataset.size) == shape
