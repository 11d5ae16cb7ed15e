"""One frame of a film as a picture: what the interactive film shows, drawn by Pillow at twice the size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ssrvae_core.figures import theme
from ssrvae_core.figures.confusion import shares_of, texts_of
from ssrvae_core.figures.counts import n_text
from ssrvae_core.figures.curves import LOGARITHMIC, curve_at, limits_of, position_axis
from ssrvae_core.figures.film_panels import square_of
from ssrvae_core.figures.frames import Curve, Frame, Step, Track
from ssrvae_core.figures.looks import Look, looks
from ssrvae_core.figures.names import short_names
from ssrvae_core.shares import percent

WIDTH, HEIGHT = 960, 540
SCALE = 2
"""Everything is drawn this much larger and then reduced, for smooth edges."""
_INK, _LINE, _PALE = "#31333F", "#A3A8B4", "#E6E8EC"
_TOP, _SIDE = 78, 200


@dataclass(frozen=True)
class _Box:
    """A rectangle on the sheet, in pixels of the finished picture."""

    x: float
    y: float
    width: float
    height: float


class _Pen:
    """Draws in pixels of the finished picture on a larger sheet."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
        self.paint = ImageDraw.Draw(self.image)
        self.fonts: dict[int, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}

    def text(self, x: float, y: float, text: str, size: int = 12, colour: str = _INK, anchor: str = "mm") -> None:
        font = self.fonts.setdefault(size, ImageFont.load_default(size * SCALE))
        self.paint.text((x * SCALE, y * SCALE), text, fill=colour, font=font, anchor=anchor)

    def fitted(self, x: float, y: float, text: str, width: float, size: int, anchor: str = "mm") -> None:
        """Write a text in a smaller type where it is wider than its place, and cut what is still too long."""
        while size > 7 and self.length(text, size) > width:
            size -= 1
        while len(text) > 2 and self.length(text, size) > width:
            text = text[:-2] + "…"
        self.text(x, y, text, size, anchor=anchor)

    def length(self, text: str, size: int) -> float:
        font = self.fonts.setdefault(size, ImageFont.load_default(size * SCALE))
        return float(self.paint.textlength(text, font=font)) / SCALE

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self.paint.line(scaled, fill=colour, width=round(width * SCALE), joint="curve")

    def rectangle(self, box: _Box, fill: str | None = None, outline: str | None = None) -> None:
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        self.paint.rectangle([v * SCALE for v in corners], fill=fill, outline=outline, width=SCALE)

    def marker(self, x: float, y: float, symbol: str, colour: str, radius: float) -> None:
        corners = [((x + dx * radius) * SCALE, (y + dy * radius) * SCALE) for dx, dy in _SHAPES[symbol]]
        self.paint.polygon(corners, fill=colour, outline=theme.NEUTRAL)


def _ring(corners: int, turn: float = 0.0, inner: float | None = None) -> list[tuple[float, float]]:
    """Corners of a regular polygon, or of a star with an inner radius, the first one on top."""
    count = corners * (1 if inner is None else 2)
    radii = [1.0 if inner is None or i % 2 == 0 else inner for i in range(count)]
    angles = [2 * math.pi * (i / count + turn) for i in range(count)]
    return [(r * math.sin(a), -r * math.cos(a)) for r, a in zip(radii, angles, strict=True)]


_ARM = [(-0.35, -1.0), (0.35, -1.0), (0.35, -0.35)]
_PLUS = [(x * c - y * s, x * s + y * c) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1)) for x, y in _ARM]
_SHAPES: dict[str, list[tuple[float, float]]] = {
    "circle": _ring(12),
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "diamond": [(0, -1.15), (1.15, 0), (0, 1.15), (-1.15, 0)],
    "triangle-up": [(0, -1.15), (1.05, 0.8), (-1.05, 0.8)],
    "cross": _PLUS,
    "x": [((x - y) * math.sqrt(0.5), (x + y) * math.sqrt(0.5)) for x, y in _PLUS],
    "triangle-down": [(0, 1.15), (1.05, -0.8), (-1.05, -0.8)],
    "star": _ring(5, inner=0.45),
    "pentagon": _ring(5),
}


