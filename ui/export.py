"""What can be taken away: the export menu every page has, and the selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from ssrvae_core.data import ImageSet
from ssrvae_core.data.writing import fields_of, npz_bytes
from ssrvae_core.evaluation.outliers import outlier_scores
from ssrvae_core.figures import Panel, theme
from ssrvae_core.runs import Run
from ssrvae_core.runs.data_files import is_here, load_images
from ssrvae_core.spreadsheets import harmless
from ui import charts
from ui.markdown import verbatim
from ui.selection import rows_of
from ui.selection import table as table_of

_TOLD = ("class_prob", "z_mean", "z_sd", "angle", "concentration", "log_likelihood")


def standalone_html(figure: go.Figure, title: str, caption: str) -> str:
    """Return a page that shows a figure without a network: the figure, plotly itself, and the caption below."""
    white = go.Figure(figure).update_layout(paper_bgcolor="#FFFFFF", plot_bgcolor="#FFFFFF")
    white.update_layout(height=figure.layout.height or 600)
    body = white.to_html(include_plotlyjs=True, full_html=False, config=theme.CONFIG, auto_play=False)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<body style="font-family: system-ui, sans-serif; margin: 24px; color: #31333F; background: #FFFFFF">'
        f"<h1>{escape(title)}</h1>{body}<p>{escape(caption)}</p></body></html>"
    )


def csv(table: pd.DataFrame) -> str:
    """Return a table as CSV; empty fields where there is no number, and no text that a spreadsheet would calculate."""
    shown = table.rename(columns=lambda name: harmless(str(name)))
    for name in shown.select_dtypes(["object", "string", "category"]).columns:
        shown[name] = [harmless(cell) if isinstance(cell, str) else cell for cell in shown[name]]
    return shown.to_csv(index=False, float_format="%.6g")


def menu(
    name: str,
    title: str,
    caption: str,
    *,
    table: Callable[[], pd.DataFrame],
    figure: Callable[[], go.Figure] | None = None,
) -> None:
    """Show the export menu; nothing is made before its button is pressed.

    Parameters
    ----------
    name : str
        Name of the files, without their endings.
    title, caption : str
        Heading and caption of the figure's page.
    table : callable
        Makes the table to save as CSV.
    figure : callable, optional
        Makes the figure to save as a page of its own.
    """
    with st.popover("Export", icon=":material/download:"):
        if figure is not None:
            st.download_button(
                "Figure as HTML, for any browser",
                data=lambda: standalone_html(figure(), title, caption),
                file_name=f"{name}.html",
                mime="text/html",
                on_click="ignore",
                key=f"{name}-html",
            )
            charts.choose_picture("The camera above a chart saves it as")
        st.download_button(
            "Data as CSV",
            data=lambda: csv(table()),
            file_name=f"{name}.csv",
            mime="text/csv",
            on_click="ignore",
            key=f"{name}-csv",
        )


def selection_fields(
    ids: np.ndarray, images: ImageSet, panels: Sequence[Panel], run_ids: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the fields of an image file with these samples, and what each model says of them.

    The file can be trained on: it has no split of its own, as all of its images are validation images of the runs, and
    no class without an image, which no training would take.

    Parameters
    ----------
    ids : int array (n,)
        Sample ids, all among the images'.
    images : ImageSet
        The data set they are from.
    panels : sequence of Panel
        The models' predictions.
    run_ids : sequence of str
        Their run ids.

    Returns
    -------
    dict of str to array
        ``images``, ``labels``, ``ids``, ``factors/...`` and so on, which
        :func:`ssrvae_core.data.read_images` reads back; and beside them, which it leaves alone,
        ``<run id>/class_prob`` (n, K), ``z_mean`` and ``z_sd`` (n, D), ``angle`` (radians), ``concentration``,
        ``log_likelihood`` and ``outlier_score`` (n,). A model has NaN, or z of no columns, where it does not say. The
        columns of ``class_prob`` are the classes of ``<run id>/class_names`` (K,), which are all the model knows.
    """
    order = np.argsort(images.ids)
    part = images.take(order[np.searchsorted(images.ids, ids, sorter=order)])
    fields = fields_of(_with_own_classes(replace(part, validation=None)))
    names = np.array(images.class_names, dtype=np.str_)
    for panel, run_id in zip(panels, run_ids, strict=True):
        p, rows = panel.predictions, rows_of(ids, panel.predictions)
        told = {name: getattr(p, name) for name in _TOLD} | {"outlier_score": outlier_scores(p)}
        fields |= {f"{run_id}/{name}": values[rows] for name, values in told.items()}
        fields[f"{run_id}/class_names"] = names
    return fields


def _with_own_classes(images: ImageSet) -> ImageSet:
    """Return the same images without the classes that none of them has."""
    present = np.unique(images.labels[images.labels >= 0])
    if not len(present):  # a file of no labels keeps the names it may get
        return images
    labels = np.where(images.labels < 0, images.labels, np.searchsorted(present, images.labels))
    return replace(images, labels=labels, class_names=tuple(images.class_names[label] for label in present))


def selection(
    ids: np.ndarray, run: Run, panels: Sequence[Panel], run_ids: Sequence[str], *, of: int | None = None
) -> None:
    """Show how many samples are selected, also when there are none, and offer them as CSV and npz.

    Parameters
    ----------
    ids : int array (n,)
        Sample ids that every panel's predictions have.
    run : Run
        One of the runs, which knows the data set.
    panels, run_ids
        What the models, and rivals, say; and under which ids.
    of : int, optional
        How many samples there are.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(ids):,} selected**" + ("" if of is None else f" of {of:,}"), width="content")
        st.download_button(
            "Selection as CSV",
            data=lambda: csv(table_of(ids, panels, run_ids, run.class_names)),
            file_name="selection.csv",
            mime="text/csv",
            on_click="ignore",
            disabled=not len(ids),
            icon=":material/download:",
        )
        st.download_button(
            "Selection as npz",
            data=lambda: selection_npz(ids, run, panels, run_ids),
            file_name="selection.npz",
            mime="application/octet-stream",
            on_click="ignore",
            disabled=not len(ids) or not is_here(run.dataset),
            icon=":material/download:",
            help="The images with their labels, and what each model says of them: an image file to train on, which is "
            "split again. These are validation images, so what is trained on them must not be judged on this run's."
            if is_here(run.dataset)
            else f"The file {verbatim(run.data_name)} is not here; upload it on the Data page first",
        )


def selection_npz(ids: np.ndarray, run: Run, panels: Sequence[Panel], run_ids: Sequence[str]) -> bytes:
    """Return the image file that :func:`selection_fields` describes.

    Raises
    ------
    UserError
        If the run's images cannot be loaded.
    """
    images = load_images(run.config.dataset, run.path.parent)
    return npz_bytes(selection_fields(ids, images, panels, run_ids))
