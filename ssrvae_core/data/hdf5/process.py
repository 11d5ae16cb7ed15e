"""Reads one HDF5 file in a process of its own, so that whoever does not trust it can see how that ends.

libhdf5 is written in C, and there are damaged files that it reads for ever, that make it ask for gigabytes, or that
make it crash: mutated files did all three. Python cannot catch that, so a server has a stranger's file read here first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ssrvae_core.config import UserError
from ssrvae_core.data.microscopes.process import limit

MEMORY = 3 * 2**30
"""Bytes that reading may take: one field of the largest size, and half of that beside."""
SECONDS = 15.0
"""Computing time that reading may take, beside what the file's size needs."""
BYTES_PER_SECOND = 25e6
PATIENCE = 120.0
"""Seconds until a process that does not end is ended."""
ROOT = Path(__file__).parents[3]


def check_apart(path: Path) -> None:
    """Have a file read in another process, and raise what is wrong with it.

    Raises
    ------
    UserError
        If it cannot be read, or only at the price of a crash, of too much memory or of too much time.
    """
    command = [sys.executable, "-m", "ssrvae_core.data.hdf5.process", str(path.absolute()), str(path)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False)
        sentence = done.stdout.decode(errors="replace").strip()
        ended_well = done.returncode == 0
    except subprocess.TimeoutExpired:
        sentence, ended_well = "", False
    if sentence and ended_well:
        raise UserError(sentence)
    if not ended_well:
        raise UserError(f"{path} cannot be read as an HDF5 file; it may be damaged or cut short, so save it again.")


def main(path: str, shown: str) -> None:
    """Read the file, and print the sentence that says what is wrong with it, if anything is."""
    from ssrvae_core.data.hdf5.reader import read_hdf5

    limit(MEMORY, SECONDS + os.path.getsize(path) / BYTES_PER_SECOND)
    try:
        read_hdf5(Path(path))
    except UserError as error:
        print(str(error).replace(path, shown))


if __name__ == "__main__":
    main(*sys.argv[1:])
