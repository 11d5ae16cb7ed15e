"""The run store: one directory a run, named for the hash of its configuration. Disk is the truth.

:mod:`ssrvae_core.runs.directory` says what a run directory holds. Importing this module, and listing a store, needs
neither torch nor pandas.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ssrvae_core.config import DatasetConfig, RunConfig, UserError, describe
from ssrvae_core.records import Predictions, Snapshot
from ssrvae_core.runs import directory
from ssrvae_core.runs.data_files import dataset_name, readable
from ssrvae_core.runs.directory import Status
from ssrvae_core.runs.files import atomic_write, held, locked, remove_directory, writing
from ssrvae_core.runs.mode import require_editor

if TYPE_CHECKING:
    from ssrvae_core.models.ssvae import SSVAE

_ID = re.compile(r"[0-9a-f]{12}")
_PREFIX = re.compile(r"[0-9a-f]{1,12}")


def is_run_id(name: str) -> bool:
    """Whether a name is one that a run's directory has."""
    return _ID.fullmatch(name) is not None


@dataclass(frozen=True)
class Run:
    """One run, as its directory was when it was read.

    Attributes
    ----------
    id : str
        12 hex digits, :attr:`ssrvae_core.config.RunConfig.run_id` when it was trained; a later version of the program
        with more settings would give its configuration another one.
    path : Path
        The run's directory.
    config : RunConfig
        What it trains.
    status : Status
        How far it is. A run whose process is gone reads as interrupted.
    """

    id: str
    path: Path
    config: RunConfig
    status: Status

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of class ``k`` at position ``k``; empty before the data were first loaded."""
        return self.status.class_names

    @property
    def accuracy(self) -> float | None:
        """Accuracy on the validation images; None before the end, or where no image has a label."""
        return (self.status.validation or {}).get("accuracy")

    @property
    def data_name(self) -> str:
        """Name of the data set, see :func:`ssrvae_core.config.data_name`; an uploaded file's own."""
        return dataset_name(self.config.dataset, self.path.parent)

    @property
    def dataset(self) -> DatasetConfig:
        """The data set with a path that can be read here, see :func:`ssrvae_core.runs.data_files.readable`."""
        return readable(self.config.dataset, self.path.parent)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the lines of ``metrics.jsonl``: the fields of :class:`ssrvae_core.records.Epoch`, an epoch each."""
        return directory.read_metrics(self.path)

    def predictions(self) -> Predictions:
        """Return what the trained model says of the validation images.

        Raises
        ------
        UserError
            If the run has not finished, or its ``validation.npz`` cannot be read.
        """
        if self.status.state != "finished":
            raise UserError(f"Run {self.id} has no predictions: it is {self.status.state}; train it to the end first.")
        self._check_has(directory.VALIDATION)
        return directory.read_predictions(self.path)

    def snapshots(self) -> list[tuple[int, Snapshot]]:
        """Return the epochs kept for the training film and the tracked images at each, oldest first."""
        return directory.read_snapshots(self.path)

    def model(self, device: str = "auto") -> SSVAE:
        """Load the trained model.

        Parameters
        ----------
        device : str
            Where it goes, see :func:`ssrvae_core.training.device.choose_device`.

        Raises
        ------
        UserError
            If the run has not finished, or its weights cannot be read.
        """
        if self.status.state != "finished":
            raise UserError(
                f"Run {self.id} has no trained model: it is {self.status.state}; train it to the end first."
            )
        self._check_has(directory.WEIGHTS)
        from ssrvae_core.models.checkpoint import load_model
        from ssrvae_core.training.device import choose_device

        return load_model(self.path / directory.WEIGHTS, choose_device(device))

    def _check_has(self, name: str) -> None:
        """Refuse a finished run that has lost a file."""
        if not (self.path / name).exists():
            raise UserError(f"Run {self.id} has lost its {name}; delete the run and train it again.")

    def cancel(self) -> None:
        """Ask the process that trains the run to stop after the current step.

        Raises
        ------
        UserError
            If nobody trains it, or this is a viewer.
        """
        require_editor()
        if self.status.state != "running":
            raise UserError(f"Run {self.id} is {self.status.state}, so there is nothing to cancel.")
        with writing(f"The store {self.path.parent}"):
            atomic_write(self.path / directory.CANCEL, "")


@dataclass(frozen=True)
class BrokenRun:
    """A run directory that cannot be read, and why: one sentence; ``incomplete`` where a file is missing."""

    id: str
    path: Path
    reason: str
    incomplete: bool = False


class RunStore:
    """A directory of runs.

    Parameters
    ----------
    root : Path or str, optional
        The directory; by default ``$SSRVAE_STORE``, else ``runs``. It is made when the first run is.
    """

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = Path(os.path.expanduser(root or os.environ.get("SSRVAE_STORE") or "runs"))  # takes every name

    def path(self, run_id: str) -> Path:
        """Return the directory of a run, which need not exist.

        Raises
        ------
        UserError
            If ``run_id`` is not 12 hex digits.
        """
        if not is_run_id(run_id):
            raise UserError(f"'{run_id}' is no run id: give the 12 hex digits that 'python -m ssrvae_core list' shows.")
        return self.root / run_id

    def scan(self) -> tuple[list[Run], list[BrokenRun]]:
        """Read every run directory: the runs, last updated first, and those that cannot be read.

        One that a training is just making, and that has no configuration yet, is neither.
        """
        runs, broken = [], []
        for run_id in self._ids():
            run = _read(self.root / run_id)
            if isinstance(run, Run):
                runs.append(run)
            elif not (run.incomplete and held(run.path / directory.LOCK)):
                broken.append(run)
        return sorted(runs, key=lambda run: (-run.status.updated, run.id)), broken

    def runs(self) -> list[Run]:
        """Return the readable runs, last updated first."""
        return self.scan()[0]

    def get(self, run_id: str) -> Run:
        """Return one run by its id or the beginning of it.

        Raises
        ------
        UserError
            If no run, more than one, or a broken one answers to it.
        """
        run = _read(self.root / self._resolve(run_id))
        if isinstance(run, BrokenRun):
            raise UserError(f"Run {run.id} in {self.root} is broken: {run.reason}")
        return run

    def find(self, config: RunConfig) -> Run | None:
        """Return the run of exactly this configuration, or None if it is not in the store or is broken."""
        path = self.path(config.run_id)
        run = _read(path) if os.path.isdir(path) else None  # also where the store may not be looked into
        return run if isinstance(run, Run) and run.config.run_id == config.run_id else None

    def delete(self, run_id: str) -> str:
        """Delete a run, broken or not, by its id or the beginning of it, and return its id.

        Raises
        ------
        UserError
            If there is no such run, it is being trained, the store cannot be written, or this is a viewer.
        """
        require_editor()
        path = self.root / self._resolve(run_id)
        try:
            with locked(path / directory.LOCK, wait=False):
                remove_directory(path)
        except BlockingIOError as error:
            raise UserError(f"Run {path.name} is being trained; stop it before you delete it.") from error
        except OSError as error:
            raise UserError(f"Run {path.name} in {self.root} cannot be deleted: {error.strerror}.") from error
        return path.name

    def _ids(self) -> Iterable[str]:
        """Names that are run ids; links are left out, as they may lead out of the store."""
        try:
            with os.scandir(self.root) as entries:
                return sorted(e.name for e in entries if _ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"The store {self.root} cannot be read: {error.strerror}.") from error

    def _resolve(self, prefix: str) -> str:
        if not _PREFIX.fullmatch(prefix):
            raise UserError(f"'{prefix}' is no run id: give (the beginning of) 12 hex digits, as 'list' shows them.")
        matches = [run_id for run_id in self._ids() if run_id.startswith(prefix)]
        if not matches:
            raise UserError(f"There is no run {prefix} in the store {self.root}; 'list' shows those there are.")
        if len(matches) > 1:
            raise UserError(
                f"'{prefix}' is the beginning of {len(matches)} runs ({', '.join(matches)}); give more digits."
            )
        return matches[0]


def _read(path: Path) -> Run | BrokenRun:
    """Read a run directory, or say why it cannot be read."""
    name = directory.CONFIG
    try:
        config = RunConfig.model_validate_json((path / directory.CONFIG).read_bytes())
        name = directory.STATUS
        status = directory.read_status(path)
    except FileNotFoundError:
        return BrokenRun(path.name, path, f"{name} is missing.", incomplete=True)
    except OSError as error:
        return BrokenRun(path.name, path, f"{name} cannot be read: {error.strerror}.")
    except ValidationError as error:
        return BrokenRun(path.name, path, f"{name}: {describe(error)[:300]}")
    return Run(path.name, path, config, status)
