"""One small file of every format that is read, and random damage to it."""

import csv
import importlib.util
import io
import zipfile

import h5py
import numpy as np
import tifffile
from PIL import Image

from tests.core.data.microscope_files import WRITERS

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 10), dtype=np.uint8)
LABELS = np.array([0, 1] * 3)


def small_files(folder):
    """Write one of each kind below a folder, and return the files that are damaged and what is read instead of each.

    A table is damaged within the folder it belongs to, and the folder is read.
    """
    files = {}

    def add(name, write):
        write(folder / name)
        files[name] = (folder / name, folder / name)

    add("a.npz", lambda path: np.savez_compressed(path, images=IMAGES, labels=LABELS, class_names=np.array(["a", "b"])))
    add("plain.npz", lambda path: np.savez(path, images=IMAGES, labels=LABELS.astype(float), groups=LABELS.astype(str)))
    add("a.npy", lambda path: np.save(path, IMAGES.astype(">i4")))
    add("a.h5", write_hdf5)
    add("matlab.mat", write_hdf5)
    add("grey.tif", lambda path: tifffile.imwrite(path, IMAGES, photometric="minisblack"))
    add("packed.tif", lambda path: tifffile.imwrite(path, IMAGES, photometric="minisblack", compression="zlib"))
    add(
        "imagej.tif",
        lambda path: tifffile.imwrite(path, IMAGES.astype(np.uint16), imagej=True, metadata={"axes": "TYX"}),
    )
    add("axes.ome.tif", lambda path: tifffile.imwrite(path, IMAGES, ome=True, metadata={"axes": "TYX"}))
    pages = [Image.fromarray(page) for page in IMAGES]
    add("lzw.tif", lambda path: pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw"))
    add("palette.tif", lambda path: pages[0].convert("P").save(path))
    for ending, kind in (("png", "PNG"), ("jpg", "JPEG"), ("bmp", "BMP"), ("gif", "GIF"), ("webp", "WEBP")):
        add(f"a.{ending}", lambda path, kind=kind: pages[0].save(path, kind))
    add("a.pgm", lambda path: pages[0].save(path, "PPM"))
    add("a.jp2", lambda path: pages[0].save(path, "JPEG2000"))
    add("a.zip", write_zip)
    add("lzma.zip", lambda path: write_zip(path, zipfile.ZIP_LZMA))
    add("bzip2.zip", lambda path: write_zip(path, zipfile.ZIP_BZIP2))
    if importlib.util.find_spec("rsciio") is not None:
        for ending, write in WRITERS.items():
            add(f"a{ending}", lambda path, write=write: write(path, IMAGES.astype(np.int16)))
    table = folder / "table"
    table.mkdir()
    for i, page in enumerate(pages):
        page.save(table / f"{i}.png")
    with (table / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = [(f"{i}.png", "ab"[i % 2], f"m{i}") for i in range(6)]
        csv.writer(stream).writerows([("file", "label", "group"), *rows])
    files["labels.csv"] = (table / "labels.csv", table)
    return files


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=IMAGES, compression="gzip")
        file["labels"] = LABELS
        file["class_names"] = ["a", "b"]
        file["factors/size"] = np.arange(6.0)
        file["images"].attrs["units"] = "nm"


def write_zip(path, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for i, image in enumerate(IMAGES):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            archive.writestr(f"set/{'ab'[i % 2]}/{i}.png", buffer.getvalue())


def damaged(content, rng):
    """Return a file's content with a few bytes changed, cut off, doubled or moved."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        at, length = int(rng.integers(len(content))), int(rng.integers(1, 24))
        match rng.integers(6):
            case 0:
                content[at] = int(rng.integers(256))
            case 1:
                content[at] ^= 1 << int(rng.integers(8))
            case 2:
                content[at : at + length] = bytes([int(rng.choice([0, 127, 128, 255]))]) * length
            case 3:
                content[at:at] = content[at : at + length]
            case 4 if rng.random() < 0.2:
                del content[at:]
            case _:
                content[at : at + length] = rng.bytes(length)
        if not content:
            return b""
    return bytes(content)
