"""Every page on every kind of store: it says what to do, shows what there is, and never a traceback."""

from __future__ import annotations

import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.config import DatasetConfig
from ssrvae_core.runs import jobs as job_files
from tests.ui.conftest import APP, PAGES, copy_run, tiny_config
from ui.demo import start_demo

HOSTILE = ["<script>alert(1)</script>", "../../../etc/passwd", "0" * 5000, "", "__proto__", "**[x](javascript:1)**"]


def said(app):
    """All the sentences on a page, as they are read."""
    kinds = (app.info, app.warning, app.error, app.caption, app.markdown, app.text)
    return "\n".join(re.sub(r"\\(\W|_)", r"\1", element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("kind", ["empty", "one", "two", "many", "broken"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_on_any_store(page, kind, make_store, open_page):
    make_store(kind)
    app = open_page(page)
    assert not app.exception
    assert not app.error
    assert app.title[0].value in ("Overview", "Latent space", "Confusion")


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_says_what_to_do(page, make_store, open_page):
    make_store("empty")
    app = open_page(page)
    assert "no runs in this store yet" in app.info[0].value
    assert "make demo" in [block.value for block in app.code]
    assert any("ssrvae_core train" in block.value for block in app.code)
    assert "Start the demo" in [button.label for button in app.button]


@pytest.mark.parametrize("page", PAGES)
def test_while_the_demo_is_trained_an_empty_store_does_not_offer_it_again(page, make_store, open_page, monkeypatch):
    monkeypatch.setattr(job_files, "ensure_dispatcher", lambda store: None)
    start_demo(make_store("empty"))
    app = open_page(page)
    assert not app.exception and "Start the demo" not in [button.label for button in app.button]


@pytest.mark.parametrize("page", ["latent", "confusion"])
def test_the_newest_pair_of_one_data_set_is_shown_with_run_data_number_and_seed(page, make_store, open_page):
    store = make_store("two")
    app = open_page(page)
    titles = {run.id: run.config.model.name for run in store.runs()}
    assert [titles[app.selectbox(key=f"{page}-{side}").value] for side in ("left", "right")] == ["ss-vae", "ss-rvae"]
    for run in store.runs():
        assert f"run {run.id}" in said(app)
    assert "N = 32" in said(app) and "seed 0" in said(app)


@pytest.mark.parametrize("page", ["latent_space", "confusion", "library", "compare", "training_film"])
def test_every_page_begins_with_the_data_of_ones_own(page, make_store):
    store = make_store("two")
    (run, *_) = store.runs()
    dataset = DatasetConfig(source="file", path="own.npz", sha256="0" * 64)
    own = copy_run(store, run, run.config.model_copy(update={"dataset": dataset}), updated=1.0)
    app = AppTest.from_file(str(APP), default_timeout=60).switch_page(f"pages/{page}.py").run()
    chosen = app.multiselect[0].value if page == "compare" else [app.selectbox[0].value]
    assert not app.exception and chosen == [own.id]


@pytest.mark.parametrize(("page", "names"), [("latent", ("left", "right", "draw")), ("confusion", ("left", "true"))])
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_address_falls_back_with_a_sentence(page, names, value, make_store, open_page):
    make_store("two")
    app = open_page(page, **dict.fromkeys(names, value))
    assert not app.exception and not app.error
    assert len([w for w in app.warning if "not available" in w.value]) == len(names)
    assert "<script" not in said(app) and "](" not in said(app)
    assert all(app.query_params[name] not in (value, [value]) for name in names)


@pytest.mark.parametrize("page", ["latent", "confusion"])
def test_a_store_without_a_whole_run_leads_to_the_overview(page, make_store, open_page):
    store = make_store("one")
    (store.runs()[0].path / "config.json").write_text("{")
    app = open_page(page)
    assert "No run of this store can be shown yet" in app.info[0].value
    assert not app.exception and not app.selectbox


def test_a_permalink_restores_runs_and_what_is_drawn(make_store, open_page):
    store = make_store("many")
    left, right = [run for run in store.runs() if run.config.seed == 3 or run.config.seed == 4][:2]
    app = open_page("latent", left=left.id, right=right.id, draw="each")
    assert app.selectbox(key="latent-left").value == left.id
    assert app.selectbox(key="latent-right").value == right.id
    assert app.session_state["latent-draw"] == "each"
    assert not app.warning


def test_what_is_chosen_is_in_the_address(make_store, open_page):
    make_store("two")
    app = open_page("latent")
    app.selectbox(key="latent-right").set_value("none").run()
    assert app.query_params["right"] in ("none", ["none"])


def test_the_chosen_runs_go_along_to_the_next_page(make_store, open_page):
    store = make_store("many")
    app = open_page("latent")
    wanted = store.runs()[-1].id
    app.selectbox(key="latent-left").set_value(wanted).run()
    app.query_params.clear()
    app.switch_page(PAGES["confusion"]).run()
    assert app.selectbox(key="confusion-left").value == wanted


def test_only_runs_on_the_same_images_can_stand_beside_each_other(make_store, open_page):
    store = make_store("two")
    run = store.runs()[0]
    stranger = copy_run(store, run, tiny_config("ss-rvae", **{"dataset.seed": 5}))
    app = open_page("latent", left=next(r.id for r in store.runs() if r.config.model.name == "ss-vae"))
    options = app.selectbox(key="latent-right").options
    assert not any(stranger.id in option for option in options)
    assert any("none" in option for option in options)


def test_nothing_is_selected_at_first_and_the_page_says_so(make_store, open_page):
    make_store("two")
    assert "**0 selected**" in said(open_page("latent"))


def test_no_image_is_selected_until_a_class_is_chosen(make_store, open_page):
    make_store("two")
    app = open_page("confusion")
    assert "**0 selected** of 32" in said(app)
    app.selectbox(key="confusion-true").set_value("1").run()
    assert "**8 selected**" in said(app)


def test_the_overview_says_why_a_run_has_nothing_to_show(make_store, open_page):
    make_store("many")
    text = said(open_page("overview"))
    assert "failed after 1 of 1 epochs: The loss is not a number." in text
    assert "was cancelled" in text and "was interrupted" in text


def test_a_broken_run_directory_is_a_sentence_on_the_overview(make_store, open_page):
    make_store("broken")
    app = open_page("overview")
    assert "Run 0123456789ab cannot be read: config.json" in said(app)
    assert any('"state": "broken"' in one.proto.json for one in app.get("bidi_component"))


@pytest.mark.parametrize("page", ["latent", "confusion"])
def test_predictions_that_cannot_be_read_are_a_sentence_beside_the_other_run(page, make_store, open_page):
    store = make_store("two")
    broken, whole = store.runs()
    (broken.path / "validation.npz").write_bytes(b"PK\x03\x04 torn")
    app = open_page(page)
    assert not app.exception
    assert [e.value for e in app.error if broken.id in e.value]
    assert f"run {whole.id}" in said(app)


@pytest.mark.parametrize("page", ["latent", "confusion"])
def test_a_model_that_cannot_be_read_costs_its_drawings_alone(page, make_store, open_page):
    store = make_store("two")
    (store.runs()[0].path / "model.safetensors").write_bytes(b"torn")
    app = open_page(page, **({"true": "1", "page": "1"} if page == "confusion" else {}))
    assert not app.exception
    assert any("safetensors" in element.value for element in [*app.error, *app.warning])


def test_a_live_run_shows_its_progress(make_store, open_page):
    store = make_store("two")
    copy_run(store, store.runs()[0], tiny_config("ss-rvae", **{"training.epochs": 4}), state="running", validation=None)
    app = open_page("overview")
    assert not app.exception
    assert any("epoch 1 of 4, a" in element.proto.text for element in app.get("progress"))


def test_the_manifolds_angle_is_in_the_address(make_store, open_page):
    make_store("two")
    app = open_page("latent", angle="45")
    assert app.slider[0].value == 45
    app.slider[0].set_value(-30).run()
    assert app.query_params["angle"] in ("-30", ["-30"])


def test_a_page_of_the_gallery_is_in_the_address_and_another_cell_begins_on_its_first(make_store, open_page):
    store = make_store("two")
    left = next(run for run in store.runs() if run.config.model.name == "ss-vae")
    often = int(np.array(left.status.validation["confusion"]).sum(axis=0).argmax())
    app = open_page("confusion", left=left.id, predicted=str(often), page="2")
    assert app.number_input[0].value == 2
    assert app.query_params["page"] in ("2", ["2"])
    app.selectbox(key="confusion-of").set_value("right").run()
    app.selectbox(key="confusion-true").set_value("1").run()
    assert "page" not in app.query_params


def test_an_unknown_page_of_the_gallery_is_the_first_with_a_sentence(make_store, open_page):
    store = make_store("two")
    left = next(run for run in store.runs() if run.config.model.name == "ss-vae")
    often = int(np.array(left.status.validation["confusion"]).sum(axis=0).argmax())
    app = open_page("confusion", left=left.id, predicted=str(often), page="99")
    assert app.number_input[0].value == 1 and "'99' as page of the gallery" in app.warning[0].value
    assert "page" not in app.query_params
