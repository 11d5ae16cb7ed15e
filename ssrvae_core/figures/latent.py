"""Fig S1: the latent variables of one model, or of two side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ssrvae_core.config import UserError
from ssrvae_core.data import UNLABELLED
from ssrvae_core.figures import theme
from ssrvae_core.figures.names import exact, plain, short_names
from ssrvae_core.figures.values import TRUE_ANGLE, VALUES, colour_axis, point_values, varies
from ssrvae_core.records import Predictions
from ssrvae_core.shares import share

WEBGL_ABOVE = 1000
GROUPS = ("class", "predicted", "correct")
FADED = 0.06
"""Opacity of the points that are not selected while others are."""


@dataclass(frozen=True)
class Panel:
    """One model's latents, under its name."""

    title: str
    predictions: Predictions


@dataclass(frozen=True)
class _Layer:
    """Some of a panel's points, drawn as one trace."""

    name: str
    rows: np.ndarray
    symbol: str
    colour: str | np.ndarray
    rank: int


def colourings(panels: Sequence[Panel]) -> list[str]:
    """Names that ``colour_by`` of :func:`latent_scatter` takes for these panels."""
    factors = [name for name in panels[0].predictions.factors if all(varies(name, p.predictions) for p in panels)]
    has_angle = any(np.isfinite(panel.predictions.angle).any() for panel in panels)
    values = [name for name in VALUES if name != "angle" or has_angle]
    return [*GROUPS, *values, *(TRUE_ANGLE if name == "angle" else name for name in factors)]


def latent_scatter(
    panels: Sequence[Panel],
    class_names: Sequence[str],
    *,
    colour_by: str = "class",
    x_dim: int = 0,
    y_dim: int = 1,
    classes: Sequence[int] | None = None,
    uirevision: str = "latent",
) -> go.Figure:
    """Scatter the latent means, a trace a class, with the sample id of every point in ``customdata``.

    Parameters
    ----------
    panels : sequence of Panel
        The models, left to right; predictions of N images with D latents each.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``.
    colour_by : str
        ``class``, ``predicted``, ``correct``, ``confidence``, ``angle`` (estimated), ``outlier score`` (see
        :func:`ssrvae_core.evaluation.outliers.outlier_scores`), ``log-likelihood``, ``true angle``, or the name of
        another factor; see :func:`colourings`.
    x_dim, y_dim : int
        The latent dimensions to show, from 0. A single latent is shown against its posterior standard deviation.
    classes : sequence of int, optional
        Classes to show, -1 for the unlabelled; see :func:`shown`. The axes have room for all of them.
    uirevision : str
        While it stays the same, and so do the dimensions, a browser keeps its zoom.

    Returns
    -------
    go.Figure
        Square panels, each with its own range, under one legend.

    Raises
    ------
    UserError
        If a dimension or ``colour_by`` does not exist.
    """
    _check(panels, colour_by, x_dim, y_dim)
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.08)
    trace = go.Scattergl if sum(len(panel.predictions) for panel in panels) > WEBGL_ABOVE else go.Scatter
    in_legend: set[str] = set()
    for column, panel in enumerate(panels, start=1):
        predictions = panel.predictions
        x, y, labels = _coordinates(predictions, x_dim, y_dim)
        hover = _hover(predictions, class_names)
        visible = shown(predictions, colour_by, classes)
        for layer in _layers(predictions, short_names(class_names), colour_by, visible):
            figure.add_trace(_points(trace, layer, x, y, predictions.ids, hover, colour_by), row=1, col=column)
            if layer.name not in in_legend:
                in_legend.add(layer.name)
                figure.add_trace(_legend_entry(layer), row=1, col=column)
        _lay_out_panel(figure, column, panel, x, y, labels)
    figure.update_layout(
        template=theme.template(),
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "yref": "container"},
        margin={"t": 110},
        dragmode="lasso",
        uirevision=f"{uirevision}/{x_dim},{y_dim}",
    )
    if colour_by not in GROUPS:
        figure.update_layout(coloraxis=colour_axis([panel.predictions for panel in panels], colour_by))
    return figure


def shown(predictions: Predictions, colour_by: str, classes: Sequence[int] | None) -> np.ndarray:
    """Return which points :func:`latent_scatter` draws of these classes, bool (N,).

    The classes are the true ones, and the predicted ones where these give the colour: those of the legend.
    """
    if classes is None:
        return np.ones(len(predictions), dtype=bool)
    return np.isin(_classes(predictions, colour_by), classes)


def _classes(predictions: Predictions, colour_by: str) -> np.ndarray:
    return predictions.predicted if colour_by == "predicted" else predictions.labels


def _check(panels: Sequence[Panel], colour_by: str, x_dim: int, y_dim: int) -> None:
    known = colourings(panels)
    if colour_by not in (*known, "angle"):
        raise UserError(f"The points cannot be coloured by '{colour_by}'; choose one of {', '.join(known)}.")
    for panel in panels:
        dims = panel.predictions.z_mean.shape[1]
        if not (0 <= x_dim < dims and (dims == 1 or 0 <= y_dim < dims)):
            raise UserError(
                f"'{panel.title}' has no latent dimensions {x_dim + 1} and {y_dim + 1}; choose from 1 to {dims}."
            )


def _coordinates(predictions: Predictions, x_dim: int, y_dim: int) -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    z = predictions.z_mean
    if z.shape[1] == 1:
        return z[:, 0], predictions.z_sd[:, 0], ("z1", "Standard deviation of z1")
    return z[:, x_dim], z[:, y_dim], (f"z{x_dim + 1}", f"z{y_dim + 1}")


