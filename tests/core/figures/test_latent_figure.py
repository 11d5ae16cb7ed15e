from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.figures import Panel, colourings, latent_scatter, theme

NAMES = ("hearts", "spades", "diamonds")


@pytest.fixture
def panels(make_predictions):
    return [
        Panel("ss-VAE", make_predictions(first_id=500, rotation=False)),
        Panel("ss-rVAE", make_predictions(15, first_id=900)),
    ]


def _points(figure):
    """Return the traces that hold samples."""
    return [trace for trace in figure.data if trace.customdata is not None]


def _legend(figure):
    return [trace.name for trace in figure.data if trace.showlegend is not False]


def test_every_point_carries_its_own_sample_id(panels):
    figure = latent_scatter(panels, NAMES)
    seen = {}
    for trace in _points(figure):
        for sample, x, y in zip(trace.customdata, trace.x, trace.y, strict=True):
            seen[int(sample)] = (x, y)
    for panel in panels:
        p = panel.predictions
        for sample, z in zip(p.ids, p.z_mean, strict=True):
            assert seen.pop(int(sample)) == tuple(z)
    assert not seen


def test_an_id_that_a_browser_would_round_is_told_as_text(panels):
    p = panels[0].predictions
    huge = replace(p, ids=p.ids + 2**60)
    figure = latent_scatter([Panel("ss-VAE", huge)], NAMES)
    # A browser reads every number of JSON as a double.
    sent = json.loads(figure.to_json(), parse_int=float)["data"]
    said = {one for trace in sent if "customdata" in trace for one in trace["customdata"]}
    assert said == {str(one) for one in huge.ids}


@pytest.mark.parametrize("colour_by", ["class", "predicted", "correct", "confidence", "angle"])
def test_two_panels_share_one_legend_that_names_each_class_once(panels, colour_by):
    legend = _legend(latent_scatter(panels, NAMES, colour_by=colour_by))
    assert len(legend) == len(set(legend))
    groups = {trace.legendgroup for trace in _points(latent_scatter(panels, NAMES, colour_by=colour_by))}
    assert groups == set(legend)


def test_a_class_has_one_colour_and_one_shape_in_all_panels(panels):
    for trace in _points(latent_scatter(panels, NAMES)):
        if trace.name in NAMES:
            index = NAMES.index(trace.name)
            assert trace.marker.color == theme.class_colour(index)
            assert trace.marker.symbol == theme.class_symbol(index)


def test_colouring_by_prediction_and_by_correctness_groups_the_points(panels):
    predicted = {t.name: t.customdata for t in _points(latent_scatter(panels[:1], NAMES, colour_by="predicted"))}
    assert 500 in predicted["spades"] and 500 not in predicted["hearts"]
    correct = {t.name: list(t.customdata) for t in _points(latent_scatter(panels[:1], NAMES, colour_by="correct"))}
    assert correct["Wrong"] == [500]
    assert correct["Unlabelled"] == [511]
    assert len(correct["Correct"]) == 10


def test_angles_are_coloured_in_degrees_on_a_circle_of_colours(panels):
    figure = latent_scatter(panels[1:], NAMES, colour_by="angle")
    axis = figure.layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-180, 180)
    assert axis.colorscale[0][1] == axis.colorscale[-1][1]
    p = panels[1].predictions
    for trace in _points(figure):
        np.testing.assert_allclose(trace.marker.color, np.degrees(p.angle[np.isin(p.ids, trace.customdata)]))


def test_points_without_a_value_stay_in_sight(panels):
    names = {trace.name for trace in _points(latent_scatter(panels[:1], NAMES, colour_by="angle"))}
    assert names == {"No angle"}


def test_every_offered_colouring_can_be_drawn(panels):
    offered = colourings(panels)
    assert {"class", "angle", "true angle", "log-likelihood", "scale"} <= set(offered)
    assert "shift_x" not in offered  # it is the same for all images
    for colour_by in offered:
        assert len(_points(latent_scatter(panels, NAMES, colour_by=colour_by))) >= 2
    assert "angle" not in colourings(panels[:1])


