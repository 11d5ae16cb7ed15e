from __future__ import annotations

from ssrvae_core.figures import accuracy_by_angle_figure

BINS = [
    {"low_deg": 0, "high_deg": 15, "n": 40, "accuracy": 0.95},
    {"low_deg": 15, "high_deg": 30, "n": 0, "accuracy": None},
    {"low_deg": 30, "high_deg": 45, "n": 10, "accuracy": 0.5},
]


def test_a_model_is_a_line_through_the_middle_of_its_bins():
    line = accuracy_by_angle_figure({"ss-VAE": BINS}).data[0]
    assert line.name == "ss-VAE"
    assert line.x == (7.5, 22.5, 37.5)
    assert line.y == (0.95, None, 0.5)
    assert "30 to 45 degrees, 10 images" in line.text[2]


def test_two_models_differ_in_colour_dash_and_shape():
    lines = accuracy_by_angle_figure({"ss-VAE": BINS, "ss-rVAE": BINS}).data
    assert len({(line.line.color, line.line.dash, line.marker.symbol) for line in lines}) == 2
    assert lines[0].line.dash != lines[1].line.dash


def test_chance_is_marked_and_the_axes_are_fixed():
    figure = accuracy_by_angle_figure({"ss-VAE": BINS}, chance=0.25)
    assert figure.layout.shapes[0].y0 == 0.25
    assert figure.layout.xaxis.range == (0, 45)
    assert figure.layout.yaxis.range[0] == 0 and figure.layout.yaxis.range[1] > 1


def test_no_accuracy_under_the_pointer_rounds_a_few_errors_away():
    bins = [BINS[0] | {"accuracy": 0.9998}, BINS[1], BINS[2] | {"accuracy": 1.0}]
    assert accuracy_by_angle_figure({"ss-VAE": bins}).data[0].customdata == (">0.999", "", "1.000")
