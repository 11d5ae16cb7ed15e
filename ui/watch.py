"""A training as it is watched: its curves, its newest latents, and the end of its log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.data import UNLABELLED
from ssrvae_core.figures import Panel, latent_scatter
from ssrvae_core.figures.counts import judged_words
from ssrvae_core.figures.curves import loss, training_curves
from ssrvae_core.records import Predictions, Snapshot
from ssrvae_core.reports.wording import course_text, model_title, plain, titles
from ssrvae_core.runs import Run, RunStore, directory
from ssrvae_core.runs.uploads import with_owners_names
from ssrvae_core.shares import percent
from ssrvae_core.times import with_local_times, zone
from ui import charts, classes, datasets, markdown
from ui.jobs import Work, bar, buttons, reason
from ui.markdown import note, public
from ui.overview import duration
from ui.runs import n_images
from ui.training import PAGE

LOG_LINES = 5
FEW_EPOCHS = 6


def panel(store: RunStore, work: Work, ahead: int, *, alone: bool = False) -> None:
    """Show a training: how far it is, what can be done about it, its curves and latents, and the end of its log.

    Parameters
    ----------
    store : RunStore
        Where it is.
    work : Work
        The training.
    ahead : int
        How many wait before it.
    alone : bool
        Whether it has the page's width, so that curves and latents stand side by side.
    """
    if work.state == "finished":
        markdown.success(with_owners_names(f"{work.title}: {ending(work)}", store.root))
    else:
        bar(work, ahead, store)
    if work.state in {"failed", "interrupted"} and (sentence := reason(work)):
        markdown.warning(with_owners_names(sentence, store.root))
    with st.container(horizontal=True, vertical_alignment="center"):
        buttons(store, work, PAGE)
        if work.state == "finished" and work.run is not None:
            st.page_link(
                "pages/latent_space.py",
                label="Open its latent space",
                icon=":material/scatter_plot:",
                query_params={"left": work.id},
            )
            st.page_link(
                "pages/library.py",
                label="Open its library",
                icon=":material/grid_view:",
                query_params={"left": work.id},
            )
            st.page_link(
                "pages/confusion.py",
                label="Open its confusion matrix",
                icon=":material/grid_on:",
                query_params={"left": work.id},
            )
    if work.run is not None:
        if work.state == "finished":
            classes.downloads(work.run, PAGE)
        of_curves, of_latents = st.columns(2, gap="medium") if alone else (st.container(), st.container())
        with of_curves:
            _curves(work.run)
        with of_latents:
            _latents(work.run)
    if lines := work.log(LOG_LINES):
        with st.expander("Log", icon=":material/terminal:"):
            note(f"Its last lines; times are {zone()}")
            log = with_local_times(with_owners_names("\n".join(lines), store.root))
            st.code(public(log), language=None, wrap_lines=True)


def curves_of(runs: Sequence[Run]) -> go.Figure:
    """Draw trainings as far as they have come, each in the colour and shape of its model."""
    return training_curves({name: run.metrics() for name, run in zip(titles(runs), runs, strict=True)})


def epochs_of(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the metrics of every epoch of some trainings, a row each."""
    known = [
        {"run": run.id, "model": run.config.model.name, "seed": run.config.seed} | line
        for run in runs
        for line in run.metrics()
    ]
    return pd.DataFrame(known)


def ending(work: Work) -> str:
    """Say how a finished training came out."""
    if work.run is None:
        return f"finished, {work.done} of {work.total} {work.unit}."
    accuracy = work.run.accuracy
    share = "" if accuracy is None else f", accuracy {percent(accuracy)} on {_judged_on(work.run)}"
    return f"finished after {work.run.status.epoch} epochs and {duration(work.run.status.seconds)}{share}."


def _judged_on(run: Run) -> str:
    try:
        n, judged = n_images(run)
    except UserError:  # the maps say what is wrong with it
        return "the validation images"
    return judged_words(judged, n)


