from __future__ import annotations

import numpy as np

from ssrvae_core.figures.dataset import BINS, class_counts_figure, factor_histogram
from ssrvae_core.figures.turning import probability_by_angle_figure


def test_a_class_is_a_bar_of_its_parts():
    figure = class_counts_figure({"Labelled": [2, 1], "Unlabelled": [5, 6], "Validation": [3, 3]}, ("a", "b"))
    assert figure.layout.barmode == "stack"
    assert [trace.name for trace in figure.data] == ["Labelled", "Unlabelled", "Validation"]
    assert figure.data[1].x == (5, 6) and figure.data[1].y == ("a", "b")
    assert len({(trace.marker.color, trace.marker.pattern.shape) for trace in figure.data}) == 3


def test_a_histogram_shows_shares_over_common_bins():
    figure = factor_histogram(
        "Angle (degrees)", {"Labelled": np.array([1.0, 2, np.nan]), "Unlabelled": np.arange(99.0)}
    )
    assert figure.data[0].x.tolist() == figure.data[1].x.tolist() and len(figure.data[0].x) == BINS
    assert all(abs(sum(trace.y) - 1) < 1e-9 for trace in figure.data)
    assert figure.layout.xaxis.title.text == "Angle (degrees)"


def test_probability_by_angle_shades_the_angles_of_the_labelled_images():
    degrees = np.arange(-180, 181, 5)
    curves = {"ss-VAE": np.linspace(0, 1, 73), "ss-rVAE": np.ones(73)}
    figure = probability_by_angle_figure(curves, degrees, labelled_range=12)
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(-12, 12)]
    assert len({(trace.line.color, trace.line.dash) for trace in figure.data}) == 2
    assert not probability_by_angle_figure(curves, degrees).layout.shapes
