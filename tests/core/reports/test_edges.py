"""Reports and figures of runs that have nothing to show somewhere: no label, no image, no film, no baseline."""

import io
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import PAPER_MODELS, RunConfig, UserError
from ssrvae_core.figures import Panel, accuracy_by_angle_figure, colourings, confusion_figures, latent_scatter
from ssrvae_core.figures.align import align_frames
from ssrvae_core.figures.curves import training_curves
from ssrvae_core.records import Predictions
from ssrvae_core.reports.chapter import Chapter
from ssrvae_core.reports.gather import ratio_film, training_film
from ssrvae_core.reports.reliability import reliability, reliability_figure
from ssrvae_core.reports.report import report_html
from ssrvae_core.reports.wording import verdict
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.comparison import rival_result
from ssrvae_core.runs.execute import train_run


@pytest.fixture(scope="module")
def pair(tmp_path_factory, tiny_config):
    """A store with a run of either model and a baseline, and the runs. Copy it to change anything."""
    store = RunStore(tmp_path_factory.mktemp("pair"))
    made = []
    for model, settings in (("none", {}), ("marginal", {})):
        values = tiny_config(training__epochs=1, **settings).model_dump()
        values["model"]["rotation"] = model
        values["split"] = {"labelled_ratio": 0.5}
        made.append(train_run(RunConfig.model_validate(values), store, device="cpu"))
    rival_result(made[0].config, "decision-tree", store, "cpu")
    return store, made


def rows_of(runs, rivals=(), **changes):
    rows = [
        {"run_id": run.id, "model": run.config.model.name, "seed": run.config.seed, "state": "finished", "error": None}
        for run in runs
    ]
    return [*rows, *({"run_id": "", "model": r, "seed": s, "state": "finished", "error": None} for r, s in rivals)]


def failed(model, seed=0, error="The loss is not a number."):
    return {"run_id": None, "model": model, "seed": seed, "state": "failed", "error": error}


def copied(pair, tmp_path):
    store = RunStore(tmp_path / "copy")
    shutil.copytree(pair[0].root, store.root)
    return store, [store.get(run.id) for run in pair[1]]


def unlabelled(run):
    """Take the labels of a run's validation images away, as if its file had none."""
    said = run.predictions()
    directory.write_predictions(run.path, replace(said, labels=np.full_like(said.labels, -1)))
    none = {"accuracy": None, "balanced_accuracy": None, "ece": None, "nll": None, "confusion": None}
    none |= {"per_class": None, "accuracy_by_angle": None, "n": 0}
    directory.write_status(run.path, run.status.model_copy(update={"validation": run.status.validation | none}))
    return RunStore(run.path.parent).get(run.id)


# The figures of the paper.


def test_a_baseline_without_a_model_beside_it_is_left_out(pair, tmp_path):
    store, runs = pair
    rows = [*rows_of(runs, [("decision-tree", 0), ("random-forest", 5)]), *(failed(m, 5) for m in PAPER_MODELS)]
    chapter = Chapter.read("cards", rows, [], store, "cpu")
    section, _ = chapter.write(tmp_path)
    assert "Decision tree" in section
    assert "Random forest" not in section


def test_a_baseline_of_a_seed_at_which_one_model_failed_stands_beside_the_other(pair, tmp_path, tiny_config):
    store, runs = copied(pair, tmp_path)
    values = runs[1].config.model_dump()
    second = train_run(RunConfig.model_validate(values | {"seed": 1}), store, device="cpu")
    rival_result(second.config, "decision-tree", store, "cpu")
    rows = [*rows_of([*runs, second], [("decision-tree", 1)]), failed("ss-vae", 1)]
    assert "Decision tree" in Chapter.read("cards", rows, [], store, "cpu").write(tmp_path)[0]


@pytest.mark.parametrize("rows", [[], [{"model": "ss-vae", "state": "interrupted", "error": None, "seed": 0}]])
def test_models_of_which_nothing_came_are_a_sentence(rows, pair):
    with pytest.raises(UserError, match="No run of ss-vae on cards succeeded") as caught:
        Chapter.read("cards", rows, [], pair[0], "cpu")
    assert "None" not in str(caught.value)


def test_no_baseline_no_film_and_no_label_still_give_a_chapter(pair, tmp_path):
    store, runs = copied(pair, tmp_path)
    for run in runs:
        (run.path / directory.SNAPSHOTS).unlink()
        unlabelled(run)
    section, files = Chapter.read("cards", rows_of(runs), [], store, "cpu").write(tmp_path)
    assert files == []
    for run in runs:
        assert f"No epochs of run {run.id} were kept" in section
    assert "No validation image has a label" in section
    assert "No baseline was fitted" in section


