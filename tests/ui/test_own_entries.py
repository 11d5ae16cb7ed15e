"""A method and an image source of the user's own, added by nothing but a function, on the pages."""

from __future__ import annotations

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.config import run_config
from ssrvae_core.data import ImageSet
from ssrvae_core.registry import RIVALS, SOURCES
from ssrvae_core.runs.comparison import RESULT, RIVALS_DIRECTORY
from ssrvae_core.runs.jobs import JobQueue
from tests.ui.conftest import APP, TINY, TINY_POLAR
from tests.ui.ratio_stores import add_rival
from tests.ui.test_pages import said


class Even:
    """A fitted method that is sure of nothing."""

    def __init__(self):
        self.parameters = {"guesses": 1}

    def predict_proba(self, images):
        return np.full((len(images), 4), 0.25)


def stripes(config):
    """Draw lines or none, in no pose that is known and without a validation part."""
    labels = np.arange(60) % 2
    images = np.random.default_rng(config.seed).random((60, 1, 16, 16)).astype(np.float32) / 2
    images[labels == 1, :, ::2] += 0.5
    return ImageSet(images, labels, np.arange(60), ("plain", "striped"))


@pytest.fixture
def open_page(monkeypatch):
    monkeypatch.setattr("ui.entry.through_app", lambda: None)

    def go(page, **address):
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.switch_page(f"pages/{page}.py")
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return go


@pytest.fixture
def store(make_store, monkeypatch):
    monkeypatch.setitem(RIVALS, "my-method", lambda data, seed, device: Even())
    return make_store("two")


def test_a_method_of_ones_own_can_be_fitted_from_the_confusion_page(store, open_page):
    app = open_page("confusion")
    assert not app.exception and not app.error
    (offered,) = [widget for widget in app.multiselect if "fit" in widget.label]
    assert "My method" in offered.options


@pytest.mark.parametrize("page", ["confusion", "compare"])
def test_a_method_of_ones_own_stands_beside_the_others(page, store, open_page):
    for run in store.runs():
        if not (store.root / RIVALS_DIRECTORY).exists():
            add_rival(store, run, "my-method")
    left = next(run.id for run in store.runs() if run.config.model.name == "ss-vae")
    app = open_page(page, left=left)
    assert not app.exception and not app.error
    options = [option for widget in app.multiselect for option in widget.options]
    options += [option.content for group in app.get("button_group") for option in group.proto.options]
    assert "My method" in options


def test_a_method_that_is_not_known_here_goes_by_its_name(make_store, open_page):
    store = make_store("two")
    result = add_rival(store, store.runs()[0])
    told = json.loads((result.path / RESULT).read_text()) | {"rival": "from-elsewhere"}
    (result.path / RESULT).write_text(json.dumps(told))
    app = open_page("compare", rivals=result.id)
    assert not app.exception and not app.error
    assert any("from-elsewhere" in group.proto.options[0].content for group in app.get("button_group"))


@pytest.mark.parametrize("page", ["data", "train"])
def test_a_source_of_ones_own_is_offered_and_shown(page, make_store, open_page, monkeypatch):
    monkeypatch.setitem(SOURCES, "stripes", stripes)
    make_store("two")
    app = open_page(page, data="stripes")
    assert not app.exception and not app.error and not app.warning
    assert app.selectbox(key=f"{page}-data").value == "stripes"
    labels = [slider.label for slider in app.slider]
    assert not any("rotation" in label.lower() for label in labels)  # nobody said that it follows them
    if page == "data":
        assert "44 labelled, 0 unlabelled, 16 validation" in said(app)
    else:
        assert "44 labelled and 0 unlabelled images" in said(app)
        assert "Of 60 images with a label, 44 are trained on with their label, and 16 held out" in said(app)
        hidden = open_page(page, data="stripes", rule="labels", labels="5")
        assert "10 are trained on with their label, 34 as unlabelled ones, and 16 held out" in said(hidden)


def test_its_training_can_be_started_from_the_page(make_store, open_page, monkeypatch):
    monkeypatch.setitem(SOURCES, "stripes", stripes)
    monkeypatch.setattr("ssrvae_core.runs.jobs.ensure_dispatcher", lambda store: None)
    store = make_store("empty")
    app = open_page("train", data="stripes", models="ss-rvae", rule="labels", labels="5")
    next(button for button in app.button if button.label == "Start training").click()
    app.run()
    assert not app.exception and not app.error
    (job,) = JobQueue(store).list()
    assert "stripes" in job.title


def test_its_runs_are_looked_at_as_those_of_a_file(make_store, open_page, monkeypatch):
    from ssrvae_core.runs.execute import train_run

    monkeypatch.setitem(SOURCES, "stripes", stripes)
    store = make_store("empty")
    tiny = {name: value for name, value in (TINY | TINY_POLAR).items() if not name.startswith("dataset.")}
    run = train_run(run_config(data="stripes", labels_per_class=5, settings=tiny), store, device="cpu")
    for page in ("latent_space", "confusion", "learn", "compare", "training_film"):
        app = open_page(page, left=run.id)
        assert not app.exception and not app.error
    assert run.config.model.angle_prior_labelled == "uniform"
