"""Latent space: its selection, neighbours, drawings and permalinks."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ssrvae_core.config import run_config
from ssrvae_core.data import file_dataset, load, read_images, split
from ssrvae_core.data.writing import fields_of, npz_bytes
from ssrvae_core.evaluation.outliers import outlier_scores
from ssrvae_core.figures import Panel
from ssrvae_core.reports.explorer.source import of_validation
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.everything import write_particles
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.thumbnails import to_pixels
from tests.ui.conftest import TINY, TINY_POLAR
from tests.ui.test_pages import said
from ui.choices import resolve_several
from ui.explorer import Source, component
from ui.explorer.answers import answer
from ui.explorer.downloads import particle_table
from ui.explorer.kept import StoreShelf
from ui.explorer.pictures import pictures_of
from ui.explorer.told import ids_in, sound
from ui.export import selection_fields


@pytest.fixture(scope="module")
def seen(trained):
    """The trained runs and what they say."""
    runs = sorted(trained.runs(), key=lambda run: run.config.model.name, reverse=True)
    return runs, [Panel(run.config.model.name, run.predictions()) for run in runs]


def test_a_downloaded_selection_reads_back_as_the_same_images_and_says_what_the_models_say(seen, tmp_path):
    runs, panels = seen
    ids = np.sort(panels[0].predictions.ids)[[2, 9, 30]]
    whole = load(runs[0].config.dataset)
    fields = selection_fields(ids, whole, panels, [run.id for run in runs])
    path = tmp_path / "selection.npz"
    path.write_bytes(npz_bytes(fields))
    again = read_images(path)
    rows = [int(np.flatnonzero(whole.ids == sample)[0]) for sample in ids]
    assert again.ids.tolist() == ids.tolist()
    present = np.unique(whole.labels[rows]).tolist()
    assert again.class_names == tuple(whole.class_names[label] for label in present)
    assert again.validation is None
    np.testing.assert_array_equal(again.images, whole.images[rows])
    names = np.array(whole.class_names)
    np.testing.assert_array_equal(np.array(again.class_names)[again.labels], names[whole.labels[rows]])
    np.testing.assert_array_equal(again.factors["angle"], whole.factors["angle"][rows])
    with np.load(path, allow_pickle=False) as stored:
        for run, panel in zip(runs, panels, strict=True):
            p = panel.predictions
            at = [int(np.flatnonzero(p.ids == sample)[0]) for sample in ids]
            np.testing.assert_array_equal(stored[f"{run.id}/class_prob"], p.class_prob[at])
            assert stored[f"{run.id}/class_names"].tolist() == list(whole.class_names)
            np.testing.assert_array_equal(stored[f"{run.id}/z_mean"], p.z_mean[at])
            np.testing.assert_array_equal(stored[f"{run.id}/angle"], p.angle[at])
            np.testing.assert_array_equal(stored[f"{run.id}/outlier_score"], outlier_scores(p)[at])


@pytest.mark.parametrize("source", ["generated", "file", "unlabelled in part"])
def test_a_downloaded_selection_can_be_trained_on(source, seen, tmp_path):
    runs, panels = seen
    config, panel = runs[0].config, panels[0]
    whole = load(config.dataset)
    if source != "generated":
        if source != "file":
            whole = replace(whole, labels=np.where(whole.ids % 3, whole.labels, -1))
        (tmp_path / "whole.npz").write_bytes(npz_bytes(fields_of(whole)))
        whole = load(file_dataset(tmp_path / "whole.npz"))
    some = panel.predictions.ids[np.isin(panel.predictions.labels, [1, 3])]  # as a lasso around two of four classes
    path = tmp_path / "selection.npz"
    path.write_bytes(npz_bytes(selection_fields(some, whole, [panel], [runs[0].id])))
    tiny = {name: value for name, value in TINY.items() if not name.startswith("dataset.")}
    again = run_config(preset="teaching", model="ss-vae", dataset=file_dataset(path), settings=tiny)
    status = train_run(again, RunStore(tmp_path / "store"), device="cpu").status
    assert status.state == "finished" and status.n_labelled
    assert status.class_names == (whole.class_names[1], whole.class_names[3])
    assert status.validation["n"] < len(some)


def test_several_names_come_from_the_address_in_their_own_order_and_strangers_fall_back():
    assert resolve_several("b.a", "abc", "abc") == (["a", "b"], [])
    assert resolve_several(None, "abc", "bc") == (["b", "c"], [])
    assert resolve_several("none", "abc", "abc") == ([], [])
    assert resolve_several("x.b", "abc", "abc") == (["b"], ["x"])
    assert resolve_several("", "abc", "abc") == (["a", "b", "c"], [""])


@pytest.mark.parametrize(
    "told",
    [None, 3, {}, {"view": 7}, {"view": {"ids": 5, "open": "x", "sequence": -1, "address": [1], "sheets": "a"}}],
)
def test_a_view_that_cannot_be_meant_is_none(told):
    view = sound(told, component.NAMES)
    assert view["sequence"] == 0 and view["ids"] == "" and view["open"] is None
    assert not (view["address"] or view["sheets"] or view["actions"])


def test_a_view_is_taken_without_what_is_no_part_of_an_address():
    told = {"address": {"colour": "angle", "left": "x", "sort": 3, "find": "a" * 9000}, "ids": "3-5.9", "sequence": 4}
    view = sound({"view": told}, component.NAMES)
    assert view["address"] == {"colour": "angle"} and view["sequence"] == 4
    assert ids_in(view["ids"], np.arange(100)).tolist() == [3, 4, 5, 9]
    assert ids_in("98-999999999999.97-98", np.arange(101)).tolist() == [97, 98, 99, 100]
    assert ids_in("8-3.x.-4.", np.arange(100)).tolist() == []


def test_what_is_kept_is_kept_once_and_a_fault_is_a_sentence(monkeypatch, tmp_path):
    said_ = []
    monkeypatch.setattr(component.st, "session_state", {})
    monkeypatch.setattr(component.markdown, "error", said_.append)
    shelf = StoreShelf(tmp_path, "0123456789ab")
    actions = [{"sequence": 1, "name": "a", "ids": "3"}, {"sequence": 2, "name": "b", "ids": "x"}]
    component._act(shelf, actions, "done")
    shelf.keep("a", None)
    component._act(shelf, actions, "done")  # a view may be told again
    assert shelf.all() == [] and component.st.session_state["done"] == 2
    assert len(said_) == 1 and "'b'" in said_[0]


def test_the_table_says_what_each_model_says_of_every_selected_particle(seen):
    runs, panels = seen
    sources = [Source(run.id, p.title, of_validation(p.predictions)) for run, p in zip(runs, panels, strict=True)]
    ids = sources[0].particles.ids[[2, 9]]
    told = pd.read_csv(io.BytesIO(particle_table(".csv", ids, sources, runs[0].class_names)))
    assert told["id"].tolist() == np.repeat(ids, 2).tolist() and set(told["run"]) == {run.id for run in runs}
    assert set(told["part"]) == {"validation"} and "group" in told and "name" in told
    shares = told[[f"p_{name}" for name in runs[0].class_names]].sum(axis=1)
    np.testing.assert_allclose(shares, 1, atol=1e-5)
    other = pd.read_parquet(io.BytesIO(particle_table(".parquet", ids, sources, runs[0].class_names)))
    assert list(other) == list(told) and other["id"].tolist() == told["id"].tolist()
    assert other["run"].tolist() == [run.id for run in runs] * 2
    np.testing.assert_allclose(other["confidence"], told["confidence"], atol=1e-6)


def test_a_model_with_more_latents_than_another_fills_its_own_columns(seen):
    runs, panels = seen
    one, other = [Source(run.id, p.title, of_validation(p.predictions)) for run, p in zip(runs, panels, strict=True)]
    p = one.predictions
    few = replace(one, particles=replace(one.particles, predictions=replace(p, z_mean=p.z_mean[:, :1])))
    told = pd.read_parquet(io.BytesIO(particle_table(".parquet", p.ids[:3], [few, other], runs[0].class_names)))
    assert told["z_2"].isna().tolist() == [True, False] * 3 and told["z_1"].notna().all()


def test_the_particles_of_all_parts_are_shown_once_they_were_classified(make_store, open_page):
    store = make_store("two")
    app = open_page("latent")
    assert "**0 selected** of 32" in said(app) and "Validation images only" in said(app)
    for run in store.runs():
        write_particles(run, device="cpu")
    app = open_page("latent")
    assert "**0 selected** of 80" in said(app) and "Validation images only" not in said(app)
    assert not app.exception and not app.error and not app.warning


def test_one_click_classifies_every_image_of_runs_of_earlier_versions(make_store, open_page, monkeypatch):
    store, begun = make_store("two"), []
    monkeypatch.setattr("ui.classes.catching_up.begin", begun.append)
    app = open_page("latent")
    (button,) = [b for b in app.button if (b.key or "").startswith("latent-classify-")]
    button.click().run()
    assert not app.exception and not app.error
    assert {run.id for run in begun} == {run.id for run in store.runs()}
    for run in begun:
        write_particles(run, device="cpu")
    app = open_page("latent")
    assert "of 80" in said(app) and not [b for b in app.button if "classify" in (b.key or "")]


def test_who_may_only_look_is_not_offered_to_classify(make_store, open_page, monkeypatch):
    make_store("two")
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_page("latent")
    assert not app.exception and not [b for b in app.button if "classify" in (b.key or "")]


def test_pictures_are_those_of_their_ids_and_labelled_ones_look_as_in_training(seen):
    run = seen[0][0]
    data = split(load(run.config.dataset), run.config.split)
    ids = np.sort(np.concatenate([data.labelled.ids[:3], data.validation.ids[:3]]))
    pictures = pictures_of(run, ids)
    for part in (data.labelled, data.validation):
        for sample, image in zip(part.ids[:3], part.images[:3], strict=True):
            np.testing.assert_array_equal(pictures.one(int(sample)), to_pixels(image))
    assert pictures.one(10**9) is None
    assert (pictures.of(np.array([int(ids[0]), 10**9]))[1] == 0).all()


def test_an_answer_has_a_drawing_and_a_posterior_of_every_model_that_turns(seen):
    runs, panels = seen
    sources = [Source(run.id, p.title, of_validation(p.predictions)) for run, p in zip(runs, panels, strict=True)]
    sample = int(sources[0].particles.ids[4])
    told = answer(sample, runs, sources, pictures_of(runs[0], sources[0].particles.ids))
    assert told["id"] == sample and told["picture"].startswith("data:image/png")
    turning = [run.config.model.rotation != "none" for run in runs]
    for model, turns in zip(told["models"], turning, strict=True):
        assert model["drawing"].startswith("data:image/png") and model["difference"]
        assert (model["posterior"] is not None) == turns
    posterior = np.array(told["models"][turning.index(True)]["posterior"])
    assert posterior.sum() == pytest.approx(1, abs=1e-3)


def test_a_particle_without_its_picture_is_drawn_all_the_same(seen):
    runs, panels = seen
    sources = [Source(run.id, p.title, of_validation(p.predictions)) for run, p in zip(runs, panels, strict=True)]
    told = answer(int(sources[0].particles.ids[0]), runs, sources, None)
    assert told["picture"] is None and all(model["drawing"] for model in told["models"])


@pytest.mark.parametrize(("draw", "sliders"), [("plane", 1), ("each", 1), ("point", 5)])
def test_every_way_to_draw_is_restored_from_the_address(draw, sliders, make_store, open_page):
    make_store("two")
    app = open_page("latent", draw=draw, manifold="2", angle="45")
    assert not app.exception and not app.error and not app.warning
    assert len(app.slider) == sliders
    assert len(app.get("image")) == 2


@pytest.fixture(scope="module")
def other_dims(tmp_path_factory):
    """Runs with one latent and with three."""
    from ssrvae_core.runs import RunStore

    store = RunStore(tmp_path_factory.mktemp("dims"))
    for dims in (1, 3):
        settings = TINY | TINY_POLAR | {"model.latent_dim": dims}
        train_run(run_config(preset="teaching", labels_per_class=4, settings=settings), store, device="cpu")
    return store


@pytest.mark.parametrize("draw", ["plane", "each", "point"])
@pytest.mark.parametrize("pair", [(1, None), (3, None), (3, 1)])
def test_one_latent_and_three_can_be_looked_at(pair, draw, other_dims, monkeypatch, open_page):
    monkeypatch.setenv("SSRVAE_STORE", str(other_dims.root))
    ids = {run.config.model.latent_dim: run.id for run in other_dims.runs()} | {None: "none"}
    app = open_page("latent", left=ids[pair[0]], right=ids[pair[1]], draw=draw)
    assert not app.exception and not app.error and not app.warning
