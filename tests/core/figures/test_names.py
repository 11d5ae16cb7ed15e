from __future__ import annotations

import numpy as np

from ssrvae_core.figures import confusion_figure
from ssrvae_core.figures.names import BESIDE_CELLS, LONGEST, short_names

LONG = ("x" * 110, "hearts")


def test_short_names_stay_and_long_ones_are_cut_at_their_end():
    assert short_names(("hearts", "Staphylococcus aureus")) == ("hearts", "Staphylococcus au\u2026")


def test_names_that_begin_alike_stay_different():
    assert short_names(("particles of kind 1", "particles of kind 2")) == (
        "particles\u2026 kind 1",
        "particles\u2026 kind 2",
    )
    alike = [f"{'a' * 40}{middle}{'b' * 40}" for middle in "xyz"]
    assert short_names(alike) == tuple(f"{n} {'a' * 17}\u2026" for n in (1, 2, 3))


def test_an_escaped_character_is_one_and_is_never_cut():
    assert short_names(("&lt;" * LONGEST,)) == ("&lt;" * LONGEST,)
    assert short_names(("&lt;" * 30,)) == ("&lt;" * 17 + "\u2026",)


def test_a_figure_shows_short_names_and_says_whole_ones_on_hovering():
    confusion = confusion_figure(np.eye(2, dtype=int), LONG)
    assert max(map(len, confusion.layout.xaxis.ticktext)) == BESIDE_CELLS
    assert LONG[0] in confusion.data[1].hovertext[0]
