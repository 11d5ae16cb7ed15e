"""A sweep in the store: ``<store>/sweeps/<id>/``, its table and its summary.

The directory holds ``spec.json``, ``status.json``, ``table.csv`` and ``table.parquet`` with a row per run or rival,
``summary.json``, ``log.txt``, what the workers printed, and ``lock``, held by the process that is at work on it.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssrvae_core.config import UserError, describe
from ssrvae_core.refusals import json_in_words
from ssrvae_core.runs.comparison import find_rival
from ssrvae_core.runs.directory import LATEST
from ssrvae_core.runs.files import atomic_write, held, write_json
from ssrvae_core.runs.store import RunStore
from ssrvae_core.runs.sweep_spec import SweepSpec
from ssrvae_core.runs.sweep_task import Task
from ssrvae_core.spreadsheets import harmless, original

SWEEPS = "sweeps"
SPEC = "spec.json"
STATUS = "status.json"
CSV = "table.csv"
PARQUET = "table.parquet"
SUMMARY = "summary.json"
LOG = "log.txt"
LOCK = "lock"

COLUMNS: dict[str, str] = {
    "run_id": "string",
    "data": "string",
    "model": "string",
    "labelled_ratio": "Float64",
    "labels_per_class": "Int64",
    "n_labelled": "Int64",
    "seed": "Int64",
    "state": "string",
    "accuracy": "Float64",
    "balanced_accuracy": "Float64",
    "nll": "Float64",
    "ece": "Float64",
    "seconds": "Float64",
    "error": "string",
}
"""Columns of the table and their pandas types; a rival's name is its model, and its seconds are those of the fit."""

METRICS = ("accuracy", "balanced_accuracy", "nll", "ece")
SMALL_IS_GOOD = frozenset({"nll", "ece", "seconds"})
GROUP = ("data", "model", "labelled_ratio", "labels_per_class")


class _Status(BaseModel):
    """The content of ``status.json``."""

    model_config = ConfigDict(allow_inf_nan=False)

    id: str
    state: str
    tasks: int = Field(ge=0)
    finished: int = Field(ge=0)
    failed: int = Field(ge=0)
    running: int = Field(0, ge=0)
    seconds: float = Field(ge=0)
    eta_seconds: float | None = None
    updated: float = Field(ge=0, le=LATEST)


@dataclass(frozen=True)
class Sweep:
    """A sweep, as far as it has come.

    Attributes
    ----------
    id : str
        12 hex digits, :attr:`ssrvae_core.runs.sweep_spec.SweepSpec.sweep_id`.
    path : Path
        Its directory.
    rows : list of dict
        A row per run or rival, with the keys of :data:`COLUMNS`; None where there is nothing yet.
    summary : dict
        ``id``, ``state``, ``seconds`` and ``groups``; see :func:`summarise`.
    """

    id: str
    path: Path
    rows: list[dict[str, Any]]
    summary: dict[str, Any]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The rows that failed."""
        return [row for row in self.rows if row["state"] == "failed"]


def row_of(task: Task, store: RunStore, state: str | None = None, error: str | None = None) -> dict[str, Any]:
    """Return a task's row: what the store knows, unless this sweep has come to another state."""
    config = task.config
    row = dict.fromkeys(COLUMNS) | {
        "run_id": task.id,
        "data": task.data,
        "model": task.model,
        "labelled_ratio": config.split.labelled_ratio,
        "labels_per_class": config.split.labels_per_class,
        "seed": config.seed,
        "state": state or "queued",
        "error": error,
    }
    if task.rival:
        result = find_rival(config, task.model, store)
        if result is not None:
            known = result.as_row()
            row |= {name: known[name] for name in ("n_labelled", "state", "seconds", *METRICS)}
        return row
    run = store.find(config)
    if run is None:
        return row
    status = run.status
    row |= {"n_labelled": status.n_labelled, "seconds": status.seconds, "state": state or status.state}
    row["error"] = error or (status.error if row["state"] == "failed" else None)
    return row | {name: (status.validation or {}).get(name) for name in METRICS}


def summarise(sweep_id: str, state: str, seconds: float, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return mean, standard deviation and worst over seeds for every data set, model and number of labels.

    Returns
    -------
    dict
        ``id``, ``state``, ``seconds`` (wall time of all sessions that trained) and ``groups``: a list of dicts
        with the keys of :data:`GROUP`, ``n_labelled``, ``seeds`` (finished ones), ``failed``, and for each metric and
        ``seconds`` a dict of ``mean``, ``sd`` (n - 1; None for one seed) and ``worst``, or None where nothing finished.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in GROUP), []).append(row)
    return {
        "id": sweep_id,
        "state": state,
        "seconds": round(seconds, 1),
        "groups": [dict(zip(GROUP, key, strict=True)) | _group(members) for key, members in groups.items()],
    }


