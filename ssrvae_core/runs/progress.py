"""How far a training is within its epoch, what it will still take, and where it would go on if it stopped.

``progress.json`` in a run's directory says so while the run is trained, and after a stop. It is written about twice a
second, and not flushed to disk: a machine that crashes may lose it, and nothing but what is shown depends on it.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssrvae_core.records import Step

PROGRESS = "progress.json"

_Told = TypeVar("_Told", bound=BaseModel)
_STEPS, _ENDS = 100, 5  # latest steps and epochs that the pace is taken from


class Place(BaseModel):
    """A place in a training that it goes on from.

    Attributes
    ----------
    start : int
        Short starts that are done; as many as there are, once one was chosen.
    epoch, step : int
        Epochs done, of the start under way or of the run, and steps done of the next.
    """

    model_config = ConfigDict(frozen=True)

    start: int = 0
    epoch: int = 0
    step: int = 0


class Progress(BaseModel):
    """The content of ``progress.json``.

    Attributes
    ----------
    start, starts, start_epochs, epoch, epochs, step, steps
        As in :class:`ssrvae_core.records.Step`; ``steps`` is 0 before the first step.
    step_seconds, end_seconds : float, optional
        Measured time of a step, and of the end of an epoch: its evaluation and its checkpoint. None before there was
        one.
    saved : Place
        Where the training goes on if it is stopped now.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    start: int = Field(0, ge=0)
    starts: int = Field(1, ge=1)
    start_epochs: int = Field(1, ge=1)
    epoch: int = Field(0, ge=0)
    epochs: int = Field(ge=1)
    step: int = Field(0, ge=0)
    steps: int = Field(0, ge=0)
    step_seconds: float | None = None
    end_seconds: float | None = None
    saved: Place = Place()

    @property
    def total(self) -> int:
        """Epochs that are trained in all, those of every short start included."""
        return self.epochs + (self.starts - 1) * self.start_epochs

    @property
    def done(self) -> float:
        """Epochs that were trained, with the share done of the one under way."""
        return self._whole + (self.step / self.steps if self.steps else 0.0)

    @property
    def _whole(self) -> int:
        others = (self.start or self.starts) - 1  # starts that are done, beside the one that is trained or was chosen
        return others * self.start_epochs + self.epoch

    @property
    def share(self) -> float:
        """Share of the training that is done, in [0, 1]."""
        return self.done / self.total

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end of the last epoch at the measured pace; None before a step was measured."""
        if self.step_seconds is None or not self.steps:
            return None
        steps = (self.total - self.done) * self.steps
        return steps * self.step_seconds + (self.total - self._whole) * (self.end_seconds or 0.0)

    @property
    def in_words(self) -> str:
        """Which start, epoch and step is under way, such as ``epoch 3 of 8, step 40 of 120``."""
        if not self.start and self.epoch >= self.epochs:
            return f"all {self.epochs} epochs done, evaluating"
        at = f"start {self.start} of {self.starts}" if self.start else f"epoch {self.epoch + 1} of {self.epochs}"
        if self.start and self.start_epochs > 1:
            at += f", epoch {self.epoch + 1} of {self.start_epochs}"
        if not self.steps:
            return at
        return f"{at}, step {self.step} of {self.steps}" if self.step < self.steps else f"{at}, evaluating"

    @property
    def left_in_words(self) -> str:
        """How long it will still take, as far as that is known; empty while what comes last is done."""
        if not self.start and self.epoch >= self.epochs:
            return ""
        left = self.seconds_left
        return "estimating" if left is None else roughly(left)

    @property
    def stopped(self) -> Progress:
        """The same once it has stopped: where it goes on."""
        at = self.saved
        start = at.start + 1 if at.start < self.starts and self.starts > 1 else 0
        return self.model_copy(update={"start": start, "epoch": at.epoch, "step": at.step})

    @property
    def done_in_words(self) -> str:
        """What is done and kept, such as ``3 of 8 epochs``."""
        if self.saved.start < self.starts and self.starts > 1:
            return f"{self.saved.start} of {self.starts} starts"
        return f"{self.saved.epoch} of {self.epochs} epochs"

    @property
    def goes_on(self) -> str:
        """Where the training goes on if it is stopped now, such as ``epoch 4``; empty where it has to begin again."""
        at = self.saved
        step = f", step {at.step + 1}" if at.step and at.step < self.steps else ""
        if self.starts > 1 and at.start < self.starts:
            if not (at.start or at.epoch or at.step):
                return ""
            epoch = f", epoch {at.epoch + 1} of {self.start_epochs}" if self.start_epochs > 1 else ""
            return f"start {at.start + 1} of {self.starts}{epoch}{step}"
        if not (at.epoch or at.step):
            return ""
        return f"epoch {at.epoch + 1}{step}" if at.epoch < self.epochs else "its evaluation"


class Pace:
    """Measures steps and ends of epochs, from the places of a training as it passes them."""

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=_STEPS)
        self._ends: deque[float] = deque(maxlen=_ENDS)
        self._last: tuple[Step, float] | None = None
        self._warm = False

    def passes(self, step: Step, now: float) -> None:
        """Take in that the training is here at this time, seconds of a clock that only goes forward."""
        last, since = self._last or (step, now)
        if step.step == last.step == step.steps and self._last is not None:
            return  # between batches of the evaluation: its beginning stands
        if step.step == last.step + 1:
            self._measure(now - since)
        elif last.step == last.steps and step.step == 0:
            self._ends.append(now - since)
        self._last = step, now

    def _measure(self, seconds: float) -> None:
        if not self._warm and self._steps:  # the first step makes ready what the others find
            self._steps.clear()
            self._warm = True
        self._steps.append(seconds)

    @property
    def step_seconds(self) -> float | None:
        """Mean seconds of the latest steps."""
        return fmean(self._steps) if self._steps else None

    @property
    def end_seconds(self) -> float | None:
        """Mean seconds of the latest epochs' ends."""
        return fmean(self._ends) if self._ends else None


def write_progress(path: Path, progress: BaseModel) -> None:
    """Replace ``progress.json`` in a directory."""
    temporary = path / f".{PROGRESS}.{os.getpid()}.tmp"
    temporary.write_text(progress.model_dump_json() + "\n")
    os.replace(temporary, path / PROGRESS)


def read_progress(path: Path) -> Progress | None:
    """Read ``progress.json`` of a run's directory; None where there is none that can be read."""
    return read_progress_as(Progress, path)


def read_progress_as(model: type[_Told], path: Path) -> _Told | None:
    """Read ``progress.json`` of a directory; None where there is none of this kind that can be read."""
    try:
        return model.model_validate_json((path / PROGRESS).read_bytes())
    except (OSError, ValidationError):
        return None


def roughly(seconds: float) -> str:
    """Write a duration as a forecast knows it, such as ``a few seconds``, ``about 40 s`` or ``about 1 h 20 min``."""
    return "a few seconds" if seconds < 7.5 else f"about {_rounded(seconds)}"


def _rounded(seconds: float) -> str:
    if seconds < 55:
        return f"{5 * round(seconds / 5)} s"
    if seconds < 95:
        return "1 min" if seconds < 75 else "1 min 30 s"
    minutes = round(seconds / 60)
    if minutes < 10:
        return f"{minutes} min"
    minutes = 5 * round(seconds / 300)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes if minutes < 120 else 10 * round(minutes / 10), 60)
    return f"{hours} h {minutes:02d} min" if minutes and hours < 10 else f"{round(seconds / 3600)} h"
