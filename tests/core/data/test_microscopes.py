import importlib.util
import struct
from typing import ClassVar

import numpy as np
import pytest

from ssrvae_core.data import READERS, read_images
from ssrvae_core.data.lengths import nanometres
from ssrvae_core.data.microscopes import reader as microscopes
from tests.core.data.refusing import refused
from tests.watching import opened

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 30_000, (4, 12, 10), dtype=np.int16)
needs_rosettasciio = pytest.mark.skipif(importlib.util.find_spec("rsciio") is None, reason="RosettaSciIO is optional")


def read(path):
    return READERS[path.suffix](path)


# Files as microscopes write them, from the descriptions of their formats.


class DigitalMicrograph:
    """Writes the tags of a DM3 or DM4 file: big-endian, with the values themselves little-endian."""

    TYPES: ClassVar = {"int16": (2, 1), "float32": (6, 2), "uint8": (10, 6), "uint16": (4, 10), "complex64": (5, 3)}

    def __init__(self, version):
        self.version = version
        self.word = ">q" if version == 4 else ">i"

    def number(self, *values):
        return b"".join(struct.pack(self.word, value) for value in values)

    def group(self, entries):
        return b"\0\0" + self.number(len(entries)) + b"".join(self.tag(name, entry) for name, entry in entries)

    def tag(self, name, entry):
        is_group = isinstance(entry, list)
        content = self.group(entry) if is_group else b"%%%%" + entry
        header = struct.pack(">bh", 20 if is_group else 21, len(name)) + name.encode()
        if self.version == 4:
            header += struct.pack(">q", len(content))
        return header + content

    def simple(self, kind, value):
        code, form = {"long": (5, "<I"), "float": (6, "<f"), "ulong": (5, "<I")}[kind]
        return self.number(1, code) + struct.pack(form, value)

    def array(self, values):
        return self.number(3, 20, self.TYPES[values.dtype.name][0], values.size) + values.tobytes()

    def text(self, value):
        return self.array(np.frombuffer(value.encode("utf-16-le"), np.uint16))

    def image(self, values, scale=0.25, units="nm", tags=()):
        dimension = [
            ("", [("Origin", self.simple("float", 0)), ("Scale", self.simple("float", s)), ("Units", self.text(u))])
            for s, u in [(scale, units), (2 * scale, units), (1, "")][: values.ndim]
        ]
        brightness = [("Origin", self.simple("float", 0)), ("Scale", self.simple("float", 1)), ("Units", self.text(""))]
        data = [
            ("Calibrations", [("Brightness", brightness), ("Dimension", dimension)]),
            ("Data", self.array(values)),
            ("DataType", self.simple("long", self.TYPES[values.dtype.name][1])),
            ("Dimensions", [("", self.simple("long", side)) for side in values.shape[::-1]]),
        ]
        return [("ImageData", data), ("ImageTags", list(tags)), ("Name", self.text("stack"))]

    def content(self, *images):
        root = self.group([("ImageList", [("", image) for image in images])])
        return struct.pack(">i", self.version) + self.number(len(root)) + struct.pack(">i", 1) + root + bytes(8)


def dm(path, *stacks, version=None, **options):
    writer = DigitalMicrograph(version or int(path.suffix[-1]))
    path.write_bytes(writer.content(*(writer.image(stack, **options) for stack in stacks)))
    return path


def mrc(path, values, pixel=2.5):
    modes = {"int16": 1, "float32": 2, "complex64": 4, "uint16": 6}
    header = bytearray(1024)
    n, height, width = values.shape
    struct.pack_into("<4i", header, 0, width, height, n, modes[values.dtype.name])
    struct.pack_into("<3i", header, 28, width, height, n)
    struct.pack_into("<3f", header, 40, width * pixel, height * pixel, n * pixel)
    header[208:212] = b"MAP "
    path.write_bytes(bytes(header) + values.tobytes())
    return path


