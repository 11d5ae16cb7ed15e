"""What can be taken away from an explorer: the selected particles as a table, or as images to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from ssrvae_core.figures import Panel
from ssrvae_core.reports import html, particles
from ssrvae_core.reports.explorer.page import MOST, whole
from ssrvae_core.reports.explorer.source import Source
from ssrvae_core.reports.gather import by_images
from ssrvae_core.runs import Run
from ssrvae_core.runs.data_files import is_here
from ssrvae_core.runs.tables import CSV, PARQUET, ROWS, Columns, bytes_of, columns, plain
from ui import export
from ui.markdown import verbatim

BUDGET = 3_000_000
"""Bytes of a saved explorer beside plotly's script; several in one file share them."""
LEAST = 700_000
"""Bytes that each of several has at least."""
HELP = f"The maps and pictures in one file for any browser, without a network: at most {MOST:,} particles."


def particle_table(kind: str, ids: np.ndarray, sources: Sequence[Source], class_names: Sequence[str]) -> bytes:
    """Return what each model says of these particles as a file, a row per particle and model.

    The columns are those of :func:`ssrvae_core.runs.tables.columns`, with the ``run`` and the ``model`` after the id.

    Parameters
    ----------
    kind : str
        ``.csv`` or ``.parquet``.
    ids : int64 array (n,)
        Sample ids, ascending, each one of every source's.
    sources : sequence of Source
        The models.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    """
    some = [ids[start : start + ROWS] for start in range(0, max(len(ids), 1), ROWS)]
    return bytes_of(kind, (_side_by_side(part, sources, class_names) for part in some))


def _side_by_side(ids: np.ndarray, sources: Sequence[Source], class_names: Sequence[str]) -> Columns:
    """Return the columns of some particles, the models' rows of each one after another."""
    n, m = len(ids), len(sources)
    each = [columns(s.particles, class_names, np.searchsorted(s.particles.ids, ids)) for s in sources]
    widest = max(each, key=len)  # a model may have more latents than another
    order = np.arange(n * m).reshape(m, n).T.ravel()

    def joined(name: str) -> np.ndarray | list[str]:
        parts = [part.get(name, np.full(n, np.nan, np.float32)) for part in each]
        if isinstance(parts[0], list):
            return np.concatenate([np.array(part, dtype=object) for part in parts])[order].tolist()
        return np.concatenate(parts)[order]

    first, *others = widest
    own = {"run": [s.run_id for s in sources] * n, "model": [plain(s.title) for s in sources] * n}
    return {first: joined(first), **own, **{name: joined(name) for name in others}}


def selection(
    ids: np.ndarray, runs: Sequence[Run], sources: Sequence[Source], *, of: int, title: str, caption: str
) -> None:
    """Offer the selected particles, or all where none is, as a table and as an image file; the buttons say which.

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
        for kind, name, mime in ((CSV, "CSV", "text/csv"), (PARQUET, "Parquet", "application/vnd.apache.parquet")):
            st.download_button(
                verbatim(f"Selection as {name}" if some else f"All particles as {name}"),
                data=partial(particle_table, kind, chosen, sources, class_names),
                file_name=f"{'selection' if some else 'particles'}{kind}",
                mime=mime,
                on_click="ignore",
                icon=":material/download:",
                help="File, micrograph, part, true class, class, its probabilities, angle, confidence, outlier score,"
                " size and latents of each.",
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
            help=HELP,
        )
        st.markdown(f"**{len(ids):,} selected** of {of:,}", width="content")


def _page(runs: Sequence[Run], sources: Sequence[Source], title: str, caption: str) -> str:
    """Return the explorer as a file of its own."""
    return whole(particles.explorer_of(runs, sources, f"particles-{runs[0].id}", BUDGET), title, caption)


def explorers(runs: Sequence[Run], titles: Sequence[str], conditions: str) -> list[str]:
    """Return the explorers of runs as HTML for a page of its own, one for those that are judged on the same images.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs whose predictions can be read, as many as an explorer takes
        (:data:`ssrvae_core.reports.particles.RUNS`).
    titles : sequence of str
        What the runs are called on the page.
    conditions : str
        What they were trained and judged on, for the captions.
    """
    called = {run.id: title for run, title in zip(runs, titles, strict=True)}
    groups = by_images(runs)
    shown = []
    for group in groups:
        sources = [replace(source, title=called[source.run_id]) for source in particles.sources_of(group)]
        made = particles.explorer_of(group, sources, f"particles-{group[0].id}", max(BUDGET // len(groups), LEAST))
        shown.append(html.explorer(made, particles.explorer_caption(len(group), conditions)))
    return shown


def _panels(sources: Sequence[Source]) -> list[Panel]:
    return [Panel(source.title, source.predictions) for source in sources]
