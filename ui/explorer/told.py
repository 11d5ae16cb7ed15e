"""What a browser says of what it shows, without what cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Int

LONGEST = 8000
"""Characters that a part of an address may have."""

LARGEST = 2**53 - 1
"""The largest whole number that a browser can tell from the next one."""

_RANGE = re.compile(r"(?<![\d-])(\d{1,15})(?:-(\d{1,15}))?(?=\.|$)")


def sound(told: Any, names: Collection[str]) -> dict[str, Any]:
    """Return what a browser says of its view; of the address, only what is called by one of these names."""
    view = told.get("view") if isinstance(told, Mapping) else None
    view = view if isinstance(view, Mapping) else {}
    address = view.get("address")
    sheets = view.get("sheets")
    actions = view.get("actions")
    return {
        "sequence": whole(view.get("sequence")) or 0,
        "ids": view["ids"] if isinstance(view.get("ids"), str) else "",
        "open": whole(view.get("open")),
        "address": {
            name: text
            for name, text in (address.items() if isinstance(address, Mapping) else ())
            if name in names and isinstance(text, str) and len(text) <= LONGEST
        },
        "sheets": sorted({i for i in (sheets if isinstance(sheets, list) else []) if whole(i) is not None}),
        "actions": [a for a in (actions if isinstance(actions, list) else []) if isinstance(a, Mapping)],
    }


def whole(value: Any) -> int | None:
    """Return a whole number that is not negative and that a browser can count to, None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST else None


def ids_in(ranges: str, known: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Return those of the known ids that lie in ranges such as ``3-8.12``, ascending.

    Parameters
    ----------
    ranges : str
        In any order; they may overlap, and span ids that are not known.
    known : int64 array (N,)
        Ascending.
    """
    spans = [(int(found[1]), int(found[2] or found[1])) for found in _RANGE.finditer(ranges)]
    first, last = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    begin, end = np.searchsorted(known, first, side="left"), np.searchsorted(known, last, side="right")
    some = begin < end
    # Counted at their ends alone, as a browser may name more ids than fit into memory.
    changes = np.bincount(begin[some], minlength=len(known) + 1) - np.bincount(end[some], minlength=len(known) + 1)
    return known[changes.cumsum()[: len(known)] > 0]


def follow(address: Mapping[str, str], names: Collection[str]) -> None:
    """Have the address of the page say what the browser shows, of these parts of it."""
    for name in names:
        if name in address:
            if st.query_params.get(name) != address[name]:
                st.query_params[name] = address[name]
        elif name in st.query_params:
            del st.query_params[name]
