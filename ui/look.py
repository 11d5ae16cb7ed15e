"""What Streamlit's theme cannot say about the look of every page."""

from __future__ import annotations

import streamlit as st

# White type on the dark theme's own blue would not read; this one carries it, and stands out from either background.
# Nor would some colours of a highlighted command on the dark page.
_STYLE = """<style>
[data-testid="stBaseButton-primary"]:not(:disabled), [data-testid="stMultiSelectTagsContainer"] [data-tag] {
  background-color: #0072B2; border-color: #0072B2; color: #FFFFFF}
[data-testid="stBaseButton-primary"]:not(:disabled):hover {background-color: #005A8D; border-color: #005A8D}
[data-testid="stCode"] .token {color: inherit !important}
</style>"""


def show() -> None:
    """Put the styles of every page on this one."""
    st.html(_STYLE)
