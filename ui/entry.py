"""The way into a page: always through ``app.py``."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def through_app() -> None:
    """Start again through ``app.py`` where Streamlit runs a page by itself.

    It does so while nobody has opened the front page since the server started, because a folder is called ``pages``:
    a permalink would then open without the navigation and the layout that ``app.py`` gives it.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
