"""Sweeps: every combination of data set, model, number of labels and seed, each trained once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol

from ssrvae_core.config import UserError
from ssrvae_core.runs.files import locked, writing
from ssrvae_core.runs.interrupting import sigterm_interrupts
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.store import RunStore
from ssrvae_core.runs.sweep_file import read_spec
from ssrvae_core.runs.sweep_progress import Progress
from ssrvae_core.runs.sweep_spec import SweepSpec
from ssrvae_core.runs.sweep_table import (
    LOCK,
    LOG,
    Sweep,
    earlier_seconds,
    read_sweep,
    summarise,
    sweep_path,
    sweeps,
    write_progress,
    write_spec,
    write_sweep,
)
from ssrvae_core.runs.sweep_task import Task
from ssrvae_core.runs.sweep_work import Event, check_data

__all__ = ["Progress", "Sweep", "SweepSpec", "Task", "read_spec", "read_sweep", "run_sweep", "sweeps"]

STATUS_EVERY = 1.0
"""Seconds between two writings of ``status.json``."""


class Events(Protocol):
    """What workers say, an event at a time, None where nothing happens for a while; closing it stops them."""

    def __iter__(self) -> Iterator[Event | None]: ...

    def close(self) -> None: ...


def run_sweep(
    spec: SweepSpec,
    store: RunStore,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Sweep:
    """Train what a sweep still lacks, and write its table and summary.

    Finished runs are not touched, stopped ones go on, failed ones are tried again. One failure does not stop the
    others.

    Parameters
    ----------
    spec : SweepSpec
        What to train.
    store : RunStore
        Where runs, rivals and the sweep are kept.
    workers : int, optional
        Processes on this machine; see :func:`ssrvae_core.runs.pool.run_on_pool`.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers then do the work.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    on_progress : callable, optional
        Called several times a second with the :class:`ssrvae_core.runs.sweep_progress.Progress`.
    should_stop : callable, optional
        Asked as often; once it says True the workers stop, and the sweep returns as ``cancelled``, ready to go on.

    Returns
    -------
    Sweep
        ``summary["state"]`` is ``finished``, ``failed`` where a task failed, or ``cancelled``.

    Raises
    ------
    UserError
        If the specification, an image file, the device or the scheduler's address is refused, or there is something to
        train and this is a viewer (the store is then untouched); if another process is at work on the sweep; or if the
        store or the cluster gives out.
    """
    progress = Progress(spec.tasks(), store)
    path = sweep_path(store, progress.id)
    if progress.missing:
        require_editor()
        check_data([progress.tasks[i] for i in progress.missing])
    # Seed by seed, so that the first curves are complete before the second ones begin.
    order = sorted(progress.missing, key=lambda i: progress.tasks[i].config.seed)
    events = _workers([progress.tasks[i] for i in order], store, path, workers, scheduler, device) if order else None
    with writing(f"The store {store.root}"), _alone(path):
        write_spec(path, spec)
        state = "finished"
        if on_progress is not None:
            on_progress(progress)
        if events is not None:
            try:
                state = _follow(events, order, progress, path, on_progress, should_stop)
            except (KeyboardInterrupt, UserError):
                _write(progress, path, "interrupted")
                raise
        return _write(progress, path, state)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the sweep's lock, which tells others that it is at work; refuse where another process has it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path / LOCK, wait=False))
        except BlockingIOError as error:
            raise UserError(
                f"Another process is at work on sweep {path.name}; wait for it, or stop it first."
            ) from error
        yield


def _workers(
    tasks: Sequence[Task], store: RunStore, path: Path, workers: int | None, scheduler: str | None, device: str
) -> Events:
    """Choose who does the work; a sweep with nothing to do needs neither torch nor Dask."""
    if scheduler is not None:
        from ssrvae_core.runs.cluster import run_on_cluster

        return run_on_cluster(tasks, store, scheduler=scheduler, device=device)
    from ssrvae_core.runs.pool import run_on_pool

    return run_on_pool(tasks, store, workers=workers, device=device, log=path / LOG)


def _follow(
    events: Events,
    order: Sequence[int],
    progress: Progress,
    path: Path,
    on_progress: Callable[[Progress], None] | None,
    should_stop: Callable[[], bool] | None,
) -> str:
    """Follow the work to its end or to the stop, and return the sweep's state."""
    written, stopped = -math.inf, False
    with sigterm_interrupts(), closing(events):
        for event in events:
            if event is not None:
                progress.record(order[event.task], event)
            if on_progress is not None:
                on_progress(progress)
                progress.changed = None
            if progress.seconds - written > STATUS_EVERY:
                write_progress(path, progress.as_json("running"))
                written = progress.seconds
            stopped = should_stop is not None and should_stop()
            if stopped:
                break
    if stopped or progress.count("cancelled"):
        return "cancelled"
    return "failed" if progress.count("failed") else "finished"


def _write(progress: Progress, path: Path, state: str) -> Sweep:
    """Write the sweep's files; what was under way has come to what the store says."""
    progress.stopped()
    seconds = earlier_seconds(path) + (progress.seconds if progress.missing else 0.0)
    sweep = Sweep(progress.id, path, progress.rows, summarise(progress.id, state, seconds, progress.rows))
    write_sweep(sweep)
    write_progress(path, progress.as_json(state))
    return sweep
