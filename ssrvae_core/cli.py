"""The command line: ``python -m ssrvae_core``.

Results go to stdout, everything else to stderr. With ``--json`` the last line of stdout is the result as JSON. An error
the user can mend is one line on stderr and exit code 2. Heavy packages are imported where they are used: ``list``
needs none of them.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from pydantic import BaseModel
from rich.table import Table

from ssrvae_core.config import (
    DATASETS,
    DEMO_MODELS,
    DEMO_PRESET,
    DEMO_RATIOS,
    MODELS,
    PRESETS,
    SELF_TEST,
    DatasetConfig,
    RunConfig,
    UserError,
    run_config,
)
from ssrvae_core.console import (
    accuracy_of,
    epoch_progress,
    percent,
    print_evaluation,
    print_json,
    print_table,
    say,
    summary_row,
)
from ssrvae_core.runs import Run, RunStore

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ssrvae_core.data import ImageSet
    from ssrvae_core.records import Epoch


def _setting_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names that ``--set`` takes."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _setting_names(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


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


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 2 for what the user can mend, 130 when interrupted."""
    try:
        app(arguments)
        sys.exit()
    except UserError as error:
        say("Error: " + " ".join(str(error).split()))
        sys.exit(2)


@app.command()
def demo(store: Store = None, device: Device = "auto", as_json: Json = False) -> None:
    """Train a small sweep: both models at several shares of labelled images. Finished runs are not trained again."""
    runs_in = RunStore(store)
    configs = [
        run_config(preset=DEMO_PRESET, model=model, labelled_ratio=ratio)
        for model in DEMO_MODELS
        for ratio in DEMO_RATIOS
    ]
    missing = [config for config in configs if not _is_finished(runs_in, config)]
    if missing:
        with _interruptible(), epoch_progress() as progress:
            task = progress.add_task("", total=sum(config.training.epochs for config in missing), news="")
            done = 0
            for number, config in enumerate(missing, 1):
                what = f"{config.model.name}, {config.split.labelled_ratio:.0%} labelled"
                progress.update(task, description=f"{what} ({number}/{len(missing)})")
                run = _train(config, runs_in, device, None, progress, task, done)
                done += config.training.epochs
                progress.update(task, completed=done)
                progress.console.print(f"{what}: accuracy {percent(accuracy_of(run))}, {run.status.seconds:.0f} s")
    runs = [runs_in.get(config.run_id) for config in configs]
    table = Table("labelled images", *DEMO_MODELS, title="Accuracy on the validation images")
    for row, ratio in enumerate(DEMO_RATIOS):
        cells = [runs[column * len(DEMO_RATIOS) + row] for column in range(len(DEMO_MODELS))]
        table.add_row(f"{ratio:.0%}", *(percent(accuracy_of(run)) for run in cells))
    print_table(table)
    print("The number of training images stays the same: a larger share of labels, which come nearly upright, leaves")
    print("fewer images at other angles. This is one seed.")
    print(f"The {len(runs)} runs are in {runs_in.root}. 'make demo' opens the dashboard on them;")
    print("'python -m ssrvae_core list' lists them, and 'python -m ssrvae_core show RUN' shows one.")
    if as_json:
        print_json([summary_row(run) for run in runs])


