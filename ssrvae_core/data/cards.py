"""The four suits of playing cards, drawn white on black from analytic shapes.

The setting of the published experiments: Ziatdinov et al., arXiv 2105.11475, and its public notebooks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from ssrvae_core.config import DatasetConfig
from ssrvae_core.data.generated import Drawing, DrawnImages, generate
from ssrvae_core.data.shapes import Frame, coverage

GLYPH_HEIGHT = 0.55
"""Height of a suit at scale 1, in image sides; at scale 1.3 with shears of 15 degrees it still fits."""

CHUNK = 32
"""Images drawn at once: few enough that the intermediate arrays stay in the processor's cache."""


def draw_cards(config: DatasetConfig) -> DrawnImages:
    """Draw hearts, spades, diamonds and clubs, each in its own pose.

    Parameters
    ----------
    config : DatasetConfig
        Image size, numbers a class, disorder and seed.

    Returns
    -------
    DrawnImages
        Images (N, 1, size, size); the factors are those of the pose. ``as_labelled`` draws the same samples with the
        labelled disorder.
    """

    def draw(_: np.ndarray, labels: np.ndarray, poses: Mapping[str, np.ndarray], __: int) -> Drawing:
        images = np.empty((len(labels), 1, config.size, config.size), dtype=np.float32)
        for label, suit in enumerate(SUITS.values()):
            of_class = np.flatnonzero(labels == label)
            for start in range(0, len(of_class), CHUNK):
                rows = of_class[start : start + CHUNK]
                frame = Frame({k: v[rows] for k, v in poses.items()}, GLYPH_HEIGHT * config.size, config.size)
                images[rows, 0] = coverage(suit(frame))
        return Drawing(images)

    return generate(config, tuple(SUITS), draw)


def _lobes(frame: Frame, centre_x: float, centre_y: float, radius: float, tip: float) -> np.ndarray:
    """Join two discs and the wedge of their tangents down to the tip: a heart."""
    # The tangent from (0, tip) touches the disc where the normal (cos a, -sin a) meets it.
    drop = centre_y - tip
    a = math.asin(radius / math.hypot(drop, centre_x)) + math.atan2(centre_x, drop)
    cos, sin = math.cos(a), math.sin(a)
    below_notch = centre_y + math.sqrt(radius**2 - centre_x**2) / 2
    wedge = np.maximum(
        frame.half_plane(cos, -sin, cos * centre_x - sin * centre_y + radius),
        np.maximum(
            frame.half_plane(sin, cos, sin * centre_x + cos * centre_y), frame.half_plane(0.0, 1.0, below_notch)
        ),
    )
    return np.minimum(wedge, frame.disc(centre_x, centre_y, radius))


def _stem(frame: Frame, top: float) -> np.ndarray:
    """Draw a stem with a flared foot: a bar out of which a disc is cut at either side."""
    bar = np.maximum(
        frame.half_plane(1.0, 0.0, 0.2), np.maximum(frame.half_plane(0.0, 1.0, top), frame.half_plane(0.0, -1.0, 0.5))
    )
    return np.maximum(bar, -frame.disc(0.34, -0.235, 0.3))


def _heart(frame: Frame) -> np.ndarray:
    return _lobes(frame, centre_x=0.23, centre_y=0.24, radius=0.26, tip=-0.5)


def _spade(frame: Frame) -> np.ndarray:
    body = _lobes(frame.flipped(), centre_x=0.21, centre_y=0.04, radius=0.23, tip=-0.5)
    return np.minimum(body, _stem(frame, top=-0.1))


def _diamond(frame: Frame) -> np.ndarray:
    return np.maximum(frame.half_plane(1 / 0.38, 1 / 0.5, 1.0), frame.half_plane(1 / 0.38, -1 / 0.5, 1.0))


def _club(frame: Frame) -> np.ndarray:
    leaves = np.minimum(frame.disc(0.0, 0.27, 0.23), frame.disc(0.25, -0.08, 0.23))
    return np.minimum(leaves, _stem(frame, top=0.1))


SUITS: dict[str, Callable[[Frame], np.ndarray]] = {
    "hearts": _heart,
    "spades": _spade,
    "diamonds": _diamond,
    "clubs": _club,
}
"""The classes in order, each as a signed distance; the unit is the glyph's height, the origin its middle."""
