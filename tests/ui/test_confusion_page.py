"""Confusion: the rivals beside the models, and how more of them are fitted."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import DATASETS, run_config
from ssrvae_core.data.readers import file_dataset
from ssrvae_core.figures.confusion import confusion_figure
from ssrvae_core.runs import directory
from ssrvae_core.runs.comparison import RIVALS_DIRECTORY, find_rival, rival_id, rival_result
from ssrvae_core.runs.jobs import JobQueue, _sweep
from tests.ui.conftest import tiny_config
from tests.ui.test_pages import said
from ui import cells
from ui.rivals import command, fit_spec, fitted
from ui.tables import html


@pytest.fixture(scope="session")
def with_tree(trained, tmp_path_factory):
    """A directory of rivals with a decision tree on the trained runs' split."""
    from ssrvae_core.runs import RunStore

    store = RunStore(tmp_path_factory.mktemp("fitted"))
    rival_result(tiny_config("ss-vae"), "decision-tree", store, "cpu")
    return store.root / RIVALS_DIRECTORY


@pytest.fixture
def rivals_store(make_store, with_tree):
    store = make_store("two")
    shutil.copytree(with_tree, store.root / RIVALS_DIRECTORY)
    return store


def tables(app):
    return "\n".join(element.proto.body for element in app.get("html"))


def test_a_rival_on_the_same_split_stands_beside_the_models_with_its_numbers(rivals_store, open_page):
    result = find_rival(tiny_config("ss-vae"), "decision-tree", rivals_store)
    app = open_page("confusion")
    assert not app.exception and not app.error and not app.warning
    assert f"Decision tree {result.id}" in said(app)
    assert f'<td data-name="Accuracy">{result.accuracy:.3f}</td>' in tables(app)
    assert len(app.get("plotly_chart")) == 3 + 2
    assert tables(app).count("Decision tree") >= 2


def test_methods_are_ranked_by_accuracy_whoever_wins(rivals_store, open_page):
    accuracy = {
        run.config.model.name.replace("vae", "VAE"): run.status.validation["accuracy"] for run in rivals_store.runs()
    }
    accuracy["Decision tree"] = find_rival(tiny_config("ss-vae"), "decision-tree", rivals_store).accuracy
    board = next(e.proto.body for e in open_page("confusion").get("html") if "most accurate first" in e.proto.body)
    places = {name: board.index(f">{name}<") for name in accuracy}
    best, *_, worst = sorted(accuracy, key=accuracy.get, reverse=True)
    assert places[best] < places[worst] or accuracy[best] == accuracy[worst]


def test_a_rivals_cell_is_restored_from_the_address_with_its_images(rivals_store, open_page):
    result = find_rival(tiny_config("ss-vae"), "decision-tree", rivals_store)
    true, predicted, n = max(
        ((t, p, n) for t, row in enumerate(result.validation["confusion"]) for p, n in enumerate(row)),
        key=lambda cell: cell[2],
    )
    app = open_page("confusion", of="decision-tree", true=str(true), predicted=str(predicted))
    assert not app.exception and not app.warning
    assert f"**{n} selected** of 32" in said(app)
    assert tables(app).count("data-sample=") == n
    assert f": {result.class_names[predicted]}, confidence" in tables(app)
    assert f"Decision tree, {n} images" in said(app)


def test_rivals_can_be_left_out_and_the_address_says_so(rivals_store, open_page):
    app = open_page("confusion", rivals="none")
    assert len(app.get("plotly_chart")) == 2 + 2
    assert "Decision tree" not in said(app)
    app.multiselect[0].set_value(["decision-tree"]).run()
    assert "rivals" not in app.query_params
    assert len(app.get("plotly_chart")) == 3 + 2


@pytest.mark.parametrize("value", ["<script>", "knn", "", "9" * 3000])
def test_unknown_rivals_fall_back_with_a_sentence(value, rivals_store, open_page):
    app = open_page("confusion", rivals=value)
    assert not app.exception and not app.error
    assert any("as other methods, which is not available" in warning.value for warning in app.warning)
    assert "<script" not in said(app)


