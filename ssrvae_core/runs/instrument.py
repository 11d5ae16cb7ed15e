"""Classifying the files that an instrument writes into a folder, as it writes them, into a table that grows.

The table is what is remembered: a file that is named in it was classified, unless it has changed since, as the stamps
beside the table tell. Every look at the folder takes the files that have not changed since the look before, so that one
that is still being written is waited for. A file that was overwritten is classified again, and its rows are replaced;
those of one that is gone stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.data.batches import whole
from ssrvae_core.data.dataset import UNLABELLED, ImageSet
from ssrvae_core.data.folders.reader import visible_files
from ssrvae_core.data.microscopes.reader import ELSEWHERE
from ssrvae_core.data.readers import READERS, open_images
from ssrvae_core.data.seen import seen_by
from ssrvae_core.records import Particles
from ssrvae_core.runs.growing import GrowingTable
from ssrvae_core.runs.stamps import Stamp, Stamps
from ssrvae_core.runs.tables import plain

TOGETHER = 100
"""Images that are classified at once, where as many are there."""

_PAGE = re.compile(r"#\d+\Z")

Refused = tuple[Stamp, int]
"""The stamp of a file that cannot be used, and when its permissions or its name changed last."""


@dataclass(frozen=True)
class Classified:
    """A file that is in the table now: the number of its images, and the class and confidence of the first.

    ``again`` says that it was overwritten, so that its rows are there instead of its former ones.
    """

    name: str
    n: int
    class_name: str
    confidence: float
    again: bool = False


@dataclass(frozen=True)
class Skipped:
    """A file that cannot be used as it is, and why; it is tried again once it changes."""

    name: str
    reason: str


class FolderAway(UserError):
    """The folder, or one in it, cannot be looked at; that may pass."""


class Watch:
    """A folder that is looked at again and again.

    Parameters
    ----------
    folder : Path
        The folder; folders in it count, too.
    own : DatasetConfig
        The data of the run that classifies, in whose view and on whose scale images are seen.
    classify : callable
        Classifies images, such as :func:`ssrvae_core.runs.everything.classify_others` with a run's model.
    class_names : sequence of str
        The run's classes.
    table : GrowingTable
        Where the rows go.
    """

    def __init__(
        self,
        folder: Path,
        own: DatasetConfig,
        classify: Callable[[ImageSet], Particles],
        class_names: Sequence[str],
        table: GrowingTable,
    ) -> None:
        self.folder, self.own, self.classify = folder, own, classify
        self.class_names, self.table = class_names, table
        self.n_images = 0
        ids: dict[str, int] = {}
        for name, number in table.names.items():
            file = file_of(name)
            ids[file] = min(number, ids.get(file, number))
        self._stamps = Stamps(table.out, ids, table.written)
        self._done = {name: self._stamps.of(name, number) for name, number in ids.items()}
        self._seen: dict[str, Stamp] = {}
        self._broken: dict[str, Refused | None] = {}

    def look(self) -> Iterator[Classified | Skipped]:
        """Classify the files that are new or overwritten and have come to rest, and yield what became of each.

        Raises
        ------
        FolderAway
            If the folder cannot be looked at.
        UserError
            If the table, or the file of stamps beside it, cannot be written.
        """
        waiting: list[_Read] = []
        for name, file, stamp in self._rested():
            found = self._read(name, file, stamp)
            if isinstance(found, Skipped):
                yield found
            elif found is not None:
                if waiting and not waiting[0].goes_with(found):
                    yield from self._classify(waiting)
                    waiting = []
                waiting.append(found)
                if sum(len(one.images) for one in waiting) >= TOGETHER:
                    yield from self._classify(waiting)
                    waiting = []
        if waiting:
            yield from self._classify(waiting)

    def _rested(self) -> list[tuple[str, Path, Stamp]]:
        """Return the files that are new or overwritten, and have not changed since the last look."""
        now: dict[str, Stamp] = {}
        rested = []
        for file in self._files():
            name = plain(file.relative_to(self.folder).as_posix())
            suffix = file.suffix.lower()
            if suffix not in READERS or suffix in ELSEWHERE:
                continue
            stamp = _stamp(file)
            if stamp is None or not stamp[0] or self._is_done(name, stamp):
                continue
            if name in self._broken and self._broken[name] == _refused(file):
                continue
            now[name] = stamp
            if self._seen.get(name) == stamp:
                rested.append((name, file, stamp))
        self._seen = now
        return rested

    def _is_done(self, name: str, stamp: Stamp) -> bool:
        """Whether the table has the rows of a file as it is now."""
        if name not in self._done:
            return False
        if self._done[name] is None and stamp[1] <= self._stamps.before:
            self._done[name] = stamp
        return self._done[name] == stamp

    def _files(self) -> list[Path]:
        try:
            return visible_files(self.folder)
        except UserError as error:
            raise FolderAway(str(error)) from error
        except OSError as error:  # it went while it was looked at
            raise FolderAway(f"{self.folder} cannot be looked at ({error.strerror}); waiting for it.") from error

    def _read(self, name: str, file: Path, stamp: Stamp) -> _Read | Skipped | None:
        """Read a file; None where it changed meanwhile, and is waited for again."""
        try:
            images = whole(seen_by(self.own, open_images(file))[0])
        except UserError as error:
            if _stamp(file) != stamp:
                return None
            self._seen.pop(name, None)
            self._broken[name] = _refused(file)
            return Skipped(name, str(error))
        return _Read(name, file, stamp, images) if _stamp(file) == stamp else None

    def _classify(self, files: list[_Read]) -> Iterator[Classified | Skipped]:
        """Classify what was read, and append it to the table as a whole."""
        start = self.table.next_id
        try:
            particles = self.classify(_together(files, start))
        except UserError as error:  # images of another shape than the model's
            for one in files:
                self._seen.pop(one.name, None)
                self._broken[one.name] = _refused(one.file)
                yield Skipped(one.name, str(error))
            return
        again = {one.name for one in files if one.name in self._done}
        starts = accumulate((len(one.images) for one in files), initial=start)
        self._stamps.add((one.name, number, one.stamp) for one, number in zip(files, starts, strict=False))
        self.table.append(particles, (lambda name: file_of(name) in again) if again else None)
        self.n_images += len(particles)
        first = 0
        for one in files:
            self._done[one.name] = one.stamp
            self._seen.pop(one.name, None)
            self._broken.pop(one.name, None)
            predicted = int(particles.predictions.predicted[first])
            confidence = float(particles.predictions.confidence[first])
            yield Classified(one.name, len(one.images), self.class_names[predicted], confidence, one.name in again)
            first += len(one.images)


@dataclass(frozen=True)
class _Read:
    """The images of a file."""

    name: str
    file: Path
    stamp: Stamp
    images: ImageSet

    def goes_with(self, other: _Read) -> bool:
        """Whether the images of two files can be classified together, and give the rows that each gives alone."""
        return self._kind == other._kind

    @property
    def _kind(self) -> tuple[object, ...]:
        images = self.images
        sizes = images.pixel_size
        return images.image_shape, images.masks is None, sizes is None or not bool(np.isfinite(sizes).all())

    @property
    def row_names(self) -> list[str]:
        """What each image is called in the table."""
        n = len(self.images)
        return [self.name] if n == 1 else [f"{self.name}#{page}" for page in range(n)]


def file_of(name: str) -> str:
    """Return the file that a row of the table is of: the name without the number of an image in it."""
    return _PAGE.sub("", name)


def _together(files: Sequence[_Read], start: int) -> ImageSet:
    """Return the images of several files as one set, with ids from ``start`` on."""
    parts = [one.images for one in files]
    n = sum(map(len, parts))

    def joined(name: str) -> np.ndarray | None:
        arrays = [getattr(part, name) for part in parts]
        return None if any(values is None for values in arrays) else np.concatenate(arrays)

    return replace(
        parts[0],
        images=np.concatenate([part.images for part in parts]),
        labels=np.full(n, UNLABELLED),
        ids=np.arange(start, start + n),
        groups=None,
        group_names=None,
        validation=None,
        masks=joined("masks"),
        pixel_size=joined("pixel_size"),
        factors={},
        names=tuple(name for one in files for name in one.row_names),
        as_labelled=None,
    )


def _stamp(file: Path) -> Stamp | None:
    """Return size and time of the last change; None where the file is gone."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _refused(file: Path) -> Refused | None:
    """Return what has to change before a file that cannot be used is tried again; None where it is gone."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns), status.st_ctime_ns
