"""What the commands share: the application, their common options, and configurations from options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ssrvae_core.cli.console import say
from ssrvae_core.config import DATASETS, DatasetConfig, UserError
from ssrvae_core.paths import located
from ssrvae_core.runs import Run, RunStore

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


def file_as_seen_by(run: Run, data: str) -> DatasetConfig:
    """Return the configuration of an image file to ask a run about: in the view and on the scale of its own images."""
    from ssrvae_core.data.readers import fingerprint

    path, own = _image_file(data), run.config.dataset
    return DatasetConfig(
        source="file", path=str(path), sha256=fingerprint(path), view=own.view, intensity=own.intensity
    )


def _image_file(data: str) -> Path:
    path = located(data)
    if path is None:
        raise UserError(f"There is no file '{data}'; the named data sets, for 'train', are {', '.join(DATASETS)}.")
    return path.resolve()


def spare(out: Path, store: RunStore, source: str | None = None) -> None:
    """Refuse to write over a file of the store, or over the images that are read."""
    path, root = out.expanduser().resolve(), store.root.resolve()
    if not path.exists():
        return
    if path.is_relative_to(root) and path.parent != root:
        raise UserError(f"{out} is a file of the store {store.root}; choose another name with --out.")
    if source is not None and path == Path(source).expanduser().resolve():
        raise UserError(f"{out} holds the images themselves; choose another name with --out.")


@contextmanager
def interruptible(advice: str = RESUMES) -> Iterator[None]:
    """Say that nothing is lost, and leave with the shell's code for an interrupt."""
    try:
        yield
    except KeyboardInterrupt as error:
        say(f"Interrupted; {advice}.")
        raise typer.Exit(130) from error
