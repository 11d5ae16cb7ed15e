"""Supervised ratio, Training film and Compare on every kind of store."""

from __future__ import annotations

import json
import math
import re
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from ssrvae_core.config import UserError, run_config
from ssrvae_core.reports.wording import model_title
from ssrvae_core.runs import Run, RunStore, directory
from ssrvae_core.runs.directory import Status
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.sweep_file import read_spec
from ssrvae_core.runs.sweep_spec import LABELS
from tests.ui.conftest import copy_run, tiny_config
from tests.ui.ratio_stores import (
    PAGES,
    add_rival,
    break_predictions,
    copy_all,
    make_ratio_store,
    open_film_page,
    ratio_config,
)
from ui import ratio_film, ready_made, training_film

ROOT = Path(__file__).parents[2]
HOSTILE = ["<script>alert(1)</script>", "../../../etc/passwd", "0" * 5000 + "x", "", "__proto__", "nan", "-1e999"]
POINTS = tuple((model, ratio, 0) for model in ("ss-vae", "ss-rvae") for ratio in (0.05, 0.1))


@pytest.fixture
def store_of(trained, tmp_path, monkeypatch):
    """Build the store the dashboard looks at, of runs at these (model, ratio, seed)."""

    def make(points):
        store = make_ratio_store(trained, tmp_path / "store", points)
        monkeypatch.setenv("SSRVAE_STORE", str(store.root))
        return store

    return make


def said(app):
    kinds = (app.info, app.warning, app.error, app.caption, app.markdown)
    return "\n".join(element.value for kind in kinds for element in kind)


def film_data(app):
    """What the film's component was sent."""
    (component,) = app.get("bidi_component")
    return json.loads(component.proto.json)


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_says_what_to_do(page, make_store):
    make_store("empty")
    app = open_film_page(page)
    assert not app.exception and not app.error
    assert "no runs in this store yet" in app.info[0].value


def test_an_empty_store_has_a_film_in_which_every_label_helps(make_store):
    store = make_store("empty")
    app = open_film_page("ratio")
    data = film_data(app)
    right = [int(re.search(r"ss-rVAE is right for (\d+) %", step["told"])[1]) for step in data["steps"]]
    assert [step["position"] for step in data["steps"]] == list(LABELS.labels_per_class)
    assert right == sorted(set(right)) and right[-1] > 2 * right[0]
    assert "let it play. These runs came with the program" in said(app) and not store.runs()
    links = [link.proto.page for link in app.get("page_link")]
    assert "latent_space" not in links, "there is no model to open there"


def test_the_sentence_of_a_film_says_what_its_curves_show_and_the_panels_say_their_seed(store_of):
    store = store_of([(model, ratio, seed) for model, ratio, _ in POINTS for seed in (0, 1)])
    means = {}
    for run in store.runs():
        name, seed, ratio = run.config.model.name, run.config.seed, run.config.split.labelled_ratio
        accuracy = (0.25 if name == "ss-vae" else 0.5) + 0.125 * seed + ratio
        judged = run.status.validation | {"accuracy": accuracy}
        directory.write_status(run.path, run.status.model_copy(update={"validation": judged}))
        means.setdefault((name, ratio), []).append(accuracy)
    data = film_data(open_film_page("ratio"))
    first = next(step["told"] for step in data["steps"] if math.isclose(step["position"], 0.05))
    shown = [f"{100 * sum(means[name, 0.05]) / 2:.0f} %" for name in ("ss-vae", "ss-rvae")]
    assert re.findall(r"\d+ %", first) == shown and "mean of 2 seeds" in first
    assert len(re.findall(r"accuracy \d+ %, N = 32, seed 0\b", data["figure"])) >= len(means)
    assert "seed 1" not in data["figure"]


def finished_run(config):
    status = Status(state="finished", epoch=6, class_names=("a", "b"), validation={"accuracy": 0.5, "n": 4})
    return Run(config.run_id, Path(config.run_id), config, status)


def test_the_ready_made_sweep_is_that_of_the_examples_and_small():
    assert ready_made.LABELS_ARCHIVE.stat().st_size < 3_000_000
    runs = ready_made.labels_runs()
    (shown,), (wanted,) = ratio_film.families(runs), ratio_film.families([finished_run(c) for c in LABELS.configs()])
    trained = [
        {(run.config.model.name, run.config.split, run.config.seed) for run in one.runs} for one in (shown, wanted)
    ]
    assert shown.id == wanted.id and trained[0] == trained[1]
    for run in runs:
        predictions = run.predictions()
        assert (predictions.predicted == predictions.labels).mean() == pytest.approx(run.accuracy)


