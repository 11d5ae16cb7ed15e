"""The way into a page: always through ``app.py``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from ssrvae_core.config import UserError
from ui import markdown

P = ParamSpec("P")


def in_a_sentence(body: Callable[P, None]) -> Callable[P, None]:
    """Have the body of a fragment say what is refused; ``app.py``, which does so for a page, is not run with it."""

    @wraps(body)
    def told(*args: P.args, **options: P.kwargs) -> None:
        try:
            body(*args, **options)
        except UserError as error:
            markdown.error(str(error))

    return told


def through_app() -> None:
    """Start again through ``app.py`` where Streamlit runs a page by itself.

    It does so while nobody has opened the front page since the server started, because a folder is called ``pages``:
    a permalink would then open without the navigation and the layout that ``app.py`` gives it.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