def test_panels_are_square_and_hold_all_their_points(panels):
    figure = latent_scatter(panels, NAMES)
    for panel, x_axis, y_axis in zip(
        panels,
        (figure.layout.xaxis, figure.layout.xaxis2),
        (figure.layout.yaxis, figure.layout.yaxis2),
        strict=True,
    ):
        assert np.ptp(x_axis.range) == pytest.approx(np.ptp(y_axis.range))
        low, high = panel.predictions.z_mean.min(axis=0), panel.predictions.z_mean.max(axis=0)
        assert x_axis.range[0] < low[0] and high[0] < x_axis.range[1]
        assert y_axis.range[0] < low[1] and high[1] < y_axis.range[1]
    assert figure.layout.yaxis2.scaleanchor == "x2"


def test_panel_titles_say_accuracy_and_number(panels):
    title = latent_scatter(panels, NAMES).layout.annotations[0].text
    assert "ss-VAE" in title and "accuracy 91 %" in title and "N = 11 of 12" in title


def test_many_points_are_drawn_by_webgl(make_predictions):
    kinds = {
        n: {trace.type for trace in _points(latent_scatter([Panel("a", make_predictions(n))], NAMES))}
        for n in (1000, 1001)
    }
    assert kinds == {1000: {"scatter"}, 1001: {"scattergl"}}


def test_any_two_of_many_latents_can_be_shown(make_predictions):
    panel = Panel("a", make_predictions(dims=4))
    figure = latent_scatter([panel], NAMES, x_dim=3, y_dim=1)
    assert figure.layout.xaxis.title.text == "z4" and figure.layout.yaxis.title.text == "z2"
    assert figure.layout.uirevision != latent_scatter([panel], NAMES).layout.uirevision
    with pytest.raises(UserError, match="choose from 1 to 4"):
        latent_scatter([panel], NAMES, x_dim=4)


def test_a_single_latent_is_shown_against_its_uncertainty(make_predictions):
    figure = latent_scatter([Panel("a", make_predictions(dims=1))], NAMES)
    assert figure.layout.yaxis.title.text == "Standard deviation of z1"


def test_an_unknown_colouring_is_refused_with_the_known_ones(panels):
    with pytest.raises(UserError, match=r"'colour'; choose one of class, predicted"):
        latent_scatter(panels, NAMES, colour_by="colour")


def test_figures_are_importable_without_torch_and_streamlit():
    code = "import sys, ssrvae_core.figures; sys.exit(bool({'torch', 'streamlit', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_outlier_score_is_a_colour_on_one_scale_for_both_panels(panels):
    assert "outlier score" in colourings(panels)
    figure = latent_scatter(panels, NAMES, colour_by="outlier score")
    values = np.concatenate([trace.marker.color for trace in _points(figure)])
    assert len(values) == sum(len(panel.predictions) for panel in panels) and np.isfinite(values).all()
    assert figure.layout.coloraxis.cmin < 0 < figure.layout.coloraxis.cmax


@pytest.mark.parametrize("colour_by", ["class", "predicted", "correct", "confidence"])
def test_only_the_classes_asked_for_are_drawn_and_the_axes_stay(panels, colour_by):
    whole = latent_scatter(panels, NAMES, colour_by=colour_by)
    some = latent_scatter(panels, NAMES, colour_by=colour_by, classes=[0, -1])
    drawn = np.concatenate([trace.customdata for trace in _points(some)])
    classes = [
        panel.predictions.predicted if colour_by == "predicted" else panel.predictions.labels for panel in panels
    ]
    ids = np.concatenate([panel.predictions.ids for panel in panels])
    assert set(drawn) == set(ids[np.isin(np.concatenate(classes), [0, -1])])
    assert some.layout.xaxis.range == whole.layout.xaxis.range
