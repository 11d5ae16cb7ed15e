"""A model has one colour and one shape in every figure, whatever stands beside it and in whatever order."""

from __future__ import annotations

import itertools

import numpy as np
import plotly.graph_objects as go
import pytest

from ssrvae_core.figures import accuracy_by_angle_figure
from ssrvae_core.figures.curves import training_curves
from ssrvae_core.figures.film import film
from ssrvae_core.figures.frames import Curve, Frame, Track
from ssrvae_core.figures.looks import MODEL_TITLES, look, looks
from ssrvae_core.figures.turning import probability_by_angle_figure
from ssrvae_core.registry import RIVALS as METHODS
from ssrvae_core.reports.reliability import reliability_figure

OURS, RIVALS = list(MODEL_TITLES.values()), [spec.title for spec in METHODS.values()]
LINES = [{"epoch": e, "elbo_unlabelled": -300.0 + e, "validation_accuracy": 0.5} for e in (1, 2)]
BINS = [{"low_deg": 0, "high_deg": 15, "n": 40, "accuracy": 0.95}]
POINTS = np.array([[0.5, 0.5, 3.0], [0.9, 0.8, 4.0]])
DEGREES = np.arange(-180.0, 181, 90)


def a_film(names):
    eye = np.eye(2, dtype=np.float32)
    frames = [
        Frame(p, f"{p:g}", np.arange(2), eye, np.arange(2), np.arange(2), np.eye(2, dtype=int)) for p in (1.0, 2.0)
    ]
    curves = [Curve(name, np.array([1.0, 2.0]), np.array([0.5, 0.6])) for name in names]
    return film([Track(name, tuple(frames)) for name in names], ["a", "b"], axis="epoch", curves=curves)


FIGURES = {
    "curves": lambda names: training_curves(dict.fromkeys(names, LINES)),
    "angle": lambda names: accuracy_by_angle_figure(dict.fromkeys(names, BINS)),
    "turning": lambda names: probability_by_angle_figure(dict.fromkeys(names, DEGREES / 400 + 0.5), DEGREES),
    "calibration": lambda names: reliability_figure(dict.fromkeys(names, POINTS)),
    "film": a_film,
}


def drawn(figure: go.Figure, names):
    """The colour, and the shape where there is one, of the line of each name."""
    return {
        trace.name: (trace.line.color, trace.marker.symbol)
        for trace in figure.data
        if trace.name in names and "lines" in (trace.mode or "")
    }


@pytest.mark.parametrize("kind", FIGURES)
def test_a_model_looks_the_same_alone_beside_others_and_in_any_order(kind):
    for names in itertools.permutations([*OURS, "Random forest"], 3):
        for name, (colour, symbol) in drawn(FIGURES[kind](names), names).items():
            assert colour == look(name).colour
            assert symbol in (look(name).symbol, None)


def test_all_figures_agree():
    for name in OURS:
        assert len({drawn(make([name]), [name])[name][0] for make in FIGURES.values()}) == 1


def test_no_two_models_or_methods_look_alike():
    assert len({(one.colour, one.symbol) for one in looks([*OURS, *RIVALS])}) == len([*OURS, *RIVALS])
    assert len({one.dash for one in looks(OURS)}) == len(OURS)


def test_runs_of_one_model_have_its_shape_and_differ_in_shade_or_dashes_whatever_their_order():
    names = [f"ss-rVAE, 5 % labelled, seed {seed}" for seed in range(6)]
    found = dict(zip(names, looks(names), strict=True))
    assert {one.symbol for one in found.values()} == {look("ss-rVAE").symbol}
    assert len({(one.colour, one.run_dash) for one in found.values()}) == 6
    assert dict(zip(names[::-1], looks(names[::-1]), strict=True)) == found
    assert found[names[0]].colour == look("ss-rVAE").colour


def test_a_title_that_says_more_than_the_model_has_the_model_s_look():
    assert look("ss-rVAE, run 0123456789ab") == look("ss-rVAE")
    assert look("ss-rVAE (paper), all labels") == look("ss-rVAE (paper)") != look("ss-rVAE")
    assert look("CNN with FixMatch, seed 1") == look("CNN with FixMatch") != look("CNN")


def test_names_that_are_no_model_s_differ_from_each_other():
    one, two = looks(["first", "second"])
    assert (one.colour, one.symbol) != (two.colour, two.symbol)
