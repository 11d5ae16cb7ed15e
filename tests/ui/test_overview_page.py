"""Overview: what is under way and what stopped, and what can be done with runs. Nothing here trains anything."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess

import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.config import DEMO_MODELS, DEMO_RATIOS, UserError
from ssrvae_core.runs import EmbeddingStore, RunStore, directory, embedding_config, train_embedding
from ssrvae_core.runs import job as job_record
from ssrvae_core.runs import jobs as job_files
from ssrvae_core.runs.about import write_about
from ssrvae_core.runs.embeddings.progress import EmbeddingProgress
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.progress import write_progress
from tests.ui.conftest import APP, copy_run, tiny_config
from tests.ui.test_pages import said
from ui import manage, serve
from ui.demo import start_demo
from ui.jobs import all_work, last_change, progress_text
from ui.run_list import Told
from ui.runs import caption, run_label
from ui.uploads import keep


@pytest.fixture
def open_overview(monkeypatch):
    """Open the page; AppTest starts a server's first run over and over, which would lose the clicks."""
    monkeypatch.setattr("ui.entry.through_app", lambda: None)
    monkeypatch.setattr(job_files, "ensure_dispatcher", lambda store: None)
    return lambda: AppTest.from_file(str(APP), default_timeout=60).run()


def labels(app):
    return [button.label for button in app.button]


def listed(app):
    """The rows of the list of runs, in its order."""
    (data,) = [json.loads(one.proto.json) for one in app.get("bidi_component") if '"rows"' in one.proto.json]
    return data["rows"]


def tick(monkeypatch, *positions, opened=None):
    """Have the browser, which AppTest has none of, tell that these rows are ticked or one is opened."""

    def told(key, runs, **_):
        return Told([runs[at] for at in positions], None if opened is None else runs[opened].id, None)

    monkeypatch.setattr("ui.run_list.run_list", told)


def press(app, label):
    next(button for button in app.button if button.label == label).click()
    return app.run()


def test_an_empty_store_offers_the_demo_which_is_queued_as_one_job(make_store, open_overview):
    store = make_store("empty")
    app = open_overview()
    links = {link.proto.page for link in app.get("page_link")}
    assert {"learn", "supervised_ratio"} <= links, "what needs no training"
    app = press(app, "Start the demo")
    (job,) = JobQueue(store).list()
    assert (job.kind, job.state) == ("sweep", "queued")
    assert job.title.startswith(f"{len(DEMO_MODELS) * len(DEMO_RATIOS)} runs of")
    assert not app.exception and "Cancel" in labels(app)
    (shown,) = [element.proto.text for element in app.get("progress")]
    assert "queued, it is next" in shown and "ss-rVAE" in shown and "ss-rvae" not in shown
    assert "0 runs" not in said(app) and "Runs" not in [header.value for header in app.subheader]


def test_what_waits_is_cancelled_and_what_was_cancelled_resumed(make_store, open_overview):
    store = make_store("two")
    job = JobQueue(store).submit(config=tiny_config("ss-rvae", 9))
    app = open_overview()
    (shown,) = [element.proto.text for element in app.get("progress")]
    assert "ss-rVAE" in shown and job.id in shown  # as it will read when it runs
    app = press(app, "Cancel")
    assert JobQueue(store).get(job.id).state == "cancelled"
    assert "1 training did not finish, and why" in [expander.label for expander in app.expander]
    press(app, "Resume")
    assert JobQueue(store).get(job.id).state == "queued"


def embedding_of(store):
    """Put a finished embedding into a store; return it."""
    settings = {"dataset.size": 16, "dataset.train_per_class": 5, "dataset.validation_per_class": 2}
    config = embedding_config(data="cards-b2", settings=settings | {"embedding.blocks": ["descriptors"]})
    return train_embedding(config, store)


@pytest.mark.parametrize("kind", ["empty", "two"])
def test_an_embedding_in_the_store_changes_nothing_that_is_said_of_runs(make_store, open_overview, kind):
    store = make_store(kind)
    before = said(open_overview())
    embedding_of(store)
    app = open_overview()
    assert not app.exception and said(app) == before