def test_the_figures_of_the_ready_made_sweep_are_those_of_its_archive():
    found = {}
    for run in ready_made.labels_runs():
        found.setdefault((model_title(run), run.config.split.labels_per_class), []).append(run.accuracy)
    lines = (ROOT / "docs" / "benchmarks.md").read_text("utf-8").splitlines()
    for title in ("ss-rVAE", "ss-VAE"):
        cells = (found[title, n] for n in LABELS.labels_per_class)
        row = " | ".join(f"{sum(each) / len(each):.3f} ({min(each):.3f})" for each in cells)
        assert f"| {title} | {row} |" in lines


def test_a_damaged_ready_made_sweep_is_a_sentence(tmp_path):
    (torn := tmp_path / "labels.zip").write_bytes(ready_made.LABELS_ARCHIVE.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"labels\.zip is damaged"):
        ready_made.unpack(torn, tmp_path / "folder")


def test_the_ready_made_film_goes_before_the_demos_and_behind_all_others():
    def family(each):
        return ratio_film.families([finished_run(run_config(preset="teaching", model="ss-rvae", **of)) for of in each])

    ratios = [{"labelled_ratio": ratio} for ratio in (0.02, 0.5)]
    (demo,) = family(ratios)
    (own,) = family([{"data": "cards-b2", **ratio} for ratio in ratios])
    shelf = ratio_film.shelf([demo, own], None)
    assert [one.id for one in shelf.families] == [own.id, shelf.ready, demo.id]
    assert shelf.labels()[shelf.ready].endswith("ready-made")
    asked = ratio_film.shelf([demo], "0.02")
    assert asked.families[0] is demo, "a link to a ratio opens the film over ratios"
    part, whole = LABELS.configs()[:4], LABELS.configs()
    (begun,), (trained,) = (ratio_film.families(list(map(finished_run, configs))) for configs in (part, whole))
    assert ratio_film.shelf([trained], None).ready is None and ratio_film.shelf([trained], None).families == (trained,)
    both = ratio_film.shelf([begun], None)
    assert both.families[0] is begun, "runs of one's own come first, also while some of their sweep are missing"
    assert [one.id for one in both.families] == [begun.id, both.ready] and both.part == begun.id
    assert len(set(both.labels().values())) == 2 and both.labels()[both.ready].endswith("ready-made")


def test_a_sweep_that_is_begun_is_shown_beside_the_ready_made_one_and_can_be_completed(trained, tmp_path, monkeypatch):
    store = RunStore(tmp_path / "store")
    monkeypatch.setenv("SSRVAE_STORE", str(store.root))
    begun = [config for config in LABELS.configs() if config.seed == 0 and config.split.labels_per_class <= 2]
    for config in begun:
        copy_run(store, next(run for run in trained.runs() if run.config.model.name == config.model.name), config)
    app = open_film_page("ratio")
    assert not app.exception and not app.error
    assert {step["position"] for step in film_data(app)["steps"] if not step["missing"]} == {1, 2}
    assert "came with the program" not in app.markdown[0].value
    assert "Train the sweep over labels per class" in [button.label for button in app.button]
    (chooser,) = (box for box in app.selectbox if box.label == "Data set")
    ready = film_data(chooser.select(chooser.options[1]).run())
    assert not app.exception and len([step for step in ready["steps"] if not step["missing"]]) > 2


@pytest.mark.parametrize("damage", ["cut short", "other files", "away", "bytes in its middle"])
@pytest.mark.parametrize("own", [True, False])
def test_a_damaged_ready_made_film_is_left_out_and_ones_own_stay(store_of, tmp_path, monkeypatch, damage, own):
    damaged, content = tmp_path / "labels.zip", ready_made.LABELS_ARCHIVE.read_bytes()
    if damage == "other files":
        with zipfile.ZipFile(damaged, "w") as file:
            file.writestr("notes.txt", "hello")
    elif damage != "away":
        middle = content[:5000] + bytes(1000) + content[6000:]
        damaged.write_bytes(content[:1000] if damage == "cut short" else middle)

    def unpacked():
        (folder := tmp_path / "labels").mkdir(exist_ok=True)
        ready_made.unpack(damaged, folder)
        return SimpleNamespace(name=str(folder))

    monkeypatch.setattr(ready_made, "_labels_unpacked", unpacked)
    store_of(POINTS if own else ())
    app = open_film_page("ratio")
    assert not app.exception and not app.error
    assert any("labels.zip" in warning.value and "install" in warning.value for warning in app.warning)
    assert bool(app.get("bidi_component")) == own
    assert own or "no runs in this store yet" in app.info[0].value


