"""A sheet per class: how many particles, their average and its variance, their sizes, and who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

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
        Its particles, ascending; :func:`ordered` sorts them otherwise.
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


ORDERS = ("confidence", "outlier_score", "angle", "size", "id")
"""What particles can be sorted by, beside factors."""


def values_of(particles: Particles, name: str) -> Float[np.ndarray, " n"] | None:
    """Return a number of each particle by name: one of :data:`ORDERS` or a factor; None where it is not known."""
    predictions = particles.predictions
    match name:
        case "confidence":
            return predictions.confidence
        case "outlier_score":
            return particles.outlier_score
        case "angle":
            return np.degrees(predictions.angle)
        case "size":
            return particles.size
        case "id":
            return predictions.ids.astype(np.float64)
    return predictions.factors.get(name)


def ordered(
    ids: Int[np.ndarray, " m"], particles: Particles, by: str, *, largest_first: bool = False
) -> Int[np.ndarray, " m"]:
    """Return ids sorted by a number of :func:`values_of`; those without it come last, and equal ones by their id."""
    values = values_of(particles, by)
    ids = np.sort(ids)
    if values is None:
        return ids
    own = values[np.searchsorted(particles.ids, ids)]
    return ids[np.argsort(-own if largest_first else own, kind="stable")]


@dataclass(frozen=True)
class Histogram:
    """How a number is distributed in each class, in common bins.

    Attributes
    ----------
    name, unit : str
        What is counted.
    edges : float array (B + 1,)
        Bins.
    counts : mapping of int to int64 array (B,)
        By class.
    """

    name: str
    unit: str
    edges: np.ndarray
    counts: Mapping[int, np.ndarray]


def histogram(library: Library, particles: Particles, by: str = "size", bins: int = 30) -> Histogram | None:
    """Count the particles of each class by size, a factor or another of :func:`values_of`; None where it is not known.

    Parameters
    ----------
    library, particles : Library and Particles
        Of one run.
    by : str
        The number.
    bins : int
        Bins of equal width from the smallest to the largest number of any class.
    """
    values = values_of(particles, by)
    if values is None or not np.isfinite(values).any():
        return None
    unit = {"size": particles.size_unit or "", "angle": "degrees"}.get(by, "")
    values = values.astype(np.float64)
    edges = _edges(values[np.isfinite(values)], bins)
    counts = {
        number: np.histogram(values[(library.assigned == number) & np.isfinite(values)], edges)[0]
        for number in (*library.names, NONE)
    }
    return Histogram(by, unit, edges, counts)


def _edges(values: Float[np.ndarray, " n"], bins: int) -> Float[np.ndarray, " edges"]:
    """Return edges of bins of equal width that hold all values, however large or alike they are."""
    low, high = values.min(), values.max()
    if high / 2 - low / 2 <= bins * np.spacing(max(abs(low), abs(high))):  # halves, as the width may overflow
        pad = max(0.5, 1e-9 * max(abs(low), abs(high)))
        low, high = low - pad, high + pad
    along = np.linspace(0, 1, bins + 1)
    return (1 - along) * low + along * high
