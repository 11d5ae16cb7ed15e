"""Several options at once, tied to the address as :func:`ui.state.pick` is for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from ui import markdown
from ui.markdown import verbatim
from ui.state import harmless, key

SEPARATOR = "."
NONE = "none"


def resolve_several(asked: str | None, options: Sequence[str], default: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the options to show on entering a page, in their order, and the names in the address that are none.

    Parameters
    ----------
    asked : str, optional
        The value in the address: names with dots between them, or "none".
    options : sequence of str
        What there is to choose from.
    default : sequence of str
        Some of ``options``, for an address without the value or with nothing in it that there is.
    """
    if asked is None:
        return list(default), []
    if asked == NONE:
        return [], []
    names = set(asked.split(SEPARATOR))
    known = [option for option in options if option in names]
    return known or list(default), sorted(names - set(options))


def pick_several(
    page: str,
    name: str,
    label: str,
    options: Sequence[str],
    default: Sequence[str],
    *,
    format_func: Callable[[str], str] = str,
    of: str = "",
    help: str | None = None,
) -> list[str]:
    """Show a list to choose any number of options from; the address has them unless they are the default.

    Parameters
    ----------
    page, name : str
        The page, and the name in its address.
    label : str
        Label of the widget.
    options : sequence of str
        What there is to choose from; names without a dot.
    default : sequence of str
        Some of ``options``.
    format_func : callable
        How an option reads.
    of : str
        What the options belong to, such as a data set: for each the choice is kept apart.
    help : str, optional
        Tooltip of the widget.
    """
    widget = key(page, f"{of}-{name}")
    if widget not in st.session_state:
        st.session_state[widget], unknown = resolve_several(st.query_params.get(name), options, default)
        if unknown:
            shown = ", ".join(map(format_func, st.session_state[widget])) or "none"
            markdown.warning(
                f"The address asks for '{harmless(', '.join(unknown))}' as {label.lower()}, which is not available; "
                f"showing {shown} instead."
            )
    else:
        st.session_state[widget] = [option for option in st.session_state[widget] if option in options]
    st.multiselect(
        verbatim(label),
        options,
        format_func=format_func,
        key=widget,
        help=None if help is None else verbatim(help),
        placeholder="None",
    )
    chosen = [option for option in options if option in st.session_state[widget]]
    if chosen == [option for option in options if option in default]:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != (text := SEPARATOR.join(chosen) or NONE):
        st.query_params[name] = text
    return chosen
