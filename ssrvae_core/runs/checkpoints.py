"""What a stopped run goes on from: ``checkpoint.pt``, and ``starts.pt`` before one of its short starts is chosen.

Both hold tensors and plain values only (``torch.load(weights_only=True)``).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ssrvae_core.config import UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.files import atomic_write


class Resumable(Protocol):
    """What goes on from a state."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from here."""


class WithStarts(Resumable, Protocol):
    """What goes on from the state of its short starts, too."""

    def load_starts_state(self, state: dict[str, Any]) -> None:
        """Go on from here."""


def write_checkpoint(path: Path, trainer: dict[str, Any], seconds: float) -> None:
    """Write a trainer's state and the wall time so far; the short starts are then over."""
    _write(path / directory.CHECKPOINT, {"trainer": trainer, "seconds": seconds})
    (path / directory.STARTS).unlink(missing_ok=True)


def write_starts(path: Path, starts: dict[str, Any], seconds: float) -> None:
    """Write what is known of the short starts, and the wall time so far."""
    _write(path / directory.STARTS, {"starts": starts, "seconds": seconds})


def load_state(path: Path, trained: Resumable) -> float:
    """Have what is trained go on from ``checkpoint.pt``, if it is there; return the wall time it took.

    Raises
    ------
    UserError
        If what is there is damaged, or of another version.
    """
    if not (path / directory.CHECKPOINT).exists():
        return 0.0
    with _readable(path / directory.CHECKPOINT):
        checkpoint = _read(path / directory.CHECKPOINT)
        trained.load_state_dict(checkpoint["trainer"])
        return float(checkpoint["seconds"])


def load_checkpoint(path: Path, trainer: WithStarts) -> float:
    """Have a trainer go on from what is there, if anything is; return the wall time it took.

    Raises
    ------
    UserError
        If what is there is damaged, or of another version.
    """
    if (path / directory.CHECKPOINT).exists():
        return load_state(path, trainer)
    if (path / directory.STARTS).exists():
        with _readable(path / directory.STARTS):
            checkpoint = _read(path / directory.STARTS)
            trainer.load_starts_state(checkpoint["starts"])
            return float(checkpoint["seconds"])
    return 0.0


def remove_checkpoint(path: Path) -> None:
    """Have the run begin again when it is trained the next time."""
    for name in (directory.CHECKPOINT, directory.STARTS):
        (path / name).unlink(missing_ok=True)


def _write(file: Path, values: dict[str, Any]) -> None:
    import torch

    buffer = io.BytesIO()
    torch.save(values, buffer)
    atomic_write(file, buffer.getvalue())


def _read(file: Path) -> dict[str, Any]:
    import torch

    values: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    return values


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn a damaged checkpoint, or one of another version, into a sentence."""
    try:
        yield
    except (RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{file} cannot be read; run 'python -m ssrvae_core delete {file.parent.name}' and train again."
        ) from error
