"""Which run's library is shown, and what is missing before it can be."""

from __future__ import annotations

import streamlit as st

from ssrvae_core.records import Particles
from ssrvae_core.runs import Run
from ui import classes, markdown
from ui.entry import in_a_sentence
from ui.explorer.everything import particles_of
from ui.library.component import forget_selection
from ui.runs import finished, first_shown, labels_of, nothing_yet, store
from ui.state import pick


def pick_run(page: str) -> Run:
    """Show the list of finished runs, and return the chosen one; stop the page where there is none.

    The address calls it ``left``, as the pages that show one run or two do, so that the choice goes along.
    """
    runs, broken = store().scan()
    shown = {run.id: run for run in finished(runs)}
    if not shown:
        nothing_yet(unfinished=len(runs) + len(broken))
        st.stop()
    one, other = first_shown(list(shown.values()))
    usual = one if other is None else other
    chosen = pick(page, "left", "Run", list(shown), usual.id, format_func=labels_of(shown))
    before = st.session_state.get(f"{page}-before", chosen)
    if before != chosen:
        forget_selection()
    st.session_state[f"{page}-before"] = chosen
    return shown[chosen]


def particles_or_stop(page: str, run: Run) -> Particles:
    """Return what a run says of all its images; where it has not said it, show what makes it, and stop the page."""
    found = particles_of(run)
    if found is None:
        _make(page, run)
        st.stop()
    return found


def _make(page: str, run: Run) -> None:
    watched = classes.catching_up_on(run)

    @st.fragment(run_every=2 if watched else None)
    @in_a_sentence
    def missing() -> None:
        if particles_of(run) is not None or classes.catching_up_on(run) != watched:
            st.rerun()
        markdown.info(
            "A library needs the class of every particle; this run has classified its validation images only."
        )
        classes.make([run], page, "")

    missing()
