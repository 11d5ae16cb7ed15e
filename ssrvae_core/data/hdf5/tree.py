"""What lies in one HDF5 file, found without another file ever being opened.

HDF5 can have other files read in four ways: external links, soft links whose path leads through one, virtual data sets
and external storage. h5py follows the links even when it is asked whether a name exists or what link it is, so names
are resolved here component by component with the low-level interface, which looks at the link itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5g, h5l, h5o, h5r

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import LeftOut
from ssrvae_core.data.formats import readable

MAX_OBJECTS = 10_000
"""Most objects that are looked at when a file's arrays are searched."""
MAX_DEPTH = 32
MAX_LINKS = 16
"""Most soft links on the way to one object; the same as HDF5's own limit."""
MAX_ATTRIBUTE = 1000
"""Most values of an attribute that is looked at."""
DAMAGES = (OSError, RuntimeError, ValueError, LookupError, TypeError, NotImplementedError, MemoryError)
"""What h5py raises on damaged bytes, and on types that it does not know."""


class ElsewhereError(Exception):
    """Something lies in another file."""


class NowhereError(Exception):
    """A name, or a soft link on its way, leads to nothing in this file."""


@dataclass(frozen=True)
class Array:
    """A data set, by what its header declares.

    Attributes
    ----------
    name : str
        Its path in the file, without the slash at the beginning.
    shape : tuple of int
        As declared.
    dtype : numpy.dtype or None
        None where numpy has no such type.
    """

    name: str
    dataset: Any
    shape: tuple[int, ...]
    dtype: np.dtype | None

    @property
    def parent(self) -> str:
        """Path of the group it is in."""
        return self.name.rpartition("/")[0]

    @property
    def last(self) -> str:
        """Its own name."""
        return self.name.rpartition("/")[2]

    def __str__(self) -> str:
        return f"'{shown(self.name)}' of shape {self.shape} and type {self.dtype or 'unknown'}"


