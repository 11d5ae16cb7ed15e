"""One process's work on one run: the training between two stops, and the files that tell of it."""

from __future__ import annotations

import copy
import math
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.records import Epoch, Snapshot, Step
from ssrvae_core.runs import directory
from ssrvae_core.runs.checkpoints import load_checkpoint, remove_checkpoint, write_checkpoint, write_starts
from ssrvae_core.runs.directory import State, Status
from ssrvae_core.runs.environment import environment
from ssrvae_core.runs.files import atomic_write, drop_torn_line, replacing, write_json
from ssrvae_core.runs.interrupting import sigterm_interrupts
from ssrvae_core.runs.progress import PROGRESS, Pace, Place, Progress, write_progress
from ssrvae_core.runs.stopping import LOOK, TELL, Stopped, StopRequest, log

if TYPE_CHECKING:
    from ssrvae_core.data import Split
    from ssrvae_core.training import Trainer


@dataclass(frozen=True)
class Caller:
    """What the caller of :func:`ssrvae_core.runs.execute.train_run` wants to hear, and when the training is to stop."""

    deadline: float | None
    on_epoch: Callable[[Epoch], None] | None
    on_progress: Callable[[Progress], None] | None
    should_stop: Callable[[], bool] | None


class Session:
    """One process's work on one run, whose lock it holds."""

    def __init__(self, path: Path, config: RunConfig, data: Split, trainer: Trainer, caller: Caller) -> None:
        self.path, self.config, self.data, self.trainer, self.caller = path, config, data, trainer, caller
        self.snapshots: list[tuple[int, Snapshot]] = []
        self.epoch = 0  # the last one that is recorded
        self.unsaved: tuple[dict[str, Any], float] | None = None  # the state after it, where no checkpoint holds that
        self.saved, self.pace, self.stop = Place(), Pace(), StopRequest(path, caller.should_stop)
        self.earlier, self.began = 0.0, time.monotonic()
        self.looked = self.told = -math.inf
        self.first: Step | None = None

    def run(self) -> None:
        """Train to the end or to the stop, and leave the directory true whatever happens."""
        self._resume()
        stopped: State | None = None
        try:
            with sigterm_interrupts():
                self._start()
                try:
                    self._train()
                    self._finish()
                except Stopped as stop:
                    stopped = stop.state
                    self._save()
                    self._write_status(stopped)
        except KeyboardInterrupt:
            stopped = "cancelled" if self.stop.flagged() else "interrupted"
            if self.unsaved is not None:  # what the trainer holds may be half a step
                self._checkpoint(*self.unsaved)
                self.saved = Place(start=self.trainer.position.starts, epoch=self.epoch)
            self._show(self.trainer.position)
            self._write_status(stopped)
            log(self.path, f"{stopped} by a signal; {self._goes_on()}")
            raise
        except Exception as error:
            self._fail(error)
            raise
        if stopped is None:
            remove_checkpoint(self.path)
            for spent in (PROGRESS, directory.CANCEL):
                (self.path / spent).unlink(missing_ok=True)
        log(self.path, f"{stopped} after epoch {self.epoch}; {self._goes_on()}" if stopped else "finished")

    def _resume(self) -> None:
        """Take up the checkpoint, if there is one, and drop what was recorded after it."""
        for leftover in self.path.glob(".*.tmp"):
            leftover.unlink()
        self.earlier = load_checkpoint(self.path, self.trainer)
        if self.trainer.starts_state() is None:
            self.epoch = self.trainer.epoch
        self._mark()
        epoch = self.epoch
        if epoch:
            self.snapshots = [(at, frame) for at, frame in directory.read_snapshots(self.path) if at <= epoch]
        directory.write_snapshots(self.path, self.snapshots)
        directory.truncate_metrics(self.path, epoch)
        drop_torn_line(self.path / directory.LOG)

    def _start(self) -> None:
        (self.path / directory.CANCEL).unlink(missing_ok=True)
        write_json(self.path / directory.ENVIRONMENT, environment(str(self.trainer.device)))
        atomic_write(self.path / directory.CONFIG, self.config.model_dump_json(indent=2) + "\n")
        write_progress(self.path, self._progress(self.trainer.position))  # before the state, so that both are true
        self._write_status("running")
        self._show(self.trainer.position)
        where = self._progress(self.trainer.position).goes_on or "epoch 1"
        log(self.path, f"training on {self.trainer.device} from {where}")

    def _train(self) -> None:
        """Train to the end; a stop leaves by :class:`Stopped`."""
        every = self.config.training.checkpoint_every
        self.trainer.on_step = self._between_steps
        for start, done in self.trainer.choose_start():
            self._save()
            log(self.path, f"start {start} of {self.config.training.starts}: epoch {done} done")
        for epoch in self.trainer.fit():
            directory.append_metrics(self.path, epoch)
            if epoch.snapshot is not None:
                self.snapshots.append((epoch.epoch, epoch.snapshot))
            self.epoch = epoch.epoch
            if self.trainer.resumable:
                chosen_now = (self.path / directory.STARTS).exists()
                if self.trainer.finished or chosen_now or epoch.epoch % every == 0:
                    self._save()
                else:
                    self.unsaved = copy.deepcopy(self.trainer.state_dict()), self._seconds()
            self._write_status("running")
            if self.caller.on_epoch is not None:
                self.caller.on_epoch(epoch)

    def _between_steps(self, step: Step) -> None:
        """Stop if somebody or the time limit says so, and say now and then how far it is."""
        now = time.monotonic()
        self.pace.passes(step, now)
        if self.first is None:
            self.first = step
        if step.step == 0 or now - self.looked >= LOOK:
            self.looked = now
            self.stop.check()
            # A session makes a step at least, so that a short limit gets on, too; what comes before it has its place.
            began = step != self.first
            if began and self.caller.deadline is not None and now >= self.caller.deadline:
                raise Stopped("interrupted")
        if now - self.told >= TELL:
            self._show(step)

    def _show(self, step: Step) -> None:
        """Write down how far it is, and tell whoever listens."""
        self.told = time.monotonic()
        progress = self._progress(step)
        with suppress(OSError):  # a disk that is full for a moment costs what is shown, and not the training
            write_progress(self.path, progress)
        if self.caller.on_progress is not None:
            self.caller.on_progress(progress)

    def _progress(self, step: Step) -> Progress:
        measured = {"step_seconds": self.pace.step_seconds, "end_seconds": self.pace.end_seconds}
        return Progress(**vars(step), **measured, saved=self.saved)

    def _goes_on(self) -> str:
        where = self._progress(self.trainer.position).goes_on
        return f"goes on from {where}" if where else "begins again"

    def _save(self) -> None:
        """Keep where the trainer is, its state being whole."""
        starts = self.trainer.starts_state()
        if starts is None:
            self._checkpoint(self.trainer.state_dict(), self._seconds())
        else:
            write_starts(self.path, starts, self._seconds())
        self._mark()
        self._show(self.trainer.position)

    def _mark(self) -> None:
        """Remember where the training goes on from what is on disk, where the trainer stands now."""
        at = self.trainer.position
        self.saved = Place(start=at.start - 1 if at.start else at.starts, epoch=at.epoch, step=at.step)

    def _checkpoint(self, state: dict[str, Any], seconds: float) -> None:
        """Write snapshots and checkpoint, in this order: what is newer than the checkpoint is dropped on resuming."""
        directory.write_snapshots(self.path, self.snapshots)
        write_checkpoint(self.path, state, seconds)
        self.unsaved = None

    def _finish(self) -> None:
        from ssrvae_core.evaluation.evaluate import evaluate, predict
        from ssrvae_core.models.checkpoint import save_weights
        from ssrvae_core.runs import everything, particle_file
        from ssrvae_core.runs.manifold import write_manifold

        model, validation = self.trainer.model, self.data.validation
        with replacing(self.path / directory.WEIGHTS) as temporary:
            save_weights(model, temporary, config=self.config, class_names=validation.class_names)
        predictions = predict(model, validation, between=self.stop.check)
        values = evaluate(model, validation, predictions=predictions, between=self.stop.check)
        directory.write_predictions(self.path, predictions)
        write_manifold(self.path, model, predictions)
        # The last of what takes long: a process that ends before goes on from its last checkpoint, and does it all.
        particles = everything.classify_split(model, self.data, predictions, self.stop.check)
        particle_file.write(self.path, particles)
        judgement = None if model.opinion is None else model.opinion.judgement()
        self._write_status("finished", validation=values, judgement=judgement)

    def _fail(self, error: Exception) -> None:
        sentence = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        # The failure itself may be a full disk; then it cannot be recorded, and the run reads as interrupted.
        with suppress(OSError):
            if isinstance(error, UserError):  # the same checkpoint would only lead to it again
                remove_checkpoint(self.path)
                self.saved = Place()
            self._show(self.trainer.position)
            self._write_status("failed", error=sentence)
            log(self.path, "failed\n" + "".join(traceback.format_exception(error)))

    def _write_status(self, state: State, **more: Any) -> None:
        status = Status(
            state=state,
            epoch=self.epoch,
            epochs=self.config.training.epochs,
            seconds=self._seconds(),
            device=str(self.trainer.device),
            class_names=self.data.validation.class_names,
            n_labelled=len(self.data.labelled),
            n_unlabelled=len(self.data.unlabelled),
            **more,
        )
        directory.write_status(self.path, status)

    def _seconds(self) -> float:
        return self.earlier + time.monotonic() - self.began
