"""Folders of pictures as data sets: class folders, a table of labels, train and test folders, images and masks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Contents, LeftOut, Pages, summed
from ssrvae_core.data.fields import PARTS
from ssrvae_core.data.folders.layout import Place, below_leading_folders, places
from ssrvae_core.data.folders.layout import remarks as layout_remarks
from ssrvae_core.data.folders.matching import Matched, Names, match
from ssrvae_core.data.folders.stacking import Stack, stack
from ssrvae_core.data.folders.tables import TABLES, Table, read_table
from ssrvae_core.data.hdf5.reader import HDF5_SUFFIXES
from ssrvae_core.data.labels import from_texts, is_unlabelled, normal
from ssrvae_core.data.limits import MAX_VALUES
from ssrvae_core.data.microscopes.reader import PLUGINS, read_microscope
from ssrvae_core.data.pictures.pages import PICTURE_SUFFIXES, read_pages
from ssrvae_core.data.stored import Array, StoredArray, ends

FOLDER_SUFFIXES = (*PICTURE_SUFFIXES, *PLUGINS)
"""Endings of the files that are images in a folder: pictures, and microscopes' own formats."""
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
TABLE_SUFFIXES = (".csv", ".tsv", ".xls", ".xlsx", ".ods")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
ARRAY_SUFFIXES = (".npz", ".npy", *HDF5_SUFFIXES)
NO_GROUP = "no group"


@dataclass(frozen=True)
class _Picture:
    """A picture file: where it is, its path within the data set, and its place there."""

    file: Path
    name: str
    place: Place


def read_folder(path: Path, skip_missing: bool = False, *, held: bool = True) -> Contents:
    """Read a folder of pictures.

    Every folder in it is a class, named for it. Pictures beside the class folders, or in a folder called "unlabelled"
    or the like (see :func:`ssrvae_core.data.labels.is_unlabelled`), are unlabelled. Folders called "train" and "test"
    or the like, above the class folders, are the split; a folder of masks beside one of images holds their masks. A
    table of labels (see :data:`ssrvae_core.data.folders.tables.TABLES`) says what of that it has a column for, and
    pictures it does not name are unlabelled. Every page of a TIFF is an image. Linked folders are followed.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    skip_missing : bool
        Whether rows of the table whose picture is missing are passed over.
    held : bool
        Whether the pictures have to be such as can be held in memory; otherwise more go into a temporary file.

    Raises
    ------
    UserError
        If it holds no picture, a class folder holds none, or pictures and table do not fit.
    """
    files = visible_files(path)
    relative = [PurePosixPath(normal(file.relative_to(path).as_posix())) for file in files]
    are_pictures = [file.suffix.lower() in FOLDER_SUFFIXES for file in files]
    if not any(are_pictures):
        found = _endings([file for file in files if file.suffix])
        raise UserError(
            f"The folder {path} holds no picture that can be read{f' (it holds {found})' if found else ''}; put files"
            f" ending in {', '.join(PICTURE_SUFFIXES)} into it."
        )
    is_table = [name.name.casefold() in TABLES for name in relative]
    root = below_leading_folders(
        [name for name, is_picture in zip(relative, are_pictures, strict=True) if is_picture],
        [name for name, yes in zip(relative, is_table, strict=True) if yes],
    )
    within = [name.relative_to(root) if name.is_relative_to(root) else name for name in relative]
    stand = places(within)
    pictures = [
        _Picture(file, str(name), place)
        for file, name, place, is_picture in zip(files, within, stand, are_pictures, strict=True)
        if is_picture
    ]
    images = sorted((p for p in pictures if not p.place.is_mask), key=lambda picture: picture.name)
    tables = [file for file, name in zip(files, within, strict=True) if str(name).casefold() in TABLES]
    tables.sort(key=lambda file: TABLES.index(file.name.casefold()))
    table, names = None, Names([picture.name for picture in images])
    if tables:
        table = read_table(tables[0], names.has)
    if table is None or "label" not in table.roles:
        _check_class_folders(path, path.joinpath(root), images, stand)
    matched = Matched() if table is None else match(table, names, skip_missing)
    pixels = stack([picture.file for picture in images], path, _read_file, held=held)
    masks, without_mask = _masks(images, [p for p in pictures if p.place.is_mask], pixels, path, held)
    fields, remarks = _fields(images, pixels, table, matched)
    if table is None or "label" not in table.roles:
        remarks = (*layout_remarks([PurePosixPath(picture.name) for picture in pictures]), *remarks)
    else:
        remarks = (*_folders_not_used(images, table, matched), *remarks)
    unread = [f for f, picture in zip(files, are_pictures, strict=True) if not picture and f not in tables[:1]]
    missing = [] if table is None else [LeftOut(f"rows of {table.path.name}", "their picture is missing")]
    left_out = [*pixels.left_out, *missing * len(matched.missing), *_unread(unread, table), *without_mask]
    said = () if table is None else table.remarks
    return Contents.of(fields | masks, summed(left_out), (*said, *pixels.remarks, *remarks))


