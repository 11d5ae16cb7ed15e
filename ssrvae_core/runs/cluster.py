"""Tasks of a sweep on a Dask cluster whose workers share no disk with this machine.

Configurations travel out, and the images of a file with them; the files of a finished run travel back and are written
here. Dask's own messages are pickles: connect to schedulers you trust only.
"""

from __future__ import annotations

import logging
import os
import queue
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dask
from distributed import Client, Future, KilledWorker, get_worker
from distributed.comm import get_address_host_port
from distributed.security import Security

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.comparison import RESULT
from ssrvae_core.runs.directory import State
from ssrvae_core.runs.files import atomic_write, locked, writing
from ssrvae_core.runs.machine import LISTEN
from ssrvae_core.runs.store import RunStore
from ssrvae_core.runs.sweep_task import Task
from ssrvae_core.runs.sweep_work import Event, cached_load, perform, result_path

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet

CONNECT = 10.0
"""Seconds in which the scheduler must answer."""

Outcome = tuple[State, str | None, dict[str, bytes]]
"""State, sentence of a failure, and the files of the result's directory by name."""

LOGGERS = ("distributed.client", "distributed.comm", "distributed.core", "distributed.batched")
"""Loggers that tell of a lost connection with tracebacks, where a sentence of ours is enough."""

_ALONE = threading.Lock()
"""Pyro keeps one stack of handlers a process, so the threads of a worker take turns."""


def run_on_cluster(tasks: Sequence[Task], store: RunStore, *, scheduler: str, device: str) -> Generator[Event | None]:
    """Work through tasks on a cluster; closing the iterator cancels what is under way.

    A task whose worker is lost begins again on another one, as often as the scheduler's ``allowed-failures`` says.
    A run that is cancelled stops at its next step. A rival cannot be stopped: its worker fits it to the end, and what
    comes of it is dropped.

    Parameters
    ----------
    tasks : sequence of Task
        What to do.
    store : RunStore
        Where the results are written, by this process.
    scheduler : str
        Address, such as ``tcp://host:8786``.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`; ``auto`` is decided by each worker.

    Yields
    ------
    Event or None
        What happened to a task, or None after a fifth of a second in which nothing did.

    Raises
    ------
    UserError
        At once, if the address is none; later, if the scheduler does not answer or goes away, or a worker answers with
        what is not a run.
    """
    _check_address(scheduler)
    return _work_through(tasks, store, scheduler, device)


def _work_through(tasks: Sequence[Task], store: RunStore, scheduler: str, device: str) -> Generator[Event | None]:
    messages: queue.SimpleQueue[Event | int] = queue.SimpleQueue()
    with _quiet(), _connect(scheduler) as client:
        topic = f"ssrvae-{uuid.uuid4().hex}"
        client.subscribe_topic(topic, lambda told: messages.put(Event(**told[1]["event"])))
        futures = _submit(client, tasks, device, topic)
        for number, future in futures.items():
            future.add_done_callback(partial(_announce, messages, number))
        try:
            while futures:
                try:
                    message = messages.get(timeout=LISTEN)
                except queue.Empty:
                    yield None
                    continue
                if isinstance(message, int):
                    yield _collect(message, futures[message], tasks[message], store, scheduler)
                    del futures[message]  # lets the cluster forget it
                elif message.task in futures:
                    yield message
        finally:
            client.cancel(list(futures.values()))


