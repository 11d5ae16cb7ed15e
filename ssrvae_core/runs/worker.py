"""The worker: the process that does one job, and keeps its files true while it lives."""

from __future__ import annotations

import math
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.registry import load_plugins
from ssrvae_core.runs import directory
from ssrvae_core.runs import job as files
from ssrvae_core.runs.directory import State
from ssrvae_core.runs.dispatcher import ensure_dispatcher, limit
from ssrvae_core.runs.files import held
from ssrvae_core.runs.job import JOBS, JobTask, read_record, read_task, write_record
from ssrvae_core.runs.machine import cores, cuda_gpus
from ssrvae_core.runs.store import RunStore

if TYPE_CHECKING:
    from ssrvae_core.records import Epoch

BEAT = 1.0
"""Seconds between two heartbeats, and between two looks for a wish to cancel."""


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

    try:
        load_plugins()
        task = read_task(path)
        with _pulse(store, job_id):
            end(*_sweep(store, path, task) if task.config is None else _train(store, path, task.config, task))
    except KeyboardInterrupt:
        end("interrupted", "It was stopped by a signal; resume the job to go on.")
    except Exception as error:
        end("failed", str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
        raise
    finally:
        ensure_dispatcher(store)  # the queue goes on, even if its dispatcher was lost and nobody looks


def _train(store: RunStore, path: Path, config: RunConfig, task: JobTask) -> tuple[State, str | None]:
    """Train the run, and return the state and the error it came to."""
    _wait_for_others(store, config, path)
    if _cancelled(path):
        return "cancelled", None
    from ssrvae_core.runs.execute import train_run

    def tell(epoch: Epoch) -> None:
        bound = epoch.elbo_unlabelled or epoch.elbo_labelled  # the first is 0 where every image has a label
        accuracy = "" if math.isnan(epoch.validation_accuracy) else f", accuracy {epoch.validation_accuracy:.1%}"
        _say(f"epoch {epoch.epoch}/{config.training.epochs}: loss {-bound:.1f}{accuracy}, {epoch.seconds:.1f} s")

    _say(f"training run {config.run_id} in process {os.getpid()}")
    status = train_run(config, store, device=task.device, time_limit=task.time_limit, on_epoch=tell).status
    return status.state, status.error


def _sweep(store: RunStore, path: Path, task: JobTask) -> tuple[State, str | None]:
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
        should_stop=lambda: _cancelled(path),
    )
    if sweep.failed:
        first = sweep.failed[0]["error"]
        return "failed", f"{len(sweep.failed)} of {len(sweep.rows)} runs failed; the first: {first}"
    return sweep.summary["state"], None


def _wait_for_others(store: RunStore, config: RunConfig, path: Path) -> None:
    """Wait while another process, such as a terminal's, trains the same run; a wish to cancel ends it."""
    lock = store.path(config.run_id) / directory.LOCK
    if held(lock):
        _say(f"another process is training run {config.run_id}; waiting for it")
    while held(lock) and not _cancelled(path):
        time.sleep(BEAT)


def _cancelled(path: Path) -> bool:
    return (path / files.CANCEL).exists()


@contextmanager
def _pulse(store: RunStore, job_id: str) -> Iterator[None]:
    """Show from a thread that the worker lives, and hand a wish to cancel on to the run it trains."""
    path, stop = store.root / JOBS / job_id, threading.Event()

    def beat() -> None:
        handed_on = False
        while not stop.wait(BEAT):
            os.utime(path / files.HEARTBEAT)
            if not handed_on and _cancelled(path) and _trains(store.root / job_id):
                (store.root / job_id / directory.CANCEL).touch()
                handed_on = True

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _trains(path: Path) -> bool:
    """Whether this very process trains the run: a flag set before it does would be cleared."""
    status = directory.read_status(path)
    return status.state == "running" and status.pid == os.getpid()


def _say(sentence: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {sentence}", flush=True)