@pytest.mark.parametrize("kind", ["one", "two", "many", "broken"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_on_any_store(page, kind, make_store):
    make_store(kind)
    app = open_film_page(page)
    assert not app.exception and not app.error


def test_runs_without_a_ratio_are_not_taken_for_a_film(make_store):
    make_store("two")
    app = open_film_page("ratio")
    assert "No run of this store was trained at a supervised ratio" in app.info[0].value and film_data(app)


@pytest.mark.parametrize("points", [POINTS, POINTS[:1], [(m, r, s) for m, r, _ in POINTS for s in range(50)]])
def test_the_film_shows_every_ratio_and_those_not_trained_yet(points, store_of):
    store = store_of(points)
    app = open_film_page("ratio")
    assert not app.exception and not app.error
    steps = film_data(app)["steps"]
    assert [step["position"] for step in steps] == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    assert {step["position"] for step in steps if not step["missing"]} == {ratio for _, ratio, _ in points}
    trained = [run for run in store.runs() if run.config.split.labelled_ratio == 0.05]
    assert f"{trained[0].status.n_labelled} labels: " in steps[2]["told"] and "5 % labelled" not in steps[2]["told"]
    assert steps[0]["told"] == "1 % labelled: not trained yet."
    models = "ss-VAE and ss-rVAE" if len(points) > 1 else "ss-VAE"
    assert film_data(app)["offers"]["0"] == f"Train {models} at 1 %"
    assert "N = 32 validation images" in said(app) and "seed 0" in said(app)


def test_a_sweep_over_labels_per_class_has_a_slider_over_these(store_of):
    store_of([(model, number, 0) for model in ("ss-vae", "ss-rvae") for number in (1, 5)])
    app = open_film_page("ratio", ratio="1")
    assert not app.exception and not app.error and not app.warning
    data = film_data(app)
    shown = {step["position"]: step["missing"] for step in data["steps"]}
    assert {position for position, missing in shown.items() if not missing} == {1, 5}
    assert set(shown) > {1, 2, 5} and max(shown) <= 12, "there are 12 training images per class"
    assert data["steps"][data["start"]]["position"] == 1
    at = [step["position"] for step in data["steps"]].index(2)
    assert data["offers"][str(at)] == "Train ss-VAE and ss-rVAE with 2 labels per class"
    assert "Supervised ratio:" not in json.dumps(data) and "Labels per class" in json.dumps(data)
    assert "1 label per class, seed 0" in said(app)


def test_ratios_and_labels_per_class_are_two_films_to_choose_from(store_of):
    store_of([*POINTS, *((model, number, 0) for model, _, _ in POINTS[::2] for number in (1, 5))])
    app = open_film_page("ratio")
    assert not app.exception
    assert {step["position"] for step in film_data(app)["steps"] if not step["missing"]} == {1, 5}, "few labels first"
    (chooser,) = (box for box in app.selectbox if box.label == "Data set")
    assert [option.split(" \u00b7 ")[-1] for option in chooser.options] == [
        "labels per class",
        "supervised ratio",
        "ready-made",
    ]
    other = next(option for option in chooser.options if option.endswith("supervised ratio"))
    film = film_data(chooser.select(other).run())
    assert {step["position"] for step in film["steps"] if not step["missing"]} == {0.05, 0.1}


def test_a_model_missing_at_one_ratio_is_offered_alone(store_of):
    store_of([*POINTS[:3]])
    data = film_data(open_film_page("ratio", ratio="0.1"))
    at = [step["position"] for step in data["steps"]].index(0.1)
    assert data["offers"][str(at)] == "Train ss-rVAE at 10 %"
    assert "ss-rVAE is not trained here" in data["steps"][at]["told"]


def test_the_ready_made_sweep_is_trained_by_a_button(make_store, monkeypatch):
    assert read_spec(ROOT / "examples" / "labels.yaml").sweep_id == LABELS.sweep_id
    assert len(LABELS.seeds) >= 3 and min(LABELS.labels_per_class) == 1
    store = make_store("empty")
    monkeypatch.setattr("ssrvae_core.runs.jobs.ensure_dispatcher", lambda store: None)
    app = open_film_page("ratio")
    next(button for button in app.button if button.label == "Train the sweep over labels per class").click().run()
    assert not app.exception and not app.error
    assert [job.id for job in JobQueue(store).list()] == [LABELS.sweep_id]
    assert len(app.get("progress")) == 1
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    assert "Train the sweep over labels per class" not in [button.label for button in open_film_page("ratio").button]


def test_a_viewer_is_offered_no_training(store_of, monkeypatch):
    store_of(POINTS)
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_film_page("ratio")
    assert not app.exception and film_data(app)["offers"] == {}
    assert any(step["missing"] for step in film_data(app)["steps"])


def test_the_address_opens_the_film_at_its_ratio_and_keeps_it(store_of):
    store_of(POINTS)
    app = open_film_page("ratio", ratio="0.05")
    data = film_data(app)
    assert data["steps"][data["start"]]["position"] == 0.05 and not app.warning
    assert app.query_params["ratio"] in ("0.05", ["0.05"])


def test_a_film_that_is_come_back_to_stands_where_it_was_left_and_so_does_its_address(store_of):
    store_of(POINTS)
    app = open_film_page("ratio", ratio="0.05")
    app.switch_page("pages/overview.py").run()
    app.query_params.clear()
    app.switch_page(PAGES["ratio"]).run()
    data = film_data(app)
    assert data["steps"][data["start"]]["position"] == 0.05 and not app.warning
    assert app.query_params["ratio"] in ("0.05", ["0.05"])


def test_a_refused_address_is_still_told_of_when_the_page_runs_again(store_of):
    store_of(POINTS)
    app = open_film_page("ratio", ratio="2")
    for _ in range(2):  # the second time because the browser has told its width
        assert "'2' as supervised ratio" in app.warning[0].value
        app.run()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("page", "names"), [("ratio", ("ratio", "seed", "of")), ("film", ("epoch", "left", "curve"))])
def test_a_hostile_address_falls_back_with_a_sentence(page, names, value, store_of):
    store_of([*POINTS, ("ss-vae", 0.05, 1)])
    app = open_film_page(page, **dict.fromkeys(names, value))
    assert not app.exception and not app.error
    assert len([w for w in app.warning if "not available" in w.value]) == len(names)
    assert "<script" not in said(app)
    assert all(app.query_params.get(name) not in (value, [value]) for name in names)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_comparison_falls_back_to_the_newest_pair(value, store_of):
    store_of(POINTS)
    app = open_film_page("compare", runs=value, rivals=value)
    assert not app.exception and not app.error
    assert len(app.multiselect[0].value) == 2 and "not available" in app.warning[0].value
    asked = [one for one in value.split(",") if one]  # of the other methods nothing is lost where none was asked for
    assert len([one for one in app.warning if "as other methods, which is not available" in one.value]) == bool(asked)
    assert "<script" not in said(app)


def test_another_seed_shows_its_own_frames_under_the_mean_of_all(store_of):
    store_of([*POINTS, ("ss-vae", 0.05, 1), ("ss-rvae", 0.05, 1)])
    app = open_film_page("ratio", seed="1", ratio="0.05")
    data = film_data(app)
    trained = [step["position"] for step in data["steps"] if not step["missing"]]
    assert trained == [0.05]
    assert "mean over the seeds 0, 1" in said(app) and "seed 1" in said(app)


def test_rivals_on_the_same_data_are_curves_of_the_film(store_of):
    store = store_of(POINTS)
    add_rival(store, store.runs()[0])
    app = open_film_page("ratio")
    assert "k nearest neighbours" in film_data(app)["figure"]
    assert "Dashed: other methods" in said(app)


def test_predictions_that_cannot_be_read_cost_their_own_frame_alone(store_of):
    store = store_of(POINTS)
    broken = store.runs()[0]
    break_predictions(broken)
    app = open_film_page("ratio")
    assert not app.exception
    assert broken.id in app.error[0].value
    assert len(film_data(app)["steps"]) == 6


def test_a_broken_run_costs_its_own_frame_alone(store_of):
    store = store_of(POINTS)
    broken = store.find(ratio_config(*POINTS[0]))
    (broken.path / "config.json").write_text("{")
    app = open_film_page("ratio")
    assert not app.exception and not app.error
    assert f"Run {broken.id} cannot be read" in said(app)
    assert len(film_data(app)["steps"]) > 2


def test_a_film_in_which_a_run_was_deleted_is_a_sentence(trained, tmp_path, monkeypatch):
    store = RunStore(tmp_path / "store")
    shutil.copytree(trained.root, store.root)
    monkeypatch.setenv("SSRVAE_STORE", str(store.root))
    runs = store.runs()
    shutil.rmtree(runs[0].path)
    with pytest.raises(UserError, match="reload the page"):
        training_film.stamps_of(runs)


def test_only_runs_on_the_same_images_stand_beside_each_other(trained, tmp_path):
    first, *others = trained.runs()
    store = RunStore(tmp_path)
    moved = first.config.dataset.model_copy(update={"seed": 99})
    elsewhere = copy_run(store, first, first.config.model_copy(update={"dataset": moved}))
    assert training_film.beside(first, [first, *others, elsewhere]) == others


def test_training_what_is_missing_queues_a_job_for_each_model_and_the_page_shows_them(store_of, monkeypatch):
    store = store_of(POINTS)
    monkeypatch.setattr("ssrvae_core.runs.jobs.ensure_dispatcher", lambda store: None)
    configs = [ratio_config(model, 0.2) for model in ("ss-vae", "ss-rvae")]
    ratio_film.train(store, configs)
    assert {job.id for job in JobQueue(store).list()} == {config.run_id for config in configs}
    app = open_film_page("ratio")
    assert not app.exception
    assert len(app.get("progress")) == 2
    assert [button.label for button in app.button if "Cancel" in button.label] == ["Cancel", "Cancel"]
    at = [step["position"] for step in film_data(app)["steps"]].index(0.2)
    assert str(at) not in film_data(app)["offers"]


@pytest.mark.parametrize("page", ["ratio", "film", "compare"])
def test_what_is_shown_can_be_taken_away(page, store_of):
    store_of(POINTS)
    app = open_film_page(page)
    labels = [button.proto.label for button in app.get("download_button")]
    assert any("HTML" in label for label in labels) and any("CSV" in label for label in labels)
    assert page == "compare" or "Film as GIF" in labels


def test_the_training_film_shows_a_pair_in_step_and_one_run_alone(trained, tmp_path, monkeypatch):
    store = copy_all(trained, tmp_path / "store")
    monkeypatch.setenv("SSRVAE_STORE", str(store.root))
    app = open_film_page("film")
    told = film_data(app)["steps"][0]["told"]
    assert not app.exception and re.fullmatch(r"Epoch 1: ss-VAE is right for \d+ %, ss-rVAE is right for \d+ %\.", told)
    assert "what it says of images" in film_data(app)["figure"]
    alone = open_film_page("film", right="none")
    assert not alone.exception and "ss-rVAE" not in film_data(alone)["steps"][0]["told"]


def test_a_run_still_training_has_a_film_of_the_epochs_so_far(trained, tmp_path, monkeypatch):
    store = copy_all(trained, tmp_path / "store")
    run = store.runs()[0]
    live = copy_run(store, run, tiny_config(run.config.model.name, **{"training.epochs": 9}), state="running")
    (live.path / "validation.npz").unlink()
    monkeypatch.setenv("SSRVAE_STORE", str(store.root))
    app = open_film_page("film", left=live.id)
    assert not app.exception and not app.error
    assert "is at epoch 1 of 9; the film has the epochs so far" in said(app)
    assert "Where a training has ended, its last epoch stays." in said(app)


def test_a_comparison_has_results_differences_and_rivals(store_of):
    store = store_of(POINTS)
    pair = [run for run in store.runs() if run.config.split.labelled_ratio == 0.1]
    rival = add_rival(store, pair[0], accuracy=0.987)
    app = open_film_page("compare", runs=",".join(run.id for run in pair), rivals=rival.id)
    assert not app.exception and not app.error and not app.warning
    assert [run.id for run in pair] == app.multiselect[0].value
    pages = "\n".join(element.proto.body for element in app.get("html"))
    assert "k nearest neighbours" in pages and "0.987" in pages
    assert "model.rotation" in pages and "training.epochs" not in pages
    app = open_film_page("compare", runs=",".join(run.id for run in pair), settings="all")
    assert "training.epochs" in "\n".join(element.proto.body for element in app.get("html"))


def test_a_comparison_of_other_images_warns(store_of, trained):
    own = store_of(POINTS).runs()[0]
    store = RunStore(own.path.parent)
    stranger = copy_run(store, trained.runs()[0], ratio_config("ss-rvae", 0.1, **{"dataset.seed": 5}))
    app = open_film_page("compare", runs=f"{own.id},{stranger.id}")
    assert any("judged on other images" in warning.value for warning in app.warning)
