"""Pages of more pictures than memory has room for: unpacked once, into a temporary file."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Pages
from ssrvae_core.data.stored import StoredArray


class Spool:
    """A temporary file of pages of one size and depth, one after the other, which is gone when nothing reads it."""

    def __init__(self) -> None:
        with _room():  # unbuffered, so that a full disk is told of where a page is written
            self.file = tempfile.TemporaryFile(prefix="ssrvae-pages-", buffering=0)  # noqa: SIM115 - it is read later
        weakref.finalize(self, self.file.close)
        self.channels: list[int] = []
        self.page: tuple[int, int] = (0, 0)
        self.dtype = np.dtype(np.uint8)

    def keep(self, pages: Pages) -> Pages:
        """Write the images of a file, and return its pages with a shape in their place.

        Raises
        ------
        UserError
            If there is no room on the disk.
        """
        images = pages.images
        n, height, width, channels = images.shape
        self.page, self.dtype = (height, width), images.dtype
        self.channels += [channels] * n
        with _room():
            waiting = np.ascontiguousarray(images).data.cast("B")
            while waiting:
                waiting = waiting[self.file.write(waiting) :]
        return replace(pages, images=np.broadcast_to(np.zeros((), images.dtype), images.shape))

    def array(self, channels: int) -> StoredArray:
        """Return all pages (N, H, W, C), grey ones with their level in every channel."""
        found = np.array(self.channels)
        starts = np.concatenate([[0], np.cumsum(found)]) * self.page[0] * self.page[1] * self.dtype.itemsize
        shape = (len(found), *self.page, channels)

        def read(start: int, stop: int) -> np.ndarray:
            self.file.seek(int(starts[start]))
            content = self.file.read(int(starts[stop] - starts[start]))
            if (found[start:stop] == channels).all():
                return np.frombuffer(content, self.dtype).reshape(stop - start, *shape[1:])
            out = np.empty((stop - start, *shape[1:]), self.dtype)
            for row, image in zip(range(start, stop), out, strict=True):
                own = content[starts[row] - starts[start] : starts[row + 1] - starts[start]]
                image[:] = np.frombuffer(own, self.dtype).reshape(*self.page, -1)
            return out

        return StoredArray(shape, self.dtype, read)


@contextmanager
def _room() -> Iterator[None]:
    """Say that a disk is full, and where another one can be named."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"The pictures do not fit into the folder of temporary files, {tempfile.gettempdir()} ({error.strerror});"
            " name one on a larger disk in the environment variable TMPDIR."
        ) from error
