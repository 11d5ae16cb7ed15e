"""The command ``compare``."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from ssrvae_core.cli.app import (
    RESUMES,
    Device,
    GroupSplit,
    Json,
    Settings,
    ShownView,
    SkipMissing,
    Store,
    app,
    interruptible,
    setting,
)
from ssrvae_core.cli.console import in_percent, print_json, print_table, say
from ssrvae_core.config import DATASETS, DEMO_MODELS, MODELS, PRESETS, UserError
from ssrvae_core.registry import RIVALS
from ssrvae_core.reports.wording import ahead, settings_text
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.interrupting import leaving_within
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.sweep_spec import spec_of
from ssrvae_core.runs.sweep_table import row_of
from ssrvae_core.runs.sweep_task import Task
from ssrvae_core.runs.sweep_work import cached_load, check_data

UNEVEN = 1.5
"""Where the largest class of the validation images has more than this many times those of the smallest, a model that
always says the same class does well by accuracy; balanced accuracy is then what counts."""
LEAVES = 1.5
"""Seconds from Ctrl-C after which the command ends, though the fit of a method does not listen."""
FEW_SEEDS = 3
"""With fewer seeds than this, little can be said of a difference."""


@app.command()
def compare(
    data: Annotated[
        str | None, typer.Option(help=f"{', '.join(DATASETS)}, or the path of an image file or folder.")
    ] = None,
    labels_per_class: Annotated[int | None, typer.Option(help="Labelled images per class.")] = None,
    labelled_ratio: Annotated[float | None, typer.Option(help="Labelled share of the training images.")] = None,
    models: Annotated[str, typer.Option(help=f"Some of {', '.join(MODELS)}, with commas.")] = ",".join(DEMO_MODELS),
    rivals: Annotated[
        str | None, typer.Option(help=f"Some of {', '.join(RIVALS)}, with commas; '' for none. By default all.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, from 0; a seed chooses labels and weights.")] = 3,
    preset: Annotated[str, typer.Option(help=f"How our models are trained: {', '.join(PRESETS)}.")] = next(
        iter(PRESETS)
    ),
    group_split: GroupSplit = False,
    view: ShownView = None,
    skip_missing: SkipMissing = False,
    settings: Settings = None,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Compare our models with other methods on the same labels and validation images; what is done is not done again.

    The rivals are chosen by cross-validation on the labelled images; no validation label chooses anything.
    """
    ours = _names(models)
    spec = spec_of(
        {
            "data": () if data is None else data,
            "labels_per_class": labels_per_class,
            "labelled_ratios": labelled_ratio,
            "models": ours,
            "rivals": tuple(RIVALS) if rivals is None else _names(rivals),
            "seeds": tuple(range(seeds)),
            "preset": preset,
            "by_group": group_split,
            "view": view,
            "skip_missing": skip_missing,
            "settings": dict(setting(text) for text in settings or []),
        }
    )
    tasks = [task for task in spec.tasks() if ours or task.rival]
    if not tasks:
        raise UserError("There is nothing to compare; name at least one model or method.")
    runs = RunStore(store)
    with interruptible(), leaving_within(LEAVES, _interrupted):
        _check(tasks, runs)
        results = [(task, _result(task, runs, device)) for task in _by_seed(tasks)]
    _say_what_came(results, seeds, as_json)


def _say_what_came(results: Sequence[tuple[Task, dict[str, Any]]], seeds: int, as_json: bool) -> None:
    """Print the methods from the best to the worst, and how far that can be trusted."""
    tasks = [task for task, _ in results]
    uneven = any(_uneven(result["validation"]) for _, result in results)
    by = "balanced_accuracy" if uneven else "accuracy"
    rows = [_row(method, [result for task, result in results if task.model == method]) for method in _methods(tasks)]
    rows = _ranked(rows, by)
    print_table(_table(rows, tasks[0]))
    _say_settings(results)
    _say_who_leads(rows, by)
    if as_json:
        split = tasks[0].config.split
        print_json(
            {
                "data": tasks[0].data,
                "labels_per_class": split.labels_per_class,
                "labelled_ratio": split.labelled_ratio,
                "seeds": seeds,
                "ranked_by": by,
                "methods": rows,
            }
        )


