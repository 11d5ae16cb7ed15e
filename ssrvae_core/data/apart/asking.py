"""Asks another process to read a file, and survives whatever that file does to it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.apart.server import FORKS, IDLE, READY

ROOT = Path(__file__).parents[3]
BYTES_PER_SECOND = 25e6
"""What reading is expected to manage at the least."""
PATIENCE = 60.0
"""Seconds until a process that neither computes nor answers is killed, beside four times its computing time."""
START = "import sys; sys.path.insert(0, sys.argv[1]); from ssrvae_core.data.apart.server import main; main(sys.argv[2])"
"""What a server is started with: its module is imported by name, wherever this program found it."""
LONGEST = 2**24
"""Most bytes of an answer, beside the array after it."""


class Unanswered(Exception):
    """The other process failed, or did not answer to the end; the message is its reason, and may be empty."""


def ask(job: str, request: Mapping[str, Any], values: np.ndarray | None = None) -> Any:
    """Have another process answer.

    Parameters
    ----------
    job : str
        The module that answers; see :class:`ssrvae_core.data.apart.server.Job`.
    request : mapping
        What JSON can hold; ``memory`` in bytes and ``seconds`` of computing time are its limits.
    values : numpy.ndarray, optional
        A contiguous array, which is filled with the one that comes after the answer.

    Returns
    -------
    object
        The answer.

    Raises
    ------
    Unanswered
        If it failed, or took more than its limits allow, or the array after the answer has another size.
    UserError
        If no process can be started.
    """
    patience = PATIENCE + 4 * request["seconds"]
    server = _taken(job)
    is_well = False
    watch = threading.Timer(patience, server.expire)
    watch.start()
    try:
        reply = server.reply(dict(request) | {"patience": patience})
        if "error" not in reply:
            server.fill(np.empty(0) if values is None else values, reply["bytes"])
        is_well = server.release()
    except (OSError, EOFError, ValueError) as error:
        raise Unanswered from error
    finally:
        watch.cancel()
        if is_well and FORKS:
            _give_back(job, server)
        else:
            server.end()
    if "error" in reply:
        raise Unanswered(reply["error"])
    return reply["answer"]


class Server:
    """A process that answers requests, one after the other."""

    def __init__(self, job: str) -> None:
        self.owner = os.getpid()
        self.used = time.monotonic()
        self._is_busy = True
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(ROOT), job],
            cwd=ROOT,
            env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that it can be killed with its forks
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._questions: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout

    @property
    def is_ready(self) -> bool:
        """Whether it still waits for requests of this process."""
        is_alive = self.owner == os.getpid() and self._process.poll() is None
        return is_alive and time.monotonic() - self.used < IDLE / 2

    def reply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what it says to a request.

        Raises
        ------
        EOFError
            If that is nothing.
        """
        self._questions.write(f"{json.dumps(request)}\n".encode())
        self._questions.flush()
        self._is_busy = True
        return self._listen()

    def _listen(self) -> dict[str, Any]:
        line = self._answers.readline(LONGEST)
        if not line.endswith(b"\n"):
            raise EOFError("no answer")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def has_begun(self) -> bool:
        """Wait until it is ready for its first request; return False if it ends before."""
        try:
            return self._listen() == {"answer": READY}
        except (OSError, EOFError, ValueError):
            return False

    def fill(self, values: np.ndarray, size: int) -> None:
        """Fill a contiguous array from the ``size`` bytes that come next, without a second copy.

        Raises
        ------
        EOFError
            If less comes.
        ValueError
            If the array has another size.
        """
        if size != values.nbytes:
            raise ValueError(f"{size} bytes are there, and {values.nbytes} were expected")
        room = values.reshape(-1).view(np.uint8).data
        at = 0
        while at < len(room):
            n_read = self._answers.readinto(room[at : at + 2**24])  # type: ignore[attr-defined]
            if not n_read:
                raise EOFError("cut short")
            at += n_read

    def release(self) -> bool:
        """Say that its answer is complete; return whether it came in time."""
        with self._turn:
            in_time, self._is_busy = self._is_busy, False
            return in_time

    def expire(self) -> None:
        """Kill it unless its answer is complete."""
        with self._turn:
            if self._is_busy:
                self._is_busy = False
                self.kill()

    def kill(self) -> None:
        """Kill it and its fork, if they still are."""
        if os.name == "posix":
            with contextlib.suppress(
                ProcessLookupError, PermissionError
            ):  # macOS permits none to a group that has ended
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def end(self) -> None:
        """End it, and close what it had open."""
        is_own = self.owner == os.getpid()  # and not the parent's of a fork
        if is_own:
            self.kill()
        for stream in (self._questions, self._answers):
            with contextlib.suppress(OSError):
                stream.close()
        if is_own:
            self._process.wait()


_idle: dict[str, Server] = {}
"""The server of every job that nobody is using."""
_lock = threading.Lock()


def _taken(job: str) -> Server:
    with _lock:
        server = _idle.pop(job, None)
    if server is not None and not server.is_ready:
        server.end()
        server = None
    return server or _begun(job)


def _begun(job: str) -> Server:
    cannot = UserError(
        "The process that reads such files cannot be started; check how many processes and how much memory this program"
        " may have."
    )
    try:
        server = Server(job)
    except OSError as error:
        raise cannot from error
    if not server.has_begun():
        server.end()
        raise cannot
    return server


def _give_back(job: str, server: Server) -> None:
    server.used = time.monotonic()
    with _lock:
        spare = _idle.get(job)
        _idle[job] = server
    if spare is not None:
        spare.end()


@atexit.register
def end_all() -> None:
    """End all servers that nobody is using."""
    with _lock:
        servers = list(_idle.values())
        _idle.clear()
    for server in servers:
        server.end()
