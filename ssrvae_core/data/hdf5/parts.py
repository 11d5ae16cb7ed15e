"""Arrays of HDF5 files that are too large to be read at once."""

from __future__ import annotations

import h5py
import numpy as np

from ssrvae_core.data.formats import readable
from ssrvae_core.data.hdf5.layouts import Picked, is_numeric
from ssrvae_core.data.hdf5.matlab import matlab_class
from ssrvae_core.data.hdf5.tree import Array, Tree, shown
from ssrvae_core.data.hdf5.values import check_chunks, explained
from ssrvae_core.data.limits import check_rows, is_large
from ssrvae_core.data.stored import StoredArray, check_unchanged, state_of


def is_read_in_parts(array: Array, picked: Picked | None) -> bool:
    """Whether an array is too large to be read at once, and its first axis counts the images.

    MATLAB's arrays, whose images lie across all of the file, are not read in parts.
    """
    if array.dtype is None or not is_numeric(array) or len(array.shape) not in (3, 4) or matlab_class(array):
        return False
    return is_large(array.shape, array.dtype.itemsize) and (picked is None or picked.stack == (0,))


def parts_of(tree: Tree, array: Array, name: str) -> StoredArray:
    """Return an array whose rows are read when they are asked for; the file is opened for each reading.

    Raises
    ------
    UserError
        If a row is too large, or the array is compressed by a filter that is missing, or damaged.
    """
    path, dtype = tree.path, array.dtype
    assert dtype is not None
    check_rows(path, shown(name), array.shape)
    with explained(tree, array, name):
        check_chunks(array.dataset, path, name)
    was = state_of(path)

    def read(start: int, stop: int) -> np.ndarray:
        with readable(path, "an HDF5 file", RuntimeError, LookupError, TypeError), h5py.File(path, "r") as file:
            check_unchanged(path, was, state_of(path))
            here = Tree(file, path)
            found = here.array(array.name) or array
            values = np.empty((stop - start, *array.shape[1:]), dtype)
            with explained(here, found, name):
                found.dataset.read_direct(values, np.s_[start:stop])
        return values

    return StoredArray(array.shape, dtype, read)
