"""A picture of a scatter in its place, while the browser loads Plotly and until the chart itself is drawn."""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape, unescape

import numpy as np
import plotly.graph_objects as go

from ssrvae_core.figures import theme
from ui.markers import SHAPES

_SIDE = 1000
"""Of the square that holds the axes' ranges, in the picture's own units."""
_MARKER = 30
"""Size of a marker's box there: in a chart of the usual height its marker is as large as Plotly's."""
_PAD = 8
"""Pixels that Streamlit's theme leaves between the plane and the lines around it."""
_MOST = 2000
"""Points of a panel; more cost time and add nothing to a first look."""
_TAG = re.compile("<[^>]*>")


def style(figure: go.Figure, chart: str, height: int, scale: float = 1) -> str:
    """Return the style that shows the points of a figure where the chart of this key will be.

    Parameters
    ----------
    figure : go.Figure
        One panel of :func:`ssrvae_core.figures.latent_scatter`, a colour a trace, with all four margins.
    chart : str
        Key of the chart.
    height : int
        Pixels.
    scale : float
        How much larger than the figure says its margins and type will be.

    Returns
    -------
    str
        HTML, empty for a figure whose axes find their ranges in the browser.
    """
    if figure.layout.xaxis.range is None or figure.layout.yaxis.range is None:
        return ""
    left, right, top, bottom = (round(scale * figure.layout.margin[side]) for side in "lrtb")
    waiting = f".st-key-{chart}:not(:has(.main-svg))"
    width, side = f"calc(100% - {left + right - 2 * _PAD}px)", height - top - bottom + 2 * _PAD
    # The plane is square, centred below the upper margin as Plotly's will be; its title is at the end of that margin.
    pictures = (
        f"{_url(_plane(figure, side))} {left - _PAD}px {top - _PAD}px / {width} {side}px no-repeat",
        f"{_url(_title(figure, top, scale))} {left - _PAD}px 0 / {width} {top}px no-repeat",
    )
    return (
        f"<style>{waiting} {{min-height: {height}px; background: {', '.join(pictures)}}}"
        f"{waiting} [data-testid=stSkeleton] {{visibility: hidden}}</style>"
    )


def _url(content: str) -> str:
    picture = f'<svg xmlns="http://www.w3.org/2000/svg" {content}</svg>'
    return f"url(data:image/svg+xml;base64,{b64encode(picture.encode()).decode()})"


def _plane(figure: go.Figure, side: int) -> str:
    """Draw the points, in a frame that is so many pixels high and as wide."""
    traces = [trace for trace in figure.data if trace.customdata is not None]
    every = max(1, sum(len(trace.x) for trace in traces) // _MOST)
    pad = round(_SIDE * _PAD / (side - 2 * _PAD))
    box = f"{-pad} {-pad} {_SIDE + 2 * pad} {_SIDE + 2 * pad}"
    return (
        f'viewBox="{box}" preserveAspectRatio="xMidYMin"><rect x="{-pad}" y="{-pad}" width="100%" height="100%" '
        f'fill="none" stroke="{theme.NEUTRAL}" stroke-width="2" vector-effect="non-scaling-stroke"/>'
        f"{''.join(_points(trace, figure.layout, every, f'm{index}') for index, trace in enumerate(traces))}"
    )


def _points(trace: go.Scatter | go.Scattergl, layout: go.Layout, every: int, name: str) -> str:
    """Draw one in ``every`` points of a trace, as the corners of a line that has a marker at each and no ink."""
    x, y = (
        np.round(_SIDE * (np.asarray(values)[::every] - low) / (high - low)).astype(int).tolist()
        for values, (low, high) in ((trace.x, layout.xaxis.range), (trace.y, layout.yaxis.range))
    )
    corners = " ".join(f"{across} {_SIDE - up}" for across, up in zip(x, y, strict=True))
    ends = " ".join(f'marker-{at}="url(#{name})"' for at in ("start", "mid", "end"))
    shape, opened, _ = trace.marker.symbol.partition("-open")
    colour = trace.marker.color
    fill, stroke, width = ("none", colour, 1) if opened else (colour, theme.NEUTRAL, 0.7)
    return (
        f'<marker id="{name}" viewBox="0 0 16 16" refX="8" refY="8" markerWidth="{_MARKER}" markerHeight="{_MARKER}" '
        f'markerUnits="userSpaceOnUse"><path d="{SHAPES[shape]}" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="{width}" opacity="{trace.marker.opacity}"/></marker>'
        f'<polyline points="{corners}" fill="none" {ends}/>'
    )


def _title(figure: go.Figure, height: int, scale: float) -> str:
    """Write the panel's title: lines in the middle, the last one a little above the end of so many pixels."""
    (note,) = figure.layout.annotations
    lines = [escape(unescape(_TAG.sub("", line))) for line in note.text.split("<br>")]
    texts = (
        f'<text x="50%" y="{height - 15 - scale * 17 * below:g}" text-anchor="middle" font-family="sans-serif" '
        f'font-weight="{weight}" font-size="{scale * size:g}" fill="{theme.NEUTRAL}">{line}</text>'
        for line, below, weight, size in zip(lines, (1, 0), ("bold", "normal"), (13, 12), strict=True)
    )
    return f'width="100%" height="100%">{"".join(texts)}'
