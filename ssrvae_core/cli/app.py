"""What the commands share: the application, their common options, and configurations from options."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ssrvae_core.cli.console import say
from ssrvae_core.config import DATASETS, DatasetConfig, UserError
from ssrvae_core.paths import located
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.comparison import RIVALS_DIRECTORY
from ssrvae_core.runs.job import JOBS
from ssrvae_core.runs.store import is_run_id
from ssrvae_core.runs.sweep_table import SWEEPS
from ssrvae_core.runs.uploads import FOLDER

app = typer.Typer(
    help="Semi-supervised, rotationally invariant variational autoencoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or the beginning of it.")]
Store = Annotated[Path | None, typer.Option("--store", help="Directory of the runs; else $SSRVAE_STORE, else runs/.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps, or auto: $SSRVAE_DEVICE, else the best there is.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")]
View = Literal["image", "mask", "masked"]

RESUMES = "the same command goes on from the last checkpoint"
"""What is true of a training on this machine that is interrupted."""

KEPT = (JOBS, SWEEPS, RIVALS_DIRECTORY, FOLDER)
"""Folders of a store beside its runs."""


def setting(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` with a JSON value; what is no JSON is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text} has no value; write it as NAME=VALUE, such as --set model.latent_dim=3.")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), value


def file_config(data: str, view: View | None) -> DatasetConfig:
    """Return the configuration of an image file; complain of what is neither a file nor a data set."""
    from ssrvae_core.data.readers import file_dataset

    return file_dataset(_image_file(data), **({"view": view} if view else {}))


def seen_by(run: Run, data: str) -> DatasetConfig:
    """Return the configuration of a named data set or an image file to ask a run about, in the run's view."""
    if data in DATASETS:
        return DATASETS[data].model_copy(update={"view": run.config.dataset.view})
    return file_as_seen_by(run, data)


def file_as_seen_by(run: Run, data: str) -> DatasetConfig:
    """Return the configuration of an image file to ask a run about: in the view and on the scale of its own images.

    Generated images have no scale that a file's integers could be on; those are on their own.
    """
    from ssrvae_core.data.readers import fingerprint, integer_range

    own = run.config.dataset
    if located(data) is None and data == run.data_name:  # as lists and pages call it, wherever it lies here
        data = run.dataset.path or data
    path = _image_file(data)
    intensity = own.intensity if own.source == "file" else integer_range(path)
    return DatasetConfig(source="file", path=str(path), sha256=fingerprint(path), view=own.view, intensity=intensity)


def _image_file(data: str) -> Path:
    path = located(data)
    if path is None and data in DATASETS:
        raise UserError(f"'{data}' is a data set's name; give a file or a folder of images.")
    if path is None:
        named = ", ".join(DATASETS)
        raise UserError(
            f"There is no file '{data}'; give a file or a folder, or where a data set is taken, one of {named}."
        )
    return path.resolve()


def spare(out: Path, store: RunStore, source: str | None = None) -> None:
    """Refuse to write among what the store keeps or among the images that are read, and over what is no plain file."""
    path, root = _real(out), _real(store.root)
    first, *_ = (*path.relative_to(root).parts, "") if path.is_relative_to(root) else ("",)
    if first in KEPT or is_run_id(first):
        raise UserError(f"{out} is in what the store {store.root} keeps; choose another place with --out.")
    if source is not None and path.is_relative_to(_real(source)):  # also in a folder: a new file there makes it another
        raise UserError(f"{out} is among the images that are read; choose another place with --out.")
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f"{out} is there and is no plain file; choose another name with --out.")


def _real(path: str | Path) -> Path:
    """Return a path without links; unlike pathlib's own, it takes every name."""
    return Path(os.path.realpath(os.path.expanduser(path)))


@contextmanager
def interruptible(advice: str = RESUMES) -> Iterator[None]:
    """Say that nothing is lost, and leave with the shell's code for an interrupt."""
    try:
        yield
    except KeyboardInterrupt as error:
        say(f"Interrupted; {advice}.")
        raise typer.Exit(130) from error
