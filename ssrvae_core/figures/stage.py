"""Where the panels of a film stand: rows of pixels over the whole width, wide or narrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["latent", "confusion", "manifold", "curve"]

LEGEND_LINE = 20
SIDE = 320
"""Pixels along a panel on a desk."""
KINDS: tuple[Kind, ...] = ("latent", "confusion", "manifold")
_GAP, _NARROW_GAP = 0.09, 0.16
_FOOT, _HEAD, _TITLE = 52, 44, 24


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
    """All panels, and the pixels they need in height, without the controls."""

    places: tuple[Place, ...]
    height: int

    def domain(self, place: Place) -> tuple[list[float], list[float]]:
        """Return the x and the y domain of a panel, in shares of the drawn area."""
        return [place.left, place.right], [1 - place.bottom / self.height, 1 - place.top / self.height]


def wide(tracks: int, *, manifolds: bool, curves: int, side: int = SIDE) -> Stage:
    """One column a track, latents over confusions; in a last column the curves, over the manifolds.

    Where that column is too short for the manifolds they are a third row.
    """
    total = 2 * side + _FOOT + _HEAD
    room = total - (150 + _FOOT + LEGEND_LINE * curves + 30) - 30 * (tracks - 1)
    if manifolds and curves and room / tracks < 0.5 * side:
        return _three_rows(tracks, curves, side)
    has_side = manifolds or curves > 0
    columns = _columns(tracks + has_side, _GAP)
    places = []
    for track, (left, right) in enumerate(columns[:tracks]):
        places.append(Place("latent", track, left, right, _HEAD, _HEAD + side))
        places.append(Place("confusion", track, left, right, _HEAD + total - side, _HEAD + total))
    top = float(_HEAD)
    if curves:
        bottom = top + (150 if manifolds else 2 * side - LEGEND_LINE * curves)
        places.append(Place("curve", 0, *columns[-1], top, bottom))
        top = bottom + _FOOT + LEGEND_LINE * curves + 30
    if manifolds:
        each = (_HEAD + total - top - 30 * (tracks - 1)) / tracks
        places += [
            Place("manifold", t, *columns[-1], top + t * (each + 30), top + t * (each + 30) + each)
            for t in range(tracks)
        ]
    return Stage(tuple(places), _HEAD + total)


def _three_rows(tracks: int, curves: int, side: int) -> Stage:
    """One column a track: latents, confusions and manifolds below each other; in a last column the curves."""
    columns = _columns(tracks + 1, _GAP)
    row = side + _FOOT + _HEAD
    places = []
    for track, (left, right) in enumerate(columns[:tracks]):
        for number, kind in enumerate(KINDS):
            top = _HEAD + number * row
            places.append(Place(kind, track, left, right, top, top + side))
    places.append(Place("curve", 0, *columns[-1], _HEAD, _HEAD + side))
    lowest = max(2 * row + side, side + _FOOT + LEGEND_LINE * curves)
    return Stage(tuple(places), _HEAD + lowest)


def narrow(tracks: int, *, manifolds: bool, curves: int) -> Stage:
    """For a phone: the curve, then latents side by side, confusions below each other, manifolds side by side."""
    places = []
    columns = _columns(tracks, _NARROW_GAP)
    top = float(_HEAD)
    if curves:
        places.append(Place("curve", 0, 0.0, 1.0, top, top + 150))
        top += 150 + _FOOT + LEGEND_LINE * curves + _HEAD
    places += [Place("latent", t, *columns[t], top, top + 160) for t in range(tracks)]
    top += 160 + _FOOT
    for track in range(tracks):
        places.append(Place("confusion", track, 0.0, 1.0, top + _TITLE, top + _TITLE + 230))
        top += _TITLE + 230 + _FOOT + 20
    if manifolds:
        places += [Place("manifold", t, *columns[t], top + 30, top + 190) for t in range(tracks)]
        top += 190
    else:
        top -= _FOOT + 20
    return Stage(tuple(places), round(top))


def _columns(count: int, gap: float) -> list[tuple[float, float]]:
    """Split the width evenly, with gaps for the labels of the axes."""
    width = (1 - gap * (count - 1)) / count
    # Rounding must not put the last one past the edge.
    return [(i * (width + gap), min(i * (width + gap) + width, 1.0)) for i in range(count)]
