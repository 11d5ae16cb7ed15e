"""The Learn page: what it says of one image at every angle, on any store."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.evaluation.turning import Turning, all_angles, peaks
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.bundle import unpack_bundle
from tests.ui.conftest import APP, copy_run
from tests.ui.test_pages import HOSTILE, said
from ui import learn, lesson
from ui.ready_made import BUNDLE


@pytest.fixture
def open_learn():
    def go(**address):
        app = AppTest.from_file(str(APP), default_timeout=60).switch_page("pages/learn.py")
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return go


@pytest.fixture
def seen():
    """A model that is wrong where the image is turned by more than 40 degrees."""
    degrees = all_angles()
    right = np.where(np.abs(degrees) <= 40, 0.9, 0.2).astype(np.float32)
    flat = np.ones(len(degrees), np.float32)
    posterior = np.full((len(degrees), 8), 1 / 8, np.float32)
    return Turning(
        degrees,
        np.stack([right, 1 - right], axis=1),
        np.zeros((len(degrees), 1, 8, 8), np.float32),
        np.radians(degrees).astype(np.float32),
        posterior,
        100 * flat,
        flat / 2,
    )


def test_the_turntable_has_all_it_shows_at_every_angle(seen):
    image = np.zeros((1, 100, 50), np.float32)
    content = learn.scene(
        ["ss-rVAE"], [seen], image, class_names=("a", "b"), truth=0, caption="Image 3: a", labelled_range=12
    )
    assert json.loads(json.dumps(content)) == content
    assert content["tile"] == [64, 32]
    model = content["models"][0]
    assert len(content["degrees"]) == len(model["said"]) == len(model["posterior"]) == len(model["shares"]) == 73
    assert len(model["peaks"]) == 73 and set(model["peaks"]) == {"No angle stands out"}
    assert [content["degrees"][at] for at in content["labelled"]] == [-10, 10]


def test_the_text_under_the_circle_says_how_many_angles_fit():
    grid = np.arange(48) * 7.5

    def posterior(*degrees):
        apart = [np.abs((grid - angle + 180) % 360 - 180) for angle in degrees]
        values = sum(np.exp(-((one / 8) ** 2)) for one in apart)
        return values / values.sum()

    assert learn.peaks_text(peaks(posterior(45))) == "It infers 45°"
    assert sorted(peaks(posterior(-120, 60))) == [-120, 60]
    assert "-120°" in learn.peaks_text([60, -120]) and "60°" in learn.peaks_text([60, -120])
    assert sorted(peaks(posterior(0, 90, 180, 270))) == [-90, 0, 90, 180]
    assert peaks(np.full(48, 1 / 48)) == []
    broad = np.exp(0.8 * np.cos(np.radians(grid - 128)))
    assert peaks(broad / broad.sum()) == [], "of a sphere"
    assert peaks(posterior(45, 60)) in ([52], [53], [45], [60])  # two that melt into one are one


def test_rounding_for_the_browser_makes_no_doubt_certainty():
    sent = learn._rounded(np.array([[1.0, 0.0], [0.99999, 0.00001], [0.73216, 0.26784]], np.float32))
    assert sent.tolist() == [[1.0, 0.0], [0.9999, 0.0001], [0.7322, 0.2678]]


def test_an_image_without_a_class_has_no_classification_term(seen):
    content = learn.scene(
        ["m"],
        [seen],
        np.zeros((1, 8, 8), np.float32),
        class_names=("a", "b"),
        truth=-1,
        caption="",
        labelled_range=None,
    )
    assert content["labelled"] is None
    for step in lesson.steps(["m"], [seen], -1, "class unknown", None):
        assert step.answer
    assert "Classification" not in lesson.terms(["m"], [seen], -1, 0)


def test_the_experiment_says_what_is_to_be_seen(seen):
    steps = lesson.steps(["ss-VAE"], [seen], 0, "hearts", 12)
    assert len(steps) == 4
    assert "0.90" in steps[0].answer
    assert "at 56 of the 73 angles, the nearest to upright at -45\u00b0" in steps[1].answer
    assert "at most 12\u00b0" in steps[1].answer


def test_the_parts_of_both_pages_import_without_torch():
    code = "import sys, ui.learn, ui.lesson, ui.datasets, ui.uploads, ui.sliders; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_wrong_angle_reads_as_none(seen):
    assert learn.angles_text(np.array([]), 73) == "at none of the 73 angles"


def test_the_terms_have_the_numbers_of_this_angle(seen):
    text = lesson.terms(["ss-VAE"], [seen], 0, 90)
    assert "ss-VAE 100.00" in text and "ss-VAE 0.50" in text
    assert f"ss-VAE {-np.log(0.2):.2f}" in text and "0.69 is guessing" in text


def test_class_names_in_the_lesson_are_shown_as_they_are(seen):
    text = lesson.pixels("<b>[x](y)", 0.2, {"<script>": 0.3})
    assert r"\<b>\[x\](y)" in text and r"one of the \<script>" in text


@pytest.mark.parametrize(
    ("asked", "start"), [(None, 0), ("45", 45), ("-178", -180), ("47.4", 45), ("x", 0), ("nan", 0), ("1e9", 0)]
)
def test_the_angle_of_an_address_is_the_nearest_there_is(asked, start):
    assert learn.start_angle(asked) == start


def test_pixel_distance_is_one_between_black_and_white():
    assert learn.pixel_distance(np.zeros((1, 4, 4)), np.ones((1, 4, 4))) == 1


@pytest.mark.parametrize("kind", ["one", "two", "many", "broken"])
def test_the_page_opens_on_any_store_with_a_run(kind, make_store, open_learn):
    store = make_store(kind)
    app = open_learn()
    assert not app.exception and not app.error
    assert any(f"run {run.id}" in said(app) for run in store.runs())
    assert "Two minutes: guess first, then look" in [header.value for header in app.subheader]
    assert len(app.get("bidi_component")) == 1


@pytest.mark.parametrize("mode", ["editor", "viewer"])
def test_an_empty_store_has_the_lesson_that_comes_with_the_program(mode, make_store, open_learn, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", mode)
    store = make_store("empty")
    app = open_learn()
    assert not app.exception and not app.error
    assert len(app.get("bidi_component")) == 1
    assert "come with the program" in said(app)
    assert not store.runs()
    labels = next(group for group in app.get("button_group") if group.key == "learn-labels")
    fewest, *_, most = labels.options
    assert f"{fewest} labels per class" in said(app)
    labels.set_value(_run_of(app, labels, most)).run()
    assert not app.exception and f"{most} labels per class" in said(app)


def test_labels_by_class_and_by_ratio_are_counted_so_that_they_compare_and_take_little_room(make_store, open_learn):
    store = make_store("two")
    for run in store.runs():
        split = run.config.split.model_copy(update={"labels_per_class": None, "labelled_ratio": 0.5})
        copy_run(store, run, run.config.model_copy(update={"split": split}), n_labelled=1024)
    app = open_learn()
    assert not app.exception and not app.error
    labels = next(group for group in app.get("button_group") if group.key == "learn-labels")
    assert labels.options == ["16", "1,024"]


def _run_of(app, labels, content):
    """Return the run behind a button, which AppTest knows by what it says alone."""
    from ui.ready_made import lesson_store

    return next(
        run.id
        for run in lesson_store().runs()
        if run.config.model.rotation == "none" and str(run.config.split.labels_per_class) == content
    )


def test_the_ready_made_lesson_can_be_chosen_beside_a_store_with_runs(make_store, open_learn):
    store = make_store("two")
    app = open_learn(**{"from": "lesson"})
    assert not app.exception and not app.warning
    assert not any(run.id in said(app) for run in store.runs())


def test_the_lesson_is_small_whole_and_both_models_at_every_number_of_labels(tmp_path):
    assert BUNDLE.stat().st_size < 3_000_000
    store = RunStore(tmp_path / "store")
    report = unpack_bundle(BUNDLE, store)
    found = {(run.config.model.name, run.config.split.labels_per_class): run.accuracy for run in store.runs()}
    assert len(found) == len(report.imported) == 6
    amounts = {amount for _, amount in found}
    assert all(found["ss-rvae", n] > 0.9 > 0.7 > found["ss-vae", n] for n in amounts)


def test_the_page_opens_where_labels_are_few(make_store, open_learn):
    store = make_store("two")
    for run in store.runs():
        copy_run(store, run, run.config.model_copy(update={"split": _split(run, 1)}), n_labelled=4)
    app = open_learn()
    assert not app.exception
    assert "1 label per class" in said(app)


def _split(run, labels_per_class):
    return run.config.split.model_copy(update={"labels_per_class": labels_per_class, "labelled_ratio": None})


@pytest.mark.parametrize(("asked", "kept"), [("second", "second"), ("<b>", None)])
def test_a_guess_is_in_the_address(asked, kept, make_store, open_learn):
    make_store("two")
    app = open_learn(guess=asked)
    assert not app.exception
    assert app.query_params.get("guess") in ([None] if kept is None else [kept, [kept]])


def test_the_page_says_how_the_answer_comes_about(make_store, open_learn):
    make_store("two")
    assert "How the answer comes about" in said(open_learn())


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_address_falls_back(value, make_store, open_learn):
    make_store("two")
    app = open_learn(**{"left": value, "class": value, "sample": value, "angle": value})
    assert not app.exception and not app.error
    assert len([w for w in app.warning if "not available" in w.value]) == 3
    assert app.query_params["angle"] in ("0", ["0"])


def test_the_address_restores_class_image_and_angle(make_store, open_learn):
    make_store("two")
    first = open_learn(**{"class": "2"})
    sample = first.selectbox(key="learn-sample").options[1].removeprefix("number ")
    app = open_learn(**{"class": "2", "sample": sample, "angle": "45"})
    assert app.selectbox(key="learn-sample").value == sample
    assert app.query_params["angle"] in ("45", ["45"])
    assert f"Image {sample} (diamonds)" in said(app)
    assert "at 45\u00b0" in said(app) and not app.warning


def test_a_model_that_cannot_be_read_leaves_the_other(make_store, open_learn):
    store = make_store("two")
    (store.runs()[0].path / "model.safetensors").write_bytes(b"torn")
    app = open_learn()
    assert not app.exception
    assert any("cannot look at the image" in error.value for error in app.error)
    assert len(app.get("bidi_component")) == 1


def test_a_data_set_that_is_gone_is_a_sentence(make_store, open_learn):
    store = make_store("one")
    run = store.runs()[0]
    values = json.loads((run.path / "config.json").read_text())
    values["dataset"] |= {"source": "file", "path": "/nowhere/gone.npz", "sha256": "0" * 64}
    (run.path / "config.json").write_text(json.dumps(values))
    app = open_learn()
    assert not app.exception
    assert "The images cannot be shown" in app.error[0].value
