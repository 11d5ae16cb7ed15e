"""A sheet per class: how many particles, who they are, their average and its variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from ssrvae_core.library.crops import Crops
from ssrvae_core.library.state import NONE, Library
from ssrvae_core.library.upright import batches
from ssrvae_core.records import Particles


@dataclass(frozen=True)
class Sheet:
    """A class of a library.

    Attributes
    ----------
    number : int
        The class, -1 for none of these.
    name : str
        Its name.
    ids : int64 array (M,)
        Its particles, ascending.
    mean, variance : float32 array (C, H, W) or None
        Of the upright crops, pixel by pixel; None where the class is empty or the images were not looked at. Particles
        whose angle is of another class's frame are left out, see :func:`sheets`.
    averaged : int
        Particles that the average is of.
    """

    number: int
    name: str
    ids: np.ndarray
    mean: np.ndarray | None = None
    variance: np.ndarray | None = None
    averaged: int = 0

    @property
    def count(self) -> int:
        """Particles in the class."""
        return len(self.ids)


def sheets(library: Library, particles: Particles, crops: Crops | None = None) -> tuple[Sheet, ...]:
    """Return the sheet of every class, and last that of none of these where particles are in it.

    An angle is inferred with the model's class, and what is upright is said by that class's drawing alone. So a class
    is averaged over those of its particles that the model puts into one of its own classes: the one that most of them
    are of.

    Parameters
    ----------
    library, particles : Library and Particles
        Of one run.
    crops : Crops, optional
        The images; without them there are no averages. They are looked at once, a few at a time.
    """
    numbers = [*library.names, *([NONE] if (library.assigned == NONE).any() else [])]
    predicted = particles.predictions.predicted
    found = []
    for number in numbers:
        rows = np.flatnonzero(library.assigned == number)
        name = library.names.get(number, "none of these")
        sheet = Sheet(number, name, library.base.ids[rows])
        if crops is not None and len(rows) and number != NONE:
            frame = np.bincount(predicted[rows]).argmax()
            rows = rows[predicted[rows] == frame]
            mean, variance = _moments(crops, rows)
            sheet = Sheet(number, name, sheet.ids, mean, variance, len(rows))
        found.append(sheet)
    return tuple(found)


def _moments(crops: Crops, rows: Int[np.ndarray, " m"]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of upright crops, batch by batch (Chan, Golub and LeVeque 1983)."""
    shape = crops.images.image_shape
    mean, squares, n = np.zeros(shape), np.zeros(shape), 0
    for part in batches(len(rows)):
        images = crops.rows(rows[part], turned=True).astype(np.float64)
        m, middle = len(images), images.mean(axis=0)
        step = middle - mean
        squares += ((images - middle) ** 2).sum(axis=0) + step**2 * (n * m / (n + m))
        mean += step * (m / (n + m))
        n += m
    return mean.astype(np.float32), (squares / n).astype(np.float32)
