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
SHARE_OF_DRAWINGS, SHARE_OF_ANGLES = 0.2, 0.1
"""Of the bytes that pictures may take."""
ANGLES = 72
"""Angles of a posterior, five degrees from one to the next; a byte each."""

Take = Callable[[np.ndarray], np.ndarray]
"""From ids to pictures (n, H, W) or (n, H, W, 3), uint8."""
Draw = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
"""From ids to pictures, and to the probabilities (n, A) of evenly spaced angles from -180 degrees on, if known."""


@dataclass(frozen=True)
class Pictures:
    """Where the pictures of a file come from.

    Attributes
    ----------
    seen : callable
        Returns the pictures of particles.
    drawn : sequence of callable
        Return what each model draws of them, as they are seen, and how probable each angle is; empty where nothing can
        be decoded.
    """

    seen: Take
    drawn: Sequence[Draw] = ()


def explorer(
    sources: Sequence[Source],
    class_names: Sequence[str],
    pictures: Pictures | None,
    *,
    name: str,
    budget: int,
    most: int = MOST,
    usual: dict[str, Any] | None = None,
) -> str:
    """Return an explorer as HTML, to be put into a page with :func:`scripts` at its end.

    Parameters
    ----------
    sources : sequence of Source
        The models; of more than two, a reader chooses which two are shown beside each other.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    pictures : Pictures, optional
        Where pictures come from.
    name : str
        Of saved files, and of what the browser keeps for it.
    budget : int
        Bytes that it may take; pictures are as good as that allows.
    most : int
        Particles at most.
    usual : dict, optional
        Choices that it begins with, by their names in ``state.js``.
    """
    shown = in_step(sources, most)
    ids = shown[0].particles.ids
    packed = _base64(table(shown, class_names))
    left = max(3 * (budget - len(packed)) // 4, 0)  # base64 makes them a third longer
    sheets, made = _sheets(pictures, ids, int((1 - SHARE_OF_DRAWINGS) * left))
    settings = {
        "look": look(name, csv=True, keeps_where="Kept by this browser, for this file."),
        "sheets": sheets.described({}) if made else {"height": 0, "width": 0, "across": 1, "perSheet": 1},
        "drawings": _drawings(pictures, ids, sheets, left) if made else None,
        "usual": usual or {},
        "name": name,
    }
    parts = {
        "settings": json.dumps(settings, allow_nan=False),
        "table": packed,
        "sheets": json.dumps([_base64(sheet) for sheet in made]),
    }
    data = "".join(
        f'<script type="application/json" data-part="{part}">{text.replace("<", chr(92) + "u003c")}</script>'
        for part, text in parts.items()
    )
    total = len(sources[0].particles)
    note = "" if len(ids) == total else f"<p>{len(ids):,} of {total:,} particles, an even choice, are in this file.</p>"
    return f'<div class="explorer-file">{note}<div class="place"></div>{data}</div>'


def whole(shown: str, title: str, caption: str) -> str:
    """Return a page of its own with what :func:`explorer` returns, as it is saved from the dashboard."""
    from ssrvae_core.reports import html  # which puts explorers into its pages

    return html.page(title, [], html.explorer(shown, caption), explorers=True)


def style() -> str:
    """Return the style sheet of a page with explorers."""
    return bundle.style()


def scripts() -> str:
    """Return the script that begins the explorers of a page, after plotly's own."""
    begin = (bundle.HERE / "standalone.js").read_text("utf-8")
    return f'<script>"use strict";\n(() => {{\n{bundle.script()}\n{begin}}})();</script>'


def _sheets(pictures: Pictures | None, ids: np.ndarray, most: int) -> tuple[Sheets, list[bytes]]:
    if pictures is None:
        return Sheets(0, 1, 1), []
    height, width = pictures.seen(ids[:1]).shape[1:3]
    return within(Sheets.of(len(ids), height, width), lambda rows: pictures.seen(ids[rows.start : rows.stop]), most)


def _drawings(pictures: Pictures | None, ids: np.ndarray, sheets: Sheets, left: int) -> list[dict[str, Any]] | None:
    """Return what each model draws, in sheets of the pictures' size, and its angles; None where that is too much."""
    if pictures is None or not pictures.drawn:
        return None
    models = len(pictures.drawn)
    each: list[dict[str, Any]] = []
    for drawn in pictures.drawn:
        made: list[bytes] = []
        angles: list[np.ndarray] = []
        for index in range(sheets.count):
            rows = sheets.rows(index)
            drawings, posterior = drawn(ids[rows.start : rows.stop])
            made.append(sheets.encoded(drawings, 50))
            angles += [] if posterior is None else [as_bytes(posterior)]
            if sum(map(len, made)) > SHARE_OF_DRAWINGS * left / models:
                return None
        known = len(angles) == len(made) and len(ids) * ANGLES <= SHARE_OF_ANGLES * left / models
        posteriors = _base64(np.concatenate(angles).tobytes()) if known else None
        each.append({"sheets": [_base64(sheet) for sheet in made], "posteriors": posteriors})
    return each


def as_bytes(posterior: np.ndarray) -> np.ndarray:
    """Return the probabilities (n, A) of angles as uint8 (n, :data:`ANGLES`), the largest of each particle as 255."""
    nearest = (np.arange(ANGLES) * posterior.shape[1] / ANGLES).astype(np.int64)
    # Where several angles become one, the most probable of them stands for all: narrow peaks stay.
    fewer = np.maximum.reduceat(posterior, nearest, axis=1) if posterior.shape[1] > ANGLES else posterior[:, nearest]
    most = fewer.max(axis=1, keepdims=True)
    return np.round(255 * np.nan_to_num(fewer / np.where(most > 0, most, 1))).astype(np.uint8)


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")
