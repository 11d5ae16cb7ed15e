"""Measure the seconds of reading and listing a store of many runs, and of exporting and importing a bundle.

Usage: ``python benchmarks/store.py --store DIR [--runs 1000] [--bundled 16] [--repeats 5]``

The store should hold as many finished runs as are bundled, such as ``python benchmarks/sweep.py --store DIR`` leaves
them. The many runs are copies of one of them with other seeds.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, machine, report, spread

from ssrvae_core.runs import Run, RunStore, directory


def command(*arguments: object) -> float:
    """Seconds of a command of the package, its start included."""
    began = time.perf_counter()
    call = [sys.executable, "-m", "ssrvae_core", *map(str, arguments)]
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return time.perf_counter() - began


def reads(store: RunStore) -> float:
    """Seconds of reading every run of a store, as the dashboard and the commands do."""
    began = time.perf_counter()
    store.runs()
    return time.perf_counter() - began


def many(run: Run, count: int, store: RunStore) -> None:
    """Fill a store with copies of a run under other seeds."""
    for seed in range(count):
        config = run.config.model_copy(update={"seed": seed})
        path = store.path(config.run_id)
        shutil.copytree(run.path, path)
        (path / directory.CONFIG).write_text(config.model_dump_json())


def main() -> None:
    """Print a line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--bundled", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    finished = [run for run in RunStore(arguments.store).runs() if run.status.state == "finished"]
    if len(finished) < max(arguments.bundled, 1):
        raise SystemExit(f"{arguments.store} has {len(finished)} finished runs, fewer than {arguments.bundled}.")
    report(benchmark="store", machine=machine())
    with tempfile.TemporaryDirectory() as folder:
        crowd = RunStore(Path(folder) / "crowd")
        many(finished[0], arguments.runs, crowd)
        reading = [reads(crowd) for _ in range(arguments.repeats)]
        report(what="read", runs=len(crowd.runs()), seconds=spread(reading))
        listing = [command("list", "--store", crowd.root) for _ in range(arguments.repeats)]
        report(what="list, with start-up and table", runs=arguments.runs, seconds=spread(listing))

        bundle, ids = Path(folder) / "bundle.zip", [run.id for run in finished[: arguments.bundled]]
        exporting = command("export", *ids, "--out", bundle, "--store", arguments.store.resolve())
        report(
            what="export", runs=len(ids), seconds=round(exporting, 3), megabytes=round(bundle.stat().st_size / 1e6, 1)
        )
        importing = [command("import", bundle, "--store", Path(folder) / str(n)) for n in range(arguments.repeats)]
        report(what="import", runs=len(ids), seconds=spread(importing))


if __name__ == "__main__":
    main()
