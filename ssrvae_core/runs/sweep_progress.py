"""How far a sweep is while it goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from ssrvae_core.runs.store import RunStore
from ssrvae_core.runs.sweep_table import row_of
from ssrvae_core.runs.sweep_task import Task, sweep_id
from ssrvae_core.runs.sweep_work import Event

ENDED = frozenset({"finished", "failed", "cancelled"})


class Progress:
    """The state of every task; ``on_progress`` of :func:`ssrvae_core.runs.sweep.run_sweep` gets it again and again.

    Attributes
    ----------
    id : str
        The sweep's.
    tasks : sequence of Task
        All of it, finished before or not.
    rows : list of dict
        Their rows of the table so far.
    epochs : list of int
        Epochs done of each task; a rival counts as one epoch.
    shares : list of float
        Share of each task that is done, in [0, 1]; a rival's is 0 until it is fitted.
    changed : Task or None
        The task whose state has changed since the last call, if one has.
    """

    def __init__(self, tasks: Sequence[Task], store: RunStore) -> None:
        self.id = sweep_id(tasks)
        self.tasks = tasks
        self.rows = [row_of(task, store) for task in tasks]
        # Only what is finished is left alone; what failed or was cancelled is tried again.
        for row in self.rows:
            if row["state"] != "finished":
                row |= {"state": "queued", "error": None}
        self.missing = [i for i, row in enumerate(self.rows) if row["state"] != "finished"]
        self.epochs = [self.total(i) if row["state"] == "finished" else 0 for i, row in enumerate(self.rows)]
        self.shares = [1.0 if row["state"] == "finished" else 0.0 for row in self.rows]
        self._began_at = list(self.shares)  # what earlier sessions did says nothing of this one's pace
        self.changed: Task | None = None
        self._store = store
        self._began = time.monotonic()

    def total(self, i: int) -> int:
        """Epochs that task ``i`` has in all."""
        return 1 if self.tasks[i].rival else self.tasks[i].config.training.epochs

    def count(self, *states: str) -> int:
        """Tasks in any of these states."""
        return sum(row["state"] in states for row in self.rows)

    @property
    def seconds(self) -> float:
        """Wall time of this session."""
        return time.monotonic() - self._began

    @property
    def eta(self) -> float | None:
        """Seconds to go at the pace so far, None before the first steps.

        Rivals count from when it is known what an epoch and a rival take; what failed says nothing of the pace.
        """
        epoch, rival = self._costs()
        done = left = 0.0
        for i in self.missing:
            cost = rival if self.tasks[i].rival else epoch
            epochs = cost * self.total(i)
            left += epochs * (1 - self.shares[i])
            if self.rows[i]["state"] not in {"failed", "cancelled"}:
                done += epochs * (self.shares[i] - self._began_at[i])
        return self.seconds * left / done if done else None

    def _costs(self) -> tuple[float, float]:
        """Return what an epoch and a rival have taken on average; 1 and 0 while one of them is not known."""
        runs: list[float] = []
        rivals: list[float] = []
        for i, row in enumerate(self.rows):
            if row["state"] == "finished" and row["seconds"] is not None:
                (rivals if self.tasks[i].rival else runs).append(row["seconds"] / self.total(i))
        return (fmean(runs), fmean(rivals)) if runs and rivals else (1.0, 0.0)

    def record(self, i: int, event: Event) -> None:
        """Take in what happened to task ``i``."""
        if event.state != self.rows[i]["state"]:
            self.rows[i] = row_of(self.tasks[i], self._store, event.state, event.error)
            self.changed = self.tasks[i]
        self.epochs[i] = self.total(i) if event.state in ENDED else max(event.epoch, self.epochs[i])
        if self.rows[i]["state"] == "running" and event.share and not self.epochs[i] and not self.shares[i]:
            self._began_at[i] = event.share
        share = max(event.share, event.epoch / self.total(i))
        self.shares[i] = 1.0 if event.state in ENDED else max(share, self.shares[i])
        if event.accuracy is not None:
            self.rows[i]["accuracy"] = event.accuracy

    def stopped(self) -> None:
        """Ask the store about everything that has not come to an end."""
        for i in self.missing:
            if self.rows[i]["state"] not in ENDED:
                self.rows[i] = row_of(self.tasks[i], self._store)

    def as_json(self, state: str) -> dict[str, Any]:
        """Return the numbers of ``status.json``."""
        return {
            "id": self.id,
            "state": state,
            "tasks": len(self.tasks),
            "finished": self.count("finished"),
            "failed": self.count("failed"),
            "running": self.count("running"),
            "share": round(sum(self.shares) / len(self.shares), 4),
            "seconds": round(self.seconds, 1),
            "eta_seconds": None if self.eta is None else round(self.eta, 1),
        }