def _hover(predictions: Predictions, class_names: Sequence[str]) -> np.ndarray:
    """One short text per point: a trace knows neither its class nor its prediction."""
    names = np.array([*class_names, "unlabelled"], dtype=object)
    sure = map(share, predictions.confidence.tolist())
    rows = zip(names[predictions.labels], names[predictions.predicted], sure, strict=True)
    return np.array([f"{true}<br>predicted {said}, {confidence}" for true, said, confidence in rows], dtype=object)


def _layers(
    predictions: Predictions, class_names: Sequence[str], colour_by: str, visible: np.ndarray
) -> Iterator[_Layer]:
    """Split a panel's visible points into traces, those without a class or a value first, below the others."""
    classes = _classes(predictions, colour_by)
    grey = (classes == UNLABELLED) & visible
    if colour_by == "correct":
        right = (predictions.predicted == classes) & visible
        yield from _present("Unlabelled", grey, "circle-open", theme.NEUTRAL, rank=1002)
        yield from _present("Correct", right, "circle", theme.RIGHT, rank=1000)
        yield from _present("Wrong", visible & ~grey & ~right, "x", theme.WRONG, rank=1001)
        return
    last = 1000 + len(class_names)
    if colour_by in GROUPS:
        yield from _present("Unlabelled", grey, "circle-open", theme.NEUTRAL, rank=last)
        for index, name in enumerate(class_names):
            colour, symbol = theme.class_colour(index), theme.class_symbol(index)
            yield from _present(name, (classes == index) & visible, symbol, colour, rank=1000 + index)
        return
    values = point_values(predictions, colour_by)
    known = np.isfinite(values) & visible
    yield from _present(f"No {colour_by}", visible & ~known, "diamond-open", theme.NEUTRAL, rank=last + 1)
    yield from _present("Unlabelled", grey & known, "circle-open", values, rank=last)
    for index, name in enumerate(class_names):
        rows = (classes == index) & known
        yield from _present(name, rows, theme.class_symbol(index), values, rank=1000 + index)


def _present(name: str, chosen: np.ndarray, symbol: str, colour: str | np.ndarray, rank: int) -> Iterator[_Layer]:
    rows = np.flatnonzero(chosen)
    if len(rows):
        yield _Layer(name, rows, symbol, colour if isinstance(colour, str) else colour[rows], rank)


def _points(
    trace: type[go.Scatter] | type[go.Scattergl],
    layer: _Layer,
    x: np.ndarray,
    y: np.ndarray,
    ids: np.ndarray,
    hover: np.ndarray,
    colour_by: str,
) -> go.Scatter | go.Scattergl:
    by_value = not isinstance(layer.colour, str)
    shown = f"<br>{plain(colour_by)} %{{marker.color:.3g}}" if by_value else ""
    colour = {"color": layer.colour, "coloraxis": "coloraxis"} if by_value else {"color": layer.colour}
    return trace(
        x=x[layer.rows],
        y=y[layer.rows],
        mode="markers",
        name=layer.name,
        legendgroup=layer.name,
        showlegend=False,
        customdata=exact(ids[layer.rows]),
        text=hover[layer.rows],
        marker={"symbol": layer.symbol, "size": 6, "opacity": 0.75, "line": theme.OUTLINE, **colour},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": FADED}},
        hovertemplate=f"Sample %{{customdata}}<br>%{{text}}{shown}<extra></extra>",
    )


def _legend_entry(layer: _Layer) -> go.Scatter:
    """Draw nothing: an entry that stands for every panel, and is grey where colour means a value."""
    colour = layer.colour if isinstance(layer.colour, str) else theme.NEUTRAL
    marker = {"symbol": layer.symbol, "size": 9, "color": colour, "line": theme.OUTLINE}
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        name=layer.name,
        legendgroup=layer.name,
        legendrank=layer.rank,
        marker=marker,
        hoverinfo="skip",
    )


def _lay_out_panel(
    figure: go.Figure, column: int, panel: Panel, x: np.ndarray, y: np.ndarray, labels: tuple[str, str]
) -> None:
    """Give a panel its title and a square of the plane with all its points."""
    number = "" if column == 1 else str(column)
    predictions = panel.predictions
    known = predictions.labels >= 0
    accuracy = float((predictions.predicted == predictions.labels)[known].mean()) if known.any() else None
    title = theme.panel_title(panel.title, accuracy, int(known.sum()), len(predictions))
    figure.add_annotation(theme.title_annotation(title, number))
    x_axis: dict[str, Any] = {"title": {"text": labels[0]}}
    y_axis: dict[str, Any] = {"title": {"text": labels[1]}}
    if predictions.z_mean.shape[1] == 1:
        y_axis["automargin"] = True  # a standard deviation may have many digits
    else:
        finite = [values[np.isfinite(x + y)] for values in (x, y)]
        half = 0.53 * max(float(np.ptp(values)) if len(values) else 0.0 for values in finite) or 1.0
        middle = [float(values.max() + values.min()) / 2 if len(values) else 0.0 for values in finite]
        x_axis |= {"range": [middle[0] - half, middle[0] + half], "constrain": "domain"}
        y_axis |= {
            "range": [middle[1] - half, middle[1] + half],
            "constrain": "domain",
            "constraintoward": "top",
            "scaleanchor": f"x{number}",
        }
    figure.update_layout({f"xaxis{number}": x_axis, f"yaxis{number}": y_axis})
