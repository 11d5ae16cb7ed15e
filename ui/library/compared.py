"""What a training with corrected labels changed: two runs compared, with the particles that changed class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from ssrvae_core.library import Journal, Library
from ssrvae_core.library.compare import Comparison, compare
from ssrvae_core.library.training import parent_of
from ssrvae_core.records import Particles
from ssrvae_core.runs import Run
from ssrvae_core.times import day_text
from ui import markdown
from ui.explorer.everything import particles_of
from ui.explorer.pictures import Pictures
from ui.library import component
from ui.library.strips import Strip, strips
from ui.markdown import note, verbatim
from ui.runs import run_label
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


def results(asked: Asked, journal: Journal, finished: Sequence[Run], pictures: Pictures | None, first: Run) -> None:
    """Compare the run with those that were trained from its library, one at a time; this one at first."""
    st.subheader("What training again changed")
    known = {one.id: one for one in finished}
    chosen = first
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
        show_changed(asked, pictures, found.changed, moves, "compared")


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


def show_changed(
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
