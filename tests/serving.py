"""A server of the dashboard, started as `make serve` starts it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
START = 60
"""Seconds that it may take on a busy machine until the server answers."""
END = 30
"""Seconds that it may take on a busy machine until the server has ended."""


@contextmanager
def serving(store_root):
    """Serve a store on a free port: its process and its port. It must have ended soon after it is told to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ui.serve", "127.0.0.1", str(port)]
    environment = os.environ | {"SSRVAE_STORE": str(store_root), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_until_healthy(process, f"http://127.0.0.1:{port}/_stcore/health")
        yield process, port
        process.terminate()
        process.wait(END)
    finally:
        process.kill()
        process.wait()


def _wait_until_healthy(process, health):
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(health, timeout=START) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server did not start")
