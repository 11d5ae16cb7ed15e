"""The film over the number of labels: put together from the store once, and what is being trained for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import streamlit as st

from ssrvae_core.config import DATASETS, DEMO_PRESET, PRESETS, RunConfig, UserError
from ssrvae_core.figures.frames import Step, steps_of
from ssrvae_core.reports.film import Film
from ssrvae_core.reports.gather import ratio_film
from ssrvae_core.reports.label_axis import PER_CLASS, RATIO, amount_text, amounts_in_words
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.comparison import RivalResult
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.sweep_spec import LABELS
from ssrvae_core.runs.uploads import with_owners_names
from ui import films, markdown, ready_made
from ui.entry import in_a_sentence
from ui.films import asked_position
from ui.jobs import STOPPED, Work, act, bar, buttons, reason, work_of
from ui.overview import LIVE
from ui.presentation import enlarged
from ui.ratios import Family, accuracies, accuracies_of, amount_in, families, family_labels, swept
from ui.reel import Reel, reel
from ui.rivals import job_of

REFRESH = 2.0
"""Seconds between two looks at what is being trained."""


def readable_runs(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Return the runs whose predictions can be read, and a sentence on each of the others."""
    complaints = {run.id: _complaint(*_stamp(run), run) for run in runs}
    return [run for run in runs if not complaints[run.id]], [text for text in complaints.values() if text]


@st.cache_data(max_entries=512, show_spinner=False)
def _complaint(path: str, updated: float, _run: Run) -> str:
    try:
        _run.predictions()
    except UserError as error:
        return str(error)
    return ""


def _stamp(run: Run) -> tuple[str, float]:
    return str(run.path.absolute()), run.status.updated


def film_of(family: Family, rivals: Sequence[RivalResult], seed: int) -> Film:
    """Return the film of a family: the frames of one seed, the curves of all."""
    stamps = (tuple(_stamp(run) for run in family.runs), tuple(result.id for result in rivals), seed)
    return _film_of(stamps, family, rivals, seed)


@st.cache_resource(max_entries=4, show_spinner="Putting the film together")
def _film_of(stamps: tuple[object, ...], _family: Family, _rivals: Sequence[RivalResult], _seed: int) -> Film:
    return ratio_film(_family.runs, rivals=accuracies(_rivals), seed=_seed)


def untrained(family: Family, film: Film) -> dict[float, str]:
    """Return the standard numbers of labels at which the film shows nothing, and how the axis labels them."""
    shown = {frame.position for track in film.tracks for frame in track.frames}
    known = {float(x) for curve in film.curves for x in curve.x if not curve.dashed}
    return {amount: amount_text(family.axis, amount) for amount in sorted({*family.standard, *known} - shown)}


def reel_of(family: Family, rivals: Sequence[RivalResult], seed: int, film: Film, width: int, room: int | None) -> Reel:
    """Return the film ready to be shown."""
    stamps = (tuple(_stamp(run) for run in family.runs), tuple(result.id for result in rivals), seed)
    return _reel_of(stamps, width, room, family, film)


@st.cache_data(max_entries=8, show_spinner="Putting the film together")
def _reel_of(stamps: tuple[object, ...], width: int, room: int | None, _family: Family, _film: Film) -> Reel:
    missing = untrained(_family, _film)
    figure = _film.figure(missing=missing, **films.look_of(width, len(_film.tracks), room))
    steps = steps_of(_film.tracks, missing)
    labels = {amount_in(run): run.status.n_labelled for run in _family.runs}

    def about(step: Step) -> str:
        n = labels.get(step.position)
        return f"{n} {'label' if n == 1 else 'labels'}" if n else amounts_in_words(_family.axis, step.position)

    return reel(
        figure if room is None else enlarged(figure),
        steps,
        _film.tracks,
        width,
        about,
        room,
        accuracies_of(_family.runs),
    )


# The sweep over few labels that comes with the program.


@dataclass(frozen=True)
class Shelf:
    """The films there are.

    Attributes
    ----------
    families : tuple of Family
        The one to begin with first.
    ready : str, optional
        The id of the one that came with the program, where it is shown.
    part : str, optional
        The id of what the store has of the same sweep, where that is not the whole of it.
    remark : str
        Why the one that came with the program cannot be shown, in a sentence.
    """

    families: tuple[Family, ...]
    ready: str | None = None
    part: str | None = None
    remark: str = ""

    def labels(self) -> dict[str, str]:
        """Name each film."""
        named = family_labels(self.families)
        return {one: f"{text} \u00b7 ready-made" if one == self.ready else text for one, text in named.items()}


