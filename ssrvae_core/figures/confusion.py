"""Fig S2 and S3: confusion matrices, one or several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ssrvae_core.figures import theme
from ssrvae_core.figures.names import BESIDE_CELLS, short_names, width

MANY = 6
"""Classes above which the numbers are small."""

NARROW = 260
"""Pixels of a matrix that is drawn small; names that have no room below it are turned."""

BESIDE = 42
"""Pixels left of a matrix for its title and ticks."""


def confusion_figure(
    counts: np.ndarray,
    class_names: Sequence[str],
    *,
    normalise: bool = False,
    title: str = "",
    highest: float | None = None,
    framed: tuple[int, int] | None = None,
) -> go.Figure:
    """Draw one confusion matrix, see :func:`confusion_figures`; the cell ``framed`` (true, predicted) has a frame."""
    figure = confusion_figures({title: counts}, class_names, normalise=normalise, highest=highest)
    if framed is not None:
        figure.add_traces(_frame(framed))
    return figure


def confusion_figures(
    counts: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    *,
    normalise: bool = False,
    highest: float | None = None,
) -> go.Figure:
    """Draw confusion matrices side by side, on one colour scale, with the number in every cell.

    Parameters
    ----------
    counts : mapping of str to int array (K, K)
        Title and counts of each matrix, left to right; a row a true class, a column a predicted one.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``; a long one is shortened on the axes, and whole on hovering.
    normalise : bool
        Show shares of the true class instead of counts.
    highest : float, optional
        Images at the top of the colour scale, where several figures share it; by default those of the fullest cell.

    Returns
    -------
    go.Figure
        Square cells, the first class on top. Over each matrix lies a scatter of its cells that can be clicked: its
        ``customdata`` is (matrix, true class, predicted class), each counted from 0.
    """
    figure = make_subplots(rows=1, cols=max(1, len(counts)), horizontal_spacing=0.08)
    matrices = [np.asarray(matrix) for matrix in counts.values()]
    highest = (
        1.0 if normalise else highest or float(max((matrix.max(initial=0) for matrix in matrices), default=0) or 1)
    )
    for index, (title, matrix) in enumerate(zip(counts, matrices, strict=True)):
        shares = _shares(matrix)
        shown = shares if normalise else matrix
        cells = go.Heatmap(z=shown, coloraxis="coloraxis", xgap=1, ygap=1, hoverinfo="skip")
        figure.add_trace(cells, row=1, col=index + 1)
        text = [_share(value) for value in shares.flat] if normalise else [str(value) for value in matrix.flat]
        colours = _text_colours(shown / highest)
        for numbers in _numbers(index, matrix, np.array(text), colours, class_names):
            figure.add_trace(numbers, row=1, col=index + 1)
        _lay_out_matrix(figure, index, title, matrix, class_names)
    figure.update_layout(
        template=theme.template(),
        showlegend=False,
        hoverdistance=-1,
        coloraxis={
            "colorscale": theme.SEQUENTIAL,
            "cmin": 0,
            "cmax": highest,
            "colorbar": {
                "thickness": 12,
                "title": {"text": "Share of the true class" if normalise else "Images", "side": "right"},
            },
        },
    )
    return figure


def _shares(matrix: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; NaN for a class that never occurs."""
    support = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, support, out=np.full(matrix.shape, np.nan), where=support > 0)


def _share(value: float) -> str:
    """Two decimals that never round a few errors away."""
    if np.isnan(value):
        return "n/a"
    if value in (0, 1):
        return str(int(value))
    return "<0.01" if value < 0.005 else ">0.99" if value >= 0.995 else f"{value:.2f}"


def _text_colours(height: np.ndarray) -> np.ndarray:
    """Colour of each number on a cell at this share of the colour scale; an empty cell shows the page."""
    on_cell = np.where(height < theme.DARK_CELL, "#FFFFFF", "#1A1A1A")
    return np.where(np.isnan(height), theme.NEUTRAL, on_cell).ravel()


def _numbers(
    index: int, matrix: np.ndarray, text: np.ndarray, colours: np.ndarray, class_names: Sequence[str]
) -> Iterator[go.Scatter]:
    """Print the numbers over invisible markers: a heatmap cannot be selected, points can.

    A trace a colour: a selection would fade the others, unless their trace has one colour for what is selected.
    """
    true, predicted = (axis.ravel() for axis in np.indices(matrix.shape))
    names = np.array(class_names, dtype=object)
    hover = [
        f"True {t}<br>Predicted {p}<br>{n} images"
        for t, p, n in zip(names[true], names[predicted], matrix.flat, strict=True)
    ]
    customdata = np.stack([np.full_like(true, index), true, predicted], axis=1)
    for colour in np.unique(colours):
        rows = np.flatnonzero(colours == colour)
        yield go.Scatter(
            x=predicted[rows],
            y=true[rows],
            mode="markers+text",
            text=text[rows],
            textfont={"color": colour, "size": 11 if len(matrix) > MANY else 14},
            marker={"symbol": "square", "size": 24, "opacity": 0},
            customdata=customdata[rows],
            hovertext=np.array(hover, dtype=object)[rows],
            hovertemplate="%{hovertext}<extra></extra>",
            selected={"marker": {"opacity": 0}, "textfont": {"color": colour}},
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


def _lay_out_matrix(figure: go.Figure, index: int, title: str, matrix: np.ndarray, class_names: Sequence[str]) -> None:
    number = "" if index == 0 else str(index + 1)
    n = int(matrix.sum())
    accuracy = float(matrix.trace() / n) if n else None
    figure.add_annotation(theme.title_annotation(theme.panel_title(title, accuracy, n), number))
    k = len(class_names)
    names = short_names(class_names, BESIDE_CELLS)
    longest = max(map(width, names), default=0.0)
    ticks = {
        "tickvals": list(range(k)),
        "ticktext": names,
        "ticklabeloverflow": "allow",  # plotly leaves the last name out where it is wider than its cell
        "constrain": "domain",
        "showgrid": False,
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
