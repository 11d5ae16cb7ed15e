"""Make the sweep over labels that the page Supervised ratio has without any training, ``ui/labels.zip``.

Usage: ``python benchmarks/labels.py [--store DIR] [--out ui/labels.zip]``

The runs of ``examples/labels.yaml``, of which the archive keeps what the film over them shows and no more: settings,
results, class probabilities and latents of the validation images, and a smaller picture of what each model imagines.
They have no weights, so that they cannot be evaluated or exported. With ``--store`` what is trained there already is
not trained again; without, the training takes some minutes of processor time.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from common import ROOT, machine, report, report_archive

from ssrvae_core.runs import Run, RunStore, directory
from ssrvae_core.runs.sweep import run_sweep
from ssrvae_core.runs.sweep_spec import LABELS

PROBABILITY, LATENT = 1000, 100
"""Steps per unit that probabilities and latents are rounded to: finer ones are not seen and take more space."""
REDUCED = 2
"""Pixels on a side that become one in the pictures of a manifold, which the film shows no larger than that."""
WHEN = (1980, 1, 1, 0, 0, 0)  # equal content gives an equal file


def predictions_kept(run: Run) -> dict[str, np.ndarray]:
    """Return what the film shows of the validation images; what it does not is left empty of information."""
    said = run.predictions()
    nothing = np.full(len(said), np.nan, np.float32)
    probability = np.round(said.class_prob * PROBABILITY).astype(np.float32) / PROBABILITY
    rows = np.arange(len(said))
    largest = probability.max(axis=1) + np.float32(0.1 / PROBABILITY)  # so that rounding makes no other class level
    probability[rows, said.predicted] = largest
    return {
        "ids": said.ids,
        "labels": said.labels,
        "class_prob": probability,
        "z_mean": np.round(said.z_mean * LATENT).astype(np.float32) / LATENT,
        "z_sd": np.zeros_like(said.z_sd),
        "angle": nothing,
        "concentration": nothing,
        "log_likelihood": np.zeros_like(said.log_likelihood),
    }


def manifold_kept(run: Run) -> np.ndarray:
    """Return the images of the manifold with a quarter of the pixels and 16 levels of grey."""
    images = directory.read_manifold(run.path)
    if images is None:
        raise SystemExit(f"Run {run.id} has kept no manifold.")
    *first, height, width = images.shape
    blocks = images.reshape(*first, height // REDUCED, REDUCED, width // REDUCED, REDUCED).mean(axis=(-3, -1))
    return (np.round(blocks / 17) * 17).astype(np.uint8)


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays as an npz that is not compressed, as the archive around it is."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # of which numpy's stub says bool
    return file.getvalue()


def files_of(run: Run) -> dict[str, bytes]:
    """Return the files of a run that are kept, by name."""
    return {
        directory.CONFIG: (run.path / directory.CONFIG).read_bytes(),
        directory.STATUS: run.status.model_copy(update={"pid": None, "pid_started": None}).model_dump_json().encode(),
        directory.VALIDATION: npz(predictions_kept(run)),
        directory.MANIFOLD: npz({"images": manifold_kept(run)}),
    }


def write(runs: list[Run], out: Path) -> None:
    """Write the archive."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for run in sorted(runs, key=lambda run: run.id):
            for name, content in files_of(run).items():
                entry = zipfile.ZipInfo(f"{run.id}/{name}", WHEN)
                archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)


def main() -> None:
    """Train, and write the archive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="where trained runs are, and stay")
    parser.add_argument("--out", type=Path, default=ROOT / "ui" / "labels.zip")
    arguments = parser.parse_args()
    report(benchmark="labels", machine=machine())
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(arguments.store or folder)
        rows = run_sweep(LABELS, store, workers=1).rows
        for row in rows:
            report(**{name: row[name] for name in ("model", "labels_per_class", "seed", "accuracy")})
        write([store.get(row["run_id"]) for row in rows], arguments.out)
    report_archive(arguments.out, "The sweep", "keep less of it")


if __name__ == "__main__":
    main()
