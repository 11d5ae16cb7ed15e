"""What the comparison says of runs: what differs, what is best, and what is not to be compared."""

from __future__ import annotations

import pytest

from ssrvae_core.reports.settings import UNUSED
from tests.ui.test_ratios import made
from ui import compare, forms

IDS = [f"{i:012x}" for i in range(9)]


def test_only_settings_that_differ_are_tabulated_and_a_switch_shows_all():
    runs = [made("ss-rvae", 0.05), made("ss-rvae", 0.1, 1)]
    table = compare.settings_table(runs, ["left", "right"], everything=False)
    assert set(table["setting"]) == {"seed", "split.seed", "split.labelled_ratio"}
    assert len(compare.settings_table(runs, ["left", "right"], everything=True)) > 30


def test_a_setting_that_one_model_has_no_use_for_is_no_difference():
    table = compare.settings_table([made("ss-rvae", 0.05), made("ss-vae", 0.05)], ["left", "right"], everything=False)
    assert list(table["setting"]) == ["model.rotation"]
    everything = compare.settings_table([made("ss-vae", 0.05)], ["one"], everything=True).set_index("setting")
    assert everything.loc["model.radii", "one"] == UNUSED


def test_the_best_of_a_row_is_marked_whichever_way_is_better():
    assert compare.Score("accuracy", (0.5, 0.9, None, 0.9), True, ".3f").best() == {1, 3}
    assert compare.Score("nll", (0.5, 0.9), False, ".3f").best() == {0}
    assert compare.Score("images", (5, 9), None, ".0f").best() == set()
    assert compare.Score("accuracy", (0.5, 0.5), True, ".3f").best() == set()
    assert compare.Score("accuracy", (0.5, None), True, ".3f").best() == set()


def test_a_few_errors_are_never_rounded_away():
    assert compare.Score("accuracy", (0.9999, 1.0), True, "share").text(0) == ">0.999"


@pytest.mark.parametrize(
    ("asked", "shown", "refused"),
    [
        (None, IDS[:2], []),
        (",".join(IDS[3:6]), IDS[3:6], []),
        (",".join(IDS), IDS[:6], IDS[6:]),
        (f"{IDS[3]},{IDS[3]},{IDS[4]}", IDS[3:5], []),
        (f"{IDS[3]},<script>,{IDS[4]}", IDS[3:5], ["<script>"]),
        ("../../etc/passwd", IDS[:2], ["../../etc/passwd"]),
        ("", IDS[:2], [""]),
    ],
)
def test_an_address_shows_what_there_is_of_it(asked, shown, refused):
    assert compare.chosen(asked, IDS, IDS[:2]) == (shown, refused)


def test_runs_on_other_images_are_told():
    runs = [made("ss-rvae", 0.05), made("ss-vae", 0.1, 3), made("ss-vae", 0.05, data="digits")]
    assert compare.judged_apart(runs) == [runs[2]]


def test_no_star_stands_where_the_images_are_not_the_same():
    rows = [compare.Score("Accuracy", (0.5, 0.9), True, "share")]
    assert 'class="number best"' in compare.scores_html(rows, ["a", "b"])
    assert 'class="number best"' not in compare.scores_html(rows, ["a", "b"], comparable=False)
    table = compare.settings_table([made("ss-rvae", 0.05), made("ss-rvae", 0.1)], ["a", "b"], everything=False)
    assert "0.900 *" in compare.page("", rows, ["a", "b"], table, {})
    assert "0.900 *" not in compare.page("", rows, ["a", "b"], table, {}, comparable=False)


def test_every_setting_reads_in_words():
    table = compare.settings_table([made("ss-vae", 0.05)], ["one"], everything=True)
    labels = [forms.label_of(name) for name in table["setting"]]
    assert not [label for label in labels if "." in label or "_" in label]
    assert len(set(labels)) == len(labels)
    assert ">File<" in compare.settings_html(table) and ">dataset.path<" not in compare.settings_html(table)


def test_names_of_runs_and_settings_are_escaped():
    table = compare.settings_table([made("ss-rvae", 0.05), made("ss-rvae", 0.1)], ["<b>", "x"], everything=False)
    assert "<b>" not in compare.settings_html(table)


def test_accuracies_are_drawn_from_nothing_to_all():
    lines = [{"epoch": 1, "validation_accuracy": 0.98, "elbo_unlabelled": -5.0, "elbo_labelled": -5.0}]
    assert tuple(compare.curves_figure({"ss-rVAE": lines}, "accuracy").layout.yaxis.range) == (0, 1.03)
    assert compare.curves_figure({"ss-rVAE": lines}, "loss").layout.yaxis.range is None
