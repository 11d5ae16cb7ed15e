"""Reads an HDF5 file, as a job of :mod:`ssrvae_core.data.apart.server`, and says what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import check_held
from ssrvae_core.data.hdf5.reader import read_here
from ssrvae_core.data.stored import blocks


def prepare(request: dict[str, Any]) -> None:
    """Import what reading needs."""
    import ssrvae_core.data.hdf5.choice  # noqa: F401


def serve(request: dict[str, Any]) -> tuple[str | None, None]:
    """Read the file, and answer with the sentence of its error, or none."""
    try:
        path = Path(request["path"])
        contents = read_here(path)
        if request["held"]:
            check_held(path, contents)
        for values in contents.large.values():
            for rows in blocks(values):
                values[rows]
    except UserError as error:
        return str(error), None
    return None, None
