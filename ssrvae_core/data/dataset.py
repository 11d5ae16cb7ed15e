"""Images with labels, ground-truth factors and stable ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

UNLABELLED = -1


@dataclass(frozen=True)
class ImageSet:
    """A set of images; row ``i`` of every array belongs to the sample ``ids[i]``.

    Attributes
    ----------
    images : float32 array (N, C, H, W)
        Intensities in [0, 1].
    labels : int64 array (N,)
        Class index, -1 where unlabelled.
    ids : int64 array (N,)
        Stable, unique sample ids; they survive every split and selection.
    class_names : tuple of str
        Name of class ``k`` at position ``k``.
    groups : int64 array (N,), optional
        Index of the micrograph an image comes from.
    group_names : tuple of str, optional
        Name of group ``g`` at position ``g``.
    validation : bool array (N,), optional
        True where the data set itself holds an image out for validation.
    masks : bool array (N, H, W), optional
        True inside the object.
    factors : mapping of str to float32 array (N,)
        Known factors of variation. ``angle`` is in radians, counter-clockwise on the screen; ``shift_x`` (right) and
        ``shift_y`` (up) in pixels; ``shear_x``, ``shear_y`` in radians; ``scale`` has no unit.
    names : tuple of str, optional
        Where a sample comes from, such as a file name.
    pixel_size : float64 array (N, 2), optional
        Height and width of a pixel in nanometres, NaN where it is not known.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    class_names: tuple[str, ...]
    groups: np.ndarray | None = None
    validation: np.ndarray | None = None
    masks: np.ndarray | None = None
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    group_names: tuple[str, ...] | None = None
    pixel_size: np.ndarray | None = None
    as_labelled: Callable[[np.ndarray], ImageSet] | None = None
    """How samples (by position) look when they are in the labelled part: drawn with its weaker disorder.

    None where a sample looks the same in either part, as in a file."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    @property
    def has_masks(self) -> bool:
        """Whether there are masks."""
        return self.masks is not None

    def take(self, positions: np.ndarray) -> Self:
        """Return the samples at these row positions, every array in step."""

        def rows(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[positions]

        return replace(
            self,
            images=self.images[positions],
            labels=self.labels[positions],
            ids=self.ids[positions],
            groups=rows(self.groups),
            validation=rows(self.validation),
            masks=rows(self.masks),
            pixel_size=rows(self.pixel_size),
            factors={name: values[positions] for name, values in self.factors.items()},
            names=None if self.names is None else tuple(self.names[i] for i in positions),
            as_labelled=None,
        )

    def without_labels(self) -> Self:
        """Return the same samples with every label hidden."""
        return replace(self, labels=np.full_like(self.labels, UNLABELLED))


@dataclass(frozen=True)
class Split:
    """The three parts of a run's data.

    Attributes
    ----------
    labelled : ImageSet
        Training images whose labels the model sees.
    unlabelled : ImageSet
        Training images whose labels, if any are known, are hidden: its ``labels`` are all -1.
    validation : ImageSet
        Images the model never sees while training; their labels choose nothing.
    hidden_labels : int64 array (len(unlabelled),)
        The labels hidden from training, -1 where there never was one. For figures only.
    """

    labelled: ImageSet
    unlabelled: ImageSet
    validation: ImageSet
    hidden_labels: np.ndarray
