"""The files of one run directory, and what is in them.

- ``config.json``, the configuration, and ``environment.json``, the versions, device and revision it was trained with;
- ``status.json``, a :class:`Status`;
- ``metrics.jsonl``, a line per epoch, and ``log.txt``;
- ``checkpoint.pt``, from which an unfinished run goes on, and ``starts.pt``, the same among its short starts: torch's
  zip format, the files with a pickle inside, read with ``weights_only=True``, which builds tensors and plain containers
  only, and never part of a bundle;
- ``progress.json``, how far it is within its epoch;
- ``snapshots.npz``, the frames of the training film;
- ``model.safetensors`` and ``validation.npz``, the weights and predictions of a finished run, and ``manifold.npz``, the
  images it draws, which the weights can give again;
- ``particles.npz``, what the run says of every image of its data (see :mod:`ssrvae_core.runs.particle_file`); a run of
  an earlier version lacks it until somebody asks;
- ``thumbnails.npz``, small pictures of the validation images, where the run came in a bundle that has them;
- ``about.json``, what people call the run and note of it, see :mod:`ssrvae_core.runs.about`;
- ``lock``, held by the process that trains it, and ``cancel``, which asks that process to stop.

Every file is replaced whole, except the two that only grow.
"""

from __future__ import annotations

import json
import time
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote

import numpy as np
import psutil
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ssrvae_core.config import UserError
from ssrvae_core.records import Epoch, Judgement, Predictions, Snapshot
from ssrvae_core.refusals import json_in_words
from ssrvae_core.runs.files import append_line, atomic_write, held, whole_lines, write_npz
from ssrvae_core.runs.npz import read_npz
from ssrvae_core.runs.progress import Progress, read_progress

CONFIG = "config.json"
STATUS = "status.json"
METRICS = "metrics.jsonl"
WEIGHTS = "model.safetensors"
CHECKPOINT = "checkpoint.pt"
STARTS = "starts.pt"
SNAPSHOTS = "snapshots.npz"
VALIDATION = "validation.npz"
PARTICLES = "particles.npz"
MANIFOLD = "manifold.npz"
THUMBNAILS = "thumbnails.npz"
LOG = "log.txt"
ENVIRONMENT = "environment.json"
LOCK = "lock"
CANCEL = "cancel"

PREDICTION_ARRAYS = [field.name for field in fields(Predictions) if field.name != "factors"]
"""Arrays that a file of predictions has; factors come on top."""

FACTOR = "factors/"
_CLOCK_SLACK = 2.0  # seconds by which two readings of one process's start time may differ

SCORES = ("n", "accuracy", "balanced_accuracy", "ece", "nll", "silhouette", "flip_rate")
"""The evaluation's plain numbers."""
LATEST = 4e9
"""Unix time, about the year 2096; far beyond it, dates cannot be written."""

State = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]


