"""The panels of a film: of each trace, what stays, and what a step changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from ssrvae_core.figures import theme
from ssrvae_core.figures.confusion import MANY, shares_of, texts_of
from ssrvae_core.figures.counts import n_text
from ssrvae_core.figures.curves import curve_at, curve_traces, limits_of, position_axis, untrained_points
from ssrvae_core.figures.frames import Curve, Frame, Step, Track
from ssrvae_core.figures.looks import Look, looks
from ssrvae_core.figures.manifold import data_uri
from ssrvae_core.figures.names import BESIDE_CELLS, exact, short_names
from ssrvae_core.figures.stage import Place, Stage
from ssrvae_core.shares import percent

MANIFOLD_PIXELS = 320
"""Longest side of a manifold in a film; larger ones are reduced."""
_NOTHING = {"x": [None], "y": [None]}


@dataclass(frozen=True)
class Trace:
    """What a trace keeps, and what it shows at step ``i``; None if it never changes."""

    fixed: dict[str, Any]
    at: Callable[[int], dict[str, Any]] | None = None


@dataclass
class Panels:
    """All traces of a film, its axes, and the titles of a step."""

    traces: list[Trace] = field(default_factory=list)
    axes: dict[str, Any] = field(default_factory=dict)
    titles: list[Callable[[int], dict[str, Any]]] = field(default_factory=list)
    pictures: list[Callable[[int], dict[str, Any]]] = field(default_factory=list)

    def layout(self, step: int) -> dict[str, Any]:
        """Return the titles and the pictures of a step; pictures of the layout need no axes and switch fastest."""
        return {
            "annotations": [title(step) for title in self.titles],
            "images": [picture(step) for picture in self.pictures],
        }


def build(
    stage: Stage,
    tracks: Sequence[Track],
    steps: Sequence[Step],
    class_names: Sequence[str],
    axis: str,
    curves: Sequence[Curve],
    curve_title: str,
) -> Panels:
    """Fill every place of the stage."""
    panels = Panels()
    confusions_below = len({place.top for place in stage.places if place.kind == "confusion"}) > 1
    number = ""
    for place in stage.places:
        frames = [step.frames[place.track] for step in steps]
        first = place.left == 0 or place.track == 0
        name = tracks[place.track].name
        if place.kind == "manifold":
            _manifold(panels, stage, place, frames, f"{name}, {tracks[place.track].picture}")
            continue
        panels.axes[f"xaxis{number}"], panels.axes[f"yaxis{number}"] = (
            {"domain": domain, "anchor": f"{letter}{number}", "fixedrange": place.kind != "latent"}
            for domain, letter in zip(stage.domain(place), "yx", strict=True)
        )
        if place.kind == "latent":
            _latent(panels, number, frames, name, class_names, with_label=first, brief=confusions_below)
        elif place.kind == "confusion":
            title = name if confusions_below else ""
            _confusion(panels, number, frames, title, class_names, with_label=first)
        else:
            _curves(panels, number, place, stage, steps, curves, curve_title, axis)
        number = str(int(number or 1) + 1)
    return panels


def _finish(panels: Panels, number: str, x: dict[str, Any], y: dict[str, Any]) -> None:
    # What moves is painted over the axes, so that these are drawn once and may measure their labels.
    panels.axes[f"xaxis{number}"] |= x | {"automargin": True}
    panels.axes[f"yaxis{number}"] |= y | {"automargin": True}


def _latent(
    panels: Panels,
    number: str,
    frames: Sequence[Frame | None],
    name: str,
    class_names: Sequence[str],
    *,
    with_label: bool,
    brief: bool,
) -> None:
    """Scatter one model's latents, a trace a class, on a square that holds the points of all frames."""
    present = sorted({int(c) for f in frames if f is not None for c in np.unique(f.labels)}, key=lambda c: (c < 0, c))
    in_legend = {trace.fixed.get("legendgroup") for trace in panels.traces}
    for c in present:
        panels.traces.append(_class_points(number, frames, name, class_names, c, in_legend))
    _finish(panels, number, *_square(frames, number, with_label))
    panels.titles.append(lambda step: theme.title_annotation(_title(name, frames[step], brief=brief), number))


