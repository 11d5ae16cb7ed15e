"""Ring spectra: how strongly the rings around the centre vary with the angle. A rotation changes phases only."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from ssrvae_core import geometry

FLOOR = 1e-2
"""Amplitude, in units of the full range of intensities, below which all are nearly alike."""

N_RADII, N_ORDERS = 16, 7
"""Rings, and the frequencies on each, from 0 (the ring's mean) up."""

BATCH = 500
"""Images sampled at a time."""


@torch.no_grad()
def ring_spectra(
    images: Float[np.ndarray, "n channel height width"],
    n_radii: int = N_RADII,
    n_orders: int = N_ORDERS,
    n_angles: int = 64,
    centre: bool = True,
) -> Float[np.ndarray, "n features"]:
    """Return the logarithm of each ring's amplitude at the lowest angular frequencies.

    Parameters
    ----------
    images : float array (N, C, H, W)
        Intensities in [0, 1]; the power of the channels is averaged.
    n_radii, n_angles : int
        Rings and directions of the polar grid over the inscribed disc.
    n_orders : int
        Frequencies, from 0 (the ring's mean) up; at most ``n_angles // 2 + 1``.
    centre : bool
        Bring the intensity centroid to the centre first.

    Returns
    -------
    float32 array (N, n_radii * n_orders)
        All orders of the innermost ring first. They do not change when the image turns, up to interpolation.
    """
    if not len(images):
        return np.zeros((0, n_radii * n_orders), dtype=np.float32)
    grid = geometry.PolarGrid.build(min(images.shape[2:]) / 2, n_radii, n_angles)
    points, identity = grid.points(), torch.eye(2)
    spectra = []
    for batch in torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)).split(BATCH):
        offset = geometry.centroid(batch) if centre else batch.new_zeros(len(batch), 2)
        places = geometry.transform(points, identity.expand(len(batch), 2, 2), offset)
        waves = torch.fft.rfft(geometry.sample(batch, places), norm="forward")[..., :n_orders]
        amplitude = waves.abs().square().mean(dim=1).sqrt()
        spectra.append((amplitude + FLOOR).log().flatten(1))
    return torch.cat(spectra).numpy()
