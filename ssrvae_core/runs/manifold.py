"""The picture of what a trained model can draw, kept beside its run so that showing it needs no torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.records import Predictions
from ssrvae_core.runs import directory
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.store import Run

if TYPE_CHECKING:
    from ssrvae_core.models.ssvae import SSVAE

STEPS = 7
"""Images along either side of the kept grid."""


def decode_manifold(model: SSVAE, predictions: Predictions) -> np.ndarray:
    """Decode the latent plane of every class, where its images are.

    Parameters
    ----------
    model : SSVAE
        A trained model with K classes.
    predictions : Predictions
        What it says of its validation images.

    Returns
    -------
    uint8 array (K, d, d, C, H, W)
        The images of :meth:`ssrvae_core.models.ssvae.SSVAE.manifold2d` for each class, over its
        :func:`~ssrvae_core.evaluation.latents.manifold_bounds`; 255 is intensity 1.
    """
    from ssrvae_core.evaluation.latents import manifold_bounds

    planes = [model.manifold2d(k, STEPS, bounds=manifold_bounds(predictions, k)) for k in range(model.n_classes)]
    return np.round(255 * np.stack([plane.clamp(0, 1).cpu().numpy() for plane in planes])).astype(np.uint8)


def write_manifold(path: Path, model: SSVAE, predictions: Predictions) -> None:
    """Keep the manifold of a model in a run's directory."""
    directory.write_manifold(path, decode_manifold(model, predictions))


def manifold(run: Run, device: str = "auto") -> np.ndarray:
    """Return the manifold of a finished run; one that was trained without keeping it gets it now.

    Parameters
    ----------
    run : Run
        A finished run of K classes.
    device : str
        Where to decode what is not kept yet.

    Returns
    -------
    uint8 array (K, d, d, C, H, W)
        See :func:`decode_manifold`.

    Raises
    ------
    UserError
        If the run has not finished, or its weights cannot be read.
    """
    # It only repeats what the weights say: one that is damaged is made again.
    with suppress(UserError):
        if (kept := directory.read_manifold(run.path)) is not None:
            return kept
    images = decode_manifold(run.model(device), run.predictions())
    if not is_viewer():
        with suppress(OSError):  # a store that may only be read is shown all the same
            directory.write_manifold(run.path, images)
    return images
