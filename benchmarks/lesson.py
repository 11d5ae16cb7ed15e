"""Make the lesson that the Learn page has without any training, ``ui/lesson.zip``: a bundle of six runs.

Usage: ``python benchmarks/lesson.py [--out ui/lesson.zip]``

Both models at 4, 10 and 40 labels per class on ``cards-teaching``, preset ``teaching`` with narrower networks, so that
all six take less than 3 MB, and more epochs, so that what these draw is sharp. The last epoch alone is kept of each
training; they take some minutes of processor time.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import ROOT, machine, report, report_archive

from ssrvae_core.runs import RunStore
from ssrvae_core.runs.bundle import export_bundle
from ssrvae_core.runs.sweep import run_sweep
from ssrvae_core.runs.sweep_spec import SweepSpec

EPOCHS = 16
SPEC = SweepSpec(
    data=("cards-teaching",),
    models=("ss-vae", "ss-rvae"),
    labels_per_class=(4, 10, 40),
    preset="teaching",
    settings={
        "model.channels": (16, 32),
        "model.hidden": (60, 60),
        "training.epochs": EPOCHS,
        "training.snapshot_every": EPOCHS,
    },
)


def main() -> None:
    """Train, and write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "ui" / "lesson.zip")
    arguments = parser.parse_args()
    report(benchmark="lesson", machine=machine())
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        for row in run_sweep(SPEC, store, workers=1).rows:
            report(**{name: row[name] for name in ("model", "labels_per_class", "accuracy")})
        export_bundle(store.runs(), arguments.out)
    report_archive(arguments.out, "The lesson", "make its networks narrower")


if __name__ == "__main__":
    main()
