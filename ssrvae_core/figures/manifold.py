"""What a model imagines: decoded images over a grid of latents, or along one of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

from ssrvae_core.figures import theme
from ssrvae_core.figures.names import short_names

SEPARATOR = 96
"""Grey of the thin lines between images: seen against black and white alike."""


def manifold_picture(images: np.ndarray) -> np.ndarray:
    """Lay decoded images out as one picture, with lines of one pixel between them.

    Parameters
    ----------
    images : float array (rows, columns, C, H, W) in [0, 1], or uint8
        Three channels are red, green and blue; of any other number the mean is shown.

    Returns
    -------
    uint8 array (rows * (H + 1) - 1, columns * (W + 1) - 1) or the same with a last axis of 3
    """
    seen = np.moveaxis(images, 2, -1) if images.shape[2] == 3 else images.mean(axis=2)
    if images.dtype != np.uint8:
        seen = 255 * np.clip(seen, 0, 1)
    rows, columns, height, width = seen.shape[:4]
    picture = np.full((rows, height + 1, columns, width + 1, *seen.shape[4:]), SEPARATOR, np.uint8)
    picture[:, :height, :, :width] = np.moveaxis(np.round(seen), 2, 1).astype(np.uint8)
    return picture.reshape(rows * (height + 1), columns * (width + 1), *seen.shape[4:])[:-1, :-1]


def data_uri(picture: np.ndarray, *, quality: int | None = None) -> str:
    """Return a uint8 picture as the address of an image: PNG, or the far smaller WebP at a quality up to 100."""
    buffer = io.BytesIO()
    if quality is None:
        Image.fromarray(picture).save(buffer, format="PNG")
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    Image.fromarray(picture).save(buffer, format="WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def manifold_figure(
    images: np.ndarray,
    class_names: Sequence[str],
    bounds: Sequence[tuple[tuple[float, float], tuple[float, float]]],
    *,
    dims: tuple[int, int] = (0, 1),
) -> go.Figure:
    """Draw the manifold of every class side by side, over the axes of the two latents.

    Parameters
    ----------
    images : array (K, rows, columns, C, H, W)
        As :func:`manifold_picture` takes them, the largest value of the second latent first.
    class_names : sequence of str, length K
        Titles.
    bounds : sequence of two pairs of float, length K
        Lowest and highest value of the first latent, in the middle of the outer images, and of the second.
    dims : pair of int
        The two latents, from 0.
    """
    figure = make_subplots(rows=1, cols=len(images), horizontal_spacing=0.04)
    short = short_names(class_names)
    for index, (grid, box) in enumerate(zip(images, bounds, strict=True)):
        number = "" if index == 0 else str(index + 1)
        rows, columns = grid.shape[:2]
        (left, right), (bottom, top) = (_edges(*ends, n) for ends, n in zip(box, (columns, rows), strict=True))
        picture = manifold_picture(grid)
        _place(figure, number, picture, (left, top), (right - left, top - bottom))
        title = theme.title_annotation(f"<b>{short[index]}</b>", number)
        figure.add_annotation(title | ({"hovertext": class_names[index]} if short[index] != class_names[index] else {}))
        common = {"nticks": 5, "constrain": "domain", "showgrid": False}
        square = (right - left) / (top - bottom) * picture.shape[0] / picture.shape[1]
        x = {"range": [left, right], "title": {"text": f"z{dims[0] + 1}"}}
        y = {"range": [bottom, top], "title": {"text": f"z{dims[1] + 1}" if index == 0 else ""}}
        y |= {"scaleanchor": f"x{number}", "scaleratio": square, "constraintoward": "top"}
        figure.update_layout({f"xaxis{number}": x | common, f"yaxis{number}": y | common})
    return _finish(figure, f"Decoded images over z{dims[0] + 1} and z{dims[1] + 1} of {', '.join(class_names)}.")


def traversal_figure(images: np.ndarray, class_names: Sequence[str], *, extent: float = 2.0, dim: int = 0) -> go.Figure:
    """Draw what one latent does: a row a class, a column a step from ``-extent`` to ``extent``.

    Parameters
    ----------
    images : array (K, steps, C, H, W)
        As :func:`manifold_picture` takes them.
    class_names : sequence of str, length K
        Names of the rows.
    extent : float
        Ends of the latent.
    dim : int
        The latent, from 0.
    """
    k, steps = images.shape[:2]
    figure = go.Figure()
    _place(figure, "", manifold_picture(images), (-0.5, -0.5), (steps, k))
    values = [f"{value:.3g}" for value in np.linspace(-extent, extent, steps)]
    common = {"showgrid": False, "constrain": "domain"}
    x = {"range": [-0.5, steps - 0.5], "tickvals": list(range(steps)), "ticktext": values}
    y = {"range": [k - 0.5, -0.5], "tickvals": list(range(k)), "ticktext": short_names(class_names), "scaleanchor": "x"}
    y |= {"scaleratio": images.shape[-2] / images.shape[-1], "constraintoward": "top"}
    figure.update_layout(xaxis={**x, **common, "title": {"text": f"z{dim + 1}"}}, yaxis={**y, **common})
    return _finish(figure, f"Decoded images along z{dim + 1}, a row each for {', '.join(class_names)}.")


def _edges(low: float, high: float, n: int) -> tuple[float, float]:
    """Outer edges of n images whose outer middles are at these values."""
    half = (high - low) / (2 * (n - 1)) if n > 1 else (high - low) / 2
    return low - half, high + half


def _place(
    figure: go.Figure, number: str, picture: np.ndarray, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """Stretch a picture over a part of a subplot; an invisible point makes plotly draw the axes."""
    here = {"xref": f"x{number}", "yref": f"y{number}", "xanchor": "left", "yanchor": "top", "layer": "below"}
    source = data_uri(picture)
    figure.add_layout_image(
        source=source, sizing="stretch", x=corner[0], y=corner[1], sizex=size[0], sizey=size[1], **here
    )
    hidden: dict[str, Any] = {"mode": "markers", "marker": {"opacity": 0}, "hoverinfo": "skip", "showlegend": False}
    middle = {"x": [corner[0] + size[0] / 2], "y": [corner[1]]}
    figure.add_trace(go.Scatter(**middle, xaxis=f"x{number}", yaxis=f"y{number}", **hidden))


def _finish(figure: go.Figure, alt: str) -> go.Figure:
    return figure.update_layout(template=theme.template(), meta={"alt": alt}, margin={"t": 40})
