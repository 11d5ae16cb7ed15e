"""The uploader of the Data page: hand a file in, hear what is wrong with it, and go on without missing pictures."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ssrvae_core.config import MissingPictures, UserError
from ssrvae_core.data.folders.tables import TABLES
from ssrvae_core.runs.uploads import known_as
from ui import markdown
from ui.runs import store
from ui.state import key
from ui.uploads import BEGINNINGS, keep

HELP = (
    "An npz, npy or HDF5 file, a picture or a stack (TIFF, PNG, JPEG, ...), or a zip of pictures: one folder per class,"
    f" or a table {TABLES[0]} with the columns file and label; folders called train and test, and images beside masks,"
    " are understood."
)


def uploader(page: str) -> None:
    """Show the uploader of a page, and choose on that page what was handed in."""
    kinds = sorted(suffix.removeprefix(".") for suffix in BEGINNINGS)
    given = st.file_uploader("Upload a data set", type=kinds, key=f"{page}-upload", help=HELP)
    if given is None:
        return
    state = st.session_state.setdefault(f"{page}-handed-in", {})
    if state.get("file") != given.file_id:
        state.update(file=given.file_id, refused=None, told=None, again=False)
        _take(page, given, state, skip_missing=False)
    elif state["again"]:
        state["again"] = False
        _take(page, given, state, skip_missing=True)
    refused = state["refused"]
    if refused is not None:
        markdown.error(str(refused))
    elif state["told"]:
        markdown.info(state["told"])
    if isinstance(refused, MissingPictures) and not refused.all_missing:
        st.button(
            "Go on without them",
            key=f"{page}-skip-missing",
            icon=":material/skip_next:",
            on_click=lambda: state.update(again=True),
        )


def _take(page: str, given: Any, state: dict[str, Any], skip_missing: bool) -> None:
    """Check a file and choose it, or keep in mind why it was refused."""
    try:
        with st.spinner("Checking the file"):
            kept = keep(given.name, given.getvalue(), store(), skip_missing)
    except UserError as error:
        state["refused"] = error
        return
    state.update(refused=None, told=known_as(kept, given.name))
    st.session_state[key(page, "data")] = kept.id
    st.rerun()
