"""Stores of runs at several supervised ratios: copies of two that were trained, under other configurations."""

from __future__ import annotations

import shutil

from streamlit.testing.v1 import AppTest

from ssrvae_core.config import run_config
from ssrvae_core.registry import RIVALS
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.comparison import RESULT, RIVALS_DIRECTORY, RivalResult, rival_id
from tests.ui.conftest import APP, TINY, TINY_POLAR, copy_run

PAGES = {
    "ratio": "pages/supervised_ratio.py",
    "film": "pages/training_film.py",
    "compare": "pages/compare.py",
}


def ratio_config(model, ratio, seed=0, **settings):
    tiny = TINY | (TINY_POLAR if model == "ss-rvae" else {})
    amount = {"labels_per_class" if isinstance(ratio, int) else "labelled_ratio": ratio}
    return run_config(preset="teaching", model=model, **amount, seed=seed, settings=tiny | settings)


def make_ratio_store(trained, root, points):
    """Build a store with runs at these (model, ratio, seed); a whole number stands for labels per class."""
    store = RunStore(root)
    originals = {run.config.model.name: run for run in trained.runs()}
    for model, ratio, seed in points:
        copy_run(store, originals[model], ratio_config(model, ratio, seed))
    return store


def add_rival(store, run, rival="knn", accuracy=0.5):
    """Put the result of a rival on a run's labels into a store."""
    path = store.root / RIVALS_DIRECTORY / rival_id(run.config, rival)
    path.mkdir(parents=True)
    result = RivalResult(
        id=path.name,
        rival=rival,
        version=RIVALS[rival].version,
        dataset=run.config.dataset,
        split=run.config.split,
        seed=run.config.seed,
        class_names=run.class_names,
        n_labelled=8,
        n_unlabelled=40,
        n_validation=32,
        parameters={},
        validation={**run.status.validation, "accuracy": accuracy},
        fit_seconds=1.0,
        predict_seconds=0.1,
        device="cpu",
        updated=1.0,
        path=path,
    )
    (path / RESULT).write_text(result.model_dump_json())
    return result


def open_film_page(page, /, **address):
    """Open one of the three pages, at an address."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page(PAGES[page])
    for name, value in address.items():
        app.query_params[name] = value
    return app.run()


def break_predictions(run):
    (run.path / "validation.npz").write_bytes(b"PK\x03\x04 torn")


def copy_all(trained, root):
    store = RunStore(root)
    for run in trained.runs():
        shutil.copytree(run.path, store.path(run.id))
    return store
