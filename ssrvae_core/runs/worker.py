"""The worker: the process that does one job, and keeps its files true while it lives."""

from __future__ import annotations

import math
import os
import platform
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.registry import load_plugins
from ssrvae_core.runs import directory
from ssrvae_core.runs import job as files
from ssrvae_core.runs.data_files import EMBEDDINGS
from ssrvae_core.runs.directory import State
from ssrvae_core.runs.dispatcher import ensure_dispatcher, limit
from ssrvae_core.runs.embeddings.config import StoredEmbeddingConfig
from ssrvae_core.runs.embeddings.store import EmbeddingStore
from ssrvae_core.runs.files import held
from ssrvae_core.runs.interrupting import sigterm_interrupts
from ssrvae_core.runs.job import JOBS, JobTask, Kind, read_record, read_task, write_record
from ssrvae_core.runs.machine import LISTEN, cores, cuda_gpus
from ssrvae_core.runs.store import RunStore
from ssrvae_core.shares import percent

if TYPE_CHECKING:
    from ssrvae_core.records import Epoch
    from ssrvae_core.runs.progress import Progress as RunProgress

BEAT = 1.0
"""Seconds between two heartbeats."""

INTERRUPTS = 1.0
"""Seconds from a wish to cancel after which a training is interrupted that has not stopped between two steps."""

LEAVES = 1.7
"""Seconds from a wish to cancel after which the process ends, whatever it computes; its files are whole at any time."""

_Outcome = tuple[State, str | None]


