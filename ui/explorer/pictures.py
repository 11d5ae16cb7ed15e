"""The pictures of a run's particles, as its model saw them."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import streamlit as st

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.reports.explorer.sheets import Sheets, shrunk
from ssrvae_core.runs import Run
from ssrvae_core.runs.data_files import load_images
from ssrvae_core.runs.thumbnails import LARGEST_SIDE, thumbnails, to_pixels

MOST_BYTES = 2**28
"""Of the pictures of one data set that the server holds; beyond, they are as small as those on the sheets."""
SMALL = (
    f"The file {{name}} is not here; these are small pictures of its images (at most {LARGEST_SIDE} pixels along a "
    "side), which came with the run. Upload the file on the Data page to see the images themselves."
)


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
        return _pictures(token, run.dataset, run, ids)
    except UserError:
        small = thumbnails(run)
        if small is None:
            raise
        return Pictures(small.ids, small.pixels, f"small {run.id}", SMALL.format(name=run.data_name))


@st.cache_resource(max_entries=3, show_spinner="Loading the images")
def _pictures(token: str, _dataset: DatasetConfig, _run: Run, _ids: np.ndarray) -> Pictures:
    from ssrvae_core.data.split import positions

    images = load_images(_dataset, _run.path.parent)
    rows = np.flatnonzero(np.isin(images.ids, _ids))
    rows = rows[np.argsort(images.ids[rows])]
    own = Sheets.of(len(rows), *images.image_shape[1:])
    whole = len(rows) * int(np.prod(images.image_shape)) <= MOST_BYTES
    # A labelled image looks as it did in training, where it may be turned less than the others.
    labelled = np.empty(0, np.int64)
    if images.as_labelled is not None:
        labelled = np.intersect1d(positions(images, _run.config.split).labelled, rows)
    parts = []
    for start in range(0, len(rows), 4096):
        some = rows[start : start + 4096]
        taken = images.images[some]
        if len(labelled) and images.as_labelled is not None:
            trained = np.flatnonzero(np.isin(some, labelled))
            if len(trained):
                taken[trained] = images.as_labelled(some[trained]).images
        pixels = to_pixels(taken)
        parts.append(pixels if whole else shrunk(pixels, own.height, own.width))
    return Pictures(images.ids[rows], np.concatenate(parts), token)


@st.cache_data(max_entries=256, show_spinner=False)
def sheet(token: str, ids_token: int, index: int, _pictures: Pictures, _ids: np.ndarray) -> bytes:
    """Return one sheet of the pictures of these particles as WebP."""
    sheets = _pictures.sheets(_ids)
    rows = sheets.rows(index)
    return sheets.encoded(_pictures.of(_ids[rows.start : rows.stop]))
