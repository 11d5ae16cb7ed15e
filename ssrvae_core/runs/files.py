"""Files that are whole or absent, whatever kills the process that writes them."""

from __future__ import annotations

import fcntl
import io
import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ssrvae_core.config import UserError

_serial = itertools.count()

_LOOK = 0.05  # seconds after which a held lock is not just being looked at (see `held`)
_ABANDONED = 3600 * 10**9  # nanoseconds after which nobody is removing a directory any more
_MISSES = 100  # times that a directory may be deleted between its making and the opening of the lock in it


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` to write to; it is flushed to disk and takes the place of ``path``.

    When the block raises, ``path`` stays as it was and the temporary file is removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_serial)}.tmp")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush(path.parent)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a whole file: a reader, or a crash, sees the old content or the new, never a part.

    Parameters
    ----------
    path : Path
        Where the file goes; its directory must exist.
    content : bytes or str
        Text is written as UTF-8.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write indented JSON atomically; NaN is refused, as JSON has none."""
    atomic_write(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays atomically as an npz without pickles."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    atomic_write(path, buffer.getvalue())


def remove_directory(path: Path) -> None:
    """Remove a directory whole, and what killed processes left, an hour ago or earlier, of others beside it.

    Parameters
    ----------
    path : Path
        It is renamed first, so that half of it is never taken for a run, a job or a rival.
    """
    condemned = path.with_name(f".deleted-{path.name}-{time.time_ns()}")
    path.rename(condemned)
    shutil.rmtree(condemned)
    for left in path.parent.glob(".deleted-*"):
        condemned_at = left.name.rpartition("-")[2]
        if condemned_at.isdecimal() and time.time_ns() - int(condemned_at) > _ABANDONED:  # or its own process is at it
            shutil.rmtree(left, ignore_errors=True)


def append_line(path: Path, line: str) -> None:
    """Append one line and flush it to disk. A crash may leave its beginning; :func:`whole_lines` skips that."""
    with path.open("ab") as file:
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def whole_lines(path: Path) -> list[str]:
    """Lines of a file that end in a line break; none where there is no file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1].decode().splitlines()


def drop_torn_line(path: Path) -> None:
    """Cut off the beginning of a line that a crash left at the end, so that the next line stands alone."""
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn the system's refusal to write into a sentence.

    Parameters
    ----------
    what : str
        The beginning of the sentence, such as ``"The store runs"``.

    Raises
    ------
    UserError
        Where the block raises an OSError.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{what} cannot be written ({error.strerror or type(error).__name__}); make room or choose another store "
            "with --store, then do the same again to go on."
        ) from error


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[int]:
    """Hold the lock file ``path``; the system releases it when the process ends, however it ends.

    The directory is created where it is missing. POSIX only (``fcntl.flock``). Yields the file descriptor: a child
    process that it is passed to keeps the lock held for as long as the child lives.

    Raises
    ------
    BlockingIOError
        If ``wait`` is false and another process holds the lock.
    """
    descriptor = _acquire(path, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Whether a process holds the lock file ``path``; not where the file is missing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def _acquire(path: Path, operation: int) -> int:
    deadline, misses = time.monotonic() + _LOOK, 0
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except (FileExistsError, FileNotFoundError):  # it was deleted in between, also within mkdir; or it can never be
            misses += 1
            if misses == _MISSES:
                raise
            continue
        try:
            fcntl.flock(descriptor, operation)
            # The holder we waited for may have deleted the directory, and the file with it: try the new one.
            if os.fstat(descriptor).st_nlink > 0:
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise
            time.sleep(_LOOK / 10)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _flush(path: Path) -> None:
    """Have the system write a file, or the entries of a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
