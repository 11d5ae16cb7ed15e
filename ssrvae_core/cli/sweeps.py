"""Commands for sweeps: ``sweep`` and ``sweeps``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ssrvae_core.cli.app import RESUMES, Device, Json, Store, app, interruptible
from ssrvae_core.cli.console import in_percent, labels, plain_console, print_json, print_table, say
from ssrvae_core.config import UserError
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.progress import roughly
from ssrvae_core.runs.sweep import Progress, Sweep, SweepSpec, read_spec, run_sweep
from ssrvae_core.runs.sweep_progress import ENDED
from ssrvae_core.runs.sweep_table import CSV, GROUP, PARQUET, SUMMARY, scan_sweeps
from ssrvae_core.times import time_text

ANEW = "the same command trains what is missing; a cluster begins unfinished runs again from the start"
"""What is true of a sweep that is interrupted on a cluster."""


@app.command()
def sweep(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="What to train; see examples/sweep.yaml.")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes on this machine; by default one per core, or one a GPU.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler, such as tcp://host:8786, whose workers train instead.")
    ] = None,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train every combination of data, model, labels and seed that is not finished yet, and print a table."""
    if workers is not None and scheduler is not None:
        raise UserError("--workers is for this machine and --scheduler for a cluster; give one of them.")
    done = run_shown(read_spec(spec), RunStore(store), workers=workers, scheduler=scheduler, device=device)
    print_table(summary_table(done))
    state = {"failed": "has failed in part"}.get(done.summary["state"], f"is {done.summary['state']}")
    print(f"The sweep {done.id} {state}; {CSV}, {PARQUET} and {SUMMARY} are in {done.path}.")
    if as_json:
        print_json({"id": done.id, "path": str(done.path), **done.summary, "rows": done.rows})
    complain(done)


@app.command()
def sweeps(store: Store = None, as_json: Json = False) -> None:
    """List the sweeps, last updated first."""
    found, broken = scan_sweeps(RunStore(store))
    table = Table("id", "state", "finished", "failed", "updated")
    for status in found:
        updated = time_text(status["updated"], seconds=True)
        finished = f"{status['finished']}/{status['tasks']}"
        table.add_row(status["id"], status["state"], finished, str(status["failed"]), updated)
    for lost in broken:
        table.add_row(lost.id, "broken", "", "", "")
    print_table(table) if found or broken else print(f"There are no sweeps in {RunStore(store).root} yet.")
    for lost in broken:
        say(f"{lost.id} is broken: {lost.reason}")
    if as_json:
        print_json([*found, *({"id": lost.id, "state": "broken", "error": lost.reason} for lost in broken)])


def run_shown(
    spec: SweepSpec,
    store: RunStore,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    should_stop: Callable[[], bool] | None = None,
) -> Sweep:
    """Run a sweep as :func:`ssrvae_core.runs.sweep.run_sweep` does, and show how far it is.

    In a terminal that is a live table with the remaining time, in a log a line per run.
    """
    view = _View()
    console = plain_console(stderr=True)
    with interruptible(RESUMES if scheduler is None else ANEW), ExitStack() as stack:
        if console.is_terminal:
            stack.enter_context(Live(view, console=console, refresh_per_second=4, transient=True))
        show = view.look if console.is_terminal else view.log
        return run_sweep(
            spec,
            store,
            workers=workers,
            scheduler=scheduler,
            device=device,
            on_progress=show,
            should_stop=should_stop,
        )


def complain(done: Sweep) -> None:
    """Raise the first failure of a sweep, if there was one."""
    if failed := done.failed:
        first = failed[0]
        sentence = f"{first['model']} on {first['data']}, seed {first['seed']}, failed: {first['error']}"
        if len(failed) > 1:
            sentence = f"{sentence.rstrip('.')}; {len(failed) - 1} more failed, see {done.path / CSV}."
        raise UserError(sentence)


def summary_table(done: Sweep) -> Table:
    """Return the accuracies of a sweep: mean, standard deviation and worst over seeds."""
    table = Table("data", "model", "labels", "seeds", "mean", "sd", "worst", "seconds", title="Validation accuracy")
    for group in done.summary["groups"]:
        accuracy, seconds = group["accuracy"] or {}, group["seconds"] or {}
        failed = f" ({group['failed']} failed)" if group["failed"] else ""
        table.add_row(
            group["data"],
            group["model"],
            labels(group),
            f"{len(group['seeds'])}{failed}",
            in_percent(accuracy.get("mean")),
            in_percent(accuracy.get("sd")),
            in_percent(accuracy.get("worst")),
            f"{seconds['mean']:.1f}" if seconds else "-",
        )
    return table


class _View:
    """What is shown of a sweep while it goes on."""

    def __init__(self) -> None:
        self.progress: Progress | None = None

    def look(self, progress: Progress) -> None:
        """Have the live table show this."""
        self.progress = progress

    def log(self, progress: Progress) -> None:
        """Say in a line what has come to its end."""
        task = progress.changed
        if task is None:
            return
        row = progress.rows[progress.tasks.index(task)]
        if row["state"] in ENDED:
            ended = f"{progress.count(*ENDED)}/{len(progress.tasks)}, {_remaining(progress)}"
            came_to = f"accuracy {in_percent(row['accuracy'])}" if row["state"] == "finished" else row["state"]
            say(f"{task.title}: {row['error'] or came_to} ({ended})")

    def __rich__(self) -> Group:
        """Return a line per data set, model and number of labels, and how far the whole is."""
        if self.progress is None:
            return Group("starting")
        progress = self.progress
        table = Table("data", "model", "labels", "seeds", "under way", "accuracy", "worst")
        groups: dict[tuple[Any, ...], list[int]] = {}
        for i, row in enumerate(progress.rows):
            groups.setdefault(tuple(row[name] for name in GROUP), []).append(i)
        for members in groups.values():
            table.add_row(*_live_row(progress, members))
        line = f"{progress.count('finished')} of {len(progress.tasks)} finished, {progress.count('failed')} failed, "
        return Group(table, Text(line + _remaining(progress)))


def _live_row(progress: Progress, members: Sequence[int]) -> list[str]:
    rows = [progress.rows[i] for i in members]
    finished = [row["accuracy"] for row in rows if row["state"] == "finished" and row["accuracy"] is not None]
    ended = sum(row["state"] in ENDED for row in rows)
    running = [i for i in members if progress.rows[i]["state"] == "running"]
    return [
        rows[0]["data"],
        rows[0]["model"],
        labels(rows[0]),
        f"{ended}/{len(rows)}",
        "  ".join(_under_way(progress, i) for i in running),
        in_percent(sum(finished) / len(finished) if finished else None),
        in_percent(min(finished, default=None)),
    ]


def _under_way(progress: Progress, i: int) -> str:
    """Epochs of a run, and how much of it is done with its short starts and the steps of this epoch."""
    if progress.tasks[i].rival:
        return "fitting"
    return f"{progress.epochs[i]}/{progress.total(i)} ({in_percent(progress.shares[i])})"


def _remaining(progress: Progress) -> str:
    return "estimating the time" if progress.eta is None else f"{roughly(progress.eta)} to go"
