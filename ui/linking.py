"""One selection for scatters that stand side by side: sample ids in the session, whichever scatter they come from.

The figures know nothing of it, as drawing them again takes a browser long: what is selected is painted over them there,
at once (``linking.js``), while a callback takes the ids over for everything else on the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ssrvae_core.figures.latent import FADED
from ui.markers import SHAPES
from ui.selection import is_drawn, selected_ids

_HERE = Path(__file__).parent
_ears = st.components.v2.component(
    "ssrvae-linking",
    html="<span></span>",
    js="\n".join((_HERE / name).read_text("utf-8") for name in ("markers.js", "linking.js")),
)


class Linked:
    """What is selected in, and how far the reader has zoomed into, the charts of one page.

    Made once a run of the page. While only its fragment runs again, charts are not zoomed again: they would be drawn
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
        start: dict[str, Any] = {"selections": 0, "zooms": {}, "view": view, "views": 0, "images": None}
        self._state = st.session_state.setdefault(f"{page}-linked", start)
        if self._state["images"] != images:
            self.clear()
            self._state["images"] = images
        if self._state["view"] != view:
            self._state |= {"view": view, "views": self._state["views"] + 1, "zooms": {}}
        else:
            self._keep_zooms()
        self._whole: dict[str, list[list[float]]] = {}

    @property
    def ids(self) -> np.ndarray:
        """Ids of the selected samples, ascending."""
        ids: np.ndarray = self._state["ids"]
        return ids

    def select(self, ids: np.ndarray, source: str | None = None) -> None:
        """Select these samples and no others; ``source`` is the chart they were lassoed in."""
        self._state |= {"ids": ids, "source": source if len(ids) else None, "selections": self._state["selections"] + 1}

    def take(self, chart: str) -> None:
        """Take over what was lassoed in the chart of this key, or that it was cleared.

        A chart whose lasso gave way to another selection forgets it, which clears nothing.
        """
        event = st.session_state[chart]
        if is_drawn(event) or chart == self._state["source"]:
            self.select(selected_ids(event), chart)

    def clear(self) -> None:
        """Select nothing."""
        self.select(np.empty(0, np.int64))

    def prepare(self, figure: go.Figure, chart: str) -> None:
        """Zoom a figure of one panel, which the chart of this key is to show, as the reader had.

        Its points look the same to plotly whether they are selected or not.
        """
        for trace in figure.data:
            if trace.customdata is not None:
                trace.selected = trace.unselected = {"marker": {"opacity": trace.marker.opacity}}
        if zoom := self._state["zooms"].get(chart):
            # A fragment that runs again prepares the same figure, which is zoomed by then.
            if chart not in self._whole and figure.layout.xaxis.range and figure.layout.yaxis.range:
                self._whole[chart] = [list(figure.layout.xaxis.range), list(figure.layout.yaxis.range)]
            figure.update_layout(xaxis_range=zoom[0], yaxis_range=zoom[1])

    def show(self, ids: np.ndarray, charts: Sequence[str]) -> None:
        """Paint these samples in the charts of these keys, and hear what is lassoed, cleared and zoomed there."""
        data = {
            "charts": list(charts),
            "view": self._view,
            "whole": self._whole,
            "ids": ids.tolist(),
            "source": self._state["source"],
            # A lasso that is undone before this was told of it leaves all else as it was, but paint in the browser.
            "selections": self._state["selections"],
            "shapes": SHAPES,
            "faded": FADED,
        }
        # What is zoomed is only read on the next run of the page, which a value needs a callback for.
        _ears(key=self._ears, data=data, on_cleared_change=self.clear, on_zooms_change=lambda: None)

    @property
    def _view(self) -> str:
        """The view as this visit to it: a browser may still tell the zooms of the last one."""
        return f"{self._state['view']}/{self._state['views']}"

    def _keep_zooms(self) -> None:
        told = (st.session_state.get(self._ears) or {}).get("zooms") or {}
        if told.get("view") == self._view:
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
