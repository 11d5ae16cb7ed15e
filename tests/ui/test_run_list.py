"""What the Overview says of runs: the rows of its list, and the best result it opens with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ssrvae_core.config import run_config
from ssrvae_core.figures.mapsvg import HEIGHT, MOST_POINTS, WIDTH, map_svg
from ssrvae_core.reports.wording import titles, without_opinion
from ssrvae_core.runs import BrokenRun, Run, Status
from tests.ui.test_parts import a_run
from ui.best import best_pair, result_text
from ui.markers import SHAPES
from ui.run_list import rows
from ui.runs import labels_of, run_label

BROKEN = BrokenRun("0123456789ab", Path("0123456789ab"), "config.json is missing.")


def judged(accuracy, model="ss-rvae", n_labelled=16, **options):
    found = {"accuracy": accuracy, "n": 800}
    return a_run(model, validation=found, n_labelled=n_labelled, class_names=("a", "b"), **options)


def seen_as(view):
    settings = {"dataset.view": view}
    config = run_config(preset="teaching", data="particles-teaching", labels_per_class=4, settings=settings)
    return Run(config.run_id, Path(config.run_id), config, Status(state="finished"))


def with_all_labels(**status):
    run = a_run(ratio=None, **status)
    split = run.config.split.model_copy(update={"labels_per_class": None})
    return replace(run, config=run.config.model_copy(update={"split": split}))


# Rows.


def test_a_row_says_all_of_a_run_and_goes_as_json():
    row = rows.row_of(judged(0.9, epoch=20, seconds=61, updated=1e9, device="cpu"))
    assert (row["model"], row["accuracyText"], row["duration"]) == ("ss-rVAE", "0.900", "1 min 01 s")
    assert row["judged"] == "of 800" and rows.row_of(a_run())["judged"] == ""
    assert row["href"].startswith("latent_space?left=") and row["exact"].startswith("2001-09-0")
    broken = rows.row_of(BROKEN)
    assert broken["href"] == "" and broken["accuracy"] is None
    assert row.keys() == broken.keys()
    json.dumps([row, broken], allow_nan=False)


def test_an_unfinished_run_opens_its_training():
    assert rows.row_of(a_run(state="running", epoch=3))["href"].startswith("train?job=")


def test_how_far_a_run_is_stands_above_the_list_alone():
    row = rows.row_of(a_run(state="running", epoch=3, seconds=54))
    assert (row["words"], row["duration"]) == ("running", "")
    assert "3/" in rows.row_of(a_run(state="cancelled", epoch=3))["words"]


def test_a_run_that_was_cancelled_and_waits_again_is_queued():
    row = rows.row_of(a_run(state="cancelled", epoch=3), waits=True)
    assert row["state"] == row["words"] == "queued"


def test_runs_that_differ_by_view_or_second_opinion_alone_are_told_apart():
    views = [seen_as(view) for view in ("image", "mask", "masked")]
    assert len({rows.row_of(run)["variant"] for run in views}) == 3
    names = titles(views)
    assert len(set(names)) == 3 and not any(run.id in name for run, name in zip(views, names, strict=True))
    assert "silhouettes" in run_label(views[1]) and "inside of the mask" in run_label(views[2])
    configs = [
        run_config(preset="teaching", labels_per_class=4, settings={"model.second_opinion": asks})
        for asks in (True, False)
    ]
    asking, without = (Run(config.run_id, Path(config.run_id), config, Status()) for config in configs)
    names = titles([asking, without])
    assert "no second opinion" in names[1] and "opinion" not in names[0]
    label = labels_of({run.id: run for run in (asking, without)})
    assert "no second opinion" in label(without.id) and "opinion" not in label(asking.id)


def test_a_second_opinion_is_not_named_where_all_runs_have_it_or_none():
    assert without_opinion([a_run(), a_run("ss-vae"), a_run(seed=1)]) == set()
    assert "opinion" not in run_label(a_run())


def test_of_all_labels_their_number_is_said_once_it_is_known():
    run = with_all_labels(n_labelled=30)
    assert rows.row_of(run)["labels"] == run.labels_in_words == "30 labels" and "30 labels" in run_label(run)
    assert with_all_labels(n_labelled=1).labels_in_words == "1 label"
    assert with_all_labels().labels_in_words == "all labels"
    assert "labelled" in a_run(n_labelled=30, ratio=0.1).labels_in_words


def test_the_runs_of_a_data_set_are_shown_alone():
    one, other = a_run(), a_run(data="digits", ratio=0.1)
    assert rows.data_sets([one, other]) == ["cards-teaching", "digits"]
    assert rows.shown([one, other, BROKEN], "digits") == [other]
    assert rows.shown([one, other, BROKEN], None) == [one, other, BROKEN]


@pytest.mark.parametrize("told", [None, "x", [1, 2], {"a": 1}, [["0123456789ab"]], 5])
def test_what_no_browser_of_ours_tells_ticks_nothing(told):
    assert rows.ticked(told, [BROKEN]) == []


def test_ticked_runs_stand_in_the_order_of_the_list():
    first, second = a_run(), a_run("ss-vae")
    assert rows.ticked([second.id, "gone", first.id], [first, second]) == [first, second]


@pytest.mark.parametrize("asked", [None, "", "-", "<b>", "constructor", "--seed"])
def test_an_address_that_sorts_by_nothing_there_is_sorts_nothing(asked):
    assert rows.sort_of(asked) is None


@pytest.mark.parametrize("text", ["-accuracy", "run", "updated"])
def test_the_order_goes_into_the_address_and_comes_out_of_it(text):
    assert rows.sort_text(rows.sort_of(text)) == text
    assert rows.sort_text({"column": ""}) is None and rows.sort_text("x") is None


# The best result.


def test_the_best_result_is_the_pair_that_differs_most():
    small = judged(0.5, "ss-vae"), judged(0.6)
    large = judged(0.41, "ss-vae", ratio=0.02), judged(0.99, ratio=0.02)
    assert best_pair([*small, *large]) == large
    assert best_pair(small[:1]) is None and best_pair([]) is None


def test_of_equal_pairs_the_one_with_fewest_labels_stands_first():
    many = judged(0.5, "ss-vae", 800, ratio=0.5), judged(0.9, n_labelled=800, ratio=0.5)
    few = judged(0.5, "ss-vae", 8, ratio=0.02), judged(0.9, n_labelled=8, ratio=0.02)
    assert best_pair([*many, *few]) == few


def test_a_pair_in_which_the_invariance_does_not_help_is_no_result():
    assert best_pair([judged(0.9, "ss-vae"), judged(0.9)]) is None


def test_the_result_is_a_sentence_with_labels_images_and_both_shares():
    text = result_text((judged(0.41125, "ss-vae"), judged(0.99875)))
    assert "16 labelled images" in text and "800 validation images" in text
    assert "99.9\u00a0%" in text and "41\u00a0%" in text


def test_the_result_tells_labelled_validation_images_from_all():
    text = result_text((judged(0.41125, "ss-vae"), judged(0.99875)), 1000)
    assert "800 labelled validation images" in text


def test_a_few_errors_are_not_rounded_away():
    assert ">99.9\u00a0%" in result_text((judged(0.41125, "ss-vae"), judged(0.9999)))


@pytest.mark.parametrize("shape", [(0, 2), (1, 2), (3, 1), (2000, 3)])
def test_a_map_is_a_picture_with_every_point_on_it(shape):
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=shape), rng.integers(-1, 3, shape[0])
    root = ElementTree.fromstring(map_svg(z, labels, SHAPES))
    points = root.findall("{http://www.w3.org/2000/svg}use")
    assert len(points) == min(shape[0], MOST_POINTS)
    assert all(0 <= float(p.get("x")) <= WIDTH and 0 <= float(p.get("y")) <= HEIGHT for p in points)


def test_latents_that_are_not_numbers_are_left_out_of_the_map():
    z = np.array([[0.0, 0.0], [np.nan, 1.0], [1.0, np.inf], [2.0, 1.0]])
    assert map_svg(z, np.zeros(4, int), SHAPES).count("<use") == 2
