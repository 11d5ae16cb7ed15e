import importlib.util
import struct

import numpy as np
import pytest

from ssrvae_core.data import READERS, read_images
from ssrvae_core.data.apart import asking
from ssrvae_core.data.lengths import nanometres
from ssrvae_core.data.microscopes import reader as microscopes
from tests.core.data.microscope_files import IMAGES, WRITERS, DigitalMicrograph, dm, mrc, needs_rosettasciio, ser
from tests.core.data.refusing import refused
from tests.watching import opened


def read(path):
    return READERS[path.suffix](path)


@needs_rosettasciio
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_stack_is_read_with_its_pixel_size(tmp_path, suffix):
    contents = read(WRITERS[suffix](tmp_path / f"a{suffix}", IMAGES))
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    height, width = {".mrc": (0.25, 0.25), ".mrcs": (0.25, 0.25), ".ser": (0.2, 0.2)}.get(suffix, (0.5, 0.25))
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
    cube = np.random.default_rng(0).random((20, 12, 10)).astype(np.float32)
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
    scan = np.random.default_rng(0).integers(0, 255, (2, 3, 12, 12), dtype=np.uint8)
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
    monkeypatch.setattr(asking, "PATIENCE", 0.1)
    monkeypatch.setattr(microscopes, "SECONDS", 0.0)
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
