"""The picture that stands in for a scatter while the browser loads Plotly."""

from __future__ import annotations

import re
from base64 import b64decode
from xml.etree import ElementTree

import numpy as np
import pytest

from ssrvae_core.figures import Panel, latent_scatter
from ssrvae_core.records import Predictions
from ui import charts, preview

SVG = "{http://www.w3.org/2000/svg}"
N = 6000
"""More points than a picture draws."""


def predictions(n=N, latents=2):
    z = np.random.default_rng(0).normal(size=(n, latents)).astype(np.float32)
    labels = np.arange(n) % 3
    return Predictions(
        ids=np.arange(n),
        labels=labels,
        class_prob=np.eye(3, dtype=np.float32)[labels],
        z_mean=z,
        z_sd=np.ones_like(z),
        angle=np.zeros(n, np.float32),
        concentration=np.ones(n, np.float32),
        log_likelihood=np.zeros(n, np.float32),
    )


def panel(said, title="ss-rVAE"):
    figure = latent_scatter([Panel(title, said)], ["a", "b", "c"])
    charts.make_panel(figure)
    return figure


def pictures(figure):
    """The plane and the title, as the browser will read them."""
    style = preview.style(figure, "left", 420)
    return [ElementTree.fromstring(b64decode(found)) for found in re.findall(r"base64,([^)]+)\)", style)]


def test_every_class_has_its_colour_and_its_points_where_the_axes_have_them():
    said = predictions(30)
    plane, _ = pictures(panel(said))
    assert [path.get("fill") for path in plane.iter(f"{SVG}path")] == ["#0072B2", "#E69F00", "#009E73"]
    corners = [np.array(line.get("points").split(), float).reshape(-1, 2) for line in plane.iter(f"{SVG}polyline")]
    assert [len(of_class) for of_class in corners] == [10, 10, 10]
    half = 0.53 * np.ptp(said.z_mean, axis=0).max()
    low = (said.z_mean.max(0) + said.z_mean.min(0)) / 2 - half
    share = (said.z_mean[said.labels == 0] - low) / (2 * half)
    assert corners[0] == pytest.approx(1000 * np.column_stack([share[:, 0], 1 - share[:, 1]]), abs=1)


def test_a_picture_of_many_points_stays_small():
    assert len(preview.style(panel(predictions()), "left", 420)) < 60_000


def test_the_title_is_in_it_whatever_is_in_a_name():
    _, title = pictures(panel(predictions(30), "A &lt; B &amp; <i>C</i>"))
    assert [text.text for text in title] == ["A < B & C", "accuracy 1.000, N = 30"]


def test_where_there_is_no_picture_the_place_is_kept():
    by_value = latent_scatter([Panel("ss-rVAE", predictions(30))], ["a", "b", "c"], colour_by="confidence")
    charts.make_panel(by_value)
    for figure in (panel(predictions(30, latents=1)), by_value):
        assert pictures(figure) == []
        assert "min-height: 420px" in preview.style(figure, "left", 420)