def shelf(own: Sequence[Family], asked: str | None) -> Shelf:
    """Return the films of the store and the one that came with the program.

    On the demo's cards the ss-rVAE is right at every ratio, so that the film that came with the program goes before the
    demo's; it stands behind all others, and is there until the store has the whole of the same sweep.

    Parameters
    ----------
    own : sequence of Family
        The films of the store.
    asked : str, optional
        What the address asks for as number of labels: a share is one of a film over ratios.
    """
    share = (asked_position(asked) or 1) < 1
    places = {RATIO: 1, PER_CLASS: 0}  # few labels tell more than shares of many
    ready, remark = _ready_made()
    same = next((one for one in own if ready is not None and one.id == ready.id), None)
    if ready is not None and same is not None:
        ready = None if _ids(ready) <= _ids(same) else replace(ready, id=f"{ready.id}-ready")

    def place(one: Family) -> tuple[bool, int, int]:
        of_the_demo = one.axis == RATIO and one.runs[0].config.dataset == DATASETS[PRESETS[DEMO_PRESET].data]
        return share and one.axis != RATIO, 2 if of_the_demo else int(one is ready), places[one.axis]

    if ready is None:
        return Shelf(tuple(sorted(own, key=place)), remark=remark)
    return Shelf(tuple(sorted([*own, ready], key=place)), ready.id, None if same is None else same.id)


def _ready_made() -> tuple[Family | None, str]:
    """Return the film that came with the program, or why it cannot be shown."""
    try:
        found = families(swept(ready_made.labels_runs()))
        if len(found) == 1:
            return found[0], ""
        reason = f"{ready_made.LABELS_ARCHIVE.name} has no sweep over labels; install the program again."
    except UserError as error:
        reason = str(error)
    return None, f"The ready-made film is not available: {reason}"


def _ids(family: Family) -> set[str]:
    return {run.config.run_id for run in family.runs}


def offer_labels(store: RunStore) -> None:
    """Offer to train what came with the program, or say how far that is; a viewer is offered nothing."""
    if is_viewer():
        return
    job = job_of(LABELS, store)
    if job is not None and job.state in LIVE:
        follow_labels(store, job.id)
        return
    if job is not None and job.state in STOPPED:
        markdown.warning(f"The sweep over labels per class was {job.state}. {job.error or ''}".strip())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Train the sweep over labels per class",
            icon=":material/play_arrow:",
            on_click=act,
            args=("ratio-labels-refused", lambda: JobQueue(store).submit("sweep", spec=LABELS.model_dump(mode="json"))),
        )
        markdown.note(
            f"{len(LABELS.configs())} small runs in some minutes, the same as came with the program as results alone; "
            "those in this store open on every page."
        )
    if refused := st.session_state.pop("ratio-labels-refused", None):
        markdown.error(refused)


@st.fragment(run_every=REFRESH)
@in_a_sentence
def follow_labels(store: RunStore, job_id: str) -> None:
    """Show how far the sweep is; its end brings its film to life."""
    job = JobQueue(store).get(job_id)
    if job.state not in LIVE:
        st.rerun()
    markdown.progress(min(job.share, 1.0), f"{job.title}: {job.state}, {job.done} of {job.total} done")
    buttons(store, Work(job.id, job, None), "labels")


# What is being trained.


def works_of(store: RunStore, configs: Sequence[RunConfig]) -> list[Work]:
    """Return what is under way, or has stopped, of these configurations."""
    found = []
    for config in configs:
        with suppress(UserError):  # a broken run, of which the page tells, or one that is begun at this moment
            found.append(work_of(store, config.run_id))
    return [work for work in found if work is not None and (work.live or work.state in STOPPED)]


def train(store: RunStore, configs: Sequence[RunConfig]) -> None:
    """Queue what is missing, a job a run, each exactly as its model's other runs were trained.

    Raises
    ------
    UserError
        If the store cannot be written, or this is a viewer.
    """
    for config in configs:
        JobQueue(store).submit(config=config)


@st.fragment(run_every=REFRESH)
@in_a_sentence
def progress(store: RunStore, configs: Sequence[RunConfig], live: Sequence[str]) -> None:
    """Show how far the trainings are; one that ends brings its number of labels to life."""
    works = works_of(store, configs)
    if {work.id for work in works if work.live} != set(live):
        st.rerun()
    show_works(store, works)


def show_works(store: RunStore, works: Sequence[Work]) -> None:
    """Show every training with the button that suits it."""
    waiting = [work.id for work in works if work.state == "queued"]
    for work in works:
        with st.container(horizontal=True, vertical_alignment="center"):
            if work.live:
                bar(work, waiting.index(work.id) if work.id in waiting else 0, store)
            else:
                why = reason(work)
                markdown.warning(with_owners_names(f"{work.title}: {work.state}. {why}".strip(), store.root))
            buttons(store, work, "ratio")
