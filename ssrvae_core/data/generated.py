"""What all generated data sets share: parts, random streams, and the labelled look of a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

import numpy as np

from ssrvae_core.config import DatasetConfig
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.pose import draw_poses
from ssrvae_core.data.views import view


class Stream(IntEnum):
    """Independent random streams of one seed."""

    TRAINING = 0
    VALIDATION = 1
    LABELLED = 2
    OBJECTS = 3
    RENDERING = 4


@dataclass(frozen=True)
class Drawing:
    """Images (n, C, H, W) and, where the generator knows them, masks (n, H, W)."""

    images: np.ndarray
    masks: np.ndarray | None = None


Draw = Callable[[np.ndarray, np.ndarray, Mapping[str, np.ndarray], int], Drawing]
"""(positions, labels, poses, look) -> Drawing; ``look`` is 0 for the pool and 1 for the labelled disorder."""


@dataclass(frozen=True)
class DrawnImages:
    """The images of a generated data set, which are drawn when they are taken.

    A sample is drawn alike whichever others are drawn with it. The attributes are those of an :class:`ImageSet`.

    Attributes
    ----------
    labels, ids, class_names, validation, factors
        Of all samples; factors are those of the pool.
    poses, labelled_poses : mapping of str to array (N,)
        Pose of each sample in the pool, and in the labelled part.
    draw : callable
        Draws samples in given poses, see :data:`Draw`.
    shown : str
        The view, see :func:`ssrvae_core.data.views.view`.
    """

    labels: np.ndarray
    ids: np.ndarray
    class_names: tuple[str, ...]
    validation: np.ndarray
    factors: Mapping[str, np.ndarray]
    poses: Mapping[str, np.ndarray]
    labelled_poses: Mapping[str, np.ndarray]
    draw: Draw
    shown: str = "image"

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.class_names)

    @property
    def groups(self) -> None:
        """Generated images are of no micrograph."""

    @property
    def names(self) -> None:
        """Generated images come from no file."""

    @cached_property
    def has_masks(self) -> bool:
        """Whether the generator knows the masks."""
        return self._drawn(np.arange(1), self.poses, 0).masks is not None

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.take(np.arange(1)).image_shape

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: np.ndarray) -> ImageSet:
        """Draw the samples at these positions as they are in the pool."""
        return view(self._drawn(positions, self.poses, 0), self.shown)

    def as_labelled(self, positions: np.ndarray) -> ImageSet:
        """Draw the samples at these positions as they are in the labelled part."""
        return view(self._drawn(positions, self.labelled_poses, 1), self.shown)

    def whole(self) -> ImageSet:
        """Draw all samples."""
        return replace(self.take(np.arange(len(self))), as_labelled=self.as_labelled)

    def _drawn(self, positions: np.ndarray, poses: Mapping[str, np.ndarray], look: int) -> ImageSet:
        positions = np.asarray(positions)
        chosen = {name: values[positions] for name, values in poses.items()}
        drawing = self.draw(positions, self.labels[positions], chosen, look)
        return ImageSet(
            images=drawing.images,
            labels=self.labels[positions],
            ids=self.ids[positions],
            class_names=self.class_names,
            validation=self.validation[positions],
            masks=drawing.masks,
            factors={**{name: values[positions] for name, values in self.factors.items()}, **chosen},
        )


def generate(
    config: DatasetConfig,
    class_names: tuple[str, ...],
    draw: Draw,
    factors: Mapping[str, np.ndarray] | None = None,
) -> DrawnImages:
    """Assemble a generated data set: training images first, then validation, the classes taking turns.

    Parameters
    ----------
    config : DatasetConfig
        Numbers a class, disorders and seed.
    class_names : tuple of str
        The classes.
    draw : callable
        Draws samples in given poses, see :data:`Draw`.
    factors : mapping of str to float array (N,), optional
        Factors of the objects themselves, beside those of the pose.

    Returns
    -------
    DrawnImages
        The labelled poses of all samples are drawn in advance, so a sample looks the same in every labelled subset.
    """
    n_training, labels = pool_labels(config, len(class_names))
    n = len(labels)
    training = draw_poses(config.unlabelled, n_training, config.size, stream(config, Stream.TRAINING))
    validation = draw_poses(config.unlabelled, n - n_training, config.size, stream(config, Stream.VALIDATION))
    return DrawnImages(
        labels=labels,
        ids=np.arange(n),
        class_names=class_names,
        validation=np.arange(n) >= n_training,
        factors={name: np.asarray(values, dtype=np.float32) for name, values in (factors or {}).items()},
        poses={name: np.concatenate([training[name], validation[name]]) for name in training},
        labelled_poses=draw_poses(config.labelled, n, config.size, stream(config, Stream.LABELLED)),
        draw=draw,
        shown=config.view,
    )


def pool_labels(config: DatasetConfig, n_classes: int) -> tuple[int, np.ndarray]:
    """Return the number of training images, and the labels int64 (N,) of all images."""
    labels = np.tile(np.arange(n_classes), config.train_per_class + config.validation_per_class)
    return n_classes * config.train_per_class, labels


def stream(config: DatasetConfig, which: Stream, *more: int) -> np.random.Generator:
    """Return the generator of one random stream of the data set's seed."""
    return np.random.default_rng([config.seed, which, *more])
