from __future__ import annotations

import numpy as np
import pytest

from ssrvae_core.figures import confusion_figure, confusion_figures, theme
from ssrvae_core.figures.confusion import judged_in_words

NAMES = ("hearts", "spades", "diamonds")
COUNTS = np.array([[999, 1, 0], [250, 750, 0], [0, 0, 0]])


def _numbers(figure, matrix=0):
    """Text and customdata of the cells, by (true, predicted)."""
    return {
        (int(y), int(x)): (text, tuple(map(int, cell)))
        for trace in figure.data
        if trace.type == "scatter" and trace.customdata is not None
        for x, y, text, cell in zip(trace.x, trace.y, trace.text, trace.customdata, strict=True)
        if cell[0] == matrix
    }


def _matrices(figure):
    return [trace for trace in figure.data if trace.type == "heatmap"]


def test_rows_are_true_classes_with_the_first_on_top():
    figure = confusion_figure(COUNTS, NAMES, title="ss-rVAE")
    assert figure.layout.yaxis.range == (2.5, -0.5)
    assert figure.layout.yaxis.title.text == "True class"
    assert figure.layout.xaxis.title.text == "Predicted class"
    assert tuple(figure.layout.xaxis.ticktext) == tuple(figure.layout.yaxis.ticktext) == NAMES
    cells = _numbers(figure)
    assert len(cells) == 9 and cells[1, 0][0] == "250" and cells[0, 1][0] == "1"


def test_shares_never_round_a_few_errors_away_and_have_their_counts_at_hand():
    cells = _numbers(confusion_figure(COUNTS, NAMES, normalise=True))
    shown = [[cells[row, column][0].partition("<br>")[0] for column in range(3)] for row in range(3)]
    assert shown == [["99.9 %", "<1 %", "0 %"], ["25 %", "75 %", "0 %"], ["n/a"] * 3]
    assert ">250<" in cells[1, 0][0] and "<br>" not in cells[0, 2][0]


def test_a_tint_is_as_strong_as_the_share_and_tells_right_from_wrong():
    tints = np.array(confusion_figure(COUNTS, NAMES).data[0].z)
    np.testing.assert_allclose(tints[:2], [[0.999, -0.001, 0], [-0.25, 0.75, 0]])
    assert np.isnan(tints[2]).all()
    assert np.array_equal(tints, confusion_figure(7 * COUNTS, NAMES).data[0].z, equal_nan=True)
    right, wrong = theme.cell_rgba(1, right=True), theme.cell_rgba(1, right=False)
    assert right[2] > right[0] and wrong[0] > wrong[2]  # blue and orange
    assert theme.cell_rgba(0, right=False)[3] == theme.cell_rgba(float("nan"), right=True)[3] == 0


@pytest.mark.parametrize(("page", "text"), [((255, 255, 255), (49, 51, 63)), ((14, 17, 23), (250, 250, 250))])
@pytest.mark.parametrize("right", [True, False])
def test_numbers_stand_out_on_every_tint_on_a_light_and_a_dark_page(page, text, right):
    for share in (0.01, 0.5, 1):
        *colour, alpha = theme.cell_rgba(share, right=right)
        cell = [alpha / 255 * c + (1 - alpha / 255) * p for c, p in zip(colour, page, strict=True)]
        assert _contrast(cell, text) >= 4.5


def _contrast(one, other):
    def luminance(colour):
        linear = [c / 255 / 12.92 if c <= 10.3 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_title_says_balanced_accuracy_where_classes_are_unequal():
    unequal = np.array([[90, 0], [5, 5]])
    assert judged_in_words(unequal) == "balanced accuracy 75 %, accuracy 95 %, N = 100"
    assert judged_in_words(np.array([[9, 1], [5, 5]])) == "accuracy 70 %, N = 20"
    assert judged_in_words(np.zeros((2, 2), int)) == "N = 0"


def test_each_accuracy_in_a_title_has_a_line_of_its_own_so_that_a_narrow_chart_cuts_none():
    figure = confusion_figure(np.array([[90, 0], [5, 5]]), ["cube", "sphere"], title="ss-rVAE")
    (title,) = [note.text for note in figure.layout.annotations if "ss-rVAE" in note.text]
    assert not any("balanced" in line and "N = " in line for line in title.split("<br>"))


def test_a_click_changes_nothing_and_the_frame_lies_around_its_cell():
    figure = confusion_figure(COUNTS, NAMES, framed=(0, 2), ink="#101114")
    assert len(_numbers(figure)) == 9
    numbers = figure.data[1]
    assert numbers.selected.textfont.color == numbers.textfont.color  # else plotly fades those that are not
    assert (numbers.selected.marker.opacity, numbers.unselected.marker.opacity) == (0, 0)
    assert 1.5 < min(figure.data[-1].x) < max(figure.data[-1].x) < 2.5
    assert -0.5 < min(figure.data[-1].y) < max(figure.data[-1].y) < 0.5


def test_a_clicked_cell_says_which_matrix_and_which_classes():
    figure = confusion_figures({"ss-VAE": COUNTS, "ss-rVAE": COUNTS.T}, NAMES)
    for matrix in (0, 1):
        for (true, predicted), (_, cell) in _numbers(figure, matrix).items():
            assert cell == (matrix, true, predicted)


def test_matrices_side_by_side_share_one_colour_scale():
    figure = confusion_figures({"ss-VAE": COUNTS, "ss-rVAE": 2 * COUNTS}, NAMES)
    assert [matrix.coloraxis for matrix in _matrices(figure)] == ["coloraxis"] * 2
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert "ss-VAE" in titles[0] and "accuracy 87 %" in titles[0] and "N = 2,000" in titles[0]


def test_an_empty_matrix_is_drawn():
    figure = confusion_figure(np.zeros((2, 2), int), ("a", "b"), normalise=True)
    assert "N = 0" in figure.layout.annotations[0].text
