"""What tells the process that trains something to stop, and the line in the log that says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ssrvae_core.runs import directory
from ssrvae_core.runs.directory import State
from ssrvae_core.runs.files import append_line

LOOK = 0.2
"""Seconds between two looks whether the training is to stop."""

TELL = 0.5
"""Seconds between two writings of how far it is."""


class Stopped(Exception):
    """The training was told to stop; ``state`` is what it has come to."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state = state


class StopRequest:
    """A wish to stop: the flag ``cancel`` in a directory, or the word of whoever called.

    Parameters
    ----------
    path : Path
        The directory of what is trained.
    should_stop : callable, optional
        Says True once the training is to stop.
    """

    def __init__(self, path: Path, should_stop: Callable[[], bool] | None = None) -> None:
        self._flag, self._should_stop, self._flagged = path / directory.CANCEL, should_stop, False

    def flagged(self) -> bool:
        """Whether the flag was there; it is taken away."""
        self._flagged |= self._flag.exists()
        self._flag.unlink(missing_ok=True)
        return self._flagged

    def check(self) -> None:
        """Raise :class:`Stopped` where somebody wants the training to stop."""
        if self.flagged() or (self._should_stop is not None and self._should_stop()):
            raise Stopped("cancelled")


def log(path: Path, sentence: str) -> None:
    """Add a sentence to the log of a directory."""
    append_line(path / directory.LOG, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {sentence}")
