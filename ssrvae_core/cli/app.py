"""What the commands share: the application, their common options, and configurations from options."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer
from pydantic import BaseModel

from ssrvae_core.cli.console import say
from ssrvae_core.config import DATASETS, DatasetConfig, UserError
from ssrvae_core.paths import located
from ssrvae_core.runs import EmbeddingRun, Run, RunStore
from ssrvae_core.runs.comparison import RIVALS_DIRECTORY
from ssrvae_core.runs.data_files import EMBEDDINGS
from ssrvae_core.runs.job import JOBS
from ssrvae_core.runs.store import is_run_id
from ssrvae_core.runs.sweep_table import SWEEPS
from ssrvae_core.runs.uploads import FOLDER

if TYPE_CHECKING:
    from ssrvae_core.data import Images, ImageSet
    from ssrvae_core.data.readers import ImageFile
    from ssrvae_core.data.summary import Summary
    from ssrvae_core.runs.execute import Loader

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
SkipMissing = Annotated[
    bool, typer.Option("--skip-missing", help="Pass over the rows of a labels.csv whose picture is not there.")
]
ShownView = Annotated[View | None, typer.Option("--view", help="The image, its silhouette, or its inside alone.")]
GroupSplit = Annotated[bool, typer.Option("--group-split", help="Hold out whole groups (micrographs).")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any setting, such as model.latent_dim=3.")
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Queue it as a job that outlives this terminal, and print the job's id.")
]

RESUMES = "the same command goes on from the last checkpoint"
"""What is true of a training on this machine that is interrupted."""

KEPT = (JOBS, SWEEPS, RIVALS_DIRECTORY, FOLDER, EMBEDDINGS)
"""Folders of a store beside its runs."""


def setting(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` with a JSON value; what is not JSON is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text} has no value; write it as NAME=VALUE, such as --set model.latent_dim=3.")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), value


def file_data(data: str, shown: View | None, skip_missing: bool = False) -> tuple[DatasetConfig, Loader]:
    """Tell what is in an image file; return its configuration, and a loader that does not read it again.

    The loader gives the images that were read once, and lets them go.
    """
    from ssrvae_core.data import load
    from ssrvae_core.data.views import view

    waiting = [opened_file(data, skip_missing)]
    tell(waiting[0])
    config = waiting[0].config(shown or "image", skip_missing)

    def images(dataset: DatasetConfig) -> ImageSet:
        return view(waiting.pop().images(dataset.intensity), dataset.view) if waiting else load(dataset)

    return config, images


def opened_file(data: str, skip_missing: bool = False, *, held: bool = True) -> ImageFile:
    """Read an image file or a folder that a user names; complain of what is not one."""
    from ssrvae_core.data.readers import open_images

    return open_images(_image_file(data), skip_missing, held=held)


def tell(opened: ImageFile) -> Summary:
    """Tell, a line each, what was read from an image file."""
    from ssrvae_core.data.summary import summary

    found = summary(opened)
    print(f"{opened.path}:")
    for line in found.lines():
        print(f"  {line}")
    return found


class Asked(NamedTuple):
    """Images to ask a run about, their configuration, and what tells whether they are the run's own data."""

    images: Images
    config: DatasetConfig
    is_own: Callable[[], bool]


def images_for(
    run: Run | EmbeddingRun, data: str, skip_missing: bool = False, *, generated: bool = True, held: bool = True
) -> Asked:
    """Return images to ask a run or an embedding about, in its view.

    Those of an image file are on the scale of the run's own images. Generated images have no scale that a file's
    integers could be on; those are on their own. ``generated`` is whether a data set's name is taken as well,
    and ``held`` whether the images have to be such as can be held in memory.
    """
    from ssrvae_core.data import in_batches
    from ssrvae_core.data.seen import scale_for, seen_by

    own = run.config.dataset
    if generated and data in DATASETS:
        chosen = DATASETS[data].model_copy(update={"view": own.view})
        return Asked(in_batches(chosen), chosen, lambda: chosen == own)
    if located(data) is None and data == run.data_name:  # as lists and pages call it, wherever it lies here
        data = run.dataset.path or data
    opened = opened_file(data, skip_missing, held=held)
    tell(opened)
    scale = scale_for(own, opened)
    if scale != (opened.scale.black, opened.scale.white):
        kind = "run" if isinstance(run, Run) else "embedding"
        black, white = scale
        print(f"  the {kind} sees grey levels from {black:g} (black) to {white:g} (white), as those of its own images")
    images, config = seen_by(own, opened, skip_missing)
    return Asked(images, config, lambda: opened.holds(own))


def setting_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names that ``--set`` takes."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from setting_names(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


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
    """Refuse to write among what the store keeps or the images that are read, and over what is not a plain file."""
    path, root = _real(out), _real(store.root)
    first, *_ = (*path.relative_to(root).parts, "") if path.is_relative_to(root) else ("",)
    if first in KEPT or is_run_id(first):
        raise UserError(f"{out} is in what the store {store.root} keeps; choose another place with --out.")
    if source is not None and path.is_relative_to(_real(source)):  # also in a folder: a new file there makes it another
        raise UserError(f"{out} is among the images that are read; choose another place with --out.")
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f"{out} is there and is not a plain file; choose another name with --out.")


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
