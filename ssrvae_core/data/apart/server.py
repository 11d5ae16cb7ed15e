"""Reads files for another process; see :mod:`ssrvae_core.data.apart.asking`.

A request is a line of JSON on standard input. The job's module is told to ``prepare`` for it, which is to import what
it needs; a fork then answers it, so that limits, crashes and leaks end with the request. The answer is a line of JSON,
``{"answer": ..., "bytes": n}`` or ``{"error": "..."}``, and the n bytes of an array after it. A fork that is killed
ends the server too.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import time
from typing import IO, Any, Protocol, cast

import numpy as np

IDLE = 60.0
"""Seconds without a request after which a server ends."""
READY = "ready"
"""The first answer, to no request."""
FORKS = hasattr(os, "fork")


class Job(Protocol):
    """What a module has to have."""

    def prepare(self, request: dict[str, Any]) -> None:
        """Import what the request needs."""

    def serve(self, request: dict[str, Any]) -> tuple[Any, np.ndarray | None]:
        """Return the answer, which JSON can hold, and a contiguous array to send after it."""


def limit(memory: int, seconds: float) -> None:
    """Limit the memory this process may take and the time it may compute from now on, where the system can."""
    if os.name != "posix":
        return
    import resource

    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CPU, int(time.process_time() + seconds) + 1)):
        _, hardest = resource.getrlimit(kind)
        allowed = most if hardest == resource.RLIM_INFINITY else min(most, hardest)
        resource.setrlimit(kind, (allowed, allowed))


def main(module: str) -> None:
    """Answer requests until there are no more."""
    job = cast("Job", importlib.import_module(module))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is not an answer
    questions = sys.stdin.buffer
    _send(answers, {"answer": READY})
    while not FORKS or select.select([questions], [], [], IDLE)[0]:
        line = questions.readline()
        if not line:
            return
        request = json.loads(line)
        try:
            job.prepare(request)
        except Exception as error:  # noqa: BLE001 - whatever a library can raise is the answer
            _send(answers, {"error": _reason(error)})
            continue
        theirs, ours = os.pipe()  # whose end the fork holds as long as it lives
        child = os.fork() if FORKS else 0
        if child == 0:
            limit(int(request["memory"]), float(request["seconds"]))
            if FORKS:
                signal.alarm(int(request["patience"]) + 1)  # whoever asked may be gone by then
            _serve(job, request, answers)
            if FORKS:
                os._exit(0)  # nothing is left to do, and to tidy up takes longer than to read a small file
            return
        os.close(ours)
        _wait(child, questions, theirs)


def _wait(child: int, questions: IO[bytes], end: int) -> None:
    """Wait until a fork has ended; end it, and this process, where whoever asked is gone or the fork was killed."""
    poll = select.poll()
    poll.register(questions.fileno(), 0)  # hears that it is closed, and not the next question, which may be there early
    poll.register(end, select.POLLIN)
    if questions.fileno() in dict(poll.poll()):
        os.kill(child, signal.SIGKILL)
    os.close(end)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(1)


def _serve(job: Job, request: dict[str, Any], answers: IO[bytes]) -> None:
    """Answer one request."""
    try:
        answer, values = job.serve(request)
        content = b"" if values is None else values.data.cast("B")
        reply = {"answer": answer, "bytes": len(content)}
    except Exception as error:  # noqa: BLE001 - whatever a damaged file can make a library raise is the answer
        reply, content = {"error": _reason(error)}, b""
    _send(answers, reply, content)


def _send(answers: IO[bytes], reply: dict[str, Any], content: bytes | memoryview = b"") -> None:
    answers.write(json.dumps(reply).encode() + b"\n")
    answers.write(content)
    answers.flush()


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
