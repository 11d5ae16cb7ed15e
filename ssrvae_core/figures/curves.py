"""Curves over epochs and numbers of labels: their lines, spreads and axes, and how a training went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ssrvae_core.figures import theme
from ssrvae_core.figures.frames import Curve
from ssrvae_core.figures.looks import Look, looks
from ssrvae_core.shares import share

LOGARITHMIC = ("supervised ratio", "labels per class")
"""The axes on which positions are spread by their logarithm."""
_MARKS = [float(f"{digit}e{power}") for power in range(-3, 5) for digit in (1, 2, 5)]
_MOST_TICKS = 6


def training_curves(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> go.Figure:
    """Draw loss and accuracy of one or several trainings, epoch by epoch, a line per run in both panels.

    Parameters
    ----------
    runs : mapping of str to sequence of mapping
        Name of each run, and its lines of ``metrics.jsonl``: ``epoch``, ``elbo_unlabelled``,
        ``elbo_labelled`` and ``validation_accuracy``, which is None where no tracked image has a label.
    """
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    parts = (
        ("Loss (nats per image)", loss),
        ("Accuracy, tracked images", lambda line: line["validation_accuracy"]),
    )
    for column, (_, value) in enumerate(parts, start=1):
        for look, (name, lines) in zip(looks(list(runs)), runs.items(), strict=True):
            y = np.array([value(line) for line in lines], float)
            curve = Curve(name, np.array([line["epoch"] for line in lines], float), y)
            for trace in curve_traces(look, curve, showlegend=column == 1):
                figure.add_trace(trace, row=1, col=column)
    figure.update_layout(
        template=theme.template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"title": {"text": "Epoch"}},
        xaxis2={"title": {"text": "Epoch"}},
        yaxis={"title": {"text": parts[0][0]}},
        yaxis2={"title": {"text": parts[1][0]}, "range": [0, 1.03]},
        meta={"alt": f"Loss and accuracy against the epoch of {', '.join(runs)}."},
    )
    return figure


def loss(line: Mapping[str, Any]) -> float | None:
    """Loss of an epoch, nats per image: of the unlabelled images, and of the labelled ones where there are no others.

    Parameters
    ----------
    line : mapping
        A line of ``metrics.jsonl``.
    """
    bound = line["elbo_unlabelled"]
    if bound == 0:  # no image was without its label
        bound = line["elbo_labelled"]
    return None if bound is None else -bound


def curve_traces(look: Look, curve: Curve, **common: Any) -> list[dict[str, Any]]:
    """Return a curve's band, where it has one, and its line."""
    colour = look.colour
    traces = []
    if curve.low is not None and curve.high is not None:
        known = np.isfinite(curve.low) & np.isfinite(curve.high)
        x, low, high = (np.asarray(v)[known] for v in (curve.x, curve.low, curve.high))
        band = {"x": np.concatenate([x, x[::-1]]), "y": np.concatenate([high, low[::-1]])}
        area = {"mode": "lines", "line": {"width": 0}, "fill": "toself", "fillcolor": theme.faint(colour)}
        group = {"legendgroup": curve.name, "showlegend": False, "hoverinfo": "skip"}
        traces.append({"type": "scatter", **band, **area, **group})
    line = {"color": colour, "width": 2, "dash": "dash" if curve.dashed else look.run_dash}
    few = len(curve.x) <= 20
    traces.append(
        {
            "type": "scatter",
            "x": np.asarray(curve.x, float),
            "y": np.asarray(curve.y, float),
            "mode": "lines+markers" if few else "lines",
            "line": line,
            "marker": {"size": 6, "symbol": look.symbol, "color": colour},
            "name": curve.name,
            "legendgroup": curve.name,
            "customdata": [share(float(value)) for value in curve.y],
            "hovertemplate": f"{curve.name}<br>%{{x}}: %{{customdata}}<extra></extra>",
            **common,
        }
    )
    return traces


def extent_of(curves: Sequence[Curve]) -> list[float]:
    """Range that holds the curves and their spread."""
    values = np.concatenate([np.asarray(v, float) for c in curves for v in (c.y, c.low, c.high) if v is not None])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    pad = 0.08 * (high - low or 1)
    return [low - pad, high + pad]


def limits_of(curves: Sequence[Curve], title: str) -> list[float]:
    """Range of the axis: an accuracy's is the same in every film, from 0 to 1; any other holds its curves."""
    return [0.0, 1.03] if title.startswith("Accuracy") else extent_of(curves)


def curve_at(curve: Curve, position: float, axis: str) -> float | None:
    """Height of a curve at a position between its ends; over numbers of labels only where there is a run."""
    x, y = np.asarray(curve.x, float), np.asarray(curve.y, float)
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    if not len(x) or not x.min() <= position <= x.max() or (axis in LOGARITHMIC and position not in x):
        return None
    order = np.argsort(x)
    return float(np.interp(position, x[order], y[order]))


def untrained_points(positions: Sequence[float], height: float) -> dict[str, Any]:
    """Return hollow circles on the axis, where nothing is trained yet; ``customdata`` is (position, "")."""
    return {
        "type": "scatter",
        "x": list(positions),
        "y": [height] * len(positions),
        "mode": "markers",
        "name": "Not trained yet",
        "marker": {"symbol": "circle-open", "size": 10, "color": theme.NEUTRAL, "line": {"width": 2}},
        "cliponaxis": False,
        "customdata": [[float(position), ""] for position in positions],
        "hovertemplate": "%{x:g}<br>not trained yet<extra></extra>",
    }


def position_axis(positions: Sequence[float], axis: str) -> dict[str, Any]:
    """Range and ticks of the axis that positions lie on."""
    seen = sorted(set(positions))
    if axis not in LOGARITHMIC:
        pad = 0.03 * (seen[-1] - seen[0] or 1)
        few = seen[-1] - seen[0] < _MOST_TICKS  # else there would be ticks at halves of an epoch
        whole = {"tickvals": list(range(math.ceil(seen[0]), math.floor(seen[-1]) + 1))} if few else {}
        return {"range": [seen[0] - pad, seen[-1] + pad], "nticks": _MOST_TICKS, **whole}
    low, high = np.log10(seen[0]), np.log10(seen[-1])
    pad = 0.06 * (high - low or 1)
    marks = [p for p in _MARKS if 10 ** (low - pad) <= p]
    marks = [p for p in marks if p <= 10 ** (high + pad)] or seen
    ticks = {
        "tickmode": "array",
        "tickvals": marks,
        "ticktext": [f"{100 * p:g} %" if axis == "supervised ratio" else f"{p:g}" for p in marks],
        "tickangle": 0,
        "tickfont": {"size": 12},
    }
    return {"type": "log", "range": [low - pad, high + pad], **ticks}
