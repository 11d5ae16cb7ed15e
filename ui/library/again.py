"""Training again with corrected labels: at once by the embedding's head, then in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import streamlit as st

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.library import Journal, Library
from ssrvae_core.library.judging import left_out_text, moved_text
from ssrvae_core.library.outliers import Rate
from ssrvae_core.library.quick import QuickAnswer, QuickHead, quick_answer, quick_head
from ssrvae_core.library.training import Labels, corrected, parent_of_data, train_again_config, training_labels
from ssrvae_core.records import Particles
from ssrvae_core.runs import Run
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.uploads import uploads
from ui import markdown
from ui.explorer.pictures import Pictures
from ui.jobs import TRAIN, Work, act, all_work, bar, buttons, config_of, stopped_text
from ui.library.compared import Asked, grouped, results, show_changed
from ui.markdown import note, verbatim
from ui.runs import store


def show(
    asked: Asked,
    journal: Journal,
    pictures: Pictures | None,
    works: Sequence[Work],
    finished: Sequence[Run],
    progress: Callable[[], None],
) -> None:
    """Show the button that trains again, how far that is, and what it changed, which comes first once it is done.

    Parameters
    ----------
    asked, journal : Asked and Journal
        Of one run.
    pictures : Pictures, optional
        Its particles.
    works, finished : sequence
        What :func:`under_way` returns.
    progress : callable
        Shows how far the trainings are.
    """
    with_these = [one for one in finished if _has_these_labels(asked, journal, one.config)]
    if with_these:
        results(asked, journal, finished, pictures, with_these[0])
    live = any(work.live and _has_these_labels(asked, journal, config_of(work)) for work in works)
    _train(asked, pictures, "done" if with_these else "live" if live else "")
    if works:
        progress()
    if finished and not with_these:
        results(asked, journal, finished, pictures, finished[0])


# The labels, the quick answer and the job.


def _has_these_labels(asked: Asked, journal: Journal, config: RunConfig | None) -> bool:
    """Whether a training has exactly the labels of the library as it is now."""
    parent = None if config is None else parent_of_data(config.dataset, asked.run.path.parent)
    if parent is None or parent.run != asked.run.id:
        return False
    if parent.entries == asked.library.n_entries:
        return True
    now = _labels(asked.token, asked.library, asked.particles)
    entries = journal.entries()[: parent.entries]
    then = _labels_then(f"{asked.run.path} {len(entries)} {entries[-1:]}", journal, parent.entries, asked.particles)
    return now is not None and then is not None and then.teach_as(now)


@st.cache_data(max_entries=32, show_spinner=False)
def _labels(token: str, _library: Library, _particles: Particles) -> Labels | None:
    try:
        return training_labels(_library, _particles)
    except UserError:
        return None


@st.cache_data(max_entries=32, show_spinner=False)
def _labels_then(token: str, _journal: Journal, _entries: int, _particles: Particles) -> Labels | None:
    try:
        return training_labels(_journal.at(_entries), _particles)
    except UserError:  # the journal is another one than that which was trained from
        return None


def _train(asked: Asked, pictures: Pictures | None, state: str) -> None:
    """Show the button that trains again with corrected labels, and what the embedding's head says of them at once.

    Parameters
    ----------
    asked, pictures : Asked, and Pictures or None
        Of one run.
    state : str
        Whether these very labels were trained with: "done", "live", or empty.
    """
    st.subheader("Train again")
    try:
        labels = training_labels(asked.library, asked.particles)
    except UserError as error:
        note(str(error))
        return
    if not corrected(labels, asked.library):
        note(
            f"The run was trained with {labels.in_words}. Move particles to the classes they belong to: each becomes a"
            " training label, unless the run held it out."
        )
        if labels.held_out:
            note(moved_text(labels.held_out))
        return
    if is_viewer():
        note(f"Corrected so far: {labels.in_words}.")
        return
    wanted, refused, begun = f"{asked.key}-quick", f"{asked.key}-refused", f"{asked.key}-begun"
    title = {
        "done": f"Trained with {labels.in_words}: nothing has changed since",
        "live": f"A training with {labels.in_words} is under way",
    }.get(state, f"Train again with {labels.in_words}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            verbatim(title),
            type="secondary" if state else "primary",
            disabled=bool(state),
            icon=":material/check:" if state == "done" else ":material/model_training:",
            key=f"{asked.page}-again",
            on_click=act,
            args=(refused, partial(_begin, asked, wanted, begun)),
            help="A run with exactly these labels is in the store; move more particles to train again."
            if state == "done"
            else "A training with exactly these labels is queued or running; its progress is below."
            if state == "live"
            else "A new run in the background with these labels; this run and its library stay as they are.",
        )
        if st.button("See at once what changes", icon=":material/bolt:", key=f"{asked.page}-quick-button"):
            st.session_state[wanted] = asked.token
        if labels.held_out:
            note(moved_text(labels.held_out))
    if sentence := st.session_state.get(refused):
        markdown.error(sentence)
    if st.session_state.get(wanted) == asked.token:
        _quick(asked, pictures)
    if st.session_state.pop(begun, False):
        st.rerun()  # what is under way stands below, in a part of its own


def _begin(asked: Asked, wanted: str, begun: str) -> None:
    """Queue the training, and have the quick answer shown meanwhile."""
    from ssrvae_core.runs.execute import check

    config = train_again_config(asked.run, asked.library, asked.particles)
    check(config, "auto")
    JobQueue(store()).submit(config=config)
    st.session_state[wanted] = asked.token
    st.session_state[begun] = True


def _quick(asked: Asked, pictures: Pictures | None) -> None:
    try:
        with st.spinner("Asking the embedding's head"):
            answer, remarks = _answer(asked.token, asked.run, asked.library, asked.particles)
    except UserError as error:
        markdown.warning(f"There is no quick answer: {error}")
        return
    markdown.show("**At once:** {words}", words=quick_text(answer, len(asked.particles)))
    if remarks:
        markdown.warning(" ".join(remarks))
        _answer.clear()  # the damaged file may have been replaced the next time
        _head.clear()
    if len(answer.changed):
        show_changed(asked, pictures, answer.changed, quick_moves(asked, answer), "quick")


def quick_text(answer: QuickAnswer, n: int) -> str:
    """Say what the head answers, and how far to trust it."""
    moved = f"with these labels the embedding's head puts {len(answer.changed):,} of {n:,} particles into another class"
    if answer.held_out.n:
        judged = (
            f"It is right on {_of(answer.held_out)} held-out images, the run as it is on"
            f" {_of(answer.model_held_out)}; the full training may differ."
        )
    elif answer.left_out:
        judged = "No held-out image had its label before any was moved, so nothing can be compared."
    else:
        judged = "No held-out image has a label, so how far to trust it is not known."
    return " ".join(filter(None, (f"{moved}.", judged, left_out_text(answer.left_out))))


def quick_moves(asked: Asked, answer: QuickAnswer) -> list[tuple[str, np.ndarray]]:
    """Return from where to where the head moves particles, and which ones."""
    rows = np.searchsorted(asked.particles.ids, answer.changed)
    before = [asked.library.names[k] for k in asked.library.assigned[rows].tolist()]
    after = [answer.class_names[k] for k in answer.class_prob[rows].argmax(axis=1).tolist()]
    return grouped(answer.changed, before, after)


@st.cache_data(max_entries=8, show_spinner=False)
def _answer(token: str, _run: Run, _library: Library, _particles: Particles) -> tuple[QuickAnswer, tuple[str, ...]]:
    head = _head(str(_run.path.absolute()), len(_particles), _run, _particles)
    return quick_answer(head, _library, _particles), head.remarks


@st.cache_resource(max_entries=2, show_spinner=False)
def _head(path: str, n: int, _run: Run, _particles: Particles) -> QuickHead:
    return quick_head(_run, _particles)


# What was trained again.


def under_way(run: Run, runs: Sequence[Run]) -> tuple[list[Work], list[Run]]:
    """Return the trainings with labels of a run's library: those that live or have stopped, and the finished runs."""
    own = [one for one in uploads(run.path.parent) if _parent(one.told) == run.id]

    def of_this(sha256: str | None) -> bool:
        return sha256 is not None and any(one.has_content(sha256) for one in own)

    if not own:
        return [], []
    works = [
        work
        for work in all_work(store(), runs)
        if (config := config_of(work)) is not None and of_this(config.dataset.sha256)
    ]
    finished = [one for one in runs if one.status.state == "finished" and of_this(one.config.dataset.sha256)]
    return works, sorted(finished, key=lambda one: -one.status.updated)


def _parent(told: dict[str, object]) -> str | None:
    match told.get("library"):
        case {"run": str(parent)}:
            return parent
    return None


def progress(works: Sequence[Work]) -> None:
    """Show how far trainings are, with their links and buttons."""
    waiting = [job.id for job in JobQueue(store()).list() if job.state == "queued"]
    for work in works:
        if work.live:
            bar(work, waiting.index(work.id) if work.id in waiting else 0, store())
        else:
            markdown.warning(stopped_text(work))
        with st.container(horizontal=True, vertical_alignment="center"):
            buttons(store(), work, "library")
            st.page_link(
                TRAIN, label="Watch it on the Train page", icon=":material/visibility:", query_params={"job": work.id}
            )


def _of(rate: Rate) -> str:
    return f"{rate.count:,} of {rate.n:,}"
