"""The run store: one directory a run, named for the hash of its configuration. Disk is the truth.

:mod:`ssrvae_core.runs.directory` says what a run directory holds. Importing this module, and listing a store, needs
neither torch nor pandas.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from ssrvae_core.config import DatasetConfig, Frozen, RunConfig, UserError, describe
from ssrvae_core.records import Particles, Predictions, Snapshot
from ssrvae_core.runs import directory, particle_file
from ssrvae_core.runs.about import About, read_about
from ssrvae_core.runs.data_files import EMBEDDINGS, dataset_name, readable
from ssrvae_core.runs.directory import Status
from ssrvae_core.runs.files import atomic_write, held, writing
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.shelf import Shelf, is_id

if TYPE_CHECKING:
    from ssrvae_core.models.ssvae import SSVAE

Config = TypeVar("Config", bound=Frozen)


def is_run_id(name: str) -> bool:
    """Whether a name is one that a run's directory has."""
    return is_id(name)


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
    def labels_in_words(self) -> str:
        """How many labels it has, as the split asks for them; where it asks for all, their number once it is known."""
        return self.config.split.labels_in_words(self.status.n_labelled)

    @property
    def data_name(self) -> str:
        """Name of the data set, see :func:`ssrvae_core.config.data_name`; an uploaded file's own."""
        return dataset_name(self.config.dataset, self.path.parent)

    @property
    def dataset(self) -> DatasetConfig:
        """The data set with a path that can be read here, see :func:`ssrvae_core.runs.data_files.readable`."""
        return readable(self.config.dataset, self.path.parent)

    @property
    def about(self) -> About:
        """What people call the run and note of it, see :mod:`ssrvae_core.runs.about`."""
        return read_about(self.path)

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

    def particles(self) -> Particles | None:
        """Return what the trained model says of every image of its data, None where that was never written.

        :func:`ssrvae_core.runs.everything.write_particles` writes it for a run of an earlier version.

        Raises
        ------
        UserError
            If ``particles.npz`` cannot be read.
        """
        return particle_file.read(self.path) if self.status.state == "finished" else None

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
        embeddings = Shelf(self.root / EMBEDDINGS, self.root, "embedding", "an", "embeddings")
        self._shelf = Shelf(self.root, self.root, "run", "a", "list", embeddings)

    def path(self, run_id: str) -> Path:
        """Return the directory of a run, which need not exist.

        Raises
        ------
        UserError
            If ``run_id`` is not 12 hex digits.
        """
        return self._shelf.path(run_id)

    def scan(self) -> tuple[list[Run], list[BrokenRun]]:
        """Read every run directory: the runs, last updated first, and those that cannot be read.

        One that a training is just making, and that has no configuration yet, is neither.
        """
        runs, broken = [], []
        for run_id in self._shelf.ids():
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
        run = _read(self.root / self._shelf.resolve(run_id))
        if isinstance(run, BrokenRun):
            raise UserError(f"Run {run.id} in {self.root} is broken: {run.reason}")
        return run

    def has(self, prefix: str) -> bool:
        """Whether the id of a run begins with these digits."""
        return bool(prefix) and bool(self._shelf.matches(prefix))

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
        return self._shelf.delete(run_id)


def _read(path: Path) -> Run | BrokenRun:
    """Read a run directory, or say why it cannot be read."""
    found = read_parts(path, RunConfig)
    return found if isinstance(found, BrokenRun) else Run(path.name, path, *found)


def read_parts(path: Path, model: type[Config]) -> tuple[Config, Status] | BrokenRun:
    """Read configuration and status of what is trained in a directory, or say why they cannot be read."""
    name = directory.CONFIG
    try:
        config = model.model_validate_json((path / directory.CONFIG).read_bytes())
        name = directory.STATUS
        return config, directory.read_status(path)
    except FileNotFoundError:
        return BrokenRun(path.name, path, f"{name} is missing.", incomplete=True)
    except OSError as error:
        return BrokenRun(path.name, path, f"{name} cannot be read: {error.strerror}.")
    except ValidationError as error:
        return BrokenRun(path.name, path, f"{name}: {describe(error)[:300]}")
