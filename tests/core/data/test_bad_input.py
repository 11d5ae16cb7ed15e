"""Whatever is wrong with an image file, the user gets one sentence that names the file and the field."""

import contextlib
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.data import file_dataset, read_images
from tests.core.data.refusing import refused

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 10), dtype=np.uint8)
FLOATS = IMAGES / 255


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.zeros((0, 12, 10), np.uint8)}, ["'images'", "empty"]),
        ({"images": np.full((6, 12, 10), np.nan)}, ["'images'", "no finite number"]),
        ({"images": np.where(np.arange(6)[:, None, None] == 4, np.nan, FLOATS)}, ["'images'", "image 4", "1 of 6"]),
        ({"images": np.where(np.arange(6)[:, None, None] == 2, np.inf, FLOATS)}, ["'images'", "image 2"]),
        ({"images": np.full((6, 12, 10), 7, np.uint8)}, ["'images'", "same value"]),
        ({"images": np.full((6, 12, 10), 7.0)}, ["'images'", "same value"]),
        ({"images": np.zeros((6, 1, 1), np.uint8)}, ["1 x 1 pixels", "at least 8 x 8"]),
        ({"images": IMAGES[:, :2]}, ["2 x 10 pixels", "order of the axes"]),
        ({"images": IMAGES[0]}, ["'images'", "(12, 10)"]),
        ({"images": FLOATS * 400 - 3}, ["'images'", "from -3 to 397", "[0, 1]", "dataset.intensity"]),
        ({"images": FLOATS.astype(complex)}, ["'images'", "complex128"]),
        ({"images": np.full((6, 12, 10), "a")}, ["'images'", "<U1"]),
        ({"images": np.array([IMAGES[0], IMAGES[1, 1:]] + [0] * 4, dtype=object)}, ["'images'", "Python objects"]),
        ({"labels": np.array([0, 1, 0, 1, 2, 1])}, ["'labels'", "label 2", "image 4"]),
        ({"labels": np.array([0, 1, -2, 1, 0, 1])}, ["'labels'", "label -2", "image 2"]),
        ({"labels": np.zeros(5, int)}, ["'labels'", "(5,)", "6 images"]),
        ({"labels": np.full(6, 0.5)}, ["'labels'", "float64", "integers"]),
        ({"labels": np.array([0, 1, None] * 2, dtype=object)}, ["'labels'", "Python objects"]),
        ({"class_names": np.array(["a", "a"])}, ["'class_names'", "twice"]),
        ({"class_names": np.array(["a", "b" * 101])}, ["'class_names'", "class 1", "bbb...", "101", "1 to 100"]),
        ({"class_names": np.array(["", "b"])}, ["'class_names'", "class 0", "empty"]),
        ({"class_names": np.array([1, 2])}, ["'class_names'", "int64"]),
        ({"class_names": np.array([b"a", b"\xff"])}, ["'class_names'", "UTF-8"]),
        ({"ids": np.zeros(6, int)}, ["'ids'", "twice"]),
        ({"groups": np.full(6, 0.5)}, ["'groups'", "float64", "integers"]),
        ({"groups": np.array(list("aabb"))}, ["'groups'", "(4,)"]),
        ({"split": np.array(["train"] * 5 + ["mine"])}, ["'split'", "'mine'"]),
        ({"masks": np.ones((6, 12, 9), bool)}, ["'masks'", "(6, 12, 9)"]),
        ({"masks": FLOATS}, ["'masks'", "float64"]),
        ({"names": np.array(["a"])}, ["'names'", "(1,)"]),
        ({"factors/angle": np.zeros(3)}, ["'factors/angle'", "(3,)"]),
        ({"factors/angle": np.full(6, "a")}, ["'factors/angle'", "<U1"]),
    ],
)
def test_a_bad_field_of_an_npz(tmp_path, change, words):
    fields = {"images": IMAGES, "labels": np.array([0, 1] * 3), "class_names": np.array(["a", "b"])}
    np.savez(tmp_path / "a.npz", **(fields | change))
    refused(tmp_path / "a.npz", *words)


def test_a_missing_file_a_strange_file_and_an_archive_without_images(tmp_path):
    refused(tmp_path / "none.npz", "no file or folder")
    (tmp_path / "a.docx").write_bytes(b"x")
    refused(tmp_path / "a.docx", "no known image format")
    np.savez(tmp_path / "a.npz", x_train=IMAGES, x_test=IMAGES, labels=np.zeros(6, int))
    refused(tmp_path / "a.npz", "'images'", "'x_train' uint8 (6, 12, 10)", "'labels'")
    with pytest.raises(UserError, match="no file or folder"):
        file_dataset(tmp_path / "none.npz")


def npy_header(shape, descr="|u1"):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    text += " " * (118 - len(text) - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def tiff_header(width, height):
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 16)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHI", b"II", 42, 24) + b"\0" * 16 + struct.pack("<H", len(tags)) + entries + b"\0" * 4


