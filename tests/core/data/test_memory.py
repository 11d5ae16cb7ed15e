"""Reading a large file needs little more memory than what is read, and refusing one needs none."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
import tifffile

ROOM = 48 * 2**20
"""Bytes that reading may need beside the images themselves."""
SHAPE = (40, 512, 512)  # 80 MiB of float64, and 40 MiB once they are on their scale

SCRIPT = """
import resource, sys
from ssrvae_core.config import UserError
from ssrvae_core.data import file_dataset, load
import h5py, tifffile, numpy, scipy.ndimage

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
try:
    load(file_dataset(sys.argv[1]))
except UserError as error:
    print(str(error).replace(chr(10), " "))
print(peak() - before)
"""


def needed(path):
    """Bytes that one process needs to read a file twice, as a command that trains does, and what it says."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    *said, bytes_needed = done.stdout.splitlines()
    return int(bytes_needed), " ".join(said)


def saved(path, images):
    if path.suffix == ".npz":
        np.savez(path, images=images)
    elif path.suffix == ".npy":
        np.save(path, images)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["images"] = images
    else:
        tifffile.imwrite(path, images, photometric="minisblack")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".h5", ".tif"])
def test_a_large_stack_is_held_once_as_stored_and_once_on_its_scale(tmp_path, suffix):
    images = np.random.default_rng(0).normal(size=SHAPE)
    bytes_needed, said = needed(saved(tmp_path / f"a{suffix}", images))
    assert not said
    assert bytes_needed <= images.nbytes + images.nbytes // 2 + ROOM


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize("suffix", [".npy", ".h5"])
def test_a_stack_that_is_too_large_is_refused_by_its_header(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(2200, 1024, 1024))  # a file with a hole
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("images", (2200, 1024, 1024), "u1", chunks=(1, 1024, 1024))
    bytes_needed, said = needed(path)
    assert "2,306,867,200 values" in said
    assert bytes_needed < ROOM
