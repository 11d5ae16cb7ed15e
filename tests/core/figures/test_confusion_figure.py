from __future__ import annotations

import numpy as np

from ssrvae_core.figures import confusion_figure, confusion_figures, theme

NAMES = ("hearts", "spades", "diamonds")
COUNTS = np.array([[999, 1, 0], [250, 750, 0], [0, 0, 0]])


def _numbers(figure, matrix=0):
    return figure.data[2 * matrix + 1]


def test_rows_are_true_classes_with_the_first_on_top():
    figure = confusion_figure(COUNTS, NAMES, title="ss-rVAE")
    assert figure.layout.yaxis.range == (2.5, -0.5)
    assert figure.layout.yaxis.title.text == "True class"
    assert figure.layout.xaxis.title.text == "Predicted class"
    assert tuple(figure.layout.xaxis.ticktext) == tuple(figure.layout.yaxis.ticktext) == NAMES
    cells = {(y, x): text for x, y, text in zip(*(_numbers(figure)[k] for k in ("x", "y", "text")), strict=True)}
    assert cells[1, 0] == "250" and cells[0, 1] == "1"
    assert figure.data[0].z[1][0] == 250


def test_shares_never_round_a_few_errors_away():
    text = np.reshape(_numbers(confusion_figure(COUNTS, NAMES, normalise=True)).text, (3, 3))
    assert text[0].tolist() == [">0.99", "<0.01", "0"]
    assert text[1].tolist() == ["0.25", "0.75", "0"]
    assert text[2].tolist() == ["n/a"] * 3


def test_numbers_are_light_on_dark_cells_and_dark_on_light_ones():
    colours = np.reshape(_numbers(confusion_figure(COUNTS, NAMES, normalise=True)).textfont.color, (3, 3))
    assert colours[0, 0] == "#1A1A1A" and colours[0, 2] == "#FFFFFF"
    assert colours[2, 0] == theme.NEUTRAL


def test_a_clicked_cell_says_which_matrix_and_which_classes():
    figure = confusion_figures({"ss-VAE": COUNTS, "ss-rVAE": COUNTS.T}, NAMES)
    for matrix in (0, 1):
        numbers = _numbers(figure, matrix)
        for (index, true, predicted), x, y in zip(numbers.customdata, numbers.x, numbers.y, strict=True):
            assert (index, true, predicted) == (matrix, y, x)


def test_matrices_side_by_side_share_one_colour_scale():
    figure = confusion_figures({"ss-VAE": COUNTS, "ss-rVAE": 2 * COUNTS}, NAMES)
    assert {figure.data[0].coloraxis, figure.data[2].coloraxis} == {"coloraxis"}
    assert figure.layout.coloraxis.cmax == 1998
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert "ss-VAE" in titles[0] and "accuracy 0.875" in titles[0] and "N = 2000" in titles[0]


def test_an_empty_matrix_is_drawn():
    figure = confusion_figure(np.zeros((2, 2), int), ("a", "b"), normalise=True)
    assert "N = 0" in figure.layout.annotations[0].text


def test_figures_drawn_apart_can_share_one_colour_scale():
    figure = confusion_figure(COUNTS, NAMES, highest=4000)
    assert figure.layout.coloraxis.cmax == 4000
    assert np.reshape(_numbers(figure).textfont.color, (3, 3))[0, 0] == "#FFFFFF"
