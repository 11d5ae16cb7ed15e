"""One piece of a sweep: a run to train, or a rival to fit on a run's split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ssrvae_core.config import RunConfig
from ssrvae_core.runs.comparison import rival_id


@dataclass(frozen=True)
class Task:
    """One piece of work of a sweep: a run, or a rival fitted on a run's split.

    Attributes
    ----------
    config : RunConfig
        The run; of a rival, a run with the data, split and seed it is given.
    data : str
        Name of the data set: a named one's, or the file's.
    model : str
        Name of the model, or of the rival.
    rival : bool
        Whether it is a rival.
    """

    config: RunConfig
    data: str
    model: str
    rival: bool = False

    @property
    def id(self) -> str:
        """12 hex digits: the run's id, or the rival's."""
        return rival_id(self.config, self.model) if self.rival else self.config.run_id

    @property
    def title(self) -> str:
        """Model, data, labels and seed in words."""
        return f"{self.model} on {self.data}, {self.config.split.in_words}, seed {self.config.seed}"


def sweep_id(tasks: Sequence[Task]) -> str:
    """Return the id of the sweep that has these tasks."""
    return hashlib.sha256(json.dumps(sorted({task.id for task in tasks})).encode()).hexdigest()[:12]
