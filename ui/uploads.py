"""Files that visitors hand in are checked on the server before they are kept in the store."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ssrvae_core.config import UserError
from ssrvae_core.data import file_dataset, load
from ssrvae_core.data.pictures import LABEL_TABLE, PICTURE_SUFFIXES, read_folder
from ssrvae_core.data.writing import npz_bytes
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.files import atomic_write
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.uploads import FOLDER, Upload, harmless_name, label_upload

MAX_BYTES = 200 * 2**20
"""Largest file that is taken; the same as server.maxUploadSize."""
MAX_UNPACKED = 2**30
"""Most bytes an archive may hold once it is unpacked."""
MAX_MEMBERS = 50_000
"""Most files in an archive."""
MAX_IMAGES = 200_000
"""Most images in a file."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    ".npz": (b"PK\x03\x04",),
    ".zip": (b"PK\x03\x04",),
    ".npy": (b"\x93NUMPY",),
    ".h5": (b"\x89HDF\r\n\x1a\n",),
    ".hdf5": (b"\x89HDF\r\n\x1a\n",),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
}
"""What a file of each kind begins with."""


def keep(name: str, content: bytes, store: RunStore) -> Upload:
    """Check a file, and keep it in the store under the hash of its content; a zip of pictures is kept as npz.

    Content that is there already keeps the name it has, which the returned upload has, too.

    Parameters
    ----------
    name : str
        What the visitor called it; only its suffix decides anything.
    content : bytes
        Its content.
    store : RunStore
        Where it goes.

    Raises
    ------
    UserError
        If nothing may be changed here, or the file is too large, not what its name says, or holds no usable images.
    """
    require_editor()
    name = harmless_name(name)
    suffix = PurePosixPath(name).suffix.lower()
    _check_beginning(name, suffix, content)
    folder = store.root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".checking-", dir=folder) as room:
        path = Path(room) / f"file{suffix}"
        try:
            if suffix in (".zip", ".npz"):
                _check_archive(name, content)
            if suffix == ".zip":
                content, suffix = _pictures(content, Path(room) / "unpacked"), ".npz"
                path = path.with_suffix(suffix)
            path.write_bytes(content)
            if suffix in (".h5", ".hdf5"):
                _check_hdf5(path)
            n = len(load(file_dataset(path)))
        except UserError as error:
            raise UserError(str(error).replace(f"{path.parent}/unpacked", name).replace(str(path), name)) from error
    if n > MAX_IMAGES:
        raise UserError(f"{name} holds {n:,} images, more than the {MAX_IMAGES:,} that are taken; upload fewer.")
    stored = folder / f"{hashlib.sha256(content).hexdigest()}{suffix}"
    atomic_write(stored, content)
    name = label_upload(stored, name)
    return Upload(stored.absolute(), name, stored.stat().st_mtime)


# Checks before anything is read.


def _check_beginning(name: str, suffix: str, content: bytes) -> None:
    if suffix not in BEGINNINGS:
        raise UserError(f"{name} is of no known image format; upload a file ending in one of {', '.join(BEGINNINGS)}.")
    if len(content) > MAX_BYTES:
        raise UserError(f"{name} has {len(content) / 2**20:.0f} MB, more than the {MAX_BYTES // 2**20} that are taken.")
    if not content.startswith(BEGINNINGS[suffix]):
        raise UserError(f"{name} is not a {suffix} file, whatever its name says; save it anew in that format.")


def _check_archive(name: str, content: bytes) -> None:
    """Refuse an archive by its table of contents: too much in it, links, or paths that lead out of it."""
    for member in _members(name, content):
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", str(path)):
            raise UserError(f"{name} holds a file whose path leads out of the archive; pack the folder anew.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UserError(f"{name} holds a link; pack the files themselves.")
        if member.flag_bits & 1:
            raise UserError(f"{name} is encrypted; pack it without a password.")


def _members(name: str, content: bytes) -> Sequence[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir() and member.filename]
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(f"{name} cannot be opened ({error}); it may be cut short, so pack it anew.") from error
    if len(members) > MAX_MEMBERS:
        raise UserError(f"{name} holds {len(members):,} files, more than the {MAX_MEMBERS:,} that are taken.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_UNPACKED:
        raise UserError(f"{name} would unpack to {unpacked / 2**30:.1f} GB, more than the 1 GB that is taken.")
    return members


def _check_hdf5(path: Path) -> None:
    """Refuse an HDF5 file that has other files read: by links, external storage or virtual data sets."""
    import h5py

    def visit(group: h5py.Group) -> None:
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise UserError(f"{path} holds a link ('{harmless_name(key)}'); store the array itself.")
            item = group[key]
            if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                field = harmless_name(key)
                raise UserError(f"The field '{field}' of {path} lies in another file; store the array itself.")
            if isinstance(item, h5py.Group) and group.name == "/":
                visit(item)  # the factors; nothing deeper is read

    try:
        with h5py.File(path, "r") as file:
            visit(file)
    except UserError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read as an HDF5 file; it may be damaged, so save it anew.") from error


# A zip of pictures.


def _pictures(content: bytes, folder: Path) -> bytes:
    """Unpack the pictures of a checked archive, and return them as an npz."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        wanted = [(member, _inside(member)) for member in archive.infolist()]
        wanted = [(member, path) for member, path in wanted if _is_wanted(path)]
        top = {path.parts[0] for _, path in wanted}
        # The folder itself was packed, not what is in it, if one folder holds everything and classes inside.
        packed = len(top) == 1 and any(len(path.parts) > 2 or path.name == LABEL_TABLE for _, path in wanted)
        for member, path in wanted:
            target = folder.joinpath(*(path.parts[1:] if packed and len(path.parts) > 1 else path.parts))
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError) as error:
                raise UserError(f"{folder} cannot be unpacked; it may be damaged, so pack it anew.") from error
    folder.mkdir(exist_ok=True)
    return npz_bytes(read_folder(folder))


def _inside(member: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))


def _is_wanted(path: PurePosixPath) -> bool:
    """Whether a file is a picture or the table of labels, and not hidden."""
    if any(part.startswith((".", "__")) for part in path.parts):
        return False
    return path.suffix.lower() in PICTURE_SUFFIXES or path.name == LABEL_TABLE
