"""What a new training will take: what is there of it already, how long the rest will take, and its start."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ssrvae_core.config import RunConfig
from ssrvae_core.reports.wording import MODEL_TITLES
from ssrvae_core.runs import Run
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.progress import roughly
from ssrvae_core.shares import percent
from ui import datasets, markdown
from ui.forecast import forecast
from ui.jobs import Work, work_of
from ui.markdown import Markdown, filled
from ui.runs import store
from ui.training import PAGE
from ui.watching import watch_only


def outlook(config: RunConfig, runs: Sequence[Run]) -> float | None:
    """Say what is there of a run already and how long it will take.

    Parameters
    ----------
    config : RunConfig
        The run.
    runs : sequence of Run
        The store's, the latest first, to take the time from.

    Returns
    -------
    float or None
        Expected seconds; None where there is nothing to start.

    Raises
    ------
    UserError
        If its images cannot be used or split, or what is there of it cannot be read.
    """
    title = filled("**{model}**, run {run}", model=MODEL_TITLES[config.model.name], run=config.run_id)
    there = store().find(config)
    known = work_of(store(), config.run_id)
    if there is not None and there.status.state == "finished":
        _finished(title, there)
        return None
    if known is not None and known.live:
        _live(title, known)
        return None
    return _to_train(title, config, runs, there)


def _finished(title: Markdown, run: Run) -> None:
    accuracy = run.accuracy
    share = "" if accuracy is None else f", with an accuracy of {percent(accuracy)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        markdown.show("{title}: finished already{share}.", title=title, share=share)
        st.page_link(
            "pages/latent_space.py",
            label="Open it",
            icon=":material/scatter_plot:",
            query_params={"left": run.id},
        )


def _live(title: Markdown, work: Work) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        what = "waits for its turn" if work.state == "queued" else "is under way"
        markdown.show("{title} {what}.", title=title, what=what)
        watched = work.id in st.query_params.get("job", "").split(",")
        if not watched and st.button("Watch it", key=f"{PAGE}-watch-{work.id}", icon=":material/visibility:"):
            watch_only([work.id])
            st.rerun()


def _to_train(title: Markdown, config: RunConfig, runs: Sequence[Run], there: Run | None) -> float:
    parts = datasets.parts_of(config.dataset, config.split)
    shape = (config.dataset.size,) * 2 if datasets.is_generated(config.dataset) else parts.labelled.image_shape[-2:]
    expected = forecast(config, len(parts.labelled), len(parts.unlabelled), shape, runs)
    seconds = expected.seconds * (1 - there.status.share if there is not None else 1)
    basis = (
        f"as {len(expected.measured_on)} finished {'run' if len(expected.measured_on) == 1 else 'runs'} of this model "
        f"on images of {shape[0]} x {shape[1]} pixels took"
        if expected.measured_on
        else "as measured on a machine with two free cores; once it runs, its own speed is used"
    )
    goes_on = f"; it goes on from {there.status.goes_on}" if there is not None and there.status.goes_on else ""
    markdown.show(
        "{title}: {images}, {epochs} epochs, **{time}**, {basis}.",
        title=title,
        images=f"{len(parts.labelled):,} labelled and {len(parts.unlabelled):,} unlabelled images",
        epochs=config.training.epochs,
        time=roughly(seconds),
        basis=f"{basis}{goes_on}",
    )
    return seconds


def start(configs: Sequence[RunConfig]) -> None:
    """Hand runs to the queue, and watch them.

    Raises
    ------
    UserError
        If the queue refuses one.
    """
    queue = JobQueue(store())
    for config in configs:
        queue.submit(config=config)
    watch_only([config.run_id for config in configs])
