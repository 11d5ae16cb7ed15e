"""The one road from a configuration to a finished run in the store."""

from __future__ import annotations

import io
import logging
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssrvae_core.config import DatasetConfig, RunConfig, UserError
from ssrvae_core.records import Epoch, Snapshot
from ssrvae_core.runs import directory
from ssrvae_core.runs.data_files import readable
from ssrvae_core.runs.directory import State, Status
from ssrvae_core.runs.environment import environment
from ssrvae_core.runs.files import (
    append_line,
    atomic_write,
    drop_torn_line,
    locked,
    remove_directory,
    replacing,
    write_json,
    writing,
)
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.store import Run, RunStore

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet, Split
    from ssrvae_core.training import Trainer

_logger = logging.getLogger(__name__)

Loader = Callable[[DatasetConfig], "ImageSet"]


def train_run(
    config: RunConfig,
    store: RunStore,
    *,
    device: str = "auto",
    time_limit: float | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    wait: bool = True,
    loader: Loader | None = None,
) -> Run:
    """Train a configuration, or go on with it, or return it untouched if it is finished.

    A run that was cancelled, interrupted or killed goes on from its last checkpoint, to the same result.

    Parameters
    ----------
    config : RunConfig
        What to train.
    store : RunStore
        Where the run is kept.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    time_limit : float, optional
        Seconds from now; the run stops, ready to go on, after the epoch that passes it, and not among the short starts.
    on_epoch : callable, optional
        Called with the record of every epoch once it is on disk.
    wait : bool
        Whether to wait where another process trains the same configuration.
    loader : callable, optional
        Gives the images of a data set's configuration; by default :func:`ssrvae_core.data.load`. They are not changed.

    Returns
    -------
    Run
        Finished, or cancelled or interrupted if it was told to stop.

    Raises
    ------
    UserError
        If the data or the device are not fit for it (the store is then untouched), the training diverges, the store
        cannot be written, this is a viewer, or another process trains it and ``wait`` is false.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    path = store.path(config.run_id)
    if run := _finished(store, config):
        return run
    require_editor()
    if path.exists():
        with writing(f"The store {store.root}"), _alone(path, wait):
            # Whoever else trains this run has come to an end: do not even load the data before.
            if [file.name for file in path.iterdir()] == [directory.LOCK]:  # and it was deleted: only our lock is here
                remove_directory(path)
        if run := _finished(store, config):
            return run
    data, trainer = _prepare(config, device, loader, store)
    with writing(f"The store {store.root}"), _alone(path, wait):
        if run := _finished(store, config):
            return run
        _Session(path, config, data, trainer).run(deadline, on_epoch)
    return store.get(config.run_id)


class _Session:
    """One process's work on one run, whose lock it holds."""

    def __init__(self, path: Path, config: RunConfig, data: Split, trainer: Trainer) -> None:
        self.path, self.config, self.data, self.trainer = path, config, data, trainer
        self.snapshots: list[tuple[int, Snapshot]] = []
        self.earlier, self.began = 0.0, time.monotonic()

    def run(self, deadline: float | None, on_epoch: Callable[[Epoch], None] | None) -> None:
        """Train to the end or to the stop, and leave the directory true whatever happens."""
        self._resume()
        try:
            with sigterm_interrupts():
                self._start()
                stopped = self._train(deadline, on_epoch)
                if stopped is None:
                    self._finish()
                else:
                    self._write_status(stopped)
        except KeyboardInterrupt:
            self._write_status("interrupted")
            self._log("interrupted by a signal")
            raise
        except Exception as error:
            self._fail(error)
            raise
        if stopped is None:
            for spent in (directory.CHECKPOINT, directory.CANCEL):
                (self.path / spent).unlink(missing_ok=True)
        self._log(f"{stopped or 'finished'} after epoch {self.trainer.epoch}")

    def _resume(self) -> None:
        """Take up the checkpoint, if there is one, and drop what was recorded after it."""
        for leftover in self.path.glob(".*.tmp"):
            leftover.unlink()
        if (self.path / directory.CHECKPOINT).exists():
            with _readable_checkpoint(self.path):
                checkpoint = _read_checkpoint(self.path)
                self.earlier = checkpoint["seconds"]
                self.trainer.load_state_dict(checkpoint["trainer"])
        epoch = self.trainer.epoch
        if epoch:
            self.snapshots = [(at, frame) for at, frame in directory.read_snapshots(self.path) if at <= epoch]
        directory.write_snapshots(self.path, self.snapshots)
        directory.truncate_metrics(self.path, epoch)
        drop_torn_line(self.path / directory.LOG)

    def _start(self) -> None:
        (self.path / directory.CANCEL).unlink(missing_ok=True)
        write_json(self.path / directory.ENVIRONMENT, environment(str(self.trainer.device)))
        atomic_write(self.path / directory.CONFIG, self.config.model_dump_json(indent=2) + "\n")
        self._write_status("running")
        self._log(f"training on {self.trainer.device} from epoch {self.trainer.epoch + 1}")

    def _train(self, deadline: float | None, on_epoch: Callable[[Epoch], None] | None) -> State | None:
        """Train; return None at the end, or the state to stop in.

        A stop leaves a checkpoint, except among the short starts, where only a cancellation stops: they are made again.
        """
        every = self.config.training.checkpoint_every
        for start, done in self.trainer.choose_start():
            self._log(f"start {start} of {self.config.training.starts}: epoch {done} done")
            self._write_status("running")
            if self._cancelled():
                return "cancelled"
        for epoch in self.trainer.fit():
            directory.append_metrics(self.path, epoch)
            if epoch.snapshot is not None:
                self.snapshots.append((epoch.epoch, epoch.snapshot))
            stop = None
            if self.trainer.resumable:
                stop = None if self.trainer.finished else self._stop(deadline)
                if stop or self.trainer.finished or epoch.epoch % every == 0:
                    self._checkpoint()
            self._write_status("running")
            if on_epoch is not None:
                on_epoch(epoch)
            if stop:
                return stop
        return None

    def _cancelled(self) -> bool:
        """Whether the flag to cancel was there; it is taken away."""
        there = (self.path / directory.CANCEL).exists()
        (self.path / directory.CANCEL).unlink(missing_ok=True)
        return there

    def _stop(self, deadline: float | None) -> State | None:
        if self._cancelled():
            return "cancelled"
        return "interrupted" if deadline is not None and time.monotonic() >= deadline else None

    def _checkpoint(self) -> None:
        """Write snapshots and checkpoint, in this order: what is newer than the checkpoint is dropped on resuming."""
        import torch

        directory.write_snapshots(self.path, self.snapshots)
        buffer = io.BytesIO()
        torch.save({"trainer": self.trainer.state_dict(), "seconds": self._seconds()}, buffer)
        atomic_write(self.path / directory.CHECKPOINT, buffer.getvalue())

    def _finish(self) -> None:
        from ssrvae_core.evaluation.evaluate import evaluate, predict
        from ssrvae_core.models.checkpoint import save_weights
        from ssrvae_core.runs.manifold import write_manifold

        model, validation = self.trainer.model, self.data.validation
        with replacing(self.path / directory.WEIGHTS) as temporary:
            save_weights(model, temporary, config=self.config, class_names=validation.class_names)
        predictions = predict(model, validation)
        directory.write_predictions(self.path, predictions)
        write_manifold(self.path, model, predictions)
        self._write_status("finished", validation=evaluate(model, validation, predictions=predictions))

    def _fail(self, error: Exception) -> None:
        sentence = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        # The failure itself may be a full disk; then it cannot be recorded, and the run reads as interrupted.
        with suppress(OSError):
            if isinstance(error, UserError):  # the same checkpoint would only lead to it again
                (self.path / directory.CHECKPOINT).unlink(missing_ok=True)
            self._write_status("failed", error=sentence)
            self._log("failed\n" + "".join(traceback.format_exception(error)))

    def _write_status(self, state: State, **more: Any) -> None:
        status = Status(
            state=state,
            epoch=self.trainer.epoch,
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

    def _log(self, sentence: str) -> None:
        append_line(self.path / directory.LOG, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {sentence}")


def _prepare(
    config: RunConfig, device: str, loader: Loader | None, store: RunStore | None = None
) -> tuple[Split, Trainer]:
    from ssrvae_core.data import load, naming, split
    from ssrvae_core.training import Trainer

    dataset = config.dataset if store is None else readable(config.dataset, store.root)
    with naming(dataset):
        data = split((loader or load)(dataset), config.split)
    return data, Trainer(config, data, device=device)


def check(config: RunConfig, device: str = "auto") -> None:
    """Refuse what :func:`train_run` refuses before its first epoch, and train nothing.

    Raises
    ------
    UserError
        If the data or the device are not fit for it.
    """
    _prepare(config, device, None)


def _finished(store: RunStore, config: RunConfig) -> Run | None:
    run = store.find(config)
    return run if run is not None and run.status.state == "finished" else None


def _read_checkpoint(path: Path) -> dict[str, Any]:
    import torch

    checkpoint: dict[str, Any] = torch.load(path / directory.CHECKPOINT, weights_only=True, map_location="cpu")
    return checkpoint


@contextmanager
def _readable_checkpoint(path: Path) -> Iterator[None]:
    """Turn a damaged checkpoint, or one of another version, into a sentence."""
    try:
        yield
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{path / directory.CHECKPOINT} cannot be read; "
            f"start anew with 'python -m ssrvae_core delete {path.name}' and train again."
        ) from error


@contextmanager
def _alone(path: Path, wait: bool) -> Iterator[None]:
    """Hold the run's lock; where another process has it, say so and wait, or refuse."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path / directory.LOCK, wait=False))
        except BlockingIOError as error:
            if not wait:
                raise UserError(
                    f"Another process is training run {path.name}; wait for it, or stop it first."
                ) from error
            _logger.warning("Another process is training run %s; waiting for it.", path.name)
            stack.enter_context(locked(path / directory.LOCK, wait=True))
        yield


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM stop the work the way Ctrl-C does; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
