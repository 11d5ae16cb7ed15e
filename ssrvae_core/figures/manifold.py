"""What a model imagines: decoded images over a grid of latents, or along one of them."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from ssrvae_core.figures import theme

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


def examples_picture(pictures: np.ndarray, predicted: np.ndarray, columns: int) -> np.ndarray:
    """Lay images out as one picture, each in a frame of the colour of the class it is taken for.

    Parameters
    ----------
    pictures : uint8 array (n, H, W) or (n, H, W, 3)
        The images, row by row.
    predicted : int array (n,)
        The classes they are taken for.
    columns : int
        Images in a row.

    Returns
    -------
    uint8 array (rows * H', columns * W', 4)
        See-through between the frames, and where the last row has no image.
    """
    height, width = pictures.shape[1:3]
    frame, gap = max(2, height // 12), max(1, height // 16)
    edge = frame + gap
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * (height + 2 * edge), columns * (width + 2 * edge), 4), np.uint8)
    for at, (picture, label) in enumerate(zip(pictures, predicted.tolist(), strict=True)):
        row, column = divmod(at, columns)
        top, left = row * (height + 2 * edge) + gap, column * (width + 2 * edge) + gap
        sheet[top : top + height + 2 * frame, left : left + width + 2 * frame] = (*theme.class_rgb(label), 255)
        inside = sheet[top + frame : top + frame + height, left + frame : left + frame + width]
        inside[..., :3] = picture if picture.ndim == 3 else picture[..., None]
    return sheet


def data_uri(picture: np.ndarray, *, quality: int | None = None) -> str:
    """Return a uint8 picture as the address of an image: PNG, or the far smaller WebP at a quality up to 100."""
    buffer = io.BytesIO()
    if quality is None:
        Image.fromarray(picture).save(buffer, format="PNG")
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    Image.fromarray(picture).save(buffer, format="WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