def _curves(run: Run) -> None:
    lines = run.metrics()
    if not lines:
        return
    figure = training_curves({model_title(run): lines})
    epochs = run.config.training.epochs
    few = {"tick0": 1, "dtick": 1} if epochs <= FEW_EPOCHS else {}  # or whole epochs would have halves between them
    figure.update_xaxes(range=[0.5, epochs + 0.5], tickformat="d", domain=[0, 1], **few)
    figure.update_layout(showlegend=False, dragmode="pan", uirevision=run.id, margin=charts.MARGIN | {"t": 40})
    # Half a page is too narrow for two beside each other: the accuracy, which is what is watched, is above the loss.
    figure.update_layout(
        yaxis={"domain": [0, 0.44]},
        yaxis2={"domain": [0.56, 1], "title": {"text": "Accuracy"}},
        xaxis2={"matches": "x", "showticklabels": False, "title": {"text": ""}},
    )
    last = lines[-1]
    lost = loss(last)
    accuracy = "" if last["validation_accuracy"] is None else f", accuracy {percent(last['validation_accuracy'])}"
    charts.show(
        figure,
        key=f"watch-curves-{run.id}",
        alt=f"Loss and accuracy of {model_title(run)} by epoch; at epoch {last['epoch']} the loss is "
        f"{'unknown' if lost is None else f'{lost:.1f}'}{accuracy}.",
        file_name=f"training-{run.id}",
    )
    if words := course_text(run):
        note(words)


def _latents(run: Run) -> None:
    path = run.path / directory.SNAPSHOTS
    newest = _newest(str(path), path.stat().st_mtime, run) if path.exists() else None
    if newest is None:
        return
    epoch, snapshot = newest
    predictions, colour = latents_of(run, snapshot)
    figure = latent_scatter([Panel(model_title(run), predictions)], list(map(plain, run.class_names)), colour_by=colour)
    legend = charts.legend(figure)
    charts.make_panel(figure, dragmode="pan", uirevision=run.id)
    by = "their true class" if colour == "class" else "the class the model says"
    st.html(legend)
    charts.show(
        figure,
        key=f"watch-latents-{run.id}",
        alt=f"Latents of {len(snapshot.ids):,} validation images after epoch {epoch}, coloured by {by}.",
        file_name=f"latents-{run.id}-{epoch}",
    )
    note(f"Latents of {len(snapshot.ids):,} validation images after epoch {epoch}, coloured by {by}.")


@st.cache_data(max_entries=8, show_spinner=False)
def _newest(path: str, written: float, _run: Run) -> tuple[int, Snapshot] | None:
    snapshots = _run.snapshots()
    return snapshots[-1] if snapshots else None


def latents_of(run: Run, snapshot: Snapshot) -> tuple[Predictions, str]:
    """Return a snapshot as predictions, and what to colour it by: the classes, where the data still tell them."""
    n, d = snapshot.z_mean.shape
    nothing = np.full(n, np.nan, np.float32)
    try:
        ids, known = _labels(run.config.model_dump_json())
    except UserError:  # the file is gone or another one; what the model says needs none
        labels = np.full(n, UNLABELLED, np.int64)
    else:
        labels = known[np.searchsorted(ids, snapshot.ids)]
    predictions = Predictions(
        ids=snapshot.ids,
        labels=labels,
        class_prob=snapshot.class_prob,
        z_mean=snapshot.z_mean,
        z_sd=np.zeros((n, d), np.float32),
        angle=nothing,
        concentration=nothing,
        log_likelihood=nothing,
    )
    return predictions, "class" if (labels != UNLABELLED).any() else "predicted"


@st.cache_data(max_entries=8, show_spinner=False)
def _labels(config: str) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and labels of the validation images, in the order of the ids."""
    chosen = RunConfig.model_validate_json(config)
    validation = datasets.parts_of(chosen.dataset, chosen.split).validation
    order = np.argsort(validation.ids)
    return validation.ids[order], validation.labels[order]
