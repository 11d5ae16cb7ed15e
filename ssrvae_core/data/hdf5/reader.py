"""The reader of HDF5 files of any origin: our own, MATLAB's, and those of microscopes and their software."""

from __future__ import annotations

from pathlib import Path

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Contents
from ssrvae_core.data.formats import readable

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5", ".mat", ".hspy", ".emd", ".nxs", ".nx5", ".nexus", ".h5ad")
OLD_MATLAB = b"MATLAB 5.0 MAT-file"
HDF5_BEGINNINGS = (b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3 MAT-file", OLD_MATLAB)
"""What such a file begins with; MATLAB puts a block of its own before, and version 5 is refused in a sentence."""


def read_hdf5(path: Path) -> Contents:
    """Read the images of an HDF5 file and the fields beside them; no other file is ever opened.

    Raises
    ------
    UserError
        If it is not an HDF5 file, or damaged, if it does not say which array is the images, or if they lie in another
        file.
    """
    import h5py

    from ssrvae_core.data.hdf5.choice import contents
    from ssrvae_core.data.hdf5.heaps import check_heaps
    from ssrvae_core.data.hdf5.tree import Tree

    _check_old_matlab(path)
    with readable(path, "an HDF5 file", RuntimeError, LookupError, TypeError), h5py.File(path, "r") as file:
        check_heaps(path, file.id.get_create_plist().get_sizes()[1])
        return contents(Tree(file, path))


def _check_old_matlab(path: Path) -> None:
    with readable(path, "an HDF5 file"), path.open("rb") as stream:
        if stream.read(len(OLD_MATLAB)) == OLD_MATLAB:
            raise UserError(
                f"{path} is a MATLAB file of a version before 7.3; save it in MATLAB with save(..., '-v7.3'), or in"
                " Python as npz."
            )
