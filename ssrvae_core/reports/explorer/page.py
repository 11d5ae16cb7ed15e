"""The explorer in a file: all of it inside, nothing fetched."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssrvae_core.reports.explorer import bundle
from ssrvae_core.reports.explorer.look import look
from ssrvae_core.reports.explorer.sheets import Sheets, within
from ssrvae_core.reports.explorer.source import Source, in_step
from ssrvae_core.reports.explorer.table import table

MOST = 4000
"""Particles in a file."""
PICTURE_BYTES = 1_900_000
"""Of all pictures together, before base64 makes them a third longer."""
DRAWING_BYTES = 400_000
"""The same of what the models draw."""

Take = Callable[[np.ndarray], np.ndarray]
"""From ids to pictures (n, H, W) or (n, H, W, 3), uint8."""


@dataclass(frozen=True)
class Pictures:
    """Where the pictures of a file come from.

    Attributes
    ----------
    seen : callable
        Returns the pictures of particles.
    drawn : sequence of callable
        What each model draws of them, upright; empty where nothing can be decoded.
    """

    seen: Take
    drawn: Sequence[Callable[[np.ndarray], np.ndarray]] = ()


def explorer(
    sources: Sequence[Source],
    class_names: Sequence[str],
    pictures: Pictures | None,
    *,
    name: str,
    most: int = MOST,
    usual: dict[str, Any] | None = None,
) -> str:
    """Return an explorer as HTML, to be put into a page with :func:`scripts` at its end.

    Parameters
    ----------
    sources : sequence of Source
        The models, one or two.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    pictures : Pictures, optional
        Where pictures come from.
    name : str
        Of saved files, and of what the browser keeps for it.
    most : int
        Particles at most.
    usual : dict, optional
        Choices that it begins with, by their names in ``state.js``.
    """
    shown = in_step(sources, most)
    sheets, made = _sheets(pictures, shown[0].particles.ids)
    settings = {
        "look": look(name, csv=True, keeps_where="Kept by this browser, for this file."),
        "sheets": sheets.described({}) if made else {"height": 0, "width": 0, "across": 1, "perSheet": 1},
        "drawings": _drawings(pictures, shown[0].particles.ids, sheets) if made else None,
        "usual": usual or {},
        "name": name,
    }
    parts = {
        "settings": json.dumps(settings, allow_nan=False),
        "table": _base64(table(shown, class_names)),
        "sheets": json.dumps([_base64(sheet) for sheet in made]),
    }
    data = "".join(
        f'<script type="application/json" data-part="{part}">{text.replace("<", chr(92) + "u003c")}</script>'
        for part, text in parts.items()
    )
    n, total = len(shown[0].particles), len(sources[0].particles)
    note = "" if n == total else f"<p>{n:,} of {total:,} particles, an even choice, are in this file.</p>"
    return f'<div class="explorer-file">{note}<div class="place"></div>{data}</div>'


def style() -> str:
    """Return the style sheet of a page with explorers."""
    return bundle.style()


def scripts() -> str:
    """Return the script that begins the explorers of a page, after plotly's own."""
    begin = (bundle.HERE / "standalone.js").read_text("utf-8")
    return f'<script>"use strict";\n(() => {{\n{bundle.script()}\n{begin}}})();</script>'


def _sheets(pictures: Pictures | None, ids: np.ndarray) -> tuple[Sheets, list[bytes]]:
    if pictures is None:
        return Sheets(0, 1, 1), []
    height, width = pictures.seen(ids[:1]).shape[1:3]
    return within(
        Sheets.of(len(ids), height, width), lambda rows: pictures.seen(ids[rows.start : rows.stop]), PICTURE_BYTES
    )


def _drawings(pictures: Pictures | None, ids: np.ndarray, sheets: Sheets) -> list[list[str]] | None:
    """Return what each model draws, in sheets of the pictures' size; None where that would be too much."""
    if pictures is None or not pictures.drawn:
        return None
    each = []
    for drawn in pictures.drawn:
        made = [sheets.encoded(drawn(ids[sheets.rows(i).start : sheets.rows(i).stop]), 60) for i in range(sheets.count)]
        if sum(map(len, made)) > DRAWING_BYTES:
            return None
        each.append([_base64(sheet) for sheet in made])
    return each


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")