def _class_points(
    number: str,
    frames: Sequence[Frame | None],
    model: str,
    class_names: Sequence[str],
    c: int,
    in_legend: set[str | None],
) -> Trace:
    """Points of one class; what no step changes is sent once, and a prediction as one byte."""
    short = short_names(class_names)
    name, whole = (short[c], class_names[c]) if c >= 0 else ("Unlabelled", "Unlabelled")
    rows = [_rows(frame, c) for frame in frames]
    ids = [np.empty(0, int) if f is None else exact(f.ids[r]) for f, r in zip(frames, rows, strict=True)]
    fixed_ids = all(np.array_equal(ids[0], other) for other in ids)
    numbers = ", ".join(f"{number} {name}" for number, name in enumerate(short))
    fixed = {
        "type": "scattergl",
        "mode": "markers",
        "name": name,
        "legendgroup": name,
        "legendrank": 1000 + c % 1000,
        "showlegend": name not in in_legend,
        "xaxis": f"x{number}",
        "yaxis": f"y{number}",
        "marker": {
            "symbol": theme.class_symbol(c) if c >= 0 else "circle-open",
            "color": theme.class_colour(c) if c >= 0 else theme.NEUTRAL,
            "line": theme.OUTLINE,
            "size": 5,
            "opacity": 0.75,
        },
        "hovertemplate": f"Sample %{{id}}, {model}<br>True class: {whole}<br>Predicted class: %{{customdata}}"
        f"<br><i>{numbers}</i><extra></extra>",
        **({"ids": ids[0]} if fixed_ids else {}),
    }

    def at(step: int) -> dict[str, Any]:
        frame, chosen = frames[step], rows[step]
        own_ids = {} if fixed_ids else {"ids": ids[step]}
        if frame is None or not len(chosen):
            return {**_NOTHING, "customdata": [None], **own_ids}
        z = frame.z[chosen].astype(np.float32)
        small = np.int8 if len(class_names) <= 127 else np.int16
        return {"x": z[:, 0], "y": z[:, 1], "customdata": frame.predicted[chosen].astype(small), **own_ids}

    return Trace(fixed, at)


def _rows(frame: Frame | None, c: int) -> np.ndarray:
    """Rows of a class, in the order of their ids, which is the same in every frame."""
    if frame is None:
        return np.empty(0, int)
    rows = np.flatnonzero(frame.labels == c)
    return rows[np.argsort(frame.ids[rows], kind="stable")]


def _title(name: str, frame: Frame | None, *, brief: bool) -> str:
    """Name, accuracy and seed, and the number of images where there is room."""
    if frame is None:
        return f"<b>{name}</b><br><span style='font-size:12px'>not trained here</span>"
    accuracy = "" if frame.accuracy is None else f"accuracy {percent(frame.accuracy)}"
    n = n_text(frame.accuracy, frame.judged, len(frame.ids))
    about = ", ".join(filter(None, (accuracy, "" if brief and accuracy else n, frame.seed)))
    return f"<b>{name}</b><br><span style='font-size:12px'>{about}</span>"


def square_of(frames: Sequence[Frame | None]) -> tuple[list[float], list[float]]:
    """Ranges of equal length that hold every point of every frame."""
    every = [frame.z[np.isfinite(frame.z).all(axis=1)] for frame in frames if frame is not None]
    points = [z for z in every if len(z)] or [np.array([[-1.0, -1], [1, 1]])]
    low, high = np.min([p.min(axis=0) for p in points], axis=0), np.max([p.max(axis=0) for p in points], axis=0)
    half = 0.53 * max(float((high - low).max()), 1e-6)
    x, y = ([float(m) - half, float(m) + half] for m in (low + high) / 2)
    return x, y


