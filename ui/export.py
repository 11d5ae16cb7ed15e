"""What can be taken away: the export menu every page has, and the selection."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st


def standalone_html(figure: go.Figure, title: str, caption: str) -> str:
    """Return a page that shows a figure without a network: the figure, plotly itself, and the caption below."""
    white = go.Figure(figure).update_layout(paper_bgcolor="#FFFFFF", plot_bgcolor="#FFFFFF", height=600)
    body = white.to_html(include_plotlyjs=True, full_html=False, config={"displaylogo": False})
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<body style="font-family: system-ui, sans-serif; margin: 24px; color: #31333F; background: #FFFFFF">'
        f"<h1>{escape(title)}</h1>{body}<p>{escape(caption)}</p></body></html>"
    )


def csv(table: pd.DataFrame) -> str:
    """Return a table as CSV; empty fields where there is no number."""
    return table.to_csv(index=False, float_format="%.6g")


def menu(
    name: str,
    title: str,
    caption: str,
    *,
    table: Callable[[], pd.DataFrame],
    figure: Callable[[], go.Figure] | None = None,
) -> None:
    """Show the export menu; nothing is made before its button is pressed.

    Parameters
    ----------
    name : str
        Name of the files, without their endings.
    title, caption : str
        Heading and caption of the figure's page.
    table : callable
        Makes the table to save as CSV.
    figure : callable, optional
        Makes the figure to save as a page of its own.
    """
    with st.popover("Export", icon=":material/download:"):
        if figure is not None:
            st.download_button(
                "Figure as HTML, for any browser",
                data=lambda: standalone_html(figure(), title, caption),
                file_name=f"{name}.html",
                mime="text/html",
                on_click="ignore",
                key=f"{name}-html",
            )
            st.caption("The camera above a chart saves that chart as SVG.")
        st.download_button(
            "Data as CSV",
            data=lambda: csv(table()),
            file_name=f"{name}.csv",
            mime="text/csv",
            on_click="ignore",
            key=f"{name}-csv",
        )


def selection(ids: np.ndarray, table: Callable[[], pd.DataFrame]) -> None:
    """Show how many samples are selected, also when there are none, and offer them as CSV."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(ids)} selected**")
        st.download_button(
            "Selection as CSV",
            data=lambda: csv(table()),
            file_name="selection.csv",
            mime="text/csv",
            on_click="ignore",
            disabled=not len(ids),
            icon=":material/download:",
        )
