"""Reads an HDF5 file, as a job of :mod:`ssrvae_core.data.apart.server`, and says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

from ssrvae_core.config import UserError
from ssrvae_core.data.hdf5.reader import read_here


def prepare(request: dict[str, Any]) -> None:
    """Nothing is left to import."""


def serve(request: dict[str, Any], questions: IO[bytes], answers: IO[bytes]) -> None:
    """Read the file, and answer with the sentence of its error, or null."""
    sentence = None
    try:
        read_here(Path(request["path"]))
    except UserError as error:
        sentence = str(error)
    answers.write(json.dumps(sentence).encode() + b"\n")
