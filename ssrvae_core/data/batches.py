"""Images that are taken some at a time, so that a data set need not fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.views import check_masks, view

if TYPE_CHECKING:
    from ssrvae_core.data.readers import ImageFile


class Images(Protocol):
    """Images that some can be taken of; an :class:`ImageSet` is one.

    What is said of the images is that of an :class:`ImageSet`, and is in memory whole.
    """

    @property
    def labels(self) -> np.ndarray:
        """Class index of each, int64 (N,), -1 where unlabelled."""

    @property
    def ids(self) -> np.ndarray:
        """Sample ids, int64 (N,)."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class."""

    @property
    def groups(self) -> np.ndarray | None:
        """Index of the micrograph of each, int64 (N,)."""

    @property
    def validation(self) -> np.ndarray | None:
        """Which the data set itself holds out, bool (N,)."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Where each comes from."""

    @property
    def as_labelled(self) -> Callable[[np.ndarray], ImageSet] | None:
        """How samples look in the labelled part, None where they look the same in every part."""

    @property
    def n_classes(self) -> int:
        """Number of classes K."""

    @property
    def has_masks(self) -> bool:
        """Whether there are masks."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""

    def take(self, positions: np.ndarray) -> ImageSet:
        """Return those at these positions."""

    def __len__(self) -> int:
        """How many there are."""


@dataclass(frozen=True)
class FileImages:
    """The images of a file as they are stored: only those that are taken become float32, in a view.

    Twenty thousand of 48 x 48 pixels are 46 MB as bytes, and four times as many as floats. More than
    :data:`ssrvae_core.data.limits.MAX_VALUES` values are not held at all, but read when they are taken.

    Attributes
    ----------
    file : ImageFile
        The file.
    shown : str
        The view, see :func:`ssrvae_core.data.views.view`.
    intensity : (float, float), optional
        Grey levels that become 0 and 1, see :func:`ssrvae_core.data.fields.image_set`.
    names : tuple of str, optional
        Where each comes from; by default what the file says.

    Raises
    ------
    UserError
        If the images cannot be used, on these grey levels or in this view.
    """

    file: ImageFile
    shown: str
    intensity: tuple[float, float] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.shown != "image":
            check_masks(self.file.annotations.masks, self.shown)
        if self.names is None:
            object.__setattr__(self, "names", self.file.annotations.names)
        self._levels  # noqa: B018 - what is wrong with them is said before anything is taken

    @cached_property
    def _levels(self) -> tuple[float, float]:
        return self.file.levels(self.intensity)

    @property
    def labels(self) -> np.ndarray:
        """Class index of each, -1 where unlabelled."""
        return self.file.annotations.labels

    @property
    def ids(self) -> np.ndarray:
        """Sample ids (N,)."""
        return self.file.annotations.ids

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class."""
        return self.file.annotations.class_names

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.class_names)

    @property
    def groups(self) -> np.ndarray | None:
        """Index of the micrograph of each."""
        return self.file.annotations.groups

    @property
    def validation(self) -> np.ndarray | None:
        """Which the file itself holds out."""
        return self.file.annotations.validation

    @property
    def as_labelled(self) -> None:
        """They look the same in every part."""

    @property
    def has_masks(self) -> bool:
        """Whether the file has masks."""
        return self.file.annotations.masks is not None

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) in the view."""
        return self.take(np.arange(1)).image_shape

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: np.ndarray) -> ImageSet:
        """Return those at these positions."""
        return view(self.file.some(positions, self._levels, self.names), self.shown)


def whole(images: Images) -> ImageSet:
    """Return all images at once."""
    return images if isinstance(images, ImageSet) else images.take(np.arange(len(images)))
