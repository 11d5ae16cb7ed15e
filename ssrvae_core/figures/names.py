"""Names as axes, legends and titles have room for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape, unescape
from unicodedata import east_asian_width

import numpy as np

LONGEST = 18
"""Most characters of a name in a figure, its ellipsis included."""

BESIDE_CELLS = 12
"""The same beside a confusion matrix, which gets the room that its names leave."""

EXACT = 2**53
"""Whole numbers below this are held exactly by a browser's numbers."""

_CHARACTER = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+);|.", re.DOTALL)


def plain(text: str) -> str:
    """Return a text that plotly shows as it is: it reads a little HTML in every string, and ``%{}`` when it hovers."""
    return escape(text, quote=False).replace("%{", "&#37;{")


def exact(ids: np.ndarray) -> np.ndarray:
    """Return sample ids as a browser shows them: texts where one is too large for its numbers, which round."""
    rounded = len(ids) and max(-int(ids.min()), int(ids.max())) >= EXACT
    return ids.astype(str) if rounded else ids


def short_names(names: Sequence[str], longest: int = LONGEST) -> tuple[str, ...]:
    """Shorten long names so that different ones stay different.

    Parameters
    ----------
    names : sequence of str
        All names that stand beside each other; ``&lt;`` and the like are one character, and are never cut.
    longest : int
        Most characters of a name, its ellipsis included.

    Returns
    -------
    tuple of str
        Names cut at their end, or in their middle where their beginnings are alike; numbered from 1 where that does
        not tell them apart either.
    """
    for tail in (0, 2 * longest // 5):
        short = tuple(_cut(name, longest, tail) for name in names)
        if len(set(short)) == len(set(names)):
            return short
    return tuple(f"{number} {_cut(name, longest, 0)}" for number, name in enumerate(names, start=1))


def width(name: str) -> float:
    """Pixels that a name takes beside an axis, by a guess for each character that is wide for most type."""
    wide, capital, other = 13.0, 9.5, 7.0
    return sum(
        wide if east_asian_width(one) in "WF" else capital if one.isupper() or one in "mw@%" else other
        for one in unescape(name)
    )


def _cut(name: str, longest: int, tail: int) -> str:
    """Keep the beginning of a long name, and this many characters of its end."""
    characters = _CHARACTER.findall(name)
    if len(characters) <= longest:
        return name
    beginning, end = "".join(characters[: longest - 1 - tail]), "".join(characters[len(characters) - tail :])
    return f"{beginning.rstrip()}\u2026{end}"
