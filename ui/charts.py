"""Charts on a page: one config for all, and one legend for charts that stand side by side."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape, unescape
from typing import Any, Literal

import plotly.graph_objects as go
import streamlit as st

from ssrvae_core.figures import theme
from ui.markdown import verbatim
from ui.markers import SHAPES
from ui.presentation import enlarged, pixels, presenting

PANEL_HEIGHT = 420
PICTURES = ("SVG", "PNG")
"""What the camera button saves."""
_PICTURE, _CHOICE = "picture-format", "picture-format-choice"
"""Where the session keeps the choice, and the widget that makes it: a widget's own value is gone on the next page."""
MARGIN = {"l": 70, "r": 16, "t": 84, "b": 50}
"""Streamlit's theme takes the figures' own away; above a title is room for the buttons that appear on hovering.

Axes have to fit into them: only one that asks for ``automargin`` makes them wider.
"""
_LONGEST_FILE_NAME = 120
_BAR = 132
"""Pixels of a colour bar with its numbers and its title."""

_LEGEND_STYLE = """<style>
[data-testid="stFullScreenFrame"]:not(:has([data-title="Close fullscreen"])) .js-plotly-plot .legend2 {display: none}
ul.legend {display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 0.9rem; margin: 2px 0; padding: 0;
    list-style: none}
ul.legend li {display: inline-flex; align-items: center; gap: 6px; margin: 0}
</style>"""


def show(
    figure: go.Figure,
    key: str,
    alt: str,
    *,
    file_name: str,
    height: int = PANEL_HEIGHT,
    on_select: Callable[[], None] | Literal["rerun", "ignore"] = "ignore",
    selection_mode: Sequence[Literal["points", "box", "lasso"]] = ("points", "box", "lasso"),
) -> Any:
    """Show a figure over the width of its column; its camera button saves it as a picture.

    Parameters
    ----------
    figure : go.Figure
        The figure.
    key : str
        Key of the chart, and of its selection in the session state.
    alt : str
        What is to be seen, for people who cannot see it.
    file_name : str
        Name of a saved picture, without its ending.
    height : int
        Pixels.
    on_select, selection_mode
        As for ``st.plotly_chart``.

    Returns
    -------
    Any
        What ``st.plotly_chart`` returns.
    """
    if presenting():
        figure = enlarged(figure)
    for axis in [*figure.select_xaxes(), *figure.select_yaxes()]:
        axis.automargin = bool(axis.automargin)  # Streamlit's theme would have every axis fit its margins
    # Streamlit hands a figure to plotly twice, as two objects with the same content: nothing to be drawn again.
    figure.update_layout(datarevision=key)
    if on_select != "ignore":  # what Streamlit would set while the figure is being drawn
        figure.update_layout(clickmode="event+select" if "points" in selection_mode else "event", hovermode="closest")
    config = {
        **theme.CONFIG,
        "responsive": True,
        "toImageButtonOptions": camera(file_name),
    }
    return st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        height=pixels(height),
        config=config,
        on_select=on_select,
        selection_mode=selection_mode,
    )


def choose_picture(label: str) -> None:
    """Show the choice of what the camera button saves; it holds on every page."""
    st.session_state.setdefault(_CHOICE, st.session_state.get(_PICTURE) or PICTURES[0])

    def keep() -> None:
        st.session_state[_PICTURE] = st.session_state[_CHOICE]

    st.segmented_control(verbatim(label), PICTURES, key=_CHOICE, required=True, on_change=keep)


def harmless_file_name(name: str) -> str:
    """Return a name that any system takes for a file, without its ending: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.")[:_LONGEST_FILE_NAME] or "figure"


def camera(file_name: str) -> dict[str, Any]:
    """Return what plotly's camera button saves: a picture of this name, in the chosen format."""
    picture = st.session_state.get(_PICTURE) or PICTURES[0]
    return {"format": picture.lower(), "filename": harmless_file_name(file_name), "scale": 1 if picture == "SVG" else 3}


def make_panel(figure: go.Figure, **layout: Any) -> None:
    """Fit a figure of one panel into a column: no legend, and the margins that Streamlit's theme takes away.

    A panel with a colour axis has room for its bar also where no point needs it, to be as large as one beside it.
    """
    left = max(MARGIN["l"], figure.layout.margin.l or 0)  # beside a matrix its names may need more
    right = _BAR if "coloraxis" in layout else MARGIN["r"]
    figure.update_layout(showlegend=False, margin=MARGIN | {"l": left, "r": right}, **layout)
    figure.update_annotations(yshift=10)


def with_legend_in_full_screen(figure: go.Figure) -> None:
    """Give a figure that shares the legend of a page its own one in the full screen."""
    figure.update_traces(legend="legend2")
    figure.update_layout(showlegend=True, legend2=figure.layout.legend.to_plotly_json())


def with_legend_below(figure: go.Figure) -> go.Figure:
    """Return a figure with its legend under the axes, where it may take as many rows as it needs."""
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.22, "yanchor": "top", "yref": "paper"}
    above = MARGIN["t"] if figure.layout.annotations else 40  # with a title, or without
    return figure.update_layout(margin=MARGIN | {"t": above, "b": 110}, legend=legend)


def legend(*figures: go.Figure) -> str:
    """Return the one legend of several scatters as HTML that wraps, in the order of their own.

    A name may be escaped already, as it is for plotly.
    """
    entries = {t.name: t for figure in figures for t in figure.data if t.showlegend is not False}
    ranked = sorted(entries.values(), key=lambda trace: trace.legendrank)
    shown = "".join(f"<li>{_symbol(trace.marker)}{escape(unescape(trace.name))}</li>" for trace in ranked)
    return f'{_LEGEND_STYLE}<ul class="legend" aria-label="Legend">{shown}</ul>'


def class_legend(names: Sequence[str]) -> str:
    """Return a legend of the classes alone, in the colours and shapes that they have in every figure."""
    looks = [
        go.scatter.Marker(color=theme.class_colour(label), symbol=theme.class_symbol(label))
        for label in range(len(names))
    ]
    shown = "".join(f"<li>{_symbol(look)}{escape(name)}</li>" for look, name in zip(looks, names, strict=True))
    return f'{_LEGEND_STYLE}<ul class="legend" aria-label="Classes">{shown}</ul>'


def _symbol(marker: go.scatter.Marker) -> str:
    hollow = marker.symbol.endswith("-open")
    paint = f'fill="none" stroke="{marker.color}" stroke-width="2"' if hollow else f'fill="{marker.color}"'
    shape = f'<path d="{SHAPES[marker.symbol.removesuffix("-open")]}"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="14" height="14" viewBox="0 0 16 16" {paint}>{shape}</svg>'
    # As an image: Streamlit strips drawings from its HTML.
    return f'<img src="data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}" alt="">'
