"""Rows of small pictures under a title: what went from one class to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import ClassVar

import numpy as np

from ui.images import data_uri

_STYLE = """<style>
.strip {margin: 0 0 10px}
.strip h4 {font-size: 0.95rem; margin: 0 0 4px; padding: 0; font-weight: 600}
.strip div {display: flex; flex-wrap: wrap; gap: 4px}
.strip img {width: 48px; height: 48px; object-fit: contain; image-rendering: pixelated; border-radius: 3px}
</style>"""


@dataclass(frozen=True)
class Strip:
    """Pictures under a title.

    Attributes
    ----------
    title : str
        What they have in common.
    ids : int array (n,)
        All particles it is of.
    pixels : uint8 array (m, H, W) or (m, H, W, 3)
        Pictures of the first of them.
    """

    MOST: ClassVar[int] = 24
    ROWS: ClassVar[int] = 6

    title: str
    ids: np.ndarray
    pixels: np.ndarray


def strips(rows: Sequence[Strip]) -> str:
    """Return rows of pictures as HTML; every text in it is escaped."""
    return _STYLE + "".join(map(_strip, rows))


def _strip(strip: Strip) -> str:
    pictures = "".join(
        f'<img data-sample="{sample}" alt="particle {sample}" title="particle {sample}" src="{data_uri(pixels)}">'
        for sample, pixels in zip(strip.ids.tolist(), strip.pixels, strict=False)
    )
    more = len(strip.ids) - len(strip.pixels)
    rest = f"<span>and {more:,} more</span>" if more > 0 else ""
    return f'<div class="strip"><h4>{escape(strip.title)} ({len(strip.ids):,})</h4><div>{pictures}{rest}</div></div>'
