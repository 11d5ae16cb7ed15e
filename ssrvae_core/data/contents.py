"""What a reader finds in a file: the fields, what it left out, and how it took what could be taken in two ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.limits import MAX_VALUES
from ssrvae_core.data.stored import Array, StoredArray

Fields = dict[str, np.ndarray]
"""The fields of an image file by name, see :func:`ssrvae_core.data.fields.image_set`."""


@dataclass(frozen=True)
class LeftOut:
    """Something in a file or a folder that is not among the images.

    Attributes
    ----------
    what : str
        A noun in the plural, such as "files ending in .docx" or "planes that lie in other files".
    why : str
        The reason, as a clause: "no picture format that is read".
    count : int
        How many.
    """

    what: str
    why: str
    count: int = 1


@dataclass(frozen=True)
class Contents:
    """What a reader returns.

    Attributes
    ----------
    fields : dict of str to array
        As :func:`ssrvae_core.data.fields.image_set` takes them.
    left_out : tuple of LeftOut
        What the file or folder holds beside.
    remarks : tuple of str
        How something was taken that could be taken otherwise, and how to change that; a sentence each.
    large : mapping of str to StoredArray
        Fields that are too large to be read at once: the images, and their masks.
    """

    fields: Fields
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()
    large: Mapping[str, StoredArray] = field(default_factory=dict)

    @classmethod
    def of(cls, fields: Mapping[str, Array], left_out: tuple[LeftOut, ...], remarks: tuple[str, ...]) -> Self:
        """Return contents of fields some of which may be too large to be read at once."""
        large = {name: values for name, values in fields.items() if isinstance(values, StoredArray)}
        held = {name: values for name, values in fields.items() if not isinstance(values, StoredArray)}
        return cls(held, left_out, remarks, large)


def check_held(path: Path, contents: Contents) -> None:
    """Refuse contents that are too large to be held in memory.

    Raises
    ------
    UserError
        If they are.
    """
    for name, values in contents.large.items():
        raise UserError(
            f"The field '{name}' of {path} holds {values.size:,} values (shape {values.shape}), more than the"
            f" {MAX_VALUES:,} that are held in memory; store fewer or smaller images, or have 'predict' classify them,"
            " which reads some at a time."
        )


@dataclass(frozen=True)
class Pages:
    """The pages of one picture file.

    Attributes
    ----------
    images : array (N, H, W, C)
        As stored, palettes resolved, upright, without alpha.
    pixel_size : (float, float) or None
        Height and width of a pixel in nanometres, None where the file does not say.
    left_out, remarks
        As in :class:`Contents`.
    """

    images: np.ndarray
    pixel_size: tuple[float, float] | None = None
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = field(default=())


def summed(left_out: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """Return one entry for what is left out for one reason, with the counts added up."""
    counts: dict[tuple[str, str], int] = {}
    for entry in left_out:
        counts[entry.what, entry.why] = counts.get((entry.what, entry.why), 0) + entry.count
    return tuple(LeftOut(what, why, count) for (what, why), count in counts.items())
