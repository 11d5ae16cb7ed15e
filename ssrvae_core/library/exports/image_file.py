"""The particles of a library as an image file (npz) that reads back as a data set with these classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ssrvae_core.data.dataset import UNLABELLED, ImageSet
from ssrvae_core.library.crops import Crops
from ssrvae_core.library.exports.selection import Ids, selected_rows, whole
from ssrvae_core.library.state import NONE, Library


def write_image_file(
    path: Path, library: Library, crops: Crops, ids: Ids | None = None, *, turned: bool = False
) -> int:
    """Write particles as an image file, whole or not at all, and return how many.

    Every particle has the library's class as its label, those of none of these -1. Intensities are those that the run
    saw, from 0 to 1.

    Parameters
    ----------
    path, library, crops, ids, turned
        As in :func:`ssrvae_core.library.exports.pictures.write_pictures`. Masks are left out of upright images, which
        they do not fit.

    Raises
    ------
    UserError
        If one is not a particle of the run, or the file cannot be written.
    """
    from ssrvae_core.data.writing import fields_of

    rows = selected_rows(library, ids)
    chosen = labelled(crops.images.take(rows), library.assigned[rows], library)
    if turned:
        chosen = replace(chosen, images=crops.rows(rows, turned=True), masks=None)
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **fields_of(chosen))
    return len(rows)


def labelled(images: ImageSet, assigned: np.ndarray, library: Library) -> ImageSet:
    """Return images with classes of a library as their labels, -1 where they have none."""
    numbers = np.array([*library.names])
    labels = np.where(assigned == NONE, UNLABELLED, np.searchsorted(numbers, assigned))
    return replace(images, labels=labels.astype(np.int64), class_names=tuple(library.names.values()))
