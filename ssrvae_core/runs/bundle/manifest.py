"""What a bundle is: a zip with the files of its runs, ``<id>/<file>``, and a manifest with the SHA-256 of each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from ssrvae_core.config import Frozen, describe
from ssrvae_core.runs import directory
from ssrvae_core.runs.bundle.archive import MAX_ENTRIES, Archive, Refusal
from ssrvae_core.runs.bundle.documents import parse_object
from ssrvae_core.schema import canonical_json, run_id_of

FORMAT: Final = "ssrvae-bundle"
VERSION = 3
"""Counts up with every change of what a bundle's files hold, :data:`ssrvae_core.config.SCHEMA_VERSION` among them.

Version 2 may have small pictures of the validation images; version 3 may have what a run says of all its images, and
small pictures of all of them. A bundle is written in the lowest version that can say what
it holds, so that older programs take what they can.
"""

NEW_FILES = {directory.THUMBNAILS: 2, directory.PARTICLES: 3}
"""Files that runs of lower versions do not have, and the version they came with."""

MANIFEST = "manifest.json"
MAX_RUNS = 256

Files = dict[str, bytes]
"""The files of one run, by name."""

MIGRATIONS: dict[int, Callable[[Files], Files]] = {1: lambda files: files, 2: lambda files: files}
"""Turns the files of a run of one version into those of the next; a version below 1 never was."""

_MEMBER = re.compile(r"([0-9a-f]{12})/([a-z][a-z0-9.-]{0,60})")
_LARGEST = MAX_ENTRIES * 200


class Listed(Frozen):
    """One file of a bundle, as the manifest lists it."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(Frozen):
    """The content of ``manifest.json``."""

    format: Literal["ssrvae-bundle"] = FORMAT
    version: int = VERSION
    files: dict[str, Listed]


def listed(content: bytes) -> Listed:
    """Return what the manifest says of a file."""
    return Listed(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def version_of(names: Iterable[str]) -> int:
    """Return the lowest version of a bundle whose runs have files of these names."""
    return max((NEW_FILES.get(name, 1) for name in names), default=1)


def config_id(content: bytes) -> str:
    """Return the id of a run from its ``config.json`` as it is.

    Unlike :attr:`ssrvae_core.config.RunConfig.run_id` it does not change when a later version has more settings.

    Raises
    ------
    Refusal
        If this is not a JSON object.
    """
    values = parse_object(content, directory.CONFIG)
    return run_id_of(canonical_json(values))


class Bundle:
    """A bundle whose container and manifest are all in order; what its files say is not judged here.

    Parameters
    ----------
    file : seekable binary file
        The bundle.

    Raises
    ------
    Refusal
        If it is none, is of a version that is not known, or holds something the manifest does not list.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._archive = Archive(file, "the bundle", packed=True)
        entry = self._archive.entries.get(MANIFEST)
        if entry is None:
            raise Refusal(f"it has no {MANIFEST}, so it is not a bundle; 'export' writes one")
        if entry.size > _LARGEST:
            raise Refusal(f"its {MANIFEST} is larger than {_LARGEST:,} bytes")
        self.version, self._listed = _manifest(self._archive.read(MANIFEST))
        names = self._archive.entries.keys() - {MANIFEST}
        for name in sorted(names):
            if not _MEMBER.fullmatch(name):
                raise Refusal(f"it holds {name[:100]!r}, which has no place in a bundle")
            if NEW_FILES.get(name[13:], self.version) > self.version:
                raise Refusal(f"it holds {name}, which bundles of its version {self.version} do not have")
        if odd := names ^ self._listed.keys():
            raise Refusal(f"{min(odd)[:100]!r} is not both in the bundle and in its {MANIFEST}")
        self._names: dict[str, list[str]] = {}
        for name in sorted(names):
            self._names.setdefault(name[:12], []).append(name[13:])
        if not 0 < len(self._names) <= MAX_RUNS:
            raise Refusal(f"it holds {len(self._names)} runs, but must hold between 1 and {MAX_RUNS}")

    def runs(self) -> Iterator[tuple[str, Files]]:
        """Yield the id and the files of each run, migrated to this version.

        Raises
        ------
        Refusal
            If a file is not the one the manifest lists, or a run's id is not that of its configuration.
        """
        for run_id, names in self._names.items():
            files = {name: self._read(f"{run_id}/{name}") for name in names}
            if config_id(files.get(directory.CONFIG, b"")) != run_id:
                raise Refusal(f"run {run_id} has a configuration that gives another id")
            for version in range(self.version, VERSION):
                files = MIGRATIONS[version](files)
            yield config_id(files[directory.CONFIG]), files

    def _read(self, name: str) -> bytes:
        expected = self._listed[name]
        if self._archive.entries[name].size != expected.bytes:
            raise Refusal(f"{name} has another size than {MANIFEST} lists")
        content = self._archive.read(name)
        if listed(content) != expected:
            raise Refusal(f"{name} has another SHA-256 than {MANIFEST} lists")
        return content


def _manifest(content: bytes) -> tuple[int, dict[str, Listed]]:
    values: dict[str, Any] = parse_object(content, MANIFEST)
    version = values.get("version")
    if values.get("format") != FORMAT or type(version) is not int:
        raise Refusal(f"its {MANIFEST} is not that of a bundle of runs")
    if version > VERSION:
        raise Refusal(f"it is of version {version}, newer than the {VERSION} this program reads; update the program")
    if version < VERSION and version not in MIGRATIONS:
        raise Refusal(f"it is of version {version}, which this program does not read")
    try:
        return version, Manifest.model_validate_json(content).files
    except ValidationError as error:
        raise Refusal(f"its {MANIFEST} is not valid: {describe(error)[:300].rstrip('.')}") from error
