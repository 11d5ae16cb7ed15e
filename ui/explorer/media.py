"""Files that a page's component fetches: under the address of their content, so that a browser asks for each once."""

from __future__ import annotations

from pathlib import Path

from streamlit.runtime import exists, get_instance

SCRIPT = (Path(__file__).parent / "page.js").read_text("utf-8")
"""What fetches them, and has a component fill the window."""


def address(content: bytes, mime: str, place: str) -> str:
    """Return the address, relative to the app's, under which the browser finds this content while the page shows it.

    Parameters
    ----------
    content : bytes
        The file.
    mime : str
        Its type.
    place : str
        Where the page uses it: a file at the same place gives way to this one.
    """
    if not exists():  # a page that is tested without a server
        return ""
    url: str = get_instance().media_file_mgr.add(content, mime, f"explorer {place}")
    return url.lstrip("/")
