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


WIDE = 1700
"""Pixels of a window from which charts are higher, as they are wider."""
HIGHER = 1.4
_KEY, _STRETCH = "look", "look-stretch"


def show() -> None:
    """Put the styles of every page on this one, and have the tools above a chart be one stop for the keyboard."""
    st.html(_STYLE)

    def ignore() -> None:  # a value is only told with a callback for it
        pass

    wide = st.session_state.get(_STRETCH, 1.0) > 1
    told = _keyboard(key=_KEY, data={"from": WIDE, "wide": wide}, on_wide_change=ignore)
    if (now := told.get("wide")) is not None:
        st.session_state[_STRETCH] = HIGHER if now is True else 1.0


def stretch() -> float:
    """How much higher charts are in this visitor's window than in one of 1280 pixels."""
    factor: float = st.session_state.get(_STRETCH, 1.0)
    return factor
