"""What a row of the list of runs says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssrvae_core import shares
from ssrvae_core.reports.wording import model_title, model_words
from ssrvae_core.runs import BrokenRun, Run
from ssrvae_core.runs.directory import Status
from ssrvae_core.times import time_text
from ui.markdown import public
from ui.overview import duration, state_text

GROUPINGS = {"none": "Nothing", "data": "Data set", "model": "Model", "state": "State"}
"""What rows can be put together by, and how it reads."""

_TEXTS = ("name", "note", "data", "model", "variant", "labels", "device", "duration", "exact", "accuracyText", "judged")
_NUMBERS = ("fraction", "seed", "accuracy", "seconds", "updated")


def row_of(run: Run | BrokenRun, waits: bool = False, without: bool = False) -> dict[str, Any]:
    """Return what the browser shows of a run, and what it sorts by.

    Of a broken run only its id and its state are known.

    Parameters
    ----------
    run : Run or BrokenRun
        The run.
    waits : bool
        Whether it waits for its turn, which a run that stopped does not know of itself.
    without : bool
        Whether it is to be said that it has no second opinion.
    """
    if isinstance(run, BrokenRun):
        nothing, unknown = dict.fromkeys(_TEXTS, ""), dict.fromkeys(_NUMBERS)
        return {"id": run.id, "state": "broken", "words": "cannot be read", "href": "", **nothing, **unknown}
    config, status, about = run.config, run.status, run.about
    title, runs_now = model_title(run), status.state == "running" and not waits
    return {
        "id": run.id,
        "name": about.name,
        "note": public(about.note),
        "data": public(run.data_name),
        "model": title,
        "variant": model_words(config, without=without).removeprefix(title).removeprefix(", "),
        "labels": run.labels_in_words,
        "fraction": labelled_share(run),
        "seed": config.seed,
        "accuracy": run.accuracy,
        "accuracyText": "" if run.accuracy is None else shares.share(run.accuracy),
        "judged": _judged(status),
        "state": "queued" if waits else status.state,
        # How far it is stands above the list, and is drawn again more often than it.
        "words": "queued" if waits else "running" if runs_now else state_text(run),
        "seconds": status.seconds if status.epoch and not runs_now else None,
        "duration": duration(status.seconds) if status.epoch and not runs_now else "",
        "device": status.device or "",
        "updated": status.updated or None,
        "exact": time_text(status.updated),
        "href": "train?job=" + run.id if status.state != "finished" else "latent_space?left=" + run.id,
    }


def _judged(status: Status) -> str:
    n = (status.validation or {}).get("n")
    return f"of {n:,.0f}" if n else ""


def labelled_share(run: Run) -> float | None:
    """Return the share of the training images that carry a label, where it is known: runs are sorted by it."""
    labelled, unlabelled = run.status.n_labelled, run.status.n_unlabelled
    if labelled is not None and unlabelled is not None and labelled + unlabelled:
        return labelled / (labelled + unlabelled)
    return run.config.split.labelled_ratio


def data_sets(runs: Sequence[Run]) -> list[str]:
    """Return the names of the data sets of some runs, each once, in alphabetical order."""
    return sorted({run.data_name for run in runs}, key=str.lower)


def shown(runs: Sequence[Run | BrokenRun], data: str | None) -> list[Run | BrokenRun]:
    """Return the runs of one data set, or all; those that cannot be read belong to none."""
    return [run for run in runs if data is None or (isinstance(run, Run) and run.data_name == data)]


def ticked(told: Any, runs: Sequence[Run | BrokenRun]) -> list[Run | BrokenRun]:
    """Return the runs that the browser says are ticked, in the order of ``runs``."""
    ids = set(told) if isinstance(told, list) and all(isinstance(one, str) for one in told) else set()
    return [run for run in runs if run.id in ids]


def sort_of(asked: str | None) -> dict[str, Any] | None:
    """Return how an address sorts: a column, with a minus in front where the largest come first; None for none."""
    if not asked:
        return None
    column = asked.removeprefix("-")
    return {"column": column, "down": asked.startswith("-")} if column in COLUMNS else None


def sort_text(sort: Any) -> str | None:
    """Return how the browser sorts as an address has it."""
    if not isinstance(sort, Mapping) or sort.get("column") not in COLUMNS:
        return None
    return f"{'-' if sort.get('down') else ''}{sort['column']}"


COLUMNS = {
    "run": "Run",
    "data": "Data set",
    "labels": "Labels",
    "seed": "Seed",
    "accuracy": "Accuracy",
    "state": "State",
    "seconds": "Time",
    "updated": "Updated",
}
"""Columns by the name an address sorts by, and their headings."""
