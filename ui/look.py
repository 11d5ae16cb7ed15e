"""What Streamlit's theme cannot say about the look and the keyboard of every page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_HERE = Path(__file__)
_STYLE = f"<style>{_HERE.with_suffix('.css').read_text('utf-8')}</style>"
_keyboard = st.components.v2.component(
    "ssrvae-look", html="<span></span>", js=_HERE.with_suffix(".js").read_text("utf-8")
)

SIDEBAR = 220
"""Pixels of the list of pages; the rest of the window is the page's."""


def show() -> None:
    """Put the styles of every page on this one, and have the tools above a chart be one stop for the keyboard."""
    st.html(_STYLE)
    _keyboard(key="look")
