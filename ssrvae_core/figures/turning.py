"""Probability of the true class of one image against the angle it is turned by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from ssrvae_core.figures import theme
from ssrvae_core.figures.looks import looks
from ssrvae_core.shares import share


def probability_by_angle_figure(
    curves: Mapping[str, np.ndarray], degrees: np.ndarray, *, labelled_range: float | None = None
) -> go.Figure:
    """Draw one line per model over the angle one image is turned by.

    Parameters
    ----------
    curves : mapping of str to array (T,)
        Probability of the image's true class at each angle, by the model's title.
    degrees : array (T,)
        The angles, ascending.
    labelled_range : float, optional
        Half-range of the angles labelled images have, degrees: shaded.

    Returns
    -------
    go.Figure
        Fixed axes: every probability from 0 to 1.
    """
    figure = go.Figure()
    for look, (title, values) in zip(looks(list(curves)), curves.items(), strict=True):
        figure.add_trace(
            go.Scatter(
                x=degrees,
                y=values,
                name=title,
                mode="lines",
                line={"dash": look.dash, "color": look.colour, "width": 2},
                customdata=[share(float(value)) for value in values],
                hovertemplate=f"{title}<br>turned by %{{x}}\u00b0<br>probability %{{customdata}}<extra></extra>",
            )
        )
    if labelled_range is not None:
        figure.add_vrect(
            x0=-labelled_range,
            x1=labelled_range,
            fillcolor="rgba(138, 138, 138, 0.25)",
            line_width=0,
            layer="below",
        )
    figure.update_layout(
        template=theme.template(),
        margin={"l": 70, "r": 24, "t": 50, "b": 50},
        legend={"orientation": "h", "x": 0, "y": 1.05, "yanchor": "bottom"},
        xaxis={
            "title": {"text": "Rotation angle (degrees)"},
            "range": [float(degrees[0]), float(degrees[-1])],
            "dtick": 90,
        },
        yaxis={"title": {"text": "Probability of the true class"}, "range": [0, 1.03]},
    )
    return figure
