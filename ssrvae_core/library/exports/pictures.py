"""The particles of a library as pictures: a zip with a folder per class."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from ssrvae_core.library.crops import Crops
from ssrvae_core.library.exports.selection import SET_BY, Ids, class_name, selected_rows, whole
from ssrvae_core.library.state import NONE, Library, Origin
from ssrvae_core.library.upright import batches
from ssrvae_core.runs.thumbnails import to_pixels
from ssrvae_core.runs.uploads import harmless_name

UNLABELLED_FOLDER = "unlabelled"
"""Folder of the particles in none of these, which is not a class wherever folders are read."""

README = "README.txt"

_WHEN = (1980, 1, 1, 0, 0, 0)  # the same particles always give the same file
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def write_pictures(path: Path, library: Library, crops: Crops, ids: Ids | None = None, *, turned: bool = False) -> int:
    """Write particles as a zip of PNG files, whole or not at all, and return how many.

    A class is a folder that is called as the class is, without what a folder's name must not have. A picture is called
    ``<id>.png``, and ``<id>_<name>.png`` where its file is known. None of these is the folder "unlabelled", as those
    particles have no class where the zip is read again. ``README.txt`` says how many classes are the model's own, and
    of each picture who set it.

    Parameters
    ----------
    path : Path
        The file; its directory must exist.
    library : Library
        The classes.
    crops : Crops
        The images, of the same run.
    ids : sequence of int, optional
        Which particles; by default all.
    turned : bool
        Whether they are turned upright; else they are as seen.

    Raises
    ------
    UserError
        If one is not a particle of the run, or the file cannot be written.
    """
    rows = selected_rows(library, ids)
    assigned = library.assigned[rows]
    found = np.unique(assigned).tolist()
    folders = folder_names({k: UNLABELLED_FOLDER if k == NONE else class_name(library, k) for k in found})
    lines = []
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for part in batches(len(rows)):
            pixels = to_pixels(crops.rows(rows[part], turned=turned))
            for row, number, picture in zip(rows[part].tolist(), assigned[part].tolist(), pixels, strict=True):
                name = f"{folders[number]}/{_file_name(library, crops, row)}"
                archive.writestr(zipfile.ZipInfo(name, _WHEN), png(picture))
                lines.append(f"{name}\t{SET_BY[Origin(int(library.origin[row]))]}")
        told = "\n".join((folders_text(library, ids), "", "picture\tset by", *lines, ""))
        archive.writestr(zipfile.ZipInfo(README, _WHEN), told)
    return len(rows)


def folders_text(library: Library, ids: Ids | None = None) -> str:
    """Say how many pictures are in a folder because the model says so, in a sentence."""
    rows = selected_rows(library, ids)
    known = int(np.isin(library.origin[rows], (Origin.LABEL, Origin.HAND)).sum())
    if known == len(rows):
        return f"All {known:,} pictures are in the folder where a person put them."
    return (
        f"{len(rows) - known:,} of {len(rows):,} pictures are in the folder where the model puts them, the others where"
        " a person did; the folders are for looking, and a training on them would learn the model's mistakes."
    )


def folder_names(names: dict[int, str]) -> dict[int, str]:
    """Return a folder's name for each class: no path, no reserved name, and no two that differ by case alone."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for number, name in names.items():
        plain = harmless_name(name.replace("/", " ").replace("\\", " ")).strip(" .")
        if not plain or _RESERVED.fullmatch(plain):
            plain = f"class {number}" if number != NONE else "none"
        unique, again = plain, 2
        while unique.casefold() in taken:
            unique, again = f"{plain} {again}", again + 1
        taken.add(unique.casefold())
        found[number] = unique
    return found


def png(pixels: np.ndarray) -> bytes:
    """Return a picture (H, W) or (H, W, 3), uint8, as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _file_name(library: Library, crops: Crops, row: int) -> str:
    number, names = int(library.base.ids[row]), crops.images.names
    if names is None:
        return f"{number}.png"
    stem = harmless_name(PurePosixPath(names[row].replace("\\", "/")).stem).strip(" .")
    return f"{number}_{stem}.png" if stem else f"{number}.png"


def members(names: Iterable[str]) -> dict[int, str]:
    """Return the folder of each sample id in the names of such a zip."""
    pictures = [PurePosixPath(name) for name in names if name != README]
    return {int(re.split(r"[_.]", one.name)[0]): one.parent.name for one in pictures}
