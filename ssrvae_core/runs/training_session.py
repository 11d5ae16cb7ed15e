"""One process's work on one run: the training between two stops, and the files that tell of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssrvae_core.config import RunConfig
from ssrvae_core.records import Epoch, Snapshot, Step
from ssrvae_core.runs import directory
from ssrvae_core.runs.checkpoints import load_checkpoint, write_checkpoint, write_starts
from ssrvae_core.runs.files import replacing
from ssrvae_core.runs.progress import Pace, Place, Progress
from ssrvae_core.runs.session import Session
from ssrvae_core.runs.stopping import Stopped, log

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


class TrainingSession(Session[Progress]):
    """One process's work on one run, whose lock it holds."""

    config: RunConfig

    def __init__(self, path: Path, config: RunConfig, data: Split, trainer: Trainer, caller: Caller) -> None:
        super().__init__(path, config, str(trainer.device), caller.on_progress, caller.should_stop)
        self.data, self.trainer, self.caller = data, trainer, caller
        self.snapshots: list[tuple[int, Snapshot]] = []
        self.epoch = 0  # the last one that is recorded
        self.unsaved: tuple[dict[str, Any], float] | None = None  # the state after it, where no checkpoint holds that
        self.saved, self.pace = Place(), Pace()
        self.first: Step | None = None

    def _progress(self) -> Progress:
        return self._progress_at(self.trainer.position)

    def _progress_at(self, step: Step) -> Progress:
        measured = {"step_seconds": self.pace.step_seconds, "end_seconds": self.pace.end_seconds}
        return Progress(**vars(step), **measured, saved=self.saved)

    def _resume(self) -> None:
        self.earlier = load_checkpoint(self.path, self.trainer)
        if self.trainer.starts_state() is None:
            self.epoch = self.trainer.epoch
        self._mark()
        epoch = self.epoch
        if epoch:
            self.snapshots = [(at, frame) for at, frame in directory.read_snapshots(self.path) if at <= epoch]
        directory.write_snapshots(self.path, self.snapshots)
        directory.truncate_metrics(self.path, epoch)

    def _beginning(self) -> str:
        return f"training on {self.device} from {self._progress().goes_on or 'epoch 1'}"

    def _work(self) -> None:
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
        self._finish()

    def _between_steps(self, step: Step) -> None:
        """Stop if somebody or the time limit says so, and say now and then how far it is."""
        now = time.monotonic()
        self.pace.passes(step, now)
        if self.first is None:
            self.first = step
        if self._is_time_to_look(now, at_once=step.step == 0):
            self.stop.check()
            # A session makes a step at least, so that a short limit gets on, too; what comes before it has its place.
            began = step != self.first
            if began and self.caller.deadline is not None and now >= self.caller.deadline:
                raise Stopped("interrupted")
        if self._is_time_to_show(now):
            self._show(self._progress_at(step))

    def _save(self) -> None:
        """Keep where the trainer is, its state being whole."""
        starts = self.trainer.starts_state()
        if starts is None:
            self._checkpoint(self.trainer.state_dict(), self._seconds())
        else:
            write_starts(self.path, starts, self._seconds())
        self._mark()
        self._show(self._progress())

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

    def _keep(self) -> None:
        self._save()

    def _keep_after_signal(self) -> None:
        if self.unsaved is not None:  # what the trainer holds may be half a step
            self._checkpoint(*self.unsaved)
            self.saved = Place(start=self.trainer.position.starts, epoch=self.epoch)
        self._show(self._progress())

    def _begin_again(self) -> None:
        self.saved = Place()

    def _where(self) -> str:
        return f" after epoch {self.epoch}"

    def _described(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "epochs": self.config.training.epochs,
            "class_names": self.data.validation.class_names,
            "n_labelled": len(self.data.labelled),
            "n_unlabelled": len(self.data.unlabelled),
        }
