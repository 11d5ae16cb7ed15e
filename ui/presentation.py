"""Presentation: larger type on every page and in every chart, and no sidebar, for a room that looks at one screen."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import look, markdown
from ui.state import harmless

ADDRESS = "present"
SCALE = 1.4
"""How much larger everything is."""

_STATE = "presenting"
_PLOTLY_FONT = 13
_INLINE_SIZE = re.compile(r"(font-size:\s*)(\d+(?:\.\d+)?)px")
# Streamlit measures in rem, so that the root's size carries everything with it, and the explorer in pixels.
# The way back lies over its header.
_STYLE = f"""<style>
html:root {{font-size: {100 * SCALE:g}%; --explorer-type: {SCALE:g}}}
[data-testid="stMainBlockContainer"] {{padding: 2.9rem 2rem 1rem}}
[data-testid="stMainBlockContainer"] h1 {{font-size: 1.5rem; padding: 0.2rem 0}}
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"] {{display: none}}
.st-key-presentation-leave {{position: fixed; top: 0.6rem; right: 4rem; width: auto; z-index: 1000000}}
</style>"""


def presenting() -> bool:
    """Whether this session presents."""
    return bool(st.session_state.get(_STATE))


def pixels(n: int) -> int:
    """Return a height that holds type, larger where this session presents, or else in a wide window."""
    return round((SCALE if presenting() else look.stretch()) * n)


def begin() -> None:
    """Take the address's word where the session begins; from then on the switch decides and the address follows."""
    asked = st.query_params.get(ADDRESS)
    if _STATE not in st.session_state:
        st.session_state[_STATE] = asked == "1"
        if asked not in (None, "0", "1"):
            markdown.warning(
                f"The address asks for '{harmless(asked)}' as presentation, which is 1 or 0; this is 0 instead."
            )
    if not presenting():
        st.query_params.pop(ADDRESS, None)
    elif asked != "1":
        st.query_params[ADDRESS] = "1"


def switch() -> None:
    """Show the switch in the sidebar, or the way back at the top of the page while there is no sidebar."""
    if not presenting():
        st.sidebar.toggle(
            "Presentation",
            key="presentation-switch",
            help="Larger type and charts, and no sidebar",
            on_change=_set,
            args=(True,),
        )
        return
    st.html(_STYLE)
    st.button(
        "Leave the presentation",
        key="presentation-leave",
        icon=":material/close_fullscreen:",
        type="tertiary",
        on_click=_set,
        args=(False,),
    )


def _set(on: bool) -> None:
    st.session_state[_STATE] = on


class Places(NamedTuple):
    """Parts of a page: a row beside its title, its choices, and what they choose."""

    beside: DeltaGenerator
    choices: DeltaGenerator
    shown: DeltaGenerator


def places(title: str) -> Places:
    """Show the title of a page, and return its parts.

    In a presentation the screen belongs to what is shown: the title is there for those who cannot see the page, and the
    choices stand below.
    """
    if not presenting():
        head = st.container(horizontal=True, vertical_alignment="bottom")
        head.title(title)
        return Places(head, st.container(), st.container())
    st.html(f"<h1 class='unseen'>{title}</h1><style>h1.unseen {{position: absolute; clip-path: inset(50%)}}</style>")
    shown = st.container()
    return Places(st.container(horizontal=True), st.container(), shown)


def enlarged(figure: go.Figure, scale: float = SCALE) -> go.Figure:
    """Return a figure with larger type, markers, margins and height; the one that was given stays as it is."""
    content = figure.to_plotly_json()
    data = [_scaled(trace, scale) for trace in content["data"]]
    layout = _scaled(content["layout"] | {"template": None}, scale)
    frames = [_scaled(frame, scale) for frame in content.get("frames", [])]
    large = go.Figure(data=data, layout=layout, frames=frames)
    large.layout.template = figure.layout.template
    if large.layout.height:
        large.layout.height = round(scale * large.layout.height)
    # Streamlit's theme has sizes of its own for these, which what a figure itself says goes before.
    font = scale * _PLOTLY_FONT
    large.update_layout(font_size=large.layout.font.size or font)
    for part in (large.layout.legend, large.layout.hoverlabel):
        part.font.size = part.font.size or font
    for axis in [*large.select_xaxes(), *large.select_yaxes()]:
        axis.tickfont.size = axis.tickfont.size or font
        axis.title.font.size = axis.title.font.size or font
    for bar in [large.layout[name].colorbar for name in content["layout"] if name.startswith("coloraxis")]:
        bar.tickfont.size = bar.tickfont.size or font
        bar.title.font.size = bar.title.font.size or font
    for note in large.layout.annotations:
        note.font.size = note.font.size or font
    return large


def _scaled(value: Any, scale: float, inside: str = "") -> Any:
    """Scale the sizes of type, markers and margins in a part of a figure, and leave everything else as it is."""
    if isinstance(value, dict):
        return {name: _scaled_entry(name, entry, scale, inside) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scaled(entry, scale, inside) for entry in value]
    return value


def _larger_type(text: str, scale: float) -> str:
    return _INLINE_SIZE.sub(lambda found: f"{found[1]}{scale * float(found[2]):g}px", text)


def _scaled_entry(name: str, entry: Any, scale: float, inside: str) -> Any:
    if isinstance(entry, (int, float)) and (
        (name == "size" and (inside.endswith("font") or inside == "marker"))
        or (inside == "margin" and name in "lrtb")
        or name in ("standoff", "yshift")
    ):
        return scale * entry
    if name == "text" and isinstance(entry, str):
        return _larger_type(entry, scale)
    if name == "text" and isinstance(entry, (list, tuple)):
        return [_larger_type(one, scale) if isinstance(one, str) else one for one in entry]
    return _scaled(entry, scale, name)