def test_a_verdict_without_numbers_says_so():
    assert "label" in verdict({}, {})
    assert "label" in verdict({"ss-VAE": 0.5}, {})


# Reports and films.


def test_a_report_of_unlabelled_images_and_of_no_film_is_written(pair, tmp_path):
    _, runs = copied(pair, tmp_path)
    runs = [unlabelled(run) for run in runs]
    (runs[0].path / directory.SNAPSHOTS).unlink()
    page = report_html(runs)
    assert "no accuracy" in page
    assert "were kept, so there is no film" in page


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_latents_that_are_not_finite_leave_a_film(dims, pair, tmp_path, tiny_config):
    _, runs = copied(pair, tmp_path)
    run = runs[0]
    frames = run.snapshots()
    broken = [(epoch, replace(f, z_mean=np.full((len(f.ids), dims), np.nan, np.float32))) for epoch, f in frames]
    broken[-1][1].z_mean[:4] = np.eye(4, dims)
    directory.write_snapshots(run.path, [*broken, (broken[-1][0] + 1, broken[-1][1])])
    shown = training_film([run])
    shown.figure().to_json()
    assert shown.gif(2.0)[:3] == b"GIF"


def test_a_ratio_film_without_finite_latents_is_drawn(pair, tmp_path):
    _, runs = copied(pair, tmp_path)
    said = runs[0].predictions()
    directory.write_predictions(runs[0].path, replace(said, z_mean=np.full_like(said.z_mean, np.nan)))
    ratio_film(runs, device="cpu").figure().to_json()


def test_frames_without_a_finite_point_stay_as_they_are():
    ids, nothing = np.arange(5), np.full((5, 2), np.nan)
    first, last = align_frames([(ids, nothing), (ids, np.eye(5, 2))])
    assert np.isnan(first).all()
    np.testing.assert_array_equal(last, np.eye(5, 2))


# Figures.


def predictions(n, k, d, *, labels=0, z=0.0):
    return Predictions(
        ids=np.arange(n),
        labels=np.full(n, labels),
        class_prob=np.full((n, k), 1 / k, np.float32),
        z_mean=np.full((n, d), z, np.float32),
        z_sd=np.ones((n, d), np.float32),
        angle=np.full(n, np.nan, np.float32),
        concentration=np.full(n, np.nan, np.float32),
        log_likelihood=np.zeros(n, np.float32),
        factors={"angle": np.full(n, np.nan, np.float32)},
    )


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("z", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("labels", [0, -1])
def test_latents_of_few_or_no_points_have_a_finite_plane(n, d, z, labels):
    panel = Panel("ss-VAE", predictions(n, 1, d, labels=labels, z=z))
    for colour_by in colourings([panel]):
        figure = latent_scatter([panel], ["only"], colour_by=colour_by)
        figure.to_json()
        if d == 2:
            low, high = figure.layout.xaxis.range
            assert np.isfinite([low, high]).all()
            assert low < high


def test_confusion_and_curves_of_nothing_are_empty_figures():
    confusion_figures({}, ["a"]).to_json()
    confusion_figures({"none": np.zeros((1, 1), int)}, ["a"]).to_json()
    confusion_figures({"none": np.zeros((2, 2), int)}, ["a", "b"], normalise=True).to_json()
    training_curves({}).to_json()
    training_curves({"ss-VAE": []}).to_json()
    accuracy_by_angle_figure({}).to_json()
    accuracy_by_angle_figure({"ss-VAE": []}).to_json()
    reliability_figure({}).to_json()
    reliability_figure({"ss-VAE": reliability(predictions(3, 2, 2, labels=-1))}).to_json()
    reliability_figure({"ss-VAE": reliability(predictions(0, 2, 2))}).to_json()


def test_pictures_of_a_film_of_one_class_can_be_drawn(pair, tmp_path):
    _, runs = copied(pair, tmp_path)
    said = runs[0].predictions()
    directory.write_predictions(runs[0].path, replace(said, labels=np.zeros_like(said.labels)))
    shown = training_film([runs[0]], curve="accuracy")
    shown.figure().to_json()
    assert io.BytesIO(shown.gif(2.0)).read(3) == b"GIF"
