"""Training again with corrected labels: at once by the embedding's head, then in full; and what that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.library import Journal, Library
from ssrvae_core.library.compare import Comparison, compare
from ssrvae_core.library.outliers import Rate
from ssrvae_core.library.quick import QuickAnswer, QuickHead, quick_answer, quick_head
from ssrvae_core.library.training import Labels, parent_of, train_again_config, training_labels
from ssrvae_core.records import Particles
from ssrvae_core.runs import Run
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.uploads import uploads
from ssrvae_core.times import day_text
from ui import markdown
from ui.explorer.everything import particles_of
from ui.explorer.pictures import Pictures
from ui.jobs import TRAIN, Work, act, all_work, bar, buttons, config_of, stopped_text
from ui.library import component
from ui.library.strips import Strip, strips
from ui.markdown import note, verbatim
from ui.runs import run_label, store
from ui.state import pick

LATENT, LIBRARY = "pages/latent_space.py", "pages/library.py"


@dataclass(frozen=True)
class Asked:
    """What is trained again.

    Attributes
    ----------
    page, key : str
        The page, and the key of the library's component on it.
    run, library, particles : Run, Library and Particles
        Of one run.
    token : str
        Tells this state of the library from others.
    """

    page: str
    key: str
    run: Run
    library: Library
    particles: Particles
    token: str


# The labels, the quick answer and the job.


def show(asked: Asked, pictures: Pictures | None) -> None:
    """Show the button that trains again with corrected labels, and what the embedding's head says of them at once."""
    st.subheader("Train again")
    try:
        labels = training_labels(asked.library, asked.particles)
    except UserError as error:
        note(str(error))
        return
    corrected = _corrected(labels, asked.library)
    if not corrected:
        note(
            f"The run was trained with {labels.in_words}. Move particles to the classes they belong to: each becomes a"
            " training label."
        )
        return
    if is_viewer():
        note(f"Corrected so far: {labels.in_words}.")
        return
    wanted, refused, begun = f"{asked.key}-quick", f"{asked.key}-refused", f"{asked.key}-begun"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            verbatim(f"Train again with {labels.in_words}"),
            type="primary",
            icon=":material/model_training:",
            key=f"{asked.page}-again",
            on_click=act,
            args=(refused, partial(_begin, asked, wanted, begun)),
            help="A new run in the background with these labels; this run and its library stay as they are.",
        )
        if st.button("See at once what changes", icon=":material/bolt:", key=f"{asked.page}-quick-button"):
            st.session_state[wanted] = asked.token
        if labels.held_out:
            note(f"Held-out images among them: {labels.held_out:,}, which only judge the training.")
    if sentence := st.session_state.get(refused):
        markdown.error(sentence)
    if st.session_state.get(wanted) == asked.token:
        _quick(asked, pictures)
    if st.session_state.pop(begun, False):
        st.rerun()  # what is under way stands below, in a part of its own


def _corrected(labels: Labels, library: Library) -> bool:
    changed = labels.new or labels.changed or labels.held_out or labels.left_out
    return bool(changed) or labels.class_names != library.base.class_names


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
        _changed(asked, pictures, answer.changed, quick_moves(asked, answer), "quick")


def quick_text(answer: QuickAnswer, n: int) -> str:
    """Say what the head answers, and how far to trust it."""
    moved = f"with these labels the embedding's head puts {len(answer.changed):,} of {n:,} particles into another class"
    if not answer.held_out.n:
        return f"{moved}. No held-out image has a label, so how far to trust it is not known."
    return (
        f"{moved}. It is right on {_of(answer.held_out)} held-out images, the run as it is on"
        f" {_of(answer.model_held_out)}; the full training may differ."
    )


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


def results(asked: Asked, journal: Journal, finished: Sequence[Run], pictures: Pictures | None) -> None:
    """Compare the run with those that were trained from its library, one at a time."""
    st.subheader("What training again changed")
    known = {one.id: one for one in finished}
    chosen = known[next(iter(known))]
    if len(known) > 1:
        chosen = known[
            pick(asked.page, "again", "Trained again as", list(known), chosen.id, format_func=partial(_named, known))
        ]
    new, parent = particles_of(chosen), parent_of(chosen)
    if new is None or parent is None:
        note(f"Run {chosen.id} has not classified all its images yet; open it on the Train page.")
        return
    then = journal.at(parent.entries)
    found = compare(asked.particles, asked.run.class_names, new, chosen.class_names, then)
    markdown.show("{words}", words=comparison_text(found))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            LIBRARY, label="Open the new run's library", icon=":material/grid_view:", query_params={"left": chosen.id}
        )
        st.page_link(
            LATENT,
            label="See it in the latent space",
            icon=":material/scatter_plot:",
            query_params={"left": chosen.id},
        )
        note(f"{run_label(chosen)}, {day_text(chosen.status.updated)}")
    if len(found.changed):
        moves = model_moves(found.changed, asked.run, asked.particles, chosen, new, then)
        _changed(asked, pictures, found.changed, moves, "compared")


def comparison_text(found: Comparison) -> str:
    """Say what a training changed, and whether the difference may be chance."""
    if not found.old.n or found.only_old + found.only_new == 0:
        return found.in_words
    return (
        f"{found.in_words} {found.only_new:,} only now and {found.only_old:,} only before (exact McNemar test:"
        f" p = {found.p_value:.2g})."
    )


def model_moves(
    changed: np.ndarray, run: Run, old: Particles, new_run: Run, new: Particles, library: Library
) -> list[tuple[str, np.ndarray]]:
    """Return from where to where particles go from one run to the other, and which ones, the most first."""
    names = [library.names[k] for k in library.current(np.arange(len(run.class_names))).tolist()]
    before = [names[k] for k in old.predictions.predicted[np.searchsorted(old.ids, changed)].tolist()]
    after = [new_run.class_names[k] for k in new.predictions.predicted[np.searchsorted(new.ids, changed)].tolist()]
    return grouped(changed, before, after)


def grouped(ids: np.ndarray, before: Sequence[str], after: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """Return ids by where they come from and go to, the most first."""
    by: dict[tuple[str, str], list[int]] = {}
    for sample, old, new in zip(ids.tolist(), before, after, strict=True):
        by.setdefault((old, new), []).append(sample)
    most_first = sorted(by.items(), key=lambda item: -len(item[1]))
    return [(f"{old} \u2192 {new}", np.array(some, dtype=np.int64)) for (old, new), some in most_first]


def _changed(
    asked: Asked, pictures: Pictures | None, ids: np.ndarray, moves: list[tuple[str, np.ndarray]], name: str
) -> None:
    """Show the particles that changed class, and the button that selects them among the classes."""
    if pictures is not None:
        st.html(strips([Strip(title, some, pictures.of(some[: Strip.MOST])) for title, some in moves[: Strip.ROWS]]))
    words = "this one" if len(ids) == 1 else f"these {len(ids):,}"
    if st.button(verbatim(f"Select {words} above"), key=f"{asked.page}-select-{name}", icon=":material/select_all:"):
        component.select(asked.key, ids)
        st.rerun()


def _named(runs: Mapping[str, Run], run_id: str) -> str:
    return run_label(runs[run_id])


def _of(rate: Rate) -> str:
    return f"{rate.count:,} of {rate.n:,}"
