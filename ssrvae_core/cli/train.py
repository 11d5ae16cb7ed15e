"""Commands that train: ``demo`` and ``train``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ssrvae_core.cli.app import (
    Detach,
    Device,
    GroupSplit,
    Json,
    Settings,
    ShownView,
    SkipMissing,
    Store,
    View,
    app,
    file_data,
    interruptible,
    setting,
    setting_names,
)
from ssrvae_core.cli.console import (
    epoch_progress,
    in_percent,
    print_evaluation,
    print_json,
    print_submitted,
    print_table,
    say,
    summary_row,
)
from ssrvae_core.cli.sweeps import complain, run_shown
from ssrvae_core.config import DATASETS, MODELS, PRESETS, RunConfig, UserError, ratio_text, run_config
from ssrvae_core.invocation import command, dashboard_sentence
from ssrvae_core.reports.wording import judgement_text
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.sweep_spec import DEMO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ssrvae_core.records import Epoch
    from ssrvae_core.runs.execute import Loader
    from ssrvae_core.runs.progress import Progress as HowFar


@app.command()
def demo(store: Store = None, device: Device = "auto", as_json: Json = False) -> None:
    """Train a small sweep: both models at several shares of labelled images. Finished runs are not trained again."""
    runs_in = RunStore(store)
    done = run_shown(DEMO, runs_in, device=device)
    complain(done)
    accuracy = {(row["labelled_ratio"], row["model"]): row["accuracy"] for row in done.rows}
    table = Table("labelled images", *DEMO.models, title="Accuracy on the validation images")
    for ratio in DEMO.labelled_ratios:
        table.add_row(ratio_text(ratio), *(in_percent(accuracy[ratio, model]) for model in DEMO.models))
    print_table(table)
    print("The number of training images stays the same: a larger share of labels, which come nearly upright, leaves")
    print("fewer images at other angles. This is one seed.")
    print(f"The {len(done.rows)} runs are in {runs_in.root}. {dashboard_sentence()};")
    print(f"'{command('list')}' lists them, and '{command('show RUN')}' shows one.")
    if as_json:
        print_json([summary_row(runs_in.get(row["run_id"])) for row in done.rows])


@app.command(epilog="Settings for --set: " + ", ".join(setting_names(RunConfig)) + ".")
def train(
    data: Annotated[
        str | None, typer.Option(help=f"{', '.join(DATASETS)}, or the path of an image file or folder.")
    ] = None,
    model: Annotated[str | None, typer.Option(help=f"{', '.join(MODELS)}; by default the preset's.")] = None,
    preset: Annotated[str, typer.Option(help=f"{', '.join(PRESETS)}.")] = next(iter(PRESETS)),
    seed: Annotated[int, typer.Option(help="Seed of the split and of the training.")] = 0,
    labels_per_class: Annotated[int | None, typer.Option(help="Labelled images per class.")] = None,
    labelled_ratio: Annotated[float | None, typer.Option(help="Labelled share of the training images.")] = None,
    group_split: GroupSplit = False,
    view: ShownView = None,
    skip_missing: SkipMissing = False,
    epochs: Annotated[int | None, typer.Option(help="Epochs; by default the preset's.")] = None,
    time_limit: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which to stop, ready to go on.")
    ] = None,
    settings: Settings = None,
    detach: Detach = False,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a model, or go on with it; a finished run is not trained again."""
    given = dict(setting(text) for text in settings or [])
    _refuse_twice(given, seed, labels_per_class, labelled_ratio, group_split, view, epochs)
    changes = ({"dataset.view": view} if view else {}) | ({"training.epochs": epochs} if epochs is not None else {})
    named = data is None or data in DATASETS
    dataset, loader = (None, None) if data is None or named else file_data(data, view, skip_missing)
    config = run_config(
        preset=preset,
        data=data if named else None,
        dataset=dataset,
        model=model,
        labels_per_class=labels_per_class,
        labelled_ratio=labelled_ratio,
        by_group=group_split,
        seed=seed,
        settings=changes | given,
    )
    if detach:
        _queue(config, RunStore(store), device, time_limit, as_json)
        return
    with interruptible(), epoch_progress() as progress:
        task = progress.add_task(config.model.name, total=1.0, at="starting", news="")
        run = _train(config, RunStore(store), device, time_limit, progress, task, loader)
    _say_what_came(run)
    if as_json:
        shown = run.status.model_dump(include={"seconds", "epoch", "epochs", "device", "validation", "judgement"})
        print_json({"id": run.id, "status": run.status.state, **shown})


def _refuse_twice(
    given: Mapping[str, Any],
    seed: int,
    labels_per_class: int | None,
    labelled_ratio: float | None,
    group_split: bool,
    view: View | None,
    epochs: int | None,
) -> None:
    """Refuse an option whose setting is given by ``--set`` as well."""
    for option, value, names in (
        ("--seed", seed, ("seed", "split.seed")),
        ("--labels-per-class", labels_per_class, ("split.labels_per_class",)),
        ("--labelled-ratio", labelled_ratio, ("split.labelled_ratio",)),
        ("--group-split", group_split, ("split.by_group",)),
        ("--view", view, ("dataset.view",)),
        ("--epochs", epochs, ("training.epochs",)),
    ):
        if value and (twice := next((name for name in names if name in given), None)):
            raise UserError(f"{option} and --set {twice} say the same thing; give one of them.")


def _queue(config: RunConfig, store: RunStore, device: str, time_limit: float | None, as_json: bool) -> None:
    from ssrvae_core.runs.execute import check

    check(config, device)
    print_submitted(JobQueue(store).submit(config=config, device=device, time_limit=time_limit), as_json)


def _say_what_came(run: Run) -> None:
    """Say how far the run is, and how good."""
    status = run.status
    done = "1 epoch" if (status.state, status.epoch) == ("finished", 1) else f"{status.epoch} epochs"
    done = done if status.state == "finished" else status.done_in_words
    print(f"Run {run.id} is {status.state} after {done} and {status.seconds:.0f} s, in {run.path}.")
    if status.validation is not None:
        print_evaluation(status.validation, run.class_names)
        if status.judgement is not None:
            print(judgement_text(status.judgement, status.n_labelled))
    elif status.state != "finished":
        print(f"The same command {f'goes on from {status.goes_on}' if status.goes_on else 'begins again'}.")


def _train(
    config: RunConfig,
    store: RunStore,
    device: str,
    time_limit: float | None,
    progress: Progress,
    task: TaskID,
    loader: Loader | None,
) -> Run:
    from ssrvae_core.runs.execute import train_run

    def advance(epoch: Epoch) -> None:
        accuracy = in_percent(None if math.isnan(epoch.validation_accuracy) else epoch.validation_accuracy)
        bound = epoch.elbo_unlabelled or epoch.elbo_labelled  # the first is 0 where every image has a label
        progress.update(task, news=f"accuracy {accuracy}")
        if progress.disable:  # into a log, a line per epoch
            say(f"epoch {epoch.epoch}/{config.training.epochs}  loss {-bound:.1f}  accuracy {accuracy}")

    def tell(now: HowFar) -> None:
        at = ", ".join(part for part in (now.in_words.replace(" of ", "/"), now.left_in_words) if part)
        progress.update(task, completed=now.share, at=at)

    return train_run(
        config, store, device=device, time_limit=time_limit, on_epoch=advance, on_progress=tell, loader=loader
    )
