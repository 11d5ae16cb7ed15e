"""A map of latents as a small SVG picture, for where a chart would be too heavy: a page opens with two of them."""

from __future__ import annotations

import numpy as np

from ssrvae_core.figures import theme

WIDTH, HEIGHT = 320, 240
MARGIN = 10
MARKER = 7.0
"""Pixels of a marker, whose outline is drawn in a box of 16 x 16."""
MOST_POINTS = 500


def map_svg(z: np.ndarray, labels: np.ndarray, shapes: dict[str, str], *, most: int = MOST_POINTS) -> str:
    """Draw the first two latents of images, in the colours and shapes of their classes, on a transparent ground.

    Parameters
    ----------
    z : float array (N, D)
        Latents; of one dimension the points lie on a line.
    labels : int array (N,)
        Classes; -1 where none is known, which is grey.
    shapes : dict of str to str
        Outlines of the marker shapes in a box of 16 x 16, as SVG paths by plotly's name.
    most : int
        Points at most: of more, evenly chosen ones.

    Returns
    -------
    str
        An SVG of 320 x 240 pixels, with equal units on both axes.
    """
    rows = np.flatnonzero(np.isfinite(z).all(1))
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    x, y = _on_paper(z[rows])
    known = sorted(set(labels[rows].tolist()))
    symbols = "".join(
        f'<g id="c{label}" fill="{_colour(label)}" fill-opacity="0.8" stroke="{theme.NEUTRAL}" stroke-width="0.6">'
        f'<path d="{shapes[_symbol(label)]}" transform="scale({MARKER / 16:g}) translate(-8 -8)"/></g>'
        for label in known
    )
    points = "".join(
        f'<use href="#c{label}" x="{px:.1f}" y="{py:.1f}"/>' for label, px, py in zip(labels[rows], x, y, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<defs>{symbols}</defs><rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" fill="none" '
        f'stroke="{theme.NEUTRAL}" stroke-opacity="0.5"/>{points}</svg>'
    )


def _on_paper(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels of points, centred, with equal units on both axes and y upwards."""
    plane = np.zeros((len(z), 2))
    plane[:, : min(2, z.shape[1])] = z[:, :2]
    if not len(z):
        return plane[:, 0], plane[:, 1]
    low, high = plane.min(0), plane.max(0)
    room = np.array([WIDTH, HEIGHT]) - 2 * MARGIN
    with np.errstate(divide="ignore"):
        scale = np.min(room / (high - low))
    scale = scale if np.isfinite(scale) else 1.0
    middle = (plane - (low + high) / 2) * scale
    return WIDTH / 2 + middle[:, 0], HEIGHT / 2 - middle[:, 1]


def _colour(label: int) -> str:
    return theme.class_colour(label) if label >= 0 else theme.NEUTRAL


def _symbol(label: int) -> str:
    return theme.class_symbol(label) if label >= 0 else "circle"
