"""The list of runs as a component: rows that open their run, ticks, sorting and groups, all in the browser."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from ssrvae_core.reports.wording import without_opinion
from ssrvae_core.runs import BrokenRun, Run
from ui.run_list.rows import COLUMNS, row_of, sort_of, sort_text, ticked

_HERE = Path(__file__).parent
_list = st.components.v2.component(
    "ssrvae-runs",
    html='<div class="runs"></div>',
    css=(_HERE / "list.css").read_text("utf-8"),
    js=(_HERE / "list.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Told:
    """What the browser told: the runs that are ticked, the id of one that was opened, and how it sorts."""

    ticked: list[Run | BrokenRun]
    opened: str | None
    sort: str | None


def run_list(
    key: str,
    runs: Sequence[Run | BrokenRun],
    *,
    group: str = "none",
    sort: str | None = None,
    waiting: Collection[str] = (),
) -> Told:
    """Show runs as a list, and return what was done with it.

    Parameters
    ----------
    key : str
        Key of the component, whose state holds what is ticked and how it is sorted.
    runs : sequence of Run or BrokenRun
        The runs, in the order in which they stand while nothing is sorted.
    group : str
        A key of :data:`ui.run_list.rows.GROUPINGS`.
    sort : str, optional
        How it is sorted at first, as an address has it.
    waiting : collection of str
        Ids of the runs that wait for their turn.
    """
    without = without_opinion(run for run in runs if isinstance(run, Run))
    data = {
        "rows": [row_of(run, run.id in waiting, run.id in without) for run in runs],
        "columns": [{"name": name, "title": title} for name, title in COLUMNS.items()],
        "group": group,
        "sort": sort_of(sort),
    }

    def ignore() -> None:  # a value is only told with a callback for it
        pass

    told: Any = _list(key=key, data=data, on_ticked_change=ignore, on_sort_change=ignore, on_opened_change=ignore)
    sorting = told.get("sort")
    return Told(ticked(told.get("ticked"), runs), told.get("opened"), sort_text(sorting) if sorting else sort)