def draw(
    tracks: Sequence[Track],
    class_names: Sequence[str],
    step: Step,
    axis: str,
    curves: Sequence[Curve],
    curve_title: str,
    caption: str,
) -> Image.Image:
    """Draw one step of a film, 960 x 540 pixels; parameters as for :func:`ssrvae_core.figures.film.film`."""
    pen = _Pen()
    class_names = short_names(class_names)
    pen.text(24, 22, f"{axis.capitalize()} {step.label}", 18, anchor="lm")
    _legend(pen, class_names)
    has_side = bool(curves) or any(f.manifold is not None for t in tracks for f in t.frames)
    pitch = (WIDTH - 20) / (len(tracks) + has_side)
    side = min(_SIDE, pitch - 90)
    for index, (track, frame) in enumerate(zip(tracks, step.frames, strict=True)):
        left = 20 + index * pitch + (pitch - side) / 2 + 14
        pen.fitted(left + side / 2, _TOP - 26, track.name, side + 60, 14)
        pen.text(left + side / 2, _TOP - 10, _about(frame), 11)
        _scatter(pen, _Box(left, _TOP, side, side), track, frame)
        _matrix(pen, _Box(left, _TOP + side + 26, side, side), frame, class_names, with_names=index == 0)
    if has_side:
        left = 20 + len(tracks) * pitch
        bottom = _side_curves(pen, left, pitch - 30, step, tracks, axis, curves, curve_title) if curves else _TOP
        _manifolds(pen, left, pitch - 30, bottom, step, tracks)
    pen.fitted(WIDTH / 2, HEIGHT - 10, caption, WIDTH - 40, 10)
    return pen.image.reduce(SCALE)


def _about(frame: Frame | None) -> str:
    if frame is None:
        return "not trained here"
    accuracy = "" if frame.accuracy is None else f"accuracy {percent(frame.accuracy)}"
    n = n_text(frame.accuracy, frame.judged, len(frame.ids))
    return ", ".join(filter(None, (accuracy, n, frame.seed)))


def _legend(pen: _Pen, class_names: Sequence[str]) -> None:
    """Name the classes, from the right, in type that fits."""
    size = 12
    while size > 7 and sum(pen.length(name, size) + 30 for name in class_names) > WIDTH - 290:
        size -= 1
    x = WIDTH - 20 - sum(pen.length(name, size) + 30 for name in class_names)
    for index, name in enumerate(class_names):
        pen.marker(x + 10, 22, theme.class_symbol(index), theme.class_colour(index), 5)
        pen.text(x + 20, 22, name, size, anchor="lm")
        x += pen.length(name, size) + 30


def _scatter(pen: _Pen, box: _Box, track: Track, frame: Frame | None) -> None:
    """Draw the latents on the square that holds the points of all frames."""
    (x_low, x_high), (y_low, y_high) = square_of(track.frames)
    pen.rectangle(box, outline=_LINE)
    if frame is None:
        return
    x = box.x + box.width * (frame.z[:, 0] - x_low) / (x_high - x_low)
    y = box.y + box.height * (y_high - frame.z[:, 1]) / (y_high - y_low)
    radius = 2.2 if len(x) > 1000 else 3.2
    for c, px, py in zip(frame.labels.tolist(), x.tolist(), y.tolist(), strict=True):
        if not math.isfinite(px + py):
            continue
        symbol, colour = ("circle", theme.NEUTRAL) if c < 0 else (theme.class_symbol(c), theme.class_colour(c))
        pen.marker(px, py, symbol, colour, radius)


def _matrix(pen: _Pen, box: _Box, frame: Frame | None, class_names: Sequence[str], *, with_names: bool) -> None:
    """Print the confusion matrix; rows are true classes."""
    k = len(class_names)
    cell = box.width / k
    shares = shares_of(np.zeros((k, k), int) if frame is None else frame.confusion)
    texts = np.array(texts_of(np.zeros((k, k), int) if frame is None else frame.confusion)).reshape(k, k)
    pen.rectangle(box, outline=_LINE)
    size = max(7, min(12, int(cell / 3.6)))
    for row in range(k):
        if with_names:
            pen.fitted(box.x - 5, box.y + (row + 0.5) * cell, class_names[row], 62, min(11, max(7, int(cell))), "rm")
        pen.fitted(box.x + (row + 0.5) * cell, box.y + box.height + 9, class_names[row], cell - 3, 10)
        for column in range(k if frame is not None else 0):
            place = _Box(box.x + column * cell, box.y + row * cell, cell - 1, cell - 1)
            *colour, alpha = theme.cell_rgba(float(shares[row, column]), right=row == column)
            pen.rectangle(place, fill="#" + "".join(f"{round(255 + (c - 255) * alpha / 255):02X}" for c in colour))
            pen.text(place.x + cell / 2, place.y + cell / 2, str(texts[row, column]), size)


