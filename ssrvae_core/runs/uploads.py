"""Files that were handed in: kept in the store by the hash of their content, and called as their owners called them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FOLDER = "uploads"
"""The store's folder of them."""
LABEL = ".json"
"""Suffix of the file beside each that says what it was called."""

_STORED = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{2,5}")
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Upload:
    """A file in the store.

    Attributes
    ----------
    path : Path
        ``<store>/uploads/<sha256>.<suffix>``.
    name : str
        What the visitor called it, without markup.
    uploaded : float
        Unix time.
    """

    path: Path
    name: str
    uploaded: float

    @property
    def id(self) -> str:
        """The first 12 hex digits of the content's SHA-256."""
        return self.path.name[:12]


def uploads(root: Path) -> list[Upload]:
    """Return the files kept in a store's folder, the newest first."""
    paths = [path for path in (root / FOLDER).glob("*.*") if _STORED.fullmatch(path.name) and path.suffix != LABEL]
    found = [Upload(path.absolute(), _name(path), path.stat().st_mtime) for path in paths if path.is_file()]
    return sorted(found, key=lambda upload: (-upload.uploaded, upload.id))


def with_owners_names(text: str, root: Path) -> str:
    """Return a text with the files that were uploaded called as their owners called them."""

    def named(found: re.Match[str]) -> str:
        path = root / FOLDER / found[0]
        return _name(path) if path.exists() else found[0]

    return _STORED.sub(named, text)


def label_path(path: Path) -> Path:
    """Return the file beside an upload that says what it was called."""
    return path.with_suffix(LABEL)


def _name(path: Path) -> str:
    """Return what an upload was called, or the beginning of its hash where that is not known."""
    try:
        return harmless_name(json.loads(label_path(path).read_text("utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{path.name[:12]}{path.suffix}"


def harmless_name(name: str) -> str:
    """Return a file name without folders and markup, cut in its middle where it is long."""
    plain = re.sub(r"[^\w .+-]", "", PurePosixPath(str(name).replace("\\", "/")).name).strip() or "file"
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[: _LONGEST_NAME - 12]}..{plain[-10:]}"
