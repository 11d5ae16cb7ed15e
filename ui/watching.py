"""What is watched on the Train page: the trainings its address asks for, otherwise those under way."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.runs import Run
from ssrvae_core.runs.jobs import JobQueue
from ui import export, markdown, squares
from ui.classes import catching_up_on
from ui.entry import in_a_sentence
from ui.jobs import Work, all_work, work_of
from ui.runs import run_label, store
from ui.state import harmless
from ui.training import PAGE
from ui.watch import curves_of, epochs_of, panel

SIDE_BY_SIDE = 2
_CLOSED = f"{PAGE}-closed"


def section(runs: Sequence[Run]) -> bool:
    """Show what is watched, with the export menu and a way to close it; return whether anything is.

    Parameters
    ----------
    runs : sequence of Run
        The store's.
    """
    ids = asked_for()
    if not ids:
        closed = st.session_state.get(_CLOSED, set())
        ids = [one.id for one in all_work(store(), runs) if one.live and one.id not in closed][:SIDE_BY_SIDE]
        if not ids:
            return False
        watch_only(ids)
    watch(ids)
    with st.container(horizontal=True, vertical_alignment="center"):
        known = {run.id: run for run in runs}
        if watched := [known[one] for one in ids if one in known]:
            export.menu(
                "training",
                "Training",
                f"{'; '.join(map(run_label, watched))}.",
                figure=lambda: curves_of(watched),
                table=lambda: epochs_of(watched),
            )
        st.button("Close this view", icon=":material/close:", on_click=close, type="tertiary")
    squares.keep(PAGE)
    return True


def asked_for() -> list[str]:
    """Return the ids the address asks for; complain about those that are none of this store."""
    text = ",".join(st.query_params.get(name, "") for name in ("job", "run"))
    wanted = list(dict.fromkeys(part for part in text.split(",") if part))
    found = [part for part in wanted if find(part) is not None]
    if strangers := [part for part in wanted if part not in found]:
        markdown.warning(
            f"The address asks for '{harmless(strangers[0])}', which is not a training of this store that can be "
            "shown; the overview lists those there are."
        )
        watch_only(found)
    return found


def find(part: str) -> Work | None:
    """Return what has an id, None where nothing has; what cannot be read is a sentence on the page."""
    try:
        return work_of(store(), part)
    except UserError as error:
        markdown.error(str(error))
        return None


def watch_only(ids: Sequence[str]) -> None:
    """Put the trainings that are watched into the address."""
    st.query_params.pop("run", None)
    if ids:
        st.query_params["job"] = ",".join(ids)
    else:
        st.query_params.pop("job", None)


def watch(ids: Sequence[str]) -> None:
    """Show trainings, again every two seconds while one of them lives."""
    living = _living(ids)

    @st.fragment(run_every=2 if living else None)
    @in_a_sentence
    def live() -> None:
        now = [one for one in map(find, ids) if one is not None]
        if _living(ids) != living:
            st.rerun()
        waiting = [job.id for job in JobQueue(store()).list() if job.state == "queued"]
        columns = st.columns(SIDE_BY_SIDE, gap="large") if len(now) > 1 else [st.container()]
        for index, one in enumerate(now):
            with columns[index % len(columns)]:
                panel(store(), one, waiting.index(one.id) if one.id in waiting else 0, alone=len(now) == 1)

    live()


def _living(ids: Sequence[str]) -> set[tuple[str, str]]:
    """Return what of these changes by itself, each with its state: what is trained, or classified after the fact."""
    found = [one for one in map(find, ids) if one is not None]
    return {(one.id, one.state) for one in found if one.live or (one.run is not None and catching_up_on(one.run))}


def close() -> None:
    """Stop watching; whatever is under way goes on, and is not shown again by itself."""
    living = {one.id for one in all_work(store(), store().runs()) if one.live}
    st.session_state[_CLOSED] = st.session_state.get(_CLOSED, set()) | living
    watch_only([])