def test_a_job_that_makes_an_embedding_is_shown_cancelled_and_resumed(make_store, open_overview):
    store = make_store("two")
    config = embedding_of(store).config.model_copy(update={"seed": 7})
    job = JobQueue(store).submit("embed", embedding=config)
    app = open_overview()
    (shown,) = [element.proto.text for element in app.get("progress")]
    assert "embedding of" in shown and "queued, it is next" in shown
    press(app, "Cancel")
    assert JobQueue(store).get(job.id).state == "cancelled"
    press(app, "Resume")
    assert JobQueue(store).get(job.id).state == "queued"
    assert not app.exception


def test_an_embedding_under_way_or_stopped_is_told_in_its_steps(make_store, tmp_path):
    store = make_store("empty")
    config = embedding_config(data="cards-b2", settings={"embedding.steps": 50})
    job = JobQueue(store).submit("embed", embedding=config)
    path = EmbeddingStore(store).path(job.id)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text(config.model_dump_json())
    at = EmbeddingProgress(step=20, steps=50, images=360, seconds_left=40, saved=10)
    write_progress(path, at)
    record = job_record.read_record(job.path)
    directory.write_status(path, directory.Status(state="running"))
    job_record.write_record(job.path, record.model_copy(update={"state": "running"}))
    with locked(job.path / job_record.LOCK, wait=False):
        (work,) = all_work(store, [])
        assert progress_text(work) == "step 20 of 50, about 40 s to go" and work.share == pytest.approx(20 / 80)
    directory.write_status(path, directory.Status(state="cancelled"))
    job_record.write_record(job.path, record.model_copy(update={"state": "cancelled"}))
    (work,) = all_work(store, [])
    assert progress_text(work) == "cancelled after 10 of 50 steps; goes on from step 11"
    directory.write_status(path, directory.Status(state="finished"))  # in a terminal
    assert all_work(store, []) == []


def test_a_click_counts_on_a_page_that_is_drawn_anew_before_it_comes_to_its_buttons(make_store, open_overview):
    def page():
        import streamlit as st

        from ui.jobs import all_work, buttons
        from ui.runs import store

        if st.session_state.pop("something changed", False):
            st.rerun()
        for work in all_work(store(), store().runs()):
            if work.live:
                buttons(store(), work, "test")

    store = make_store("empty")
    job = JobQueue(store).submit(config=tiny_config("ss-rvae", 9))
    app = AppTest.from_function(page, default_timeout=60).run()
    app.session_state["something changed"] = True
    press(app, "Cancel")
    assert JobQueue(store).get(job.id).state == "cancelled"


def test_a_run_whose_terminal_is_gone_is_resumed_as_a_job_and_its_log_is_shown(make_store, open_overview):
    store = make_store("two")
    run = copy_run(store, store.runs()[0], tiny_config("ss-rvae", 9), state="interrupted", validation=None)
    (run.path / directory.LOG).write_text("one\ntwo\nthe lamp went out\n")
    app = open_overview()
    assert any("the lamp went out" in block.value for block in app.code)
    press(app, "Resume")
    assert JobQueue(store).get(run.id).state == "queued"
    app = app.run()
    assert "1 waiting" in said(app) and "not finished" not in said(app)


@pytest.mark.slow
def test_two_hundred_runs_and_their_jobs_are_shown(make_store, open_overview):
    store = make_store("two")
    runs = store.runs()
    for seed in range(1, 181):
        copy_run(store, runs[seed % 2], tiny_config(runs[seed % 2].config.model.name, seed))
    for seed in range(200, 220):
        copy_run(store, runs[0], tiny_config("ss-rvae", seed), state="interrupted", validation=None)
    for seed in range(300, 310):
        JobQueue(store).submit(config=tiny_config("ss-rvae", seed))
    app = open_overview()
    assert not app.exception and len(listed(app)) == 202
    assert "5 more wait for their turn" in said(app) and "10 more are in the table" in said(app)


def test_the_table_stands_still_while_runs_are_trained(make_store, open_overview):
    store = make_store("two")
    live = [
        copy_run(store, store.runs()[0], tiny_config("ss-rvae", seed), state="running", validation=None)
        for seed in (50, 51)
    ]
    seen = []
    for one in live:  # each in turn ends an epoch
        directory.write_status(one.path, one.status)
        seen.append([row["id"] for row in listed(open_overview())])
    assert seen[0] == seen[1]


