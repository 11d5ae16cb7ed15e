"""How ``golden_store.zip`` was made: the few tiny runs that the tests of pages, reports and commands look at.

``python -m tests.data.make_golden_store`` trains them and writes the archive again. That is needed when a test says so:
when the settings of a run have changed, so that these configurations have other ids. Until then the archive stays as it
is, so that what this version reads was written by an earlier one.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path

from ssrvae_core.config import RunConfig, run_config
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.comparison import rival_result
from ssrvae_core.runs.directory import ENVIRONMENT, LOCK
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.files import write_json

ARCHIVE = Path(__file__).with_name("golden_store.zip")
MODELS = ("ss-vae", "ss-rvae")
RIVAL = "decision-tree"
TINY = {
    "dataset.size": 16,
    "dataset.train_per_class": 12,
    "dataset.validation_per_class": 8,
    "model.channels": (4, 8),
    "model.hidden": (16,),
    "training.epochs": 1,
    "training.min_steps": 2,
}
TINY_POLAR = {"model.radii": 6, "model.angles": 16}


def tiny_settings(model: str) -> dict:
    """Return the settings that make the preset of small demonstrations tiny."""
    return TINY | (TINY_POLAR if model == "ss-rvae" else {})


def tiny_config(model: str, seed: int = 0, **settings) -> RunConfig:
    """Return the configuration of a tiny run; settings by name."""
    return run_config(
        preset="teaching", model=model, labels_per_class=4, seed=seed, settings=tiny_settings(model) | settings
    )


def short_configs() -> list[RunConfig]:
    """Return both models after one epoch, which most tests look at."""
    return [tiny_config(model) for model in MODELS]


def long_configs() -> list[RunConfig]:
    """Return both models after three epochs, which make a film."""
    return [tiny_config(model, **{"training.epochs": 3}) for model in MODELS]


def unpack(target: Path, configs: list[RunConfig] | None = None) -> RunStore:
    """Unpack the runs of these configurations into a directory, by default those of one epoch with their rival."""
    wanted = [config.run_id for config in configs or short_configs()]
    with zipfile.ZipFile(ARCHIVE) as archive:
        names = [name for name in archive.namelist() if name.split("/")[0] in wanted]
        if configs is None:
            names += [name for name in archive.namelist() if name.startswith("rivals/")]
        archive.extractall(target, names)
    return RunStore(target)


def make() -> None:
    """Train every run, fit the rival, and write the archive."""
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        for config in (*short_configs(), *long_configs()):
            train_run(config, store, device="cpu")
        rival_result(tiny_config("ss-vae"), RIVAL, store, "cpu")
        for file in store.root.rglob(ENVIRONMENT):
            write_json(file, json.loads(file.read_text()) | {"git_revision": None, "platform": None})
        for file in store.root.rglob(LOCK):
            file.unlink()
        for path in store.root.iterdir():
            if path.name != "rivals" and path.name not in {run.id for run in store.runs()}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        with zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(file for file in store.root.rglob("*") if file.is_file()):
                archive.write(file, file.relative_to(store.root))


if __name__ == "__main__":
    make()
