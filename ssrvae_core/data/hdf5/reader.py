"""The reader of HDF5 files of any origin: our own, MATLAB's, and those of microscopes and their software."""

from __future__ import annotations

from pathlib import Path

from ssrvae_core.config import UserError
from ssrvae_core.data.apart.asking import BYTES_PER_SECOND, Unanswered, ask
from ssrvae_core.data.contents import Contents
from ssrvae_core.data.formats import readable
from ssrvae_core.data.limits import MAX_BYTES

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5", ".mat", ".hspy", ".emd", ".nxs", ".nx5", ".nexus", ".h5ad")
OLD_MATLAB = b"MATLAB 5.0 MAT-file"
HDF5_BEGINNINGS = (b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3 MAT-file", OLD_MATLAB)
"""What such a file begins with; MATLAB puts a block of its own before, and version 5 is refused in a sentence."""


DENSEST = 1032
"""Times that gzip makes an array smaller, at the most."""
UNPACKED = 64
"""Times the bytes of a file that is read some rows at a time that reading is given time for."""
SECONDS = 4.0
"""Computing time that reading may take, beside what its bytes need."""
MEMORY = 3 * 2**28
"""Bytes that reading may take, beside the arrays."""
JOB = "ssrvae_core.data.hdf5.process"


def read_hdf5(path: Path, held: bool = True) -> Contents:
    """Read the images of an HDF5 file and the fields beside them; no other file is ever opened.

    libhdf5 is written in C, and there are damaged files that it reads for ever, that make it ask for gigabytes, or that
    make it crash: mutated files did all three. Python cannot catch that, so another process reads the file first.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    held : bool
        Whether its images have to be such as can be held in memory.

    Raises
    ------
    UserError
        If it is not an HDF5 file, or damaged, if it does not say which array is the images, or if they lie in another
        file.
    """
    check_apart(path, held)
    return read_here(path)


def check_apart(path: Path, held: bool = True) -> None:
    """Have a file read in another process, and raise what is wrong with it.

    Raises
    ------
    UserError
        If it cannot be read, or only at the price of a crash, of too much memory or of too much time.
    """
    name = str(path.absolute())
    with readable(path, "an HDF5 file"):
        size = path.stat().st_size
    most = min(DENSEST * size, MAX_BYTES)
    seconds = SECONDS + (most if held else max(most, UNPACKED * size)) / BYTES_PER_SECOND
    request = {"path": name, "held": held, "memory": MEMORY + most + most // 2, "seconds": seconds}
    try:
        sentence = ask(JOB, request)
    except Unanswered as error:
        raise UserError(
            f"{path} cannot be read as an HDF5 file; it may be damaged or cut short, so save it again."
        ) from error
    if sentence is not None:
        raise UserError(sentence.replace(name, str(path)))


def read_here(path: Path) -> Contents:
    """Read a file as :func:`read_hdf5` does, in this process.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    from ssrvae_core.data.hdf5.choice import contents
    from ssrvae_core.data.hdf5.heaps import check_heaps
    from ssrvae_core.data.hdf5.tree import Tree, opened

    _check_old_matlab(path)
    with opened(path) as file:
        check_heaps(path, file.id.get_create_plist().get_sizes()[1])
        return contents(Tree(file, path))


def _check_old_matlab(path: Path) -> None:
    with readable(path, "an HDF5 file"), path.open("rb") as stream:
        if stream.read(len(OLD_MATLAB)) == OLD_MATLAB:
            raise UserError(
                f"{path} is a MATLAB file of a version before 7.3; save it in MATLAB with save(..., '-v7.3'), or in"
                " Python as npz."
            )