def work(store: RunStore, job_id: str, lock: int) -> None:
    """Do a queued job to its end, or to where it is told to stop.

    Parameters
    ----------
    store : RunStore
        Whose job.
    job_id : str
        The job.
    lock : int
        The inherited file descriptor that holds the job's lock until this process ends.
    """
    os.set_inheritable(lock, False)
    path = store.root / JOBS / job_id
    record = read_record(path)
    if record is None or record.state != "queued":
        return  # cancelled or removed in the meantime
    process = psutil.Process()
    began = {"started": time.time(), "host": platform.node(), "pid": process.pid, "pid_started": process.create_time()}
    record = record.model_copy(update={"state": "running", **began})
    (path / files.HEARTBEAT).touch()
    write_record(path, record)

    def end(state: State, error: str | None = None) -> None:
        (path / files.CANCEL).unlink(missing_ok=True)
        _say(state)
        write_record(path, record.model_copy(update={"state": state, "error": error, "ended": time.time()}))

    pulse = _Pulse(store, job_id, record.kind, lambda: end("cancelled"))
    try:
        load_plugins()
        task = read_task(path)
        with sigterm_interrupts(), pulse:
            outcome = _do(store, pulse, task)
        end(*outcome)
    except KeyboardInterrupt:
        cancelled = pulse.cancelled()
        end(*("cancelled", None) if cancelled else ("interrupted", "It was stopped by a signal; resume it to go on."))
    except Exception as error:
        end("failed", str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
        raise
    finally:
        ensure_dispatcher(store)  # the queue goes on, even if its dispatcher was lost and nobody looks


def _do(store: RunStore, pulse: _Pulse, task: JobTask) -> _Outcome:
    """Do what the job is for, and return the state and the error it came to."""
    if task.config is not None:
        return _train(store, pulse, task.config, task)
    if task.embedding is not None:
        return _embed(store, pulse, task.embedding, task)
    return _sweep(store, pulse, task)


def _train(store: RunStore, pulse: _Pulse, config: RunConfig, task: JobTask) -> _Outcome:
    """Train the run, and return the state and the error it came to."""
    _wait_for_others(store.path(config.run_id), "run", pulse)
    if pulse.cancelled():
        return "cancelled", None
    from ssrvae_core.runs.execute import train_run

    def tell(epoch: Epoch) -> None:
        bound = epoch.elbo_unlabelled or epoch.elbo_labelled  # the first is 0 where every image has a label
        right = epoch.validation_accuracy
        accuracy = "" if math.isnan(right) else f", accuracy {percent(right, 1)}"
        _say(f"epoch {epoch.epoch}/{config.training.epochs}: loss {-bound:.1f}{accuracy}, {epoch.seconds:.1f} s")

    starts_done = 0

    def tell_start(progress: RunProgress) -> None:
        nonlocal starts_done
        if progress.start and progress.saved.start > starts_done:
            starts_done = progress.saved.start
            _say(f"start {starts_done}/{progress.starts} done")

    _say(f"training run {config.run_id} in process {os.getpid()}")
    run = train_run(
        config, store, device=task.device, time_limit=task.time_limit, on_epoch=tell, on_progress=tell_start
    )
    return run.status.state, run.status.error


def _embed(store: RunStore, pulse: _Pulse, config: StoredEmbeddingConfig, task: JobTask) -> _Outcome:
    """Make the embedding, and return the state and the error it came to."""
    _wait_for_others(EmbeddingStore(store).path(config.embedding_id), "embedding", pulse)
    if pulse.cancelled():
        return "cancelled", None
    from ssrvae_core.runs.embeddings.execute import train_embedding

    _say(f"making embedding {config.embedding_id} in process {os.getpid()}")
    one = train_embedding(config, store, device=task.device)
    return one.status.state, one.status.error


def _sweep(store: RunStore, pulse: _Pulse, task: JobTask) -> _Outcome:
    """Work through the sweep, and return the state and the error it came to."""
    from ssrvae_core.runs.sweep import Progress, SweepSpec, run_sweep

    def tell(progress: Progress) -> None:
        if progress.changed is not None:
            row = progress.rows[list(progress.tasks).index(progress.changed)]
            _say(f"{progress.changed.title}: {row['error'] or row['state']}")

    sweep = run_sweep(
        SweepSpec.model_validate(task.spec),
        store,
        workers=None if cuda_gpus() else max(1, cores() // limit(store)),
        device=task.device,
        on_progress=tell,
        should_stop=pulse.heeded,
    )
    if sweep.failed:
        first = sweep.failed[0]["error"]
        return "failed", f"{len(sweep.failed)} of {len(sweep.rows)} runs failed; the first: {first}"
    return sweep.summary["state"], None


def _wait_for_others(path: Path, what: str, pulse: _Pulse) -> None:
    """Wait while another process, such as a terminal's, trains in a directory; a wish to cancel ends it."""
    lock = path / directory.LOCK
    if held(lock):
        _say(f"another process is training {what} {path.name}; waiting for it")
    while held(lock) and not pulse.cancelled():
        time.sleep(LISTEN)


class _Pulse:
    """A thread that shows that the worker lives, and sees to it that a wish to cancel is granted.

    A training stops between two steps. Where it does not, as it loads its images or imports its packages, it is
    interrupted; and a computation that does not listen to that either ends with its process.

    Parameters
    ----------
    store : RunStore
        Whose job.
    job_id, kind : str
        The job, and whether it trains a run or an embedding, or is a sweep.
    cancel : callable
        Writes down that the job was cancelled, before the process ends.
    """

    def __init__(self, store: RunStore, job_id: str, kind: Kind, cancel: Callable[[], None]) -> None:
        self._trains_one = kind in ("train", "embed")
        self._run = (store.root / EMBEDDINGS if kind == "embed" else store.root) / job_id
        self._path, self._cancel = store.root / JOBS / job_id, cancel
        self._over, self._heeded, self._listens = threading.Event(), False, False
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def cancelled(self) -> bool:
        """Whether somebody wants the job to be cancelled."""
        return (self._path / files.CANCEL).exists()

    def heeded(self) -> bool:
        """Whether somebody wants the job to be cancelled; whoever asks sees to it."""
        self._heeded |= self.cancelled()
        return self._heeded

    def __enter__(self) -> None:
        self._listens = threading.current_thread() is threading.main_thread()  # to signals, which reach no other
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        beaten, asked = -math.inf, math.inf
        interrupts, interrupted = INTERRUPTS, not self._listens
        while not self._over.wait(min(LISTEN, BEAT)):
            now = time.monotonic()
            if now - beaten >= BEAT:
                os.utime(self._path / files.HEARTBEAT)
                beaten = now
            if self._heeded or not self.cancelled():
                continue
            if asked == math.inf:
                asked = now
                if _trains(self._run):
                    (self._run / directory.CANCEL).touch()
                elif self._trains_one:
                    interrupts = 0.0  # it loads or imports, and will not look before it trains
            if not interrupted and now - asked >= interrupts:
                os.kill(os.getpid(), signal.SIGTERM)
                interrupted = True
            elif now - asked >= LEAVES:
                self._leave()

    def _leave(self) -> None:
        """End the process; nothing but a run's state is still to be written."""
        if _trains(self._run):
            status = directory.read_status(self._run)
            directory.write_status(self._run, status.model_copy(update={"state": "cancelled"}))
        (self._run / directory.CANCEL).unlink(missing_ok=True)
        self._cancel()
        os._exit(130)


def _trains(path: Path) -> bool:
    """Whether this very process trains the run: a flag set before it does would be cleared."""
    status = directory.read_status(path)
    return status.state == "running" and status.pid == os.getpid()


def _say(sentence: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {sentence}", flush=True)
