"""The classes of all particles of a run, to take away: labelled, unlabelled and validation ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.records import PARTS
from ssrvae_core.runs import Run, catching_up, directory, particle_file
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.tables import CSV, PARQUET, table_bytes
from ui import markdown
from ui.jobs import act
from ui.markdown import note


def downloads(run: Run, page: str) -> None:
    """Show what takes the classes of all images of a finished run away; for an earlier run, what makes them.

    Parameters
    ----------
    run : Run
        The finished run.
    page : str
        The page, for the keys of its buttons.
    """
    file = run.path / directory.PARTICLES
    try:
        counts = _counts(str(run.path), file.stat().st_mtime_ns)
    except FileNotFoundError:
        make([run], page, "This run comes from an earlier version, which classified the validation images only.")
        return
    except UserError as error:
        markdown.warning(str(error))
        make([run], page, "")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Classes of all particles",
            data=partial(_table, run, CSV),
            file_name=f"classes-{run.id}{CSV}",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            key=f"{page}-classes-{run.id}-csv",
        )
        st.download_button(
            "as Parquet",
            data=partial(_table, run, PARQUET),
            file_name=f"classes-{run.id}{PARQUET}",
            mime="application/vnd.apache.parquet",
            on_click="ignore",
            key=f"{page}-classes-{run.id}-parquet",
            type="tertiary",
        )
        parts = ", ".join(f"{count:,} {part}" for part, count in counts.items() if count)
        note(f"{sum(counts.values()):,} particles, a row each: {parts}")


def catching_up_on(run: Run) -> bool:
    """Whether a process classifies all images of a run just now, so that the page has to look again."""
    found = catching_up.look(run)
    return found is not None and found.state == "running"


def make(runs: Sequence[Run], page: str, why: str) -> None:
    """Show how far the classification of all images of runs is, and the button that begins it where it does not go on.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, at least one, that do not hold the classes of all their images.
    page : str
        The page, for the keys of its buttons.
    why : str
        Why there is something to do, in a sentence, or nothing.
    """
    waiting = []
    for run in runs:
        now = catching_up.look(run)
        if now is not None and now.state == "running":
            done = f"{now.done:,} of {now.n:,} particles classified" if now.n else "Reading the images"
            markdown.progress(now.share, done)
            continue
        waiting.append(run)
        if now is not None:
            markdown.warning(now.error or "The classification was stopped before its end.")
    if not waiting or is_viewer():
        return
    key = "-".join(run.id for run in waiting)
    refused = f"{page}-classes-refused-{key}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Classify all particles",
            key=f"{page}-classify-{key}",
            icon=":material/category:",
            on_click=act,
            args=(refused, partial(_begin, waiting)),
        )
        if why:
            note(why)
    if sentence := st.session_state.get(refused):
        markdown.error(sentence)


def _begin(runs: Sequence[Run]) -> None:
    for run in runs:
        catching_up.begin(run)


@st.cache_data(max_entries=32, show_spinner=False)
def _counts(path: str, written: int) -> dict[str, int]:
    """Return how many images of each part a run has classified; ``written`` is when."""
    particles = particle_file.read(Path(path))
    if particles is None:
        raise FileNotFoundError(path)
    return {part: int(np.count_nonzero(particles.part == number)) for number, part in enumerate(PARTS)}


def _table(run: Run, kind: str) -> bytes:
    particles = run.particles()
    if particles is None:
        raise UserError(f"Run {run.id} was deleted or changed meanwhile; reload the page.")
    return table_bytes(kind, particles, run.class_names)
