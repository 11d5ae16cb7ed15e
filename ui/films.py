"""Films on a page: the figure with its slider, what it stands at in the address, and the files to take away."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from ssrvae_core.figures import theme
from ssrvae_core.figures.stage import SIDE
from ssrvae_core.reports.film import Film
from ui import charts, export, markdown, markers
from ui.markdown import verbatim
from ui.plotly_script import PLOTLY
from ui.presentation import SCALE, presenting
from ui.reel import Reel
from ui.state import harmless

FPS = {"epoch": 8.0, "supervised ratio": 2.0, "labels per class": 2.0}
"""Frames a second of a film as a file."""
PAUSE_MS = {"epoch": 100, "supervised ratio": 500, "labels per class": 500}
"""Between two frames of a film that plays on the page."""

USUAL_WIDTH = 800
"""Pixels for a film in a window 1280 pixels wide, which is taken for granted until the browser says otherwise."""

PROJECTOR = 1120
"""Pixels from which on everything of a film is laid out in two rows."""

USUAL_ROOM = 500
"""Pixels in height that a presentation leaves a film, until the browser says otherwise."""

_WIDTH, _ROOM = "film width", "film room"
_HERE = Path(__file__).parent / "film"
_film = st.components.v2.component(
    "ssrvae-film",
    html=(_HERE / "film.html").read_text("utf-8"),
    css=(_HERE / "film.css").read_text("utf-8"),
    js="\n".join((_HERE / name).read_text("utf-8") for name in ("../markers.js", "painter.js", "film.js")),
    isolate_styles=False,  # plotly puts its own styles into the page
)


def asked_position(asked: str | None) -> float | None:
    """Return the position an address asks for, None where that is not a number."""
    try:
        position = float(asked or "nan")
    except ValueError:
        return None
    return position if math.isfinite(position) else None


def width_of(key: str) -> int:
    """Return the pixels the browser has for a film, 0 on a phone; it says so where they are not the usual."""
    told = (st.session_state.get(key) or {}).get("width")
    if told is not None:
        st.session_state[_WIDTH] = int(told)  # the next film begins with it
    width: int = st.session_state.get(_WIDTH, USUAL_WIDTH)
    return width


def room_of(key: str) -> int | None:
    """Return the pixels in height that a presentation leaves for a film without scrolling, None where none is given."""
    if not presenting():
        return None
    told = (st.session_state.get(key) or {}).get("room")
    if told is not None:
        st.session_state[_ROOM] = int(told)
    room: int = st.session_state.get(_ROOM, USUAL_ROOM)
    return room


class Look(TypedDict):
    """How a film is laid out."""

    columns: Literal[1, 2, 4]
    side: int
    screen: int | None
    controls: bool


def look_of(width: int, tracks: int, room: int | None = None) -> Look:
    """Return how a film of this many models is laid out.

    Parameters
    ----------
    width : int
        Pixels there are, 0 for a phone.
    tracks : int
        Models.
    room : int, optional
        Pixels in height of a presentation, whose film is enlarged afterwards and so laid out for as much less.
    """
    screen = None if room is None else round(room / SCALE)
    wide = width if room is None else round(width / SCALE)
    columns: Literal[1, 2, 4] = 4 if width and (screen is not None or wide >= PROJECTOR) else 2 if width else 1
    abreast = max(tracks, 2) * (2 if columns == 4 else 1)
    side = round((0.9 if columns == 4 else 0.85) * (wide - 80) / abreast)
    return {"columns": columns, "side": min(max(side, 160), SIDE), "screen": screen, "controls": False}


def show(
    key: str,
    name: str,
    label: str,
    shown: Reel,
    *,
    pause: int,
    file_name: str,
    offers: Mapping[float, str] | None = None,
    on_offer: Callable[[float], None] = lambda position: None,
) -> int:
    """Show a film, and return the frame it stands at; the address follows it.

    The frame it starts from stays the same while one film is shown, so that a step sends nothing to the browser.

    Parameters
    ----------
    key : str
        Key of the film in the session.
    name, label : str
        Name of the position in the address, and of the slider.
    shown : Reel
        The film.
    pause : int
        Milliseconds between two frames while it plays.
    file_name : str
        Name of a saved picture, without its ending.
    offers : mapping of float to str, optional
        Positions that have a button, and what it says.
    on_offer : callable
        Called with the position whose button was pressed.
    """
    moved = (st.session_state.get(key) or {}).get("at")
    above = st.container()  # also where it is empty: a film that changes its place on the page would start again
    now, refused = _stands_at(key, shown, None if moved is None else float(moved), st.query_params.get(name))
    if refused is not None:
        with above:
            markdown.warning(
                f"The address asks for '{harmless(refused)}' as {label.lower()}, which is not available; "
                f"showing {shown.steps[now]['label']} instead."
            )
    start = _start(key, shown, now, moved=moved is not None)
    state = _film(
        key=key,
        data=_data(shown, start, label=label, pause=pause, file_name=file_name, offers=offers or {}),
        on_at_change=_nothing,
        on_width_change=_nothing,
        on_room_change=_nothing,
        on_train_change=_nothing,
    )
    pressed = None if state.train is None else shown.index(float(state.train))
    if pressed is not None and shown.steps[pressed]["position"] in (offers or {}):
        on_offer(shown.steps[pressed]["position"])
    position = f"{shown.steps[now]['position']:.6g}"
    if st.query_params.get(name) != position:
        st.query_params[name] = position
    return now


def _start(key: str, shown: Reel, now: int, *, moved: bool) -> int:
    """Return the frame a film begins with, the same one as long as it is this film that is moved."""
    start = f"{key}-start"
    if not moved or st.session_state.get(start, ("", 0))[0] != shown.token:
        st.session_state[start] = (shown.token, now)
    first: int = st.session_state[start][1]
    return first


def _data(
    shown: Reel, start: int, *, label: str, pause: int, file_name: str, offers: Mapping[float, str]
) -> dict[str, Any]:
    """Return what the browser is sent, equal as long as nothing but the frame changes."""
    return {
        "figure": shown.figure,
        "steps": list(shown.steps),
        "width": shown.width,
        "room": shown.room,
        "alt": shown.alt,
        "token": shown.token,
        "start": start,
        "offers": {i: text for i, step in enumerate(shown.steps) if (text := offers.get(step["position"]))},
        "label": label,
        "pause": pause,
        "config": theme.CONFIG,
        "picture": charts.camera(file_name),
        "shapes": markers.SHAPES,
        "plotly": PLOTLY,
    }


def _stands_at(key: str, shown: Reel, moved: float | None, asked: str | None) -> tuple[int, str | None]:
    """Return the frame a film stands at, and what the address asked for where that was refused.

    Parameters
    ----------
    key : str
        Key of the film in the session, which remembers where it stood and what was refused: the address is corrected at
        once, and the page may be run again before anybody has read a word of it.
    shown : Reel
        The film.
    moved : float, optional
        The position its slider was moved to since the page was opened.
    asked : str, optional
        The position in the address.
    """
    stood, refused = f"{key}-stood", f"{key}-refused"
    if moved is not None:
        now = shown.index(moved)
        st.session_state.pop(refused, None)
    else:
        now = shown.index(asked_position(asked) if asked is not None else st.session_state.get(stood))
        if asked is None:
            st.session_state.pop(refused, None)
        elif now is None:
            st.session_state[refused] = asked
    if now is None:
        now = shown.last
    st.session_state[stood] = shown.steps[now]["position"]
    return now, st.session_state.get(refused)


def _nothing() -> None:
    """Have a value of the film rerun the page, which reads it."""


def menu(
    name: str, title: str, caption: str, made: Film, figure: Callable[[], go.Figure], table: Callable[[], pd.DataFrame]
) -> None:
    """Show the export menu of a film; nothing is made before its button is pressed.

    Parameters
    ----------
    name : str
        Name of the files, without their endings.
    title, caption : str
        Heading and caption.
    made : Film
        The film.
    figure : callable
        Makes the film as a figure with controls.
    table : callable
        Makes the table to save as CSV.
    """
    fps = FPS[made.axis]
    with st.popover("Export", icon=":material/download:"):
        files: list[tuple[str, str, str, Callable[[], bytes | str]]] = [
            (
                "Film as HTML, for any browser",
                "html",
                "text/html",
                lambda: export.standalone_html(figure(), title, caption),
            ),
            ("Film as GIF", "gif", "image/gif", lambda: made.gif(fps, caption)),
        ]
        with_mp4 = importlib.util.find_spec("imageio_ffmpeg") is not None
        if with_mp4:
            files.append(("Film as MP4", "mp4", "video/mp4", lambda: made.mp4(fps, caption)))
        files.append(("Data as CSV", "csv", "text/csv", lambda: export.csv(table())))
        for label, ending, mime, make in files:
            st.download_button(
                verbatim(label),
                data=make,
                file_name=f"{name}.{ending}",
                mime=mime,
                on_click="ignore",
                key=f"{name}-{ending}",
            )
        charts.choose_picture("The camera above the film saves it as")
        advice = "" if with_mp4 else " MP4 needs imageio-ffmpeg on the server: pip install imageio-ffmpeg."
        markdown.note(f"A GIF or MP4 takes some seconds to draw. The camera above the film saves one frame.{advice}")
