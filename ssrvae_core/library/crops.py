"""The images of a run's particles, by sample id, as the run saw them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from ssrvae_core.config import UserError
from ssrvae_core.data.dataset import UNLABELLED
from ssrvae_core.library.centres import TRIED, intensity_centroid, intensity_is_better, mask_centroid
from ssrvae_core.library.upright import upright
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.runs.data_files import load_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssrvae_core.config import DatasetConfig
    from ssrvae_core.data import ImageSet
    from ssrvae_core.runs.store import Run


@dataclass(frozen=True)
class Crops:
    """All images of a run, and how to turn them.

    Attributes
    ----------
    images : ImageSet
        In ascending order of the ids: row ``i`` is that of the particles. Labels that were hidden from training are -1.
    angle : float32 array (N,)
        Inferred angle of each, radians; NaN without rotation.
    frame : int64 array (N,)
        The model's class of each: what is upright is the same within a class.
    centre : bool
        Whether the run's model brings the centroid of each image to its centre.
    """

    images: ImageSet
    angle: np.ndarray
    frame: np.ndarray
    centre: bool

    def rows(self, rows: Int[np.ndarray, " m"], *, turned: bool = False) -> Float[np.ndarray, "m channel height width"]:
        """Return images at these positions, as seen or upright."""
        chosen = self.images.images[rows]
        return upright(chosen, self.angle[rows], self._middle(chosen, rows)) if turned else chosen

    def _middle(
        self, chosen: Float[np.ndarray, "m channel height width"], rows: Int[np.ndarray, " m"]
    ) -> Float[np.ndarray, "m 2"]:
        """Return where the particle is in each of these images, pixels right and up from the centre."""
        if self.images.masks is not None:
            return mask_centroid(self.images.masks[rows])
        return intensity_centroid(chosen) if self._by_intensity else np.zeros((len(chosen), 2), dtype=np.float32)

    @cached_property
    def _by_intensity(self) -> bool:
        """Whether images without masks are centred by their grey levels, found once."""
        some = np.unique(np.linspace(0, len(self.images) - 1, TRIED).astype(np.int64))
        return intensity_is_better(self.images.images[some], self.angle[some], self.frame[some], usual=self.centre)


def crops(run: Run, particles: Particles, load: Callable[[DatasetConfig], ImageSet] | None = None) -> Crops:
    """Load the images of a run.

    Parameters
    ----------
    run : Run
        Finished.
    particles : Particles
        What it says of all its images.
    load : callable, optional
        Gives the images of a data set that can be read here, such as one that keeps them; by default they are read from
        wherever the run's file is.

    Raises
    ------
    UserError
        If the file is not here, or does not hold the run's particles any more.
    """
    found = load_images(run.config.dataset, run.path.parent) if load is None else load(run.dataset)
    images = _as_trained(found, run, particles)
    if not np.array_equal(images.ids, particles.ids):
        raise UserError(
            f"The images of run {run.id} are not those that it classified; restore its file, or have it classify all"
            f" its images again, with 'predict {run.id} --all'."
        )
    predictions = particles.predictions
    return Crops(images, predictions.angle, predictions.predicted, run.config.model.centre)


def _as_trained(found: ImageSet, run: Run, particles: Particles) -> ImageSet:
    """Return images in ascending order of the ids, each as the run saw it, with the labels that it was given."""
    from ssrvae_core.data import split
    from ssrvae_core.data.writing import joined

    if found.as_labelled is not None:  # drawn otherwise among the labelled
        return joined(split(found, run.config.split))
    if (found.ids[1:] <= found.ids[:-1]).any():  # a difference of 64 bits may not fit into 64 bits
        found = found.take(np.argsort(found.ids))
    if len(found) != len(particles):
        return found
    hidden = particles.part == PARTS.index("unlabelled")
    held_out = particles.part == PARTS.index("validation")
    return replace(found, labels=np.where(hidden, UNLABELLED, found.labels), validation=held_out)
