"""Zips of pictures: checked by their table of contents, unpacked beside nothing of the user's, and read as a folder."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ssrvae_core.config import MissingPictures, UserError
from ssrvae_core.data.contents import Contents
from ssrvae_core.data.folders.reader import read_folder
from ssrvae_core.data.formats import ZIP_DAMAGES

MAX_UNPACKED = 2**31
"""Most bytes an archive may hold once it is unpacked."""
UTF8 = 0x800
"""Flag of a member whose name is UTF-8."""
MAX_MEMBERS = 200_000
"""Most files in an archive."""


def read_zip(path: Path, skip_missing: bool = False, *, held: bool = True) -> Contents:
    """Read a zip of pictures as :func:`ssrvae_core.data.folders.reader.read_folder` reads the folder that was packed.

    Raises
    ------
    UserError
        If it is damaged, too large, encrypted, holds links or paths that lead out of it, or no usable pictures.
    """
    members = checked_members(path)
    with tempfile.TemporaryDirectory(prefix="ssrvae-zip-") as room:
        folder = Path(room).resolve()
        _unpack(path, members, folder)
        try:
            return read_folder(folder, skip_missing, held=held)
        except MissingPictures as error:
            raise MissingPictures(_of_the_zip(error, folder, path), error.all_missing) from error
        except UserError as error:
            raise UserError(_of_the_zip(error, folder, path)) from error


def checked_members(path: Path, largest: int = MAX_UNPACKED, most: int = MAX_MEMBERS) -> Sequence[zipfile.ZipInfo]:
    """Return the files of an archive, refused by its table of contents where it is not a harmless one.

    Raises
    ------
    UserError
        If there is too much in it, a link, an encrypted file, or a path that leads out of it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename and not member.is_dir()]
    except ZIP_DAMAGES as error:
        raise UserError(f"{path} cannot be opened ({error}); it may be cut short, so pack it again.") from error
    if len(members) > most:
        raise UserError(f"{path} holds {len(members):,} files, more than the {most:,} that are taken; pack fewer.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > largest:
        raise UserError(
            f"{path} would unpack to {unpacked / 2**30:.1f} GB, more than the {largest / 2**30:.0f} GB that are taken;"
            " pack fewer files."
        )
    for member in members:
        inside = _inside(member)
        if inside.is_absolute() or ".." in inside.parts or re.match("[A-Za-z]:", str(inside)):
            raise UserError(f"{path} holds a file whose path leads out of the archive; pack the folder again.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UserError(f"{path} holds a link; pack the files themselves.")
        if member.flag_bits & 1:
            raise UserError(f"{path} is encrypted; pack it without a password.")
    return members


def _unpack(path: Path, members: Sequence[zipfile.ZipInfo], folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in members:
                target = folder.joinpath(*_inside(member).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    raise UserError(f"{path} holds '{_inside(member)}' twice; pack the folder again.")
                with archive.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    except UserError:
        raise
    except ZIP_DAMAGES as error:
        raise UserError(f"{path} cannot be unpacked; it may be damaged, so pack it again.") from error


def _inside(member: zipfile.ZipInfo) -> PurePosixPath:
    """Return the path of a member; macOS writes UTF-8 and does not say so."""
    name = member.filename
    if not member.flag_bits & UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return PurePosixPath(name.replace("\\", "/"))


def _of_the_zip(error: UserError, folder: Path, path: Path) -> str:
    sentence = str(error).replace(f"The folder {folder} ", f"{path} ")
    return sentence.replace(f"{folder}/", f"{path}/").replace(str(folder), str(path))