def test_a_broken_job_is_a_sentence(make_store, open_overview):
    store = make_store("two")
    folder = store.root / "jobs" / "0123456789ab"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text("{")
    app = open_overview()
    assert not app.exception and "cannot be read" in said(app)


def test_runs_go_out_as_a_bundle_and_come_in_again(make_store, tmp_path):
    store = make_store("two")
    content = manage.bundle_bytes(store.runs())
    other = RunStore(tmp_path / "other")
    assert manage.take_in(content, other) == "Imported 2 runs."
    assert {run.id for run in other.runs()} == {run.id for run in store.runs()}
    assert manage.take_in(content, other) == "Imported 0 runs. 2 were there already and left as they are."
    with pytest.raises(UserError, match="Nothing of the bundle was imported"):
        manage.take_in(b"PK\x03\x04 torn", other)


def test_a_report_holds_every_run(make_store):
    store = make_store("two")
    page = manage.report_page(store.runs())
    assert page.startswith("<!doctype html>") and all(run.id in page for run in store.runs())


def test_deleting_takes_the_run_and_its_job_and_spares_what_is_under_way(make_store, open_overview):
    store = make_store("two")
    run, other = store.runs()
    JobQueue(store).submit(config=run.config)
    with pytest.raises(UserError, match="is queued; cancel it before"):
        manage.delete([run], store)
    JobQueue(store).cancel(run.id)
    assert manage.delete([run], store) == "Deleted 1 run."
    assert [left.id for left in store.runs()] == [other.id] and not JobQueue(store).list()
    assert manage.delete([run, other], store) == "Deleted 1 run."  # somebody else had deleted the first


def test_a_selected_run_can_be_taken_away_or_deleted(make_store, open_overview, monkeypatch):
    store = make_store("two")
    tick(monkeypatch, 0)
    app = open_overview()
    assert not app.exception and "Delete" in labels(app)
    press(app, "Delete")
    assert not app.exception and store.runs()[0].id in said(app)


def test_what_can_be_done_with_runs_is_in_sight_before_one_is_selected(make_store, open_overview):
    make_store("two")
    app = open_overview()
    assert "0 of 2 selected" in said(app)
    assert next(button for button in app.button if button.label == "Delete").disabled
    assert next(button for button in app.button if button.label == "Name, note").disabled


def test_ticked_runs_are_compared_and_opened(make_store, open_overview, monkeypatch):
    make_store("two")
    tick(monkeypatch, 0, 1)
    assert press(open_overview(), "Compare").title[0].value == "Compare"
    assert press(open_overview(), "Confusion").title[0].value == "Confusion"
    tick(monkeypatch, 0)
    assert next(button for button in open_overview().button if button.label == "Compare").disabled


def test_a_row_opens_its_run(make_store, open_overview, monkeypatch):
    store = make_store("two")
    copy_run(store, store.runs()[0], tiny_config("ss-rvae", 9), state="interrupted", validation=None)
    shown = [row["id"] for row in listed(open_overview())]
    states = [store.get(one).status.state for one in shown]
    for at, (run_id, state) in enumerate(zip(shown, states, strict=True)):
        tick(monkeypatch, opened=at)
        app = open_overview()
        finished = state == "finished"
        assert app.title[0].value == ("Latent space" if finished else "Train")
        assert app.query_params["left" if finished else "job"] in (run_id, [run_id])


def test_a_name_stands_where_the_run_is_listed_and_chosen(make_store, open_overview):
    store = make_store("two")
    run = store.runs()[0]
    write_about(run, "gold, *first* try", "dose 30 e/A2")
    (row,) = [row for row in listed(open_overview()) if row["name"]]
    assert (row["id"], row["name"], row["note"]) == (run.id, "gold, *first* try", "dose 30 e/A2")
    assert run_label(store.get(run.id)).startswith("gold, *first* try")
    assert f"run {run.id} (gold, *first* try)" in caption([store.get(run.id)], 3, 3)


def test_one_data_set_can_be_shown_alone_and_the_address_says_so(make_store, open_overview, monkeypatch):
    store = make_store("two")
    run = store.runs()[0]
    config = run.config.model_copy(update={"dataset": run.config.dataset.model_copy(update={"source": "particles"})})
    other = copy_run(store, run, config)
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["of"] = other.data_name
    app.run()
    assert [row["id"] for row in listed(app)] == [other.id]
    assert len(listed(open_overview())) == 3