def _check_address(scheduler: str) -> None:
    """Refuse what is not an address, as Dask waits for it in vain."""
    reason: ValueError | None = None
    try:
        host, port = get_address_host_port(scheduler, strict=True)
    except ValueError as error:
        host, port, reason = "", 0, error
    if not (host and 0 < port < 2**16):
        raise UserError(
            f"'{scheduler}' is not an address of a Dask scheduler; write it as tcp://host:8786."
        ) from reason
    if scheduler.startswith("tls://"):
        try:
            certified = Security().get_connection_args("client").get("ssl_context") is not None
        except OSError as error:
            raise UserError(f"The certificates in Dask's configuration cannot be read ({error}); fix it.") from error
        if not certified:
            raise UserError(
                f"'{scheduler}' needs certificates, and Dask's configuration names none; set distributed.comm.tls "
                "there, or use tcp:// in a network you trust."
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's account of a lost connection from the user."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _connect(scheduler: str) -> Client:
    try:
        return Client(scheduler, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at {scheduler}; start one with 'dask scheduler', or fix the address."
        ) from error


def _announce(messages: queue.SimpleQueue[Event | int], number: int, _: Future) -> None:
    messages.put(number)


def _submit(client: Client, tasks: Sequence[Task], device: str, topic: str) -> dict[int, Future]:
    """Send every task, and the images of each file once; the scheduler keeps them for workers yet to come."""
    sent: dict[str, Future] = {}
    futures = {}
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}):
        for number, task in enumerate(tasks):
            dataset = task.config.dataset
            key = dataset.model_dump_json()
            if dataset.path is not None and key not in sent:
                sent[key] = client.submit(_keep, cached_load(dataset), key=f"{topic}-images-{len(sent)}")
            rival = task.model if task.rival else None
            order = (number, task.config.model_dump_json(), rival, device, topic, sent.get(key))
            futures[number] = client.submit(work, *order, key=f"{topic}-{number}")
    return futures


def _keep(images: ImageSet) -> ImageSet:
    return images


def work(number: int, config_json: str, rival: str | None, device: str, topic: str, images: ImageSet | None) -> Outcome:
    """Do a task on a worker, in a store of its own, and return the result's files."""
    config, worker = RunConfig.model_validate_json(config_json), get_worker()
    key = worker.get_current_task()

    def cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"  # the client cancelled it, or is gone

    def on_progress(epoch: int, share: float, accuracy: float | None) -> None:
        worker.log_event(topic, {"event": asdict(Event(number, "running", epoch, accuracy, share=share))})

    loader = cached_load if images is None else lambda _: images
    with _ALONE, tempfile.TemporaryDirectory(dir=worker.local_directory) as scratch:
        store = RunStore(scratch)
        if cancelled():
            return "cancelled", None, {}
        on_progress(0, 0.0, None)
        state, error = perform(
            config, rival, store, device=device, on_progress=on_progress, should_stop=cancelled, loader=loader
        )
        if state == "cancelled":
            return state, None, {}
        path = result_path(config, rival, store)
        kept = [file for file in path.glob("*") if file.name != directory.LOCK] if path.exists() else []
        return state, error, {file.name: file.read_bytes() for file in kept}


def _collect(number: int, future: Future, task: Task, store: RunStore, scheduler: str) -> Event:
    """Write what came back, and say how it went."""
    if future.cancelled():
        raise UserError(f"The scheduler {scheduler} is gone; the same command goes on with what is missing.")
    if future.status == "error":
        error = future.exception()
        sentence = f"{type(error).__name__}: {error}"
        if isinstance(error, KilledWorker):
            sentence = f"All {error.allowed_failures + 1} workers that took it were lost; their logs may say why."
        return Event(number, "failed", error=sentence)
    state, sentence, files = future.result()
    # What failed there is not put in the place of a checkpoint that is here.
    if state == "finished" and not place(result_path(task.config, task.model if task.rival else None, store), files):
        busy = "Another process of this machine is at work on it, and its result is kept; the same command goes on."
        return Event(number, "failed", error=busy)
    return Event(number, state, error=sentence)


def place(path: Path, files: Mapping[str, bytes]) -> bool:
    """Put a result's files in their place; return False where it is left to another process at work on it.

    The directory and its lock stay, so that nobody who waits for them finds the place empty. What says that the result
    is there comes last, and what was begun before goes after it.

    Raises
    ------
    UserError
        If a file has no plain name, or the store cannot be written.
    """
    if strange := [name for name in files if name != Path(name).name or name.startswith(".") or name == directory.LOCK]:
        raise UserError(f"A worker sent a file called '{strange[0]}', which is part of no run; do not trust it.")
    incoming = path.with_name(f".incoming-{path.name}-{time.time_ns()}")
    try:
        with writing(f"The store {path.parent}"):
            incoming.mkdir(parents=True)
            for name, content in files.items():
                atomic_write(incoming / name, content)
            with suppress(BlockingIOError), locked(path / directory.LOCK, wait=False):
                for name in sorted(files, key=lambda name: name in (directory.STATUS, RESULT)):
                    os.replace(incoming / name, path / name)
                for begun in path.iterdir():
                    if begun.name not in (*files, directory.LOCK):
                        begun.unlink()
                return True
        return False
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
