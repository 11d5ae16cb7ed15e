"""Readers of numpy's formats, ``.npz`` and ``.npy``. Nothing is ever unpickled."""

from __future__ import annotations

import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Fields
from ssrvae_core.data.fields import is_field
from ssrvae_core.data.limits import check_declared

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
            f"{path} cannot be read as {kind} ({reason.rstrip('.')}); it may be damaged or cut short, so save it anew."
        ) from error


def read_npz(path: Path) -> Fields:
    """Read the fields of a ``.npz`` archive."""
    fields: Fields = {}
    with (
        readable(path, "an npz file", zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, *HEADER_DAMAGES),
        zipfile.ZipFile(path) as archive,
    ):
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            if is_field(name):
                with archive.open(member) as header:
                    _check_header(header, path, name)
                with archive.open(member) as content:
                    fields[name] = np.lib.format.read_array(content, allow_pickle=False)
    return fields


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
