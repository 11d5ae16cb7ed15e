"""Epochs of two revisions in turns: what else the machine does meets both alike. Called by ``speed.py --turns``."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from common import ROOT, report, spread

WORKER = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from ssrvae_core.config import run_config
from ssrvae_core.data import load, split
from ssrvae_core.training import Trainer
config = run_config(model="ss-rvae", data=sys.argv[2], settings={"training.epochs": 1000, "training.starts": 1})
epochs = Trainer(config, split(load(config.dataset), config.split)).fit()
next(epochs)
print("ready", flush=True)
for _ in sys.stdin:
    began = time.process_time()
    seconds = next(epochs).seconds
    print(json.dumps([seconds, time.process_time() - began]), flush=True)
"""
"""Trains an epoch for each line it reads, and prints its seconds: by the clock, and of all threads' processor time."""


class Worker:
    """A process that trains the package of one source tree."""

    def __init__(self, tree: Path, data: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tree), data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("A worker ended before it was told to; its error is above.")
        return answer

    def epoch(self) -> tuple[float, float]:
        """Train an epoch, and return its seconds and its processor seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        wall, processor = json.loads(self._answer())
        return wall, processor

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Give the source tree of a revision, in a temporary directory."""
    archive = subprocess.run(["git", "archive", revision, "ssrvae_core"], capture_output=True, check=True, cwd=ROOT)
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(directory, filter="data")
        yield Path(directory)


def turns(revision: str, repeats: int, data: str = "cards-b2") -> None:
    """Report epochs of this tree and of another revision, in turns."""
    with ExitStack() as stack:
        other = stack.enter_context(checked_out(revision))
        workers = [stack.enter_context(Worker(tree, data)) for tree in (other, ROOT)]
        rounds: list[list[tuple[float, float]]] = [[worker.epoch() for worker in workers] for _ in range(repeats)]
    names = (revision, "this tree")
    for kind, unit in enumerate(("seconds", "processor_seconds")):
        columns = [[epoch[of][kind] for epoch in rounds] for of in range(2)]
        ratios = [before / after for before, after in zip(*columns, strict=True)]
        figures: dict[str, Any] = {name: spread(values) for name, values in zip(names, columns, strict=True)}
        report(turns=data, unit=unit, **figures, ratio_of_best=min(columns[0]) / min(columns[1]), ratio=median(ratios))
