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
        One panel of :func:`ssrvae_core.figures.latent_scatter`, with its title of two lines and all four margins.
    chart : str
        Key of the chart.
    height : int
        Pixels.
    scale : float
        How much larger than the figure says its margins and type will be.

    Returns
    -------
    str
        HTML; it only keeps the place where colour stands for values or the axes find their ranges in the browser.
    """
    waiting = f".st-key-{chart}:not(:has(.main-svg))"
    return (
        f"<style>{waiting} {{min-height: {height}px; background: {_background(figure, height, scale)}}}"
        f"{waiting} [data-testid=stSkeleton] {{visibility: hidden}}</style>"
    )


def _background(figure: go.Figure, height: int, scale: float) -> str:
    """Return the pictures of the plane and of its title, where Plotly will have them, as CSS."""
    axes = figure.layout
    if axes.coloraxis.cmin is not None or axes.xaxis.range is None or axes.yaxis.range is None:
        return "none"
    left, right, top, bottom = (round(scale * figure.layout.margin[side]) for side in "lrtb")
    pad = round(scale * _PAD)
    width, side = f"calc(100% - {left + right - 2 * pad}px)", height - top - bottom + 2 * pad
    # The plane is square, centred below the upper margin as Plotly's will be; its title is at the end of that margin.
    return (
        f"{_url(_plane(figure, side, pad))} {left - pad}px {top - pad}px / {width} {side}px no-repeat, "
        f"{_url(_title(figure, top, scale))} {left - pad}px 0 / {width} {top}px no-repeat"
    )


def _url(content: str) -> str:
    picture = f'<svg xmlns="http://www.w3.org/2000/svg" {content}</svg>'
    return f"url(data:image/svg+xml;base64,{b64encode(picture.encode()).decode()})"


def _plane(figure: go.Figure, side: int, pad: int) -> str:
    """Draw the points, in a frame that is so many pixels high and as wide, and so many away from the axes' ends."""
    traces = [trace for trace in figure.data if trace.customdata is not None]  # the others are the legend's
    every = max(1, sum(len(trace.x) for trace in traces) // _MOST)
    edge = round(_SIDE * pad / (side - 2 * pad))
    box = f"{-edge} {-edge} {_SIDE + 2 * edge} {_SIDE + 2 * edge}"
    return (
        f'viewBox="{box}" preserveAspectRatio="xMidYMin"><rect x="{-edge}" y="{-edge}" width="100%" height="100%" '
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
        f'<text x="50%" y="{height - scale * (15 + 17 * below):g}" text-anchor="middle" font-family="sans-serif" '
        f'font-weight="{weight}" font-size="{scale * size:g}" fill="{theme.NEUTRAL}">{line}</text>'
        for line, below, weight, size in zip(lines, (1, 0), ("bold", "normal"), (13, 12), strict=True)
    )
    return f'width="100%" height="100%">{"".join(texts)}'
