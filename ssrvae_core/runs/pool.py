"""Tasks of a sweep on this machine: worker processes that import torch once and share out the cores."""

from __future__ import annotations

import json
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

import ssrvae_core
from ssrvae_core.config import UserError
from ssrvae_core.runs.machine import LISTEN, cores, cuda_gpus
from ssrvae_core.runs.store import RunStore
from ssrvae_core.runs.sweep_task import Task
from ssrvae_core.runs.sweep_work import GRACE, TRIES, Event

MEMORY = 1.5e9
"""Bytes a worker is given room for: one and a half times what the largest measured run took."""

ENVIRONMENT = "SSRVAE_DEVICE"
THREADS = "OMP_NUM_THREADS"

_Message = tuple["_Worker", Event | None]


def run_on_pool(
    tasks: Sequence[Task], store: RunStore, *, workers: int | None, device: str, log: Path
) -> Generator[Event | None]:
    """Work through tasks with local processes; closing the iterator stops them, ready to go on.

    A task whose worker dies, killed or out of memory, goes on from its checkpoint in a new worker.

    Parameters
    ----------
    tasks : sequence of Task
        What to do, in this order.
    store : RunStore
        Where the results go.
    workers : int, optional
        Number of processes; by default one a GPU, or one per core as far as memory goes.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`; with several GPUs, the workers take turns.
    log : Path
        What the workers print is appended to it.

    Yields
    ------
    Event or None
        What happened to a task, or None after a fifth of a second in which nothing did.

    Raises
    ------
    UserError
        At once, if the device is not available.
    """
    return _work_through(tasks, store, workers, _devices(device), log)


def _work_through(
    tasks: Sequence[Task], store: RunStore, workers: int | None, devices: Sequence[str], log: Path
) -> Generator[Event | None]:
    n_workers = min(workers or _default_workers(devices), len(tasks))
    threads = _threads(n_workers)
    messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
    desk = _Desk(tasks, log)
    with log.open("ab") as errors:
        pool = [_Worker(store, devices[i % len(devices)], threads, errors, messages) for i in range(n_workers)]
        try:
            for worker in pool:
                desk.serve(worker)
            while any(worker.task is not None for worker in pool):
                try:
                    worker, event = messages.get(timeout=LISTEN)
                except queue.Empty:
                    yield None
                    continue
                if event is None:
                    place = pool.index(worker)
                    event = desk.lost(worker)
                    if desk.waiting:
                        pool[place] = worker = worker.successor()
                yield event
                if event is None or event.state != "running":
                    desk.serve(worker)
        finally:
            _stop(pool)


class _Desk:
    """Hands out tasks, and counts the workers each of them has cost."""

    def __init__(self, tasks: Sequence[Task], log: Path) -> None:
        self.tasks, self.log = tasks, log
        self.waiting = deque(range(len(tasks)))
        self.tries = [0] * len(tasks)

    def serve(self, worker: _Worker) -> None:
        """Give a worker its next task, if there is one."""
        worker.task = self.waiting.popleft() if self.waiting else None
        if worker.task is not None:
            self.tries[worker.task] += 1
            worker.give(worker.task, self.tasks[worker.task])

    def lost(self, worker: _Worker) -> Event | None:
        """Put the task of a dead worker first in the queue, or give it up."""
        task, worker.task = worker.task, None
        if task is None:
            return None
        if self.tries[task] < TRIES:
            self.waiting.appendleft(task)
            return Event(task, "queued")
        code = worker.process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
        sentence = f"The worker {how} {TRIES} times over; {self.log} says what it printed, or memory ran out."
        return Event(task, "failed", error=sentence)


class _Worker:
    """One process and the task it works on; a thread hands on what it says, and None when it is gone."""

    def __init__(
        self, store: RunStore, device: str, threads: int, errors: IO[bytes], messages: queue.SimpleQueue[_Message]
    ) -> None:
        self._arguments = (store, device, threads, errors, messages)
        self.task: int | None = None
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ssrvae_core.runs.pool_worker", str(store.root), device, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=_environment(threads),
                start_new_session=True,  # Ctrl-C is for the parent, which stops its workers itself
            )
        except OSError as error:
            raise UserError(
                f"A worker cannot be started ({error.strerror}); try again with fewer --workers."
            ) from error
        assert self.process.stdin is not None and self.process.stdout is not None
        self._orders = self.process.stdin
        self._listener = threading.Thread(target=self._listen, args=(self.process.stdout, messages), daemon=True)
        self._listener.start()

    def give(self, number: int, task: Task) -> None:
        """Hand it a task. Where it is dead already, the listener says so."""
        rival = task.model if task.rival else None
        order = {"task": number, "rival": rival, "config": task.config.model_dump(mode="json")}
        with suppress(BrokenPipeError):
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()

    def successor(self) -> _Worker:
        """Start another one in the place of a dead one."""
        self.close()
        return _Worker(*self._arguments)

    def close(self) -> None:
        """Leave nothing of a process that has ended."""
        self._listener.join()
        with suppress(BrokenPipeError):  # an order it never read
            self._orders.close()

    def _listen(self, answers: IO[str], messages: queue.SimpleQueue[_Message]) -> None:
        with answers:
            for line in answers:
                if line.endswith("\n"):  # else it died while it spoke
                    messages.put((self, Event(**json.loads(line))))
        self.process.wait()
        messages.put((self, None))


def _stop(pool: Sequence[_Worker]) -> None:
    """Have every worker write down where it is and end, and end those that do not listen."""
    for worker in pool:
        worker.process.terminate()
    deadline = time.monotonic() + GRACE
    for worker in pool:
        try:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.close()


def _threads(n_workers: int) -> int:
    """Return a worker's share of the cores, or fewer where the user allows fewer threads."""
    share, allowed = max(1, cores() // n_workers), os.environ.get(THREADS, "")
    return min(share, int(allowed)) if allowed.isdecimal() and int(allowed) else share


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of a worker: its share of the cores, and the packages the parent finds."""
    paths = [str(Path(ssrvae_core.__file__).parents[1]), os.environ.get("PYTHONPATH")]
    share = dict.fromkeys((THREADS, "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return os.environ | share | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _devices(name: str) -> list[str]:
    """Return the devices the workers take in turn: every CUDA device where no particular one is named."""
    if name == "auto":
        name = os.environ.get(ENVIRONMENT, name)
    if name in {"auto", "cuda"} and cuda_gpus():
        import torch

        if torch.cuda.is_available():
            return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if name == "auto":
        return ["mps" if (platform.system(), platform.machine()) == ("Darwin", "arm64") else "cpu"]
    if name != "cpu":
        from ssrvae_core.training.device import choose_device

        choose_device(name)
    return [name]


def _default_workers(devices: Sequence[str]) -> int:
    if devices != ["cpu"]:
        return len(devices)
    return max(1, min(cores(), int(psutil.virtual_memory().available // MEMORY)))
