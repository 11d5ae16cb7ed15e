"""Which arrays of an open HDF5 file are its images and the fields beside them.

Fields that have our names are taken by them. Else the program that wrote the file says which array is the images, or
exactly one array can be. Nothing is guessed beyond that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import h5py
import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Contents
from ssrvae_core.data.fields import FACTOR, FIELDS
from ssrvae_core.data.hdf5.layouts import LAYOUTS, Picked, by_shape, is_numeric, single
from ssrvae_core.data.hdf5.matlab import oriented, read_field
from ssrvae_core.data.hdf5.parts import is_read_in_parts, parts_of
from ssrvae_core.data.hdf5.tree import MAX_OBJECTS, Array, Tree, attribute, shown
from ssrvae_core.data.limits import MIN_SIDE
from ssrvae_core.data.stored import Array as Values
from ssrvae_core.data.stored import StoredArray

OWN = tuple(dict.fromkeys((*FIELDS, "pixel_size")))
IMAGES = "images"
ALIKE = {
    "labels": ("labels", "label", "class", "classes", "target", "targets", "y", "species", "category", "categories"),
    "class_names": ("class_names",),
    "groups": ("groups", "group", "micrograph", "micrographs"),
    "ids": ("ids",),
    "split": ("split",),
    "names": ("names",),
    "masks": ("masks", "mask"),
}
"""Names that other people give to our fields, in small letters."""
PER_IMAGE = ("labels", "groups", "ids", "split", "names")
LISTED = 8
"""Most arrays that a sentence lists."""


def contents(tree: Tree) -> Contents:
    """Read the images of a file and the fields beside them.

    Raises
    ------
    UserError
        If the file does not say which array is the images, or if they lie in another file or cannot be read.
    """
    picked, fields, remarks = _own(tree) or _foreign(tree)
    if picked is not None:
        images = _arranged(picked, _images(tree, picked.array, picked.array.name, picked))
        fields = {IMAGES: images} | fields
        if picked.pixel_size is not None and "pixel_size" not in fields:
            fields["pixel_size"] = np.tile(np.array(picked.pixel_size, dtype=np.float64), (len(images), 1))
    return Contents.of(fields, tree.left_out(), tuple(remarks))


# Files with our names.

Found = tuple[Picked | None, dict[str, Values], list[str]]


def _own(tree: Tree) -> Found | None:
    """Return images and fields that have our names, in the file itself or in the one group that has 'images'."""
    group = _own_group(tree)
    if group is None:
        return None
    prefix = f"{group}/" if group else ""
    arrays = {name: array for name in OWN if (array := tree.array(prefix + name)) is not None}
    factors = [FACTOR + name for name in tree.names_in(prefix + FACTOR.rstrip("/"))]
    arrays |= {name: array for name in factors if (array := tree.array(prefix + name)) is not None}
    remarks = [f"The images are '{shown(prefix)}images'; the fields beside them are taken too."] if group else []
    images = arrays.pop(IMAGES, None)
    beside = [] if images is None else [array for array in tree.arrays if array.parent == images.parent]
    arrays |= _alike(beside, images, remarks, set(arrays))
    if images is None:
        return None, {name: _beside(tree, array, name, None) for name, array in arrays.items()}, remarks
    vectors = [array for name, array in arrays.items() if name in PER_IMAGE or name.startswith(FACTOR)]
    lengths = {length for array in vectors if (length := _length(array)) is not None}
    picked = oriented(images, lengths, tree)
    if picked is None:
        # Our names say what it is; what is wrong with its shape is said where fields are checked.
        fields = {name: _beside(tree, array, name, None) for name, array in arrays.items()}
        return None, {IMAGES: _images(tree, images, images.name, None)} | fields, remarks
    fields = {name: _beside(tree, array, name, picked) for name, array in arrays.items()}
    return picked, fields, [*remarks, picked.remark()]


def _own_group(tree: Tree) -> str | None:
    """Return the group whose members have our names: the file's root, or the only one that has 'images'."""
    if isinstance(tree.get(IMAGES), h5py.Dataset):
        return ""
    having = {name.rpartition("/")[0] for name in tree.elsewhere if name.rpartition("/")[2] == IMAGES}
    having |= {array.parent for array in tree.arrays if array.last == IMAGES}
    return having.pop() if len(having) == 1 else None


