"""Which array of an HDF5 file is its images, where the program that wrote it says so.

Every function of :data:`LAYOUTS` is ``(tree) -> [Picked, ...]``: all image data that a file of its kind holds, or None
for a file of another kind. Spectra are of three dimensions too, so where a file says what it is, shapes decide nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from ssrvae_core.data.hdf5.tree import DAMAGES, Array, Tree, attribute, declared, shown
from ssrvae_core.data.hdf5.values import read
from ssrvae_core.data.lengths import nanometres, pixel_size
from ssrvae_core.data.limits import MIN_SIDE

MAX_POSITIONS = 2**20
"""Most positions along an axis that are looked at."""
MAX_METADATA = 2**24
"""Most bytes of a Velox file's metadata that are looked at."""


@dataclass(frozen=True)
class Picked:
    """An array and how it is taken as images.

    Attributes
    ----------
    stack : tuple of int
        The axes that count the images, none where it is one image.
    picture : (int, int)
        The axes of height and width.
    channel : int or None
        The axis of the channels.
    pixel_size : (float, float) or None
        Height and width of a pixel in nanometres.
    kind : str
        What wrote it, for the remark; empty where nothing but the shape tells.
    """

    array: Array
    stack: tuple[int, ...]
    picture: tuple[int, int]
    channel: int | None = None
    pixel_size: tuple[float, float] | None = None
    kind: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of images, height and width."""
        height, width = (self.array.shape[axis] for axis in self.picture)
        return (math.prod(self.array.shape[axis] for axis in self.stack), height, width)

    def arranged(self, values: np.ndarray) -> np.ndarray:
        """Bring values of the array's shape to (N, H, W) or (N, H, W, C), without a copy wherever that is possible."""
        last = () if self.channel is None else (self.channel,)
        turned = values.transpose(*self.stack, *self.picture, *last)
        return turned.reshape(-1, *turned.shape[len(self.stack) :])

    def remark(self) -> str:
        """Return a sentence that says what was taken."""
        array, (n, height, width) = self.array, self.shape
        kind = f" ({self.kind})" if self.kind else ""
        way_out = "store them in that order" if array.last == "images" else "name the one that is 'images'"
        return (
            f"The images are '{shown(array.name)}' of shape {array.shape}{kind}, taken as {n} images of"
            f" {height} x {width} pixels; if they are not, {way_out}."
        )


def is_numeric(array: Array) -> bool:
    """Whether an array holds plain numbers, one to an element."""
    return array.dtype is not None and array.dtype.kind in "buif" and array.dtype.subdtype is None


def _is_picture(array: Array, axes: Sequence[int]) -> bool:
    return all(0 <= axis < len(array.shape) and array.shape[axis] >= MIN_SIDE for axis in axes)


def _array_in(tree: Tree, group: str, name: str) -> Array | None:
    """Return the numbers of this name in a group, None where there are none."""
    return next(
        (array for array in tree.arrays if array.name == f"{group}/{name}".lstrip("/") and is_numeric(array)), None
    )


def _number(value: Any) -> float | None:
    with suppress(TypeError, ValueError, OverflowError):
        return float(value)
    return None


def hyperspy(tree: Tree) -> list[Picked] | None:
    """Return the image signals of a HyperSpy file: ``Experiments/<name>/data`` with one group for each axis."""
    if "Experiments" not in tree.groups:
        return None
    found = []
    for name in tree.groups:
        array = _array_in(tree, name, "data") if name.startswith("Experiments/") and name.count("/") == 1 else None
        axes = [tree.groups.get(f"{name}/axis-{at}") for at in range(len(array.shape))] if array else []
        if array is None or not axes or any(axis is None for axis in axes):
            continue
        navigates = [bool(attribute(axis, "navigate")) for axis in axes]
        picture = [at for at, is_stack in enumerate(navigates) if not is_stack]
        if len(picture) == 2 and _is_picture(array, picture):
            steps = [nanometres(attribute(axes[at], "scale"), attribute(axes[at], "units")) for at in picture]
            stack = tuple(at for at, is_stack in enumerate(navigates) if is_stack)
            found.append(Picked(array, stack, (picture[0], picture[1]), None, pixel_size(*steps), "HyperSpy"))
    return found


def velox(tree: Tree) -> list[Picked] | None:
    """Return the images of a Velox file: ``Data/Image/<hash>/Data`` (H, W, N), the frames last."""
    if "Data/Image" not in tree.groups:
        return None
    found = []
    for name in tree.groups:
        array = _array_in(tree, name, "Data") if name.startswith("Data/Image/") and name.count("/") == 2 else None
        if array is not None and len(array.shape) == 3 and _is_picture(array, (0, 1)):
            found.append(Picked(array, (2,), (0, 1), None, _velox_pixel(tree, name), "Velox, the frames last"))
    return found


def _velox_pixel(tree: Tree, group: str) -> tuple[float, float] | None:
    """Read the pixel size of the first frame out of the metadata, columns of bytes that end in zeros."""
    array = _array_in(tree, group, "Metadata")
    if (
        array is None
        or len(array.shape) != 2
        or array.dtype != np.uint8
        or not 0 < math.prod(array.shape) < MAX_METADATA
    ):
        return None
    with suppress(*DAMAGES, RecursionError, AttributeError):
        result = json.loads(read(tree, array)[:, 0].tobytes().rstrip(b"\0").decode())["BinaryResult"]
        size, units = result["PixelSize"], [result[key] for key in ("PixelUnitY", "PixelUnitX")]
        return pixel_size(nanometres(size["height"], units[0]), nanometres(size["width"], units[1]))
    return None


