"""What one model says of the particles that an explorer shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.evaluation.outliers import outlier_scores
from ssrvae_core.records import PARTS, Particles, Predictions

VALIDATION = PARTS.index("validation")


@dataclass(frozen=True)
class Source:
    """One model's view of N particles, under its name.

    Attributes
    ----------
    run_id, title : str
        The run, and what the model is called.
    particles : Particles
        What it says of them.
    """

    run_id: str
    title: str
    particles: Particles

    @property
    def predictions(self) -> Predictions:
        """The model's predictions."""
        return self.particles.predictions

    @property
    def judged(self) -> tuple[float | None, int]:
        """Accuracy on the validation particles whose class is known, None where there are none; and their number."""
        p = self.predictions
        known = (self.particles.part == VALIDATION) & (p.labels >= 0)
        n = int(known.sum())
        return (float((p.predicted == p.labels)[known].mean()) if n else None), n

    def take(self, rows: np.ndarray) -> Source:
        """Return the same view of the particles in these rows."""
        return replace(self, particles=taken(self.particles, rows))


def of_validation(predictions: Predictions) -> Particles:
    """Return predictions of validation images as particles of that part, which is all that is known of them."""
    order = np.argsort(predictions.ids, kind="stable")
    sorted_ = _rows(predictions, order)
    part = np.full(len(sorted_), VALIDATION, np.int8)
    return Particles(sorted_, part, outlier_scores(sorted_).astype(np.float32))


def in_step(sources: Sequence[Source], most: int | None = None) -> list[Source]:
    """Return the sources with the particles that all of them have, row by row the same.

    Parameters
    ----------
    sources : sequence of Source
        At least one.
    most : int, optional
        How many particles at most; beyond, an even choice of them by their ids' order.

    Raises
    ------
    UserError
        If they have no particle in common.
    """
    common = sources[0].particles.ids
    for source in sources[1:]:
        common = np.intersect1d(common, source.particles.ids, assume_unique=True)
    if not len(common):
        raise UserError("The runs have no particle in common; choose runs on the same images.")
    if most is not None and len(common) > most:
        common = common[np.linspace(0, len(common) - 1, most).round().astype(np.int64)]
    return [source.take(np.searchsorted(source.particles.ids, common)) for source in sources]


def taken(particles: Particles, rows: np.ndarray) -> Particles:
    """Return what is known of the particles in these rows."""

    def some(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[rows]

    return replace(
        particles,
        predictions=_rows(particles.predictions, rows),
        part=particles.part[rows],
        outlier_score=particles.outlier_score[rows],
        groups=some(particles.groups),
        size=some(particles.size),
        names=None if particles.names is None else tuple(particles.names[row] for row in rows),
    )


def _rows(predictions: Predictions, rows: np.ndarray) -> Predictions:
    arrays = {name: values[rows] for name, values in vars(predictions).items() if isinstance(values, np.ndarray)}
    factors = {name: values[rows] for name, values in predictions.factors.items()}
    return replace(predictions, **arrays, factors=factors)
