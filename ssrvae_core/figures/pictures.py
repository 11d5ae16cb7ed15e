"""Films as files: an animated GIF by Pillow, or an MP4 where imageio-ffmpeg is installed."""

from __future__ import annotations

import importlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from ssrvae_core.config import UserError
from ssrvae_core.figures import theme
from ssrvae_core.figures.frames import Curve, Track, steps_of
from ssrvae_core.figures.sheet import draw

COLOURS = 128
"""Of a GIF's one palette, so that nothing flickers: those of the classes, the rest from three of its frames."""
HOLD = 1.5
"""Seconds the last frame stays before the film begins again."""


def film_gif(
    tracks: Sequence[Track],
    class_names: Sequence[str],
    *,
    axis: str,
    curves: Sequence[Curve] = (),
    curve_title: str = "",
    fps: float = 4.0,
    caption: str = "",
) -> bytes:
    """Draw a film, 960 x 540 pixels, as an animated GIF that repeats.

    Parameters
    ----------
    tracks, class_names, axis, curves, curve_title
        As for :func:`ssrvae_core.figures.film.film`.
    fps : float
        Frames a second.
    caption : str
        Small print below the panels.

    Raises
    ------
    UserError
        If there is no frame, or if two positions share a label.
    """
    pictures = list(_pictures(tracks, class_names, axis, curves, curve_title, caption))
    palette = _palette([pictures[0], pictures[len(pictures) // 2], pictures[-1]])
    reduced = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    milliseconds = [round(1000 / fps)] * len(reduced)
    milliseconds[-1] = max(milliseconds[-1], round(1000 * HOLD))
    buffer = io.BytesIO()
    reduced[0].save(
        buffer, format="GIF", save_all=True, append_images=reduced[1:], duration=milliseconds, loop=0, disposal=1
    )
    return buffer.getvalue()


def film_mp4(
    tracks: Sequence[Track],
    class_names: Sequence[str],
    *,
    axis: str,
    curves: Sequence[Curve] = (),
    curve_title: str = "",
    fps: float = 4.0,
    caption: str = "",
) -> bytes:
    """Draw a film as H.264 in an MP4 file; parameters as for :func:`film_gif`.

    Raises
    ------
    UserError
        If imageio-ffmpeg is not installed, there is no frame, or two positions share a label.
    """
    try:
        ffmpeg = importlib.import_module("imageio_ffmpeg")
    except ImportError as error:
        raise UserError(
            "MP4 needs imageio-ffmpeg, which is not installed; run 'pip install imageio-ffmpeg', or take the GIF."
        ) from error
    pictures = list(_pictures(tracks, class_names, axis, curves, curve_title, caption))
    pictures += [pictures[-1]] * round(HOLD * fps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = ffmpeg.write_frames(
            str(path),
            pictures[0].size,
            fps=fps,
            codec="libx264",
            quality=8,
            macro_block_size=2,
            ffmpeg_log_level="error",
        )
        writer.send(None)
        for picture in pictures:
            writer.send(np.ascontiguousarray(picture))
        writer.close()
        return path.read_bytes()


def _palette(samples: Sequence[Image.Image]) -> Image.Image:
    """Choose colours; a class of few points would lose its own to the many shades of everything else."""
    fixed = [channel for name in ("#FFFFFF", *theme.CLASS_COLOURS) for channel in ImageColor.getrgb(name)]
    stacked = Image.fromarray(np.concatenate([np.asarray(picture) for picture in samples]))
    found = stacked.quantize(COLOURS - len(fixed) // 3, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*fixed, *found])
    return palette


def _pictures(
    tracks: Sequence[Track],
    class_names: Sequence[str],
    axis: str,
    curves: Sequence[Curve],
    curve_title: str,
    caption: str,
) -> Iterator[Image.Image]:
    for step in steps_of(tracks):
        yield draw(tracks, class_names, step, axis, curves, curve_title, caption)
