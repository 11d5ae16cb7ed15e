"""What a browser says of what it shows, without what cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import streamlit as st

LONGEST = 8000
"""Characters that a part of an address may have."""


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
        "sheets": [i for i in (sheets if isinstance(sheets, list) else []) if whole(i) is not None],
        "actions": [a for a in (actions if isinstance(actions, list) else []) if isinstance(a, Mapping)],
    }


def whole(value: Any) -> int | None:
    """Return a whole number that is not negative, None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def ids_of(ranges: str, largest: int) -> np.ndarray:
    """Return the numbers of ranges such as ``3-8.12``, none of them above the largest there can be."""
    parts = [np.empty(0, np.int64)]
    for found in re.finditer(r"(?<![\d-])(\d{1,15})(?:-(\d{1,15}))?(?=\.|$)", ranges):
        first, last = int(found[1]), min(int(found[2] or found[1]), largest)
        parts.append(np.arange(first, last + 1, dtype=np.int64) if first <= last else parts[0])
    return np.concatenate(parts)


def follow(address: Mapping[str, str], names: Collection[str]) -> None:
    """Have the address of the page say what the browser shows, of these parts of it."""
    for name in names:
        if name in address:
            if st.query_params.get(name) != address[name]:
                st.query_params[name] = address[name]
        elif name in st.query_params:
            del st.query_params[name]
