"""Readers of numpy's formats, ``.npz`` and ``.npy``. Nothing is ever unpickled."""

from __future__ import annotations

import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Contents, Fields, LeftOut
from ssrvae_core.data.fields import is_field
from ssrvae_core.data.limits import MIN_SIDE, check_declared

ZIP_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError),
    *(OSError, EOFError, ValueError, LookupError),
)
"""What the standard library raises on a damaged zip."""

NOT_IMAGES = ("mask", "masks")

HEADER_DAMAGES = (SyntaxError, TypeError, tokenize.TokenError)
"""What numpy raises on a damaged array header."""


@contextmanager
def readable(path: Path, kind: str, *damages: type[Exception]) -> Iterator[None]:
    """Turn what a library raises on a damaged file into one sentence."""
    expected: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, *damages)
    try:
        yield
    except UserError:
        raise
    except expected as error:
        reason = " ".join(str(error).split()).replace(". ", "; ") or type(error).__name__
        raise UserError(
            f"{path} cannot be read as {kind} ({reason.rstrip('.')}); it may be damaged or cut short, so save it again."
        ) from error


ALIASES: dict[str, tuple[str, ...]] = {
    "images": ("image", "images", "x", "img", "imgs", "data", "stack", "pictures", "particles", "crops", "arr_0"),
    "labels": ("label", "labels", "y", "target", "targets", "classes", "species"),
    "masks": ("mask", "masks"),
    "groups": ("group", "groups", "micrograph", "micrographs"),
    "class_names": ("class_names", "classnames", "classes", "label_names"),
}
"""Other names of fields, in small letters, where a file does not use ours."""

LISTED = 8
"""Arrays that are named where it is not clear which are the images."""


def read_npz(path: Path) -> Contents:
    """Read the fields of a ``.npz`` archive; arrays under other names are taken where it is clear what they are."""
    with readable(path, "an npz file", *ZIP_DAMAGES, *HEADER_DAMAGES), zipfile.ZipFile(path) as archive:
        arrays = {member.removesuffix(".npy"): _header(archive, member) for member in archive.namelist()}
        chosen = {name: name for name in arrays if is_field(name)}
        remarks = []
        if "images" not in chosen:
            chosen = {"images": _images_of(arrays, path)} | chosen
            remarks.append(f"The images of {path.name} are the array '{chosen['images']}'.")
        n = arrays[chosen["images"]].shape[:1]
        for field, names in ALIASES.items():
            found = [name for name in arrays if name.casefold() in names and name not in chosen.values()]
            fitting = [name for name in found if field == "class_names" or arrays[name].shape[:1] == n]
            if field not in chosen and len(fitting) == 1:
                chosen[field] = fitting[0]
                remarks.append(f"The field '{field}' of {path.name} is the array '{fitting[0]}'.")
        fields = {}
        for field, name in chosen.items():
            _check_type(path, name, arrays[name].dtype)
            check_declared(path, name, arrays[name].shape, arrays[name].dtype.itemsize)
            with archive.open(arrays[name].member) as content:
                fields[field] = np.lib.format.read_array(content, allow_pickle=False)
    others = [f"array '{name}'" for name in arrays if name not in chosen.values()]
    return Contents(
        fields, tuple(LeftOut(name, "it is not a field of an image file") for name in others), tuple(remarks)
    )


@dataclass(frozen=True)
class _Array:
    """What the header of a member of an archive says."""

    member: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def may_be_images(self) -> bool:
        return self.dtype.kind in "buif" and len(self.shape) in (3, 4) and min(self.shape[1:3]) >= MIN_SIDE


def _header(archive: zipfile.ZipFile, member: str) -> _Array:
    """Return what an array is; what is not an array is an empty one of objects, which nothing is taken from."""
    with archive.open(member) as file:
        if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
            return _Array(member, (), np.dtype(object))
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return _Array(member, shape, dtype)


def _images_of(arrays: Mapping[str, _Array], path: Path) -> str:
    """Return the name of the array that can only be the images."""
    candidates = [name for name, array in arrays.items() if array.may_be_images and name.casefold() not in NOT_IMAGES]
    named = [name for name in candidates if name.casefold() in ALIASES["images"]]
    best = named if len(named) == 1 else candidates
    if len(best) == 1:
        return best[0]
    held = [f"'{name}' {array.dtype} {array.shape}" for name, array in list(arrays.items())[:LISTED]]
    more = f" and {len(arrays) - LISTED} more" if len(arrays) > LISTED else ""
    raise UserError(
        f"{path} has no field 'images' (found: {', '.join(held) or 'no array'}{more}); store the images under that"
        " name."
    )


def read_npy(path: Path) -> Fields:
    """Read a ``.npy`` array of unlabelled images."""
    with readable(path, "an npy file", *HEADER_DAMAGES):
        with path.open("rb") as header:
            _check_header(header, path, "images")
        return {"images": np.load(path, allow_pickle=False)}


def _check_header(file: IO[bytes], path: Path, name: str) -> None:
    """Refuse an array by its header: objects, which would have to be unpickled, and what is too large."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    _check_type(path, name, dtype)
    check_declared(path, name, shape, dtype.itemsize)


def _check_type(path: Path, name: str, dtype: np.dtype) -> None:
    if dtype.hasobject:
        raise UserError(
            f"The field '{name}' of {path} holds Python objects, which are never loaded; store plain numbers or text."
        )