@dataclass
class Tree:
    """The arrays and groups of an open file, found breadth first.

    Attributes
    ----------
    file : h5py.File
        Open for reading.
    path : pathlib.Path
        For the messages.
    """

    file: Any
    path: Path
    arrays: list[Array] = field(default_factory=list)
    groups: dict[str, Any] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
    nowhere: int = 0
    broken: int = 0
    whole: bool = True

    def __post_init__(self) -> None:
        self._walk()

    def get(self, name: str) -> Any:
        """Return the h5py object of a path, None where there is nothing.

        Raises
        ------
        UserError
            If it lies in another file, or cannot be opened.
        """
        try:
            return self._resolve(self.file, name.encode(errors="surrogateescape"), [])
        except NowhereError:
            return None
        except ElsewhereError as error:
            raise self.lies_elsewhere(name) from error

    def lies_elsewhere(self, name: str) -> UserError:
        """Return the error for what lies in another file; it never says which, or whether that file exists."""
        return UserError(
            f"The field '{shown(name)}' of {self.path} lies in another file, and only the file itself is read; copy"
            " the array into it."
        )

    def array(self, name: str) -> Array | None:
        """Return the array of a path, None where there is nothing.

        Raises
        ------
        UserError
            If it is not an array, or lies in another file.
        """
        found = self.get(name)
        if found is None:
            return None
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise UserError(f"The field '{shown(name)}' of {self.path} is not an array; store it as an HDF5 data set.")
        return declared(name, found)

    def names_in(self, group: str) -> list[str]:
        """Return the names in a group, none where there is no such group."""
        found = self.get(group)
        return [decoded(name) for name in found.id] if isinstance(found, h5py.Group) else []

    def referenced(self, reference: Any) -> Any:
        """Return the object that a reference leads to, None where that is none of this file's arrays and groups."""
        if not reference:
            return None
        try:
            return self._wrapped(h5r.dereference(reference, self.file.id))
        except ElsewhereError:
            return None

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return what the file points to and does not hold."""
        entries = [
            LeftOut("arrays and links that lead to other files", "only the file itself is read", len(self.elsewhere)),
            LeftOut("links that lead nowhere", "the file holds nothing of that name", self.nowhere),
            LeftOut("objects that cannot be opened", "they are damaged or of a kind that is not known", self.broken),
        ]
        return tuple(entry for entry in entries if entry.count)

    def _walk(self) -> None:
        """Collect what can be reached, each object once, under the shortest of its paths."""
        seen = {_address(self.file.id)}
        queue = [("", self.file, 0)]
        looked = 0
        while queue:
            prefix, group, depth = queue.pop(0)
            self.groups[prefix] = group
            for raw in _names(group):
                looked += 1
                if looked > MAX_OBJECTS:
                    self.whole = False
                    return
                name = f"{prefix}/{decoded(raw)}".lstrip("/")
                item = self._look(group, raw, name)
                if item is None or _address(item.id) in seen:
                    continue
                seen.add(_address(item.id))
                if isinstance(item, h5py.Group):
                    if depth < MAX_DEPTH:
                        queue.append((name, item, depth + 1))
                    else:
                        self.whole = False
                else:
                    self._take(name, item)

    def _look(self, group: Any, raw: bytes, name: str) -> Any:
        """Open what a group names, None where that is not possible or not an array or group."""
        try:
            return self._step(group, raw, [])
        except ElsewhereError:
            self.elsewhere.append(name)
        except NowhereError:
            self.nowhere += 1
        except DAMAGES:
            self.broken += 1
        return None

    def _take(self, name: str, dataset: Any) -> None:
        try:
            if dataset.shape is not None:
                self.arrays.append(declared(name, dataset))
        except DAMAGES:
            self.broken += 1

    def _resolve(self, start: Any, path: bytes, links: list[bytes]) -> Any:
        """Walk a path from a group, component by component."""
        at = self.file if path.startswith(b"/") else start
        for part in path.split(b"/"):
            if part not in (b"", b"."):
                if not isinstance(at, h5py.Group):
                    raise NowhereError
                at = self._step(at, part, links)
        return at

    def _step(self, group: Any, name: bytes, links: list[bytes]) -> Any:
        """Open one name in a group; ``links`` are the soft links that were followed to here."""
        if not group.id.links.exists(name):
            raise NowhereError
        kind = group.id.links.get_info(name).type
        if kind == h5l.TYPE_HARD:
            return self._wrapped(h5o.open(group.id, name))
        if kind != h5l.TYPE_SOFT:
            raise ElsewhereError  # an external link, or one of a kind that somebody's program defines
        links.append(name)
        if len(links) > MAX_LINKS:
            raise NowhereError
        return self._resolve(group, group.id.links.get_val(name), links)

    def _wrapped(self, identifier: Any) -> Any:
        """Return the h5py object of an identifier, None where it is neither an array nor a group."""
        if isinstance(identifier, h5g.GroupID):
            return h5py.Group(identifier)
        if not isinstance(identifier, h5d.DatasetID):
            return None  # a named type
        plan = identifier.get_create_plist()
        virtual = (
            plan.get_layout() == h5d.VIRTUAL
        )  # asked first: even the shape of a virtual data set opens its sources
        if plan.get_external_count() or (virtual and not self._is_self_contained(plan)):
            raise ElsewhereError
        return h5py.Dataset(identifier)

    def _is_self_contained(self, plan: Any) -> bool:
        """Whether all sources of a virtual data set are plain arrays of this file."""
        for at in range(plan.get_virtual_count()):
            source = plan.get_virtual_dsetname(at)
            if plan.get_virtual_filename(at) != "." or "%" in source:
                return False
            if not self._is_plain(source.encode(errors="surrogateescape")):
                return False
        return True

    def _is_plain(self, name: bytes) -> bool:
        """Whether a path leads over hard links alone to an array that is stored in this file."""
        at: Any = self.file.id
        for part in filter(None, name.split(b"/")):
            if not isinstance(at, h5g.GroupID) or not at.links.exists(part):
                return False
            if at.links.get_info(part).type != h5l.TYPE_HARD:
                return False
            at = h5o.open(at, part)
        if not isinstance(at, h5d.DatasetID):
            return False
        plan = at.get_create_plist()
        return plan.get_layout() != h5d.VIRTUAL and not plan.get_external_count()


def _names(group: Any) -> Iterator[bytes]:
    try:
        yield from group.id
    except DAMAGES:
        return


def _address(identifier: Any) -> tuple[int, ...]:
    info = h5o.get_info(identifier)
    return (info.fileno, info.addr)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading.

    Raises
    ------
    UserError
        If it cannot be read, or another program writes to it.
    """
    try:
        with readable(path, "an HDF5 file", RuntimeError, LookupError, TypeError), h5py.File(path, "r") as file:
            yield file
    except UserError as error:
        if isinstance(error.__cause__, BlockingIOError):
            raise UserError(f"{path} is open for writing in another program; close it there.") from error
        raise


def decoded(name: bytes) -> str:
    """Return a name as text, whatever its bytes are."""
    return name.decode(errors="surrogateescape")


def shown(name: str) -> str:
    """Return a name of the file as it may stand in a sentence."""
    harmless = re.sub(r"[^\w/+#@%()\[\]:-]", "_", name.encode(errors="replace").decode())
    return harmless if len(harmless) <= 60 else f"{harmless[:57]}___"


def declared(name: str, dataset: Any) -> Array:
    """Return what the header of a data set declares."""
    try:
        dtype = np.dtype(dataset.dtype)
    except TypeError:
        dtype = None  # h5py knows no such type
    return Array(name, dataset, tuple(int(side) for side in dataset.shape), dtype)


def attribute(item: Any, name: str) -> Any:
    """Return a small attribute: text as str, one value as a scalar, several as an array; None where there is none."""
    with suppress(*DAMAGES):
        if not h5py.h5a.exists(item.id, name.encode()):
            return None
        shape = item.attrs.get_id(name).shape
        if shape is None or np.prod(shape, dtype=float) > MAX_ATTRIBUTE:
            return None
        value = item.attrs[name]
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return value
    return None