@app.command(epilog="Settings for --set: " + ", ".join(_setting_names(RunConfig)) + ".")
def train(
    data: Annotated[
        str | None, typer.Option(help=f"{', '.join(DATASETS)}, or the path of an image file or folder.")
    ] = None,
    model: Annotated[str | None, typer.Option(help=f"{', '.join(MODELS)}; by default the preset's.")] = None,
    preset: Annotated[str, typer.Option(help=f"{', '.join(PRESETS)}.")] = next(iter(PRESETS)),
    seed: Annotated[int, typer.Option(help="Seed of the split and of the training.")] = 0,
    labels_per_class: Annotated[int | None, typer.Option(help="Labelled images a class.")] = None,
    labelled_ratio: Annotated[float | None, typer.Option(help="Labelled share of the training images.")] = None,
    group_split: Annotated[bool, typer.Option("--group-split", help="Hold out whole groups (micrographs).")] = False,
    view: Annotated[View | None, typer.Option(help="The image, its silhouette, or its inside alone.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs; by default the preset's.")] = None,
    time_limit: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which to stop, ready to go on.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any setting, such as model.latent_dim=3.")
    ] = None,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a model, or go on with it; a finished run is not trained again."""
    changes = ({"dataset.view": view} if view else {}) | ({"training.epochs": epochs} if epochs is not None else {})
    named = data is None or data in DATASETS
    config = run_config(
        preset=preset,
        data=data if named else None,
        dataset=None if data is None or named else _file(data, view),
        model=model,
        labels_per_class=labels_per_class,
        labelled_ratio=labelled_ratio,
        by_group=group_split,
        seed=seed,
        settings=changes | dict(_setting(text) for text in settings or []),
    )
    with _interruptible(), epoch_progress() as progress:
        task = progress.add_task(config.model.name, total=config.training.epochs, news="")
        run = _train(config, RunStore(store), device, time_limit, progress, task)
    status = run.status
    print(f"Run {run.id} is {status.state} after {status.epoch} epochs and {status.seconds:.0f} s, in {run.path}.")
    if status.validation is not None:
        print_evaluation(status.validation, run.class_names)
    elif status.state != "finished":
        print("The same command goes on from there.")
    if as_json:
        shown = status.model_dump(include={"seconds", "epoch", "epochs", "device", "validation"})
        print_json({"id": run.id, "status": status.state, **shown})


@app.command()
def evaluate(
    run_id: RunId,
    data: Annotated[str | None, typer.Option(help="Other images: a data set's name, or a path.")] = None,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Judge a trained model: on its own validation images, or on others.

    Of a data set with a validation part that part is used, else every labelled image.
    """
    run = RunStore(store).get(run_id)
    if data is None:
        if run.status.validation is None:
            raise UserError(f"Run {run.id} has no evaluation: it is {run.status.state}; train it to the end first.")
        values = run.status.validation
    else:
        from ssrvae_core.data import load, naming, split
        from ssrvae_core.evaluation.evaluate import evaluate as judge

        chosen = DATASETS[data] if data in DATASETS else _file(data, run.config.dataset.view)
        with naming(chosen):
            images = load(chosen)
            if chosen.sha256 is not None and chosen.sha256 == run.config.dataset.sha256:
                say(f"Run {run.id} was trained on {data}; only the images it held out are judged.")
                images = split(images, run.config.split).validation
            values = judge(run.model(device), _as_the_run_labels(images, run, data))
    print(f"Run {run.id} on {data or 'its validation images'}:")
    print_evaluation(values, run.class_names)
    if as_json:
        print_json({"id": run.id, "data": data, **values})