def _group(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    finished = [row for row in rows if row["state"] == "finished"]
    return {
        "n_labelled": next((row["n_labelled"] for row in rows if row["n_labelled"] is not None), None),
        "seeds": [row["seed"] for row in finished],
        "failed": sum(row["state"] == "failed" for row in rows),
    } | {name: _spread(name, [row[name] for row in finished]) for name in (*METRICS, "seconds")}


def _spread(name: str, given: Sequence[float | None]) -> dict[str, float | None] | None:
    values = [value for value in given if value is not None]
    if not values:
        return None
    return {
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "worst": max(values) if name in SMALL_IS_GOOD else min(values),
    }


def earlier_seconds(path: Path) -> float:
    """Return the wall time that a sweep's earlier sessions took; 0 where the summary is broken, which is replaced."""
    try:
        return float(json.loads((path / SUMMARY).read_bytes())["seconds"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0.0


def sweep_path(store: RunStore, sweep_id: str) -> Path:
    """Return the directory of a sweep, which need not exist."""
    return store.root / SWEEPS / sweep_id


def write_sweep(sweep: Sweep) -> None:
    """Write the table, as CSV and as parquet, and the summary."""
    write_json(sweep.path / SUMMARY, sweep.summary)
    text = io.StringIO()
    table = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    table.writeheader()
    table.writerows(
        {name: harmless(cell) if isinstance(cell, str) else cell for name, cell in row.items()} for row in sweep.rows
    )
    written = (sweep.path / CSV).read_text(encoding="utf-8") if (sweep.path / CSV).exists() else None
    if written == text.getvalue():
        return  # the parquet file was written before it, and needs pandas
    import pandas as pd

    binary = io.BytesIO()
    pd.DataFrame(sweep.rows, columns=list(COLUMNS)).astype(COLUMNS).to_parquet(binary, index=False)
    atomic_write(sweep.path / PARQUET, binary.getvalue())
    atomic_write(sweep.path / CSV, text.getvalue())


def write_spec(path: Path, spec: SweepSpec) -> None:
    """Make a sweep's directory and write what it is to train."""
    path.mkdir(parents=True, exist_ok=True)
    atomic_write(path / SPEC, spec.model_dump_json(indent=2) + "\n")


def write_progress(path: Path, values: Mapping[str, Any]) -> None:
    """Write ``status.json``."""
    write_json(path / STATUS, {**values, "updated": time.time()})


def read_progress(store: RunStore, sweep_id: str) -> dict[str, Any]:
    """Return ``status.json`` as it was last written.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    file = sweep_path(store, sweep_id) / STATUS
    try:
        return _Status.model_validate_json(file.read_bytes()).model_dump()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        raise UserError(f"{file} is damaged ({describe(error)[:300].rstrip('.')}).") from error


def read_sweep(store: RunStore, sweep_id: str) -> Sweep:
    """Read a sweep's table and summary as they were last written.

    Raises
    ------
    UserError
        If there is no such sweep, or it has no table yet.
    """
    path = sweep_path(store, sweep_id)
    try:
        summary = _summary(path / SUMMARY)
        with (path / CSV).open(newline="", encoding="utf-8") as file:
            rows = [{name: _value(name, text) for name, text in row.items()} for row in csv.DictReader(file)]
    except OSError as error:
        raise UserError(f"There is no finished sweep {sweep_id} in the store {store.root}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"The sweep {sweep_id} in {path} cannot be read ({json_in_words(error)}); run it again."
        ) from error
    except (ValueError, KeyError) as error:
        raise UserError(f"The sweep {sweep_id} in {path} cannot be read ({error}); run it again.") from error
    return Sweep(sweep_id, path, rows, summary)


def _summary(file: Path) -> dict[str, Any]:
    values = json.loads(file.read_bytes())
    if not isinstance(values, dict) or not {"state", "groups", "seconds"} <= values.keys():
        raise ValueError(f"{SUMMARY} is not that of a sweep")
    return values


@dataclass(frozen=True)
class BrokenSweep:
    """A sweep's directory that cannot be read, and why: one sentence."""

    id: str
    path: Path
    reason: str


def scan_sweeps(store: RunStore) -> tuple[list[dict[str, Any]], list[BrokenSweep]]:
    """Read every sweep of a store: ``status.json`` of each, last updated first, and those that cannot be read.

    A sweep whose process is gone reads as interrupted.
    """
    found, broken = [], []
    for file in sorted((store.root / SWEEPS).glob(f"*/{STATUS}")):
        sweep_id = file.parent.name
        try:
            found.append(_read_status(store, sweep_id))
        except UserError as error:
            reason = f"{str(error).rstrip('.')}; run the sweep again, or delete its folder."
            broken.append(BrokenSweep(sweep_id, file.parent, reason))
    return sorted(found, key=lambda status: -status["updated"]), broken


def sweeps(store: RunStore) -> list[dict[str, Any]]:
    """Return ``status.json`` of every sweep in the store that can be read, last updated first."""
    return scan_sweeps(store)[0]


def _read_status(store: RunStore, sweep_id: str) -> dict[str, Any]:
    status = read_progress(store, sweep_id)
    if status["state"] == "running" and not held(sweep_path(store, sweep_id) / LOCK):
        status = read_progress(store, sweep_id)  # it may have ended between the two looks
        if status["state"] == "running":
            status["state"] = "interrupted"
    return status


def _value(name: str, text: str) -> Any:
    if not text:
        return None
    read: dict[str, Callable[[str], Any]] = {"string": original, "Float64": float, "Int64": int}
    return read[COLUMNS[name]](text)
