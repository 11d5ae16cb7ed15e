"""A dashboard of its own on a free port, and a Chromium to look at it: for benchmarks and screenshots."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common import ROOT
from playwright.sync_api import Browser, BrowserContext, ViewportSize, sync_playwright

PATIENCE = 60.0
"""Seconds a server may take to start, or a page to be whole."""


@dataclass(frozen=True)
class Server:
    """Where a dashboard answers, and its process."""

    address: str
    pid: int


@contextmanager
def serve(store: Path, mode: str = "viewer", app: str | None = None, tree: Path = ROOT) -> Iterator[Server]:
    """Start a fresh server for a store, or for an app of its own, and stop it in the end.

    ``tree`` is the checkout whose dashboard is served.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = ["ui.serve", "127.0.0.1", str(port)] if app is None else ["streamlit", "run", app, "--server.port", str(port)]
    command = [sys.executable, "-m", *run]
    here = store.resolve()
    shown = here.relative_to(tree) if here.is_relative_to(tree) else here  # the pages tell where they read
    environment = os.environ | {"SSRVAE_STORE": str(shown), "SSRVAE_MODE": mode}
    with subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(f"{address}/_stcore/health", process)
            yield Server(address, process.pid)
        finally:
            process.terminate()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the dashboard's server did not start")


CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-gpu")


def _chromium_path() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("this needs Chromium: apt-get install chromium")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium without a window; its contexts begin with nothing and keep nothing."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium_path(), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visitor(size: ViewportSize) -> Iterator[BrowserContext]:
    """Start the system's Chromium as somebody's own, which has nothing yet and keeps what it fetched."""
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=_chromium_path(), args=CHROMIUM_ARGUMENTS, viewport=size
        )
        yield context
        context.close()
