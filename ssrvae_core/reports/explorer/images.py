"""The pictures of a run's particles, and what its model draws of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ssrvae_core.records import Predictions
from ssrvae_core.reports.explorer.sheets import Sheets, shrunk
from ssrvae_core.runs import Run
from ssrvae_core.runs.data_files import load_images
from ssrvae_core.runs.thumbnails import to_pixels

if TYPE_CHECKING:
    from ssrvae_core.models import SSVAE

MOST_BYTES = 2**28
"""Of the pictures of one data set that are held at once; beyond, they are as small as those on the sheets."""
CHUNK = 4096
"""Images that are made into bytes at a time."""
BATCH = 256
"""Images that are drawn at a time."""


def pixels_of(run: Run, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Load a run's data set, and return the pictures of these particles as the model saw them.

    Parameters
    ----------
    run : Run
        The run.
    ids : int array
        Sample ids; those that the data set does not have are left out.

    Returns
    -------
    tuple of int64 array (n,) and uint8 array (n, H, W) or (n, H, W, 3)
        The ids, ascending, and their pictures.

    Raises
    ------
    UserError
        If the images are not in reach.
    """
    from ssrvae_core.data.split import positions

    images = load_images(run.config.dataset, run.path.parent)
    rows = np.flatnonzero(np.isin(images.ids, ids))
    rows = rows[np.argsort(images.ids[rows])]
    own = Sheets.of(len(rows), *images.image_shape[1:])
    whole = len(rows) * int(np.prod(images.image_shape)) <= MOST_BYTES
    # A labelled image looks as it did in training, where it may be turned less than the others.
    labelled = np.empty(0, np.int64)
    if images.as_labelled is not None:
        labelled = np.intersect1d(positions(images, run.config.split).labelled, rows)
    parts = []
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        taken = images.images[some]
        trained = np.flatnonzero(np.isin(some, labelled))
        if len(trained) and images.as_labelled is not None:
            taken[trained] = images.as_labelled(some[trained]).images
        pixels = to_pixels(taken)
        parts.append(pixels if whole else shrunk(pixels, own.height, own.width))
    return images.ids[rows], np.concatenate(parts) if parts else np.zeros((0, *images.image_shape[1:]), np.uint8)


def drawn(
    model: SSVAE, predictions: Predictions, rows: np.ndarray, seen: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what a model draws of particles, placed and turned as they are seen, and the posteriors of their angles.

    Parameters
    ----------
    model : SSVAE
        The model.
    predictions : Predictions
        What it says of the particles.
    rows : int array (n,)
        Which of them.
    seen : uint8 array (n, H, W[, 3]), optional
        Their pictures. Without them, or where they are smaller than the model's images, the drawings are centred and
        there is no posterior.

    Returns
    -------
    tuple of uint8 array (n, H, W[, 3]) and float32 array (n, A) or None
        The probabilities are of evenly spaced angles from -180 degrees on.
    """
    made, posteriors = [], []
    for start in range(0, len(rows), BATCH):
        some = slice(start, start + BATCH)
        picture, posterior = _drawn(model, predictions, rows[some], None if seen is None else seen[some])
        made.append(picture)
        posteriors.append(posterior)
    known = [posterior for posterior in posteriors if posterior is not None]
    return np.concatenate(made), np.concatenate(known) if known and len(known) == len(posteriors) else None


def _drawn(
    model: SSVAE, predictions: Predictions, rows: np.ndarray, seen: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    import torch

    from ssrvae_core.evaluation.turning import angle_posterior

    z = torch.from_numpy(predictions.z_mean[rows])
    y = torch.from_numpy(predictions.predicted[rows])
    angle = torch.from_numpy(np.nan_to_num(predictions.angle[rows]))
    images = None if seen is None else _images(seen, model.image_shape)
    if images is None:
        return to_pixels(model.decode(z, y, angle).cpu().numpy()), None
    batch = torch.from_numpy(images)
    said = model.encode(batch, alone=True)  # the class is known already, and a second opinion may want masks
    said = replace(said, class_prob=model.one_hot(y.to(model.device)))
    pictures = to_pixels(model.decode(z, y, angle, shift=said.shift, scale=said.scale).cpu().numpy())
    posterior = angle_posterior(model, batch, said)
    return pictures, None if posterior is None else np.roll(posterior, posterior.shape[1] // 2, axis=1)


def _images(seen: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray | None:
    """Return pictures as the model takes images, float32 (n, C, H, W); None where they are not of its shape."""
    channels = np.moveaxis(seen, -1, 1) if seen.ndim == 4 else seen[:, None]
    return channels.astype(np.float32) / 255 if channels.shape[1:] == shape else None
