"""The registry of image readers, and image files as data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.data.contents import Contents, Fields
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.fields import image_set, intensity_range
from ssrvae_core.data.formats import read_npy, read_npz
from ssrvae_core.data.hdf5 import HDF5_SUFFIXES, read_hdf5
from ssrvae_core.data.microscopes import ELSEWHERE, PLUGINS, read_microscope, refuse_elsewhere
from ssrvae_core.data.pictures import read_folder, read_picture, visible_files
from ssrvae_core.paths import located

Reader = Callable[[Path], Contents | Fields]

READERS: dict[str, Reader] = {
    ".npz": read_npz,
    ".npy": read_npy,
    **dict.fromkeys(HDF5_SUFFIXES, read_hdf5),
    **dict.fromkeys(PLUGINS, read_microscope),
    **dict.fromkeys(ELSEWHERE, refuse_elsewhere),
    ".tif": read_picture,
    ".tiff": read_picture,
    ".png": read_picture,
    ".jpg": read_picture,
    ".jpeg": read_picture,
}
"""Readers by suffix, each ``(path) -> contents``, or plain fields; add your own: ``READERS[".mrc"] = read_mrc``.

What the fields may hold is said at :func:`ssrvae_core.data.fields.image_set`, which checks them.
"""


def read_images(path: str | Path, intensity: tuple[float, float] | None = None) -> ImageSet:
    """Read an image file or a folder of pictures.

    Parameters
    ----------
    path : str or pathlib.Path
        A file with a suffix in :data:`READERS`, or a folder as :func:`ssrvae_core.data.pictures.read_folder` takes it.
    intensity : (float, float), optional
        Grey levels that become 0 and 1; without it, integers are divided by their type's largest value, and floats
        must lie in [0, 1].

    Raises
    ------
    UserError
        If it cannot be read or holds no usable images; the sentence names the file and the field.
    """
    path = _existing(path)
    return image_set(_read(path).fields, path, intensity)


def _read(path: Path) -> Contents:
    found = read_folder(path) if path.is_dir() else _reader(path)(path)
    return found if isinstance(found, Contents) else Contents(found)


def _reader(path: Path) -> Reader:
    suffix = path.suffix.lower()
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise UserError(f"{path} is of no known image format; give a folder or a file ending in one of {known}.")
    return READERS[suffix]


def file_dataset(path: str | Path, view: Literal["image", "mask", "masked"] = "image") -> DatasetConfig:
    """Return the configuration of an image file or folder, with the fingerprint of its content.

    Where the numbers' type does not say what is black and white, the ``intensity`` does (see
    :func:`ssrvae_core.data.fields.intensity_range`): a model trained on this file sees every other one on its scale.

    Raises
    ------
    UserError
        If there is no such file or folder, or it cannot be read.
    """
    fields = _read(_existing(path)).fields
    intensity = intensity_range(fields["images"]) if "images" in fields else None
    return DatasetConfig(source="file", path=str(path), sha256=fingerprint(path), view=view, intensity=intensity)


def integer_range(path: str | Path) -> tuple[float, float] | None:
    """Return the grey levels of black and white that a file's integers need, None of floats or where the type says it.

    Raises
    ------
    UserError
        If there is no such file or folder, or it cannot be read.
    """
    images = _read(_existing(path)).fields.get("images")
    return None if images is None or images.dtype.kind == "f" else intensity_range(images)


def fingerprint(path: str | Path) -> str:
    """SHA-256 of a file's content, or of the sorted relative paths and contents of a folder's visible files.

    Raises
    ------
    UserError
        If there is no such file or folder, or it cannot be opened.
    """
    path = _existing(path)
    try:
        if path.is_file():
            return _file_digest(path)
        lines = [f"{_file_digest(file)}  {file.relative_to(path).as_posix()}\n" for file in visible_files(path)]
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}); check its permissions.") from error
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_file(config: DatasetConfig) -> ImageSet:
    """Read the images of a ``file`` data set.

    Raises
    ------
    UserError
        If the content is not the one the configuration was made for, or cannot be used.
    """
    path = Path(config.path or "")
    if config.sha256 is not None and fingerprint(path) != config.sha256:
        raise UserError(
            f"The content of {path} has changed since the run was configured; restore the file, or start a new run."
        )
    return read_images(path, config.intensity)


def _existing(path: str | Path) -> Path:
    found = located(path)
    if found is None:
        raise UserError(f"There is no file or folder {path}; check the path.")
    return found


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