def test_a_viewer_has_no_buttons_and_is_refused_without_them(make_store, open_overview, monkeypatch):
    store = make_store("two")
    content = manage.bundle_bytes(store.runs()[:1])
    JobQueue(store).submit(config=tiny_config("ss-rvae", 9))
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_overview()
    assert not app.exception and "read-only" in said(app) and "delete" not in said(app)
    assert not {"Cancel", "Resume", "Delete", "Start the demo"} & set(labels(app))
    assert not app.get("file_uploader")
    refused = (
        lambda: start_demo(store),
        lambda: manage.take_in(content, store),
        lambda: manage.delete(store.runs(), store),
        lambda: keep("a.npz", b"", store),
    )
    for change in refused:
        with pytest.raises(UserError, match="read-only"):
            change()
    assert len(store.runs()) == 2


def test_a_viewer_of_an_empty_store_is_offered_nothing_to_start(make_store, open_overview, monkeypatch):
    make_store("empty")
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_overview()
    assert not app.exception and not {"Start the demo"} & set(labels(app)) and not app.get("file_uploader")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_serve_takes_the_mode_from_its_argument_else_from_the_environment():
    def command(*arguments, mode=None):
        environment = {name: value for name, value in os.environ.items() if name != "SSRVAE_MODE"}
        environment |= {"SSRVAE_MODE": mode} if mode else {}
        call = ["make", "-n", "serve", *arguments]
        return subprocess.run(call, cwd=APP.parent, env=environment, capture_output=True, text=True, check=True).stdout

    assert "SSRVAE_MODE=editor" in command()
    assert "SSRVAE_MODE=viewer" in command("MODE=viewer")
    assert "SSRVAE_MODE=viewer" in command(mode="viewer")


@pytest.mark.parametrize(
    ("port", "mode", "sentence"),
    [
        ("70000", "editor", "PORT is '70000'; give a number from 1 to 65535"),
        ("web", "editor", "PORT is 'web'; give a number"),
        ("8502", "vewer", "SSRVAE_MODE is 'vewer'"),
        ("taken", "editor", "name another port, such as PORT="),
    ],
)
def test_a_server_that_could_not_be_reached_is_not_started(port, mode, sentence, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", mode)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match=re.escape(sentence)):
            serve.check("127.0.0.1", str(taken.getsockname()[1]) if port == "taken" else port)


def test_an_address_that_is_none_is_named_in_a_sentence():
    with pytest.raises(UserError, match=re.escape("ADDRESS is 'a..b', which is not an address")):
        serve.check("a..b", "8502")


def test_what_runs_stands_before_what_waits_and_what_stopped(make_store, open_overview):
    store = make_store("two")
    run = store.runs()[0]
    copy_run(store, run, tiny_config("ss-rvae", 1), state="cancelled", validation=None)
    JobQueue(store).submit(config=tiny_config("ss-rvae", 2))
    copy_run(store, run, tiny_config("ss-rvae", 3, **{"training.epochs": 4}), state="running", validation=None)
    work = all_work(store, store.runs())
    assert [one.state for one in work] == ["running", "queued", "cancelled"]
    assert progress_text(work[0]).startswith("epoch 1 of 4, a few seconds")


def test_what_is_begun_or_goes_on_elsewhere_is_a_change(make_store, monkeypatch):
    monkeypatch.setattr(job_files, "ensure_dispatcher", lambda store: None)
    assert last_change(RunStore("/nowhere")) == 0
    store = make_store("one")
    before = last_change(store)
    assert before > 0 and last_change(store) == before
    job = JobQueue(store).submit(config=tiny_config("ss-rvae", 9))
    queued = last_change(store)
    assert queued > before
    JobQueue(store).cancel(job.id)
    assert last_change(store) > queued
    JobQueue(store).remove(job.id)
    assert last_change(store) == before


def test_an_order_that_is_not_there_is_told_and_leaves_the_address(make_store, open_page):
    make_store("two")
    app = open_page("overview", sort="-taste")
    assert not app.exception and "'-taste' as order, which is not available" in app.warning[0].value
    assert "sort" not in app.query_params
    assert not open_page("overview", sort="-accuracy").warning
