"""What the command line prints: results to stdout, progress and complaints to stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ssrvae_core.config import Frozen, SplitConfig
from ssrvae_core.runs import Run
from ssrvae_core.shares import percent

if TYPE_CHECKING:
    from rich.progress import Progress

    from ssrvae_core.runs.jobs import Job

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

PIPE_WIDTH = 200
"""Columns of a table that goes into a pipe or a file."""

WIDE = 112
"""Columns of a terminal that has room for a wide bar beside all that is said."""

JOB_TIMES = ("created", "queued", "started", "ended", "updated", "pid_started")
"""Fields of a job that are Unix times."""


def say(sentence: str) -> None:
    """Print a line to stderr; what a name would tell the terminal to do is not done."""
    print(_CONTROL.sub("\ufffd", sentence), file=sys.stderr)


def plain_console(**options: Any) -> Console:
    """Return a console for which brackets and colons in a name are just that."""
    return Console(markup=False, emoji=False, **options)


def print_table(table: Table) -> None:
    """Print a table, at the terminal's width; into a pipe or a file, as wide as it needs."""
    plain_console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def print_json(value: Any) -> None:
    """Print the result as one line of JSON."""
    print(json.dumps(value, allow_nan=False))


def in_percent(share: float | None) -> str:
    """Write a share with a decimal, as columns have it; a dash where there is none."""
    return "-" if share is None else percent(share, 1)


def labels(row: dict[str, Any]) -> str:
    """Say how many labels a row's run sees."""
    return SplitConfig(labels_per_class=row["labels_per_class"], labelled_ratio=row["labelled_ratio"]).in_words


def summary_row(run: Run) -> dict[str, Any]:
    """Return what ``list`` says of a run."""
    config, status = run.config, run.status
    return {
        "id": run.id,
        "state": status.state,
        "model": config.model.name,
        "data": run.data_name,
        "labels_per_class": config.split.labels_per_class,
        "labelled_ratio": config.split.labelled_ratio,
        "seed": config.seed,
        "epoch": status.epoch,
        "epochs": config.training.epochs,
        "seconds": status.seconds,
        "updated": status.updated,
        "accuracy": run.accuracy,
        "error": status.error,
    }


def job_row(job: Job) -> dict[str, Any]:
    """Return what ``jobs`` says of a job."""
    names = ("id", "kind", "title", "state", "done", "total", "unit", "share", "at", "goes_on", "seconds")
    return {name: getattr(job, name) for name in (*names, "seconds_left", "error", *JOB_TIMES, "pid")}


def print_submitted(job: Job, as_json: bool) -> None:
    """Say that a job is in the queue, and how to see it."""
    print(f"Job {job.id} is {job.state}: {job.title}. 'python -m ssrvae_core jobs {job.id}' shows it.")
    if as_json:
        print_json(job_row(job))


def print_sections(config: Frozen) -> None:
    """Print the groups of a configuration, a line each."""
    for section, values in config.model_dump(mode="json").items():
        if isinstance(values, dict):
            print(f"{section:>18}  " + ", ".join(f"{name} {value}" for name, value in values.items()))


def print_evaluation(values: dict[str, Any], class_names: Sequence[str]) -> None:
    """Print the plain numbers of an evaluation, and its confusion matrix."""
    for name, value in values.items():
        if isinstance(value, int | float):
            print(f"{name:>18}  {value:.4g}")
    if values.get("confusion") is None:
        return
    table = Table("true class", *class_names, title="Confusion: true classes down, predicted across")
    for name, counts in zip(class_names, values["confusion"], strict=True):
        table.add_row(name, *map(str, counts))
    print_table(table)


@contextmanager
def epoch_progress() -> Iterator[Progress]:
    """Show a bar that is full at 1, with the place (``at``) and ``news`` beside it; an error wipes it away."""
    from rich.progress import BarColumn, Progress, TextColumn

    console = plain_console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=40 if console.width >= WIDE else 8),
        TextColumn("{task.fields[at]}", markup=False),
        TextColumn("{task.fields[news]}", markup=False),
        console=console,
        disable=not console.is_terminal,  # in a log it would be blank lines
    )
    with progress:
        try:
            yield progress
        except BaseException:
            progress.live.transient = True  # what stays on the screen is the sentence alone
            raise
