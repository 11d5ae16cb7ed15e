"""Asks another process to read a file, and survives whatever that file does to it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from ssrvae_core.data.apart.server import IDLE

ROOT = Path(__file__).parents[3]
BYTES_PER_SECOND = 25e6
"""What reading is expected to manage at the least."""
END = 60.0
"""Seconds in which a process that stopped to answer has ended."""


class Unanswered(Exception):
    """The other process did not answer to the end; the message is the last that it said, and may be empty."""


class Server:
    """A process that answers requests, one after the other."""

    def __init__(self, job: str) -> None:
        self.owner = os.getpid()
        self.used = time.monotonic()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ssrvae_core.data.apart.server", job],
            cwd=ROOT,
            env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,  # so that it is ended with its forks
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._questions: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        self._from = 0

    @property
    def is_ready(self) -> bool:
        """Whether it still waits for requests of this process."""
        return self.owner == os.getpid() and time.monotonic() - self.used < IDLE / 2 and self._process.poll() is None

    def request(self, request: dict[str, Any]) -> None:
        """Begin with a request."""
        self._from = os.fstat(self._complaints.fileno()).st_size
        self.send(json.dumps(request))

    def send(self, text: str) -> None:
        """Send a line."""
        self._questions.write(f"{text}\n".encode())
        self._questions.flush()

    def answer(self) -> Any:
        """Return the next answer, which is a line of JSON.

        Raises
        ------
        EOFError
            If there is none.
        """
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise EOFError("no answer")
        return json.loads(line)

    def fill(self, values: np.ndarray) -> None:
        """Fill a contiguous array from what comes next, without a second copy.

        Raises
        ------
        EOFError
            If less comes.
        """
        room = values.reshape(-1).view(np.uint8).data
        at = 0
        while at < len(room):
            got = self._answers.readinto(room[at : at + 2**24])  # type: ignore[attr-defined]
            if not got:
                raise EOFError("cut short")
            at += got

    def complaint(self) -> str:
        """Return the last line it said about this request, once it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END)
        self._complaints.seek(self._from)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def kill(self) -> None:
        """Kill it and its fork, if they still are."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def end(self) -> None:
        """End it, and close what it had open."""
        if self.owner == os.getpid():
            self.kill()
        for stream in (self._questions, self._answers, self._complaints):
            with contextlib.suppress(OSError):
                stream.close()
        if self.owner == os.getpid():
            self._process.wait()


_idle: dict[str, Server] = {}
"""The server of every job that nobody is using."""
_lock = threading.Lock()


@contextlib.contextmanager
def asked(job: str, request: dict[str, Any], patience: float) -> Iterator[Server]:
    """Ask another process, and yield it to be listened to.

    Parameters
    ----------
    job : str
        The module that answers; see :class:`ssrvae_core.data.apart.server.Job`.
    request : dict
        What JSON can hold; ``memory`` in bytes and ``seconds`` of computing time are its limits.
    patience : float
        Seconds after which a process that neither computes nor answers is killed.

    Raises
    ------
    Unanswered
        If it stops before everything has been answered that the caller listens for.
    """
    server = _taken(job)
    is_well = False
    watch = threading.Timer(patience, server.kill)
    watch.start()
    try:
        server.request(request)
        yield server
    except (OSError, EOFError, json.JSONDecodeError) as error:
        raise Unanswered(server.complaint()) from error
    else:
        is_well = True
    finally:
        watch.cancel()
        if is_well:
            _give_back(job, server)
        else:
            server.end()


def _taken(job: str) -> Server:
    with _lock:
        server = _idle.pop(job, None)
    if server is not None and not server.is_ready:
        server.end()
        server = None
    return server or Server(job)


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
