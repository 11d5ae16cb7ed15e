"""Text to be read as it is: names come from files and other people, and most of what Streamlit shows is Markdown."""

from __future__ import annotations

import re

import streamlit as st

# An underscore within a word means nothing, nor does a colon unless an icon or a colour may follow.
_MARKUP = re.compile(r"^[#>+-]|[\\`*\[\]<$~|]|(?<![^\W_])_|_(?![^\W_])|:(?=[a-z])")


def verbatim(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return _MARKUP.sub(r"\\\g<0>", text)


def note(text: str) -> None:
    """Show a caption as it is."""
    st.caption(verbatim(text))
