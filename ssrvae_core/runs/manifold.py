"""The picture of what a trained model can draw, kept beside its run so that showing it needs no torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.store import Run

if TYPE_CHECKING:
    from ssrvae_core.models.ssvae import SSVAE

STEPS = 7
"""Images along either side of the kept grid."""


def decode_manifold(model: SSVAE) -> np.ndarray:
    """Decode the latent plane of every class.

    Parameters
    ----------
    model : SSVAE
        A trained model with K classes.

    Returns
    -------
    uint8 array (K, d, d, C, H, W)
        The images of :meth:`ssrvae_core.models.ssvae.SSVAE.manifold2d` for each class; 255 is intensity 1.
    """
    planes = [model.manifold2d(label, d=STEPS).clamp(0, 1).cpu().numpy() for label in range(model.n_classes)]
    return np.round(255 * np.stack(planes)).astype(np.uint8)


def write_manifold(path: Path, model: SSVAE) -> None:
    """Keep the manifold of a model in a run's directory."""
    directory.write_manifold(path, decode_manifold(model))


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
    images = decode_manifold(run.model(device))
    with suppress(OSError):  # a store that may only be read is shown all the same
        directory.write_manifold(run.path, images)
    return images
