"""What a browser says of what it shows, without what cannot be meant."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Int

ID = r"-?\d{1,19}"
"""A sample id as text."""

_SPAN = re.compile(rf"(?:^|(?<=\.))({ID})(?:-({ID}))?(?=\.|$)", re.ASCII)

LONGEST = 8000
"""Characters that a part of an address may have."""

LARGEST = 2**53 - 1
"""The largest whole number that a browser can tell from the next one."""


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
        "open": sample_id(view.get("open")),
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


def sample_id(value: Any) -> int | None:
    """Return the sample id that a text is, None for anything else; as a number, a browser would round large ones."""
    found = int(value) if isinstance(value, str) and re.fullmatch(ID, value, re.ASCII) else None
    return found if found is None or found == _within_int64(found) else None


def ids_of(ranges: str, known: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Return those of the known ids that are in ranges such as ``-5--3.12``.

    Parameters
    ----------
    ranges : str
        What is not a range in it counts for nothing.
    known : int64 array (N,)
        Ids, ascending.
    """
    return _within([(int(first), int(last or first)) for first, last in _SPAN.findall(ranges)], known)


def ids_in_link(select: str, known: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Return those of the known ids that an address selects by ids; none where it selects by outlines.

    Parameters
    ----------
    select : str
        As ``linkOf`` in ``ids.js`` writes it, after an "r".
    known : int64 array (N,)
        Ids, ascending.
    """
    if select.startswith("ri"):
        return ids_of(select[2:], known)
    return _within(_unpacked(select[2:]) if select.startswith("rp") else [], known)


def _unpacked(text: str) -> list[tuple[int, int]]:
    """Return the runs of ids that are packed in a text, none where it is something else."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return []
    numbers, number, shift = [], 0, 0
    for byte in content:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    runs: list[tuple[int, int]] = []
    for begin, more in zip(numbers[::2], numbers[1::2], strict=False):
        first = runs[-1][1] + begin + 2 if runs else (-(begin + 1) // 2 if begin % 2 else begin // 2)
        runs.append((first, first + more))
    return runs


def _within(spans: Sequence[tuple[int, int]], known: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    if not spans:
        return known[:0]
    firsts, lasts = np.array([[_within_int64(end) for end in span] for span in spans], np.int64).T
    begins = np.searchsorted(known, firsts, side="left")
    ends = np.searchsorted(known, lasts, side="right")
    some = begins < ends
    # How many ranges each id is in.
    changes = np.zeros(len(known) + 1, np.int64)
    np.add.at(changes, begins[some], 1)
    np.subtract.at(changes, ends[some], 1)
    return known[np.cumsum(changes[:-1]) > 0]


def _within_int64(number: int) -> int:
    return min(max(number, -(2**63)), 2**63 - 1)


def follow(address: Mapping[str, str], names: Collection[str]) -> None:
    """Have the address of the page say what the browser shows, of these parts of it."""
    for name in names:
        if name in address:
            if st.query_params.get(name) != address[name]:
                st.query_params[name] = address[name]
        elif name in st.query_params:
            del st.query_params[name]
