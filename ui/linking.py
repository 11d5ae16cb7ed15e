"""One selection for scatters that stand side by side: sample ids in the session, whichever scatter they come from.

Streamlit forgets a chart's own selection and zoom whenever its figure changes, and a figure changes with what is
selected. So neither is ever read back from a chart: a callback takes the ids over, and the figures are drawn from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui.selection import selected_ids

_ears = st.components.v2.component(
    "ssrvae-linking", html="<span></span>", js=(Path(__file__).parent / "linking.js").read_text("utf-8")
)


class Linked:
    """What is selected in, and how far the reader has zoomed into, the charts of one page.

    Made once a run of the page. While only its fragment runs again, charts are not zoomed anew: they would be drawn
    from the start after every zoom.

    Parameters
    ----------
    page : str
        The page.
    view : str
        What the charts' axes are; a zoom into others is forgotten.
    images : str
        What the samples are; a selection among others is forgotten.
    """

    def __init__(self, page: str, view: str, images: str) -> None:
        self._ears = f"{page}-ears"
        nothing: dict[str, Any] = {
            "ids": np.empty(0, np.int64),
            "times": 0,
            "zooms": {},
            "view": view,
            "images": images,
        }
        self._state = st.session_state.setdefault(f"{page}-linked", nothing)
        if self._state["images"] != images:
            self._state |= {"images": images, "ids": nothing["ids"], "times": self._state["times"] + 1}
        if self._state["view"] != view:
            self._state |= {"view": view, "zooms": {}}
        else:
            self._keep_zooms()

    @property
    def ids(self) -> np.ndarray:
        """Ids of the selected samples, ascending."""
        ids: np.ndarray = self._state["ids"]
        return ids

    def select(self, ids: np.ndarray) -> None:
        """Select these samples and no others."""
        if len(ids) or len(self.ids):
            self._state |= {"ids": ids, "times": self._state["times"] + 1}
            self._keep_zooms()

    def take(self, chart: str) -> None:
        """Take over what was selected in the chart of this key."""
        self.select(selected_ids(st.session_state[chart]))

    def clear(self) -> None:
        """Select nothing."""
        self.select(np.empty(0, np.int64))

    def prepare(self, figure: go.Figure, chart: str) -> None:
        """Zoom a figure of one panel, which the chart of this key is to show, as the reader had."""
        # A figure that was shown before would come back with the lasso that was drawn in it then.
        figure.update_layout(meta={"times": self._state["times"]})
        if zoom := self._state["zooms"].get(chart):
            figure.update_layout(xaxis_range=zoom[0], yaxis_range=zoom[1])

    def listen(self, charts: Sequence[str]) -> None:
        """Hear double clicks, which select nothing, and zooms in the charts of these keys."""
        data = {"charts": list(charts), "view": self._state["view"]}
        _ears(key=self._ears, data=data, on_cleared_change=self.clear, on_zooms_change=lambda: None)

    def _keep_zooms(self) -> None:
        told = (st.session_state.get(self._ears) or {}).get("zooms") or {}
        if told.get("view") == self._state["view"]:
            self._state["zooms"] = sound_zooms(told.get("charts"))


def sound_zooms(told: Any) -> dict[str, list[list[float]]]:
    """Return the zooms among what a browser says: two numbers an axis, two axes a chart."""
    if not isinstance(told, Mapping):
        return {}
    return {str(chart): zoom for chart, zoom in told.items() if _is_zoom(zoom)}


def _is_zoom(zoom: Any) -> bool:
    return (
        isinstance(zoom, list)
        and len(zoom) == 2
        and all(isinstance(ends, list) and len(ends) == 2 for ends in zoom)
        and all(isinstance(end, (int, float)) and math.isfinite(end) for ends in zoom for end in ends)
    )