def test_a_rival_whose_directory_is_broken_counts_as_not_fitted(rivals_store, open_page):
    path = rivals_store.root / RIVALS_DIRECTORY / rival_id(tiny_config("ss-vae"), "decision-tree")
    (path / "result.json").write_text('{"id": 3')
    app = open_page("confusion")
    assert not app.exception and not app.error
    assert "Decision tree" in app.multiselect[1].options


def test_a_rival_whose_predictions_are_torn_keeps_its_matrix(rivals_store, open_page):
    path = rivals_store.root / RIVALS_DIRECTORY / rival_id(tiny_config("ss-vae"), "decision-tree")
    (path / "validation.npz").write_bytes(b"PK\x03\x04 torn")
    app = open_page("confusion", of="decision-tree")
    assert not app.exception and not app.error
    assert any("images of Decision tree cannot be shown" in warning.value for warning in app.warning)
    assert len(app.get("plotly_chart")) == 3 + 2


def test_fitting_is_a_job_never_the_pages_own_work(rivals_store, open_page, monkeypatch):
    asked = []
    monkeypatch.setattr(JobQueue, "submit", lambda queue, kind, **given: asked.append((kind, given["spec"])))
    app = open_page("confusion")
    app.multiselect[1].set_value(["knn", "xgboost"]).run()
    next(button for button in app.button if button.label == "Fit these methods").click().run()
    assert not app.exception
    [(kind, spec)] = asked
    assert kind == "sweep" and list(spec["rivals"]) == ["knn", "xgboost"]
    _, title = _sweep(spec)
    assert title.startswith("knn, xgboost beside ss-") and not re.search(r"\d runs", title)
    assert set(fitted(rivals_store.runs()[0], rivals_store)) == {"decision-tree"}


