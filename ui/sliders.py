"""Numbers that are in the address: sliders and number fields, as :func:`ui.state.pick` is for lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from ui import markdown
from ui.markdown import verbatim
from ui.state import harmless, key


def resolve_numbers(
    asked: str | None, low: float, high: float, default: Sequence[float]
) -> tuple[tuple[float, ...], bool]:
    """Return the numbers to start with, and whether what the address asks for had to be refused.

    Parameters
    ----------
    asked : str, optional
        The value in the address: as many numbers as ``default`` has, ascending, with commas between them.
    low, high : float
        The smallest and the largest number allowed.
    default : sequence of float
        What it is otherwise.
    """
    if asked is None:
        return tuple(default), False
    try:
        values = tuple(float(part) for part in asked.split(","))
    except ValueError:
        return tuple(default), True
    sound = len(values) == len(default) and list(values) == sorted(values)
    if not sound or not all(math.isfinite(value) and low <= value <= high for value in values):
        return tuple(default), True
    return values, False


def number(
    page: str,
    name: str,
    label: str,
    low: float,
    high: float,
    default: float | tuple[float, float],
    *,
    of: str = "",
    step: float = 1,
    slider: bool = True,
    format: str | None = None,
    help: str | None = None,
    refused: list[str] | None = None,
) -> tuple[float, ...]:
    """Show a slider, or a field, for a number or a range of numbers; the address has it unless it is the default.

    Parameters
    ----------
    page, name : str
        The page, and the name in its address.
    label : str
        Label of the widget.
    low, high, default, step : float
        Range, default (two numbers for a range) and step.
    of : str
        What the default belongs to, such as a data set: for each the number is kept apart.
    slider : bool
        A slider; else a field to type into, for one number.
    format : str, optional
        How a number reads, as for ``st.slider``.
    help : str, optional
        Tooltip.
    refused : list of str, optional
        Of a field: takes a sentence on a number out of range, instead of which the nearest one is returned. Without
        it the browser keeps such a number to itself, and the page goes on with the one before it.

    Returns
    -------
    tuple of float
        One number, or the two ends of the range.
    """
    defaults = default if isinstance(default, tuple) else (default,)
    whole = all(float(value).is_integer() for value in (low, high, step, *defaults))
    as_kind = int if whole else float
    widget = key(page, f"{of}-{name}")
    if widget not in st.session_state:
        asked = st.query_params.get(name)
        values, unknown = resolve_numbers(asked, low, high, defaults)
        if unknown:
            markdown.warning(
                f"The address asks for '{harmless(asked or '')}' as {label.lower()}, which is not available; "
                f"showing {text(defaults)} instead."
            )
        start = tuple(as_kind(value) for value in values)
        st.session_state[widget] = start if len(start) > 1 else start[0]
    bounds = {"min_value": as_kind(low), "max_value": as_kind(high)} if refused is None else {}
    show: Any = st.slider if slider else st.number_input
    told = None if help is None else verbatim(help)
    chosen = show(verbatim(label), **bounds, step=as_kind(step), key=widget, format=format, help=told)
    now = tuple(chosen) if isinstance(chosen, tuple) else (chosen,)
    if refused is not None and not low <= chosen <= high:
        refused.append(f"{label} is {chosen:,}; choose one from {low:g} to {high:,} to start a training.")
        return (as_kind(min(max(chosen, low), high)),)
    if now == tuple(defaults):
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != text(now):
        st.query_params[name] = text(now)
    return now


def text(values: Sequence[float]) -> str:
    """Write numbers as the address has them."""
    return ",".join(f"{value:.6g}" for value in values)