def ser(path, values, step=2e-10):
    """Write a TIA series (version 0x210): header, one dimension, the images from below, and where each begins."""
    n, height, width = values.shape
    dimension = struct.pack("<IddiI", n, 0, 1, 0, 0) + struct.pack("<I", 0)
    beginning = 30 + len(dimension)
    blocks = []
    for image in values[:, ::-1]:
        block = struct.pack("<ddIddIHII", 0, step, 0, 0, step, 0, 5, width, height)
        blocks.append(block + image.tobytes() + struct.pack("<HHI", 0x4152, 0, 0))
    offsets = [beginning + sum(map(len, blocks[:at])) for at in range(n)]
    where = beginning + sum(map(len, blocks))
    header = struct.pack("<HHHIIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, n, n, where, 1)
    path.write_bytes(header + dimension + b"".join(blocks) + struct.pack(f"<{n}I", *offsets) + bytes(4 * n))
    return path


WRITERS = {".dm3": dm, ".dm4": dm, ".mrc": mrc, ".ser": ser}


@needs_rosettasciio
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_stack_is_read_with_its_pixel_size(tmp_path, suffix):
    contents = read(WRITERS[suffix](tmp_path / f"a{suffix}", IMAGES))
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    height, width = {".mrc": (0.25, 0.25), ".ser": (0.2, 0.2)}.get(suffix, (0.5, 0.25))
    np.testing.assert_allclose(contents.fields["pixel_size"], np.tile([height, width], (4, 1)), rtol=1e-6)
    assert contents.fields["pixel_size"].dtype == np.float64


@needs_rosettasciio
def test_the_ending_may_be_in_capitals_and_one_image_is_one_image(tmp_path):
    path = dm(tmp_path / "a.dm3", IMAGES[0]).rename(tmp_path / "A.DM3")
    assert read_images(path, intensity=(0, 30_000)).images.shape == (1, 1, 12, 10)
    contents = read(mrc(tmp_path / "a.mrc", IMAGES[:1]))
    np.testing.assert_array_equal(contents.fields["images"], IMAGES[:1])


@needs_rosettasciio
def test_a_unit_that_is_no_length_gives_no_pixel_size(tmp_path):
    assert set(read(dm(tmp_path / "a.dm4", IMAGES, units="1/nm")).fields) == {"images"}


@needs_rosettasciio
def test_headers_that_say_no_pixel_size_or_an_absurd_one_give_none(tmp_path):
    path = mrc(tmp_path / "a.mrc", IMAGES)
    content = bytearray(path.read_bytes())
    content[28:52] = bytes(24)
    path.write_bytes(content)
    assert set(read(path).fields) == {"images"}
    assert set(read(ser(tmp_path / "a.ser", IMAGES, step=1e9)).fields) == {"images"}


@needs_rosettasciio
def test_several_stacks_are_listed_and_what_is_no_picture_is_refused(tmp_path):
    refused(dm(tmp_path / "a.dm3", IMAGES, IMAGES[:2]), "(4, 12, 10)", "(2, 12, 10)", "TIFF")
    refused(mrc(tmp_path / "a.mrc", IMAGES.astype(np.complex64)), "no images", "complex64")
    refused(dm(tmp_path / "b.dm3", IMAGES[0, 0]), "no images", "(10,)")


@needs_rosettasciio
def test_a_spectrum_image_is_never_taken_as_images(tmp_path):
    writer = DigitalMicrograph(3)
    cube = RNG.random((20, 12, 10)).astype(np.float32)
    tags = [("Meta Data", [("Format", writer.text("Spectrum image"))])]
    (tmp_path / "a.dm3").write_bytes(writer.content(writer.image(cube, tags=tags)))
    refused(tmp_path / "a.dm3", "no images", "(20, 12, 10)")


def written(plugin, path, values, **options):
    writer = importlib.import_module(f"rsciio.{plugin}").file_writer
    names = ["y", "x", "dy", "dx"][-values.ndim :] if values.ndim == 4 else ["time", "dy", "dx"]
    units = {"time": "s", "y": "nm", "x": "nm"} | (dict.fromkeys(("dy", "dx"), "cm") if values.ndim == 4 else {})
    described = [
        {
            "name": name,
            "size": size,
            "navigate": at < values.ndim - 2,
            "scale": 1.0,
            "offset": 0.0,
            "units": units.get(name, "nm"),
            "index_in_array": at,
        }
        for at, (name, size) in enumerate(zip(names, values.shape, strict=True))
    ]
    signal = {"data": values, "axes": described, "metadata": {"General": {}, "Signal": {}}}
    writer(str(path), signal | {"original_metadata": {}, "attributes": {"_lazy": False}}, **options)
    return path


@needs_rosettasciio
@pytest.mark.filterwarnings("ignore")
def test_scans_of_diffraction_patterns_become_one_row(tmp_path):
    scan = RNG.integers(0, 255, (2, 3, 12, 12), dtype=np.uint8)
    contents = read(written("blockfile", tmp_path / "a.blo", scan, navigator=None, show_progressbar=False))
    np.testing.assert_array_equal(contents.fields["images"], scan.reshape(6, 12, 12))
    assert set(contents.fields) == {"images"}
    assert any("2 x 3" in remark for remark in contents.remarks)


@needs_rosettasciio
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("plugin", "suffix"), [("hspy", ".hspy"), ("emd", ".emd")])
def test_hdf5_files_as_rosettasciio_writes_them_are_read_without_it(tmp_path, plugin, suffix, monkeypatch):
    """It writes the axes of EMD files in reverse, and says so by the names of the dimensions."""
    writer = importlib.import_module(f"rsciio.{plugin}").file_writer
    names, scales = ("t", "y", "x"), (1.0, 0.5, 0.25)
    axes = [
        {"_type": "UniformDataAxis", "name": name, "size": size, "navigate": name == "t", "scale": scale, "offset": 0.0}
        for name, size, scale in zip(names, IMAGES.shape, scales, strict=True)
    ]
    for axis in axes:
        axis |= {"units": "s" if axis["navigate"] else "nm", "is_binned": False}
    signal = {"data": IMAGES, "axes": axes, "attributes": {"_lazy": False}, "package_info": {"package": "x"}}
    signal |= {name: {} for name in ("learning_results", "models", "tmp_parameters", "original_metadata")}
    signal["metadata"] = {"General": {"title": "Würfel"}, "Signal": {}, "_HyperSpy": {}}
    writer(str(tmp_path / f"a{suffix}"), signal)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    contents = read(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    np.testing.assert_allclose(contents.fields["pixel_size"], np.tile([0.5, 0.25], (4, 1)))


# A file is one file.


@needs_rosettasciio
@pytest.mark.filterwarnings("ignore")
def test_files_beside_the_one_that_is_given_are_never_opened(tmp_path):
    """MRC movies have tables and images beside them, TVIPS continues in files of the next numbers."""
    movie = mrc(tmp_path / "20240101_7_movie.mrc", IMAGES)
    mrc(tmp_path / "20240101_7_ext1_Haadf.mrc", IMAGES[:1])
    (tmp_path / "20240101_7_info.txt").write_text("Scan - Enable = Disable\nFrames Per Second = 3\n")
    first = written("tvips", tmp_path / "b_000.tvips", IMAGES.astype(np.uint16), mode=1, show_progressbar=False)
    (tmp_path / "b_001.tvips").write_bytes(first.read_bytes())
    serial = ser(tmp_path / "c_1.ser", IMAGES)
    (tmp_path / "c.emi").write_bytes(b"<ObjectInfo></ObjectInfo>")
    for path in (movie, first, serial, dm(tmp_path / "d.dm3", IMAGES)):
        with opened(tmp_path) as files:
            contents = read(path)
        assert files - {""} == {path.name}
        np.testing.assert_array_equal(contents.fields["images"], IMAGES)
        # The information beside the movie would take the pixel size away, and the second file would bring four images.
        assert set(contents.fields) == ({"images"} if path == first else {"images", "pixel_size"})


@pytest.mark.parametrize("suffix", microscopes.ELSEWHERE)
def test_formats_whose_images_lie_elsewhere_say_what_to_do(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"x")
    with opened(tmp_path) as files:
        refused(path, "by itself")
    assert files == set()


# Damage.


@pytest.mark.parametrize("suffix", microscopes.PLUGINS)
def test_without_rosettasciio_the_way_to_it_is_said(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"x")
    refused(path, "RosettaSciIO", f"pip install {microscopes.PACKAGE}", "TIFF")


def test_the_version_that_is_named_is_the_one_that_is_tested():
    root = microscopes.__file__.split("ssrvae_core")[0]
    with open(f"{root}requirements-dev.txt") as stream:
        assert microscopes.PACKAGE in stream.read().splitlines()


@needs_rosettasciio
@pytest.mark.parametrize("suffix", sorted(microscopes.PLUGINS.keys() - WRITERS.keys()))
def test_what_is_no_such_file_is_one_sentence(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(microscopes.BEGINNINGS[suffix][0].ljust(3000, b"\0"))
    refused(tmp_path / f"a{suffix}")


@needs_rosettasciio
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_that_is_cut_short_is_one_sentence(tmp_path, suffix):
    path = WRITERS[suffix](tmp_path / f"a{suffix}", IMAGES)
    content = path.read_bytes()
    path.write_bytes(content[: int(0.6 * len(content))])
    refused(path, "cannot be read", "damaged")


@needs_rosettasciio
def test_lengths_that_would_fill_the_memory_or_take_for_ever_are_refused(tmp_path, monkeypatch):
    """An array of a thousand million million structures without a member takes no byte of the file."""
    monkeypatch.setattr(microscopes, "SECONDS", 0.5)
    writer = DigitalMicrograph(4)
    endless = writer.number(5, 20, 15, 0, 0, 10**15)
    root = writer.group([("Endless", endless)])
    (tmp_path / "a.dm4").write_bytes(struct.pack(">i", 4) + writer.number(len(root)) + struct.pack(">i", 1) + root)
    refused(tmp_path / "a.dm4", "damaged")
    path = mrc(tmp_path / "a.mrc", IMAGES)
    content = bytearray(path.read_bytes())
    struct.pack_into("<3i", content, 0, 2**16, 2**16, 2**10)
    path.write_bytes(content)
    refused(path)
    path = ser(tmp_path / "a.ser", IMAGES)
    content = bytearray(path.read_bytes())
    struct.pack_into("<2I", content, 14, 2**31, 2**31)
    path.write_bytes(content)
    refused(path)


@needs_rosettasciio
def test_a_process_that_does_nothing_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(microscopes, "PATIENCE", 0.1)
    monkeypatch.setitem(microscopes.PLUGINS, ".dm3", "no_such_plugin")
    refused(dm(tmp_path / "a.dm3", IMAGES), "cannot be read")


@pytest.mark.parametrize(
    ("scale", "unit", "expected"),
    [
        (2, "nm", 2),
        (2.0, "Nanometers", 2),
        ("3e-10", "m", 0.3),
        (1, "Å", 0.1),
        (1, "[n_m]", 1),
        (-1, "µm", 1000),
        (1, "μm", 1000),
        (1, "1/nm", None),
        (1, "cm", None),
        (0, "nm", None),
        (float("nan"), "nm", None),
        (None, "nm", None),
        ("x", "nm", None),
        (1, None, None),
    ],
)
def test_lengths_in_nanometres(scale, unit, expected):
    assert nanometres(scale, unit) == (None if expected is None else pytest.approx(expected))
