"""A film ready to be shown: its figure as the browser takes it, and of every frame what is to be seen."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import plotly.graph_objects as go

from ssrvae_core.figures.frames import Step, Track
from ssrvae_core.shares import percent

DIGITS = 1e-5
"""Relative difference below which two positions are one: an address has six digits."""

OfSeeds = Mapping[tuple[str, float], Sequence[float]]


@dataclass(frozen=True)
class Reel:
    """A film ready to be shown.

    Attributes
    ----------
    figure : str
        The figure as JSON, without controls.
    steps : tuple of dict
        Of every frame ``position``, ``label``, ``told`` (what is to be seen, in a sentence) and ``missing``.
    width : int
        Pixels it is laid out for, 0 for a phone.
    room : int, optional
        Pixels in height it is fitted to in a presentation.
    alt : str
        What the film shows, in a sentence.
    token : str
        Tells this film from others.
    """

    figure: str
    steps: tuple[dict[str, Any], ...]
    width: int
    room: int | None
    alt: str
    token: str

    def index(self, position: float | None) -> int | None:
        """Return the frame at a position, None where there is none."""
        if position is None:
            return None
        known = [step["position"] for step in self.steps]
        at = [i for i, own in enumerate(known) if math.isclose(own, position, rel_tol=DIGITS)]
        return at[0] if at else None

    @property
    def last(self) -> int:
        """The last frame that shows a model."""
        return max(i for i, step in enumerate(self.steps) if not step["missing"])


def reel(
    figure: go.Figure,
    steps: Sequence[Step],
    tracks: Sequence[Track],
    width: int,
    about: Callable[[Step], str],
    room: int | None = None,
    of_seeds: OfSeeds = MappingProxyType({}),
    ends: Sequence[float] = (),
) -> Reel:
    """Make a film ready to be shown.

    Parameters
    ----------
    figure : go.Figure
        The film, without controls.
    steps : sequence of Step
        Its frames.
    tracks : sequence of Track
        Its models.
    width : int
        Pixels the figure is laid out for, 0 for a phone.
    about : callable
        Says in a few words at what a step shows the models, such as "32 labels".
    room : int, optional
        Pixels in height it is fitted to in a presentation.
    of_seeds : mapping
        The accuracies of all seeds, by the model's name and the position.
    ends : sequence of float
        The last epoch of each model, which stays in all later frames; empty where no frame stays.
    """
    content = figure.to_json().replace("\\u002f", "/")  # plotly.py makes it fit for a script in a page, a tenth longer
    told = [
        {
            "position": step.position,
            "label": step.label,
            "told": told_of(step, [track.name for track in tracks], about(step), of_seeds, ends),
            "missing": not any(step.frames),
        }
        for step in steps
    ]
    token = hashlib.sha256(f"{width} {room} {content}".encode()).hexdigest()[:16]
    return Reel(content, tuple(told), width, room, figure.layout.meta["alt"], token)


def told_of(
    step: Step,
    names: Sequence[str],
    about: str,
    of_seeds: OfSeeds = MappingProxyType({}),
    ends: Sequence[float] = (),
) -> str:
    """Say in a sentence what a frame shows; of several seeds the mean, as the curve does.

    Of a model whose last epoch, in ``ends``, is before this frame, it is said that it is that epoch's.
    """
    if not any(step.frames):
        return f"{about}: not trained yet."
    several = [of_seeds.get((name, step.position), ()) for name in names]
    counts = [len(found) for found in several]
    alike = len(set(counts)) == 1
    parts = []
    lasts = ends or [math.inf] * len(names)
    for name, frame, found, last in zip(names, step.frames, several, lasts, strict=True):
        if frame is None:
            parts.append(f"{name} is not trained here")
        elif frame.accuracy is None:
            parts.append(f"{name} cannot be judged, as no image has a label")
        else:
            mean = sum(found) / len(found) if len(found) > 1 else frame.accuracy
            over = f" (mean of {len(found)} seeds)" if len(found) > 1 and not alike else ""
            ended = f" after its last epoch ({last:g})" if step.position > last else ""
            parts.append(f"{name} is right for {percent(mean)}{over}{ended}")
    every = f", mean of {counts[0]} seeds" if alike and counts[0] > 1 else ""
    return f"{about}: {', '.join(parts)}{every}."
