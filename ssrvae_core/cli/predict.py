"""The command that asks a trained model about images: ``predict``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssrvae_core.cli.app import Device, Json, RunId, SkipMissing, Store, app, images_for, interruptible, spare
from ssrvae_core.cli.console import epoch_progress, print_json, say
from ssrvae_core.cli.jobs import Lock
from ssrvae_core.cli.judge import say_who_is_not_asked
from ssrvae_core.config import UserError
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.catching_up import COMMAND

if TYPE_CHECKING:
    from ssrvae_core.records import Particles


@app.command()
def predict(
    run_id: RunId,
    out: Annotated[Path, typer.Option(help="The table to write: .csv or .parquet.")],
    images: Annotated[
        str | None,
        typer.Argument(
            metavar="[IMAGES]", help="What 'train' takes as --data, or more: a file, a folder or a data set's name."
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All images of the run's own data: labelled, unlabelled and validation.")
    ] = False,
    watch: Annotated[
        Path | None,
        typer.Option(help="A folder: classify its files, and every one that is new or overwritten, until Ctrl-C."),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks at the watched folder.")] = 2.0,
    skip_missing: SkipMissing = False,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Predict class, angle and latents of images, and write them as a table with a row per image.

    Labels are not needed. Outlier scores are measured by what is usual among the run's own images.

    With --watch a file is classified once it has stopped growing. One that was overwritten is classified again, and its
    former rows are replaced; the rows of one that was deleted or renamed stay, and under its new name it is a new file.
    """
    from ssrvae_core.runs.tables import check_kind

    if (images is not None) + every + (watch is not None) != 1:
        raise UserError("'predict' needs one of three: IMAGES, --all or --watch FOLDER; give exactly one of them.")
    runs = RunStore(store)
    run = runs.get(run_id)
    spare(out, runs, images or (run.dataset.path if watch is None else str(watch)))
    check_kind(out)
    if watch is not None:
        from ssrvae_core.cli.watch import watch_folder

        watch_folder(run, watch, out, interval, device, as_json)
        return
    with interruptible("nothing was written"):
        if images is None:
            _everything(run, out, device, as_json)
        else:
            _others(run, images, out, skip_missing, device, as_json)


@app.command(COMMAND, hidden=True)
def classify_all(run_id: RunId, lock: Lock, store: Store = None) -> None:
    """Classify all images of a run of an earlier version. The dashboard starts this."""
    from ssrvae_core.runs.catching_up import work

    work(RunStore(store), run_id, lock)


def _everything(run: Run, out: Path, device: str, as_json: bool) -> None:
    """Write the table of a run's own images; classify them where the run does not hold that yet."""
    from ssrvae_core.records import PARTS
    from ssrvae_core.runs.tables import write_table

    particles = _kept(run) or _made(run, device)
    write_table(out, particles, run.class_names)
    counts = {part: int((particles.part == number).sum()) for number, part in enumerate(PARTS)}
    told = ", ".join(f"{count} {part}" for part, count in counts.items())
    print(f"Wrote the classes of all {len(particles):,} images of run {run.id} to {out}: {told}.")
    if as_json:
        print_json({"id": run.id, "images": len(particles), **counts, "out": str(out)})


def _kept(run: Run) -> Particles | None:
    try:
        return run.particles()
    except UserError as error:
        say(f"{str(error).partition(';')[0]}; classifying the images again.")
        return None


def _made(run: Run, device: str) -> Particles:
    """Classify all images of a run, and keep the result in the store where it can be written."""
    from ssrvae_core.runs import everything

    with _bar() as tell:
        particles = everything.particles_of(run, device, tell)
    try:
        everything.keep(run, particles)
    except UserError as error:
        say(str(error))  # the table can be written all the same
    return particles


def _others(run: Run, images: str, out: Path, skip_missing: bool, device: str, as_json: bool) -> None:
    """Write the table of images that are given."""
    from ssrvae_core.data import naming
    from ssrvae_core.runs.everything import classify_others, usual_of
    from ssrvae_core.runs.tables import write_table

    model = run.model(device)
    asked = images_for(run, images, skip_missing, held=False)
    say_who_is_not_asked(model, asked.images.has_masks)
    with naming(asked.config), _bar() as tell:
        particles = classify_others(model, asked.images, usual_of(run), tell)
    write_table(out, particles, run.class_names, label_names=asked.images.class_names)
    n = len(asked.images)
    print(f"Wrote the predictions of {n:,} {'image' if n == 1 else 'images'} to {out}.")
    if as_json:
        print_json({"id": run.id, "images": n, "out": str(out)})


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar of the images that are done; yields what to call with them and with how many there are."""
    with epoch_progress() as progress:
        task = progress.add_task("classifying", total=1.0, at="", news="")

        def tell(done: int, n: int) -> None:
            progress.update(task, completed=done / n, at=f"{done:,} of {n:,} images")

        yield tell
        progress.update(task, completed=1.0)