def test_a_viewer_cannot_fit(rivals_store, open_page, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_page("confusion")
    assert not app.exception and not app.error
    assert "Fit these methods" not in [button.label for button in app.button]
    assert "Not fitted on this split: Random forest" in said(app)


@pytest.mark.parametrize("model", ["ss-vae", "ss-rvae"])
def test_the_job_has_the_run_itself_and_the_rivals_on_its_split(model):
    config = tiny_config(model, seed=3)
    run, *others = fit_spec(config, ["knn", "cnn"]).tasks()
    assert run.id == config.run_id
    assert [task.id for task in others] == [rival_id(config, name) for name in ("knn", "cnn")]


@pytest.mark.parametrize("labels", [{"labelled_ratio": 0.05}, {"labels_per_class": 7}])
def test_the_job_says_the_labels_by_the_fields_of_a_sweep(labels):
    config = run_config(seed=2, **labels)
    spec = fit_spec(config, ["knn"])
    assert spec.tasks()[0].config == config
    assert (spec.labelled_ratios or spec.labels_per_class) == tuple(labels.values())


def test_a_run_with_every_label_has_a_job_and_a_command_of_the_same_labels():
    config = run_config(seed=2, dataset=DATASETS["cards-b2"])
    assert fit_spec(config, ["knn"]).tasks()[0].config.split == config.split
    assert "--set split.labels_per_class=null" in command(config, ["knn"])


def test_a_split_by_a_seed_of_its_own_is_no_sweeps():
    config = run_config(seed=2, labels_per_class=7, settings={"split.seed": 9})
    assert fit_spec(config, ["knn"]) is None
    assert command(config, ["knn"]) is None


def test_the_command_names_the_split_and_there_is_none_for_data_changed_by_hand():
    config = run_config(preset="teaching", labelled_ratio=0.05, seed=2)
    assert command(config, ["knn"]).endswith(
        "compare --data cards-teaching --labelled-ratio 0.05 --models '' --rivals knn --seeds 3"
    )
    assert command(tiny_config("ss-vae"), ["knn"]) is None


def test_a_table_escapes_what_is_in_it():
    page = html(("<b>", "x"), [("<script>", "1")], caption="<i>", ours=[0])
    assert "<script>" not in page and "<i>" not in page and "<b>" not in page
    assert "class=ours" in page and 'scope="row"' in page


@pytest.mark.parametrize("view", ["image", "mask", "masked"])
@pytest.mark.parametrize("settings", [{}, {"training.epochs": 1}])
def test_an_uploaded_file_has_a_job_that_fits_other_methods_however_it_is_looked_at(view, settings):
    dataset = file_dataset("examples/tiny_particles.npz", view)
    config = run_config(dataset=dataset, model="ss-rvae", seed=1, settings=settings)
    run, rival = fit_spec(config, ["knn"]).tasks()
    assert run.id == config.run_id and rival.id == rival_id(config, "knn")


def test_the_first_thing_on_the_page_are_the_mistakes_and_one_click_shows_its_images(make_store, open_page):
    store = make_store("two")
    run = next(run for run in store.runs() if run.config.model.name == "ss-vae")
    worst, *_ = cells.mistakes(np.array(run.status.validation["confusion"]), 3)
    app = open_page("confusion", left=run.id, right="none")
    assert "data-sample=" not in tables(app)
    words = cells.in_words(run.class_names, worst.true, worst.predicted)
    next(button for button in app.button if button.label == f"{words} ({worst.n})").click().run()
    assert not app.exception
    assert tables(app).count("data-sample=") == worst.n and f"**{worst.n} selected** of 32" in said(app)
    assert app.query_params["true"] in (str(worst.true), [str(worst.true)])
    next(button for button in app.button if button.label == "Clear").click().run()
    assert "data-sample=" not in tables(app)


def test_cells_are_shares_of_their_true_class_with_counts_below_until_counts_are_asked_for(make_store, open_page):
    run = next(run for run in make_store("two").runs() if run.config.model.name == "ss-vae")
    confusion = np.array(run.status.validation["confusion"])

    def numbers(**address):
        app = open_page("confusion", left=run.id, right="none", **address)
        traces = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
        texts = next(trace["text"] for trace in traces if trace.get("text"))
        assert len(texts) == confusion.size
        return [re.findall(r"[\d.]+", re.sub(r"<[^>]*>", " ", text)) for text in texts]

    shares = [[share] for share in (100 * confusion / confusion.sum(axis=1, keepdims=True)).ravel()]
    for shown, (share,), n in zip(numbers(), shares, confusion.ravel(), strict=True):
        assert float(shown[0]) == pytest.approx(share, abs=0.5)
        assert shown[1:] == ([str(n)] if n else [])
    assert numbers(cells="counts") == [[str(n)] for n in confusion.ravel()]


def test_a_title_of_three_lines_stays_clear_of_the_tool_bar():
    alike = confusion_figure(np.array([[5, 5], [0, 10]]), ("a", "b"), title="m")
    unequal = confusion_figure(np.array([[5, 5], [0, 90]]), ("a", "b"), title="m")
    assert "balanced" in unequal.layout.annotations[0].text
    assert cells.room_above(unequal) - cells.room_above(alike) >= 16
    assert cells.room_above(alike) >= 24 + 2 * 18


def test_mistakes_are_told_by_how_often_they_are_made():
    found = cells.mistakes(np.array([[5, 3, 0], [4, 0, 1], [0, 0, 9]]), 2)
    assert [(one.true, one.predicted, one.n, one.of) for one in found] == [(1, 0, 4, 5), (0, 1, 3, 8)]
    assert cells.mistakes(np.eye(3, dtype=int), 3) == []


def test_a_row_of_a_wide_table_names_its_numbers_for_a_phone():
    page = html(("m", "a", "b", "c", "d"), [("x", "1", "2", "3", "4")])
    assert "numbers many" in page and '<td data-name="d">4</td>' in page
    assert "numbers many" not in html(("m", "a"), [("x", "1")]).split("</style>")[1]


@pytest.mark.parametrize("page", ["latent", "confusion"])
def test_accuracies_stand_beside_the_number_of_images_they_are_judged_on(make_store, open_page, page):
    store = make_store("two")
    for run in store.runs():
        known = run.predictions()
        directory.write_predictions(run.path, replace(known, labels=np.where(np.arange(32) < 12, known.labels, -1)))
    text = f"{said(open_page(page))} {tables(open_page(page))}"
    assert "12 of 32 validation images have labels" in text and "N = 32" not in text
