"""Which runs make one film over the supervised ratio, and what is missing in it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ssrvae_core.config import run_config
from ssrvae_core.figures.frames import Frame, Step
from ssrvae_core.figures.stage import LOWEST, rows_within
from ssrvae_core.runs.directory import Status
from ssrvae_core.runs.store import Run
from ui import ratios
from ui.films import asked_position, look_of
from ui.reel import Reel, told_of

SOME = ((model, ratio, seed) for model in ("ss-vae", "ss-rvae") for ratio in (0.05, 0.1) for seed in (0, 1))
POINTS = tuple(SOME)


def made(model, ratio, seed=0, data=None, **settings):
    config = run_config(preset="teaching", data=data, model=model, labelled_ratio=ratio, seed=seed, settings=settings)
    status = Status(state="finished", epoch=16, class_names=("a", "b"), validation={"accuracy": 0.5, "n": 4})
    return Run(config.run_id, Path(config.run_id), config, status)


def test_both_models_at_all_ratios_and_seeds_are_one_family():
    (family,) = ratios.families([made(*point) for point in POINTS])
    assert family.models == ["ss-vae", "ss-rvae"]
    assert family.amounts == [0.05, 0.1] and family.seeds == [0, 1]
    assert len(family.runs) == 8 and not family.others


def test_runs_without_a_ratio_belong_to_none():
    config = run_config(preset="teaching", labels_per_class=4)
    assert not ratios.families([Run(config.run_id, Path(config.run_id), config, Status(state="finished"))])


def test_another_data_set_or_training_is_another_family_and_its_label_says_so():
    found = ratios.families(
        [made("ss-vae", 0.1), made("ss-vae", 0.1, **{"training.epochs": 3}), made("ss-vae", 0.1, data="digits")]
    )
    assert len(found) == 3
    labels = list(ratios.family_labels(found).values())
    assert labels == ["cards-teaching \u00b7 epochs 6", "cards-teaching \u00b7 epochs 3", "digits"]


def test_of_a_model_with_two_settings_of_its_own_the_more_frequent_stays():
    usual = [made("ss-rvae", ratio) for ratio in (0.05, 0.1)]
    (family,) = ratios.families([made("ss-rvae", 0.2, **{"model.radii": 10}), *usual])
    assert list(family.runs) == usual and family.others == 1


def test_a_missing_run_has_exactly_the_settings_of_its_models_other_runs():
    settings = {"training.epochs": 3, "model.radii": 10}
    (family,) = ratios.families([made("ss-rvae", 0.05, **settings), made("ss-vae", 0.05, **{"training.epochs": 3})])
    configs = ratios.missing(family, 0.2, seed=4)
    assert [config.run_id for config in configs] == [
        made("ss-vae", 0.2, 4, **{"training.epochs": 3}).id,
        made("ss-rvae", 0.2, 4, **settings).id,
    ]


def test_only_the_model_that_is_not_trained_there_is_missing():
    (family,) = ratios.families([made("ss-rvae", 0.05), made("ss-rvae", 0.1), made("ss-vae", 0.05)])
    assert [config.model.name for config in ratios.missing(family, 0.1, 0)] == ["ss-vae"]
    assert not ratios.missing(family, 0.05, 0)
    assert len(ratios.missing(family, 0.05, seed=1)) == 2


@pytest.mark.parametrize(("model", "other"), [("ss-vae", "ss-rvae"), ("ss-rvae", "ss-vae")])
def test_a_model_that_was_never_trained_is_the_one_of_the_same_preset(model, other):
    (family,) = ratios.families([made(model, 0.05)])
    assert [config.run_id for config in ratios.missing(family, 0.05, 0)] == [made(other, 0.05).id]


def test_an_ss_rvae_is_not_guessed_for_an_ss_vae_that_no_preset_gives():
    (family,) = ratios.families([made("ss-vae", 0.05, **{"training.epochs": 3})])
    assert not ratios.missing(family, 0.05, 0)


def test_the_button_says_what_it_trains():
    (family,) = ratios.families([made("ss-vae", 0.05)])
    assert ratios.offer(ratios.missing(family, 0.2, 0), family.axis, 0.2) == "Train ss-VAE and ss-rVAE at 20 %"


@pytest.mark.parametrize("asked", [None, "", "x", "nan", "inf", "1e999", "<script>", "0" * 5000 + "x"])
def test_an_address_without_a_number_asks_for_no_position(asked):
    assert asked_position(asked) is None


def test_a_reel_finds_a_position_and_opens_on_the_last_that_shows_a_model():
    steps = tuple({"position": p, "label": f"{p}", "told": "", "missing": p == 0.5} for p in (0.05, 0.1, 0.5))
    reel = Reel("{}", steps, 800, None, "", "")
    assert reel.index(0.1) == 1 and reel.index(0.1000000001) == 1
    assert reel.index(0.07) is None and reel.index(None) is None
    assert reel.last == 1


def test_a_phone_has_one_column_and_a_narrow_desk_smaller_panels():
    assert look_of(0, 2)["columns"] == 1
    assert look_of(720, 2)["columns"] == 2 and look_of(720, 2)["side"] < look_of(960, 2)["side"] <= 320
    assert look_of(1280, 2)["columns"] == 4 and look_of(1200, 2, 460)["columns"] == 4
    assert look_of(0, 2, 460)["columns"] == 1, "a phone scrolls in a presentation as well"


def test_a_presentation_without_room_has_panels_that_can_be_read():
    look = look_of(1280, 2, 0)
    assert look["columns"] == 4 and look["screen"] == 0
    assert min(rows_within(look["screen"], 20, 3)) >= LOWEST


def per_class(model, labels, seed=0, data=None, **settings):
    config = run_config(
        preset="teaching", data=data, model=model, labels_per_class=labels, seed=seed, settings=settings
    )
    status = Status(state="finished", epoch=16, class_names=("a", "b"), validation={"accuracy": 0.5, "n": 4})
    return Run(config.run_id, Path(config.run_id), config, status)


SWEEP = [per_class(model, labels) for model in ("ss-vae", "ss-rvae") for labels in (1, 5)]


def test_runs_with_several_numbers_of_labels_per_class_are_a_family_of_their_own():
    alone = per_class("ss-rvae", 40, data="digits")
    by_ratio, by_number = ratios.families([*[made(*point) for point in POINTS], *SWEEP, alone])
    assert (by_ratio.axis, by_ratio.amounts) == ("supervised ratio", [0.05, 0.1])
    assert (by_number.axis, by_number.amounts) == ("labels per class", [1, 5])
    assert list(by_number.runs) == SWEEP and by_ratio.id != by_number.id
    labels = ratios.family_labels([by_ratio, by_number])
    assert "supervised ratio" in labels[by_ratio.id] and "labels per class" in labels[by_number.id]
    assert alone not in ratios.swept([*SWEEP, alone])


def test_the_address_of_a_family_of_ratios_is_what_it_was():
    """Of runs made before the gauge, which is left out of an id where it is off."""
    off = {"training.gauge_weight": 0.0, "training.generative_shear": False, "training.labelled_epochs": 0}
    runs = [made(*point, **(off if point[0] == "ss-rvae" else {})) for point in POINTS]
    assert [family.id for family in ratios.families(runs)] == ["6626b239"]


def test_what_is_missing_of_a_sweep_over_labels_per_class_is_trained_with_as_many():
    (family,) = ratios.families(SWEEP)
    configs = ratios.missing(family, 20.0, seed=3)
    assert [config.run_id for config in configs] == [per_class(name, 20, 3).id for name in ("ss-vae", "ss-rvae")]
    assert ratios.offer(configs, family.axis, 20.0) == "Train ss-VAE and ss-rVAE with 20 labels per class"
    assert ratios.offer(configs, family.axis, 1.0).endswith("1 label per class")
    (lone,) = ratios.families(SWEEP[:2])
    assert [config.run_id for config in ratios.missing(lone, 5, 0)] == [per_class("ss-rvae", 5).id]


def test_more_labels_than_images_are_not_offered():
    few = {"dataset.train_per_class": 12}
    (family,) = ratios.families([per_class("ss-vae", labels, **few) for labels in (1, 5)])
    assert family.standard == [1, 2, 5, 10]


def test_the_table_says_what_its_labels_are():
    by_ratio, by_number = ratios.families([*[made(*point) for point in POINTS], *SWEEP])
    assert list(ratios.ratio_table(by_ratio, [])["labelled_ratio"]) == [0.05, 0.05, 0.1, 0.1] * 2
    assert list(ratios.ratio_table(by_number, [])["labels_per_class"]) == [1, 5] * 2


def test_a_frame_that_stays_after_the_last_epoch_says_which_it_is():
    def frame(position):
        nothing, rows = np.zeros((2, 2), np.float32), np.zeros(2, int)
        return Frame(position, f"{position:g}", np.arange(2), nothing, rows, rows, np.array([[1, 0], [0, 1]]))

    step = Step(8.0, "8", (frame(8.0), frame(8.0)))
    told = told_of(step, ["ss-VAE", "ss-rVAE"], "Epoch 8", ends=(3, 8))
    assert re.search("ss-VAE [^,]* after its last epoch [(]3[)], ss-rVAE [^,]*[.]$", told)
    assert "last epoch" not in told_of(step, ["ss-VAE", "ss-rVAE"], "Epoch 8", ends=(8, 8))
