"""The pictures of a run's particles, as its model saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.reports.explorer.images import pixels_of
from ssrvae_core.reports.explorer.sheets import Sheets
from ssrvae_core.runs import Run
from ssrvae_core.runs.thumbnails import LARGEST_SIDE, thumbnails
from ui.explorer import media

SMALL = (
    f"The file {{name}} is not here; these are small pictures of its images (at most {LARGEST_SIDE} pixels along a "
    "side), which came with the run. Upload the file on the Data page to see the images themselves."
)

READY_SHEETS = 16
"""Sheets whose addresses are sent at once; of more, the browser asks for those it shows."""


@dataclass(frozen=True)
class Pictures:
    """Pictures (N, H, W) or (N, H, W, 3), uint8, of the particles ``ids``, ascending.

    Attributes
    ----------
    token : str
        Tells them from others.
    note : str
        A sentence where they are not the images themselves, else empty.
    """

    ids: np.ndarray
    pixels: np.ndarray
    token: str
    note: str = ""

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Return the pictures of these particles; black where one has none."""
        at = np.searchsorted(self.ids, ids).clip(max=max(len(self.ids) - 1, 0))
        found = self.pixels[at]
        missing = self.ids[at] != ids
        return np.where(missing.reshape(-1, *[1] * (found.ndim - 1)), 0, found) if missing.any() else found

    def one(self, sample: int) -> np.ndarray | None:
        """Return one particle's picture, None where there is none."""
        row = int(np.searchsorted(self.ids, sample))
        return self.pixels[row] if row < len(self.ids) and self.ids[row] == sample else None

    def sheets(self, ids: np.ndarray) -> Sheets:
        """Return how the pictures of these particles lie on sheets."""
        return Sheets.of(len(ids), *self.pixels.shape[1:3])


def pictures_of(run: Run, ids: np.ndarray) -> Pictures:
    """Load a run's data set, and keep the pictures of these particles (ids ascending).

    Raises
    ------
    UserError
        If neither the images nor the small pictures that a run may come with are here.
    """
    split = run.config.split.model_dump_json()
    token = f"{crc32((run.dataset.model_dump_json() + split).encode()):08x}{crc32(ids.tobytes()):08x}"
    try:
        return _pictures(token, run, ids)
    except UserError:
        small = thumbnails(run)
        if small is None:
            raise
        return Pictures(small.ids, small.pixels, f"small {run.id}", SMALL.format(name=run.data_name))


@st.cache_resource(max_entries=3, show_spinner="Loading the images")
def _pictures(token: str, _run: Run, _ids: np.ndarray) -> Pictures:
    known, pixels = pixels_of(_run, _ids)
    return Pictures(known, pixels, token)


@st.cache_data(max_entries=256, show_spinner=False)
def sheet(token: str, ids_token: int, index: int, _pictures: Pictures, _ids: np.ndarray) -> bytes:
    """Return one sheet of the pictures of these particles as WebP."""
    sheets = _pictures.sheets(_ids)
    rows = sheets.rows(index)
    return sheets.encoded(_pictures.of(_ids[rows.start : rows.stop]))


def addresses(key: str, pictures: Pictures | None, ids: np.ndarray, wanted: Sequence[int]) -> dict[str, Any]:
    """Return how sheets of pictures are laid out, and where the browser fetches those it needs.

    Parameters
    ----------
    key : str
        The component.
    pictures : Pictures or None
        None where there is none to show.
    ids : int64 array (N,)
        The particles, ascending.
    wanted : sequence of int
        Sheets that the browser asks for.
    """
    if pictures is None:
        return {"height": 0, "width": 0, "across": 1, "perSheet": 1, "urls": {}}
    sheets = pictures.sheets(ids)
    token = crc32(ids.tobytes())
    ready = range(sheets.count) if sheets.count <= READY_SHEETS else [i for i in wanted if i < sheets.count]
    urls = {
        i: media.address(sheet(pictures.token, token, i, pictures, ids), "image/webp", f"{key} sheet {i}")
        for i in ready
    }
    return sheets.described(urls)
