"""MATLAB's arrays in HDF5 (``.mat`` of version 7.3): axes in reverse, vectors as rows, text as numbers."""

from __future__ import annotations

from collections.abc import Collection

import h5py
import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.hdf5.layouts import Picked
from ssrvae_core.data.hdf5.tree import Array, Tree, attribute, declared, shown
from ssrvae_core.data.hdf5.values import check_chunks, read
from ssrvae_core.data.limits import MIN_SIDE

MAX_CELLS = 1_000_000
MAX_CELL = 10_000
"""Most characters of one text."""


def matlab_class(array: Array) -> str | None:
    """Return MATLAB's name of an array's class, None where MATLAB did not write it."""
    found = attribute(array.dataset, "MATLAB_class")
    return found if isinstance(found, str) else None


def oriented(array: Array, lengths: Collection[int], tree: Tree) -> Picked | None:
    """Return how images are taken that may have their axes in MATLAB's order, None where there is no question.

    HDF5 holds MATLAB's axes in reverse. MATLAB's (H, W, N) arrives as (N, W, H), and its (N, H, W) as (W, H, N).

    Parameters
    ----------
    array : Array
        The images.
    lengths : collection of int
        Lengths of the vectors beside it that have an entry for each image.

    Raises
    ------
    UserError
        If MATLAB wrote it and nothing tells which of its axes counts the images.
    """
    shape, by_matlab = array.shape, matlab_class(array) is not None
    if len(shape) not in (3, 4):
        return None
    first = [n for n in lengths if n == shape[0] != shape[-1]]
    last = [n for n in lengths if n == shape[-1] != shape[0]]
    if last and not first:
        return _last(array)
    if not by_matlab:
        return None
    if first and not last:
        return _first(array)
    return _by_squares(array, tree)


def _first(array: Array) -> Picked:
    """Read (N, W, H) or (N, C, W, H)."""
    kind = "MATLAB's order of the axes, the images last there"
    if len(array.shape) == 3:
        return Picked(array, (0,), (2, 1), kind=kind)
    return Picked(array, (0,), (3, 2), 1, kind=kind)


def _last(array: Array) -> Picked:
    """Read (W, H, N) or (C, W, H, N)."""
    kind = "its axes are in reverse, as MATLAB stores them"
    if len(array.shape) == 3:
        return Picked(array, (2,), (1, 0), kind=kind)
    return Picked(array, (3,), (2, 1), 0, kind=kind)


def _by_squares(array: Array, tree: Tree) -> Picked | None:
    """Choose the reading whose images are square or have few channels, where that is true of one reading only."""
    shape = array.shape
    if len(shape) == 4:
        can = {_first: shape[1] <= 4 < shape[0], _last: shape[0] <= 4 < shape[1]}
    else:
        can = {_first: shape[1] == shape[2] != shape[0], _last: shape[0] == shape[1] != shape[2]}
        if min(shape[1:]) < MIN_SIDE or min(shape[:2]) < MIN_SIDE:
            can = {_first: min(shape[1:]) >= MIN_SIDE, _last: min(shape[:2]) >= MIN_SIDE}
    readings = [take for take, possible in can.items() if possible]
    if len(readings) == 1:
        return readings[0](array)
    if all(min(take(array).shape[1:]) < MIN_SIDE for take in (_first, _last)):
        return None
    first, last = (take(array).shape for take in (_first, _last))
    raise UserError(
        f"The field '{shown(array.name)}' of {tree.path} has the shape {shape[::-1]} in MATLAB, which can be"
        f" {first[0]} images of {first[1]} x {first[2]} pixels or {last[0]} images of {last[1]} x {last[2]}; save a"
        " vector 'labels' or 'ids' with an entry for each image in the same file."
    )


def read_field(tree: Tree, array: Array, name: str) -> np.ndarray:
    """Read an array as :func:`ssrvae_core.data.hdf5.values.read` does, with MATLAB's text and truth values resolved."""
    kind = matlab_class(array)
    if kind is None:
        return read(tree, array, name)
    if attribute(array.dataset, "MATLAB_empty"):
        raise UserError(f"The field '{shown(name)}' of {tree.path} is empty; leave it out, or fill it.")
    if kind == "cell":
        return _cells(tree, array, name)
    values = read(tree, array, name)
    if kind == "logical":
        return values != 0
    if kind == "char" and values.ndim == 2:
        return np.array([_characters(line) for line in values.T], dtype=np.str_)
    return values


def _cells(tree: Tree, array: Array, name: str) -> np.ndarray:
    """Read a cell array of texts, which holds references to arrays of characters in the same file."""
    if array.dtype is None or h5py.check_ref_dtype(array.dtype) is not h5py.Reference or array.dataset.size > MAX_CELLS:
        raise _no_text(tree, name)
    check_chunks(array.dataset, tree.path, name)
    texts = []
    for reference in array.dataset[()].reshape(-1):
        cell = tree.referenced(reference)
        if not isinstance(cell, h5py.Dataset) or cell.shape is None:
            raise _no_text(tree, name)
        held = declared(name, cell)
        if matlab_class(held) != "char" or cell.size > MAX_CELL:
            raise _no_text(tree, name)
        texts.append("" if attribute(cell, "MATLAB_empty") else _characters(read(tree, held, name)))
    return np.array(texts, dtype=np.str_)


def _characters(values: np.ndarray) -> str:
    """Return the text of UTF-16 units."""
    units = values.reshape(-1).astype("<u2").tobytes()
    return units.decode("utf-16-le", errors="replace").rstrip(" \0")


def _no_text(tree: Tree, name: str) -> UserError:
    return UserError(
        f"The field '{shown(name)}' of {tree.path} is a MATLAB cell array that holds more than text; save it as"
        " numbers, or as a cell array of character vectors (cellstr)."
    )
