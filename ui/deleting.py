"""Uploads are deleted on the Data page, once it was said which runs were trained on them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.runs import Run
from ssrvae_core.runs.job import read_task
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.uploads import Upload, delete_upload
from ui import markdown
from ui.jobs import attempt
from ui.markdown import verbatim
from ui.overview import LIVE
from ui.runs import run_label, store
from ui.state import forget

MOST_NAMED = 8


def is_of(dataset: DatasetConfig, upload: Upload) -> bool:
    """Whether a data set is an upload, wherever the store has been since."""
    return dataset.sha256 is not None and upload.has_content(dataset.sha256)


def runs_on(upload: Upload, runs: Sequence[Run]) -> list[Run]:
    """Return the runs that were, or are, trained on an upload."""
    return [run for run in runs if is_of(run.config.dataset, upload)]


def delete(upload: Upload) -> None:
    """Delete an upload.

    Raises
    ------
    UserError
        If a training on it is under way or waits, the store cannot be written, or this is a viewer.
    """
    for job in JobQueue(store()).list():
        if job.state not in LIVE:
            continue
        task = read_task(job.path)
        config = task.config or task.embedding
        if config is not None and is_of(config.dataset, upload):
            raise UserError(f"{upload.name} is used by job {job.id}, which is {job.state}; cancel that first.")
    live = [run for run in runs_on(upload, store().runs()) if run.status.state in LIVE]
    if live:
        raise UserError(f"{upload.name} is used by run {live[0].id}, which is {live[0].status.state}; cancel it first.")
    delete_upload(upload)


@st.dialog("Delete this upload?")
def _confirm(page: str, upload: Upload) -> None:
    used = runs_on(upload, store().runs())
    markdown.show("**{name}** is removed from the store.", name=upload.name)
    if used:
        n = len(used)
        markdown.show(
            "{n} {runs} trained on it. {they} with model and predictions, but {their} pictures can no longer be shown "
            "and {it} cannot be resumed, until the same file is uploaded again:",
            n=n,
            runs="run was" if n == 1 else "runs were",
            they="It stays" if n == 1 else "They stay",
            their="its" if n == 1 else "their",
            it="it" if n == 1 else "they",
        )
        for run in used[:MOST_NAMED]:
            markdown.show("- {run}", run=run_label(run))
        if n > MOST_NAMED:
            st.markdown(f"- and {n - MOST_NAMED:d} more")
    else:
        st.markdown("No run was trained on it.")
    with st.container(horizontal=True):
        if st.button("Delete", icon=":material/delete:", key=f"{page}-delete-yes") and attempt(lambda: delete(upload)):
            forget(page, "data")
            st.rerun()
        if st.button("Keep", key=f"{page}-delete-no"):
            st.rerun()


def deleter(page: str, upload: Upload) -> None:
    """Show the button to delete an upload, unless this is a viewer."""
    if is_viewer():
        return
    if st.button(
        verbatim(f"Delete {upload.name}"),
        icon=":material/delete:",
        type="tertiary",
        key=f"{page}-delete",
        help="Asks before it does, and says which runs were trained on it.",
    ):
        _confirm(page, upload)
