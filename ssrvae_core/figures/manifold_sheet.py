"""The manifolds of all classes as one picture, turned the way the points beside it were."""

from __future__ import annotations

import math

import numpy as np

from ssrvae_core.figures.manifold import manifold_picture


def manifold_sheet(images: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Draw the manifolds of all classes as one picture, turned the way the points were when they were aligned.

    The grid can be flipped and transposed without a loss, not turned by any angle; the nearest of these is taken.

    Parameters
    ----------
    images : uint8 array (K, D, D, C, H, W)
        A grid of D x D decoded images for each class.
    before, after : float array (N, latent_dim) and (N, 2)
        Latents before and after they were aligned.

    Returns
    -------
    uint8 array (height, width), (height, width, 3) or (height, width, 4)
        See-through in the last places where the classes do not fill the picture.
    """
    k, d = images.shape[:2]
    if before.shape[1] == 2:
        images = images[:, *turned_grid(nearest_turn(before, after), d)]
    columns = math.ceil(math.sqrt(k))
    rows = math.ceil(k / columns)
    sheet = np.zeros((rows * d, columns * d, *images.shape[3:]), np.uint8)
    for label, plane in enumerate(images):
        row, column = divmod(label, columns)
        sheet[row * d : (row + 1) * d, column * d : (column + 1) * d] = plane
    picture = manifold_picture(sheet)
    if k == rows * columns:
        return picture
    seen = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
    whole = np.concatenate([seen, np.full((*seen.shape[:2], 1), 255, np.uint8)], axis=-1)
    height, width = ((side + 1) // count for side, count in zip(whole.shape[:2], (rows, columns), strict=True))
    whole[(rows - 1) * height :, (k - (rows - 1) * columns) * width :] = 0  # no class has the last places
    return whole


def nearest_turn(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the matrix of a quarter turn or a flip that comes nearest to what took one set of points to the other."""
    known = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    if not known.any():
        return np.eye(2, dtype=int)
    before, after = before[known], after[known]
    move = np.linalg.lstsq(before - before.mean(axis=0), after - after.mean(axis=0))[0]
    straight = abs(move[0, 0]) + abs(move[1, 1]) >= abs(move[0, 1]) + abs(move[1, 0])
    mask = np.eye(2) if straight else np.eye(2)[::-1]
    return np.where(mask > 0, np.where(move < 0, -1, 1), 0)


def turned_grid(turn: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and column at which a d x d grid of images, y upwards, holds what a turned one shows."""
    rows, columns = np.indices((d, d))
    # Doubled and centred, so that the middle of an even grid is an integer too.
    shown = np.stack([2 * columns - (d - 1), (d - 1) - 2 * rows], axis=-1)
    x, y = np.moveaxis(shown @ turn.T, -1, 0)
    return (d - 1 - y) // 2, (x + d - 1) // 2
