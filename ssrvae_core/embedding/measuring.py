"""What is measured of an image, whatever its angle, without anything learnt: ring spectra and shape descriptors."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from jaxtyping import Bool, Float

from ssrvae_core.embedding.descriptors import DESCRIPTOR_NAMES, outlines, shape_descriptors
from ssrvae_core.embedding.rings import N_ORDERS, N_RADII, ring_spectra

MEASURED = {"rings": N_RADII * N_ORDERS, "descriptors": len(DESCRIPTOR_NAMES)}
"""How many numbers of each kind there are."""


def measure(
    images: Float[np.ndarray, "n channel height width"],
    masks: Bool[np.ndarray, "n height width"] | None = None,
    kinds: Collection[str] = tuple(MEASURED),
) -> dict[str, Float[np.ndarray, "n measured"]]:
    """Measure images.

    Parameters
    ----------
    images : float32 array (N, C, H, W)
        Intensities in [0, 1].
    masks : bool array (N, H, W), optional
        True inside the particle; by default outlines are found by a threshold.
    kinds : collection of str
        Kinds in :data:`MEASURED`; others are passed over.

    Returns
    -------
    dict of str to float32 array (N, :data:`MEASURED`)
        One for each kind that was asked for.
    """
    measured = {}
    if "rings" in kinds:
        measured["rings"] = ring_spectra(images)
    if "descriptors" in kinds:
        measured["descriptors"] = shape_descriptors(outlines(images) if masks is None else masks)
    return measured
