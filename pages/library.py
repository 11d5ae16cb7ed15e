"""Library: the particles of a run by class, corrected by hand, trained on again, and taken away."""

from functools import partial

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.library import Journal
from ssrvae_core.reports.explorer.source import Source
from ssrvae_core.reports.wording import model_title
from ssrvae_core.runs import directory
from ui import login, markdown
from ui.entry import in_a_sentence, through_app
from ui.explorer.answers import answer
from ui.explorer.everything import MOST
from ui.explorer.pictures import pictures_of
from ui.library import again, component, downloads, history
from ui.library import stats as slow
from ui.library.choosing import particles_or_stop, pick_run
from ui.library.compared import Asked
from ui.markdown import note
from ui.presentation import places
from ui.runs import store

PAGE = "library"

through_app()
_, choices, stage = places("Library")
with choices:
    run = pick_run(PAGE)
    particles = particles_or_stop(PAGE, run)
journal = Journal(run, particles)
source = Source(run.id, model_title(run), particles)
key = f"{PAGE}-{run.id}"
written = (run.path / directory.PARTICLES).stat().st_mtime
path = str(run.path.absolute())
pictures = None
try:
    pictures = pictures_of(run, particles.ids)
    if pictures.note:
        with choices:
            note(pictures.note)
except UserError as error:
    with choices:
        markdown.warning(f"The images cannot be shown: {error}")
if len(particles) > MOST:
    with choices:
        note(
            f"The classes show and count an even choice of {MOST:,} of the {len(particles):,} particles; averages, "
            "fractions and exports are of all of them."
        )


works, finished = again.under_way(run, store().runs())


@st.fragment(run_every=2 if any(work.live for work in works) else None)
@in_a_sentence
def progress() -> None:
    """Show how far trainings with the library's labels are, and draw the page again when one of them ends."""
    now, _ = again.under_way(run, store().runs())
    if [(one.id, one.live) for one in now] != [(one.id, one.live) for one in works]:
        st.rerun()
    again.progress(now)


@st.fragment
@in_a_sentence
def library() -> None:
    """Show the classes, and what can be done with what is selected."""
    told = component.show(
        key,
        journal,
        source,
        pictures,
        lambda now: slow.stats(run, now, particles, written),
        answer=lambda sample: answer(sample, [run], [source], pictures),
        who=login.visitor(),
    )
    token = f"{written} {slow.token_of(told.library)}"
    parts = (token, written, run, told.library, particles)
    ready = downloads.Ready(
        run,
        told.library,
        particles,
        crops=partial(slow.crops_of, path, written, run, particles),
        sheets=lambda: slow.sheets_of(*parts),
        fractions=lambda: slow.fractions(*parts),
    )
    downloads.show(PAGE, ready, told.ids)
    history.show(journal.entries(), told.library)
    asked = Asked(PAGE, key, run, told.library, particles, token)
    again.show(asked, journal, pictures, works, finished, progress)


with stage:
    library()
