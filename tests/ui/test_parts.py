"""The parts pages share, without a page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ssrvae_core.config import DatasetConfig, RunConfig, SplitConfig, run_config
from ssrvae_core.figures import theme
from ssrvae_core.reports.gather import same_images
from ssrvae_core.reports.wording import titles
from ssrvae_core.runs import BrokenRun, Run, Status
from ssrvae_core.runs.thumbnails import to_pixels
from ui import gallery, images, markers, overview, runs, state

TWENTY = {"training.epochs": 20}


def a_run(model="ss-rvae", *, ratio=0.05, seed=0, state="finished", data="cards-teaching", **status):
    config = run_config(preset="teaching", data=data, model=model, labelled_ratio=ratio, seed=seed, settings=TWENTY)
    return Run(config.run_id, Path(config.run_id), config, Status(state=state, **status))


def test_pages_import_without_torch():
    code = "import sys, ui.runs, ui.gallery, ui.export, ui.charts, ui.overview; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_address_counts_before_memory_and_memory_before_the_default():
    assert state.resolve("b", "a", "abc", "c") == ("b", False)
    assert state.resolve(None, "a", "abc", "c") == ("a", False)
    assert state.resolve(None, "z", "abc", "c") == ("c", False)
    assert state.resolve("z", "a", "abc", "c") == ("a", True)
    assert state.resolve("", None, "abc", "c") == ("c", True)


def test_an_echoed_address_has_no_markup_and_is_short():
    assert state.harmless("<b>[x](y)`**") == "bxy"
    assert len(state.harmless("x" * 1000)) < 50


def test_the_first_pair_is_the_newest_on_one_data_set_split_and_seed():
    lone, old_vae = a_run("ss-rvae", ratio=0.5), a_run("ss-vae")
    old_rvae, other_seed = a_run("ss-rvae"), a_run("ss-rvae", seed=1)
    assert runs.newest_pair([lone, other_seed, old_rvae, old_vae]) == (old_vae, old_rvae)
    assert runs.newest_pair([lone, other_seed]) == (lone, None)


def own_run(model="ss-rvae", *, seed=0, state="finished", file="a.npz"):
    dataset = DatasetConfig(source="file", path=file, sha256=file)
    config = run_config(dataset=dataset, model=model, labelled_ratio=0.05, seed=seed)
    return Run(config.run_id, Path(config.run_id), config, Status(state=state, class_names=("rod", "cube")))


def test_data_of_ones_own_are_shown_before_the_demo():
    demo = [a_run(model, class_names=("a", "b")) for model in ("ss-rvae", "ss-vae")]
    newest, older = own_run(), own_run(file="b.npz")
    assert runs.first_shown([*demo, newest, older, own_run("ss-vae", file="b.npz")]) == (newest, None)
    beside = own_run("ss-vae")
    assert runs.first_shown([*demo, newest, older, own_run("ss-vae", seed=1), beside]) == (beside, newest)
    training = own_run(state="running")
    assert runs.first_shown([training, *demo]) == (training, None)
    assert runs.first_shown([training, older, *demo]) == (older, None)
    assert runs.first_shown(demo) == (demo[1], demo[0])


def test_runs_on_other_data_are_no_partners():
    assert runs.partner(a_run("ss-vae"), [a_run("ss-rvae", data="digits", ratio=0.1)]) is None


def test_a_file_split_otherwise_has_other_validation_images():
    base = RunConfig.model_validate({"dataset": {"source": "file", "path": "a.npz", "sha256": "0"}})
    moved = base.model_copy(update={"dataset": base.dataset.model_copy(update={"path": "b.npz"})})
    resplit = base.model_copy(update={"split": SplitConfig(seed=1)})
    first, second, third = (Run(c.run_id, Path(c.run_id), c, Status()) for c in (base, moved, resplit))
    assert same_images(first, second)
    assert not same_images(first, third)


def test_titles_say_just_enough_to_tell_runs_apart():
    assert titles([a_run("ss-vae"), a_run("ss-rvae")]) == ["ss-VAE", "ss-rVAE"]
    assert titles([a_run(ratio=0.05), a_run(ratio=0.5)]) == [
        "ss-rVAE, 5 % labelled",
        "ss-rVAE, 50 % labelled",
    ]
    same = [a_run(seed=0), a_run(seed=1)]
    assert titles(same) == [f"ss-rVAE, 5 % labelled, seed {seed}" for seed in (0, 1)]


def test_the_table_takes_runs_of_every_kind():
    table = overview.runs_table(
        [a_run(validation={"accuracy": 0.9}, epoch=20, seconds=61), a_run("ss-vae", state="running", epoch=3)],
        [BrokenRun("0" * 12, Path("0" * 12), "config.json is missing.")],
    )
    assert table["State"].tolist() == ["finished", "running 3/20", "broken"]
    assert table["Accuracy"].tolist()[0] == 0.9 and table["Accuracy"].isna().tolist()[1:] == [True, True]
    assert table["Time"].tolist()[0] == "1 min 01 s"


def test_the_remaining_time_follows_the_mean_speed():
    assert overview.remaining_seconds(a_run(state="running", epoch=5, seconds=10)) == 30
    assert overview.remaining_seconds(a_run(state="queued")) is None


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4 s"), (125, "2 min 05 s"), (3725, "1 h 02 min")])
def test_durations_read_as_people_say_them(seconds, text):
    assert overview.duration(seconds) == text


def test_a_store_of_broken_runs_alone_is_a_table_too():
    table = overview.runs_table([], [BrokenRun("0123456789ab", Path("0123456789ab"), "config.json is missing.")])
    assert table["Run"].tolist() == ["0123456789ab"] and table["Accuracy"].isna().all()


def test_the_reach_of_a_manifold_tells_its_ends_apart():
    bounds = np.array([[-0.1634, -0.1592], [-2, 2], [0.25, 0.35]])
    assert images.reach(bounds, (0, 1)) == "z1 from -0.1634 to -0.1592 (right), z2 from -2.0 to 2.0 (up)"
    assert images.reach(bounds[2:], (0, 1)) == "z1 from 0.25 to 0.35 (right)"


def test_a_manifold_is_laid_out_row_by_row():
    grid = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1).repeat(2, axis=2).repeat(2, axis=3)
    assert images.tile(grid)[::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert images.enlarge(images.tile(grid), 10).shape == (8, 12)


def test_three_channels_are_colours_and_other_numbers_a_mean():
    assert to_pixels(np.ones((5, 3, 4, 6))).shape == (5, 4, 6, 3)
    assert to_pixels(np.full((5, 2, 4, 6), 0.5)).tolist() == np.full((5, 4, 6), 128).tolist()


def test_a_picture_is_found_by_its_sample_id():
    pictures = images.Pictures(np.array([3, 8]), np.zeros((2, 4, 4), np.uint8))
    assert pictures.of(8) is not None
    assert pictures.of(5) is None and pictures.of(9) is None


def test_a_card_escapes_names_and_marks_what_is_wrong():
    verdict = gallery.Verdict("<b>model", "clubs", 0.731, 34.2, False, np.zeros((2, 2), np.uint8))
    sure = gallery.Verdict("other", "hearts", np.float32(0.9998), 34.2, True, None)
    html = gallery.html([gallery.Card(17, "<script>", np.zeros((2, 2), np.uint8), (verdict, sure))])
    assert "<script>" not in html and "<b>model" not in html
    assert "clubs, wrong" in html and "confidence 0.731" in html and "34\u00b0" in html
    assert "confidence >0.999" in html, "a doubt is never rounded away"
    assert html.count("<img") == 2 and html.count('alt="Image 17') == 2


def test_a_model_without_rotation_states_no_angle():
    verdict = gallery.Verdict("ss-VAE", "clubs", 1.0, float("nan"), None, None)
    html = gallery.html([gallery.Card(1, "", None, (verdict,))])
    assert "\u00b0" not in html and "wrong</span>" not in html and "class unknown" in html


def test_the_legend_can_draw_every_marker():
    for symbol in (*theme.CLASS_SYMBOLS, "circle-open", "diamond-open"):
        assert symbol.removesuffix("-open") in markers.SHAPES
