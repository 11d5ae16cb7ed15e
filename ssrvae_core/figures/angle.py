"""Accuracy against the angle an image is turned by: what invariance is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from ssrvae_core.figures import theme
from ssrvae_core.figures.looks import looks
from ssrvae_core.shares import share


def accuracy_by_angle_figure(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], *, chance: float | None = None
) -> go.Figure:
    """Draw one line per model over the absolute true angle.

    Parameters
    ----------
    curves : mapping of str to sequence of mapping
        Title and bins of each model, as :func:`ssrvae_core.evaluation.metrics.accuracy_by_angle` gives them:
        ``low_deg``, ``high_deg``, ``n`` and ``accuracy``, which is None in an empty bin.
    chance : float, optional
        Accuracy of guessing, drawn as a thin line.

    Returns
    -------
    go.Figure
        A point in the middle of every bin that holds an image.
    """
    figure = go.Figure()
    for look, (title, bins) in zip(looks(list(curves)), curves.items(), strict=True):
        figure.add_trace(
            go.Scatter(
                x=[(b["low_deg"] + b["high_deg"]) / 2 for b in bins],
                y=[b["accuracy"] for b in bins],
                name=title,
                mode="lines+markers",
                line={"dash": look.dash, "color": look.colour, "width": 2},
                marker={"symbol": look.symbol, "size": 8},
                text=[f"{b['low_deg']} to {b['high_deg']} degrees, {b['n']:,} images" for b in bins],
                customdata=["" if b["accuracy"] is None else share(b["accuracy"]) for b in bins],
                hovertemplate=f"{title}<br>%{{text}}<br>accuracy %{{customdata}}<extra></extra>",
            )
        )
    if chance is not None:
        figure.add_hline(
            y=chance,
            line={"dash": "dot", "width": 1, "color": theme.NEUTRAL},
            annotation={"text": "chance", "font": {"color": theme.NEUTRAL}, "xanchor": "right"},
            annotation_position="top right",
        )
    last = max((b["high_deg"] for bins in curves.values() for b in bins), default=180)
    figure.update_layout(
        template=theme.template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"title": {"text": "Absolute rotation angle (degrees)"}, "range": [0, last], "dtick": 30},
        yaxis={"title": {"text": "Accuracy"}, "range": [0, 1.03]},
    )
    return figure
