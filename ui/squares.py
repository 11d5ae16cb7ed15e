"""Charts with equal axes that are as large after the full screen as before it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "ssrvae-squares", html="<span></span>", js=Path(__file__).with_name("squares.js").read_text("utf-8")
)


def keep(page: str) -> None:
    """Have the charts of this page keep their size; to be called once on a page, after them."""
    _component(key=f"{page}-squares")
