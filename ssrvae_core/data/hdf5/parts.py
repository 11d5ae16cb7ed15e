"""Arrays of HDF5 files that are too large to be read at once."""

from __future__ import annotations

import math

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.hdf5.layouts import Picked, is_numeric
from ssrvae_core.data.hdf5.matlab import matlab_class
from ssrvae_core.data.hdf5.tree import Array, Tree, opened, shown
from ssrvae_core.data.hdf5.values import check_chunks, explained
from ssrvae_core.data.limits import check_rows, is_large
from ssrvae_core.data.stored import BLOCK, StoredArray, check_unchanged, state_of

MOST_TOGETHER = 2**29
"""Bytes of images that are unpacked together, at the most, where each chunk of the file holds a part of all of them."""


def is_read_in_parts(array: Array, picked: Picked | None) -> bool:
    """Whether an array is too large to be read at once, and its first axis counts the images.

    MATLAB's arrays, whose images lie across all of the file, are not read in parts.
    """
    if array.dtype is None or not is_numeric(array) or len(array.shape) not in (3, 4) or matlab_class(array):
        return False
    return is_large(array.shape, array.dtype.itemsize) and (picked is None or picked.stack == (0,))


def parts_of(tree: Tree, array: Array, name: str) -> StoredArray:
    """Return an array whose rows are read when they are asked for; the file is opened for each reading.

    A chunk of the file may hold a part of thousands of images. So whole chunks are read, and the last ones are kept: in
    ascending order no chunk is unpacked twice.

    Raises
    ------
    UserError
        If a row is too large, chunks hold parts of too many images, or the array is compressed by a filter that is
        missing, or damaged.
    """
    path, dtype = tree.path, array.dtype
    assert dtype is not None
    check_rows(path, shown(name), array.shape)
    with explained(tree, array, name):
        check_chunks(array.dataset, path, name)
    across = array.dataset.chunks[0] if array.dataset.chunks else 1
    values = math.prod(array.shape[1:])
    if across > 1 and across * values * dtype.itemsize > MOST_TOGETHER:
        raise UserError(
            f"The field '{shown(name)}' of {path} is stored in chunks that hold a part of {across:,} images each;"
            f" save it in chunks of whole images, with h5py by chunks=(1, {', '.join(map(str, array.shape[1:]))})."
        )
    step = across * max(1, BLOCK // (across * values))
    was = state_of(path)
    kept: dict[str, tuple[int, np.ndarray]] = {}

    def read(start: int, stop: int) -> np.ndarray:
        if across == 1:
            return unpacked(start, stop)
        parts = []
        for first in range(start - start % step, stop, step):
            if kept.get("last", (-1,))[0] != first:
                kept["last"] = first, unpacked(first, min(first + step, array.shape[0]))
            parts.append(kept["last"][1][max(0, start - first) : stop - first])
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, *array.shape[1:]), dtype), *parts])

    def unpacked(start: int, stop: int) -> np.ndarray:
        with opened(path) as file:
            check_unchanged(path, was, state_of(path))
            here = Tree(file, path)
            found = here.array(array.name) or array
            values = np.empty((stop - start, *array.shape[1:]), dtype)
            with explained(here, found, name):
                found.dataset.read_direct(values, np.s_[start:stop])
        return values

    return StoredArray(array.shape, dtype, read)
