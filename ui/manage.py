"""What can be done with runs on the overview: take them away as a bundle or a report, take in others', delete."""

from __future__ import annotations

import io
from collections.abc import Sequence

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.runs import BrokenRun, Run, RunStore
from ssrvae_core.runs.about import LONGEST_NAME, LONGEST_NOTE, write_about
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.mode import is_viewer, require_editor
from ssrvae_core.runs.thumbnails import DRAWN, LARGEST_SIDE, can_share
from ui import markdown
from ui.jobs import attempt
from ui.markdown import verbatim
from ui.overview import LIVE
from ui.runs import run_label

NEWS = "overview-news"
"""Key of the session state under which a sentence waits for the page to be drawn again."""


def bundle_bytes(runs: Sequence[Run], *, thumbnails: bool = False) -> bytes:
    """Return runs as one bundle, with small pictures of their validation images where these are asked for.

    Raises
    ------
    UserError
        If one of them is not finished, or damaged, or its images are not here for the pictures.
    """
    from ssrvae_core.runs.bundle import export_bundle

    out = io.BytesIO()
    export_bundle(runs, out, thumbnails=thumbnails)
    return out.getvalue()


def report_page(runs: Sequence[Run]) -> str:
    """Return a report on runs as one page.

    Raises
    ------
    UserError
        If one of them has not finished.
    """
    from ssrvae_core.reports.report import report_html

    return report_html(runs)


def take_in(content: bytes, store: RunStore) -> str:
    """Import a bundle, and say what became of its runs.

    Raises
    ------
    UserError
        If anything in it is not as it must be, the store cannot be written, or this is a viewer.
    """
    from ssrvae_core.runs.bundle import import_bundle

    report = import_bundle(content, store)
    new, there = len(report.imported), len(report.already_there)
    kept = (
        f" {there} {'was' if there == 1 else 'were'} there already and left as {'it is' if there == 1 else 'they are'}."
    )
    pictures = f" {len(report.pictured)} of them got the small pictures of the bundle." if report.pictured else ""
    return f"Imported {new} {'run' if new == 1 else 'runs'}." + (kept + pictures if there else "")


def delete(runs: Sequence[Run | BrokenRun], store: RunStore) -> str:
    """Delete runs and what is left of their jobs, and say so.

    Raises
    ------
    UserError
        If one of them is being trained or queued, the store cannot be written, or this is a viewer.
    """
    require_editor()
    jobs = {job.id: job for job in JobQueue(store).list()}
    there = [run for run in runs if store.path(run.id).is_dir()]  # others were deleted meanwhile
    for run in there:
        job = jobs.get(run.id)
        if job is not None and job.state in LIVE:
            raise UserError(f"Run {run.id} is {job.state}; cancel it before you delete it.")
        store.delete(run.id)
        if job is not None:
            JobQueue(store).remove(job.id)
    return f"Deleted {len(there)} {'run' if len(there) == 1 else 'runs'}."


# On the page.


def news() -> None:
    """Show what was just done, once."""
    if sentence := st.session_state.pop(NEWS, None):
        markdown.success(sentence)


def importer(store: RunStore) -> None:
    """Show where a bundle is handed in."""
    taken = "overview-taken"
    given = st.file_uploader(
        "Import a bundle of runs",
        type="zip",
        key="overview-import",
        help="A zip file that the export of this page, or the command export, wrote.",
    )
    if given is None or st.session_state.get(taken) == given.file_id:
        return
    st.session_state[taken] = given.file_id
    try:
        with st.spinner("Checking the bundle"):
            st.session_state[NEWS] = take_in(given.getvalue(), store)
    except UserError as error:
        markdown.error(str(error))
        return
    st.rerun()


def pictures_too(runs: Sequence[Run]) -> bool:
    """Ask whether a bundle of finished runs is to have small pictures; nothing is asked where there can be none."""
    on_files = [run for run in runs if run.config.dataset.source not in DRAWN]
    if not on_files or not all(can_share(run) for run in on_files):
        return False
    side = LARGEST_SIDE
    return st.checkbox(
        verbatim(f"Small pictures in the bundle (at most {side} x {side} pixels)"),
        key="overview-thumbnails",
        help="Whoever gets the bundle sees what the images show, and can keep these pictures. Without them, others see "
        "images only once they upload the same data file.",
    )


