"""Readers of microscopes' own formats, through RosettaSciIO where it is installed.

RosettaSciIO takes files as they come: a damaged length can make it read for ever or fill the memory, so it runs in a
process of its own, :mod:`ssrvae_core.data.apart`, with limits on both, and in a directory that holds nothing but a link
to the file: whatever a format looks for beside its file, there is nothing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.apart.asking import BYTES_PER_SECOND, Unanswered, ask
from ssrvae_core.data.contents import Contents, Fields
from ssrvae_core.data.lengths import nanometres, pixel_size
from ssrvae_core.data.limits import MIN_SIDE, check_declared
from ssrvae_core.invocation import python

PACKAGE = "rosettasciio==0.15.0"
PLUGINS = {
    **{".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".ser": "tia"},
    **{".mrc": "mrc", ".mrcs": "mrc"},
    **{".blo": "blockfile", ".tvips": "tvips", ".bcf": "bruker"},
}
"""RosettaSciIO's readers of formats whose whole data lie in the file itself."""
BEGINNINGS = {
    **{".dm3": (b"\0\0\0\3",), ".dm4": (b"\0\0\0\4",), ".ser": (b"II\x97\1",), ".mrc": (b"",), ".mrcs": (b"",)},
    **{".blo": (b"IMGBLO",), ".tvips": (b"",), ".bcf": (b"AAMVHFSS",)},
}
"""What a file of each kind begins with; MRC and TVIPS begin with a number."""
ELSEWHERE = {
    ".emi": "its images lie in the .ser file beside it, so give that file",
    ".rpl": "its images lie in the .raw file beside it, so save them as TIFF or HDF5",
    ".zspy": "it is many files, so save it as .hspy",
    ".mrcz": "it is compressed, so save it as .mrc",
}
"""Formats that are not read, and what to do."""

SECONDS = 4.0
"""Computing time that reading may take, beside what the file's size needs."""
MEMORY = 2**30
"""Bytes that reading may take, beside three times the file's size."""
LISTED = 8
JOB = "ssrvae_core.data.microscopes.process"


@dataclass(frozen=True)
class _Signal:
    """What a file says of one of its signals."""

    number: int
    title: str
    shape: tuple[int, ...]
    dtype: np.dtype
    is_colour: bool
    is_spectrum: bool
    axes: Sequence[dict[str, Any]]

    @property
    def stack(self) -> tuple[int, ...]:
        """The axes that count the images."""
        return tuple(at for at, axis in enumerate(self.axes) if axis["navigate"])

    @property
    def picture(self) -> tuple[int, ...]:
        """The axes of height and width, of which images have two."""
        return tuple(at for at, axis in enumerate(self.axes) if not axis["navigate"])

    @property
    def is_images(self) -> bool:
        """Whether it is an image or a stack of them."""
        sides = [self.shape[at] for at in self.picture] if len(self.axes) == len(self.shape) else []
        real = self.dtype.kind in "buif" and not self.is_spectrum
        return real and len(sides) == 2 and min(sides) >= MIN_SIDE and 0 not in self.shape

    def __str__(self) -> str:
        title = "".join(letter if letter.isalnum() or letter in " -_()" else "_" for letter in self.title[:60])
        return f"'{title.strip()}' of shape {self.shape} and type {self.dtype}"


def read_microscope(path: Path) -> Contents:
    """Read the images of a microscope's file.

    Raises
    ------
    UserError
        If RosettaSciIO is not installed, or the file is damaged or holds no images or several sets of them.
    """
    if importlib.util.find_spec("rsciio") is None:
        raise UserError(
            f"{path} is a {path.suffix} file, which needs the package RosettaSciIO, and that is not installed; install"
            f" it with '{python()} -m pip install {PACKAGE}', or save the images as TIFF or HDF5."
        )
    size = path.stat().st_size
    with _alone(path) as link:
        request = {
            "plugin": PLUGINS[link.suffix],
            "path": str(link),
            "memory": MEMORY + 3 * size,
            "seconds": SECONDS + size / BYTES_PER_SECOND,
        }
        try:
            signals = [_signal(number, entry) for number, entry in enumerate(ask(JOB, request))]
            signal = _chosen(signals, path)
            shape = (*signal.shape, 3) if signal.is_colour else signal.shape
            check_declared(path, "images", shape, signal.dtype.itemsize)
            values = np.empty(shape, signal.dtype)
            ask(JOB, request | {"signal": signal.number}, values)
            return _contents(signal, values, path)
        except UserError:
            raise
        except (Unanswered, ValueError) as error:
            raise _damaged(path, str(error).replace(str(link), path.name)) from error


def refuse_elsewhere(path: Path) -> Contents:
    """Refuse a format that is not read, and say what is.

    Raises
    ------
    UserError
        Always.
    """
    raise UserError(f"{path} cannot be read by itself: {ELSEWHERE[path.suffix.lower()]}.")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[Path]:
    """Give a file a name in a directory in which there is nothing else."""
    with tempfile.TemporaryDirectory(prefix="microscope-") as room:
        link = Path(room) / f"images_000{path.suffix.lower()}"  # as TVIPS names its first file
        try:
            link.symlink_to(path.absolute())
        except (OSError, NotImplementedError):  # as on Windows, without the right to make links
            shutil.copyfile(path, link)
        yield link


def _contents(signal: _Signal, values: np.ndarray, path: Path) -> Contents:
    """Return the values of a signal as images, and their pixel size."""
    channel = (len(signal.shape),) if signal.is_colour else ()
    images = values.transpose(*signal.stack, *signal.picture, *channel)
    images = images.reshape(-1, *images.shape[len(signal.stack) :])
    fields: Fields = {"images": images}
    steps = [nanometres(signal.axes[at]["scale"], signal.axes[at]["units"]) for at in signal.picture]
    size = pixel_size(*steps)
    if size is not None:
        fields["pixel_size"] = np.tile(np.array(size, dtype=np.float64), (len(images), 1))
    return Contents(fields, remarks=_remarks(signal, path))


def _remarks(signal: _Signal, path: Path) -> tuple[str, ...]:
    if len(signal.stack) < 2:
        return ()
    sides = " x ".join(str(signal.shape[at]) for at in signal.stack)
    return (f"The {sides} positions of {path.name} are taken as one row of images.",)


def _signal(number: int, entry: dict[str, Any]) -> _Signal:
    return _Signal(number, **entry | {"shape": tuple(entry["shape"]), "dtype": np.dtype(entry["dtype"])})


def _chosen(signals: Sequence[_Signal], path: Path) -> _Signal:
    """Return the only signal that is images."""
    images = [signal for signal in signals if signal.is_images]
    if len(images) == 1:
        return images[0]
    listed = ", ".join(str(signal) for signal in (images or signals)[:LISTED]) or "nothing"
    more = len(images or signals) - LISTED
    listed += f", and {more} more" if more > 0 else ""
    if images:
        raise UserError(f"{path} holds several sets of images ({listed}); save the one you want as TIFF or HDF5.")
    raise UserError(
        f"{path} holds no images of at least {MIN_SIDE} x {MIN_SIDE} real numbers (found: {listed}); save them as"
        " TIFF or HDF5."
    )


def _damaged(path: Path, complaint: str) -> UserError:
    """Return the error of a file that cannot be read, with the reason the process gave last."""
    reason = " ".join(complaint.split()).replace(". ", "; ").rstrip(".")[:200] or "it needs too much time or memory"
    return UserError(
        f"{path} cannot be read as a {path.suffix} file ({reason}); it may be damaged or cut short, so save it again."
    )
