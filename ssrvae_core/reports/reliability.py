"""Calibration: whether a model is right as often as it says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from ssrvae_core.evaluation.metrics import CALIBRATION_BINS
from ssrvae_core.figures import theme
from ssrvae_core.figures.looks import looks
from ssrvae_core.records import Predictions
from ssrvae_core.shares import share


def reliability(predictions: Predictions) -> np.ndarray:
    """Return mean confidence, accuracy and number of images of every bin that holds a labelled image.

    The bins are those of :func:`ssrvae_core.evaluation.metrics.expected_calibration_error`.

    Returns
    -------
    float array (B, 3)
        From the least confident bin to the most confident one; B = 0 where no image has a label.
    """
    known = predictions.labels >= 0
    confidence = predictions.confidence[known].astype(np.float64)
    right = (predictions.predicted == predictions.labels)[known]
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    n = np.bincount(bins, minlength=CALIBRATION_BINS)
    sums = [np.bincount(bins, weights=values, minlength=CALIBRATION_BINS) for values in (confidence, right)]
    return np.stack([*(each[n > 0] / n[n > 0] for each in sums), n[n > 0]], axis=1)


def reliability_figure(curves: Mapping[str, np.ndarray]) -> go.Figure:
    """Draw accuracy against confidence, a line per model; on the diagonal a model is right as often as it says.

    Parameters
    ----------
    curves : mapping of str to float array (B, 3)
        Title and bins of each model, as :func:`reliability` gives them.
    """
    diagonal = {"dash": "dot", "width": 1, "color": theme.NEUTRAL}
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=diagonal, showlegend=False, hoverinfo="skip"))
    for look, (title, bins) in zip(looks(list(curves)), curves.items(), strict=True):
        figure.add_trace(
            go.Scatter(
                x=bins[:, 0],
                y=bins[:, 1],
                name=title,
                mode="lines+markers",
                line={"dash": look.dash, "color": look.colour},
                marker={"symbol": look.symbol, "size": 8},
                cliponaxis=False,
                customdata=[(share(sure), share(right), f"{n:,.0f}") for sure, right, n in bins.tolist()],
                hovertemplate=(
                    f"{title}<br>confidence %{{customdata[0]}}, accuracy %{{customdata[1]}}"
                    "<br>%{customdata[2]} images<extra></extra>"
                ),
            )
        )
    figure.update_layout(
        template=theme.template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"title": {"text": "Confidence"}, "range": [0, 1.02], "constrain": "domain"},
        yaxis={"title": {"text": "Accuracy"}, "range": [0, 1.03]},
    )
    return figure
