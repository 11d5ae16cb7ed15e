"""Text to be read as it is: names come from files and other people, and most of what Streamlit shows is Markdown.

Whatever is not a constant of the program goes through this module: a message through :func:`error` and its siblings,
a sentence of ours around a name through :func:`show` or :func:`filled`, a label through :func:`verbatim`, the options
of buttons through :func:`words`, and plain text through :func:`public`. A test holds every page to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.mode import is_viewer

# An underscore within a word means nothing, nor does a colon unless an icon, a colour or a small picture may follow.
_MARKUP = re.compile(
    r"^[#>+-]|(?<=^\d)[.)](?=\s|$)|(?<=^\d\d)[.)](?=\s|$)|[\\`*\[\]<$~|&]|(?<![^\W_])_|_(?![^\W_])|:(?=[a-z+-]|\d\w*:)"
)
# An address is made a link wherever it stands, escaped or not; a joiner that nobody sees keeps it what it is: text.
_ADDRESS = re.compile(r"(?=://)|(?<=\bwww)(?=\.)|(?=@)", re.IGNORECASE)
_JOINER = "\u2060"
_LINES = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
# Two folders or more, so that "labelled/all" is none, and what follows the colon of an address neither.
_PATH = re.compile(r"(?<![\w:/.~-])(?:~?/[^\s/,;:'\"()]+)+/([^\s/,;:'\"()]+)")


def verbatim(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    line = _LINES.sub(" ", public(text).strip())
    return _ADDRESS.sub(_JOINER, _MARKUP.sub(r"\\\g<0>", line))


def public(text: str) -> str:
    """Return a text fit for people who may only look: without the folders of the server, for an editor as it is."""
    try:
        if not is_viewer():
            return text
    except UserError:  # it is being said that the mode is neither of the two
        pass
    root = RunStore().root
    for folder in dict.fromkeys((str(root.absolute()), str(root.resolve()), str(root))):
        if len(Path(folder).parts) > 1:
            text = re.sub(rf"(?<![\w.~/-]){re.escape(folder)}(?![\w-])", root.name, text)
    return _PATH.sub(r"\1", text)


class Markdown(str):
    """Markdown that may be shown: constants of ours, and names that are escaped in it; made by :func:`filled`."""


def filled(template: str, /, **values: object) -> Markdown:
    """Return Markdown of ours with these values in it, each of them shown as it is.

    Parameters
    ----------
    template : str
        Markdown with ``{name}`` where a value goes.
    **values
        The values by name; one that is :class:`Markdown` already goes in as it is.
    """
    shown = {n: value if isinstance(value, Markdown) else verbatim(str(value)) for n, value in values.items()}
    return Markdown(template.format(**shown))


def listed(lines: Iterable[str]) -> Markdown:
    """Return lines as a list, each of them shown as it is."""
    return Markdown("".join(f"- {verbatim(line)}\n" for line in lines))


def words(format_func: Callable[[Any], str]) -> Callable[[Any], str]:
    """Have the options of buttons, which read Markdown, shown as they are."""
    return lambda option: verbatim(format_func(option))


# Messages.


def error(text: str) -> None:
    """Show an error as it is."""
    st.error(verbatim(text))


def warning(text: str) -> None:
    """Show a warning as it is."""
    st.warning(verbatim(text))


def info(text: str) -> None:
    """Show a piece of information as it is."""
    st.info(verbatim(text))


def success(text: str) -> None:
    """Show that something went well, as it is."""
    st.success(verbatim(text))


def note(text: str) -> None:
    """Show a caption as it is."""
    st.caption(verbatim(text))


def progress(share: float, text: str) -> None:
    """Show how far something is, from 0 to 1, with a text as it is."""
    st.progress(share, verbatim(text))


def show(template: str, /, **values: object) -> None:
    """Show Markdown of ours with values in it, as :func:`filled` does."""
    made(filled(template, **values))


def made(text: Markdown) -> None:
    """Show Markdown that was put together before."""
    st.markdown(text)
