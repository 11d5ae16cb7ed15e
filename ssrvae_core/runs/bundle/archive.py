"""A zip file read so strictly that every byte of it is accounted for.

The format (PKWARE's APPNOTE 6.3) has much room to say two things at once, and most attacks live there: a name or size
that differs between the two headers, entries that overlap, links, encryption, extra fields. Only what :func:`write`
writes is read: plain entries, one after the other from the first byte, then the directory, then its end.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

MAX_BYTES = 2**31
"""Most bytes of a whole archive, packed and unpacked."""

MAX_ENTRIES = 4096
"""Most files in an archive."""

MAX_RATIO = 100
"""Most bytes that a packed byte may become on average, of entries that unpack to more than ``FREE_BYTES``."""

FREE_BYTES = 2**20
STEP = 2**18

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_DIRECTORY = 0x10  # of the DOS attributes
_WRAPPING = 6  # bytes that zlib puts around what it deflates
_WHEN = (1980, 1, 1, 0, 0, 0)


class Refusal(ValueError):
    """Why a bundle is not taken: a clause without a full stop, to be put into a sentence."""


@dataclass(frozen=True)
class Entry:
    """One file of an archive, as both of its headers describe it."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int

    @property
    def start(self) -> int:
        """Where its packed bytes begin."""
        return self.offset + _LOCAL.size + len(self.name)

    @property
    def end(self) -> int:
        """Where its packed bytes end."""
        return self.start + self.packed


