"""One process's work on what is trained in a directory: begun, stopped or ended, and the files that tell of it."""

from __future__ import annotations

import math
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from ssrvae_core.config import Frozen, UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.checkpoints import remove_checkpoint
from ssrvae_core.runs.directory import State, Status
from ssrvae_core.runs.embeddings.progress import EmbeddingProgress
from ssrvae_core.runs.environment import environment
from ssrvae_core.runs.files import atomic_write, drop_torn_line, write_json
from ssrvae_core.runs.interrupting import sigterm_interrupts
from ssrvae_core.runs.progress import PROGRESS, Progress, write_progress
from ssrvae_core.runs.stopping import LOOK, TELL, Stopped, StopRequest, log

AnyProgress = TypeVar("AnyProgress", Progress, EmbeddingProgress)
"""What tells how far the work is."""


class Session(ABC, Generic[AnyProgress]):
    """One process's work on what is trained in a directory, whose lock it holds.

    Parameters
    ----------
    path : Path
        The directory.
    config : Frozen
        What is trained.
    device : str
        Where it is trained.
    on_progress, should_stop : callable, optional
        As in :func:`ssrvae_core.runs.execute.train_run`.
    """

    def __init__(
        self,
        path: Path,
        config: Frozen,
        device: str,
        on_progress: Callable[[AnyProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.path, self.config, self.device = path, config, device
        self.on_progress: Callable[[AnyProgress], None] | None = on_progress
        self.stop = StopRequest(path, should_stop)
        self.earlier, self.began = 0.0, time.monotonic()
        self.looked = self.told = -math.inf

    @abstractmethod
    def _progress(self) -> AnyProgress:
        """Return how far it is."""

    @abstractmethod
    def _resume(self) -> None:
        """Take up what an earlier process kept, if there is any, and drop what was recorded after it."""

    @abstractmethod
    def _beginning(self) -> str:
        """Return what the log says of the beginning."""

    @abstractmethod
    def _work(self) -> None:
        """Work to the end, whose status is "finished"; a stop leaves by :class:`Stopped`."""

    @abstractmethod
    def _keep(self) -> None:
        """Keep what is done, where the work has stopped between two steps."""

    @abstractmethod
    def _keep_after_signal(self) -> None:
        """Keep what is whole, where a signal has ended the work, perhaps in the midst of a step."""

    @abstractmethod
    def _begin_again(self) -> None:
        """Have the progress say that nothing is left of what the checkpoint kept."""

    @abstractmethod
    def _where(self) -> str:
        """Return where it has stopped, for the log, if more is to be said of it than where it goes on."""

    @abstractmethod
    def _described(self) -> dict[str, Any]:
        """Return the fields of the status that say what is trained and how far it is."""

    def run(self) -> None:
        """Work to the end or to the stop, and leave the directory true whatever happens."""
        for leftover in self.path.glob(".*.tmp"):
            leftover.unlink()
        drop_torn_line(self.path / directory.LOG)
        self._resume()
        stopped: State | None = None
        try:
            with sigterm_interrupts():
                self._start()
                try:
                    self._work()
                except Stopped as stop:
                    stopped = stop.state
                    self._keep()
                    self._write_status(stopped)
        except KeyboardInterrupt:
            stopped = "cancelled" if self.stop.flagged() else "interrupted"
            self._keep_after_signal()
            self._write_status(stopped)
            log(self.path, f"{stopped} by a signal; {self._goes_on()}")
            raise
        except Exception as error:
            self._fail(error)
            raise
        if stopped is None:
            remove_checkpoint(self.path)
            for spent in (PROGRESS, directory.CANCEL):
                (self.path / spent).unlink(missing_ok=True)
        log(self.path, f"{stopped}{self._where()}; {self._goes_on()}" if stopped else "finished")

    def _start(self) -> None:
        (self.path / directory.CANCEL).unlink(missing_ok=True)
        write_json(self.path / directory.ENVIRONMENT, environment(self.device))
        atomic_write(self.path / directory.CONFIG, self.config.model_dump_json(indent=2) + "\n")
        write_progress(self.path, self._progress())  # before the state, so that both are true
        self._write_status("running")
        self._show(self._progress())
        log(self.path, self._beginning())

    def _is_time_to_look(self, now: float, *, at_once: bool = False) -> bool:
        """Whether it is to be asked again if the work is to stop: after a while, or at once."""
        due = at_once or now - self.looked >= LOOK
        if due:
            self.looked = now
        return due

    def _is_time_to_show(self, now: float) -> bool:
        return now - self.told >= TELL

    def _show(self, progress: AnyProgress) -> None:
        """Write down how far it is, and tell whoever listens."""
        self.told = time.monotonic()
        self._write_down(progress)
        if self.on_progress is not None:
            self.on_progress(progress)

    def _write_down(self, progress: AnyProgress) -> None:
        with suppress(OSError):  # a disk that is full for a moment costs what is shown, and not the training
            write_progress(self.path, progress)

    def _goes_on(self) -> str:
        where = self._progress().goes_on
        return f"goes on from {where}" if where else "begins again"

    def _fail(self, error: Exception) -> None:
        sentence = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        # The failure itself may be a full disk; then it cannot be recorded, and what is trained reads as interrupted.
        with suppress(OSError):
            if isinstance(error, UserError):  # the same checkpoint would only lead to it again
                remove_checkpoint(self.path)
                self._begin_again()
            self._show(self._progress())
            self._write_status("failed", error=sentence)
            log(self.path, "failed\n" + "".join(traceback.format_exception(error)))

    def _write_status(self, state: State, **more: Any) -> None:
        status = Status(state=state, seconds=self._seconds(), device=self.device, **self._described(), **more)
        directory.write_status(self.path, status)

    def _seconds(self) -> float:
        return self.earlier + time.monotonic() - self.began