class Status(BaseModel):
    """How far a run is; the content of ``status.json``.

    Attributes
    ----------
    state : str
        ``queued``, ``running``, ``finished``, ``failed``, ``cancelled`` or ``interrupted``. The last two go on from
        their checkpoint when the run is trained again.
    epoch, epochs : int
        Epochs done, and epochs the configuration asks for.
    seconds : float
        Wall time of training so far, over all sessions.
    error : str, optional
        The sentence of a failed run.
    pid, pid_started : int and float, optional
        The process that trains or trained it, and that process's start (Unix time), as ids are used again.
    device : str, optional
        Where it was trained.
    updated : float
        When this was written, Unix time.
    class_names : tuple of str
        Name of class ``k`` at position ``k``; empty before the data were loaded.
    n_labelled, n_unlabelled : int, optional
        Training images of either kind; None before the data were loaded.
    validation : dict, optional
        The evaluation on the validation images, once finished.
    judgement : Judgement, optional
        How the class probabilities come about, once finished, where the model has a second opinion.
    progress : Progress, optional
        How far it is within its epoch, and where it goes on; it has a file of its own and is not part of this one. None
        where it is finished, or was trained by an earlier version.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    state: State = "queued"
    epoch: int = Field(0, ge=0)
    epochs: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    error: str | None = None
    pid: int | None = None
    pid_started: float | None = None
    device: str | None = None
    updated: float = Field(0.0, ge=0, le=LATEST)
    class_names: tuple[str, ...] = ()
    n_labelled: int | None = None
    n_unlabelled: int | None = None
    validation: dict[str, Any] | None = None
    judgement: Judgement | None = None
    progress: Progress | None = Field(None, exclude=True)

    @property
    def share(self) -> float:
        """Share of the training that is done, in [0, 1]."""
        if self.state == "finished":
            return 1.0
        if self.progress is not None:
            return self.progress.share
        return self.epoch / self.epochs if self.epochs else 0.0

    @property
    def done_in_words(self) -> str:
        """What is done and kept, such as ``3 of 8 epochs`` or ``1 of 3 starts``."""
        return self.progress.done_in_words if self.progress else f"{self.epoch} of {self.epochs} epochs"

    @property
    def goes_on(self) -> str:
        """Where a stopped run goes on when it is resumed, such as ``epoch 4``; empty where it has to begin again."""
        if self.progress is not None:
            return self.progress.goes_on
        return "its last checkpoint" if self.epoch else ""

    @field_validator("validation")
    @classmethod
    def _scores_are_numbers(cls, validation: dict[str, Any] | None) -> dict[str, Any] | None:
        for name in SCORES:
            value = (validation or {}).get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ValueError(f"its '{name}' is not a number")
        return validation


def write_status(path: Path, status: Status) -> None:
    """Write ``status.json``, signed with this process and the time."""
    process = psutil.Process()
    stamp = {"pid": process.pid, "pid_started": process.create_time(), "updated": time.time()}
    atomic_write(path / STATUS, status.model_copy(update=stamp).model_dump_json(indent=2) + "\n")


def read_status(path: Path) -> Status:
    """Read ``status.json``; a run whose process is gone is interrupted, one without the file is queued."""
    if not (path / STATUS).exists():
        return Status()
    status = Status.model_validate_json((path / STATUS).read_bytes())
    # Setting the clock moves the start time of every process, as a suspended machine does when it wakes up; the lock
    # tells then.
    gone = status.state == "running" and not _alive(status) and not held(path / LOCK)
    state = "interrupted" if gone else status.state
    progress = None if state == "finished" else read_progress(path)
    if progress is not None and state != "running":
        progress = progress.stopped
    return status.model_copy(update={"state": state, "progress": progress})


def append_metrics(path: Path, epoch: Epoch) -> None:
    """Add an epoch to ``metrics.jsonl``."""
    append_line(path / METRICS, json.dumps(epoch.as_json()))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read ``metrics.jsonl``, an epoch each; a last line still being written is left out."""
    try:
        lines = [json.loads(line) for line in whole_lines(path / METRICS)]
        if odd := [number for number, line in enumerate(lines, 1) if not _is_epoch(line)]:
            raise ValueError(f"line {odd[0]} is not that of an epoch")
        return lines
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"{path / METRICS} cannot be read ({json_in_words(error)}); delete the run and train it again."
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path / METRICS} cannot be read ({error}); delete the run and train it again.") from error


def _is_epoch(line: Any) -> bool:
    """Whether this is what :func:`append_metrics` writes, as far as figures and tables need it."""
    needed = ("epoch", "elbo_unlabelled", "elbo_labelled", "validation_accuracy")
    if not isinstance(line, dict) or type(line.get("epoch")) is not int:
        return False
    return all(name in line and (line[name] is None or type(line[name]) in (int, float)) for name in needed)