def write(file: IO[bytes], entries: Iterable[tuple[str, bytes]], *, packed: bool) -> None:
    """Write files of ASCII names as a zip that says nothing but them: equal files give an equal zip."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name, _WHEN)
            info.create_system = 3  # Unix, whatever this is
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content, _method(content) if packed else zipfile.ZIP_STORED)


def _method(content: bytes) -> int:
    """Deflate, but not what would then look like a bomb, such as images that are nearly all black."""
    looks = len(content) > FREE_BYTES and _is_bomb(len(content), len(zlib.compress(content)) - _WRAPPING)
    return zipfile.ZIP_STORED if looks else zipfile.ZIP_DEFLATED


def _is_bomb(size: int, packed: int) -> bool:
    return size > max(FREE_BYTES, MAX_RATIO * packed)


class Archive:
    """A zip that is all in order.

    Parameters
    ----------
    file : seekable binary file
        The zip.
    what : str
        What it is called in a refusal.
    packed : bool
        Whether its entries may be compressed.

    Raises
    ------
    Refusal
        If anything in it is not as :func:`write` has it.
    """

    def __init__(self, file: IO[bytes], what: str, *, packed: bool) -> None:
        self._file, self._what = file, what
        self._methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if packed else (zipfile.ZIP_STORED,)
        entries, directory = self._directory()
        self.entries = {entry.name: entry for entry in entries}
        if len(self.entries) < len(entries):
            raise Refusal(f"{what} holds a file twice")
        if sum(entry.size for entry in entries) > MAX_BYTES:
            raise Refusal(f"{what} would unpack to more than {MAX_BYTES >> 20} MB")
        for entry in entries:  # no entry is ever unpacked beyond the size it announces
            if _is_bomb(entry.size, entry.packed):
                raise Refusal(f"{entry.name!r} in {what} unpacks to over {MAX_RATIO} times its size")
        self._check_layout(sorted(entries, key=lambda entry: entry.offset), directory)

    @classmethod
    def of(cls, content: bytes, what: str, *, packed: bool) -> Archive:
        """Open a zip that is in memory."""
        return cls(io.BytesIO(content), what, packed=packed)

    def read(self, name: str) -> bytes:
        """Return the content of a file, never more of it than its entry announced.

        Raises
        ------
        Refusal
            If it is damaged, or announced with another size.
        """
        entry = self.entries[name]
        if entry.method == zipfile.ZIP_STORED:
            self._file.seek(entry.start)
            content = self._file.read(entry.size)
        else:
            content = self._inflate(entry)
        if len(content) != entry.size or zlib.crc32(content) != entry.crc:
            raise Refusal(f"{name} in {self._what} is damaged")
        return content

    def _inflate(self, entry: Entry) -> bytes:
        self._file.seek(entry.start)
        inflate, content, left = zlib.decompressobj(-zlib.MAX_WBITS), bytearray(), entry.packed
        while not inflate.eof:
            chunk = inflate.unconsumed_tail
            if not chunk:
                chunk = self._file.read(min(STEP, left))
                left -= len(chunk)
            try:
                part = inflate.decompress(chunk, min(STEP, entry.size + 1 - len(content)))
            except zlib.error as error:
                raise Refusal(f"{entry.name} in {self._what} is damaged") from error
            content += part
            if len(content) > entry.size or not (chunk or part):
                raise Refusal(f"{entry.name} in {self._what} does not unpack to the size it announces")
        if left or inflate.unused_data:
            raise Refusal(f"{entry.name} in {self._what} has something behind its end")
        return bytes(content)

    def _directory(self) -> tuple[list[Entry], int]:
        """Return what the central directory lists, and where it begins."""
        file, what = self._file, self._what
        length = file.seek(0, io.SEEK_END)
        if length > MAX_BYTES:
            raise Refusal(f"{what} is larger than {MAX_BYTES >> 20} MB")
        if length < _END.size:
            raise Refusal(f"{what} is not a zip file")
        file.seek(length - _END.size)
        signature, disk, first_disk, here, count, size, start, comment = _END.unpack(file.read(_END.size))
        if signature != b"PK\x05\x06":
            raise Refusal(f"{what} is not a zip file, or is cut short")
        if disk or first_disk or comment or here != count or start + size + _END.size != length:
            raise Refusal(f"{what} does not end as a bundle does")
        if count > MAX_ENTRIES or size > MAX_ENTRIES * 4 * _CENTRAL.size:
            raise Refusal(f"{what} lists more than {MAX_ENTRIES} files")
        file.seek(start)
        listing, entries, at = file.read(size), [], 0
        for _ in range(count):
            entry, at = self._listed(listing, at)
            entries.append(entry)
        if at != size:
            raise Refusal(f"{what} has something between its files")
        return entries, start

    def _listed(self, listing: bytes, at: int) -> tuple[Entry, int]:
        """Return the entry listed at a place of the central directory, and the place of the next."""
        if len(listing) < at + _CENTRAL.size:
            raise Refusal(f"{self._what} lists fewer files than it announces")
        signature, _, _, flags, method, _, _, crc, packed, size, n_name, *rest = _CENTRAL.unpack_from(listing, at)
        n_extra, n_comment, disk, _, attributes, offset = rest
        raw = listing[at + _CENTRAL.size : at + _CENTRAL.size + n_name]
        if signature != b"PK\x01\x02" or len(raw) < n_name or not raw.isascii():
            raise Refusal(f"{self._what} has a damaged list of files")
        name = raw.decode("ascii")
        if flags & 1:
            raise Refusal(f"{name!r} in {self._what} is encrypted")
        if stat.S_IFMT(attributes >> 16) not in (0, stat.S_IFREG) or attributes & _DIRECTORY:
            raise Refusal(f"{name!r} in {self._what} is not a plain file")
        if flags or n_extra or n_comment or disk or method not in self._methods:
            raise Refusal(f"{name!r} in {self._what} is packed in a way that bundles are not")
        if method == zipfile.ZIP_STORED and packed != size:
            raise Refusal(f"{name!r} in {self._what} announces two sizes")
        return Entry(name, method, crc, packed, size, offset), at + _CENTRAL.size + n_name

    def _check_layout(self, entries: list[Entry], directory: int) -> None:
        """Check that the entries follow each other without overlap or gap, and that their own headers agree."""
        at = 0
        for entry in entries:
            if entry.offset != at or entry.end > directory:
                raise Refusal(f"the files in {self._what} overlap or leave gaps")
            self._file.seek(at)
            header = self._file.read(_LOCAL.size + len(entry.name))
            signature, _, flags, method, _, _, crc, packed, size, n_name, n_extra = _LOCAL.unpack_from(header)
            said = (signature, flags, method, crc, packed, size, n_name, n_extra, header[_LOCAL.size :])
            name = entry.name.encode("ascii")
            listed = (b"PK\x03\x04", 0, entry.method, entry.crc, entry.packed, entry.size, len(name), 0, name)
            if said != listed:
                raise Refusal(f"the two headers of {entry.name!r} in {self._what} differ")
            at = entry.end
        if at != directory:
            raise Refusal(f"the files in {self._what} overlap or leave gaps")
