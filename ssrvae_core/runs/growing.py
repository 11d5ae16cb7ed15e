"""A CSV table of particles that rows are appended to, and that is whole whatever ends the process that writes it.

What is appended at once is in the table as a whole or not at all: its first byte is a zero until everything else is on
disk, and what begins with a zero is taken back when the table is opened again. Where rows go because others come
instead of them, a new file takes the place of the old one.
"""

from __future__ import annotations

import csv
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Self

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.records import Particles, Predictions
from ssrvae_core.runs.files import replacing
from ssrvae_core.runs.tables import CSV, columns, csv_lines
from ssrvae_core.spreadsheets import original

_UNFINISHED = b"\0"


class GrowingTable:
    """A CSV table that one process at a time appends to; a context manager, which holds the file's lock.

    Parameters
    ----------
    out : Path
        The table; it is made where it is not there.
    class_names : sequence of str
        The run's classes.
    latent_dim : int
        The run's latents.

    Attributes
    ----------
    names : dict of str to int
        The names in the table when it was opened, and the id of each.
    next_id : int
        The smallest number that is larger than every id in the table.
    written : int
        When the table was changed last before it was opened, Unix time in nanoseconds; 0 of a new one.

    Raises
    ------
    UserError
        On entering: if it is not such a table, cannot be read or written, or another process appends to it.
    """

    def __init__(self, out: Path, class_names: Sequence[str], latent_dim: int) -> None:
        self.out, self.class_names = out, class_names
        self.names: dict[str, int] = {}
        self.next_id = self.written = 0
        self._header = list(columns(_nothing(len(class_names), latent_dim), class_names, np.arange(0)))

    def __enter__(self) -> Self:
        if self.out.suffix.lower() != CSV:
            raise UserError(f"{self.out} cannot grow row by row; choose a name that ends in {CSV} with --out.")
        try:
            self._file: IO[bytes] = os.fdopen(os.open(self.out, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        except OSError as error:
            raise self._refusal(error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._take_up()
        except BaseException as error:
            self._file.close()
            if isinstance(error, BlockingIOError):
                raise UserError(
                    f"Another process is appending to the table {self.out}; stop it, or choose another name with --out."
                ) from error
            if isinstance(error, OSError):
                raise self._refusal(error) from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, particles: Particles, instead_of: Callable[[str], bool] | None = None) -> None:
        """Add rows, all of them or none, and have the system write them to disk.

        Parameters
        ----------
        particles : Particles
            What is added, with ids from ``next_id`` on.
        instead_of : callable, optional
            Whether a row of this name goes at the same moment, as one of the new ones comes instead of it.

        Raises
        ------
        UserError
            If the table cannot be written, or is not where it was.
        """
        content = csv_lines(columns(particles, self.class_names, np.arange(len(particles))), header=False)
        try:
            self._check_place()
            if instead_of is None:
                self._write(content)
            else:
                self._replace(content, instead_of)
        except OSError as error:
            raise self._refusal(error) from error
        self.next_id = max(self.next_id, int(particles.ids.max()) + 1)

    def _write(self, content: bytes) -> None:
        descriptor = self._file.fileno()
        end = os.fstat(descriptor).st_size
        try:
            rest, at = memoryview(_UNFINISHED + content[1:]), end
            while rest:
                written = os.pwrite(descriptor, rest, at)
                rest, at = rest[written:], at + written
            os.fsync(descriptor)
        except BaseException:  # a signal, too
            os.ftruncate(descriptor, end)
            raise
        os.pwrite(descriptor, content[:1], end)
        os.fsync(descriptor)

    def _replace(self, content: bytes, goes: Callable[[str], bool]) -> None:
        """Put a file in the table's place that lacks the rows that go and has new ones at its end."""
        with replacing(self.out.resolve()) as temporary:  # the table itself, where a link leads to it
            new: IO[bytes] = os.fdopen(os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
            try:
                fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is locked from its first moment in that place
                os.fchmod(new.fileno(), os.fstat(self._file.fileno()).st_mode & 0o777)
                with os.fdopen(os.dup(new.fileno()), "wb") as file:
                    for line, row in self._lines():
                        if not goes(original(row[1])):
                            file.write(line)
                    file.write(content)
                os.fsync(new.fileno())
            except BaseException:  # a signal, too
                new.close()
                raise
        self._file.close()
        self._file = new

    def _lines(self) -> Iterator[tuple[bytes, list[str]]]:
        """Yield every row of the table, its header first, as it is in the file and in its parts."""
        self._file.seek(0)
        before = 0
        for row, after in _records(self._file):
            yield os.pread(self._file.fileno(), after - before, before), row
            before = after

    def _take_up(self) -> None:
        """Read what is in the table, and take back what was not finished."""
        status = os.fstat(self._file.fileno())
        self.written = status.st_mtime_ns if status.st_size else 0
        self._file.seek(0)
        end = 0
        for row, after in _records(self._file):
            if not end and row != self._header:
                raise UserError(
                    f"The table {self.out} does not have the columns of this run's classes and latents; choose another "
                    "name with --out."
                )
            if end:
                if len(row) != len(self._header) or not row[0].isdecimal():
                    raise UserError(
                        f"A row of the table {self.out} is damaged ({','.join(row)[:40]}); correct it, or choose "
                        "another name with --out."
                    )
                self.names[original(row[1])] = int(row[0])
                self.next_id = max(self.next_id, int(row[0]) + 1)
            end = after
        if end < status.st_size:  # else it would count as changed now
            os.ftruncate(self._file.fileno(), end)
        if not end:
            self._write(csv_lines({name: [] for name in self._header}, header=True))

    def _check_place(self) -> None:
        """Refuse to write into a file that was moved or deleted."""
        try:
            here = os.path.samestat(os.stat(self.out), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            here = False
        if not here:
            raise UserError(f"The table {self.out} was moved or deleted meanwhile; run the same command again.")

    def _refusal(self, error: OSError) -> UserError:
        return UserError(f"The table {self.out} cannot be written ({error.strerror}); choose another place.")


def _records(file: IO[bytes]) -> Iterator[tuple[list[str], int]]:
    """Yield every whole row of a table, and how many bytes there are up to its end."""
    position = 0

    def lines() -> Iterator[str]:
        nonlocal position
        for line in file:
            if line.startswith(_UNFINISHED) or not line.endswith(b"\n"):
                return
            position += len(line)
            yield line.decode("utf-8", "replace")

    try:
        for row in csv.reader(lines()):
            yield row, position
    except csv.Error as error:
        raise UserError(f"{file.name} is not a table ({error}); choose another name with --out.") from error


def _nothing(n_classes: int, latent_dim: int) -> Particles:
    """Return what a run says of no image."""
    none = np.zeros(0, np.float32)
    predictions = Predictions(
        ids=np.zeros(0, np.int64),
        labels=np.zeros(0, np.int64),
        class_prob=np.zeros((0, n_classes), np.float32),
        z_mean=np.zeros((0, latent_dim), np.float32),
        z_sd=np.zeros((0, latent_dim), np.float32),
        angle=none,
        concentration=none,
        log_likelihood=none,
    )
    return Particles(predictions, np.zeros(0, np.int8), none)
