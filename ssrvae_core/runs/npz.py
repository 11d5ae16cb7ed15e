"""Arrays of a run as they are read from its npz files, and what is said of those that cannot be."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.formats import HEADER_DAMAGES, ZIP_DAMAGES

_DAMAGED = "it is damaged or cut short"


class UnreadableArrays(UserError):
    """A file whose arrays cannot be read.

    Attributes
    ----------
    what : str
        Which file, and why it cannot be read: the sentence without its advice and its full stop.
    """

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}; {advice}.")
        self.what = what


def read_npz(
    path: Path, required: list[str], advice: str = "delete the run and train it again"
) -> dict[str, np.ndarray]:
    """Read every array of an npz, without pickles.

    Raises
    ------
    UnreadableArrays
        If it cannot be read, or lacks an array that is required; the sentence ends with the advice, unless the file is
        whole and too large for the memory.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive.items())
    except MemoryError as error:
        reason = _DAMAGED if _asks_too_much(path) else "it does not fit into memory"
        if reason != _DAMAGED:
            advice = "close other programs, or use a machine with more memory"
        raise UnreadableArrays(f"{path} cannot be read ({reason})", advice) from error
    except (*ZIP_DAMAGES, *HEADER_DAMAGES) as error:
        # What libraries say of a damaged file may quote its bytes.
        reason = (isinstance(error, OSError) and error.strerror) or _DAMAGED
        raise UnreadableArrays(f"{path} cannot be read ({reason})", advice) from error
    if missing := [name for name in required if name not in arrays]:
        raise UnreadableArrays(f"{path} has no array '{missing[0]}'", advice)
    return arrays


def _asks_too_much(path: Path) -> bool:
    """Whether the header of an array asks for more than the file holds of it: then it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as member:
                    first = np.lib.format.read_magic(member) == (1, 0)
                    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
                    shape, _, dtype = read(member)
                    if member.tell() + math.prod(shape) * dtype.itemsize > entry.file_size:
                        return True
    except (*ZIP_DAMAGES, *HEADER_DAMAGES, MemoryError):
        return True
    return False
