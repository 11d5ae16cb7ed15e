"""Files that visitors hand in are checked on the server before they are kept in the store."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ssrvae_core.config import MissingPictures, UserError
from ssrvae_core.data.folders.archives import checked_members
from ssrvae_core.data.folders.reader import FOLDER_SUFFIXES
from ssrvae_core.data.folders.tables import TABLES
from ssrvae_core.data.hdf5.reader import HDF5_BEGINNINGS, HDF5_SUFFIXES
from ssrvae_core.data.microscopes import reader as microscopes
from ssrvae_core.data.pictures.pages import PICTURE_SUFFIXES, STARTS, TIFF_SUFFIXES
from ssrvae_core.data.readers import ImageFile, open_images
from ssrvae_core.data.summary import Summary, summary
from ssrvae_core.data.writing import npz_bytes
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.files import atomic_write
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.uploads import FOLDER, Upload, harmless_name, label_upload, upload_at, uploads

MAX_BYTES = 200 * 2**20
"""Largest file that is taken; the same as server.maxUploadSize."""
MAX_UNPACKED = 2**30
"""Most bytes an archive may hold once it is unpacked."""
MAX_MEMBERS = 50_000
"""Most files in an archive."""
MAX_IMAGES = 200_000
"""Most images in a file."""

CONVERTED = frozenset((".zip", *HDF5_SUFFIXES, *microscopes.PLUGINS, *TIFF_SUFFIXES))
"""What is kept as npz: to read it again takes longer, or a process of its own, or depends on what it is called."""
BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    ".npz": (b"PK\x03\x04",),
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),  # the second of one that holds nothing
    ".npy": (b"\x93NUMPY",),
    **dict.fromkeys(HDF5_SUFFIXES, HDF5_BEGINNINGS),
    **microscopes.BEGINNINGS,
    **dict.fromkeys(PICTURE_SUFFIXES, (*(start for start, _ in STARTS), b"RIFF")),
}
"""What a file of each kind begins with."""


def keep(name: str, content: bytes, store: RunStore, skip_missing: bool = False) -> Upload:
    """Check a file, and keep it in the store under the fingerprint of its content; what is slow to read is kept as npz.

    Content that is there already keeps the name it has, which the returned upload has, too.

    Parameters
    ----------
    name : str
        What the visitor called it; only its suffix decides anything.
    content : bytes
        Its content.
    store : RunStore
        Where it goes.
    skip_missing : bool
        Whether rows of a table of labels whose picture is missing are passed over.

    Returns
    -------
    Upload
        The one that is there already where the same content was handed in before, under whatever name.

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
        path = Path(room) / name  # which an OME-TIFF may go by to tell its own planes
        path.write_bytes(content)
        try:
            if suffix in (".zip", ".npz"):
                checked_members(path, MAX_UNPACKED, MAX_MEMBERS)
            opened = open_images(path, skip_missing)
            found = summary(opened)
        except MissingPictures as error:
            raise MissingPictures(str(error).replace(str(path), name), error.all_missing) from error
        except UserError as error:
            raise UserError(str(error).replace(str(path), name)) from error
    if found.images > MAX_IMAGES:
        raise UserError(
            f"{name} holds {found.images:,} images, more than the {MAX_IMAGES:,} that are taken; upload fewer."
        )
    known = next((upload for upload in uploads(store.root) if upload.path.stem == found.sha256), None)
    if known is not None:
        return known
    if suffix in CONVERTED:
        content, suffix = npz_bytes(opened.contents.fields), ".npz"
    stored = folder / f"{found.sha256}{suffix}"
    atomic_write(stored, content)
    label_upload(stored, name, sha256=found.sha256, read=told(opened, found))
    return upload_at(stored)


@dataclass(frozen=True)
class Given:
    """A file that a visitor hands in, under the path it has in the folder that was chosen, if one was.

    ``called`` is how a sentence calls what was packed here, under a name that nobody gave it.
    """

    name: str
    content: bytes
    called: str = ""

    def in_words(self, sentence: str) -> str:
        """Return a sentence about this file without the name that it was packed under."""
        return sentence.replace(f"{self.name}/", "").replace(self.name, self.called) if self.called else sentence


def gathered(files: Sequence[Given]) -> list[Given]:
    """Return the data sets among files that are handed in together: all pictures are one, with a table of labels.

    Parameters
    ----------
    files : sequence of Given
        Each by its name, or its path within a folder, where subfolders say classes and the like as in a zip.

    Returns
    -------
    list of Given
        Files that hold a data set by themselves as they are, then a zip of all pictures where there are several.
    """
    parts = [file for file in files if _is_part(file.name)]
    if len(parts) == 1 or all(_is_table(file.name) for file in parts):  # nothing that belongs together
        return list(files)
    others = [file for file in files if file not in parts]
    return [*others, Given(_name_of(parts), _zipped(parts), _called(parts))]


def _is_part(name: str) -> bool:
    """Whether a file is one of many that make a data set together: a picture, or a table that labels them."""
    return PurePosixPath(name.lower()).suffix in FOLDER_SUFFIXES or _is_table(name)


def _is_table(name: str) -> bool:
    return PurePosixPath(name.lower()).name in TABLES


def _name_of(parts: Sequence[Given]) -> str:
    return f"{_folder_of(parts) or _counted(parts)}.zip"


def _called(parts: Sequence[Given]) -> str:
    folder = _folder_of(parts)
    return f"the folder {folder}" if folder else f"the {_counted(parts)}"


def _counted(parts: Sequence[Given]) -> str:
    n = sum(not _is_table(file.name) for file in parts)
    return f"{n} {'picture' if n == 1 else 'pictures'}"


def _folder_of(parts: Sequence[Given]) -> str:
    """Return the name of the one folder that all files are in; empty where they are in several, or in none."""
    tops = {path.parts[0] for path in (_inside(file.name) for file in parts) if len(path.parts) > 1}
    return next(iter(tops)) if len(tops) == 1 else ""


def _inside(name: str) -> PurePosixPath:
    """Return the path of a file within its folder, whatever it says."""
    return PurePosixPath(*(part for part in PurePosixPath(name).parts if part not in ("/", "//", "..")))


def _zipped(files: Sequence[Given]) -> bytes:
    packed = io.BytesIO()
    seen: Counter[str] = Counter()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in files:
            path = _inside(file.name)
            seen[str(path)] += 1
            again = seen[str(path)] - 1  # two folders may have been chosen one after the other
            archive.writestr(str(path.with_stem(f"{path.stem}-{again}") if again else path), file.content)
    return packed.getvalue()


# Checks before anything is read.


def _check_beginning(name: str, suffix: str, content: bytes) -> None:
    if _is_table(name):
        raise UserError(f"{name} says the classes of pictures, but no picture came with it; choose both together.")
    if suffix not in BEGINNINGS:
        raise UserError(f"{name} is of no known image format; upload a file ending in one of {', '.join(BEGINNINGS)}.")
    if len(content) > MAX_BYTES:
        raise UserError(f"{name} has {len(content) / 2**20:.0f} MB, more than the {MAX_BYTES // 2**20} that are taken.")
    if not content.startswith(BEGINNINGS[suffix]):
        raise UserError(f"{name} is not a {suffix} file, whatever its name says; save it in that format again.")


def told(opened: ImageFile, found: Summary) -> dict[str, Any]:
    """Return what the label of an upload says of what was read, so that no page reads the file for it again."""
    return {
        "lines": list(found.lines()),
        "scale": list(found.scale),
        "needed": opened.scale.needed,
        "masks": found.masks,
    }
