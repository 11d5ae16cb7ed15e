"""What runs say of all their particles, for an explorer: read where it was written, else offered to be made."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.figures import Panel
from ssrvae_core.records import Particles
from ssrvae_core.reports.explorer.source import Source, in_step, of_validation
from ssrvae_core.runs import Run, directory
from ssrvae_core.runs.data_files import is_here
from ssrvae_core.runs.mode import is_viewer
from ui import markdown
from ui.classes import catching_up_on, make
from ui.entry import in_a_sentence

MOST = 200_000
"""Particles that a page shows; more would take a browser too long."""

VALIDATION_ONLY = "Validation images only: the others were not classified when this run ended."


def sources_of(page: str, runs: Sequence[Run], panels: Sequence[Panel]) -> list[Source]:
    """Return what runs on the same images say of the particles that all of them know, in step.

    A run of an earlier version knows its validation images only; a button has it classify the others.

    Parameters
    ----------
    page : str
        The page.
    runs, panels : sequence
        The runs, and what they say of their validation images.
    """
    known = [particles_of(run) for run in runs]
    lacking = [run for run, particles in zip(runs, known, strict=True) if particles is None]
    if lacking:
        _offer(page, lacking)
    each = [
        Source(run.id, panel.title, of_validation(panel.predictions) if particles is None else particles)
        for run, panel, particles in zip(runs, panels, known, strict=True)
    ]
    total = min(len(source.particles) for source in each)
    shown = in_step(each, MOST)
    if len(shown[0].particles) < min(total, MOST):
        markdown.note(f"{len(shown[0].particles):,} particles that both runs have classified.")
    elif total > MOST:
        markdown.note(f"An even choice of {MOST:,} of {total:,} particles; a table of all of them can be downloaded.")
    return shown


def particles_of(run: Run) -> Particles | None:
    """Return what a run says of all its images, read once; None, with a sentence where it cannot be read."""
    written = run.path / directory.PARTICLES
    if not written.exists():
        return None
    try:
        return _read(str(run.path.absolute()), written.stat().st_mtime, run)
    except UserError as error:
        markdown.warning(str(error))
        return None


@st.cache_resource(max_entries=8, show_spinner="Reading the particles")
def _read(path: str, written: float, _run: Run) -> Particles | None:
    return _run.particles()


def _offer(page: str, runs: Sequence[Run]) -> None:
    """Offer to classify every image of runs that have said nothing of them, and show all once that is done."""
    ready = [run for run in runs if is_here(run.dataset)]
    if is_viewer() or not ready:
        markdown.note(VALIDATION_ONLY)
        return
    at_work = [run.id for run in ready if catching_up_on(run)]

    @st.fragment(run_every=1 if at_work else None)
    @in_a_sentence
    def live() -> None:
        if [run.id for run in ready if catching_up_on(run)] != at_work:
            st.rerun()
        make(ready, page, VALIDATION_ONLY)

    live()