def test_a_header_that_declares_too_much_is_refused_before_it_is_read(tmp_path):
    huge = (2**20, 2**10, 2**10)
    (tmp_path / "a.npy").write_bytes(npy_header(huge))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", npy_header(huge))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", shape=huge, dtype="u1", chunks=(1, 2**10, 2**10))
    (tmp_path / "a.tif").write_bytes(tiff_header(2**20, 2**20))
    for name in ("a.npy", "a.npz", "a.h5", "a.tif"):
        refused(tmp_path / name, "'images'", "values")
    (tmp_path / "a.png").write_bytes(png_header(60_000, 60_000))
    refused(tmp_path / "a.png", "decompression bomb")
    (tmp_path / "b.png").write_bytes(png_header(10_000, 10_000))
    refused(tmp_path / "b.png", "decompression bomb")


def test_text_that_is_absurdly_long_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("class_names.npy", npy_header((2,), "<U500000000"))
    refused(tmp_path / "a.npz", "'class_names'")


def test_an_archive_is_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was loaded",))

    np.savez(tmp_path / "a.npz", images=np.array([Trap()] * 3, dtype=object))
    refused(tmp_path / "a.npz", "Python objects")
    np.save(tmp_path / "a.npy", np.array([Trap()] * 3, dtype=object))
    refused(tmp_path / "a.npy", "Python objects")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_bit_in_an_npz_is_noticed(tmp_path, save):
    save(tmp_path / "a.npz", images=IMAGES)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    refused(tmp_path / "a.npz", "damaged")


def test_pictures_of_a_folder_that_do_not_fit_together(tmp_path):
    def folder(name, *pictures):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / name / f"{i}.png")
        return tmp_path / name

    refused(folder("empty"), "no picture")
    refused(folder("sizes", IMAGES[0], IMAGES[1, :, :9]), "1.png is 12 x 9", "0.png is 12 x 10")
    refused(folder("depths", IMAGES[0], IMAGES[1].astype(np.uint16)), "1.png has uint16")
    table = folder("table", IMAGES[0]) / "labels.csv"
    for content, words in [
        ("file,label\n9.png,a\n", ["1 of 1 rows", "9.png", "not here"]),
        ("file,label\n../table/../../x.png,a\n", ["1 of 1 rows", "x.png", "not here"]),
        ("file,label\n0.png,a\n0.png,b\n", ["Line 3", "second time"]),
        ("colour,size\nred,4\n", ["first line 'file,label'", "colour"]),
        ("file,class,species\n0.png,a,b\n", ["'class' and 'species'", "label"]),
        ("file,label\n0.png,rod, long\n", ["Line 2", "3 cells", "quotation marks"]),
        ('file,label\n0.png,"a\n1.png,b\n', ["quotation mark", "line 3"]),
        ("", ["first line 'file,label'"]),
    ]:
        table.write_text(content)
        refused(table.parent, *words)
    table.write_bytes(b"PK\x03\x04" + bytes(range(256)))
    refused(table.parent, "Excel workbook", "CSV")


def test_pages_of_several_sizes_are_refused_by_the_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(IMAGES[0])
        file.write(IMAGES[0, :, :9])
    refused(tmp_path / "a.tif", "Page 1 of", "12 x 9", "page 0", "12 x 10")


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    labels = np.array([0, 1] * 3)
    np.savez_compressed(folder / "a.npz", images=IMAGES, labels=labels)
    np.save(folder / "a.npy", IMAGES)
    with h5py.File(folder / "a.h5", "w") as file:
        file["images"], file["labels"] = IMAGES, labels
    tifffile.imwrite(folder / "a.tif", IMAGES, photometric="minisblack")
    tifffile.imwrite(folder / "z.tif", IMAGES, photometric="minisblack", compression="zlib")
    pages = [Image.fromarray(page) for page in IMAGES]
    pages[0].save(folder / "l.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    pages[0].save(folder / "a.png")
    pages[0].save(folder / "a.jpg")
    return sorted(folder.iterdir())


def test_a_truncated_file_is_refused_whatever_its_format(tmp_path, whole_files):
    for whole in whole_files:
        content = whole.read_bytes()
        for share in (0, 0.02, 0.3, 0.7):
            path = tmp_path / whole.name
            path.write_bytes(content[: int(share * len(content))])
            refused(path, "cannot be read as")


def test_images_that_are_all_one_grey_level_on_the_scale_asked_for_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", FLOATS)
    with pytest.raises(UserError, match=r"goes from 0 to 1, which is all one grey level on the scale from 5 .* to 9"):
        read_images(tmp_path / "a.npy", intensity=(5, 9))


@given(st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_read_or_refused_but_never_a_traceback(tmp_path, whole_files, data):
    whole = data.draw(st.sampled_from(whole_files))
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / whole.name
    path.write_bytes(content)
    with contextlib.suppress(UserError):
        read_images(path)
