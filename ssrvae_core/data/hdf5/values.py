"""The values of an array in an HDF5 file: checked, unpacked and read once."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5z

from ssrvae_core.config import UserError
from ssrvae_core.data.hdf5.tree import DAMAGES, Array, Tree, decoded, shown
from ssrvae_core.data.limits import MAX_BYTES, check_declared

MAX_DEFLATED = 2**20
"""Bytes of a compressed chunk up to which it cannot unpack to more than about 1 GiB."""


FILTERS = {
    **{305: "lzo", 307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp"},
    **{32015: "zstd", 32016: "b3d", 32017: "sz", 32018: "fcidecomp", 32019: "jpeg", 32024: "sz3", 32026: "blosc2"},
}
"""Registered compression filters by their number; https://github.com/HDFGroup/hdf5_plugins lists them all."""


def read(tree: Tree, array: Array, name: str | None = None) -> np.ndarray:
    """Read an array once into one block of memory: numbers as stored, text as str.

    Raises
    ------
    UserError
        If it is too large, of a type that is never loaded, compressed by a filter that is missing, or damaged.
    """
    name, path, dataset = name or array.name, tree.path, array.dataset
    if array.dtype is None:
        raise UserError(
            f"The field '{shown(name)}' of {path} has a type that numpy has not; store plain numbers or text."
        )
    check_declared(path, shown(name), array.shape, array.dtype.itemsize)
    text = h5py.check_string_dtype(array.dtype)
    if array.dtype.hasobject and text is None:
        raise UserError(
            f"The field '{shown(name)}' of {path} holds references or lists, which are never loaded; store plain"
            " numbers or text."
        )
    with explained(tree, array, name):
        check_chunks(dataset, path, name)
        if text is not None:
            return _text(dataset, path, name)
        if array.dtype.subdtype is not None or not array.shape or 0 in array.shape:
            return np.asarray(dataset[()])
        values = np.empty(array.shape, array.dtype)
        dataset.read_direct(values)
        return values


@contextmanager
def explained(tree: Tree, array: Array, name: str) -> Iterator[None]:
    """Say of an array that cannot be read why, and how it can."""
    try:
        with_plugins(array)
        yield
    except UserError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(
            f"The field '{shown(name)}' of {tree.path} is not UTF-8 text; store it as unicode text."
        ) from error
    except MemoryError as error:
        raise UserError(
            f"The field '{shown(name)}' of {tree.path} does not fit into memory; store fewer or smaller images."
        ) from error
    except DAMAGES as error:
        missing = missing_filters(array)
        if missing:
            raise UserError(
                f"The field '{shown(name)}' of {tree.path} is compressed by a filter ({missing}) that is not installed;"
                " install it with 'pip install hdf5plugin', or save the file without compression or with gzip."
            ) from error
        raise UserError(
            f"The field '{shown(name)}' of {tree.path} cannot be read as an HDF5 file's array; it may be damaged or cut"
            " short, so save it again."
        ) from error


def missing_filters(array: Array) -> str:
    """Return number and name of the filters of an array that are not installed."""
    return "; ".join(
        f"{number}, {FILTERS.get(number) or shown(name)}"
        for number, name in _pipeline(array.dataset)
        if not h5z.filter_avail(number)
    )


def with_plugins(array: Array) -> None:
    """Register the filters of the package hdf5plugin, where it is installed and one of them is needed."""
    if missing_filters(array):
        with suppress(ImportError):
            importlib.import_module("hdf5plugin")


def _pipeline(dataset: Any) -> list[tuple[int, str]]:
    plan = dataset.id.get_create_plist()
    filters = (plan.get_filter(at) for at in range(plan.get_nfilters()))
    return [(number, decoded(name) if isinstance(name, bytes) else str(name)) for number, _, _, name in filters]


def check_chunks(dataset: Any, path: Path, name: str) -> None:
    """Refuse chunks that would need far more memory than the array they are part of.

    HDF5 unpacks a chunk to whatever its bytes unpack to, so that one of a few megabytes could fill any memory.
    """
    if dataset.chunks is None:
        return
    check_declared(path, shown(name), dataset.chunks, dataset.dtype.itemsize)
    deflated = [number for number, _ in _pipeline(dataset)].count(h5z.FILTER_DEFLATE)
    size = int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize
    wrong = UserError(
        f"The field '{shown(name)}' of {path} holds compressed chunks that do not unpack to what it declares, so the"
        " file is damaged; save it again."
    )
    if deflated > 1:
        raise wrong
    sizes: list[tuple[int, tuple[int, ...]]] = []
    if deflated:  # to ask for one chunk after the other takes the square of their number
        dataset.id.chunk_iter(lambda chunk: sizes.append((chunk.size, chunk.chunk_offset)))
    if any(stored > MAX_BYTES or stored > 2 * size + 2**16 for stored, _ in sizes):
        raise wrong
    for offset in (offset for stored, offset in sizes if stored > MAX_DEFLATED):
        _, content = dataset.id.read_direct_chunk(offset)
        if _unpacked(content, size) > 2 * size + 2**16:
            raise wrong


def _unpacked(content: bytes, size: int) -> int:
    """Return how many bytes a deflated chunk unpacks to, counted no further than needed."""
    unpacker, total = zlib.decompressobj(), 0
    with suppress(zlib.error):  # damaged, or stored as it is: reading will tell
        while content and total <= 2 * size + 2**16:
            total += len(unpacker.decompress(content, 2**24))
            content = unpacker.unconsumed_tail
    return total


def _text(dataset: Any, path: Path, name: str) -> np.ndarray:
    """Read text of one or several dimensions, in blocks: a few bytes of a file can be told to be a million texts."""
    shape, flat = dataset.shape, []
    _check_lengths(dataset, path)
    if len(shape) != 1:
        if int(np.prod(shape, dtype=object)) > 1000:
            raise UserError(f"The field '{shown(name)}' of {path} has the shape {shape}; store it as a list of text.")
        return np.asarray(dataset.asstr()[()], dtype=np.str_)
    block, total, longest = max(1, 2**28 // max(1, path.stat().st_size)), 0, 1
    for start in range(0, shape[0], block):
        part = [str(value) for value in dataset.asstr()[start : start + block]]
        total += sum(map(len, part))
        longest = max(longest, *map(len, part))
        check_declared(path, shown(name), (total,), 4)
        check_declared(path, shown(name), (shape[0], longest), 4)
        flat += part
    return np.array(flat, dtype=np.str_)


def _check_lengths(dataset: Any, path: Path) -> None:
    """Refuse texts that are longer than the file: libhdf5 makes room for whatever a damaged length says.

    Texts of variable length are stored as their length (4 bytes), and where they lie.
    """
    offset, size = dataset.id.get_offset(), path.stat().st_size
    if h5py.check_string_dtype(dataset.dtype).length is not None or dataset.chunks is not None or offset is None:
        return
    element = 8 + dataset.file.id.get_create_plist().get_sizes()[0]
    with path.open("rb") as stream:
        stream.seek(offset)
        stored = stream.read(min(dataset.id.get_storage_size(), size))
    elements = np.frombuffer(stored, np.uint8, len(stored) // element * element).reshape(-1, element)
    if (np.ascontiguousarray(elements[:, :4]).view("<u4") > size).any():
        raise ValueError("a text is longer than the file")
