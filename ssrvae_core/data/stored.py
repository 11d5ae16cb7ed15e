"""Arrays of a file that are too large to be read at once, and what is asked of them a few rows at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError

BLOCK = 2**22
"""Values that are looked at or converted at a time."""

GAP = 64
"""Rows between two that are asked for, up to which one reading brings both, if they are in one block."""


@dataclass(frozen=True)
class StoredArray:
    """An array in a file; rows are read when they are asked for, and none is kept.

    Attributes
    ----------
    shape : tuple of int
        Its shape; the first axis counts the rows.
    dtype : numpy.dtype
        The type of its numbers.
    read : callable
        ``(start, stop)`` -> the rows from ``start`` up to ``stop``.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[int, int], np.ndarray]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Read rows: a slice of them, or those at these positions, in any order, or where a mask is true."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            return self.read(start, max(start, stop))[::step] if step > 0 else self[np.arange(start, stop, step)]
        wanted, inverse = np.unique(np.flatnonzero(rows) if rows.dtype.kind == "b" else rows, return_inverse=True)
        if not len(wanted):
            return np.empty((0, *self.shape[1:]), dtype=self.dtype)
        if wanted[0] < 0 or wanted[-1] >= len(self):
            raise IndexError(f"There is no row {wanted[0] if wanted[0] < 0 else wanted[-1]} of {len(self)}.")
        block = wanted // max(1, BLOCK // max(1, self.size // len(self)))
        runs = np.split(wanted, np.flatnonzero((np.diff(wanted) > GAP) | (np.diff(block) > 0)) + 1)
        found = [self.read(int(run[0]), int(run[-1]) + 1)[run - run[0]] for run in runs]
        return np.concatenate(found)[inverse]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield row after row."""
        for rows in blocks(self):
            yield from self[rows]

    def mapped(self, function: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...]) -> StoredArray:
        """Return an array of this shape whose rows are made of these by a function that knows no other rows."""
        dtype = function(np.zeros((1, *self.shape[1:]), dtype=self.dtype)).dtype
        return StoredArray(shape, dtype, lambda start, stop: function(self.read(start, stop)))


Array = np.ndarray | StoredArray
"""In memory or in a file."""


def blocks(values: Array) -> Iterator[slice]:
    """Yield the rows of an array, some at a time: a few million values."""
    step = max(1, BLOCK // max(1, math.prod(values.shape[1:])))
    return (slice(start, start + step) for start in range(0, len(values), step))


def ends(values: Array) -> tuple[float, float]:
    """Return the smallest and the largest value."""
    found = [(part.min(), part.max()) for part in (values[rows] for rows in blocks(values))]
    return float(min(low for low, _ in found)), float(max(high for _, high in found))


State = tuple[int, int]
"""Size of a file, and when it was changed."""


def state_of(file: Path | int) -> State:
    """Return what tells whether a file was changed; of an open one by its number."""
    status = os.stat(file)
    return status.st_size, status.st_mtime_ns


def check_unchanged(path: Path, was: State, now: State) -> None:
    """Refuse to read on in a file that was changed.

    Raises
    ------
    UserError
        If it was.
    """
    if was != now:
        raise UserError(f"{path} was changed while it was being read; start again.")


def in_memory(values: Array) -> np.ndarray:
    """Return an array that is not too large to be read at once.

    Raises
    ------
    UserError
        If it is.
    """
    if isinstance(values, StoredArray):
        raise UserError("The images are too many to be held in memory at once; use fewer or smaller images.")
    return values