def visible_files(folder: Path) -> list[Path]:
    """Return the files below a folder in the order of their relative path, without hidden files and folders.

    Folders that are links are followed, each once.

    Raises
    ------
    UserError
        If a folder cannot be opened.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be opened ({error.strerror}); check its permissions.") from error

    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:  # folders before links to folders, so that none loses its own name to a link
        links: list[Path] = []
        for start in waiting:
            for place, folders, names in os.walk(start, onerror=refuse):
                here = os.stat(place)
                if (here.st_dev, here.st_ino) in seen:
                    folders.clear()
                    continue
                seen.add((here.st_dev, here.st_ino))
                folders[:] = sorted(name for name in folders if not _is_hidden(name))
                links += [Path(place, name) for name in folders if Path(place, name).is_symlink()]
                found += [Path(place, name) for name in names if not _is_hidden(name) and Path(place, name).is_file()]
        waiting = links
    return sorted(found, key=lambda file: normal(file.relative_to(folder).as_posix()))


def _is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: what a system or a program keeps there for itself."""
    return name.startswith(".") or (name.startswith("__") and not is_unlabelled(name)) or name == "Thumbs.db"


def _read_file(file: Path, room: int) -> Pages:
    """Read the images of one file of a folder, no more than ``room`` values."""
    if file.suffix.lower() not in PLUGINS:
        return read_pages(file, room)
    found = read_microscope(file)
    images = found.fields["images"]
    if images.size > room:
        raise UserError(f"The folder of {file} holds more than {MAX_VALUES:,} pixel values; read fewer at once.")
    sizes = found.fields.get("pixel_size")
    known = None if sizes is None else (float(sizes[0, 0]), float(sizes[0, 1]))
    return Pages(images if images.ndim == 4 else images[..., None], known, found.left_out, found.remarks)


def _check_class_folders(path: Path, root: Path, images: Sequence[_Picture], stand: Sequence[Place]) -> None:
    """Refuse a class folder without a picture: its class would be lost."""
    with_pictures = {picture.place.text for picture in images}
    named = {place.text for place in stand if place.text and not place.is_mask}
    for entry in sorted(root.iterdir()):  # a folder without any file is in no file's path
        if entry.is_dir() and not _is_hidden(entry.name) and not any(visible_files(entry)):
            named.add(normal(entry.name))
    lost = sorted(name for name in named - with_pictures if not is_unlabelled(name))
    within = (
        next((root / lost[0] / table for table in TABLES if (root / lost[0] / table).is_file()), None) if lost else None
    )
    if within is not None:
        raise UserError(
            f"{within} is a table of labels, but no picture is in its folder; put it beside the folders of pictures."
        )
    if lost:
        raise UserError(
            f"The folder '{lost[0]}' of {path} holds no picture that can be read; put pictures ending in"
            f" {', '.join(PICTURE_SUFFIXES)} into it, or remove it."
        )


