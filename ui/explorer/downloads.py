"""What can be taken away from an explorer: the selected particles as a table, or as images to train on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from ssrvae_core.figures import Panel
from ssrvae_core.records import PARTS
from ssrvae_core.reports.explorer.page import MOST, whole
from ssrvae_core.reports.explorer.source import Source
from ssrvae_core.reports.particles import explorer_of
from ssrvae_core.runs import Run
from ssrvae_core.runs.data_files import is_here
from ui import export
from ui.markdown import verbatim

BUDGET = 3_000_000
"""Bytes of a saved explorer beside plotly's script."""


def particle_table(ids: np.ndarray, sources: Sequence[Source], class_names: Sequence[str]) -> pd.DataFrame:
    """Tabulate what each model says of these particles, a row per particle and model; angles in degrees.

    Parameters
    ----------
    ids : int64 array (n,)
        Sample ids, each one of every source's.
    sources : sequence of Source
        The models.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    """
    names = np.array([*class_names, ""], dtype=object)
    tables = [_of_one(ids, source, names) for source in sources]
    return pd.concat(tables, ignore_index=True).sort_values(["id", "run"], kind="stable", ignore_index=True)


def _of_one(ids: np.ndarray, source: Source, names: np.ndarray) -> pd.DataFrame:
    particles, p = source.particles, source.predictions
    rows = np.searchsorted(p.ids, ids)
    groups = np.array([*(particles.group_names or ()), ""], dtype=object)
    columns = {
        "id": p.ids[rows],
        "run": source.run_id,
        "model": source.title,
        "name": "" if particles.names is None else [particles.names[row] for row in rows],
        "group": "" if particles.groups is None else groups[particles.groups[rows].clip(min=-1)],
        "part": np.array(PARTS, dtype=object)[particles.part[rows]],
        "label": names[p.labels[rows]],
        "class": names[p.predicted[rows]],
        **{f"p_{name}": p.class_prob[rows, k] for k, name in enumerate(names[:-1])},
        "angle_degrees": np.degrees(p.angle[rows]),
        "confidence": p.confidence[rows],
        "outlier_score": particles.outlier_score[rows],
        "size": np.nan if particles.size is None else particles.size[rows],
    }
    latents = {f"z_{d + 1}": values for d, values in enumerate(p.z_mean[rows].T)}
    return pd.DataFrame(columns | latents)


def selection(
    ids: np.ndarray, runs: Sequence[Run], sources: Sequence[Source], *, of: int, title: str, caption: str
) -> None:
    """Offer the selected particles, or all where none is, as CSV and as an image file; the buttons say how many.

    Parameters
    ----------
    ids : int64 array (n,)
        Ids of the selected particles.
    runs, sources : sequence
        The runs, and what they say of all particles.
    of : int
        How many particles there are.
    title, caption : str
        Heading and caption of a saved explorer.
    """
    class_names = runs[0].class_names
    some = len(ids) > 0
    chosen = ids if some else sources[0].particles.ids
    here = is_here(runs[0].dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Selection as CSV" if some else "All particles as CSV",
            data=lambda: export.csv(particle_table(chosen, sources, class_names)),
            file_name="selection.csv" if some else "particles.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            help="File, micrograph, part, true class, class, its probabilities, angle, confidence, outlier score and "
            "latents of each.",
        )
        st.download_button(
            "Selection as npz",
            data=lambda: export.selection_npz(chosen, runs[0], _panels(sources), [run.id for run in runs]),
            file_name="selection.npz",
            mime="application/octet-stream",
            on_click="ignore",
            disabled=not some or not here,
            icon=":material/download:",
            help="The images with their labels, and what each model says of them: an image file to train on. What is "
            "trained on a run's validation images must not be judged on them."
            if here
            else f"The file {verbatim(runs[0].data_name)} is not here; upload it on the Data page first",
        )
        st.download_button(
            "Explorer as HTML",
            data=lambda: _page(runs, sources, title, caption),
            file_name=f"particles-{runs[0].id}.html",
            mime="text/html",
            on_click="ignore",
            icon=":material/download:",
            help=f"The maps and pictures in one file for any browser, without a network: at most {MOST:,} particles.",
        )
        st.markdown(f"**{len(ids)} selected** of {of:,}", width="content")


def _page(runs: Sequence[Run], sources: Sequence[Source], title: str, caption: str) -> str:
    """Return the explorer as a file of its own."""
    return whole(explorer_of(runs, sources, f"particles-{runs[0].id}", BUDGET), title, caption)


def _panels(sources: Sequence[Source]) -> list[Panel]:
    return [Panel(source.title, source.predictions) for source in sources]
