"""A file is one file: no reader opens another one, or tells whether it is there. A new reader is held to it as well."""

import zipfile

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.data import READERS
from ssrvae_core.data.formats import read_npy, read_npz
from ssrvae_core.data.hdf5.reader import HDF5_SUFFIXES
from ssrvae_core.data.microscopes.reader import BEGINNINGS, ELSEWHERE
from ssrvae_core.data.pictures.pages import PICTURE_SUFFIXES
from ssrvae_core.data.readers import open_images
from ssrvae_core.data.summary import summary
from tests.watching import opened

IMAGES = np.random.default_rng(0).integers(0, 200, (3, 12, 10), dtype=np.uint8)
SECRET = np.full((3, 12, 10), 255, np.uint8) - np.arange(10, dtype=np.uint8)
NEIGHBOURS = (*READERS, ".raw", ".hdr", ".idx", ".xml", ".txt", ".json", "_metadata.txt", "_MMStack.ome.tif", ".tfw")
"""What programs look for beside a file of the same name."""


def array_file(path, outside):
    np.savez(path, images=IMAGES) if path.suffix == ".npz" else np.save(path, IMAGES)


def zip_file(path, outside):
    with zipfile.ZipFile(path, "w") as archive:
        for i, image in enumerate(IMAGES):
            picture = path.with_name(f"page{i}.png")
            Image.fromarray(image).save(picture)
            archive.write(picture, f"cube/{i}.png")
            picture.unlink()


def hdf5_file(path, outside):
    with h5py.File(path, "w") as file:
        file["images"] = IMAGES
        file["masks"] = h5py.ExternalLink(str(outside / "secret.h5"), "images")
        file["factors/size"] = h5py.SoftLink("/masks")
        layout = h5py.VirtualLayout(shape=IMAGES.shape, dtype="u1")
        layout[:] = h5py.VirtualSource(str(outside / "secret.h5"), "images", shape=IMAGES.shape)
        file.create_virtual_dataset("elsewhere", layout)
        file.create_dataset("raw", IMAGES.shape, "u1", external=[(str(outside / "secret.raw"), 0, IMAGES.size)])


def tiff_file(path, outside):
    planes = "".join(
        f'<TiffData FirstT="{i}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{i}</UUID></TiffData>'
        for i, name in enumerate([path.name, str(outside / "secret.tif"), "../outside/secret.tif"])
    )
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0"><Image>'
        '<Pixels DimensionOrder="XYZCT" Type="uint8" SizeX="10" SizeY="12" SizeZ="1" SizeC="1" SizeT="3">'
        f"{planes}</Pixels></Image></OME>"
    )
    tifffile.imwrite(path, IMAGES[0], description=xml, metadata=None, photometric="minisblack")


def picture_file(path, outside):
    kinds = {".jfif": "JPEG", ".jpe": "JPEG", ".pnm": "PPM", ".pgm": "PPM", ".jp2": "JPEG2000"}
    Image.fromarray(IMAGES[0]).save(path, kinds.get(path.suffix))


def microscope_file(path, outside):
    """The beginning of such a file, and the name of another one: how a whole one is read, its own tests say."""
    path.write_bytes(BEGINNINGS.get(path.suffix, (b"",))[0] + str(outside / "secret.raw").encode() + bytes(2000))


MADE = {
    read_npz: array_file,
    read_npy: array_file,
    **{READERS[suffix]: hdf5_file for suffix in HDF5_SUFFIXES},
    **{READERS[suffix]: microscope_file for suffix in (*BEGINNINGS, *ELSEWHERE)},
    **{READERS[suffix]: picture_file for suffix in PICTURE_SUFFIXES},
    READERS[".zip"]: zip_file,
}
"""How a file for each reader is made that names as many others as its format can. Whoever adds a reader adds a line."""


def outcome(path):
    """What a person hears of a file: what was read, or why it was refused."""
    try:
        return summary(open_images(path))
    except UserError as error:
        return str(error)


@pytest.mark.parametrize("suffix", READERS)
def test_no_reader_opens_another_file_or_tells_whether_it_is_there(tmp_path, suffix):
    make = tiff_file if suffix in (".tif", ".tiff") else MADE.get(READERS[suffix])
    assert make is not None, f"say in MADE how a file ending in {suffix} can name others"
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    path = inside / f"a{suffix}"
    make(path, outside)
    alone = outcome(path)
    for name in ("secret.tif", "secret.h5", "secret.raw"):
        (outside / name).write_bytes(SECRET.tobytes())
    tifffile.imwrite(outside / "secret.tif", SECRET[0], photometric="minisblack", metadata=None)
    with h5py.File(outside / "secret.h5", "w") as file:
        file["images"] = SECRET
    for neighbour in NEIGHBOURS:
        if neighbour != suffix:
            (inside / f"a{neighbour}").write_bytes((outside / "secret.tif").read_bytes())
    (inside / "NDTiff.index").write_bytes(b"x" * 100)
    with opened(outside) as seen_outside, opened(inside) as seen_inside:
        assert outcome(path) == alone
    assert seen_outside <= {""} and seen_inside <= {"", path.name}