def takeaways(runs: Sequence[Run], *, thumbnails: bool = False) -> None:
    """Show the downloads of finished runs; they are there before any is selected, and then do nothing."""
    names = "-".join(run.id for run in runs) if len(runs) < 3 else f"{len(runs)}-runs"
    plural = "run" if len(runs) == 1 else "runs"
    st.download_button(
        "Report",
        data=lambda: report_page(runs),
        file_name=f"report-{names}.html",
        mime="text/html",
        on_click="ignore",
        icon=":material/description:",
        help=verbatim(f"The figures of the {plural} on one page, for any browser, without a network"),
        key="overview-report",
        type="tertiary",
        disabled=not runs,
    )
    st.download_button(
        "Bundle",
        data=lambda: bundle_bytes(runs, thumbnails=thumbnails),
        file_name=f"runs-{names}.zip",
        mime="application/zip",
        on_click="ignore",
        icon=":material/package_2:",
        help=verbatim(
            f"The {plural} with weights and predictions, but without training images, for another dashboard to import"
        ),
        key="overview-bundle",
        type="tertiary",
        disabled=not runs,
    )


@st.dialog("Name and note")
def _rename(run: Run) -> None:
    markdown.note(run_label(run))
    name = st.text_input(
        "Name",
        run.about.name,
        max_chars=LONGEST_NAME,
        key=f"overview-name-{run.id}",
        help="It stands where the run is chosen or named; the id stays. Empty: no name.",
    )
    note = st.text_area("Note", run.about.note, max_chars=LONGEST_NOTE, key=f"overview-note-{run.id}")
    if st.button("Save", type="primary", icon=":material/check:", key="overview-name-save") and attempt(
        lambda: write_about(run, name, note)
    ):
        st.rerun()


def namer(runs: Sequence[Run | BrokenRun]) -> None:
    """Show the button that names the one selected run, unless this is a viewer."""
    if is_viewer():
        return
    one = runs[0] if len(runs) == 1 and isinstance(runs[0], Run) else None
    if (
        st.button(
            "Name, note",
            icon=":material/edit:",
            key="overview-name",
            type="tertiary",
            disabled=one is None,
            help="Of one selected run" if one is None else None,
        )
        and one is not None
    ):
        for field in ("name", "note"):  # what was typed and not saved is not what it is called
            st.session_state.pop(f"overview-{field}-{one.id}", None)
        _rename(one)


@st.dialog("Delete runs?")
def confirm(runs: Sequence[Run | BrokenRun], store: RunStore) -> None:
    """Ask before runs are deleted."""
    plural = "This run is" if len(runs) == 1 else f"These {len(runs)} runs are"
    markdown.show(
        "{these} deleted with model, predictions and log; nothing brings them back but training again:", these=plural
    )
    for run in runs[:8]:
        label, state = (run_label(run), run.status.state) if isinstance(run, Run) else (run.id, "broken")
        markdown.show("- {run}, {state}", run=label, state=state)
    if len(runs) > 8:
        st.markdown(f"- and {len(runs) - 8:d} more")
    with st.container(horizontal=True):

        def done() -> None:
            st.session_state[NEWS] = delete(runs, store)

        what = "this run" if len(runs) == 1 else f"{len(runs)} runs"
        if st.button(verbatim(f"Delete {what}"), icon=":material/delete:", key="overview-delete-yes") and attempt(done):
            st.rerun()
        if st.button("Keep", key="overview-delete-no"):
            st.rerun()


def deleter(runs: Sequence[Run | BrokenRun], store: RunStore) -> None:
    """Show the button to delete runs, unless this is a viewer or one of them is under way."""
    if is_viewer():
        return
    waiting = {job.id for job in JobQueue(store).list() if job.state in LIVE}
    live = [run for run in runs if run.id in waiting or (isinstance(run, Run) and run.status.state == "running")]
    if st.button(
        "Delete",
        icon=":material/delete:",
        key="overview-delete",
        type="tertiary",
        disabled=bool(live) or not runs,
        help="One of them is under way; cancel it first." if live else "Asks before it does",
    ):
        confirm(runs, store)
