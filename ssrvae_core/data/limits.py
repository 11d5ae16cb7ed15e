"""What an image file may hold: the limits in one place, checked on what a header declares before anything is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ssrvae_core.config import UserError

MAX_VALUES = 2**28
"""Most pixel values that are held (images x height x width x channels): 1 GiB once they are float32."""

MAX_BYTES = 2**31
"""Most bytes that one field may have, as stored, to be read at once."""

MAX_IMAGES = 2**24
"""Most images of a file that is read some at a time."""

MIN_SIDE = 8
"""Smallest side of an image, pixels; the same as of the generated images."""

MAX_NAME = 100
"""Most characters of a class's or a factor's name."""


def check_declared(path: Path, field: str, shape: Sequence[int], itemsize: int = 1) -> None:
    """Refuse an array that is larger than the limits, judged by its declared shape alone.

    Raises
    ------
    UserError
        If the shape is not a shape, or too large.
    """
    _check_sides(path, field, shape)
    values = math.prod(shape)
    if values <= MAX_VALUES and is_large(shape, itemsize):
        raise UserError(
            f"The field '{field}' of {path} declares {values * itemsize:,} bytes (shape {tuple(shape)}), more than the"
            f" {MAX_BYTES:,} that are read at once; store smaller numbers or shorter texts, or fewer of them."
        )
    if values > MAX_VALUES:
        raise UserError(
            f"The field '{field}' of {path} declares {values:,} values (shape {tuple(shape)}), more than the"
            f" {MAX_VALUES:,} that are read at once; store fewer or smaller images."
        )


def is_large(shape: Sequence[int], itemsize: int) -> bool:
    """Whether an array is larger than what is read at once."""
    return math.prod(shape) > MAX_VALUES or math.prod(shape) * itemsize > MAX_BYTES


def check_rows(path: Path, field: str, shape: Sequence[int]) -> None:
    """Refuse an array that is read some rows at a time, by its declared shape alone.

    Raises
    ------
    UserError
        If the shape is not a shape, or has too many rows, or a row is too large.
    """
    _check_sides(path, field, shape)
    check_declared(path, field, shape[1:], 8)
    if shape[0] > MAX_IMAGES:
        raise UserError(
            f"The field '{field}' of {path} declares {shape[0]:,} images, more than the {MAX_IMAGES:,} that are taken;"
            " store fewer in a file."
        )


def _check_sides(path: Path, field: str, shape: Sequence[int]) -> None:
    if any(side < 0 for side in shape):
        raise UserError(f"The field '{field}' of {path} declares the shape {tuple(shape)}, so the file is damaged.")