def _square(frames: Sequence[Frame | None], number: str, with_label: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Axes of one scale."""
    ranges = square_of(frames)
    common = {"constrain": "domain", "nticks": 6}
    x = {"range": ranges[0], "title": {"text": "z1"}, **common}
    y = {"range": ranges[1], "title": {"text": "z2" if with_label else ""}, **common}
    return x, y | {"scaleanchor": f"x{number}", "constraintoward": "top"}


def _confusion(
    panels: Panels,
    number: str,
    frames: Sequence[Frame | None],
    title: str,
    class_names: Sequence[str],
    *,
    with_label: bool,
) -> None:
    """Print one model's confusion matrix: shares of the true class, and how many images these are on hovering."""
    k = len(class_names)
    here = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    true, predicted = (axis.ravel() for axis in np.indices((k, k)))
    pairs = [[row, column] for row in class_names for column in class_names]
    numbers = {
        "type": "scatter",
        "mode": "text",
        "x": predicted,
        "y": true,
        "textfont": {"size": 13 if k <= MANY else 10},
        "showlegend": False,
        "hovertemplate": "True %{customdata[0]}<br>Predicted %{customdata[1]}<br>%{customdata[2]:,} images"
        "<extra></extra>",
    }

    def cells(step: int) -> dict[str, Any]:
        return {"source": data_uri(_coloured(frames[step], k))}

    def printed(step: int) -> dict[str, Any]:
        frame = frames[step]
        if frame is None:
            return {"text": [""] * (k * k), "customdata": [[*pair, 0] for pair in pairs]}
        counts = frame.confusion.ravel().tolist()
        text = texts_of(frame.confusion)
        return {"text": text, "customdata": [[*pair, n] for pair, n in zip(pairs, counts, strict=True)]}

    panels.traces.append(Trace({"type": "image", "hoverinfo": "skip", **here}, cells))
    panels.traces.append(Trace({**numbers, **here}, printed))
    common = {"showgrid": False, "constrain": "domain", "tickfont": {"size": 11}}
    common |= {"tickvals": list(range(k)), "ticktext": short_names(class_names, BESIDE_CELLS)}
    common |= {"ticklabeloverflow": "allow"}
    x = {"range": [-0.5, k - 0.5], "title": {"text": "Predicted class"}, **common}
    y = {"range": [k - 0.5, -0.5], "title": {"text": "True class" if with_label else ""}, **common}
    y |= {"scaleanchor": f"x{number}", "constraintoward": "top", "showticklabels": with_label}
    _finish(panels, number, x, y)
    if title:
        panels.titles.append(lambda step: theme.title_annotation(f"<b>{title}</b>", number))


def _coloured(frame: Frame | None, k: int) -> np.ndarray:
    """One pixel a cell: a browser enlarges that far faster than it draws and encodes a heat map."""
    if frame is None:
        return np.zeros((k, k, 4), np.uint8)
    shares = shares_of(frame.confusion)
    cells = [theme.cell_rgba(float(shares[row, column]), right=row == column) for row, column in np.ndindex(k, k)]
    return np.array(cells, np.uint8).reshape(k, k, 4)


def _manifold(panels: Panels, stage: Stage, place: Place, frames: Sequence[Frame | None], text: str) -> None:
    """Show what the model imagines, or does, as one picture a step."""
    sources = [None if f is None or f.manifold is None else data_uri(_reduced(f.manifold), quality=60) for f in frames]
    x, y = stage.domain(place)
    middle = {"xref": "paper", "yref": "paper", "x": (x[0] + x[1]) / 2, "xanchor": "center"}
    size = {"sizex": x[1] - x[0], "sizey": y[1] - y[0], "sizing": "contain"}
    title = {"text": text, "showarrow": False, "y": y[1], "yanchor": "bottom", "yshift": 2}

    def picture(step: int) -> dict[str, Any]:
        source = sources[step]
        return {**middle, **size, "y": y[1], "yanchor": "top", "source": source, "visible": source is not None}

    panels.pictures.append(picture)
    panels.titles.append(lambda step: middle | title)


def _reduced(picture: np.ndarray) -> np.ndarray:
    """Shrink a picture that is larger than its place."""
    if max(picture.shape[:2]) <= MANIFOLD_PIXELS:
        return picture
    image = Image.fromarray(picture)
    image.thumbnail((MANIFOLD_PIXELS, MANIFOLD_PIXELS), Image.Resampling.BOX)
    return np.asarray(image)


def _curves(
    panels: Panels,
    number: str,
    place: Place,
    stage: Stage,
    steps: Sequence[Step],
    curves: Sequence[Curve],
    title: str,
    axis: str,
) -> None:
    """Draw the curves with their spread, and the line and the points that move."""
    here = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    drawn = looks([curve.name for curve in curves])
    for look, curve in zip(drawn, curves, strict=True):
        panels.traces += [Trace(trace | here) for trace in curve_traces(look, curve, legend="legend2")]
    limits = limits_of(curves, title)
    marked = _marker_look(drawn)
    at = [step.position for step in steps]
    heights = [[curve_at(curve, position, axis) for curve in curves] for position in at]

    def marker(step: int) -> dict[str, Any]:
        """Go up a vertical line through the points, and leave out those beyond a curve's ends."""
        return {"x": [at[step]] * (len(curves) + 3), "y": [*limits, None, *heights[step]]}

    panels.traces.append(Trace({"type": "scatter", "showlegend": False, "hoverinfo": "skip", **here, **marked}, marker))
    if missing := [step.position for step in steps if not any(step.frames)]:
        panels.traces.append(Trace({**untrained_points(missing, limits[0]), "showlegend": False, **here}))
    x: dict[str, Any] = {"title": {"text": axis.capitalize()}}
    x |= position_axis([*at, *(float(v) for c in curves for v in c.x)], axis)
    _finish(panels, number, x, {"range": limits, "title": {"text": title}, "nticks": 6})
    panels.axes["legend2"] = {
        "orientation": "h" if stage.across else "v",
        "x": place.left,
        "y": 1 - (place.bottom + 48) / stage.height,
        "yanchor": "top",
        "xanchor": "left",
        "bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"size": 12},
        "tracegroupgap": 0,
    }


def _marker_look(drawn: Sequence[Look]) -> dict[str, Any]:
    """Look of the moving line, whose own three points are not to be seen, and of a point per curve."""
    return {
        "mode": "lines+markers",
        "line": {"color": theme.NEUTRAL, "width": 2},
        "marker": {
            "opacity": 1,
            "size": [0, 0, 0] + [11] * len(drawn),
            "color": [theme.NEUTRAL] * 3 + [look.colour for look in drawn],
            "symbol": ["circle"] * 3 + [look.symbol for look in drawn],
            "line": theme.OUTLINE,
        },
    }