# Files with other names.


def _foreign(tree: Tree) -> Found:
    """Return the one array that can be the images, and what can be told of the arrays beside it."""
    picked = _said(tree) or _only(tree)
    remarks: list[str] = []
    near = [array for array in tree.arrays if array.parent == picked.array.parent]
    if not picked.kind:
        picked = oriented(picked.array, _lengths_near(picked.array, tree), tree) or picked
    remarks.append(picked.remark())
    arrays = _alike(near, picked.array, remarks, set(), picked.shape)
    far = [array for array in tree.arrays if array.parent != picked.array.parent and _kind(array) not in arrays]
    arrays |= _alike(far, picked.array, remarks, set(arrays), picked.shape)
    return picked, {name: _beside(tree, array, name, picked) for name, array in arrays.items()}, remarks


def _said(tree: Tree) -> Picked | None:
    """Return the images that the writing program marked."""
    for layout in LAYOUTS:
        found = layout(tree)
        if found is not None and len(found) > 1:
            raise UserError(
                f"{tree.path} holds several sets of images ({_listed(picked.array for picked in found)}); save the one"
                " you want in a file of its own, or name it 'images'."
            )
        if found:
            return found[0]
        if found is not None:
            raise _undecided(tree, [])
    return None


def _only(tree: Tree) -> Picked:
    """Return the only array whose shape can be images."""
    if not tree.whole:
        raise UserError(
            f"{tree.path} holds more than {MAX_OBJECTS:,} objects, and none at its top is called 'images'; store"
            " the images under that name."
        )
    stacks = [picked for array in tree.arrays if (picked := _as_images(array, tree)) is not None]
    if len(stacks) > 1:
        stacks = [picked for picked in stacks if not _is_mask_of(picked, stacks)]
    if len(stacks) == 1:
        return stacks[0]
    if not stacks and (picked := _only_picture(tree)) is not None:
        return picked
    raise _undecided(tree, stacks)


def _as_images(array: Array, tree: Tree) -> Picked | None:
    """Return how an array can be images, with the axes as they are or in reverse."""
    picked = by_shape(array)
    if picked is not None or not is_numeric(array):
        return picked
    turned = oriented(array, _lengths_near(array, tree), tree)
    return turned if turned is not None and min(turned.shape[1:]) >= MIN_SIDE and turned.shape[0] else None


def _lengths_near(array: Array, tree: Tree) -> set[int]:
    """Return the lengths of the vectors in an array's group that are called like fields with an entry per image."""
    near = [other for other in tree.arrays if other.parent == array.parent]
    near = [other for other in near if _kind(other) in PER_IMAGE and not _is_coordinate(other, near)]
    return {length for other in near if (length := _length(other)) is not None}


def _only_picture(tree: Tree) -> Picked | None:
    """Return the only array of two dimensions as one image, if it is not a table."""
    flat = [array for array in tree.arrays if len(array.shape) == 2 and is_numeric(array) and 1 not in array.shape]
    if len(flat) != 1 or str(attribute(tree.file, "encoding-type")) == "anndata" or _is_table(flat[0], tree):
        return None
    return single(flat[0])


def _is_table(array: Array, tree: Tree) -> bool:
    """Whether each row of an array of two dimensions is an entry of its own."""
    if attribute(array.dataset, "Position_Indices") is not None or array.last == "Raw_Data":
        return True  # USID, where a row is a position and a column a value
    return any(_length(other) == array.shape[0] for other in tree.arrays if _kind(other) in PER_IMAGE)


def _is_mask_of(picked: Picked, stacks: Sequence[Picked]) -> bool:
    """Whether an array is called a mask, and there is an array of its size that is not."""
    others = (other for other in stacks if _kind(other.array) != "masks")
    return _kind(picked.array) == "masks" and any(picked.shape == other.shape for other in others)