def _side_curves(
    pen: _Pen,
    left: float,
    width: float,
    step: Step,
    tracks: Sequence[Track],
    axis: str,
    curves: Sequence[Curve],
    title: str,
) -> float:
    """Draw the curves, the marker and their names; return where they end."""
    manifolds = any(f.manifold is not None for t in tracks for f in t.frames)
    box = _Box(left + 40, _TOP, width - 40, 130 if manifolds else 300)
    low, high = limits_of(curves, title)
    positions = [f.position for t in tracks for f in t.frames] + [float(v) for c in curves for v in c.x]
    layout = position_axis(positions, axis)
    start, end = layout["range"]
    scale: Callable[[float], float] = math.log10 if axis in LOGARITHMIC else float

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            box.x + box.width * (scale(x) - start) / (end - start),
            box.y + box.height * (high - y) / (high - low),
        )

    pen.text(box.x + box.width / 2, _TOP - 10, title, 12)
    for value in _round_numbers(low, high):
        y = at(positions[0], value)[1]
        pen.line([(box.x, y), (box.x + box.width, y)], _PALE)
        pen.text(box.x - 5, y, f"{value:.3g}", 9, anchor="rm")
    marks = layout.get("tickvals") or _round_numbers(start, end)
    for mark, text in zip(marks, layout.get("ticktext") or [f"{mark:g}" for mark in marks], strict=True):
        pen.text(at(mark, low)[0], box.y + box.height + 8, text, 8 if axis in LOGARITHMIC else 10)
    pen.rectangle(box, outline=_LINE)
    pen.line([at(step.position, low), at(step.position, high)], theme.NEUTRAL, 1.5)
    for index, (look, curve) in enumerate(zip(looks([curve.name for curve in curves]), curves, strict=True)):
        _curve(pen, at, look, curve, curve_at(curve, step.position, axis), step.position)
        y = box.y + box.height + 24 + 14 * index
        pen.line([(box.x, y), (box.x + 22, y)], look.colour, 2)
        pen.marker(box.x + 11, y, look.symbol, look.colour, 4)
        pen.fitted(box.x + 28, y, curve.name, box.width - 28, 10, "lm")
    return box.y + box.height + 24 + 14 * len(curves)


def _round_numbers(low: float, high: float) -> list[float]:
    """About four multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    pace = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [i * pace for i in range(math.ceil(low / pace), math.floor(high / pace) + 1)]


def _curve(
    pen: _Pen,
    at: Callable[[float, float], tuple[float, float]],
    look: Look,
    curve: Curve,
    height: float | None,
    position: float,
) -> None:
    colour, dashed = look.colour, curve.dashed or look.run_dash != "solid"
    known = [(float(x), float(y)) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    if curve.low is not None and curve.high is not None:
        for x, low, high in zip(curve.x, curve.low, curve.high, strict=True):
            if math.isfinite(low) and math.isfinite(high):
                pen.line([at(float(x), float(low)), at(float(x), float(high))], colour, 1)
    for (x0, y0), (x1, y1) in pairwise(known):
        (px, py), (qx, qy) = at(x0, y0), at(x1, y1)
        dashes = max(1, round(math.hypot(qx - px, qy - py) / 5)) if dashed else 1
        for i in range(0, dashes, 2 if dashed else 1):
            a, b = i / dashes, (i + 1) / dashes
            pen.line([(px + a * (qx - px), py + a * (qy - py)), (px + b * (qx - px), py + b * (qy - py))], colour, 2)
    if height is not None:
        pen.marker(*at(position, height), look.symbol, colour, 5)


def _manifolds(pen: _Pen, left: float, width: float, top: float, step: Step, tracks: Sequence[Track]) -> None:
    """Show the manifolds side by side, or below each other, whichever leaves them larger."""
    pairs = zip(tracks, step.frames, strict=True)
    shown = [
        (f"{track.name}, {track.picture}", f.manifold) for track, f in pairs if f is not None and f.manifold is not None
    ]
    count = max(1, len(tracks))
    room = HEIGHT - 30 - top
    beside = min((width - 8 * (count - 1)) / count, room - 20)
    below = min(width, room / count - 20)
    side = max(beside, below)
    for index, (name, manifold) in enumerate(shown):
        x = left + index * (side + 8) if beside >= below else left + (width - side) / 2
        y = top + 20 if beside >= below else top + 20 + index * (side + 20)
        pen.fitted(x + side / 2, y - 9, name, side, 11)
        picture = Image.fromarray(manifold).convert("RGBA")
        factor = side * SCALE / max(picture.size)
        size = (round(picture.width * factor), round(picture.height * factor))
        resized = picture.resize(size, Image.Resampling.LANCZOS)
        pen.image.paste(resized, (round(x * SCALE), round(y * SCALE)), resized)
