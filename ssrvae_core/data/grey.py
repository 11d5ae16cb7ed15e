"""Grey levels: which become black and white, whatever type the numbers have, and images brought onto that scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ssrvae_core.data.stored import Array, StoredArray, blocks, ends

DEPTHS = (1, 8, 10, 12, 14, 16)
"""Bits of a grey level: a silhouette's, a picture's, and those of cameras."""

TAIL = 0.005
"""Largest share of the values, at either end, that can be set apart from all others."""

SPECK = 4
"""Most connected pixels of a hot pixel or a cosmic ray; what is larger is an object. Where most images have one, as a
detector's hot pixel gives, only a single pixel counts: a spot in every image is an object, too."""

SAMPLED = 2**20
"""Values from which the bulk of a large set is judged; its ends are looked for in all of them."""


@dataclass(frozen=True)
class Scale:
    """The grey levels of an image file.

    Attributes
    ----------
    black, white : float
        What becomes 0 and 1.
    told_by_type : bool
        Whether the type of the numbers says so already, so that every file of this type has the same scale.
    clipped : int
        Values beyond that were set apart from all others, as hot and dead pixels are; they become 0 or 1.
    """

    black: float
    white: float
    told_by_type: bool
    clipped: int = 0

    @property
    def needed(self) -> tuple[float, float] | None:
        """The grey levels a run has to record, None where the type of the numbers tells them."""
        return None if self.told_by_type else (self.black, self.white)


def scale_of(images: Array) -> Scale:
    """Find the grey levels of black and white.

    Parameters
    ----------
    images : array or StoredArray (N, H, W) or (N, H, W, C)
        bool, integers or finite floats.

    Returns
    -------
    Scale
        bool, uint8 and floats within [0, 1] have the scale of their type. Unsigned integers of 8 and 16 bits with
        room to spare, such as a 12-bit camera's or a silhouette's zeros and ones, go from 0 to the white of the fewest
        bits that hold them, see :data:`DEPTHS`. Everything else goes from its smallest to its largest value. Single
        values set apart from all others (see :func:`_ends`) do not count.
    """
    kind, size = images.dtype.kind, images.dtype.itemsize
    if kind == "b":
        return Scale(0.0, 1.0, told_by_type=True)
    if kind == "u" and size == 1:
        depth = 1 if ends(images)[1] <= 1 else 8
        return Scale(0.0, float(2**depth - 1), told_by_type=depth == 8)
    low, high, clipped = _ends(images)
    if kind == "u" and size == 2:
        white = 2 ** next(bits for bits in DEPTHS if high < 2**bits) - 1
        beyond = _count(images, lambda values: values > white) if clipped else 0
        return Scale(0.0, float(white), told_by_type=white == np.iinfo(np.uint16).max, clipped=beyond)
    if kind == "f" and low >= 0 and high <= 1:
        outside = _count(images, lambda values: (values < 0) | (values > 1)) if clipped else 0
        return Scale(0.0, 1.0, told_by_type=not outside, clipped=outside)
    return Scale(low, high, told_by_type=False, clipped=clipped)


def whole_range(dtype: np.dtype) -> tuple[float, float] | None:
    """Return the grey levels of black and white that a type alone tells: of uint8 and uint16, None of others."""
    return (0.0, float(np.iinfo(dtype).max)) if dtype.kind == "u" and dtype.itemsize <= 2 else None


def scaled(images: np.ndarray, black: float, white: float) -> np.ndarray:
    """Bring images (N, H, W, C) onto a scale.

    Returns
    -------
    float32 array (N, C, H, W)
        ``black`` is 0 and ``white`` is 1; levels beyond are clipped. No more than the result and a few images are in
        memory beside the images themselves.
    """
    n, height, width, channels = images.shape
    out = np.empty((n, channels, height, width), dtype=np.float32)
    wide = images.dtype.itemsize > (4 if images.dtype.kind == "f" else 2)
    for rows in blocks(images):
        values = np.subtract(images[rows], black, dtype=np.float64 if wide else np.float32)
        np.divide(values, white - black, out=values)
        out[rows] = np.clip(values, 0, 1, out=values).transpose(0, 3, 1, 2)
    return out


def _ends(images: Array) -> tuple[float, float, int]:
    """Return the smallest and the largest value, and how many values beyond were passed over.

    A value is set apart where the gap to all others is wider than all of them together, where at most :data:`TAIL` of
    the values lie beyond, and where these are specks in their images and no objects.
    """
    bulk = _sampled(images).astype(np.float64)
    dark, bright = np.quantile(bulk, [TAIL, 1 - TAIL])
    low, below = _end(images, dark, bright, sign=-1)
    high, above = _end(images, dark, bright, sign=1)
    return low, high, below + above


def _end(images: Array, dark: float, bright: float, sign: int) -> tuple[float, int]:
    """Return one end of the values, and how many beyond it were passed over; ``sign`` is 1 for the upper end."""
    edge, start = (bright, dark) if sign > 0 else (dark, bright)
    end = ends(images)[1 if sign > 0 else 0]
    if abs(end - edge) <= abs(edge - start) or edge == start:
        return end, 0
    beyond = np.concatenate([_beyond(images[rows], edge, sign) for rows in blocks(images)])
    steps = np.concatenate([[edge], np.sort(beyond) if sign > 0 else -np.sort(-beyond)])
    apart = np.abs(np.diff(steps)) > np.abs(steps[:-1] - start)
    if not apart.any():
        return end, 0
    last = steps[int(apart.argmax())]
    count = len(beyond) - int(apart.argmax())
    if count > TAIL * images.size or not _specks(images, last, sign, count):
        return end, 0
    return float(last), count


def _sampled(images: Array) -> np.ndarray:
    """Return about :data:`SAMPLED` values, from all over the images; of a file, those of whole images."""
    if isinstance(images, StoredArray):
        n = max(1, SAMPLED * len(images) // images.size)
        return images[np.linspace(0, len(images) - 1, n).astype(np.int64)].reshape(-1)
    flat = images.reshape(-1)
    return flat[:: max(1, flat.size // SAMPLED)]


def _count(images: Array, condition: Callable[[np.ndarray], np.ndarray]) -> int:
    """Return of how many values a condition is true."""
    return sum(int(condition(images[rows]).sum()) for rows in blocks(images))


def _beyond(values: np.ndarray, edge: float, sign: int) -> np.ndarray:
    """Return the values on the far side of an edge, float64."""
    return values[values > edge if sign > 0 else values < edge].astype(np.float64)


def _specks(images: Array, last: float, sign: int, count: int) -> bool:
    """Whether most of the values beyond ``last`` are in groups of a few connected pixels."""
    from scipy import ndimage

    largest = SPECK if 2 * sum(bool(_far(image, last, sign).any()) for image in images) <= len(images) else 1
    in_specks = 0
    for image in images:
        far = _far(image, last, sign)
        if not far.any():
            continue
        groups, n_groups = ndimage.label(far.any(axis=-1) if far.ndim == 3 else far, structure=np.ones((3, 3)))
        sizes = np.bincount(groups.ravel(), minlength=n_groups + 1)
        small = sizes <= largest
        small[0] = False
        in_specks += int(far[small[groups]].sum())
    return 2 * in_specks >= count


def _far(image: np.ndarray, last: float, sign: int) -> np.ndarray:
    """Where an image lies beyond a value."""
    return np.asarray(image > last if sign > 0 else image < last)
