"""What every export begins with: which particles, checked, and a file that is whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Int

from ssrvae_core.config import UserError
from ssrvae_core.library.entries import NONE_OF_THESE
from ssrvae_core.library.state import NONE, Library, Origin
from ssrvae_core.runs.files import replacing

Ids = Sequence[int] | np.ndarray

SET_BY = {Origin.MODEL: "model", Origin.LABEL: "label", Origin.OUTLIER: "outlier", Origin.HAND: "hand"}
"""What exports call who set a particle's class."""


def selected_rows(library: Library, ids: Ids | None) -> Int[np.ndarray, " m"]:
    """Return the positions of particles in the order of their ids, each once; of None all.

    Raises
    ------
    UserError
        If none is selected, or one is not a particle of the run.
    """
    if ids is None:
        return np.arange(len(library.base.ids))
    rows = np.unique(library.base.rows(ids)) if len(ids) else np.array([], dtype=np.int64)
    if not len(rows):
        raise UserError("No particle is selected, so there is nothing to export; select one or more first.")
    return rows


def class_name(library: Library, number: int) -> str:
    """Return the name of a class, or what particles without one are called."""
    return NONE_OF_THESE if number == NONE else library.names[number]


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path; what is written there takes the place of ``path`` at the end, or nothing does.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:  # of pyarrow's, the text names the temporary file
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise UserError(f"{path} cannot be written ({why}); choose another place.") from error
