"""The registry of image readers, and image files as data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.data.contents import Contents, Fields, check_held
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.fields import Annotations, annotate, image_set
from ssrvae_core.data.folders.archives import read_zip
from ssrvae_core.data.folders.reader import read_folder, visible_files
from ssrvae_core.data.formats import read_npy, read_npz
from ssrvae_core.data.grey import Scale, scale_of, scaled, whole_range
from ssrvae_core.data.hdf5.reader import HDF5_SUFFIXES, read_hdf5
from ssrvae_core.data.image_array import checked_images, grey_levels
from ssrvae_core.data.microscopes.reader import ELSEWHERE, PLUGINS, read_microscope, refuse_elsewhere
from ssrvae_core.data.pictures.pages import PICTURE_SUFFIXES, read_picture
from ssrvae_core.data.stored import Array
from ssrvae_core.paths import located

Reader = Callable[[Path], Contents | Fields]

READERS: dict[str, Reader] = {
    ".npz": read_npz,
    ".npy": read_npy,
    ".zip": read_zip,
    **dict.fromkeys(HDF5_SUFFIXES, read_hdf5),
    **dict.fromkeys(PLUGINS, read_microscope),
    **dict.fromkeys(ELSEWHERE, refuse_elsewhere),
    **dict.fromkeys(PICTURE_SUFFIXES, read_picture),
}
"""Readers by suffix, each ``(path) -> contents``, or plain fields; add your own: ``READERS[".raw"] = read_raw``.

What the fields may hold is said at :func:`ssrvae_core.data.fields.image_set`, which checks them. A reader opens no
other file than the one it is given, whatever that file names.
"""


@dataclass(frozen=True)
class ImageFile:
    """An image file or a folder of pictures that was read once.

    Attributes
    ----------
    path : pathlib.Path
        Where it is.
    contents : Contents
        What its reader found.
    """

    path: Path
    contents: Contents

    @cached_property
    def pixels(self) -> Array:
        """The images (N, H, W, C) as they are stored.

        Raises
        ------
        UserError
            If they cannot be used.
        """
        return checked_images({**self.contents.fields, **self.contents.large}, self.path)

    @cached_property
    def annotations(self) -> Annotations:
        """All that the file says of its images beside their pixels.

        Raises
        ------
        UserError
            If a field cannot be used.
        """
        n, height, width = self.pixels.shape[:3]
        return annotate(self.contents.fields, (n, height, width), self.path, self.contents.large)

    @cached_property
    def scale(self) -> Scale:
        """The grey levels that are black and white in this file."""
        return scale_of(self.pixels)

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of what was read, see :func:`fingerprint`."""
        return _fingerprint(self.pixels, self.annotations)

    def config(self, view: Literal["image", "mask", "masked"] = "image", skip_missing: bool = False) -> DatasetConfig:
        """Return the configuration of this data set; where the numbers' type does not tell black and white, it does."""
        return DatasetConfig(
            source="file",
            path=str(self.path),
            sha256=self.sha256,
            view=view,
            intensity=self.scale.needed,
            skip_missing=skip_missing,
        )

    def scale_for(self, intensity: tuple[float, float] | None) -> tuple[float, float]:
        """Return the grey levels that become 0 and 1 in :meth:`images`."""
        if intensity is not None:
            return intensity
        return whole_range(self.pixels.dtype) or (self.scale.black, self.scale.white)

    def levels(self, intensity: tuple[float, float] | None) -> tuple[float, float]:
        """Return the grey levels that become 0 and 1, and complain of such as :meth:`images` does not take."""
        return grey_levels(self.pixels, self.path, intensity, self.scale if intensity is None else None)

    def holds(self, config: DatasetConfig) -> bool:
        """Whether this is the data of a configuration, also of one from before the content read was the fingerprint."""
        return config.sha256 == self.sha256 or config.sha256 == _digest_of_bytes(self.path)

    def some(
        self,
        positions: np.ndarray,
        intensity: tuple[float, float] | None = None,
        names: tuple[str, ...] | None = None,
    ) -> ImageSet:
        """Return the images at these positions as :meth:`images` does, without the others being brought onto a scale.

        Parameters
        ----------
        positions : int array (n,)
            Rows, in any order.
        intensity : (float, float), optional
            As in :meth:`images`.
        names : tuple of str, optional
            Of all images, where the file's own are not to be used.
        """
        known = self.annotations
        names = known.names if names is None else names

        def rows(values: Array | None) -> np.ndarray | None:
            return None if values is None else values[positions]

        return ImageSet(
            images=scaled(self.pixels[positions], *self.scale_for(intensity)),
            labels=known.labels[positions],
            ids=known.ids[positions],
            class_names=known.class_names,
            groups=rows(known.groups),
            group_names=known.group_names,
            validation=rows(known.validation),
            masks=rows(known.masks),
            factors={name: values[positions] for name, values in known.factors.items()},
            names=None if names is None else tuple(names[i] for i in positions),
            pixel_size=rows(known.pixel_size),
        )

    def images(self, intensity: tuple[float, float] | None = None) -> ImageSet:
        """Return the images on a scale, see :func:`ssrvae_core.data.fields.image_set`."""
        check_held(self.path, self.contents)
        return image_set(self.contents.fields, self.path, intensity)


