"""Which two models look at the image: the ready-made ones or the store's, and how many labels they had."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ssrvae_core.reports.label_axis import amount_of, amount_text, axis_of
from ssrvae_core.runs import Run
from ssrvae_core.runs.comparable import same_images
from ui import markdown
from ui.markdown import verbatim, words
from ui.runs import NO_RUN, finished, labels_of, newest_pair, partner
from ui.state import drop, harmless, key, pick

READY, STORE = "lesson", "store"
"""Where the models are from, as the address has it."""
MOST = 6
"""Numbers of labels that stand side by side as buttons."""

Pair = tuple[Run, Run | None]


def pairs(runs: Sequence[Run]) -> list[Pair]:
    """Return pairs of models without and with invariance, trained alike, one per number of labels, the fewest first.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, at least one, newest first. The pairs are on the images of the newest pair; where there is none,
        the newest run stands alone.
    """
    first, second = newest_pair(runs)
    if second is None or second.config.split != first.config.split:
        return [(first, second)]
    alike = [run for run in runs if same_images(first, run)]
    found: dict[int, Pair] = {}
    for run in alike:
        other = partner(run, alike) if run.config.model.rotation == "none" else None
        if other is not None and (other.config.split, other.config.seed) == (run.config.split, run.config.seed):
            found.setdefault(run.status.n_labelled or 0, (run, other))
    return [found[n] for n in sorted(found)] or [(first, second)]


def pick_source(page: str, has_runs: bool) -> str:
    """Return where the models are from; a choice where the store has some that can be shown."""
    if not has_runs:
        drop("from", "Models from", READY)
        return READY
    names = {STORE: "This store", READY: "Ready-made lesson"}
    return pick(page, "from", "Models from", list(names), STORE, format_func=names.__getitem__, segmented=True)


def tell_refused(page: str, runs: Sequence[Run]) -> None:
    """Say so where the address asks for a run that is not there, outside of whatever the pickers are folded into."""
    known = {run.id for run in runs}
    for name, options in (("left", known), ("right", {*known, NO_RUN})):
        asked = st.query_params.get(name)
        if asked is not None and asked not in options and key(page, name) not in st.session_state:
            del st.query_params[name]
            markdown.warning(
                f"The address asks for '{harmless(asked)}' as {name} run, which is not available; showing models with "
                "few labels instead."
            )


def pick_labels(page: str, runs: Sequence[Run], found: Sequence[Pair]) -> None:
    """Show how many labels the models may have had; a choice sets the two pickers of runs."""
    left, right = key(page, "left"), key(page, "right")
    known = {run.id for run in runs}
    if st.session_state.get(left) not in known:  # of another store, or the page was just entered
        st.session_state.pop(left, None)
        if "left" not in st.query_params:
            st.session_state[left] = found[0][0].id
    if len(found) < 2:
        return
    axes = {axis_of(pair[0].config.split) for pair in found}
    axis = axes.pop() if len(axes) == 1 else None  # else some are a ratio and some a number: all are counted
    words_of = {
        run.id: f"{run.status.n_labelled or 0:,}"
        if axis is None
        else amount_text(axis, amount_of(run.config.split) or 0)
        for run, _ in found
    }
    other = {pair[0].id: pair[1].id if pair[1] else NO_RUN for pair in found}
    widget = key(page, "labels")

    def choose() -> None:
        if (chosen := st.session_state[widget]) is not None:
            st.session_state[left], st.session_state[right] = chosen, other[chosen]

    now = st.session_state.get(left, st.query_params.get("left"))
    st.session_state[widget] = now if now in words_of else None
    label, spoken = (axis or "labelled images").capitalize(), words_of.__getitem__
    if len(words_of) <= MOST:
        st.segmented_control(verbatim(label), list(words_of), format_func=words(spoken), key=widget, on_change=choose)
    else:
        st.selectbox(verbatim(label), list(words_of), format_func=spoken, key=widget, on_change=choose)


def pick_pair(page: str, runs: Sequence[Run], found: Sequence[Pair]) -> list[Run]:
    """Show the pickers of the two runs, with the fewest labels unless another pair is chosen; return one run or two."""
    shown = {run.id: run for run in finished(runs)}
    label = labels_of(shown)
    first, second = found[0]
    left = shown[pick(page, "left", "Left run", list(shown), first.id, format_func=label)]
    comparable = [run.id for run in shown.values() if run.id != left.id and same_images(left, run)]
    if left.id != first.id:
        second = partner(left, list(shown.values()))
    default = second.id if second is not None else NO_RUN
    right = pick(page, "right", "Right run", [*comparable, NO_RUN], default, format_func=label)
    return [left] if right == NO_RUN else [left, shown[right]]
