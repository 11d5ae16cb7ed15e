"""The table of runs, and what is to be said of those that did not finish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd

from ssrvae_core.reports.wording import VIEWS, model_title
from ssrvae_core.runs import BrokenRun, Run
from ssrvae_core.times import local_time

LIVE = ("running", "queued")
COLUMNS = (
    *("Name", "Data set", "Model", "Sees", "Second opinion", "Labels", "Ratio", "Seed", "Accuracy", "Run"),
    *("State", "Time", "Updated", "Device", "Note"),
)


def runs_table(runs: Sequence[Run], broken: Sequence[BrokenRun]) -> pd.DataFrame:
    """Tabulate a store, a row per run, those that cannot be read last."""
    rows = [
        {
            "Name": run.about.name or None,
            "Data set": run.data_name,
            "Model": model_title(run),
            "Sees": VIEWS[run.config.dataset.view] or "images",
            "Second opinion": run.config.model.asks,
            "Labels": run.labels_in_words,
            "Ratio": run.config.split.labelled_ratio,
            "Seed": run.config.seed,
            "Accuracy": run.accuracy,
            "Run": run.id,
            "State": state_text(run),
            "Time": duration(run.status.seconds) if run.status.epoch else None,
            "Device": run.status.device,
            "Updated": _utc(run.status.updated),
            "Note": run.about.note or None,
        }
        for run in runs
    ]
    table = pd.DataFrame([*rows, *({"State": "broken", "Run": lost.id} for lost in broken)], columns=COLUMNS)
    return table.astype({"Ratio": "Float64", "Seed": "Int64", "Accuracy": "Float64"})


def _utc(unix: float) -> datetime | None:
    time = local_time(unix) if unix else None
    return None if time is None else time.astimezone(UTC)


def state_text(run: Run) -> str:
    """State of a run, with how far it is where that is not to the end."""
    if run.status.state == "finished":
        return "finished"
    progress = run.status.progress
    if progress is not None and progress.start:
        return f"{run.status.state}, start {progress.start}/{progress.starts}"
    return f"{run.status.state} {run.status.epoch}/{run.config.training.epochs}"


def duration(seconds: float) -> str:
    """Write seconds as a person says them, such as ``2 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def remaining_seconds(run: Run) -> float | None:
    """Return how long a run will take to its end at the pace measured, None before there is one."""
    if run.status.progress is not None:
        return run.status.progress.seconds_left
    done, training = run.status.epoch, run.config.training
    return run.status.seconds / training.trained(done) * (training.epochs - done) if done else None


def complaint(run: Run | BrokenRun) -> str | None:
    """Return one sentence on why a run has nothing to show and what to do about it, None where all is well."""
    if isinstance(run, BrokenRun):
        return f"Run {run.id} cannot be read: {run.reason} Restore its files, or delete it and train it again."
    state, at = run.status.state, run.status.done_in_words
    onwards = f"go on from {run.status.goes_on}" if run.status.goes_on else "begin again"
    if state == "failed":
        return f"Run {run.id} failed after {at}: {run.status.error or 'no reason was recorded.'}"
    if state == "interrupted":
        return f"Run {run.id} was interrupted after {at}; resume it to {onwards}."
    if state == "cancelled":
        return f"Run {run.id} was cancelled after {at}; resume it to {onwards}."
    return None
