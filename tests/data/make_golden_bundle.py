"""How ``bundle_v1.zip`` was made, so that the next version's is made alike: a tiny run, trained and exported.

``python tests/data/make_golden_bundle.py`` writes the bundle of the version it is run with. A bundle that is there is
never made again: what counts is that later versions take the one an earlier version wrote.
"""

import json
import tempfile
from pathlib import Path

from ssrvae_core.config import run_config
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.bundle import export_bundle
from ssrvae_core.runs.bundle.manifest import VERSION
from ssrvae_core.runs.directory import ENVIRONMENT
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.files import write_json

SETTINGS = {
    "dataset.size": 16,
    "dataset.train_per_class": 20,
    "dataset.validation_per_class": 8,
    "model.channels": [4, 4],
    "model.hidden": [8],
    "model.radii": 6,
    "model.angles": 8,
    "training.epochs": 3,
    "training.batch_size": 20,
    "training.labelled_batch_size": 20,
    "training.min_steps": 1,
    "training.tracked": 10,
}

if __name__ == "__main__":
    out = Path(__file__).with_name(f"bundle_v{VERSION}.zip")
    if out.exists():
        raise SystemExit(f"{out.name} is there, and stays as it is.")
    with tempfile.TemporaryDirectory() as store:
        config = run_config(data="cards-b2", labels_per_class=5, settings=SETTINGS)
        run = train_run(config, RunStore(store), device="cpu")
        environment = json.loads((run.path / ENVIRONMENT).read_text())
        write_json(run.path / ENVIRONMENT, environment | {"git_revision": None, "platform": None})
        export_bundle([run], out)
