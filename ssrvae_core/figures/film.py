"""Videos 1, 2 and 3: latents, confusion, manifold and curve of all models over epochs or labels, in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import plotly.graph_objects as go

from ssrvae_core.figures import film_panels, theme
from ssrvae_core.figures.frames import Curve, Frame, Step, Track, nearest, steps_of
from ssrvae_core.figures.names import short_names
from ssrvae_core.figures.stage import SIDE, Stage, broad, narrow, rows_within, wide
from ssrvae_core.shares import percent

__all__ = ["Curve", "Frame", "Track", "film"]

SECONDS, FASTEST = 4.0, 0.1
"""A film plays for about this long, and no frame is shorter than this."""
_CONTROLS, _CONTROLS_NARROW, _LEGEND_LINE = 84, 106, 22
"""Pixels of the slider with its buttons, beside or above it, and of a line of the legend."""
_FOOT = 64
"""Pixels below the panels."""
_BUTTON = {"font": {"color": "#1A1A1A"}, "bgcolor": "#DCE6EE", "bordercolor": theme.NEUTRAL, "borderwidth": 1}
"""Dark on light on either page: plotly lights up the button under the mouse, whatever its colours."""


def film(
    tracks: Sequence[Track],
    class_names: Sequence[str],
    *,
    axis: str,
    curves: Sequence[Curve] = (),
    curve_title: str = "",
    start: float | None = None,
    missing: Mapping[float, str] | None = None,
    columns: Literal[1, 2, 4] = 2,
    side: int = SIDE,
    screen: int | None = None,
    controls: bool = True,
    dark: bool = False,
) -> go.Figure:
    """Draw a film: one figure that holds all frames, switched in the browser by its slider and its buttons.

    Parameters
    ----------
    tracks : sequence of Track
        The models, left to right. A position that a track lacks is shown as not trained.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``.
    axis : str
        What the position is: ``epoch``, ``supervised ratio`` or ``labels per class``, which two are spread by their
        logarithm.
    curves : sequence of Curve
        Lines over the same axis, under a marker that moves with the film; none for no such panel.
    curve_title : str
        What the curves show, for example "Accuracy".
    start : float, optional
        The position to open on; the closest one is taken, by default the last.
    missing : mapping of float to str, optional
        Positions at which no model is trained yet, and their labels: frames of their own, and hollow circles below the
        curves.
    columns : {1, 2, 4}
        2 for a desk: the models side by side; 1 for a phone, with the confusion matrices below each other; 4 for a
        projector, with everything in two rows.
    side : int
        Pixels along a panel of two or more columns, for the width there is.
    screen : int, optional
        Pixels in height that 4 columns are fitted to, for a page that is to be seen without scrolling.
    controls : bool
        Slider and buttons above the panels. Without them a page brings its own, and puts the frames into place itself:
        the traces then hold only what no step changes.
    dark : bool
        Text and lines for a dark page.

    Returns
    -------
    go.Figure
        Its frames are named by the labels of the :class:`Frame`, so that a page's own controls can show one with
        ``Plotly.animate(graph, [label], ...)``. Its height is fitted to the panels, and ``layout.meta["alt"]`` says
        in a sentence what it shows.

    Raises
    ------
    UserError
        If there is no frame, or if two positions share a label.
    """
    steps = steps_of(tracks, missing)
    opening = nearest(steps, start if start is not None else max(f.position for t in tracks for f in t.frames))
    stage = _stage(tracks, steps, class_names, len(curves), columns, side, screen)
    panels = film_panels.build(stage, tracks, steps, class_names, axis, curves, curve_title)
    figure = _in_frames(panels, steps, opening, whole=controls)
    room = _CONTROLS_NARROW if columns == 1 else _CONTROLS
    _lay_out(figure, stage, class_names, columns, dark, room if controls else 0)
    if controls:
        above = figure.layout.margin.t / stage.height
        figure.update_layout(
            sliders=[_slider(steps, opening, axis, columns, 1 + above)], updatemenus=[_buttons(len(steps), 1 + above)]
        )
    figure.update_layout(meta={"alt": describe_film(tracks, class_names, axis, curves)})
    return figure


def describe_film(tracks: Sequence[Track], class_names: Sequence[str], axis: str, curves: Sequence[Curve] = ()) -> str:
    """Return one sentence that says what a film shows, for people who cannot see it.

    Of several seeds the accuracies are those of the curves, their mean, and it is said which one the frames are of.
    """
    steps = steps_of(tracks)
    seeds = sorted({frame.seed for track in tracks for frame in track.frames if frame.seed})
    mean = {(curve.name, x): y for curve in curves if seeds for x, y in zip(curve.x.tolist(), curve.y, strict=True)}
    ends = []
    for track in tracks:
        if not track.frames:
            continue
        first, last = track.frames[0], track.frames[-1]
        if first.accuracy is not None and last.accuracy is not None:
            low = mean.get((track.name, first.position), first.accuracy)
            high = mean.get((track.name, last.position), last.accuracy)
            ends.append(f"{track.name} from accuracy {percent(low)} to {percent(high)}")
    return (
        f"Film of {len(steps)} frames over the {axis}, {steps[0].label} to {steps[-1].label}: latent scatter and "
        f"confusion matrix of {' and '.join(track.name for track in tracks)} for {len(class_names)} classes"
        f"{' (' + ', '.join(seeds) + ')' if seeds else ''}{'; ' + ', '.join(ends) if ends else ''}"
        f"{', each a mean over the seeds' if ends and mean else ''}."
    )


def _stage(
    tracks: Sequence[Track],
    steps: Sequence[Step],
    class_names: Sequence[str],
    curves: int,
    columns: Literal[1, 2, 4],
    side: int,
    screen: int | None,
) -> Stage:
    """Return where the panels stand."""
    manifolds = any(frame is not None and frame.manifold is not None for step in steps for frame in step.frames)
    if columns == 4 and screen is not None:
        first, below = rows_within(screen - _legend_height(class_names, columns), _FOOT, curves)
        return broad(len(tracks), manifolds=manifolds, curves=curves, side=min(side, below), first=first)
    if columns == 1:
        return narrow(len(tracks), manifolds=manifolds, curves=curves)
    lay_out = wide if columns == 2 else broad
    return lay_out(len(tracks), manifolds=manifolds, curves=curves, side=side)


def _in_frames(panels: film_panels.Panels, steps: Sequence[Step], opening: int, *, whole: bool) -> go.Figure:
    """Return the traces and their frames; where the traces are not whole, they hold only what no step changes."""
    moving = [(index, trace.fixed["type"], trace.at) for index, trace in enumerate(panels.traces) if trace.at]
    return go.Figure(
        data=[trace.fixed | (trace.at(opening) if trace.at and whole else {}) for trace in panels.traces],
        layout={**panels.axes, **panels.layout(opening)},
        frames=[
            go.Frame(
                name=step.label,
                data=[{"type": kind, **at(index)} for _, kind, at in moving],
                traces=[trace for trace, _, _ in moving],
                layout=panels.layout(index),
            )
            for index, step in enumerate(steps)
        ],
    )


def _lay_out(
    figure: go.Figure, stage: Stage, class_names: Sequence[str], columns: int, dark: bool, controls: int
) -> None:
    """Place the legend above the panels, leave room for the controls over it, and fit the height."""
    legend_height = _legend_height(class_names, columns)
    margin = {"l": 64, "r": 16, "t": controls + legend_height, "b": _FOOT, "pad": 0}
    figure.update_layout(
        template=theme.template(dark=dark),
        height=stage.height + margin["t"] + margin["b"],
        margin=margin,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1 + legend_height / stage.height,
            "yanchor": "top",
            "itemsizing": "constant",
            "title": {"text": ""},
            "bgcolor": "rgba(0, 0, 0, 0)",
        },
        dragmode="pan",
        hovermode="closest",
        uirevision="film",
    )


def _legend_height(class_names: Sequence[str], columns: int) -> int:
    return _LEGEND_LINE * _legend_rows(class_names, 310 if columns == 1 else 1000)


def _legend_rows(class_names: Sequence[str], width: int) -> int:
    """Rows of a legend so many pixels wide; in more than one, plotly gives all entries the room of the longest."""
    entries = [55 + 8 * len(name) for name in short_names(class_names)]
    in_a_row = len(entries) if sum(entries) <= width else max(width // max(entries), 1)
    return -(-len(entries) // in_a_row)


def _switch(duration: float) -> dict[str, Any]:
    """Options of ``Plotly.animate`` that show a frame at once, and wait this many milliseconds before the next."""
    return {
        "mode": "immediate",
        "fromcurrent": True,
        "frame": {"duration": duration, "redraw": True},
        "transition": {"duration": 0},
    }


def _slider(steps: Sequence[Step], opening: int, axis: str, columns: int, top: float) -> dict[str, Any]:
    beside = columns != 1
    return {
        "active": opening,
        "steps": [{"label": s.label, "method": "animate", "args": [[s.label], _switch(0)]} for s in steps],
        "x": 0.17 if beside else 0.0,
        "len": 0.83 if beside else 1.0,
        "y": top,
        "yanchor": "top",
        "pad": {"t": 2, "b": 0, "l": 0, "r": 0},
        "currentvalue": {
            "prefix": f"{axis.capitalize()} ",
            "xanchor": "left" if beside else "right",
            "font": {"size": 15},
            "offset": 6 if beside else 24,
        },
        "bgcolor": "#DCE6EE",
        "activebgcolor": theme.CLASS_COLOURS[5],
        "bordercolor": theme.NEUTRAL,
        "tickcolor": theme.NEUTRAL,
        "font": {"size": 11},
        "ticklen": 4,
        "minorticklen": 2,
        "transition": {"duration": 0},
    }


def _buttons(frames: int, top: float) -> dict[str, Any]:
    play = {"label": "Play", "method": "animate", "args": [None, _switch(1000 * max(FASTEST, SECONDS / frames))]}
    stop = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate", "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "direction": "right",
        "showactive": False,
        "buttons": [play, {"label": "Pause", "method": "animate", "args": [[None], stop]}],
        "x": 0,
        "xanchor": "left",
        "y": top,
        "yanchor": "top",
        "pad": {"t": 2, "b": 0, "l": 0, "r": 0},
        **_BUTTON,
    }
