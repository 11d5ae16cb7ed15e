"""Stores to look at: two runs of the golden store, and many that are copies of them under other seeds."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.files import atomic_write
from tests.data import make_golden_store as golden
from tests.data.make_golden_store import TINY as TINY
from tests.data.make_golden_store import TINY_POLAR as TINY_POLAR
from tests.data.make_golden_store import tiny_config

APP = Path(__file__).parents[2] / "app.py"
PAGES = {"overview": "pages/overview.py", "latent": "pages/latent_space.py", "confusion": "pages/confusion.py"}


@pytest.fixture(autouse=True)
def _component_of_every_page_left_out(monkeypatch):
    """Leave out the component that is on every page: the tests of a page look for its own."""
    monkeypatch.setattr("ui.look._keyboard", lambda **_: {})


def copy_run(store, run, config, **status):
    """Put a run under another configuration, as if it had been trained so."""
    path = store.path(config.run_id)
    shutil.copytree(run.path, path)
    atomic_write(path / directory.CONFIG, config.model_dump_json())
    directory.write_status(path, run.status.model_copy(update=status))
    return store.get(config.run_id)


@pytest.fixture(autouse=True, scope="session")
def _packages_searched_once():
    """Search the packages for Streamlit's components once: every AppTest does, and it takes longer than a page."""
    with pytest.MonkeyPatch.context() as patch:
        search = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", search)
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A store with an ss-VAE and an ss-rVAE, trained for one epoch on a few tiny cards."""
    return golden.unpack(tmp_path_factory.mktemp("trained"), golden.short_configs())


@pytest.fixture
def make_store(trained, tmp_path, monkeypatch):
    """Build the store the dashboard looks at: empty, one run, two, or many with every state; and a broken one."""

    def make(kind):
        store = RunStore(tmp_path / "store")
        runs = trained.runs()
        for run in {"empty": [], "one": runs[:1], "broken": runs[:1]}.get(kind, runs):
            shutil.copytree(run.path, store.path(run.id))
        if kind == "broken":
            store.path("0123456789ab").mkdir()
            (store.path("0123456789ab") / directory.CONFIG).write_text("{")
        if kind == "many":
            for seed in range(1, 21):
                copy_run(store, runs[seed % 2], tiny_config(runs[seed % 2].config.model.name, seed))
            unfinished = {"failed": "The loss is not a number.", "cancelled": None, "interrupted": None}
            for seed, (state, error) in enumerate(unfinished.items(), 100):
                copy_run(store, runs[0], tiny_config("ss-rvae", seed), state=state, error=error, validation=None)
        monkeypatch.setenv("SSRVAE_STORE", str(store.root))
        return store

    return make


@pytest.fixture
def open_page():
    """Open a page of the dashboard, at an address."""

    def go(page, /, **address):
        app = AppTest.from_file(str(APP), default_timeout=60)
        if page != "overview":
            app.switch_page(PAGES[page])
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return go
