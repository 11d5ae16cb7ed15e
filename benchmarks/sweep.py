"""Measure what several worker processes are worth, how long a sweep takes, and how long it takes when it is cached.

Usage: ``python benchmarks/sweep.py [--only workers full] [--repeats 2] [--store DIR]``

``workers`` trains the same runs with one worker that has all cores, and with one worker a core. ``full`` is the sweep
of 8 ratios x 2 models x 3 seeds on the teaching data, and then the same again with every run finished; a store that is
given, and empty, keeps its runs. Seconds are wall time and begin before the workers are started.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from common import machine, report, spread

from ssrvae_core.config import DEMO_MODELS, DEMO_PRESET
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.machine import cores
from ssrvae_core.runs.sweep import Sweep, SweepSpec, run_sweep

SHORT = SweepSpec(preset=DEMO_PRESET, models=DEMO_MODELS, labelled_ratios=(0.05, 0.2), seeds=(0, 1))
FULL = SweepSpec(
    preset=DEMO_PRESET,
    models=DEMO_MODELS,
    labelled_ratios=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75),
    seeds=(0, 1, 2),
)


def timed(spec: SweepSpec, store: RunStore, workers: int) -> tuple[float, Sweep]:
    """Run a sweep; return the wall time and the sweep."""
    began = time.perf_counter()
    sweep = run_sweep(spec, store, workers=workers)
    return time.perf_counter() - began, sweep


def measure_workers(repeats: int) -> None:
    """Compare one worker with all cores to one worker a core, in turns."""
    seconds: dict[int, list[float]] = {1: [], cores(): []}
    for _ in range(repeats):
        for workers, values in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                values.append(timed(SHORT, RunStore(folder), workers)[0])
            report(benchmark="workers", workers=workers, runs=len(SHORT.configs()), seconds=round(values[-1], 1))
    gain = min(seconds[1]) / min(seconds[cores()])
    report(
        benchmark="workers", **{f"seconds_{n}": spread(values) for n, values in seconds.items()}, gain=round(gain, 2)
    )


def measure_full(store: Path | None) -> None:
    """Time the whole sweep, and the same command once more."""
    with nullcontext(str(store)) if store else tempfile.TemporaryDirectory() as folder:
        seconds, sweep = timed(FULL, RunStore(folder), cores())
        for group in sweep.summary["groups"]:
            report(benchmark="full", **group)
        report(benchmark="full", runs=len(sweep.rows), seconds=round(seconds, 1), state=sweep.summary["state"])
        path = Path(folder) / "sweep.yaml"
        path.write_text(FULL.model_dump_json())  # JSON is YAML
        command = [sys.executable, "-m", "ssrvae_core", "sweep", str(path), "--store", folder]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        report(benchmark="cached", runs=len(sweep.rows), seconds=round(time.perf_counter() - began, 2))


def main() -> None:
    """Print JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=["workers", "full"], choices=["workers", "full"])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--store", type=Path, help="keep the runs of the whole sweep here")
    arguments = parser.parse_args()
    if arguments.store and "full" not in arguments.only:
        parser.error("--store keeps the runs of 'full', which --only leaves out")
    if arguments.store and arguments.store.exists() and any(arguments.store.iterdir()):
        parser.error(f"{arguments.store} is not empty: what is finished there would not be trained, and not be timed")
    report(benchmark="sweep", machine=machine())
    if "workers" in arguments.only:
        measure_workers(arguments.repeats)
    if "full" in arguments.only:
        measure_full(arguments.store)


if __name__ == "__main__":
    main()
