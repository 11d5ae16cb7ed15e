"""Two tiny runs on an image file whose names try to be markup."""

import numpy as np
import pytest

from ssrvae_core.config import run_config
from ssrvae_core.data.readers import file_dataset
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.execute import train_run

NAMES = ("<script>alert(1)</script>", "<b>hearts</b>")
FILE = "<img src=x onerror=alert(2)>.npz"


@pytest.fixture(scope="session")
def hostile_pair(tmp_path_factory, tiny_settings):
    """An ss-VAE and an ss-rVAE, in this order. They are shared: read them, do not change them."""
    folder = tmp_path_factory.mktemp("hostile")
    images = np.random.default_rng(0).random((60, 16, 16)).astype(np.float32)
    np.savez(folder / FILE, images=images, labels=np.arange(60) % 2, class_names=np.array(NAMES))
    shared = {name: value for name, value in tiny_settings.items() if name.startswith("training.")}
    store, dataset = RunStore(folder / "runs"), file_dataset(folder / FILE)
    return [
        train_run(run_config(dataset=dataset, model=model, settings=shared | {"model.hidden": [8]}), store)
        for model in ("ss-vae", "ss-rvae")
    ]
