"""The component: mounts the explorer's modules, and takes over what the browser says of its selection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.reports.explorer import bundle
from ssrvae_core.reports.explorer.look import look
from ssrvae_core.reports.explorer.source import Source
from ssrvae_core.reports.explorer.table import table
from ui import markdown
from ui.explorer import media
from ui.explorer.pictures import Pictures, addresses
from ui.explorer.told import follow, ids_in, sound, whole
from ui.plotly_script import PLOTLY

NAMES = (
    "colour", "hide", "find", "select", "sort", "grouped", "show", "upright", "pictures", "x", "y", "zoom", "by",
    "sample",
)  # fmt: skip
"""What the explorer keeps in the address, see ``address.js``."""
_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "ssrvae-explorer",
    html='<div class="explorer-place"></div>',
    css=bundle.style() + (_HERE / "mount.css").read_text("utf-8"),
    js=bundle.script() + media.SCRIPT + (_HERE / "mount.js").read_text("utf-8"),
    isolate_styles=False,  # plotly puts its own styles into the page
)


@dataclass(frozen=True)
class Selection:
    """What a reader has chosen in an explorer.

    Attributes
    ----------
    ids : int64 array
        Sample ids of the selected particles, ascending.
    open : int, optional
        The particle that is looked at.
    sequence : int
        Counts the reader's choices; 0 before the first.
    """

    ids: np.ndarray
    open: int | None
    sequence: int


class Shelf(Protocol):
    """Where selections with names are kept."""

    def all(self) -> list[dict[str, str]]:
        """Return their ``name`` and ``ids``, as ranges."""

    def keep(self, name: str, ids: str | None) -> None:
        """Keep one, or forget it."""


def explorer(
    key: str,
    sources: Sequence[Source],
    class_names: Sequence[str],
    pictures: Pictures | None,
    *,
    file_name: str = "latent",
    answer: Callable[[int], dict[str, Any]] | None = None,
    shelf: Shelf | None = None,
    images: str = "",
    usual: Mapping[str, Any] | None = None,
) -> Selection:
    """Show an explorer; call it from a fragment, as every choice of the reader runs its caller again.

    Parameters
    ----------
    key : str
        Key of the component on its page.
    sources : sequence of Source
        One model or two, with the same particles in step (:func:`ssrvae_core.reports.explorer.source.in_step`).
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    pictures : Pictures, optional
        The particles' pictures.
    file_name : str
        Of a saved picture of a map.
    answer : callable, optional
        Returns what only a model can say of a particle, see :func:`ui.explorer.answers.answer`.
    shelf : Shelf, optional
        Keeps selections under names for everybody; without one the browser keeps them for its reader.
    images : str
        What the particles are: a selection is taken along to other runs on the same.
    usual : mapping, optional
        Choices that it begins with, by their names in ``state.js``.
    """
    view = sound(st.session_state.get(key), NAMES)
    ids = sources[0].particles.ids
    token, packed = _table(_fingerprint(sources, class_names), sources, class_names)
    done = f"{key}-done"
    if shelf is not None:
        _act(shelf, view["actions"], done)
    opened = view["open"] if view["open"] is not None else _asked_sample()
    data = {
        "token": token,
        "images": images,
        "table": media.address(packed, "application/octet-stream", f"{key} table"),
        "sheets": addresses(key, pictures, ids, view["sheets"]),
        "look": look(file_name, csv=False, keeps_where=_where(shelf)),
        "kept": None if shelf is None else shelf.all(),
        "done": st.session_state.get(done, 0),
        "sequence": view["sequence"],
        "decodes": answer is not None,
        "answer": answer(opened) if answer is not None and opened is not None and opened in ids else None,
        "address": {name: st.query_params[name] for name in NAMES if name in st.query_params},
        "usual": dict(usual or {}),
        "plotly": PLOTLY,
    }
    _component(key=key, data=data, on_view_change=_nothing)
    if view["sequence"]:
        follow(view["address"], NAMES)
    chosen = ids_in(view["ids"], ids)
    return Selection(chosen, view["open"], view["sequence"])


def _nothing() -> None:
    """Have a value of the component rerun the fragment, which reads it."""


def _where(shelf: Shelf | None) -> str:
    return "Kept by this browser." if shelf is None else "Kept in the store, for everybody who opens it."


# Data for the browser.


def _fingerprint(sources: Sequence[Source], class_names: Sequence[str]) -> str:
    numbers = [crc32(np.ascontiguousarray(source.predictions.z_mean).tobytes()) for source in sources]
    shown = [(source.run_id, source.title, len(source.particles)) for source in sources]
    return f"{crc32(repr((numbers, shown, list(class_names))).encode()):08x}"


@st.cache_data(max_entries=8, show_spinner=False)
def _table(token: str, _sources: Sequence[Source], _class_names: Sequence[str]) -> tuple[str, bytes]:
    return token, table(_sources, _class_names)


# What the browser says.


def _asked_sample() -> int | None:
    asked = st.query_params.get("sample", "")
    return int(asked) if re.fullmatch(r"\d{1,15}", asked) else None


def _act(shelf: Shelf, actions: Sequence[Mapping[str, Any]], done: str) -> None:
    """Keep and forget what the reader asked for since the last time, each once."""
    for action in actions:
        number, name, ids = whole(action.get("sequence")), action.get("name"), action.get("ids")
        if number is None or number <= st.session_state.get(done, 0) or not isinstance(name, str):
            continue
        st.session_state[done] = number
        try:
            shelf.keep(name, ids if isinstance(ids, str) else None)
        except UserError as error:
            markdown.error(str(error))
