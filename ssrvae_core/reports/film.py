"""What a film shows, and the forms it is drawn in: a figure for the browser, or a GIF or MP4 file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import plotly.graph_objects as go

from ssrvae_core.figures.film import describe_film, film
from ssrvae_core.figures.frames import Curve, Track
from ssrvae_core.figures.stage import SIDE
from ssrvae_core.reports.wording import plain

ALIGNED = (
    "The latents of all frames are aligned (orthogonal Procrustes) and drawn on the same axes, so that motion means "
    "learning."
)
"""What the captions of films say of it."""

Axis = Literal["epoch", "supervised ratio", "labels per class"]


@dataclass(frozen=True)
class Film:
    """What a film shows; drawn as a figure for the browser, or frame by frame as a picture file."""

    tracks: tuple[Track, ...]
    class_names: tuple[str, ...]
    axis: Axis
    curves: tuple[Curve, ...]
    curve_title: str

    def figure(
        self,
        start: float | None = None,
        *,
        missing: Mapping[float, str] | None = None,
        columns: Literal[1, 2, 4] = 2,
        side: int = SIDE,
        screen: int | None = None,
        controls: bool = True,
    ) -> go.Figure:
        """Return the film as one figure, see :func:`ssrvae_core.figures.film.film`; class names show as they are."""
        return film(
            [replace(track, name=plain(track.name)) for track in self.tracks],
            [plain(name) for name in self.class_names],
            axis=self.axis,
            curves=self.curves,
            curve_title=self.curve_title,
            start=start,
            missing=missing,
            columns=columns,
            side=side,
            screen=screen,
            controls=controls,
        )

    def alt(self) -> str:
        """Say in a sentence what the film shows, for people who cannot see it."""
        return describe_film(self.tracks, self.class_names, self.axis, self.curves)

    def gif(self, fps: float, caption: str = "") -> bytes:
        """Return the film as an animated GIF, with a caption in small print."""
        from ssrvae_core.figures.pictures import film_gif

        return film_gif(self.tracks, self.class_names, fps=fps, caption=caption, **self._drawn)

    def mp4(self, fps: float, caption: str = "") -> bytes:
        """Return the film as MP4.

        Raises
        ------
        UserError
            If imageio-ffmpeg is not installed.
        """
        from ssrvae_core.figures.pictures import film_mp4

        return film_mp4(self.tracks, self.class_names, fps=fps, caption=caption, **self._drawn)

    @property
    def _drawn(self) -> dict[str, Any]:
        return {"axis": self.axis, "curves": self.curves, "curve_title": self.curve_title}
