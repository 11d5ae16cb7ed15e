"""One process's work on one embedding: the stage, the measuring, and the files that tell of it."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ssrvae_core.config import UserError
from ssrvae_core.embedding.features import Features
from ssrvae_core.embedding.proposals import outlier_scores
from ssrvae_core.runs import directory
from ssrvae_core.runs.checkpoints import load_state, remove_checkpoint, write_checkpoint
from ssrvae_core.runs.directory import State, Status
from ssrvae_core.runs.embeddings.config import StoredEmbeddingConfig
from ssrvae_core.runs.embeddings.files import STAGE, read_stage, write_features, write_stage
from ssrvae_core.runs.embeddings.progress import EmbeddingProgress, Pace
from ssrvae_core.runs.environment import environment
from ssrvae_core.runs.files import atomic_write, drop_torn_line, write_json
from ssrvae_core.runs.interrupting import sigterm_interrupts
from ssrvae_core.runs.progress import PROGRESS, write_progress
from ssrvae_core.runs.stopping import LOOK, TELL, Stopped, StopRequest, log

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet

SAVE = 10.0
"""Seconds between two checkpoints of the stage: what a process that is killed loses at most."""


class Session:
    """One process's work on one embedding, whose lock it holds.

    Parameters
    ----------
    path : Path
        The embedding's directory.
    config : StoredEmbeddingConfig
        What it is made of.
    images : ImageSet
        All images of the data set.
    device : str
        Where the stage is trained.
    on_progress, should_stop : callable, optional
        As in :func:`ssrvae_core.runs.embeddings.execute.train_embedding`.
    """

    def __init__(
        self,
        path: Path,
        config: StoredEmbeddingConfig,
        images: ImageSet,
        device: str,
        on_progress: Callable[[EmbeddingProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.path, self.config, self.images, self.on_progress = path, config, images, on_progress
        self.features = Features(config.embedding, config.seed, device)
        self.stage = self.features.stage
        self.progress = EmbeddingProgress(steps=config.embedding.steps if self.stage else 0, images=len(images))
        self.device, self.pace, self.stop = device, Pace(), StopRequest(path, should_stop)
        self.earlier, self.began = 0.0, time.monotonic()
        self.looked = self.told = -math.inf
        self.kept = time.monotonic()

    def run(self) -> None:
        """Work to the end or to the stop, and leave the directory true whatever happens."""
        self._resume()
        stopped: State | None = None
        try:
            with sigterm_interrupts():
                self._start()
                try:
                    self._work()
                except Stopped as stop:
                    stopped = stop.state
                    self._end(stopped)
        except KeyboardInterrupt:  # perhaps in the midst of a step, so that the last checkpoint stands
            stopped = "cancelled" if self.stop.flagged() else "interrupted"
            self._end(stopped)
            log(self.path, f"{stopped} by a signal; {self._goes_on()}")
            raise
        except Exception as error:
            self._fail(error)
            raise
        if stopped is None:
            for spent in (PROGRESS, directory.CANCEL):
                (self.path / spent).unlink(missing_ok=True)
        log(self.path, f"{stopped}; {self._goes_on()}" if stopped else "finished")

    def _resume(self) -> None:
        """Take up the trained stage or the checkpoint, if there is one."""
        for leftover in self.path.glob(".*.tmp"):
            leftover.unlink()
        drop_torn_line(self.path / directory.LOG)
        if self.stage is None:
            return
        if (self.path / STAGE).exists():
            self.stage.restore(read_stage(self.path, self.config, self.images.image_shape))
            self.earlier = directory.read_status(self.path).seconds
            remove_checkpoint(self.path)
            self._move(step=self.progress.steps, saved=self.progress.steps)
            return
        self.stage.prepare(self.images.image_shape)
        self.earlier = load_state(self.path, self.stage)
        self._move(step=self.stage.steps_done, saved=self.stage.steps_done)

    def _start(self) -> None:
        (self.path / directory.CANCEL).unlink(missing_ok=True)
        write_json(self.path / directory.ENVIRONMENT, environment(self.device))
        atomic_write(self.path / directory.CONFIG, self.config.model_dump_json(indent=2) + "\n")
        write_progress(self.path, self.progress)  # before the state, so that both are true
        self._write_status("running")
        self._show()
        where = f"goes on from {self.progress.goes_on}" if self.progress.goes_on else "begins"
        log(self.path, f"embedding {len(self.images)} images on {self.device}; {where}")

    def _work(self) -> None:
        """Work to the end; a stop leaves by :class:`Stopped`."""
        images, masks = self.images.images, self.images.masks
        if self.stage is not None and self.progress.step < self.progress.steps:
            self.stage.fit(images, self._before_step)
            write_stage(self.path, self.config, self.stage.model)
            remove_checkpoint(self.path)
            self._move(step=self.progress.steps, saved=self.progress.steps)
            log(self.path, f"the stage is trained, {self.progress.steps} steps")
        values = self.features.fit_blocks(images, masks, self._before_part)
        self._move(measured=len(images))
        self._show()
        scores = outlier_scores(values)
        self.stop.check()
        write_features(self.path, self.config, self.features, values, scores, self.images)
        self._write_status("finished")

    def _before_step(self, step: int, _: int) -> None:
        self._move(step=step)
        try:
            self._look()
        except Stopped:
            self._save()  # here, where the random state is still that of the stage
            raise
        if time.monotonic() - self.kept >= SAVE:
            self._save()

    def _before_part(self, measured: int, _: int) -> None:
        self._move(measured=measured)
        self._look()

    def _move(self, **places: int) -> None:
        self.progress = self.progress.model_copy(update=places)

    def _look(self) -> None:
        """Stop if somebody says so, and say now and then how far it is."""
        now = time.monotonic()
        self._move_pace(now)
        if now - self.looked >= LOOK:
            self.looked = now
            self.stop.check()
        if now - self.told >= TELL:
            self._show()

    def _move_pace(self, now: float) -> None:
        self.progress = self.progress.model_copy(update={"seconds_left": self.pace.passes(self.progress, now)})

    def _save(self) -> None:
        """Keep where the stage is, between two steps."""
        if self.stage is not None:
            write_checkpoint(self.path, self.stage.state_dict(), self._seconds())
            self._move(saved=self.progress.step)
            self.kept = time.monotonic()
            self._show()

    def _show(self) -> None:
        """Write down how far it is, and tell whoever listens."""
        self.told = time.monotonic()
        with suppress(OSError):  # a disk that is full for a moment costs what is shown, and not the training
            write_progress(self.path, self.progress)
        if self.on_progress is not None:
            self.on_progress(self.progress)

    def _end(self, state: State) -> None:
        """Write down that it stopped."""
        with suppress(OSError):
            write_progress(self.path, self.progress)
        self._write_status(state)

    def _goes_on(self) -> str:
        return f"goes on from {self.progress.goes_on}" if self.progress.goes_on else "begins again"

    def _fail(self, error: Exception) -> None:
        sentence = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        # The failure itself may be a full disk; then it cannot be recorded, and the embedding reads as interrupted.
        with suppress(OSError):
            if isinstance(error, UserError):  # the same checkpoint would only lead to it again
                remove_checkpoint(self.path)
                self._move(saved=self.progress.steps if (self.path / STAGE).exists() else 0)
            write_progress(self.path, self.progress)
            self._write_status("failed", sentence)
            log(self.path, "failed\n" + "".join(traceback.format_exception(error)))

    def _write_status(self, state: State, error: str | None = None) -> None:
        labelled = int((self.images.labels >= 0).sum())
        status = Status(
            state=state,
            seconds=self._seconds(),
            device=self.device,
            error=error,
            class_names=self.images.class_names,
            n_labelled=labelled,
            n_unlabelled=len(self.images) - labelled,
        )
        directory.write_status(self.path, status)

    def _seconds(self) -> float:
        return self.earlier + time.monotonic() - self.began
