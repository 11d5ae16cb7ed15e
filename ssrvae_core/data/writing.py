"""Writing a data set as an image file that reads back as the same."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from ssrvae_core.data.contents import Fields
from ssrvae_core.data.dataset import ImageSet, Split
from ssrvae_core.data.fields import FACTOR, PARTS


def fields_of(images: ImageSet) -> Fields:
    """Return the fields of an image file, as :func:`ssrvae_core.data.fields.image_set` reads them.

    Parameters
    ----------
    images : ImageSet
        Any data set; what it does not have is left out. How its samples look as labelled ones cannot be written.
    """
    pixels = images.images.transpose(0, 2, 3, 1)
    fields: Fields = {
        "images": pixels[..., 0] if pixels.shape[3] == 1 else pixels,
        "labels": images.labels,
        "class_names": np.array(images.class_names, dtype=np.str_),
        "ids": images.ids,
    }
    optional = {"groups": images.groups, "masks": images.masks, "pixel_size": images.pixel_size}
    fields |= {name: values for name, values in optional.items() if values is not None}
    if images.validation is not None:
        fields["split"] = np.array(PARTS)[images.validation.astype(int)]
    if images.group_names is not None:
        fields["group_names"] = np.array(images.group_names, dtype=np.str_)
    if images.names is not None:
        fields["names"] = np.array(images.names, dtype=np.str_)
    return fields | {FACTOR + name: values for name, values in images.factors.items()}


def npz_bytes(fields: Mapping[str, np.ndarray]) -> bytes:
    """Return the content of a compressed npz; the same fields always give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **fields)
    return buffer.getvalue()


def joined(parts: Split) -> ImageSet:
    """Put the parts of a split together again, each image as a model sees it: hidden labels stay hidden.

    Returns
    -------
    ImageSet
        In the order of the ids. Split with every label it has, it gives the same parts.
    """
    pieces = (parts.labelled, parts.unlabelled, parts.validation)
    order = np.argsort(np.concatenate([piece.ids for piece in pieces]))

    def together(name: str) -> np.ndarray | None:
        arrays = [getattr(piece, name) for piece in pieces]
        return None if any(array is None for array in arrays) else np.concatenate(arrays)[order]

    names = None if pieces[0].names is None else [name for piece in pieces for name in piece.names or ()]
    images, labels, ids = (np.concatenate([getattr(p, n) for p in pieces])[order] for n in ("images", "labels", "ids"))
    return ImageSet(
        images=images,
        labels=labels,
        ids=ids,
        class_names=parts.labelled.class_names,
        groups=together("groups"),
        group_names=parts.labelled.group_names,
        pixel_size=together("pixel_size"),
        validation=np.repeat([False, False, True], [len(piece) for piece in pieces])[order],
        masks=together("masks"),
        factors={n: np.concatenate([p.factors[n] for p in pieces])[order] for n in pieces[0].factors},
        names=None if names is None else tuple(names[i] for i in order),
    )
