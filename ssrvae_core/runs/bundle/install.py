"""From a bundle into a store: everything is verified before anything is written."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ssrvae_core.config import UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.bundle.archive import Refusal
from ssrvae_core.runs.bundle.check import check_run
from ssrvae_core.runs.bundle.manifest import Bundle, Files
from ssrvae_core.runs.bundle.weights import Weights, read_weights
from ssrvae_core.runs.files import atomic_write, locked
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.store import RunStore

ADDED = (directory.PARTICLES, directory.THUMBNAILS)
"""Files of a bundle that a run which is there already gets where it lacks them."""

STAGING = ".import"
"""Directory of the store in which runs are put together; it is not named as a run is."""


@dataclass(frozen=True)
class ImportReport:
    """What became of a bundle's runs.

    Attributes
    ----------
    imported : tuple of str
        Ids of the runs that are new in the store.
    already_there : tuple of str
        Ids of those the store had, with the same weights; they were left untouched, but for files that they lacked:
        small pictures, and what the run says of all its images.
    pictured : tuple of str
        Ids among the latter that had no small pictures and got those of the bundle.
    """

    imported: tuple[str, ...]
    already_there: tuple[str, ...]
    pictured: tuple[str, ...] = ()


def import_bundle(bundle: Path | bytes, store: RunStore) -> ImportReport:
    """Put the runs of a bundle into a store: all of them, or none.

    Parameters
    ----------
    bundle : Path or bytes
        A file of :func:`~ssrvae_core.runs.bundle.export_bundle`, or its content.
    store : RunStore
        Where the runs go.

    Raises
    ------
    UserError
        If anything in the bundle is not as it must be, or the store has a run of the same id that is not the same or
        not finished; the store is then untouched. Or if this is read-only, or the store cannot be written.
    """
    require_editor()
    return unpack_bundle(bundle, store)


def unpack_bundle(bundle: Path | bytes, store: RunStore) -> ImportReport:
    """Do as :func:`import_bundle` does for a store of the program's own; also if it is read-only."""
    with _opened(bundle) as (file, name):
        new: list[str] = []
        there: list[str] = []
        pictured: list[str] = []
        richer: list[tuple[str, str]] = []  # runs that are there, and a file that they lack there
        try:
            contents = Bundle(file)
            for run_id, files in contents.runs():
                known = _verify(run_id, files, store)
                (there if known else new).append(run_id)
                lacking = [name for name in ADDED if name in files and not (store.path(run_id) / name).exists()]
                if known and lacking:
                    richer += [(run_id, name) for name in lacking]
                    pictured += [run_id] * (directory.THUMBNAILS in lacking)
            if len({*new, *there}) < len(new) + len(there):
                raise Refusal("it holds a run twice")
            if new:
                _install(contents, new, store)
            for run_id, files in contents.runs() if richer else ():
                for name in ADDED:
                    if (run_id, name) in richer:
                        atomic_write(store.path(run_id) / name, files[name])
        except Refusal as reason:
            raise UserError(f"Nothing of {name} was imported and the store is as it was: {reason}.") from reason
        except OSError as error:
            what = error.strerror or type(error).__name__
            raise UserError(
                f"The store {store.root} cannot take the runs of {name} ({what}); make room or choose another store."
            ) from error
    return ImportReport(tuple(new), tuple(there), tuple(pictured))


@contextmanager
def _opened(bundle: Path | bytes) -> Iterator[tuple[IO[bytes], str]]:
    """Open a bundle, and say how to call it."""
    if isinstance(bundle, bytes):
        yield io.BytesIO(bundle), "the bundle"
        return
    if not os.path.isfile(bundle):
        raise UserError(f"There is no bundle '{bundle}'; give a file that 'export' has written.")
    try:
        file = bundle.open("rb")
    except OSError as error:
        raise UserError(f"The bundle '{bundle}' cannot be opened ({error.strerror}); check its permissions.") from error
    with file:
        yield file, f"'{bundle}'"


def _verify(run_id: str, files: Files, store: RunStore) -> bool:
    """Check a run, and return whether the store has it already."""
    try:
        weights = check_run(files)
    except Refusal as reason:
        raise Refusal(f"in run {run_id}, {reason}") from reason
    return os.path.lexists(store.path(run_id)) and _is_there(run_id, weights, store)


def _is_there(run_id: str, weights: Weights, store: RunStore) -> bool:
    """Whether the store's run is the bundle's; any other of its id must not be taken for it."""
    try:
        run = store.get(run_id)
    except UserError as error:
        raise Refusal(f"the store has something called {run_id} already that is not a readable run") from error
    if run.status.state != "finished":
        raise Refusal(f"the store has run {run_id} already, and it is {run.status.state} there")
    kept = read_weights((run.path / directory.WEIGHTS).read_bytes(), f"the {directory.WEIGHTS} of the store's own run")
    if kept.digest() != weights.digest():
        raise Refusal(f"the store has run {run_id} already, with other weights")
    return True


def _install(contents: Bundle, new: list[str], store: RunStore) -> None:
    """Write the new runs to disk beside the others, then give each its name."""
    staging = store.root / STAGING
    with locked(staging / directory.LOCK, wait=True):
        try:
            for leftover in staging.iterdir():  # of an import that was killed
                if leftover.is_dir():
                    shutil.rmtree(leftover)
            for run_id, files in contents.runs():
                if run_id in new:
                    (staging / run_id).mkdir()
                    for name, content in files.items():
                        atomic_write(staging / run_id / name, content)
            for run_id in new:
                (staging / run_id).rename(store.path(run_id))
        finally:
            shutil.rmtree(staging)
