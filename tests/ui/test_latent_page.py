"""Latent space: its selection, neighbours, drawings and permalinks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from ssrvae_core.config import run_config
from ssrvae_core.data import file_dataset, load, read_images
from ssrvae_core.data.writing import fields_of, npz_bytes
from ssrvae_core.evaluation.outliers import outlier_scores
from ssrvae_core.figures import Panel
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.execute import train_run
from tests.ui.conftest import TINY, TINY_POLAR
from tests.ui.test_pages import said
from ui import linking
from ui.choices import resolve_several
from ui.export import selection_fields
from ui.linking import Linked, sound_zooms
from ui.selection import asked_ids, nearest


@pytest.fixture(scope="module")
def seen(trained):
    """The trained runs and what they say."""
    runs = sorted(trained.runs(), key=lambda run: run.config.model.name, reverse=True)
    return runs, [Panel(run.config.model.name, run.predictions()) for run in runs]


def test_typed_ids_and_ranges_are_samples_and_other_words_are_named():
    known = np.array([30, 12, 11, 40, 10])
    ids, strange = asked_ids(" 40, 10-12;x 99 12-  3-1 ", known)
    assert ids.tolist() == [10, 11, 12, 40]
    assert strange == ["x", "99", "12-", "3-1"]
    assert asked_ids("", known)[0].tolist() == []
    assert asked_ids("9" * 5000, known)[0].tolist() == []


def test_neighbours_are_the_nearest_latents_without_the_sample_itself(seen):
    p = seen[1][1].predictions
    ids, distances = nearest(int(p.ids[5]), p)
    apart = np.linalg.norm(p.z_mean.astype(float) - p.z_mean[5], axis=1)
    assert len(ids) == 10 and p.ids[5] not in ids
    assert (np.diff(distances) >= 0).all()
    assert distances[-1] <= np.sort(apart)[11]
    assert distances[0] == pytest.approx(np.sort(apart)[1])


def test_a_handful_of_samples_has_as_many_neighbours_as_there_are(seen):
    p = seen[1][0].predictions
    assert len(nearest(int(p.ids[0]), p, n=500)[0]) == len(p) - 1


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


@pytest.mark.parametrize("told", [None, 3, "x", {"a": 1}, {"a": [[1, 2]]}, {"a": [[1, None], [0, 1]]}])
def test_a_zoom_that_is_none_is_not_drawn(told):
    assert sound_zooms(told) == {}
    assert sound_zooms({"a": [[0, 1], [2.5, 3]], "b": [[float("nan"), 1], [0, 1]]}) == {"a": [[0, 1], [2.5, 3]]}


def test_a_selection_is_of_its_own_images_and_forgotten_among_others(monkeypatch):
    monkeypatch.setattr(linking.st, "session_state", {})
    for view, images, left in (("a", "cards", [3]), ("b", "cards", [3]), ("b", "others", [])):
        linked = Linked("page", view, images)
        if view == "a":
            linked.select(np.array([3]))
        assert linked.ids.tolist() == left


def test_a_lasso_undone_before_the_browser_was_told_of_it_is_still_news_there(monkeypatch):
    told = []
    monkeypatch.setattr(linking.st, "session_state", {})
    monkeypatch.setattr(linking, "_ears", lambda **arguments: told.append(arguments["data"]))
    linked = Linked("page", "a", "cards")
    linked.show(linked.ids, ["left"])
    linked.show(linked.ids, ["left"])
    linked.select(np.array([3]), "left")  # its run of the page is cut short by the click that clears it
    linked.clear()
    linked.show(linked.ids, ["left"])
    assert told[1] == told[0] != told[2]  # streamlit hands on what differs


def test_the_whole_plane_is_known_however_often_a_zoomed_figure_is_prepared(monkeypatch):
    told = {}
    monkeypatch.setattr(linking.st, "session_state", {})
    monkeypatch.setattr(linking, "_ears", lambda **arguments: told.update(arguments["data"]))
    Linked("page", "a", "cards").show(np.array([], int), [])
    zoom = {"view": told["view"], "charts": {"left": [[1, 2], [3, 4]]}}
    linking.st.session_state["page-ears"] = {"zooms": zoom}
    linked = Linked("page", "a", "cards")
    figure = go.Figure(go.Scatter(x=[0], y=[0], customdata=[1]), {"xaxis_range": [0, 9], "yaxis_range": [0, 9]})
    for _ in range(2):
        linked.prepare(figure, "left")
        linked.show(np.array([1]), ["left"])
        assert figure.layout.xaxis.range == (1, 2)
        assert told["whole"] == {"left": [[0, 9], [0, 9]]}


def test_typed_samples_are_selected_and_cleared_by_the_keyboard(make_store, open_page):
    store = make_store("two")
    ids = store.runs()[0].predictions().ids
    app = open_page("latent")
    assert "**0 selected** of 32" in said(app)
    app.text_input(key="latent-asked").set_value(f"{ids[0]}, {ids[3]} nonsense").run()
    assert "**2 selected** of 32" in said(app)
    assert any("'nonsense'" in warning.value for warning in app.warning)
    app.button(key="latent-clear").click().run()
    assert "**0 selected** of 32" in said(app)
    assert not app.exception


def test_classes_that_are_not_shown_are_not_selected_either_and_are_in_the_address(make_store, open_page):
    store = make_store("two")
    p = store.runs()[0].predictions()
    app = open_page("latent", classes="0.1")
    assert "**0 selected** of 16" in said(app)
    one_of_each = " ".join(str(p.ids[p.labels == label][0]) for label in (0, 2))
    app.text_input(key="latent-asked").set_value(one_of_each).run()
    assert "**1 selected** of 16" in said(app)
    [classes] = app.multiselect
    classes.set_value(["0", "1", "2", "3"]).run()
    assert "**1 selected** of 32" in said(app)
    assert "classes" not in app.query_params


@pytest.mark.parametrize("value", ["<script>", "9", "", "0..", "9" * 3000])
def test_hostile_classes_samples_and_points_fall_back_with_a_sentence(value, make_store, open_page):
    make_store("two")
    address = {"classes": value, "sample": value, "near": value, "draw": value}
    app = open_page("latent", **address)
    assert not app.exception and not app.error
    assert len(app.warning) >= 3
    assert "<script" not in said(app)


def test_a_sample_that_is_not_there_is_a_sentence(make_store, open_page):
    store = make_store("two")
    ids = store.runs()[0].predictions().ids
    app = open_page("latent", sample=str(ids[4]), near="right")
    assert app.number_input[0].value == ids[4] and not app.warning
    assert "Distance of the latent means of ss-rVAE" in said(app)


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
    names = {box.label for box in app.selectbox}
    assert ({"Across", "Up"} <= names) == (pair == (3, None))