@app.command()
def predict(
    run_id: RunId,
    images: Annotated[str, typer.Argument(metavar="IMAGES", help="An image file or folder; labels are not needed.")],
    out: Annotated[Path, typer.Option(help="The table to write, as CSV.")],
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Predict class, angle and latents of images, and write them as a table."""
    from ssrvae_core.data import load, naming
    from ssrvae_core.evaluation.evaluate import predict as ask
    from ssrvae_core.runs.tables import write_table

    run = RunStore(store).get(run_id)
    model = run.model(device)
    chosen = _file(images, run.config.dataset.view)
    with naming(chosen):
        image_set = load(chosen)
        predictions = ask(model, image_set)
    write_table(out, predictions, run.class_names, image_set.names)
    print(f"Wrote the predictions of {len(image_set)} images to {out}.")
    if as_json:
        print_json({"id": run.id, "images": len(image_set), "out": str(out)})


@app.command("list")
def list_runs(store: Store = None, as_json: Json = False) -> None:
    """List the runs, last updated first."""
    runs, broken = RunStore(store).scan()
    rows = [summary_row(run) for run in runs]
    table = Table("id", "model", "data", "labels", "seed", "state", "epochs", "accuracy")
    for row in rows:
        labels = row["labels_per_class"] or row["labelled_ratio"] or "all"
        epochs = f"{row['epoch']}/{row['epochs']}"
        columns = (row["id"], row["model"], row["data"], labels, row["seed"], row["state"], epochs)
        table.add_row(*map(str, columns), percent(row["accuracy"]))
    for lost in broken:
        table.add_row(lost.id, "", "", "", "", "broken")
    print_table(table) if rows or broken else print(f"There are no runs in {RunStore(store).root} yet.")
    for lost in broken:
        say(f"{lost.id} is broken: {lost.reason}")
    if as_json:
        print_json([*rows, *({"id": lost.id, "state": "broken", "error": lost.reason} for lost in broken)])


@app.command()
def show(run_id: RunId, store: Store = None, as_json: Json = False) -> None:
    """Show a run's state, configuration and evaluation."""
    run = RunStore(store).get(run_id)
    metrics = run.metrics()
    updated = datetime.fromtimestamp(run.status.updated).astimezone().isoformat(" ", "seconds")
    told = {"path": run.path, "device": run.status.device, "seconds": round(run.status.seconds, 1), "updated": updated}
    for name, value in (summary_row(run) | told).items():
        if value is not None:
            print(f"{name:>18}  {value}")
    for section, values in run.config.model_dump(mode="json").items():
        if isinstance(values, dict):
            print(f"{section:>18}  " + ", ".join(f"{name} {value}" for name, value in values.items()))
    if run.status.validation is not None:
        print_evaluation(run.status.validation, run.class_names)
    if as_json:
        shown = {"path": str(run.path), "config": run.config.model_dump(mode="json"), "class_names": run.class_names}
        last = metrics[-1] if metrics else None
        print_json(summary_row(run) | shown | {"last_epoch": last, "validation": run.status.validation})


@app.command()
def delete(run_id: RunId, store: Store = None, as_json: Json = False) -> None:
    """Delete a run for good."""
    runs = RunStore(store)
    deleted = runs.delete(run_id)
    print(f"Deleted run {deleted} from {runs.root}.")
    if as_json:
        print_json({"id": deleted})


@app.command()
def doctor(store: Store = None, device: Device = "auto", as_json: Json = False) -> None:
    """Check the installation: versions, device, store, and a training of a few seconds."""
    from ssrvae_core.runs.environment import environment
    from ssrvae_core.runs.execute import train_run
    from ssrvae_core.training.device import choose_device

    found = environment(str(choose_device(device))) | {"cores": os.cpu_count(), "store": str(RunStore(store).root)}
    for name, value in (found | found["packages"]).items():
        if name != "packages":
            print(f"{name:>18}  {value}")
    _check_writable(RunStore(store).root)
    with tempfile.TemporaryDirectory() as scratch:
        run = train_run(run_config(preset=DEMO_PRESET, settings=SELF_TEST), RunStore(scratch), device=device)
        accuracy, seconds, bounds = accuracy_of(run), run.status.seconds, [m["elbo_unlabelled"] for m in run.metrics()]
    if len(bounds) > 1 and not bounds[-1] > bounds[0]:
        raise UserError(
            f"The self-test did not learn: the ELBO went from {bounds[0]} to {bounds[-1]}; try --device cpu."
        )
    print(f"{'self-test':>18}  trained in {seconds:.1f} s, accuracy {percent(accuracy)}")
    print("All is well.")
    if as_json:
        print_json(found | {"ok": True, "self_test": {"seconds": seconds, "accuracy": accuracy}})


# Configurations from the command line.


def _setting(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` with a JSON value; what is no JSON is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text} has no value; write it as NAME=VALUE, such as --set model.latent_dim=3.")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), value


def _file(data: str, view: View | None) -> DatasetConfig:
    """Return the configuration of an image file; complain of what is neither a file nor a data set."""
    path = Path(data).expanduser()
    if not data.strip() or not path.exists():
        raise UserError(f"There is no file '{data}'; the named data sets, for 'train', are {', '.join(DATASETS)}.")
    from ssrvae_core.data.readers import file_dataset

    return file_dataset(path.resolve(), **({"view": view} if view else {}))


def _as_the_run_labels(images: ImageSet, run: Run, data: str) -> ImageSet:
    """Return the images to judge a run on, their classes numbered as the run numbers them."""
    import numpy as np

    chosen = images.labels >= 0 if images.validation is None else images.validation & (images.labels >= 0)
    if not chosen.any():
        raise UserError(f"No image of {data} has a label to judge by; use 'predict' for images without labels.")
    images = images.take(np.flatnonzero(chosen))
    if unknown := [name for name in images.class_names if name not in run.class_names]:
        raise UserError(
            f"{data} has the class '{unknown[0]}', which run {run.id} does not know; "
            f"its classes are {', '.join(run.class_names)}."
        )
    number = np.array([run.class_names.index(name) for name in images.class_names])
    return replace(images, labels=number[images.labels], class_names=run.class_names)


# Training.


def _train(
    config: RunConfig,
    store: RunStore,
    device: str,
    time_limit: float | None,
    progress: Progress,
    task: TaskID,
    done: int = 0,
) -> Run:
    from ssrvae_core.runs.execute import train_run

    def advance(epoch: Epoch) -> None:
        accuracy = percent(None if math.isnan(epoch.validation_accuracy) else epoch.validation_accuracy)
        bound = epoch.elbo_unlabelled or epoch.elbo_labelled  # the first is 0 where every image has a label
        news = f"loss {-bound:.1f}  accuracy {accuracy}"
        progress.update(task, completed=done + epoch.epoch, news=news)

    return train_run(config, store, device=device, time_limit=time_limit, on_epoch=advance)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Say that nothing is lost, and leave with the shell's code for an interrupt."""
    try:
        yield
    except KeyboardInterrupt as error:
        say("Interrupted; the same command goes on from the last checkpoint.")
        raise typer.Exit(130) from error


def _is_finished(store: RunStore, config: RunConfig) -> bool:
    run = store.find(config)
    return run is not None and run.status.state == "finished"


def _check_writable(root: Path) -> None:
    """Write a file where the store is, or where it would be made."""
    place = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UserError(
            f"The store {root} cannot be written ({error.strerror}); choose another with --store."
        ) from error
