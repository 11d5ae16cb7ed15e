"""Measure the sweep over labels per class for a classroom: accuracy by the number of labels, and how long it takes.

Usage: ``python benchmarks/teaching_sweep.py [--seeds 0 1 2] [--store DIR]``

The sweep is ``examples/labels.yaml``, as a teacher runs it: both models with 1 to 50 labels per class on the particles
for a classroom, one worker per core. A line per model and number of labels has the accuracies of all seeds, their mean
and the worst; the last ones have the rise from the fewest labels to the most. A store that is given keeps its runs, and
the seconds are then those of what was missing in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from common import ROOT, machine, report, spread

from ssrvae_core.runs import RunStore
from ssrvae_core.runs.machine import cores
from ssrvae_core.runs.sweep import read_spec, run_sweep
from ssrvae_core.runs.sweep_spec import SweepSpec

SPEC = ROOT / "examples" / "labels.yaml"


def measure(spec: SweepSpec, store: RunStore) -> None:
    """Run the sweep, and report every number of labels and the whole."""
    began = time.perf_counter()
    sweep = run_sweep(spec, store, workers=cores())
    seconds = time.perf_counter() - began
    by_model: dict[str, dict[int, list[float]]] = {}
    for row in sweep.rows:
        of_labels = by_model.setdefault(row["model"], {}).setdefault(row["labels_per_class"], [])
        of_labels.append(row["accuracy"])
    means = {
        model: {labels: _reported(model, labels, values) for labels, values in sorted(of_labels.items())}
        for model, of_labels in by_model.items()
    }
    for model, of_labels in means.items():
        fewest, *_, most = of_labels.values()
        report(model=model, rise=round(most - fewest, 3), means=[round(mean, 3) for mean in of_labels.values()])
    report(
        runs=len(sweep.rows),
        workers=cores(),
        seconds=round(seconds, 1),
        seconds_per_run=spread([row["seconds"] for row in sweep.rows]),
    )


def _reported(model: str, labels: int, accuracies: list[float]) -> float:
    summary: dict[str, Any] = spread(accuracies)
    report(model=model, labels_per_class=labels, accuracy=summary, worst=summary["min"])
    return float(summary["mean"])


def main() -> None:
    """Print JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of the sweep's own")
    parser.add_argument("--store", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    spec = read_spec(SPEC)
    if arguments.seeds:
        spec = spec.model_copy(update={"seeds": tuple(arguments.seeds)})
    report(benchmark="teaching_sweep", machine=machine(), sweep=SPEC.name, seeds=spec.seeds)
    with nullcontext(str(arguments.store)) if arguments.store else tempfile.TemporaryDirectory() as folder:
        measure(spec, RunStore(folder))


if __name__ == "__main__":
    main()
