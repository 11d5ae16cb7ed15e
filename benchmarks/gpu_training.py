"""Resuming and the time of a training on a device: the measures that ``gpu.py`` takes after the agreement."""

from __future__ import annotations

import io
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ssrvae_core.config import RunConfig
from ssrvae_core.data import Split
from ssrvae_core.records import Step
from ssrvae_core.training import Trainer
from ssrvae_core.training.device import peak_memory_mb

WARM_UP = 3
"""First steps that are not timed: kernels are chosen and memory is taken there."""


class Enough(Exception):
    """Leaves a training."""


# Resuming.


def stop_at(epoch: int, step: int) -> Callable[[Step], None]:
    """Return what stops a training before a step of an epoch, from 0."""

    def look(now: Step) -> None:
        if (now.epoch, now.step) == (epoch, step):
            raise Enough

    return look


def weights(config: RunConfig, data: Split, device: torch.device, resumed: bool = False) -> dict[str, torch.Tensor]:
    """Train to the end, undisturbed or stopped in the middle of the second epoch and resumed, as a job is."""
    trainer = Trainer(config, data, str(device))
    if resumed:
        trainer.on_step = stop_at(1, trainer.position.steps // 2)
        file = io.BytesIO()
        try:
            for _ in trainer.fit():
                pass
        except Enough:
            torch.save(trainer.state_dict(), file)
        file.seek(0)
        torch.rand(100, device=device)  # whatever happens in between
        trainer = Trainer(config, data, str(device))
        trainer.load_state_dict(torch.load(file, weights_only=True, map_location="cpu"))
    for _ in trainer.fit():
        pass
    return {name: value.cpu() for name, value in trainer.model.state_dict().items()}


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two models are equal bit by bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def resume(config: RunConfig, data: Split, device: torch.device) -> dict[str, Any]:
    """Compare an undisturbed training, the same once more, and one that was stopped within an epoch and resumed."""
    first = weights(config, data, device)
    found = {
        "repeated_equal": equal(first, weights(config, data, device)),
        "resumed_equal": equal(first, weights(config, data, device, resumed=True)),
    }
    if not all(found.values()):
        found["not_deterministic"] = kernels_in_any_order(config, data, device)
    return {"ok": all(found.values()), **found}


def kernels_in_any_order(config: RunConfig, data: Split, device: torch.device) -> list[str]:
    """Return what PyTorch says of kernels that have no deterministic form, with all others in theirs."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            weights(config, data, device)
    finally:
        torch.use_deterministic_algorithms(False)
    return sorted({str(each.message).split(".")[0] for each in said if "determinis" in str(each.message)})


# Time and memory.


def wait_for(device: torch.device) -> None:
    """Wait until all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@dataclass
class Clock:
    """Times the steps of a training by :attr:`Trainer.on_step`, and leaves it after so many seconds or epochs."""

    device: torch.device
    seconds: float
    epochs: int

    def __post_init__(self) -> None:
        self.began = time.perf_counter()
        self.times: list[float] = []
        self.epoch_at: dict[int, float] = {}

    def __call__(self, now: Step) -> None:
        """Note the time before a step, once the one before is done."""
        if now.step == now.steps:  # the look at the validation images
            return
        wait_for(self.device)
        at = time.perf_counter()
        self.epoch_at.setdefault(now.epoch, at)
        self.times.append(at)
        late = at - self.began > self.seconds and len(self.times) > 1
        if late or now.epoch >= self.epochs:
            raise Enough

    def steps(self) -> np.ndarray:
        """Return the seconds of each step that was timed, the warm-up only where there is nothing else."""
        seconds = np.diff(self.times)
        return seconds[min(WARM_UP, len(seconds) - 1) :]


def epoch_seconds(
    config: RunConfig, data: Split, device: torch.device, seconds: float, epochs: int = 1
) -> dict[str, Any]:
    """Time an epoch: by whole epochs, with the look at the validation images, where so many fit the seconds.

    Otherwise by the median step that did fit them.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    trainer = Trainer(config, data, str(device))
    n_steps = trainer.position.steps
    trainer.on_step = clock = Clock(device, seconds, epochs)
    try:
        for _ in trainer.fit():
            pass
        clock.epoch_at.setdefault(epochs, time.perf_counter())
    except Enough:
        pass
    step = float(np.median(clock.steps()))
    whole = [clock.epoch_at[k + 1] - clock.epoch_at[k] for k in range(epochs) if k + 1 in clock.epoch_at]
    each = float(np.mean(whole[1:] or whole)) if whole else step * n_steps  # the first one has the warm-up
    images = len(data.labelled) + len(data.unlabelled)
    return {
        "step_seconds": step,
        "steps": n_steps,
        "epoch_seconds": each,
        "whole_epochs": len(whole),
        "images": images,
        "images_per_second": images / each,
        "peak_memory_mb": peak_memory_mb(device),
        "memory_of": "device" if device.type == "cuda" else "process",
    }
