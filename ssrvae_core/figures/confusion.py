"""Fig S2 and S3: confusion matrices, one or several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ssrvae_core.figures import theme
from ssrvae_core.figures.names import BESIDE_CELLS, short_names, width
from ssrvae_core.shares import percent

MANY = 6
"""Classes above which a cell has one number, in small type."""

NARROW = 260
"""Pixels of a matrix that is drawn small; names that have no room below it are turned."""

BESIDE = 32
"""Pixels left of a matrix for its title and ticks."""


def confusion_figure(
    counts: np.ndarray,
    class_names: Sequence[str],
    *,
    normalise: bool = False,
    title: str = "",
    framed: tuple[int, int] | None = None,
    ink: str | None = None,
) -> go.Figure:
    """Draw one confusion matrix, see :func:`confusion_figures`; the cell ``framed`` (true, predicted) has a frame."""
    figure = confusion_figures({title: counts}, class_names, normalise=normalise, ink=ink)
    if framed is not None:
        figure.add_traces(_frame(framed))
    return figure


def confusion_figures(
    counts: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    *,
    normalise: bool = False,
    ink: str | None = None,
) -> go.Figure:
    """Draw confusion matrices side by side, with the number in every cell.

    A cell has a tint as strong as its share of the true class, blue on the diagonal and orange off it: a class with
    many images is not darker than one with few, an empty cell is as the page, and mistakes stand out.

    Parameters
    ----------
    counts : mapping of str to int array (K, K)
        Title and counts of each matrix, left to right; a row per true class, a column per predicted one.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``; a long one is shortened on the axes, and whole on hovering.
    normalise : bool
        Print shares of the true class, and counts below them in small type, instead of counts alone.
    ink : str, optional
        Colour of the numbers; by default that of all text, which tints let stand out on a light and a dark page.

    Returns
    -------
    go.Figure
        Square cells, the first class on top. Over each matrix lies a scatter of its cells that can be clicked: its
        ``customdata`` is (matrix, true class, predicted class), each counted from 0.
    """
    figure = make_subplots(rows=1, cols=max(1, len(counts)), horizontal_spacing=0.08)
    for index, (title, values) in enumerate(counts.items()):
        matrix = np.asarray(values)
        shares = shares_of(matrix)
        tint = np.where(np.eye(len(matrix), dtype=bool), shares, -shares)
        cells = go.Heatmap(z=tint, coloraxis="coloraxis", xgap=1, ygap=1, hoverinfo="skip")
        figure.add_trace(cells, row=1, col=index + 1)
        figure.add_trace(_numbers(index, matrix, shares, normalise, class_names, ink), row=1, col=index + 1)
        _lay_out_matrix(figure, index, title, matrix, class_names)
    figure.update_layout(
        template=theme.template(),
        showlegend=False,
        hoverdistance=-1,
        coloraxis={
            "colorscale": [
                [0, theme.cell_colour(1, right=False)],
                [0.5, theme.cell_colour(0, right=False)],  # nothing of the same hue: towards black it would be grey
                [0.5, theme.cell_colour(0, right=True)],
                [1, theme.cell_colour(1, right=True)],
            ],
            "cmin": -1,
            "cmax": 1,
            "showscale": False,
        },
    )
    return figure


def shares_of(matrix: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; NaN for a class that never occurs."""
    support = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, support, out=np.full(matrix.shape, np.nan), where=support > 0)


def texts_of(matrix: np.ndarray) -> list[str]:
    """Write the shares of a confusion matrix, row by row: whole percent, without the sign where cells are small."""
    texts = ["n/a" if np.isnan(share) else percent(float(share)) for share in shares_of(matrix).flat]
    return [text.removesuffix(" %") for text in texts] if len(matrix) > MANY else texts


def _texts(matrix: np.ndarray, normalise: bool) -> list[str]:
    if not normalise:
        return [str(n) for n in matrix.flat]
    texts = texts_of(matrix)
    if len(matrix) > MANY:
        return texts
    pairs = zip(texts, matrix.flat, strict=True)
    return [f"{text}<br><span style='font-size:11px'>{n}</span>" if n else text for text, n in pairs]


