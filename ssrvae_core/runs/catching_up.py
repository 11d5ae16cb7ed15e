"""Classifying all images of a run of an earlier version in a process of its own, which no page waits for.

While it works it holds ``particles.lock`` in the run's directory and says in ``particles.json`` how far it is; once it
is done, ``particles.npz`` is there and both are gone.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssrvae_core.config import UserError
from ssrvae_core.registry import load_plugins
from ssrvae_core.runs import directory
from ssrvae_core.runs.dispatcher import start_process
from ssrvae_core.runs.files import atomic_write, held, locked, writing
from ssrvae_core.runs.interrupting import sigterm_interrupts
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.stopping import TELL
from ssrvae_core.runs.store import Run, RunStore

LOCK = "particles.lock"
PROGRESS = "particles.json"
COMMAND = "classify-all"
"""The hidden command of the process."""


class CatchingUp(BaseModel):
    """How far it is; the content of ``particles.json``.

    Attributes
    ----------
    done, n : int
        Images that are classified, and that there are; 0 while that is not known.
    error : str, optional
        Why it failed, in a sentence.
    state : str
        ``running``, ``failed``, or ``stopped`` where its process ended without a word.
    """

    model_config = ConfigDict(frozen=True)

    done: int = Field(0, ge=0)
    n: int = Field(0, ge=0)
    error: str | None = None
    state: Literal["running", "failed", "stopped"] = Field("running", exclude=True)

    @property
    def share(self) -> float:
        """Share of the images that are classified, in [0, 1]."""
        return min(self.done / self.n, 1.0) if self.n else 0.0


def begin(run: Run) -> None:
    """Start a process that classifies all images of a run; where one does so already, leave it at that.

    Raises
    ------
    UserError
        If the store cannot be written, or this is a viewer.
    """
    require_editor()
    with writing(f"The store {run.path.parent}"):
        try:
            with locked(run.path / LOCK, wait=False) as lock:
                _write(run.path, CatchingUp())
                store = RunStore(run.path.parent)
                log, here = run.path / directory.LOG, Path.cwd()
                process = start_process([COMMAND, run.id], store, lock, log, dict(os.environ), here)
        except BlockingIOError:
            return
    threading.Thread(target=process.wait, daemon=True).start()  # else it stays in the process table when it ends


def look(run: Run) -> CatchingUp | None:
    """Return how far the process is; None where none was ever started, or it is done."""
    running = held(run.path / LOCK)  # first: it is let go after the file is gone
    try:
        found = CatchingUp.model_validate_json((run.path / PROGRESS).read_bytes())
    except (OSError, ValidationError):
        return None
    state: Literal["running", "failed", "stopped"] = "failed" if found.error else "running" if running else "stopped"
    return found.model_copy(update={"state": state})


def work(store: RunStore, run_id: str, lock: int, device: str = "auto") -> None:
    """Classify all images of a run, and say how far it is.

    Parameters
    ----------
    store : RunStore
        Whose run.
    run_id : str
        The run.
    lock : int
        The inherited file descriptor that holds the lock until this process ends.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    """
    from ssrvae_core.runs.everything import write_particles

    os.set_inheritable(lock, False)
    path, told = store.path(run_id), 0.0

    def tell(done: int, n: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL:
            told = time.monotonic()
            _write(path, CatchingUp(done=done, n=n))

    try:
        load_plugins()
        with sigterm_interrupts():
            write_particles(store.get(run_id), device, between=tell)
    except Exception as error:
        _write(
            path, CatchingUp(error=str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
        )
        raise
    (path / PROGRESS).unlink(missing_ok=True)
    (path / LOCK).unlink(missing_ok=True)


def _write(path: Path, progress: CatchingUp) -> None:
    atomic_write(path / PROGRESS, progress.model_dump_json() + "\n")
