"""What is in a data set: how many images of each class in each part, and how its factors are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ssrvae_core.figures import theme
from ssrvae_core.figures.names import plain, short_names
from ssrvae_core.shares import percent

BINS = 24
PARTS = {"Labelled": theme.CLASS_COLOURS[0], "Unlabelled": theme.NEUTRAL, "Validation": theme.CLASS_COLOURS[1]}
_SHAPES = {"Labelled": "", "Unlabelled": "/", "Validation": "."}
_PATTERN = {"fgcolor": "rgba(0, 0, 0, 0.4)", "fillmode": "overlay"}
"""Hatching beside the colours, for people who cannot tell them apart."""
_LEGEND = {
    "orientation": "h",
    "x": 0,
    "y": 0,
    "yref": "container",  # below the axes, where no tool bar lies over it
    "yanchor": "bottom",
    "bgcolor": "rgba(0, 0, 0, 0)",
    "traceorder": "normal",
}


def class_counts_figure(counts: Mapping[str, Sequence[int]], class_names: Sequence[str]) -> go.Figure:
    """Draw a bar per class, made of the parts of the split.

    Parameters
    ----------
    counts : mapping of str to sequence of int
        Number of images of each class by the name of the part.
    class_names : sequence of str
        The classes, in the order of the counts.
    """
    figure = go.Figure(
        [
            go.Bar(
                x=list(values),
                y=[plain(name) for name in short_names(class_names)],
                name=part,
                orientation="h",
                marker={
                    "color": PARTS[part],
                    "pattern": _PATTERN | {"shape": _SHAPES[part]},
                },
                customdata=[plain(name) for name in class_names],
                hovertemplate=f"%{{customdata}}<br>{part.lower()}: %{{x}} images<extra></extra>",
            )
            for part, values in counts.items()
        ]
    )
    figure.update_layout(
        template=theme.template(),
        barmode="stack",
        bargap=0.35,
        legend=_LEGEND,
        xaxis={"title": {"text": "Images"}, "rangemode": "tozero"},
        yaxis={"autorange": "reversed", "type": "category", "automargin": True},
        margin={"l": 90, "r": 24, "t": 40, "b": 100},
    )
    return figure


def factor_histogram(title: str, values: Mapping[str, np.ndarray]) -> go.Figure:
    """Draw how a factor is spread: the share of the images of each part in each of 24 bins.

    Parameters
    ----------
    title : str
        The factor's name, with its unit.
    values : mapping of str to array
        The factor's values by the name of the part, ``"Labelled"`` or ``"Unlabelled"``, or by any other name.
    """
    finite = {part: array[np.isfinite(array)] for part, array in values.items()}
    everything = np.concatenate(list(finite.values()))
    edges = np.linspace(everything.min(), everything.max(), BINS + 1)
    figure = go.Figure()
    for index, (part, array) in enumerate(finite.items()):
        shares = np.histogram(array, edges)[0] / max(len(array), 1)
        figure.add_trace(
            go.Scatter(
                x=(edges[:-1] + edges[1:]) / 2,
                y=shares,
                customdata=[percent(value, 1) for value in shares.tolist()],
                name=part,
                mode="lines",
                line={
                    "shape": "hvh",
                    "color": PARTS.get(part, theme.CLASS_COLOURS[2]),
                    "width": 2,
                    "dash": ("solid", "dot")[index % 2],
                },
                fill="tozeroy",
                hovertemplate=f"{part.lower()}<br>%{{x:.3g}}: %{{customdata}} of the images<extra></extra>",
            )
        )
    figure.update_layout(
        template=theme.template(),
        showlegend=True,
        legend=_LEGEND,
        xaxis={"title": {"text": plain(title)}},
        yaxis={"rangemode": "tozero", "tickformat": ".0%"},
        margin={"l": 50, "r": 16, "t": 40, "b": 80},
    )
    return figure