def _numbers(
    index: int, matrix: np.ndarray, shares: np.ndarray, normalise: bool, class_names: Sequence[str], ink: str | None
) -> go.Scatter:
    """Print the numbers over invisible markers: a heatmap cannot be selected, points can."""
    true, predicted = (axis.ravel() for axis in np.indices(matrix.shape))
    names = np.array(class_names, dtype=object)
    hover = [
        f"True {t}<br>Predicted {p}<br>{n} image{'' if n == 1 else 's'}"
        + ("" if np.isnan(share) else f", {percent(float(share))}")
        for t, p, n, share in zip(names[true], names[predicted], matrix.flat, shares.flat, strict=True)
    ]
    font: dict[str, Any] = {"size": 11 if len(matrix) > MANY else 14} | ({} if ink is None else {"color": ink})
    return go.Scatter(
        x=predicted,
        y=true,
        mode="markers+text",
        text=_texts(matrix, normalise),
        textfont=font,
        marker={"symbol": "square", "size": 24, "opacity": 0},
        customdata=np.stack([np.full_like(true, index), true, predicted], axis=1),
        hovertext=np.array(hover, dtype=object),
        hovertemplate="%{hovertext}<extra></extra>",
        # Without a colour for what is selected a selection would fade the numbers that are not.
        selected={"marker": {"opacity": 0}, "textfont": {"color": ink or theme.NEUTRAL}},
        unselected={"marker": {"opacity": 0}},
    )


def _frame(cell: tuple[int, int]) -> list[go.Scatter]:
    """Draw a frame just inside the borders of a cell, light upon dark, so that it is seen on every colour."""
    true, predicted = cell
    half = 0.44
    across, down = [-half, half, half, -half, -half], [-half, -half, half, half, -half]
    x, y = [predicted + step for step in across], [true + step for step in down]
    lines = ({"color": "#1A1A1A", "width": 5}, {"color": "#FFFFFF", "width": 2})
    return [go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip") for line in lines]


def judged_in_words(matrix: np.ndarray) -> str:
    """Say how often a matrix's predictions are right: the accuracy, and the balanced one where it is another."""
    return ", ".join(_judgements(matrix))


def _judgements(matrix: np.ndarray) -> list[str]:
    n = int(matrix.sum())
    if not n:
        return ["N = 0"]
    recalls = np.diag(shares_of(matrix))
    support = matrix.sum(axis=1)
    accuracy = f"accuracy {percent(float(matrix.trace()) / n)}, N = {n:,}"
    if len(set(support[support > 0].tolist())) > 1:
        return [f"balanced accuracy {percent(float(np.nanmean(recalls)))}", accuracy]
    return [accuracy]


def _lay_out_matrix(figure: go.Figure, index: int, title: str, matrix: np.ndarray, class_names: Sequence[str]) -> None:
    number = "" if index == 0 else str(index + 1)
    # A line each: a small matrix is narrower than both.
    judged = f"<b>{title}</b><br><span style='font-size:12px'>{'<br>'.join(_judgements(matrix))}</span>"
    figure.add_annotation(theme.title_annotation(judged, number))
    k = len(class_names)
    names = short_names(class_names, BESIDE_CELLS)
    longest = max(map(width, names), default=0.0)
    ticks = {
        "tickvals": list(range(k)),
        "ticktext": names,
        "ticklabeloverflow": "allow",  # plotly leaves the last name out where it is wider than its cell
        "constrain": "domain",
        "showgrid": False,
        "showline": False,
        "ticks": "",
    }
    figure.update_layout(
        {
            f"xaxis{number}": {
                **ticks,
                "range": [-0.5, k - 0.5],
                "title": {"text": "Predicted class"},
                "automargin": k * longest > NARROW,
            },
            f"yaxis{number}": {
                **ticks,
                "range": [k - 0.5, -0.5],
                "title": {"text": "True class" if index == 0 else ""},
                "constraintoward": "top",
                "showticklabels": index == 0,
                "scaleanchor": f"x{number}",
            },
        }
    )
    figure.update_layout(margin_l=BESIDE + longest)