def emd(tree: Tree) -> list[Picked] | None:
    """Return the images of an EMD file (0.2): groups of ``emd_group_type`` 1, with a ``dim`` for each axis."""
    marked = [name for name, group in tree.groups.items() if _number(attribute(group, "emd_group_type")) == 1]
    if not marked:
        return None
    found = []
    for name in marked:
        array = _array_in(tree, name, "data")
        if array is None or not 2 <= len(array.shape) <= 3:
            continue
        dims = [_array_in(tree, name, f"dim{at + 1}") for at in range(len(array.shape))]
        names = [str(attribute(dim.dataset, "name") or "").strip().lower() if dim else "" for dim in dims]
        rows, columns = len(names) - 2, len(names) - 1
        if names.count("x") == names.count("y") == 1:
            rows, columns = names.index("y"), names.index("x")
        if _is_picture(array, (rows, columns)):
            stack = tuple(at for at in range(len(names)) if at not in (rows, columns))
            size = pixel_size(_step(tree, dims[rows]), _step(tree, dims[columns]))
            found.append(Picked(array, stack, (rows, columns), None, size, "EMD"))
    return found


def _step(tree: Tree, dim: Array | None) -> float | None:
    """Return the step of an axis in nanometres, from its first two positions."""
    if dim is None or len(dim.shape) != 1 or not 2 <= dim.shape[0] <= MAX_POSITIONS:
        return None
    with suppress(*DAMAGES):
        first, second = (float(value) for value in read(tree, dim)[:2])
        return nanometres(second - first, attribute(dim.dataset, "units"))
    return None


def nexus(tree: Tree) -> list[Picked] | None:
    """Return what a NeXus file plots by default: ``default`` leads to a group, whose ``signal`` names the array."""
    group = ""
    for _ in range(4):
        default = attribute(tree.groups.get(group, tree.file), "default")
        following = f"{group}/{default}".lstrip("/") if isinstance(default, str) else None
        if following is None or not isinstance(tree.get(following), h5py.Group):
            break
        group = following
    at = tree.get(group) if group else tree.file
    signal = attribute(at, "signal")
    array = tree.array(f"{group}/{signal}".lstrip("/")) if isinstance(signal, str) else None
    if array is None:
        marked = [array for array in tree.arrays if str(attribute(array.dataset, "signal")) == "1"]
        array = marked[0] if len(marked) == 1 else None
    if array is None:
        return None
    picked = by_shape(array) or (single(array) if len(array.shape) == 2 else None)
    return (
        [] if picked is None else [Picked(array, picked.stack, picked.picture, picked.channel, None, "NeXus default")]
    )


def nsid(tree: Tree) -> list[Picked] | None:
    """Return the image data of an NSID file, whose dimension scales say what they are."""
    found, is_nsid = [], False
    for array in tree.arrays:
        scales = _scales(array, tree) if is_numeric(array) and 2 <= len(array.shape) <= 4 else []
        kinds = [str(attribute(scale, "dimension_type") or "").upper().rpartition(".")[2] for scale in scales]
        is_nsid = is_nsid or (bool(kinds) and all(kinds))
        picture = [at for at, kind in enumerate(kinds) if kind == "SPATIAL"]
        if len(picture) == 2 and all(kinds) and "SPECTRAL" not in kinds and _is_picture(array, picture):
            steps = [_step(tree, declared("scale", scales[at])) for at in picture]
            stack = tuple(at for at in range(len(kinds)) if at not in picture)
            found.append(Picked(array, stack, (picture[0], picture[1]), None, pixel_size(*steps), "NSID"))
    return found if is_nsid else None


def _scales(array: Array, tree: Tree) -> list[Any]:
    """Return the first dimension scale of every axis, none where one has none.

    The references are read by hand, as HDF5's own iteration over scales does not end on some damaged files.
    """
    with suppress(*DAMAGES):
        if not h5py.h5a.exists(array.dataset.id, b"DIMENSION_LIST"):
            return []
        listed = array.dataset.attrs["DIMENSION_LIST"]
        if len(listed) == len(array.shape):
            scales = [tree.referenced(references[0]) for references in listed]
            return scales if all(isinstance(scale, h5py.Dataset) for scale in scales) else []
    return []


LAYOUTS: tuple[Callable[[Tree], list[Picked] | None], ...] = (hyperspy, velox, emd, nexus, nsid)


def by_shape(array: Array) -> Picked | None:
    """Return how an array is images by its shape alone, None where it is not."""
    shape = array.shape
    if not is_numeric(array) or 0 in shape:
        return None
    if len(shape) == 3 and _is_picture(array, (1, 2)):
        return Picked(array, (0,), (1, 2))
    if len(shape) == 4 and shape[3] <= 4 and _is_picture(array, (1, 2)):
        return Picked(array, (0,), (1, 2), 3)
    if len(shape) == 4 and shape[1] <= 4 and _is_picture(array, (2, 3)):
        return Picked(array, (0,), (2, 3), 1)
    return None


def single(array: Array) -> Picked | None:
    """Return how an array of two dimensions is one image, None where it is not."""
    if not is_numeric(array) or len(array.shape) != 2 or not _is_picture(array, (0, 1)):
        return None
    return Picked(array, (), (0, 1))
