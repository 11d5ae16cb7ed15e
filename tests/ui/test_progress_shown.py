"""What the dashboard says of a training under way and of one that stopped is what is so."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.runs import directory
from ssrvae_core.runs import jobs as job_files
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.progress import Place, Progress, write_progress
from tests.ui.conftest import APP, copy_run, tiny_config
from tests.ui.test_pages import said
from ui.jobs import progress_text, stopped_text, work_of

STARTS = {"training.epochs": 8, "training.starts": 3}
IN_START = {"start": 2, "starts": 3, "epochs": 8, "step": 40, "steps": 120, "saved": Place(start=1)}


@pytest.fixture
def under(make_store, monkeypatch):
    """A run in a state, at a place."""
    monkeypatch.setattr("ui.entry.through_app", lambda: None)
    monkeypatch.setattr(job_files, "ensure_dispatcher", lambda store: None)
    store = make_store("two")

    def make(state, **progress):
        run = copy_run(store, store.runs()[0], tiny_config("ss-rvae", 5, **STARTS), state=state, epochs=8, epoch=0)
        run.path.joinpath(directory.STATUS).write_text(
            run.status.model_copy(update={"validation": None}).model_dump_json()
        )
        write_progress(run.path, Progress(**progress))
        return store, work_of(store, run.id)

    return make


def open_page(page, **address):
    app = AppTest.from_file(str(APP), default_timeout=60)
    if page != "overview":
        app.switch_page(f"pages/{page}.py")
    for name, value in address.items():
        app.query_params[name] = value
    return app.run()


@pytest.mark.parametrize("page", ["train", "overview"])
def test_a_training_in_its_starts_says_so_and_the_bar_moves_within_an_epoch(under, page):
    _, work = under("running", **IN_START, step_seconds=0.5)
    app = open_page(page, **({"job": work.id} if page == "train" else {}))
    assert not app.exception
    (bar,) = (element.proto for element in app.get("progress"))
    assert "start 2 of 3, step 40 of 120, about" in bar.text and "to go" in bar.text
    assert "first epoch" not in bar.text
    assert bar.value == pytest.approx(13, abs=1)  # per cent: 1 1/3 epochs of 10


def test_before_a_step_is_measured_the_time_is_said_to_be_estimated(under):
    _, work = under("running", **IN_START)
    assert progress_text(work) == "start 2 of 3, step 40 of 120, estimating the time"


def test_while_it_is_evaluated_no_time_is_promised(under):
    _, work = under("running", epochs=8, starts=3, epoch=8, steps=120, step_seconds=0.5)
    assert progress_text(work) == "all 8 epochs done, evaluating"


def test_a_cancelled_training_says_where_it_goes_on_on_every_page(under):
    _, work = under("cancelled", **IN_START)
    assert "1 of 3 starts" in progress_text(work) and "goes on from start 2 of 3" in progress_text(work)
    assert "go on from start 2 of 3" in stopped_text(work)
    assert "go on from start 2 of 3" in said(open_page("overview"))
    bars = [element.proto for element in open_page("train", run=work.id).get("progress")]
    assert "goes on from start 2 of 3" in bars[0].text and bars[0].value == 10


def test_a_training_that_has_to_begin_again_says_so(under):
    _, work = under("interrupted", **IN_START | {"saved": Place()})
    assert "resume it to begin again" in stopped_text(work)


def test_a_resumed_training_says_from_where_while_it_waits_and_starts_up(under):
    store, work = under("cancelled", **IN_START | {"saved": Place(start=3, epoch=3, step=40)})
    JobQueue(store).resume(work.id)
    assert progress_text(work_of(store, work.id)) == "queued, it is next; goes on from epoch 4, step 41"


def test_the_form_says_where_a_stopped_training_goes_on_and_asks_for_the_rest_of_its_time(under, monkeypatch):
    from ui import outlook

    store, work = under("cancelled", **IN_START | {"saved": Place(start=3, epoch=4)})
    shown = []
    monkeypatch.setattr(outlook.st, "markdown", shown.append)
    monkeypatch.setattr(outlook, "forecast", lambda *_: outlook_forecast(1000.0))
    seconds = outlook.outlook(work.run.config, store.runs())
    assert "goes on from epoch 5" in shown[0]
    assert seconds == pytest.approx(1000.0 * 4 / 10)


def outlook_forecast(seconds):
    from ui.forecast import Forecast

    return Forecast(seconds)
