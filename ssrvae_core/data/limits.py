"""What an image file may hold: the limits in one place, checked on what a header declares before anything is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ssrvae_core.config import UserError

MAX_VALUES = 2**28
"""Most pixel values in a data set (images x height x width x channels): 1 GiB once they are float32."""

MAX_BYTES = 2**31
"""Most bytes of one field as stored."""

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
    if any(side < 0 for side in shape):
        raise UserError(f"The field '{field}' of {path} declares the shape {tuple(shape)}, so the file is damaged.")
    values = math.prod(shape)
    if values > MAX_VALUES or values * itemsize > MAX_BYTES:
        raise UserError(
            f"The field '{field}' of {path} declares {values:,} values (shape {tuple(shape)}), more than the"
            f" {MAX_VALUES:,} that are read at once; store fewer or smaller images."
        )
