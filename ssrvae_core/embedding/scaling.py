"""Measured numbers brought to one scale: mean 0 and standard deviation 1 over the images they were fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

REDUCED = ("pooled", "rings")
"""Blocks of many numbers that say much the same; their principal components are taken."""

SMALLEST_SD = 1e-6
"""A feature that varies less is constant, and becomes 0."""

WIDEST = 10.0
"""Standard deviations beyond which a feature is cut off: a failed outline must not outweigh all else."""


@dataclass(frozen=True)
class Scaling:
    """What brings features to mean 0 and standard deviation 1."""

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def fit(cls, values: Float[np.ndarray, "n features"]) -> Scaling:
        """Take mean and standard deviation of all images."""
        return cls(values.mean(axis=0), values.std(axis=0))

    def __call__(self, values: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n features"]:
        """Return scaled features; those that were constant are 0."""
        varies = self.sd > SMALLEST_SD
        return np.where(varies, (values - self.mean) / np.where(varies, self.sd, 1), 0).clip(-WIDEST, WIDEST)


@dataclass(frozen=True)
class Block:
    """One kind of features, as it was fitted.

    Attributes
    ----------
    name : str
        A name in :class:`ssrvae_core.config.EmbeddingConfig`.
    before : Scaling
        Of the numbers as they were measured.
    axes : float array (measured, features), optional
        Principal components, where they are taken.
    after : Scaling
        Of the features.
    """

    name: str
    before: Scaling
    axes: np.ndarray | None
    after: Scaling

    @classmethod
    def fit(cls, name: str, values: Float[np.ndarray, "n measured"], components: int) -> Block:
        """Fit to what was measured of all images."""
        values = values.astype(np.float64)
        before = Scaling.fit(values)
        scaled = before(values)
        axes = _principal_axes(scaled, components) if name in REDUCED else None
        return cls(name, before, axes, Scaling.fit(scaled if axes is None else scaled @ axes))

    def __call__(self, values: Float[np.ndarray, "n measured"]) -> Float[np.ndarray, "n features"]:
        """Return the features of images, fitted or new."""
        scaled = self.before(values.astype(np.float64))
        return self.after(scaled if self.axes is None else scaled @ self.axes)


def _principal_axes(values: Float[np.ndarray, "n measured"], components: int) -> Float[np.ndarray, "measured axes"]:
    """Return the directions of largest variance, each with a sign of its own making: its largest entry is positive."""
    _, vectors = np.linalg.eigh(values.T @ values)
    axes = vectors[:, ::-1][:, : min(components, len(values))]
    largest = np.abs(axes).argmax(axis=0)
    return axes * np.sign(axes[largest, np.arange(axes.shape[1])])
