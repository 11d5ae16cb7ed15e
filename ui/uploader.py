"""The uploader of the Data page: hand files or a folder in, hear what is wrong, and go on without missing pictures."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import streamlit as st

from ssrvae_core.config import MissingPictures, UserError
from ssrvae_core.data.folders.tables import TABLES
from ssrvae_core.runs.uploads import Upload, known_as
from ui import markdown
from ui.runs import store
from ui.state import key
from ui.uploads import BEGINNINGS, Given, gathered, keep

HELP = (
    "An npz, npy or HDF5 file, a stack (TIFF and others), a zip of pictures, or many pictures together: one folder per "
    f"class, or a table {TABLES[0]} with the columns file and label beside them; folders called train and test, and "
    "images beside masks, are understood."
)
ABOUT = f"Pictures chosen together are one data set; class folders or a {TABLES[0]} (file, label) say their classes."


def uploader(page: str) -> bool:
    """Show the uploader of a page, and choose on that page what was handed in.

    Returns
    -------
    bool
        Whether what was handed in last was refused, and nothing else was chosen or asked for since.
    """
    state = st.session_state.setdefault(f"{page}-handed-in", {"turn": 0, "refused": [], "told": [], "again": None})
    kinds = sorted({suffix.removeprefix(".") for suffix in (*BEGINNINGS, *(PurePosixPath(t).suffix for t in TABLES))})
    place = st.container()
    whole = st.toggle("A whole folder", key=f"{page}-upload-folder", help="Choose a folder instead of files.")
    given = place.file_uploader(
        "Upload images",
        type=kinds,
        accept_multiple_files="directory" if whole else True,
        key=f"{page}-upload-{state['turn']}",
        help=HELP,
    )
    place.caption(ABOUT)
    if given:
        _take(page, [Given(one.name, one.getvalue()) for one in given], state, skip_missing=False)
    elif (again := state.pop("again", None)) is not None:
        _take(page, [again], state, skip_missing=True)
    for sentence in state["told"]:
        markdown.info(sentence)
    for number, (error, file) in enumerate(state["refused"]):
        markdown.error(file.in_words(str(error)))
        if isinstance(error, MissingPictures) and not error.all_missing:
            st.button(
                "Go on without them",
                key=f"{page}-skip-missing" + (f"-{number}" if number else ""),
                icon=":material/skip_next:",
                on_click=lambda file=file: state.update(again=file),
            )
    return bool(state["refused"]) and state.get("at") == st.session_state.get(key(page, "data"))


def dismiss(page: str) -> None:
    """Forget what was refused."""
    st.session_state[f"{page}-handed-in"].update(refused=[], told=[])


def _take(page: str, files: list[Given], state: dict[str, Any], skip_missing: bool) -> None:
    """Check files and choose the first that is taken; keep in mind why others were refused."""
    state.update(refused=[], told=[], turn=state["turn"] + 1, at=st.session_state.get(key(page, "data")))
    taken: list[Upload] = []
    with st.spinner("Checking the files"):
        for one in gathered(files):
            try:
                kept = keep(one.name, one.content, store(), skip_missing)
            except UserError as error:
                state["refused"].append((error, one))
                continue
            taken.append(kept)
            if sentence := known_as(kept, one.name):
                state["told"].append(sentence)
    if taken:
        st.session_state[key(page, "data")] = taken[0].id
    if len(taken) > 1:
        names = ", ".join(kept.name for kept in taken)
        state["told"].append(f"These files are {len(taken)} data sets, each of which is in the list: {names}.")
    st.rerun()
