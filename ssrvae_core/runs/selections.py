"""Selections of particles that are kept in a store under a name, for everybody who looks at the same data.

A journal for each data set, ``explorer/<key>.jsonl``: a line of JSON for every selection that was kept or forgotten,
oldest first. What is kept are sample ids, which mean the same for every run on the data.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.data.labels import normal
from ssrvae_core.runs.files import writing
from ssrvae_core.runs.mode import require_editor

FOLDER = "explorer"
LONGEST_NAME, MOST_BYTES = 60, 4 * 2**20
"""Characters of a name, and bytes of the ids of one selection."""
_ID = r"-?\d{1,19}"
_RANGES = re.compile(rf"{_ID}(-{_ID})?(\.{_ID}(-{_ID})?)*", re.ASCII)


@dataclass(frozen=True)
class Kept:
    """A selection: its name, and its ids as ranges, ``3-8.12``."""

    name: str
    ids: str


def key_of(dataset: DatasetConfig) -> str:
    """Return what tells the images of a data set from others, wherever their file is: 12 hexadecimal digits."""
    same = dataset.model_dump_json(exclude={"path"} if dataset.sha256 else set())
    return hashlib.sha256(same.encode()).hexdigest()[:12]


def kept(root: Path, key: str) -> list[Kept]:
    """Return the selections of a data set in a store, in the order of their names.

    A line that cannot be read, as it was not written to its end, counts as none.
    """
    try:
        lines = (root / FOLDER / f"{key}.jsonl").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: dict[str, Kept] = {}
    for line in lines:
        match _parsed(line):
            case {"name": str(name), "ids": str(ids)} if _RANGES.fullmatch(ids):
                found[name] = Kept(name, ids)
            case {"name": str(name), "ids": None}:
                found.pop(name, None)
    return sorted(found.values(), key=lambda one: (one.name.casefold(), one.name))


def keep(root: Path, key: str, name: str, ids: str | None) -> None:
    """Keep a selection under a name, in place of one that had it; or forget it, with None for its ids.

    Parameters
    ----------
    root : Path
        The store.
    key : str
        What :func:`key_of` returns.
    name : str
        At most 60 characters.
    ids : str, optional
        Ranges of sample ids, ``3-8.12``.

    Raises
    ------
    UserError
        If the store is only looked at or cannot be written, the name is empty or too long, or the ids are not ranges.
    """
    require_editor()
    name = " ".join(normal(name).split())
    if not name or len(name) > LONGEST_NAME:
        raise UserError(f"The name of a selection has 1 to {LONGEST_NAME} characters; choose another one.")
    if ids is not None and (len(ids) > MOST_BYTES or not _RANGES.fullmatch(ids)):
        raise UserError(f"The selection '{name}' cannot be kept, as it does not name its particles; select them again.")
    line = json.dumps({"time": time.time(), "name": name, "ids": ids}) + "\n"
    with writing(f"The store {root}"):
        folder = root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{key}.jsonl").open("a+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # the last line was not written to its end
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
