"""Where the panels of a film stand: rows of pixels over the whole width, wide or narrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["latent", "confusion", "manifold", "curve"]

LEGEND_LINE = 20
SIDE = 320
"""Pixels along a panel on a desk."""
CURVE = 230
"""Pixels of the curves in height on a desk."""
ABREAST = 4
"""Names of curves in a row there."""
_GAP, _NARROW_GAP = 0.09, 0.16
_FOOT, _HEAD, _TITLE = 52, 44, 24
LOWEST = 150
"""Pixels below which a panel of a projector cannot be read."""


@dataclass(frozen=True)
class Place:
    """One panel: what it shows, of which track, and its box; x in shares of the width, y in pixels from the top."""

    kind: Kind
    track: int
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Stage:
    """All panels, and the pixels they need in height without controls; ``across`` where curves are named in rows."""

    places: tuple[Place, ...]
    height: int
    across: bool = False

    def domain(self, place: Place) -> tuple[list[float], list[float]]:
        """Return the x and the y domain of a panel, in shares of the drawn area."""
        return [place.left, place.right], [1 - place.bottom / self.height, 1 - place.top / self.height]


def wide(tracks: int, *, manifolds: bool, curves: int, side: int = SIDE) -> Stage:
    """Place the curves over the whole width; below them a column per track: latents, manifold and confusion.

    A single track has them beside each other.
    """
    row = side + _FOOT + _HEAD
    top = float(_HEAD)
    places: list[Place] = []
    curve = Place("curve", 0, 0.0, 1.0, top, top + CURVE)
    if curves:
        top += CURVE + _FOOT + LEGEND_LINE * -(-curves // ABREAST) + _HEAD
    kinds: list[Kind] = ["latent", "manifold", "confusion"] if manifolds else ["latent", "confusion"]
    alone = tracks == 1
    columns = _columns(len(kinds) if alone else tracks, _GAP)
    pictures: list[Place] = []
    for track in range(tracks):
        for at, kind in enumerate(kinds):
            left, right = columns[at if alone else track]
            start = top if alone else top + at * row
            place = Place(kind, track, left, right, start, start + side)
            (pictures if kind == "manifold" else places).append(place)
    if curves:
        places.append(curve)
    lowest = max(place.bottom for place in places)
    return Stage((*places, *pictures), round(lowest), across=True)


def broad(tracks: int, *, manifolds: bool, curves: int, side: int = SIDE, first: int | None = None) -> Stage:
    """Place all in two rows, for a projector: the curves beside the latents, over manifolds and confusions.

    ``first`` is the height of the first row in pixels, where it is not ``side``.
    """
    half = max(tracks, 2)
    columns = _columns(2 * half, 0.7 * _GAP)
    top = side if first is None else first
    lower = top + _FOOT + _HEAD + legend_below(curves)
    places, pictures = [], []
    for track in range(tracks):
        places.append(Place("latent", track, *columns[half + track], _HEAD, _HEAD + top))
        places.append(Place("confusion", track, *columns[half + track], _HEAD + lower, _HEAD + lower + side))
        pictures.append(Place("manifold", track, *columns[track], _HEAD + lower, _HEAD + lower + side))
    if curves:
        places.append(Place("curve", 0, 0.0, columns[half - 1][1], _HEAD, _HEAD + top))
    return Stage((*places, *(pictures if manifolds else ())), _HEAD + lower + side, across=True)


def legend_below(curves: int) -> int:
    """Pixels that the names of so many curves take below them."""
    return LEGEND_LINE * -(-curves // ABREAST) if curves else 0


def rows_within(height: int, foot: int, curves: int) -> tuple[int, int]:
    """Return the heights of the two rows of :func:`broad` on a screen of this many pixels in height.

    Where two rows would be too low to be read, the first one alone fills the screen.

    Parameters
    ----------
    height : int
        Pixels from the top of the panels to the end of the screen.
    foot : int
        Pixels below the last row.
    curves : int
        Curves that are named below the first row.
    """
    around = _HEAD + _FOOT + legend_below(curves)
    both = (height - foot - around - _HEAD) // 2
    return (both, both) if both >= LOWEST else (max(height - around, LOWEST), LOWEST)


def narrow(tracks: int, *, manifolds: bool, curves: int) -> Stage:
    """For a phone: the curve, then latents side by side, confusions and manifolds below each other."""
    places = []
    columns = _columns(tracks, _NARROW_GAP)
    top = float(_HEAD)
    if curves:
        places.append(Place("curve", 0, 0.0, 1.0, top, top + 180))
        top += 180 + _FOOT + LEGEND_LINE * curves + _HEAD
    places += [Place("latent", t, *columns[t], top, top + 160) for t in range(tracks)]
    top += 160 + _FOOT
    for track in range(tracks):
        places.append(Place("confusion", track, 0.0, 1.0, top + _TITLE, top + _TITLE + 230))
        top += _TITLE + 230 + _FOOT + 20
    if manifolds:
        for track in range(tracks):
            places.append(Place("manifold", track, 0.0, 1.0, top + _TITLE, top + _TITLE + 230))
            top += _TITLE + 230 + 10
    else:
        top -= _FOOT + 20
    return Stage(tuple(places), round(top))


def _columns(count: int, gap: float) -> list[tuple[float, float]]:
    """Split the width evenly, with gaps for the labels of the axes."""
    width = (1 - gap * (count - 1)) / count
    # Rounding must not put the last one past the edge.
    return [(i * (width + gap), min(i * (width + gap) + width, 1.0)) for i in range(count)]
