"""Where in the latent space the images of a class are."""

from __future__ import annotations

import numpy as np

from ssrvae_core.records import Predictions

PERCENTILES = (2.5, 97.5)
FEWEST = 10
"""Images of a class below which its percentiles say nothing."""
EXTENT = 2.0
"""Standard deviations of the prior to either side, where the images say nothing."""


def manifold_bounds(predictions: Predictions, k: int) -> np.ndarray:
    """Return the box that holds the middle of a class, so that pictures of its manifold show what there is.

    A class may fill a narrow band of the prior alone; what is decoded beside it has never been seen.

    Parameters
    ----------
    predictions : Predictions
        What the model says of N images with D latents.
    k : int
        The class. Its images are those predicted so, because their latents are inferred for that class.

    Returns
    -------
    float64 array (D, 2)
        The 2.5th and the 97.5th percentile of each latent mean; -2 and 2 where the class has fewer than 10 images.
        Made for ``bounds`` of :meth:`ssrvae_core.models.ssvae.SSVAE.manifold2d`.
    """
    z = predictions.z_mean[predictions.predicted == k]
    if len(z) < FEWEST:
        return np.tile([-EXTENT, EXTENT], (z.shape[1], 1))
    return np.percentile(z.astype(np.float64), PERCENTILES, axis=0).T
