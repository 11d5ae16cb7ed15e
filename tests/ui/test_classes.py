"""On the Train page: the classes of all particles of a run that has ended, in one click."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.runs import catching_up, directory, everything
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.tables import CSV, PARQUET
from tests.ui.conftest import APP
from ui import classes

LABEL = "Classes of all particles"
MAKE = "Classify all particles"


@pytest.fixture
def open_train(monkeypatch):
    """Open the page at an address."""
    monkeypatch.setattr("ui.entry.through_app", lambda: None)

    def go(**address):
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.switch_page("pages/train.py")
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return go


@pytest.fixture
def older(make_store):
    """A run of the golden store, which an earlier version trained."""
    return make_store("one").runs()[0]


def downloads(app):
    return [element.proto.label for element in app.get("download_button")]


def labels(app):
    return [button.label for button in app.button]


def texts(app):
    return " ".join(element.value for kind in (app.markdown, app.caption, app.warning) for element in kind)


def test_a_run_that_has_ended_gives_the_classes_of_all_its_particles(older, open_train):
    particles = everything.write_particles(older, "cpu")
    app = open_train(run=older.id)
    assert not app.exception
    assert LABEL in downloads(app) and any("Parquet" in label for label in downloads(app))
    assert MAKE not in labels(app)
    table = pd.read_csv(io.BytesIO(classes._table(older, CSV)))
    assert table["id"].tolist() == particles.ids.tolist()
    assert set(table["part"]) == {"labelled", "unlabelled", "validation"}
    assert len(pd.read_parquet(io.BytesIO(classes._table(older, PARQUET)))) == len(table)


def test_an_earlier_run_has_a_button_that_makes_them(older, open_train, monkeypatch):
    begun = []
    monkeypatch.setattr(catching_up, "begin", lambda run: begun.append(run.id))
    app = open_train(run=older.id)
    assert LABEL not in downloads(app)
    next(button for button in app.button if button.label == MAKE).click()
    app.run()
    assert begun == [older.id] and not app.exception


def test_while_they_are_made_the_page_says_how_far_that_is(older, open_train):
    with locked(older.path / catching_up.LOCK, wait=False):
        catching_up._write(older.path, catching_up.CatchingUp(done=300, n=1200))
        app = open_train(run=older.id)
        (shown,) = [element.proto for element in app.get("progress")]
        assert "300 of 1,200" in shown.text and shown.value == 25
        assert MAKE not in labels(app)
    app = open_train(run=older.id)  # the process is gone
    assert MAKE in labels(app) and any("stopped" in warning.value for warning in app.warning)


def test_why_they_could_not_be_made_is_said(older, open_train):
    catching_up._write(older.path, catching_up.CatchingUp(error="The file 'crops.npz' is not here."))
    app = open_train(run=older.id)
    assert any("crops.npz" in warning.value for warning in app.warning) and MAKE in labels(app)


def test_a_file_that_cannot_be_read_is_a_sentence_with_a_way_out(older, open_train):
    (older.path / directory.PARTICLES).write_bytes(b"not an archive")
    app = open_train(run=older.id)
    assert not app.exception
    assert any(directory.PARTICLES in warning.value for warning in app.warning) and MAKE in labels(app)


def test_a_viewer_can_take_them_but_not_make_them(older, open_train, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    assert MAKE not in labels(open_train(run=older.id))
    monkeypatch.delenv("SSRVAE_MODE")
    everything.write_particles(older, "cpu")
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    assert LABEL in downloads(open_train(run=older.id))
