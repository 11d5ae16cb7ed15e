"""Permalinks: what a page shows is in its address, and a bad address falls back with a sentence.

The address counts when a page is entered; from then on the widgets do, and the address follows them. So a rerun that
overtakes its own address update never turns a widget back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import streamlit as st

from ui import markdown
from ui.markdown import verbatim, words

_MEMORY = "last chosen"
_LONGEST_ECHO = 40


def resolve(asked: str | None, remembered: str | None, options: Sequence[str], default: str) -> tuple[str, bool]:
    """Return the option to show on entering a page, and whether what the address asks for had to be refused.

    Parameters
    ----------
    asked : str, optional
        The value in the address.
    remembered : str, optional
        What this session chose last, here or on another page.
    options : sequence of str
        What there is to choose from.
    default : str
        One of ``options``.
    """
    known = set(options)
    if asked is not None and asked in known:
        return asked, False
    fallback = remembered if remembered is not None and remembered in known else default
    return fallback, asked is not None


def harmless(text: str) -> str:
    """Return a piece of an address fit to be repeated on a page: short, and without markup."""
    plain = re.sub(r"[^\w .,:=-]", "", text)
    return plain if len(plain) <= _LONGEST_ECHO else plain[:_LONGEST_ECHO] + " ..."


def not_there(asked: str, label: str, shown: str = "none") -> str:
    """Say that an address asks for what is not there, and what is shown instead."""
    return (
        f"The address asks for '{harmless(asked)}' as {label.lower()}, which is not available; showing {shown} instead."
    )


def key(page: str, name: str) -> str:
    """Key of the widget that :func:`pick` makes."""
    return f"{page}-{name}"


def forget(page: str, name: str) -> None:
    """Have a widget begin again: without its value, its part of the address, and what was chosen last."""
    st.query_params.pop(name, None)
    st.session_state.pop(key(page, name), None)
    st.session_state.get(_MEMORY, {}).pop(name, None)


def drop(name: str, label: str, shown: str) -> None:
    """Take a name out of the address where there is no choice, with a sentence if it asks for something else."""
    asked = st.query_params.pop(name, None)
    if asked not in (None, shown):
        markdown.warning(not_there(asked or "", label, shown))


def pick(
    page: str,
    name: str,
    label: str,
    options: Sequence[str],
    default: str,
    *,
    format_func: Callable[[str], str] = str,
    segmented: bool = False,
    help: str | None = None,
) -> str:
    """Show a widget to choose one option, tied to the address.

    Parameters
    ----------
    page, name : str
        The page, and the name in its address. Pages that use one name hand its value on to each other.
    label : str
        Label of the widget.
    options : sequence of str
        What there is to choose from, at least one.
    default : str
        One of ``options``.
    format_func : callable
        How an option reads.
    segmented : bool
        A row of buttons instead of a list to open.
    help : str, optional
        Tooltip of the widget.
    """
    widget = key(page, name)
    memory = st.session_state.setdefault(_MEMORY, {})
    if widget not in st.session_state:
        asked = st.query_params.get(name)
        st.session_state[widget], refused = resolve(asked, memory.get(name), options, default)
        if refused:
            markdown.warning(not_there(asked or "", label, format_func(st.session_state[widget])))
    elif st.session_state[widget] not in options:
        st.session_state[widget] = default
    if segmented:
        st.segmented_control(
            verbatim(label),
            options,
            format_func=words(format_func),
            key=widget,
            help=None if help is None else verbatim(help),
            required=True,
        )
    else:
        st.selectbox(
            verbatim(label), options, format_func=format_func, key=widget, help=None if help is None else verbatim(help)
        )
    chosen: str = st.session_state[widget]
    memory[name] = chosen
    if st.query_params.get(name) != chosen:
        st.query_params[name] = chosen
    return chosen
