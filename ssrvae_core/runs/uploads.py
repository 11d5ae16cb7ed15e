"""Files that were handed in: kept in the store by the hash of their content, and called as their owners called them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ssrvae_core.runs.files import write_json, writing
from ssrvae_core.runs.mode import require_editor

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

    @property
    def told(self) -> dict[str, Any]:
        """What its label says of what was read from it; empty for one that an earlier version kept."""
        read = _label(self.path).get("read")
        return read if isinstance(read, dict) else {}

    def has_content(self, sha256: str) -> bool:
        """Whether this is the fingerprint of what it holds.

        Runs that were configured by earlier versions have the hash of the file's bytes, which is in its name; later
        ones that of the content read, which is in its label.
        """
        return sha256 in (self.path.stem, _label(self.path).get("sha256"))


def upload_at(path: Path) -> Upload:
    """Return the upload that is kept at a path."""
    return Upload(path.absolute(), _name(path), path.stat().st_mtime)


def uploads(root: Path) -> list[Upload]:
    """Return the files kept in a store's folder, the newest first."""
    paths = [path for path in (root / FOLDER).glob("*.*") if is_upload_name(path.name) and path.suffix != LABEL]
    found = [upload_at(path) for path in paths if path.is_file()]
    return sorted(found, key=lambda upload: (-upload.uploaded, upload.id))


def delete_upload(upload: Upload) -> None:
    """Delete a file that was handed in, and what is said of it.

    Raises
    ------
    UserError
        If the store cannot be written, or this is a viewer.
    """
    require_editor()
    with writing(f"The store {upload.path.parent.parent}"):
        upload.path.unlink(missing_ok=True)
        label_path(upload.path).unlink(missing_ok=True)


def label_upload(path: Path, name: str, **told: Any) -> str:
    """Label a file in the store, unless it has a label that can be read, and return the name that it goes by.

    The same content may be handed in twice under different names. The first name stays, as runs, reports and captions
    already use it.

    Parameters
    ----------
    path : Path
        The file as it is kept.
    name : str
        What the visitor called it.
    **told
        What else the label says of the file; it is added where the label does not have it yet.
    """
    known = _label(path)
    if not isinstance(known.get("name"), str):
        known = {**known, "name": harmless_name(name)}
    label = {**told, **known}
    if label != _label(path):
        write_json(label_path(path), label)
    return harmless_name(label["name"])


def known_as(upload: Upload, name: str) -> str:
    """Say that content was here already under another name than a visitor's, empty where it was not."""
    own = harmless_name(name)
    return "" if own == upload.name else f"The content of {own} is here already as {upload.name}, and keeps that name."


def is_upload_name(name: str) -> bool:
    """Whether a file name is one that uploads are kept under, which says nothing to people."""
    return _STORED.fullmatch(name) is not None


def with_owners_names(text: str, root: Path) -> str:
    """Return a text with the files that were uploaded called as their owners called them."""

    def named(found: re.Match[str]) -> str:
        path = root / FOLDER / found[0]
        return _name(path) if path.exists() else found[0]

    return _STORED.sub(named, text)


def label_path(path: Path) -> Path:
    """Return the file beside an upload that says what it was called."""
    return path.with_suffix(LABEL)


def _label(path: Path) -> dict[str, Any]:
    """Return what the label of an upload says, nothing where there is none that can be read."""
    try:
        label = json.loads(label_path(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return label if isinstance(label, dict) else {}


def _name(path: Path) -> str:
    """Return what an upload was called, or the beginning of its hash where that is not known."""
    name = _label(path).get("name")
    return harmless_name(name) if isinstance(name, str) else short_name(path.name)


def short_name(name: str) -> str:
    """Return the name of a kept file with the beginning of its hash alone, for where nothing else is known of it."""
    return f"{name[:12]}{PurePosixPath(name).suffix}"


def harmless_name(name: str) -> str:
    """Return a file name without folders and markup, cut in its middle where it is long."""
    plain = re.sub(r"[^\w .+-]", "", PurePosixPath(str(name).replace("\\", "/")).name).strip() or "file"
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[: _LONGEST_NAME - 12]}..{plain[-10:]}"
