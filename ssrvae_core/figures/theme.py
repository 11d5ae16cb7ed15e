"""The look all figures share: colours, marker shapes and a template for light and dark pages."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from ssrvae_core.figures.counts import n_text
from ssrvae_core.shares import percent

NEUTRAL = "#8A8A8A"
"""Legible on white and on black alike, for what has no class or no value."""

CLASS_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", NEUTRAL)
"""Okabe and Ito's colour-blind safe set, the ones hardest to see last: yellow, and grey where they have black."""

CLASS_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star", "pentagon")
"""One more than there are colours, so that colour and shape together tell 72 classes apart."""

LINE_COLOURS = tuple(CLASS_COLOURS[index] for index in (4, 0, 2, 3, 1, 5, 7))
"""Of the lines that stand for models and methods; :func:`ssrvae_core.figures.looks.looks` says which has which."""

RIGHT, WRONG = CLASS_COLOURS[0], CLASS_COLOURS[4]

_STRONGEST = (0.45, 0.6)
"""Opacity of the strongest tint of a cell that is right, and of one that is wrong."""

OUTLINE = {"width": 0.5, "color": NEUTRAL}
"""Of every marker: it keeps yellow on white, and the dark end of viridis on black, in sight."""

CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud", "autoScale2d"]}
"""For whoever shows a figure: without plotly's button that uploads it to plotly's cloud."""

SEQUENTIAL = "Viridis"
CYCLIC = "Phase"
"""Of even lightness, so that no angle vanishes on a light or a dark page."""


def class_colour(index: int) -> str:
    """Colour of a class; they repeat after eight."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def class_rgb(index: int) -> tuple[int, int, int]:
    """Return that colour as three bytes."""
    colour = class_colour(index)
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def class_symbol(index: int) -> str:
    """Marker shape of a class; they repeat after nine."""
    return CLASS_SYMBOLS[index % len(CLASS_SYMBOLS)]


def line_colour(index: int) -> str:
    """Colour of a model's line; they repeat after seven."""
    return LINE_COLOURS[index % len(LINE_COLOURS)]


def faint(colour: str) -> str:
    """Return a colour of six hexadecimal digits as one that lets the grid through, for bands."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.18)"


def cell_colour(share: float, *, right: bool) -> str:
    """Tint of a cell of a confusion matrix with this share of its true class: text stands out on it on any page."""
    red, green, blue, alpha = cell_rgba(share, right=right)
    return f"rgba({red}, {green}, {blue}, {alpha / 255:.3f})"


def cell_rgba(share: float, *, right: bool) -> tuple[int, int, int, int]:
    """Return that tint as four bytes; nothing at all for a share that is 0 or not a number."""
    colour = RIGHT if right else WRONG
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    strongest = _STRONGEST[0 if right else 1]
    return red, green, blue, round(255 * strongest * share) if share > 0 else 0


def template(*, dark: bool = False) -> go.layout.Template:
    """Template with a transparent background; ``dark`` sets the colour of text and lines for a dark page.

    Its margins hold numbers and a title beside an axis, and names need their own: margins that fit themselves
    (``automargin``) have plotly draw everything twice.
    """
    text, line = ("#FAFAFA", "#6B6F7B") if dark else ("#31333F", "#A3A8B4")
    axis = {
        "showline": True,
        "mirror": True,
        "linecolor": line,
        "ticks": "outside",
        "tickcolor": line,
        "gridcolor": "rgba(138, 138, 138, 0.2)",
        "zeroline": False,
        "title": {"standoff": 8},
    }
    return go.layout.Template(
        layout={
            "paper_bgcolor": "rgba(0, 0, 0, 0)",
            "plot_bgcolor": "rgba(0, 0, 0, 0)",
            "font": {"color": text, "size": 13, "family": "Source Sans Pro, Source Sans, system-ui, sans-serif"},
            "colorway": CLASS_COLOURS,
            "colorscale": {"sequential": SEQUENTIAL},
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"align": "left"},
            "modebar": {"bgcolor": "rgba(0, 0, 0, 0)", "color": NEUTRAL, "activecolor": text},
            "legend": {"itemsizing": "constant", "title": {"text": ""}},
            "margin": {"l": 70, "r": 20, "t": 60, "b": 50},
        }
    )


def panel_title(title: str, accuracy: float | None, judged: int, shown: int | None = None) -> str:
    """Title of a panel, with accuracy and number of images in small type below; a few errors never round to 100 %.

    ``judged`` is the number of images that the accuracy is of, ``shown`` that of the panel where it is another.
    """
    known = "" if accuracy is None else f"accuracy {percent(accuracy)}, "
    n = n_text(accuracy, judged, judged if shown is None else shown)
    return f"<b>{title}</b><br><span style='font-size:12px'>{known}{n}</span>"


def title_annotation(text: str, axis: str) -> dict[str, Any]:
    """Centre a title above the drawn area of the subplot whose axes have this number ("" for the first)."""
    return {
        "text": text,
        "showarrow": False,
        "xref": f"x{axis} domain",
        "yref": f"y{axis} domain",
        "x": 0.5,
        "y": 1.0,
        "xanchor": "center",
        "yanchor": "bottom",
        "yshift": 4,
    }
