"""What can be taken away from a library: exactly the selected particles, or all where none is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.library import Library, exports
from ssrvae_core.library.crops import Crops
from ssrvae_core.library.exports.page import MOST
from ssrvae_core.library.fractions import Fractions
from ssrvae_core.library.outliers import outliers
from ssrvae_core.library.sheets import Sheet
from ssrvae_core.records import Particles
from ssrvae_core.runs import Run
from ui.markdown import note, verbatim
from ui.state import pick

FORMATS = {
    "csv": "Table (CSV)",
    "parquet": "Table (Parquet)",
    "zip": "Pictures, a folder per class (zip)",
    "npz": "Images to train on (npz)",
    "html": "One page with every picture (HTML)",
}
MIMES = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
    "npz": "application/octet-stream",
    "html": "text/html",
}
PICTURED = ("zip", "npz", "html")
"""Formats that hold images, as seen or upright."""


@dataclass(frozen=True)
class Ready:
    """What an export is made of; the callables are called once somebody downloads.

    Attributes
    ----------
    run, library, particles : Run, Library and Particles
        Of one run.
    crops : callable
        Returns the images.
    sheets, fractions : callable
        Return the averages and the class fractions.
    """

    run: Run
    library: Library
    particles: Particles
    crops: Callable[[], Crops]
    sheets: Callable[[], tuple[Sheet, ...]]
    fractions: Callable[[], Fractions]


def exported(kind: str, ready: Ready, ids: np.ndarray | None, *, turned: bool, model_labels: bool = False) -> bytes:
    """Return a file of these particles, of None all.

    Raises
    ------
    UserError
        If the images are needed and not here, or there are too many for a page.
    """
    library, particles = ready.library, ready.particles
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"library.{kind}"
        if kind == "csv":
            exports.write_csv(path, library, particles, ids)
        elif kind == "parquet":
            exports.write_parquet(path, library, particles, ids)
        elif kind == "zip":
            exports.write_pictures(path, library, ready.crops(), ids, turned=turned)
        elif kind == "npz":
            exports.write_image_file(path, library, ready.crops(), ids, turned=turned, model_labels=model_labels)
        else:
            exports.write_page(
                path,
                library,
                ready.crops(),
                ids,
                title=exports.page_title(ready.run),
                turned=turned,
                sheets=ready.sheets(),
                fractions=ready.fractions(),
                outliers=outliers(library, particles),
            )
        return path.read_bytes()


def show(page: str, ready: Ready, ids: np.ndarray) -> None:
    """Show the formats, and the button that says how many particles it takes away.

    Parameters
    ----------
    page : str
        The page.
    ready : Ready
        What an export is made of.
    ids : int64 array
        The selected particles; of none, all are exported.
    """
    of = len(ready.particles)
    some = len(ids) > 0
    n = len(ids) if some else of
    chosen = ids if some else None
    particles = "1 particle" if n == 1 else f"{n:,} particles"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=320):
            kind = pick(page, "format", "Export as", list(FORMATS), "csv", format_func=FORMATS.__getitem__)
        turned = model_labels = False
        if kind in PICTURED:
            turned = st.toggle("Upright", key=f"{page}-export-upright", help="Else as they are in the images.")
        if kind == "npz":
            model_labels = st.toggle(
                "The model's classes as labels",
                key=f"{page}-export-model-labels",
                help="Else only what a person knows is a label. A training on the model's classes learns its mistakes.",
            )
        too_many = kind == "html" and n > MOST
        st.download_button(
            verbatim(f"Export {particles}"),
            data=lambda: exported(kind, ready, chosen, turned=turned, model_labels=model_labels),
            file_name=f"library-{ready.run.id}.{kind}",
            mime=MIMES[kind],
            on_click="ignore",
            icon=":material/download:",
            disabled=too_many or (kind in PICTURED and not _here(ready)),
            key=f"{page}-export",
        )
    if too_many:
        note(f"A page shows {MOST:,} particles at most; select fewer, or export pictures.")
    elif kind in PICTURED and not _here(ready):
        note("The images of this run are not here; upload the same file on the Data page first.")
    else:
        which = (
            f"Exactly the {particles} selected above." if some else "Nothing is selected: all particles are exported."
        )
        note(" ".join(filter(None, (which, _classes_text(kind, ready.library, chosen, model_labels)))))


def _classes_text(kind: str, library: Library, ids: np.ndarray | None, model_labels: bool) -> str:
    """Say how far the classes of a file with images are known, as it may be trained on."""
    if kind == "npz":
        return exports.labels_text(library, ids, model_labels=model_labels)
    return exports.folders_text(library, ids) if kind == "zip" else ""


def _here(ready: Ready) -> bool:
    try:
        ready.crops()
    except UserError:
        return False
    return True