def _interrupted() -> None:
    say(f"Interrupted; {RESUMES}.")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _by_seed(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks seed by seed, so that all methods have a first result early."""
    return sorted(tasks, key=lambda task: task.config.seed)


def _methods(tasks: Sequence[Task]) -> list[str]:
    return list(dict.fromkeys(task.model for task in tasks))


def _check(tasks: Sequence[Task], store: RunStore) -> None:
    """Refuse an image file that does not fit before anything is trained on another."""
    missing = [task for task in tasks if row_of(task, store)["state"] != "finished"]
    if missing:
        require_editor()
        check_data(missing)


def _result(task: Task, store: RunStore, device: str) -> dict[str, Any]:
    """Train a run or fit a rival, or read what is there, and say what came of it."""
    if task.rival:
        from ssrvae_core.runs.comparison import rival_result

        fitted = rival_result(task.config, task.model, store, device, loader=cached_load)
        result: dict[str, Any] = {
            "id": fitted.id,
            "seconds": fitted.fit_seconds,
            "validation": fitted.validation,
            "parameters": fitted.parameters,
        }
    else:
        from ssrvae_core.runs.execute import train_run

        run = train_run(task.config, store, device=device, loader=cached_load)
        if run.status.validation is None:
            raise UserError(f"Run {run.id} is {run.status.state}; the same command goes on from there.")
        seconds = sum(line["seconds"] for line in run.metrics())
        result = {"id": run.id, "seconds": seconds, "validation": run.status.validation}
    if result["validation"]["accuracy"] is None:
        raise UserError(f"No validation image of {task.data} has a label, so there is nothing to compare by.")
    say(f"{task.title}: accuracy {in_percent(result['validation']['accuracy'])}, {result['seconds']:.0f} s")
    return result | {"rival": task.rival}


def _row(method: str, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the table says of a method, over the seeds."""
    metrics = {
        name: _over_seeds([result["validation"][name] for result in results])
        for name in ("accuracy", "balanced_accuracy", "nll", "ece", "flip_rate")
    }
    return {
        "method": method,
        "rival": results[0]["rival"],
        "ids": [result["id"] for result in results],
        **metrics,
        "seconds": statistics.fmean(result["seconds"] for result in results),
    }


def _uneven(validation: dict[str, Any]) -> bool:
    """Whether some class has far more of the validation images than another one that is there."""
    support = [sum(row) for row in validation["confusion"] if sum(row)]
    return max(support) > UNEVEN * min(support)


def _ranked(rows: Sequence[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """Return the rows by falling mean, on a tie rivals before ours."""

    def place(row: dict[str, Any]) -> tuple[int, bool]:
        return sum(ahead(other[by]["mean"], row[by]["mean"]) for other in rows), not row["rival"]

    return sorted(rows, key=place)


def _over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean, the standard deviation (None of one value), both ends, and the values."""
    sd = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "sd": sd, "min": min(values), "max": max(values), "values": list(values)}


def _table(rows: Sequence[dict[str, Any]], task: Task) -> Table:
    n_seeds = len(rows[0]["ids"])
    title = f"{task.data}, {task.config.split.in_words}, {n_seeds} seed{'s' if n_seeds > 1 else ''}"
    caption = (
        "Means over the seeds. Balanced accuracy is the mean recall of the classes. Training seconds are those of the "
        "epochs of our models, and those a rival is fitted in, its search for settings included; to load the data and "
        "to judge the result is not counted."
    )
    table = Table("method", title=f"Accuracy on the validation images: {title}", caption=caption)
    for column in (
        *("accuracy", "balanced accuracy", "sd of accuracy", "worst accuracy"),
        *("calibration error", "changes when turned", "training seconds"),
    ):
        table.add_column(column, justify="right")
    for row in rows:
        accuracy, balanced = row["accuracy"], row["balanced_accuracy"]["mean"]
        shares = (accuracy["mean"], balanced, accuracy["sd"], accuracy["min"])
        table.add_row(
            row["method"],
            *map(in_percent, (*shares, row["ece"]["mean"], row["flip_rate"]["mean"])),
            f"{row['seconds']:.1f}",
        )
    return table


def _say_settings(results: Sequence[tuple[Task, dict[str, Any]]]) -> None:
    """Say how the rivals were fitted, with the first seed."""
    for task, result in results:
        if task.rival and task.config.seed == 0:
            print(f"{task.model}, seed 0: {settings_text(result['parameters'])}.")


def _say_who_leads(rows: Sequence[dict[str, Any]], by: str) -> None:
    """Say which rivals are ahead of the best of our models, and how far that can be trusted."""
    measure = by.replace("_", " ")
    if by != "accuracy":
        print(
            f"The classes are imbalanced: one has more than {UNEVEN:g} times as many validation images as another, so "
            f"the methods are ranked by {measure}."
        )
    ours = next((row for row in rows if not row["rival"]), None)
    rivals = [row for row in rows if row["rival"]]
    if ours is not None and rivals:
        mine = ours[by]["mean"]
        before = [row["method"] for row in rivals if ahead(row[by]["mean"], mine)]
        behind = [row["method"] for row in rivals if ahead(mine, row[by]["mean"])]
        level = [row["method"] for row in rivals if row["method"] not in (*before, *behind)]
        what = "the best of our models" + ("" if by == "accuracy" else f" by {measure}")
        print(f"Ahead of {ours['method']}, {what}: {', '.join(before) or 'no other method'}.")
        if level:
            print(f"Level with it: {', '.join(level)}.")
    n_seeds = len(rows[0]["ids"])
    if len(rows) > 1 and n_seeds < FEW_SEEDS:
        few = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"
        print(f"With {few} a difference may be chance; compare with --seeds {FEW_SEEDS} or more before relying on it.")
