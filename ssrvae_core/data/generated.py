"""What all generated data sets share: parts, random streams, and the labelled look of a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from ssrvae_core.config import DatasetConfig
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.pose import draw_poses


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


def generate(
    config: DatasetConfig,
    class_names: tuple[str, ...],
    draw: Draw,
    factors: Mapping[str, np.ndarray] | None = None,
) -> ImageSet:
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
    ImageSet
        With ``validation`` and ``as_labelled`` set. The labelled poses of all samples are drawn in advance, so a
        sample looks the same in every labelled subset.
    """
    n_training, labels = pool_labels(config, len(class_names))
    n = len(labels)
    training = draw_poses(config.unlabelled, n_training, config.size, stream(config, Stream.TRAINING))
    validation = draw_poses(config.unlabelled, n - n_training, config.size, stream(config, Stream.VALIDATION))
    poses = {name: np.concatenate([training[name], validation[name]]) for name in training}
    labelled_poses = draw_poses(config.labelled, n, config.size, stream(config, Stream.LABELLED))
    of_objects = {name: np.asarray(values, dtype=np.float32) for name, values in (factors or {}).items()}
    drawing = draw(np.arange(n), labels, poses, 0)
    pool = ImageSet(
        images=drawing.images,
        labels=labels,
        ids=np.arange(n),
        class_names=class_names,
        validation=np.arange(n) >= n_training,
        masks=drawing.masks,
        factors={**of_objects, **poses},
    )

    def as_labelled(positions: np.ndarray) -> ImageSet:
        positions = np.asarray(positions)
        chosen = {name: values[positions] for name, values in labelled_poses.items()}
        drawing = draw(positions, labels[positions], chosen, 1)
        samples = pool.take(positions)
        return replace(samples, images=drawing.images, masks=drawing.masks, factors={**samples.factors, **chosen})

    return replace(pool, as_labelled=as_labelled)


def pool_labels(config: DatasetConfig, n_classes: int) -> tuple[int, np.ndarray]:
    """Return the number of training images, and the labels int64 (N,) of all images."""
    labels = np.tile(np.arange(n_classes), config.train_per_class + config.validation_per_class)
    return n_classes * config.train_per_class, labels


def stream(config: DatasetConfig, which: Stream, *more: int) -> np.random.Generator:
    """Return the generator of one random stream of the data set's seed."""
    return np.random.default_rng([config.seed, which, *more])