def open_images(path: str | Path, skip_missing: bool = False, *, held: bool = True) -> ImageFile:
    """Read an image file or a folder of pictures, once.

    Parameters
    ----------
    path : str or pathlib.Path
        A file with a suffix in :data:`READERS`, or a folder as
        :func:`ssrvae_core.data.folders.reader.read_folder` takes it.
    skip_missing : bool
        Whether lines of a table of labels whose picture is missing are passed over; else they are refused.
    held : bool
        Whether the images have to be such as can be held in memory. Otherwise those of npz, npy and HDF5 files and of
        folders may be more, and are read when they are taken.

    Raises
    ------
    UserError
        If there is no such file or folder, or it cannot be read.
    """
    opened = _opened(_existing(path), skip_missing, held)
    if held:
        check_held(opened.path, opened.contents)
    return opened


def _opened(path: Path, skip_missing: bool, held: bool) -> ImageFile:
    if path.is_dir():
        return ImageFile(path, read_folder(path, skip_missing, held=held))
    if path.suffix.lower() == ".zip":
        return ImageFile(path, read_zip(path, skip_missing, held=held))
    read = _reader(path)
    found = read_hdf5(path, held) if read is read_hdf5 else read(path)
    return ImageFile(path, found if isinstance(found, Contents) else Contents(found))


def read_images(path: str | Path, intensity: tuple[float, float] | None = None) -> ImageSet:
    """Read an image file or a folder of pictures.

    Parameters
    ----------
    path : str or pathlib.Path
        As :func:`open_images` takes it.
    intensity : (float, float), optional
        Grey levels that become 0 and 1; without it, unsigned integers are divided by their type's largest value, other
        integers go from their smallest to their largest value, and floats must lie in [0, 1].

    Raises
    ------
    UserError
        If it cannot be read or holds no usable images; the sentence names the file and the field.
    """
    return open_images(path).images(intensity)


def file_dataset(
    path: str | Path, view: Literal["image", "mask", "masked"] = "image", skip_missing: bool = False
) -> DatasetConfig:
    """Return the configuration of an image file or folder, with the fingerprint of its content.

    Where the numbers' type does not say what is black and white, the ``intensity`` does (see
    :func:`ssrvae_core.data.grey.scale_of`): a model trained on this file sees every other one on its scale.

    Raises
    ------
    UserError
        If there is no such file or folder, or it cannot be read.
    """
    return open_images(path, skip_missing).config(view, skip_missing)


def fingerprint(path: str | Path) -> str:
    """SHA-256 of what is read from a file or a folder: images, labels, groups, parts, masks, names, sizes and factors.

    The same images and labels have one fingerprint in every format and byte order, packed or not, wherever they are;
    pictures of a folder that are called otherwise have another.

    Raises
    ------
    UserError
        If there is no such file or folder, or it cannot be read.
    """
    return open_images(path).sha256


def read_file(config: DatasetConfig) -> ImageSet:
    """Read the images of a ``file`` data set.

    Raises
    ------
    UserError
        If the content is not the one the configuration was made for, or cannot be used.
    """
    return open_file(config).images(config.intensity)


def open_file(config: DatasetConfig) -> ImageFile:
    """Open the file or folder of a ``file`` data set.

    Raises
    ------
    UserError
        If the content is not the one the configuration was made for.
    """
    opened = open_images(config.path or "", config.skip_missing)
    if not opened.holds(config):
        raise UserError(
            f"The content of {config.path} has changed since the run was configured; restore the file, or start a new"
            " run."
        )
    return opened


def _reader(path: Path) -> Reader:
    suffix = path.suffix.lower()
    if suffix not in READERS:
        known = ", ".join(suffix for suffix in READERS if suffix not in ELSEWHERE)
        raise UserError(f"{path} is of no known image format; give a folder or a file ending in one of {known}.")
    return READERS[suffix]


def _fingerprint(pixels: Array, known: Annotations) -> str:
    digest = hashlib.sha256()

    def add(name: str, values: Array) -> None:
        little = values.dtype.newbyteorder("<")
        digest.update(f"{name} {little.str} {values.shape}\n".encode("utf-8", "surrogatepass"))
        for start in range(0, len(values), 1024):
            digest.update(np.ascontiguousarray(values[start : start + 1024], dtype=little).data)

    def add_texts(name: str, texts: tuple[str, ...]) -> None:
        digest.update(f"{name} {len(texts)}\n".encode() + "\0".join(texts).encode("utf-8", "surrogatepass") + b"\n")

    add("images", pixels)
    add("labels", known.labels)
    add("ids", known.ids)
    add_texts("class_names", known.class_names)
    for name, values in (
        *(("groups", known.groups), ("validation", known.validation)),
        *(("masks", known.masks), ("pixel_size", known.pixel_size)),
    ):
        if values is not None:
            add(name, values)
    for name, texts in (("names", known.names), ("group_names", known.group_names)):
        if texts is not None:
            add_texts(name, texts)
    for name in sorted(known.factors):
        add(f"factors/{name}", known.factors[name])
    return digest.hexdigest()


def _digest_of_bytes(path: Path) -> str:
    """Return what was a data set's fingerprint before the content read was: of the bytes of its files."""
    try:
        if path.is_file():
            return _file_digest(path)
        lines = [f"{_file_digest(file)}  {file.relative_to(path).as_posix()}\n" for file in visible_files(path)]
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}); check its permissions.") from error
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _existing(path: str | Path) -> Path:
    found = located(path)
    if found is None:
        raise UserError(f"There is no file or folder {path}; check the path.")
    return found


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
