"""The images of a run's particles, by sample id, as the run saw them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float, Int

from ssrvae_core.config import UserError
from ssrvae_core.data.dataset import UNLABELLED
from ssrvae_core.library.centres import TRIED, intensity_centroid, intensity_is_better, mask_centroid
from ssrvae_core.library.upright import upright
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.runs.data_files import images_in_batches, load_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssrvae_core.config import DatasetConfig
    from ssrvae_core.data import Images, ImageSet
    from ssrvae_core.runs.store import Run


class Pixels(Protocol):
    """Images that some can be taken of, such as an :class:`ssrvae_core.data.ImageSet`."""

    @property
    def ids(self) -> np.ndarray:
        """Sample ids (N,)."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Where each comes from."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""

    def take(self, positions: np.ndarray) -> ImageSet:
        """Return those at these positions."""

    def __len__(self) -> int:
        """How many there are."""


@dataclass(frozen=True)
class Reordered:
    """The images of a file in another order, with what training saw of their labels.

    Attributes
    ----------
    images : Images
        Those of the file.
    order : int array (N,)
        Position in the file of each.
    hidden, held_out : bool array (N,)
        Whose labels training did not see, and which were held out.
    """

    images: Images
    order: np.ndarray
    hidden: np.ndarray
    held_out: np.ndarray

    @cached_property
    def ids(self) -> np.ndarray:
        """Sample ids (N,)."""
        return self.images.ids[self.order]

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """Where each comes from."""
        names = self.images.names
        return None if names is None else tuple(names[i] for i in self.order)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) in the run's view."""
        return self.images.image_shape

    def __len__(self) -> int:
        return len(self.order)

    def take(self, positions: np.ndarray) -> ImageSet:
        """Return those at these positions, labels that were hidden from training as -1."""
        some = self.images.take(self.order[positions])
        labels = np.where(self.hidden[positions], UNLABELLED, some.labels)
        return replace(some, labels=labels, validation=self.held_out[positions])


@dataclass(frozen=True)
class Crops:
    """All images of a run, and how to turn them.

    Attributes
    ----------
    images : Pixels
        In ascending order of the ids: row ``i`` is that of the particles. Labels that were hidden from training are -1.
    angle : float32 array (N,)
        Inferred angle of each, radians; NaN without rotation.
    frame : int64 array (N,)
        The model's class of each: what is upright is the same within a class.
    centre : bool
        Whether the run's model brings the centroid of each image to its centre.
    """

    images: Pixels
    angle: np.ndarray
    frame: np.ndarray
    centre: bool

    def rows(self, rows: Int[np.ndarray, " m"], *, turned: bool = False) -> Float[np.ndarray, "m channel height width"]:
        """Return images at these positions, as seen or upright."""
        chosen = self.images.take(rows)
        return upright(chosen.images, self.angle[rows], self._middle(chosen)) if turned else chosen.images

    def _middle(self, chosen: ImageSet) -> Float[np.ndarray, "m 2"]:
        """Return where the particle is in each of these images, pixels right and up from the centre."""
        if chosen.masks is not None:
            return mask_centroid(chosen.masks)
        return intensity_centroid(chosen.images) if self._by_intensity else np.zeros((len(chosen), 2), np.float32)

    @cached_property
    def _by_intensity(self) -> bool:
        """Whether images without masks are centred by their grey levels, found once."""
        some = np.unique(np.linspace(0, len(self.images) - 1, TRIED).astype(np.int64))
        return intensity_is_better(self.images.take(some).images, self.angle[some], self.frame[some], usual=self.centre)


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
    images: Pixels
    if load is None and run.config.dataset.path is not None:
        images = _stored(run, particles)
    else:
        found = load_images(run.config.dataset, run.path.parent) if load is None else load(run.dataset)
        images = _as_trained(found, run, particles)
    if not np.array_equal(images.ids, particles.ids):
        raise UserError(
            f"The images of run {run.id} are not those that it classified; restore its file, or have it classify all"
            f" its images again, with 'predict {run.id} --all'."
        )
    predictions = particles.predictions
    return Crops(images, predictions.angle, predictions.predicted, run.config.model.centre)


def _stored(run: Run, particles: Particles) -> Reordered:
    """Return the images of a run's file in ascending order of the ids."""
    images = images_in_batches(run.config.dataset, run.path.parent)
    order = np.argsort(images.ids, kind="stable")
    if len(order) != len(particles):
        nothing = np.zeros(len(order), dtype=bool)  # these are not the run's images, which is said by who asked
        return Reordered(images, order, nothing, nothing)
    hidden, held_out = (particles.part == PARTS.index(part) for part in ("unlabelled", "validation"))
    return Reordered(images, order, hidden, held_out)


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
