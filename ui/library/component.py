"""The component: mounts the library's modules, and does in the journal what people do in the browser."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.figures import theme
from ssrvae_core.library import NONE, Journal, Library, Origin
from ssrvae_core.library.entries import Change
from ssrvae_core.library.journal import in_words
from ssrvae_core.library.judging import held_out_and_corrected
from ssrvae_core.library.outliers import Rate, on_other_micrographs, trusted_scores
from ssrvae_core.records import Particles
from ssrvae_core.reports.explorer.source import Source, in_step
from ssrvae_core.reports.explorer.table import table
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.times import time_text
from ui.explorer import media
from ui.explorer.everything import MOST
from ui.explorer.pictures import Pictures, addresses
from ui.explorer.told import follow, ids_in_link, ids_of, sound, whole
from ui.library import acting, bundle
from ui.library.stats import memberships, placed

NAMES = ("sort", "upright", "pictures", "show", "select")
"""What the library keeps in the address, see ``library.js``."""
_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "ssrvae-library",
    html='<div class="library-place"></div>',
    css=bundle.style(),
    js=bundle.script() + media.SCRIPT + (_HERE / "mount.js").read_text("utf-8"),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Told:
    """What came of a library on a page.

    Attributes
    ----------
    library : Library
        After all that was done in the browser.
    ids : int64 array
        Sample ids of the selected particles, ascending.
    """

    library: Library
    ids: np.ndarray


def show(
    key: str,
    journal: Journal,
    source: Source,
    pictures: Pictures | None,
    stats: Callable[[Library], dict[str, Any]],
    *,
    answer: Callable[[int], dict[str, Any]] | None = None,
    who: str = "",
) -> Told:
    """Show the classes of a run side by side; call it from a fragment, as what people do runs its caller again.

    Parameters
    ----------
    key : str
        Key of the component on its page; another one for each run.
    journal : Journal
        Of the run.
    source : Source
        What the run says of all its particles.
    pictures : Pictures, optional
        Their pictures.
    stats : callable
        Returns what takes longer, see :func:`ui.library.stats.stats`; it is called once nobody changes anything.
    answer : callable, optional
        Returns what only a model can say of a particle, see :func:`ui.explorer.answers.answer`.
    who : str
        Who is logged in, whose changes all are then; empty where nobody has to be.
    """
    view = _view(st.session_state.get(key))
    library = _act(key, journal, view["actions"], who)
    [shown] = in_step([source], MOST)
    ids = shown.particles.ids
    token, packed = _table(_fingerprint(shown), shown, journal.base.class_names)
    known = st.session_state.get(f"{key}-stats")
    if view["stats"] == library.n_entries and (known is None or known["version"] != library.n_entries):
        known = st.session_state[f"{key}-stats"] = stats(library)
    opened = view["open"]
    data = {
        "token": token,
        "run": source.run_id,
        "table": media.address(packed, "application/octet-stream", f"{key} table"),
        "sheets": addresses(key, pictures, ids, view["sheets"]),
        "library": described(library, np.searchsorted(library.base.ids, ids)),
        "trusted": _trusted(library, source.particles),
        "stats": known,
        "done": st.session_state.get(f"{key}-done", 0),
        "error": st.session_state.get(f"{key}-error"),
        "command": st.session_state.get(f"{key}-command"),
        "sequence": view["sequence"],
        "readonly": is_viewer(),
        "neutral": theme.NEUTRAL,
        "who": who,
        "decodes": answer is not None,
        "answer": answer(opened) if answer is not None and opened is not None and opened in ids else None,
        "address": {name: st.query_params[name] for name in NAMES if name in st.query_params},
    }
    _component(key=key, data=data, on_view_change=_nothing)
    if view["sequence"]:
        follow(view["address"], NAMES)
        return Told(library, ids_of(view["ids"], ids))
    return Told(library, ids_in_link(st.query_params.get("select", ""), ids))


def select(key: str, ids: np.ndarray) -> None:
    """Have the browser select particles, and show them alone; for the ``on_click`` of a button.

    Parameters
    ----------
    key : str
        Key of the component.
    ids : int array
        Sample ids.
    """
    before = st.session_state.get(f"{key}-command") or {"sequence": 0}
    st.session_state[f"{key}-command"] = {"sequence": before["sequence"] + 1, "ids": ".".join(map(str, ids.tolist()))}


def described(library: Library, rows: np.ndarray) -> dict[str, Any]:
    """Return a library's state for the browser, ready for JSON.

    Parameters
    ----------
    library : Library
        The state.
    rows : int array (n,)
        The particles that the browser shows.
    """
    numbers = np.array([*library.names])
    members = memberships(library)
    assigned = library.assigned[rows]
    place = np.where(assigned == NONE, NONE, np.searchsorted(numbers, assigned))
    model = np.searchsorted(numbers, library.current(library.base.predicted)[rows])
    return {
        "version": library.n_entries,
        "placed": placed(library),
        "classes": [
            {"number": number, "name": name, "colour": theme.class_colour(number), "members": members[number]}
            for number, name in library.names.items()
        ],
        "place": base64.b64encode(place.astype("<i2").tobytes()).decode(),
        "model": base64.b64encode(model.astype("<i2").tobytes()).decode(),
        "moved": _moved(library, rows),
        "origin": base64.b64encode(library.origin[rows].astype(np.uint8).tobytes()).decode(),
        "threshold": library.threshold,
        "undo": _last(library.undoable, library),
        "redo": _last(library.redoable, library),
    }


def _moved(library: Library, rows: np.ndarray) -> list[tuple[str, str, list[int]]]:
    """Return who moved which of the particles that the browser shows, and when, a part for each change."""
    found: dict[tuple[str, float], list[int]] = {}
    for at in np.flatnonzero(library.origin[rows] == Origin.HAND).tolist():
        decision = library.decisions[int(library.base.ids[rows[at]])]
        found.setdefault((decision.who, decision.time), []).append(at)
    return [(who, time_text(when), some) for (who, when), some in found.items()]


def _last(last: tuple[int, Change] | None, library: Library) -> dict[str, Any] | None:
    return None if last is None else {"entry": last[0], "words": in_words(last[1], library.all_names)}


def _nothing() -> None:
    """Have a value of the component rerun the fragment, which reads it."""


def _act(key: str, journal: Journal, actions: list[Mapping[str, Any]], who: str) -> Library:
    """Do what was not done yet, by who is logged in, and keep the sentence of what was refused last."""
    done = f"{key}-done"
    library = None
    for number, action in acting.waiting(actions, st.session_state.get(done, 0)):
        st.session_state[done] = number
        try:
            library = acting.do(journal, {**action, "who": who} if who else action)
        except UserError as error:
            st.session_state[f"{key}-error"] = {"sequence": number, "text": str(error)}
    return journal.read() if library is None else library


def _trusted(library: Library, particles: Particles) -> dict[str, Any]:
    """Return the outlier scores of trusted images, the interval of each number of false alarms, and where from."""
    scores = trusted_scores(library, particles)
    low, high = _intervals(len(scores))
    return {
        "scores": scores.astype(float).tolist(),
        "low": low,
        "high": high,
        "apart": on_other_micrographs(library, particles),
        "left_out": int(held_out_and_corrected(library, particles).sum()),
    }


@st.cache_data(max_entries=32, show_spinner=False)
def _intervals(n: int) -> tuple[list[float], list[float]]:
    rates = [Rate.of(count, n) for count in range(n + 1)] if n else []
    return [rate.low for rate in rates], [rate.high for rate in rates]


def _fingerprint(source: Source) -> str:
    latents = crc32(np.ascontiguousarray(source.predictions.z_mean).tobytes())
    return f"{source.run_id}{latents:08x}{len(source.particles)}"


@st.cache_data(max_entries=8, show_spinner=False)
def _table(token: str, _source: Source, _class_names: tuple[str, ...]) -> tuple[str, bytes]:
    return token, table([_source], _class_names)


def _view(told: Any) -> dict[str, Any]:
    """Return what a browser says of its view, without what cannot be meant."""
    raw = told.get("view") if isinstance(told, Mapping) else None
    return sound(told, NAMES) | {"stats": whole(raw.get("stats")) if isinstance(raw, Mapping) else None}


def forget_selection() -> None:
    """Take a selection out of the address, whose ids are another run's."""
    st.query_params.pop("select", None)