def _fields(
    images: Sequence[_Picture], pixels: Stack, table: Table | None, matched: Matched
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the fields of all pages, and how labels were understood."""
    roles = () if table is None else table.roles
    rows = list(_pages(images, pixels.counts, table, matched))
    names = [name for name, _, _ in rows]
    texts = [said.get("label", "") if "label" in roles else picture.place.text for _, picture, said in rows]
    labels = from_texts(texts)
    fields: dict[str, Array] = {
        "images": pixels.images,
        "labels": labels.index,
        "class_names": np.array(labels.class_names, dtype=np.str_),
        "names": np.array(names),
    }
    if "split" in roles:
        fields["split"] = np.array([said.get("split", "") or PARTS[0] for _, _, said in rows])
    elif any(picture.place.part for picture in images):
        fields["split"] = np.array([picture.place.part or PARTS[0] for _, picture, _ in rows])
    if "group" in roles:
        fields["groups"] = np.array([said.get("group", "") or NO_GROUP for _, _, said in rows])
    if pixels.pixel_size is not None:
        fields["pixel_size"] = pixels.pixel_size
    return fields, labels.remarks


def _pages(
    images: Sequence[_Picture], counts: np.ndarray, table: Table | None, matched: Matched
) -> Iterator[tuple[str, _Picture, dict[str, str]]]:
    """Yield every page: its name, its picture, and what the table says of it."""
    named: dict[int, list[int]] = {}
    for at, page in matched.values:
        if page is not None:
            named.setdefault(at, []).append(page)
    for position, (picture, count) in enumerate(zip(images, counts, strict=True)):
        beyond = [page for page in named.get(position, ()) if page >= count]
        if beyond and table is not None:
            raise UserError(
                f"{table.path} names page {beyond[0]} of {picture.name}, which has {count} pages, counted from 0;"
                " correct the number."
            )
        for page in range(count):
            name = picture.name if count == 1 else f"{picture.name}#{page}"
            yield name, picture, matched.of(position, page)


def _folders_not_used(images: Sequence[_Picture], table: Table, matched: Matched) -> tuple[str, ...]:
    """Say that folders are not classes where a table says what the labels are and passes over pictures in them."""
    said = {position for position, _ in matched.values}
    lost = [picture.place.text for position, picture in enumerate(images) if position not in said]
    folders = sorted({text for text in lost if text and not is_unlabelled(text)})
    if not folders:
        return ()
    return (
        f"Labels come from {table.path.name} alone: {len(lost)} pictures that it does not name are unlabelled, also in"
        f" the folders {', '.join(folders[:3])}.",
    )


def _masks(
    images: Sequence[_Picture], masks: Sequence[_Picture], pixels: Stack, path: Path, held: bool
) -> tuple[dict[str, Array], list[LeftOut]]:
    """Return the masks of all images, and what is left out of them."""
    if not masks:
        return {}, []
    by_key = {mask.place.key: mask for mask in masks}
    paired = [by_key.get(picture.place.key) for picture in images]
    lacking = [picture.name for picture, mask in zip(images, paired, strict=True) if mask is None]
    if lacking:
        shown = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        return {}, [LeftOut("masks", f"{len(lacking):,} of {len(images):,} images have none ({shown})", len(masks))]
    own = [mask for mask in paired if mask is not None]
    read = stack([mask.file for mask in own], path, _read_file, held=held)
    if read.images.shape[:3] != pixels.images.shape[:3]:
        n, height, width = pixels.images.shape[:3]
        raise UserError(
            f"{path} has {n:,} images of {height} x {width} pixels, but its {len(read.images):,} masks are"
            f" {read.images.shape[1]} x {read.images.shape[2]}; save a mask of the same size for each image."
        )
    lossy = any(mask.file.suffix.lower() in JPEG_SUFFIXES for mask in own)
    level = ends(read.images)[1] / 2 if lossy else 0  # JPEG blurs the edge of a mask
    unused = len(masks) - len(own)
    left_out = [LeftOut("masks", "there is no image of their name", unused)] if unused else []

    def inside(values: np.ndarray) -> np.ndarray:
        return np.any(values > level, axis=3)

    found = read.images
    return {
        "masks": found.mapped(inside, found.shape[:3]) if isinstance(found, StoredArray) else inside(found)
    }, left_out


def _unread(files: Sequence[Path], table: Table | None) -> list[LeftOut]:
    """Return what is left out of a folder as it is not a picture, by ending."""
    tables = [file for file in files if file.name.casefold() in TABLES]
    counts = Counter(file.suffix.lower() for file in files if file not in tables)
    why = (
        "it is not in the folder where the data set begins"
        if table is None
        else f"another one, {table.path.name}, is read"
    )
    return [LeftOut(str(Path(file.parent.name, file.name)), why) for file in tables] + [
        LeftOut(f"files ending in {ending}" if ending else "files without ending", _why(ending), count)
        for ending, count in sorted(counts.items())
    ]


def _why(ending: str) -> str:
    if ending in TABLE_SUFFIXES:
        return f"a table of labels has to be called {TABLES[0]}"
    if ending in ARCHIVE_SUFFIXES:
        return "an archive within is not unpacked"
    return "such a file is read by itself only" if ending in ARRAY_SUFFIXES else "this format is not read"


def _endings(files: Sequence[Path]) -> str:
    counts = Counter(file.suffix.lower() for file in files)
    return ", ".join(f"{count} {ending}" for ending, count in counts.most_common(4))
