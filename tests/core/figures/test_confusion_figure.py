from __future__ import annotations

import numpy as np

from ssrvae_core.figures import confusion_figure, confusion_figures, theme

NAMES = ("hearts", "spades", "diamonds")
COUNTS = np.array([[999, 1, 0], [250, 750, 0], [0, 0, 0]])


def _numbers(figure, matrix=0):
    """Text, colour and customdata of the cells, by (true, predicted)."""
    return {
        (int(y), int(x)): (text, trace.textfont.color, tuple(map(int, cell)))
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
    assert figure.data[0].z[1][0] == 250


def test_shares_never_round_a_few_errors_away():
    cells = _numbers(confusion_figure(COUNTS, NAMES, normalise=True))
    shown = [[cells[row, column][0] for column in range(3)] for row in range(3)]
    assert shown == [[">0.99", "<0.01", "0"], ["0.25", "0.75", "0"], ["n/a"] * 3]


def test_numbers_are_light_on_dark_cells_and_dark_on_light_ones():
    cells = _numbers(confusion_figure(COUNTS, NAMES, normalise=True))
    assert cells[0, 0][1] == "#1A1A1A" and cells[0, 2][1] == "#FFFFFF"
    assert cells[2, 0][1] == theme.NEUTRAL


def test_a_click_changes_nothing_and_the_frame_lies_around_its_cell():
    figure = confusion_figure(COUNTS, NAMES, framed=(0, 2))
    assert len(_numbers(figure)) == 9
    for trace in figure.data[1:-2]:
        assert trace.selected.textfont.color == trace.textfont.color  # else plotly fades those that are not
        assert (trace.selected.marker.opacity, trace.unselected.marker.opacity) == (0, 0)
    assert 1.5 < min(figure.data[-1].x) < max(figure.data[-1].x) < 2.5
    assert -0.5 < min(figure.data[-1].y) < max(figure.data[-1].y) < 0.5


def test_a_clicked_cell_says_which_matrix_and_which_classes():
    figure = confusion_figures({"ss-VAE": COUNTS, "ss-rVAE": COUNTS.T}, NAMES)
    for matrix in (0, 1):
        for (true, predicted), (_, _, cell) in _numbers(figure, matrix).items():
            assert cell == (matrix, true, predicted)


def test_matrices_side_by_side_share_one_colour_scale():
    figure = confusion_figures({"ss-VAE": COUNTS, "ss-rVAE": 2 * COUNTS}, NAMES)
    assert [matrix.coloraxis for matrix in _matrices(figure)] == ["coloraxis"] * 2
    assert figure.layout.coloraxis.cmax == 1998
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert "ss-VAE" in titles[0] and "accuracy 0.875" in titles[0] and "N = 2000" in titles[0]


def test_an_empty_matrix_is_drawn():
    figure = confusion_figure(np.zeros((2, 2), int), ("a", "b"), normalise=True)
    assert "N = 0" in figure.layout.annotations[0].text


def test_figures_drawn_apart_can_share_one_colour_scale():
    figure = confusion_figure(COUNTS, NAMES, highest=4000)
    assert figure.layout.coloraxis.cmax == 4000
    assert _numbers(figure)[0, 0][1] == "#FFFFFF"
