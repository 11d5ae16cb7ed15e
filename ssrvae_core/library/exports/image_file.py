"""The particles of a library as an image file (npz) that reads back as a data set with the labels that people know.

Whatever is called a label in such a file trains. So the model's own classes are not, unless that is asked for: a
training on them would learn the mistakes of the last one, and count the images it guessed as labelled ones.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ssrvae_core.data.dataset import UNLABELLED, ImageSet
from ssrvae_core.library.crops import Crops
from ssrvae_core.library.exports.selection import SET_BY, Ids, class_name, selected_rows, whole
from ssrvae_core.library.state import NONE, Library, Origin

CLASS, SET_BY_FIELD = "library_class", "library_set_by"
"""Fields with the name of each particle's class and who says so, which no reader of image files takes for labels."""


def write_image_file(
    path: Path,
    library: Library,
    crops: Crops,
    ids: Ids | None = None,
    *,
    turned: bool = False,
    model_labels: bool = False,
) -> int:
    """Write particles as an image file, whole or not at all, and return how many.

    A particle's label is its class where a person knows it, by label or by hand, and -1 elsewhere. The classes of all
    are :data:`CLASS`, by name, and who set them :data:`SET_BY_FIELD`, as in tables. Intensities are those that the run
    saw, from 0 to 1.

    Parameters
    ----------
    path, library, crops, ids, turned
        As in :func:`ssrvae_core.library.exports.pictures.write_pictures`. Masks are left out of upright images, which
        they do not fit.
    model_labels : bool
        Whether the label of every particle is its class, also where only the model says so.

    Raises
    ------
    UserError
        If one is not a particle of the run, or the file cannot be written.
    """
    from ssrvae_core.data.writing import fields_of

    rows = selected_rows(library, ids)
    assigned = library.assigned[rows]
    chosen = labelled(crops.images.take(rows), assigned if model_labels else library.known[rows], library)
    if turned:
        chosen = replace(chosen, images=crops.rows(rows, turned=True), masks=None)
    fields = fields_of(chosen) | {
        CLASS: np.array([class_name(library, number) for number in assigned.tolist()], dtype=np.str_),
        SET_BY_FIELD: np.array([SET_BY[Origin(origin)] for origin in library.origin[rows].tolist()], dtype=np.str_),
    }
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **fields)
    return len(rows)


def labels_text(library: Library, ids: Ids | None = None, *, model_labels: bool = False) -> str:
    """Say which labels the file of these particles has, in a sentence."""
    rows = selected_rows(library, ids)
    known = int((library.known[rows] != NONE).sum())
    if not model_labels:
        return (
            f"{known:,} of {len(rows):,} have a label, which a person gave; the classes of all are in '{CLASS}', which"
            " no training reads."
        )
    guessed = int((library.assigned[rows] != NONE).sum()) - known
    if not guessed:
        return f"{known:,} of {len(rows):,} have a label, which a person gave."
    return (
        f"{known + guessed:,} of {len(rows):,} have a label, of which {guessed:,} are the model's own classes; a"
        " training on them learns its mistakes, too."
    )


def labelled(images: ImageSet, assigned: np.ndarray, library: Library) -> ImageSet:
    """Return images with classes of a library as their labels, -1 where they have none."""
    numbers = np.array([*library.names])
    labels = np.where(assigned == NONE, UNLABELLED, np.searchsorted(numbers, assigned))
    return replace(images, labels=labels.astype(np.int64), class_names=tuple(library.names.values()))