def _undecided(tree: Tree, stacks: Sequence[Picked]) -> UserError:
    elsewhere = ""
    if tree.elsewhere:
        elsewhere = (
            f"; {len(tree.elsewhere)} of its names lead to other files, which are never opened, so copy their arrays"
            " into this file"
        )
    if stacks:
        listed = _listed(picked.array for picked in stacks)
        return UserError(
            f"{tree.path} has no field 'images', and several arrays could be them ({listed}); name the one you want"
            f" 'images'{elsewhere}."
        )
    listed = _listed(tree.arrays) or "no array"
    return UserError(
        f"{tree.path} has no field 'images' and no array that can be images by its shape (found: {listed}); store them"
        f" as 'images' of shape (N, height, width) or (N, height, width, channels){elsewhere}."
    )


def _listed(arrays: Iterable[Array]) -> str:
    texts = [str(array) for array in arrays]
    more = f", and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more


# Arrays beside the images.


def _kind(array: Array) -> str | None:
    """Return our name of what an array is called, None where it is called like none of our fields."""
    return next((kind for kind, names in ALIKE.items() if array.last.lower() in names), None)


def _is_coordinate(array: Array, beside: Sequence[Array]) -> bool:
    """Whether a vector 'y' is one of two coordinates and not what images are labelled with."""
    others = (other for other in beside if other.parent == array.parent and other.last.lower() == "x")
    return array.last.lower() == "y" and any(_length(other) is not None for other in others)


def _alike(
    arrays: Sequence[Array],
    images: Array | None,
    remarks: list[str],
    taken: set[str],
    shape: tuple[int, ...] | None = None,
) -> dict[str, Array]:
    """Return the arrays that are called like one of our fields and fit the images, and say so."""
    if images is None:
        return {}
    sizes = {shape[0]} if shape else {images.shape[0], images.shape[-1]} if images.shape else set()
    found: dict[str, Array] = {}
    for kind in ALIKE:
        if kind in taken:
            continue
        fitting = [array for array in arrays if _kind(array) == kind and _fits(array, kind, sizes, images, shape)]
        fitting = [array for array in fitting if not _is_coordinate(array, arrays)]
        exact = [array for array in fitting if array.last == kind]
        chosen = exact if len(exact) == 1 else fitting
        if len(chosen) == 1:
            found[kind] = chosen[0]
            remarks.append(f"The field '{kind}' is '{shown(chosen[0].name)}' of shape {chosen[0].shape}.")
        elif chosen:
            remarks.append(
                f"None of {_listed(chosen)} is taken as '{kind}', as each of them could be; name one '{kind}'."
            )
    return found


def _fits(array: Array, kind: str, sizes: set[int], images: Array, shape: tuple[int, ...] | None) -> bool:
    if array.name == images.name:
        return False
    if kind == "masks":
        return array.shape in (images.shape, shape)
    length = _length(array)
    return length is not None and (kind == "class_names" or length in sizes)


def _length(array: Array) -> int | None:
    """Return the number of entries of a vector, which may lie as a row or a column."""
    long = [side for side in array.shape if side != 1]
    return math.prod(array.shape) if array.shape and len(array.shape) <= 2 and len(long) <= 1 else None


def _images(tree: Tree, array: Array, name: str, picked: Picked | None) -> Values:
    """Read images or masks, or return what reads them in parts."""
    return parts_of(tree, array, name) if is_read_in_parts(array, picked) else read_field(tree, array, name)


def _arranged(picked: Picked, values: Values) -> Values:
    """Bring values of the images' shape to (N, H, W) or (N, H, W, C)."""
    if not isinstance(values, StoredArray):
        return picked.arranged(values)
    whole = picked.arranged(np.broadcast_to(np.zeros(1), values.shape)).shape
    return values.mapped(picked.arranged, whole)


def _beside(tree: Tree, array: Array, name: str, picked: Picked | None) -> Values:
    """Read a field beside the images, rows and columns as vectors, masks turned as the images are."""
    if name == "masks":
        masks = _images(tree, array, name, picked)
        turned = picked is not None and masks.shape == picked.array.shape and masks.ndim == 3
        return _arranged(picked, masks) if picked is not None and turned else masks
    values = read_field(tree, array, name)
    if name == "pixel_size":
        return values
    if values.ndim == 2 and 1 in values.shape:
        return values.reshape(-1)
    return values.T if values.ndim == 2 and picked is not None and "reverse" in picked.kind else values