def truncate_metrics(path: Path, epoch: int) -> None:
    """Drop what ``metrics.jsonl`` holds after ``epoch``, and a line that was never finished."""
    if (path / METRICS).exists():
        kept = [line for line in read_metrics(path) if line["epoch"] <= epoch]
        atomic_write(path / METRICS, "".join(json.dumps(line) + "\n" for line in kept))


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write ``validation.npz``; factor ``f`` is the array ``factors/f``."""
    write_npz(path / VALIDATION, prediction_arrays(predictions))


def prediction_arrays(predictions: Predictions) -> dict[str, np.ndarray]:
    """Return predictions as they are kept in a file."""
    return {name: getattr(predictions, name) for name in PREDICTION_ARRAYS} | factor_arrays(predictions)


def factor_arrays(predictions: Predictions) -> dict[str, np.ndarray]:
    """Return the factors under the names that they have in a file: ASCII, other characters as in a web address."""
    return {
        FACTOR + "".join(c if c.isascii() and c != "%" else quote(c) for c in name): values
        for name, values in predictions.factors.items()
    }


def read_predictions(path: Path) -> Predictions:
    """Read ``validation.npz``."""
    return predictions_of(read_npz(path / VALIDATION, PREDICTION_ARRAYS))


def predictions_of(arrays: dict[str, np.ndarray]) -> Predictions:
    """Return the predictions of :func:`prediction_arrays`; other arrays are left alone."""
    factors = {unquote(name.removeprefix(FACTOR)): values for name, values in arrays.items() if name.startswith(FACTOR)}
    return Predictions(**{name: arrays[name] for name in PREDICTION_ARRAYS}, factors=factors)


def write_snapshots(path: Path, snapshots: list[tuple[int, Snapshot]]) -> None:
    """Write ``snapshots.npz``: ``epochs`` (E,), ``ids`` (T,), ``z_mean`` (E, T, D), ``class_prob`` (E, T, K)."""
    if not snapshots:
        (path / SNAPSHOTS).unlink(missing_ok=True)
        return
    epochs, frames = zip(*snapshots, strict=True)
    arrays = {name: np.stack([getattr(frame, name) for frame in frames]) for name in ("z_mean", "class_prob")}
    write_npz(path / SNAPSHOTS, {"epochs": np.array(epochs), "ids": frames[0].ids} | arrays)


def read_snapshots(path: Path) -> list[tuple[int, Snapshot]]:
    """Read ``snapshots.npz``: the epochs and the tracked images at each, oldest first."""
    if not (path / SNAPSHOTS).exists():
        return []
    arrays = read_npz(path / SNAPSHOTS, ["epochs", "ids", "z_mean", "class_prob"])
    frames = zip(arrays["epochs"], arrays["z_mean"], arrays["class_prob"], strict=True)
    return [(int(epoch), Snapshot(arrays["ids"], z_mean, class_prob)) for epoch, z_mean, class_prob in frames]


def write_manifold(path: Path, images: np.ndarray) -> None:
    """Write ``manifold.npz``: ``images`` (K, d, d, C, H, W), uint8."""
    write_npz(path / MANIFOLD, {"images": images})


def read_manifold(path: Path) -> np.ndarray | None:
    """Read ``manifold.npz``; None where it was never written."""
    return read_npz(path / MANIFOLD, ["images"])["images"] if (path / MANIFOLD).exists() else None


def read_thumbnails(path: Path) -> dict[str, np.ndarray] | None:
    """Read ``thumbnails.npz``: ``ids`` (N,) and ``images`` (N, H, W) or (N, H, W, 3), uint8; None where it is not."""
    return read_npz(path / THUMBNAILS, ["ids", "images"]) if (path / THUMBNAILS).exists() else None


def _alive(status: Status) -> bool:
    """Whether the process that signed the status still lives (and is not another one with its number)."""
    if status.pid is None or status.pid_started is None:
        return False
    try:
        process = psutil.Process(status.pid)
        return (
            abs(process.create_time() - status.pid_started) < _CLOCK_SLACK and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False
