"""Type in charts as dark, or as light, as on the page: Streamlit's theme has it in a grey that is too pale."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

LIGHT, DARK = "#101114", "#FAFAFA"
"""The colour of text on a light and on a dark page."""


def ink() -> str:
    """Return the colour of text on this page."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def legible(figure: go.Figure) -> go.Figure:
    """Write titles, axes and legend of a figure in that colour, and return it."""
    colour = ink()
    figure.update_layout(font_color=colour, legend_font_color=colour)
    figure.update_xaxes(tickfont_color=colour, title_font_color=colour)
    figure.update_yaxes(tickfont_color=colour, title_font_color=colour)
    return figure
