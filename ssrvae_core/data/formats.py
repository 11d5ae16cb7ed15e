"""Readers of numpy's formats, ``.npz`` and ``.npy``. Nothing is ever unpickled."""

from __future__ import annotations

import lzma
import math
import tokenize
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Contents, LeftOut
from ssrvae_core.data.fields import is_field
from ssrvae_core.data.limits import MIN_SIDE, check_declared, check_rows, is_large
from ssrvae_core.data.stored import StoredArray, check_unchanged, state_of

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
        fields, large = {}, {}
        for field, name in chosen.items():
            _check_type(path, name, arrays[name].dtype)
            if field in ("images", "masks") and arrays[name].is_read_in_parts:
                _check_rows_together(path, name, arrays[name])
                check_rows(path, name, arrays[name].shape)
                large[field] = _in_archive(path, arrays[name])
                continue
            check_declared(path, name, arrays[name].shape, arrays[name].dtype.itemsize)
            with archive.open(arrays[name].member) as content:
                fields[field] = np.lib.format.read_array(content, allow_pickle=False)
    others = [f"array '{name}'" for name in arrays if name not in chosen.values()]
    left_out = tuple(LeftOut(name, "it is not a field of an image file") for name in others)
    return Contents(fields, left_out, tuple(remarks), large)


@dataclass(frozen=True)
class _Array:
    """What the header of a member of an archive says."""

    member: str
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int = 0
    by_columns: bool = False

    @property
    def is_read_in_parts(self) -> bool:
        """Whether it can be images, and is too large to be read at once."""
        numbers = len(self.shape) in (3, 4) and self.dtype.kind in "buif"
        return numbers and is_large(self.shape, self.dtype.itemsize)

    @property
    def may_be_images(self) -> bool:
        return self.dtype.kind in "buif" and len(self.shape) in (3, 4) and min(self.shape[1:3]) >= MIN_SIDE


def _header(archive: zipfile.ZipFile, member: str) -> _Array:
    """Return what an array is; what is not an array is an empty one of objects, which nothing is taken from."""
    with archive.open(member) as file:
        if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
            return _Array(member, (), np.dtype(object))
    with archive.open(member) as file:
        return _declared(file, member)


def _declared(file: IO[bytes], member: str = "") -> _Array:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    return _Array(member, shape, dtype, file.tell(), by_columns)


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


def read_npy(path: Path) -> Contents:
    """Read a ``.npy`` array of unlabelled images."""
    with readable(path, "an npy file", *HEADER_DAMAGES):
        with path.open("rb") as header:
            array = _declared(header)
        _check_type(path, "images", array.dtype)
        if array.is_read_in_parts:
            _check_rows_together(path, "images", array)
            check_rows(path, "images", array.shape)
            return Contents({}, large={"images": _RowReader(path, array, "an npy file").array})
        check_declared(path, "images", array.shape, array.dtype.itemsize)
        return Contents({"images": np.load(path, allow_pickle=False)})


def _check_rows_together(path: Path, name: str, array: _Array) -> None:
    if array.by_columns:
        raise UserError(
            f"The field '{name}' of {path} lies by columns (Fortran's order), in which {math.prod(array.shape):,}"
            " values cannot be read image by image; save numpy.ascontiguousarray of it."
        )


def _in_archive(path: Path, array: _Array) -> StoredArray:
    """Return an array of an archive whose rows are read when they are asked for."""
    return _RowReader(path, array, "an npz file", lambda file: zipfile.ZipFile(file).open(array.member)).array


class _RowReader:
    """Reads rows of one array, from a file that stays open and must stay as it was.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    declared : _Array
        What the array's header says.
    kind : str
        What the file is, for the messages.
    member : callable, optional
        Gives the stream that the array is in, of the open file; by default that is the file itself.
    """

    def __init__(
        self, path: Path, declared: _Array, kind: str, member: Callable[[IO[bytes]], IO[bytes]] = lambda file: file
    ) -> None:
        self.path, self.kind, self.declared = path, kind, declared
        with ExitStack() as files:
            file = files.enter_context(path.open("rb"))
            self.stream = files.enter_context(member(file))
            self.close = weakref.finalize(self, files.pop_all().close)
        self.number, self.state = file.fileno(), state_of(file.fileno())

    @property
    def array(self) -> StoredArray:
        return StoredArray(self.declared.shape, self.declared.dtype, self.read)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows as they are stored.

        Raises
        ------
        UserError
            If they cannot be read, or the file has changed since it was opened.
        """
        shape = (stop - start, *self.declared.shape[1:])
        row = int(np.prod(shape[1:], dtype=np.int64)) * self.declared.dtype.itemsize
        with readable(self.path, self.kind, *ZIP_DAMAGES):
            self.stream.seek(self.declared.offset + start * row)
            content = self.stream.read(shape[0] * row)
            check_unchanged(self.path, self.state, state_of(self.number))
            if len(content) < shape[0] * row:
                raise EOFError("it ends before its last image")
            return np.frombuffer(content, self.declared.dtype).reshape(shape)


def _check_type(path: Path, name: str, dtype: np.dtype) -> None:
    if dtype.hasobject:
        raise UserError(
            f"The field '{name}' of {path} holds Python objects, which are never loaded; store plain numbers or text."
        )
