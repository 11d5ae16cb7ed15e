"""TIFF files by one road: whatever their compression, depth, colours, layout and axes, and never another file."""

import contextlib
import json
import os
import struct
import sys
import time
import tracemalloc
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.data import read_images
from ssrvae_core.data.pictures.ifd import MAX_PAGES
from ssrvae_core.data.pictures.pages import read_pages, read_picture
from tests.core.data import refusing

HEIGHT, WIDTH = 21, 37
RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 256, (6, HEIGHT, WIDTH), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def write(path, *arguments, **options):
    tifffile.imwrite(path, *arguments, **({"photometric": "minisblack"} | options))
    return path


def tiff_file(path, *pages, order="<"):
    """Write pages, each a mapping of tags to numbers, fractions or bytes, and the bytes of its only strip."""
    content = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 0)
    link = 4
    for tags, strip in pages:
        tags = {273: [len(content)], 279: [len(strip)], **tags}
        content += strip + b"\0" * (len(strip) % 2)
        start = len(content)
        beyond = start + 2 + 12 * len(tags) + 4
        directory, far = struct.pack(order + "H", len(tags)), b""
        for code, value in sorted(tags.items()):
            kind = 7 if isinstance(value, bytes) else 5 if isinstance(value[0], tuple) else 4
            values = np.ravel(value).tolist() if kind != 7 else []
            field = value if kind == 7 else struct.pack(f"{order}{len(values)}I", *values)
            if len(field) > 4:
                far, field = far + field, struct.pack(order + "I", beyond + len(far))
            directory += struct.pack(order + "HHI4s", code, kind, len(value), field)
        content = content[:link] + struct.pack(order + "I", start) + content[link + 4 :]
        content += directory + b"\0" * 4 + far
        link = start + len(directory)
    path.write_bytes(content)
    return path


def grey_tags(height=HEIGHT, width=WIDTH, bits=8, **others):
    tags = {256: [width], 257: [height], 258: [bits], 259: [1], 262: [1], 277: [1], 278: [height]}
    return tags | {int(code[1:]): value for code, value in others.items()}


refused = partial(refusing.refused, read=read_pages)


# Samples


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
def test_samples_keep_their_type_in_native_byte_order(tmp_path, order, dtype, compression):
    stack = (RNG.random((3, HEIGHT, WIDTH)) * 200 - (100 if dtype[0] != "u" else 0)).astype(order + dtype)
    for layout in ({"tile": (16, 32)}, {"rowsperstrip": 5}):
        predictor = compression is not None and dtype[0] != "f" and stack.itemsize < 8
        path = write(
            tmp_path / "a.tif", stack, byteorder=order, compression=compression, predictor=predictor, metadata=None,
            **layout,
        )  # fmt: skip
        images = read_pages(path).images
        assert images.dtype == np.dtype(dtype) and images.dtype.isnative
        np.testing.assert_array_equal(images[..., 0], stack)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd", "lzma"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_pixels_do_not_depend_on_the_compression(tmp_path, compression, mode):
    if mode in ("I;16", "I", "F"):
        values = STACK[0].astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]) * 200 - (mode == "I")
        picture = Image.fromarray(values)
    else:
        picture = Image.fromarray(COLOUR).convert("L" if mode == "1" else mode)
        picture = picture.convert(mode)
    picture.save(tmp_path / "a.tif", compression=compression)
    expected = np.asarray(picture.convert("RGB") if mode in ("P", "RGBA", "CMYK", "YCbCr") else picture)
    images = read_pages(tmp_path / "a.tif").images
    assert images.dtype == expected.dtype
    np.testing.assert_array_equal(images[0], expected if expected.ndim == 3 else expected[..., None])


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_facsimile_compressions_of_bilevel_pages(tmp_path, compression):
    bilevel = np.zeros((HEIGHT, WIDTH), dtype=bool)
    bilevel[4:15, 3:30] = True
    Image.fromarray(bilevel).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read_pages(tmp_path / "a.tif").images[0, ..., 0], bilevel)


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr", "CMYK"])
def test_jpeg_compression(tmp_path, mode):
    smooth = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).astype(np.uint8) * 3
    picture = Image.fromarray(np.dstack([smooth, smooth // 2, smooth // 3])).convert(mode)
    picture.save(tmp_path / "a.tif", compression="jpeg")
    expected = np.asarray(picture.convert("L" if mode == "L" else "RGB"), dtype=int)
    images = read_pages(tmp_path / "a.tif").images[0].astype(int)
    assert abs(images - (expected if expected.ndim == 3 else expected[..., None])).max() < 20


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
def test_samples_that_are_not_whole_bytes(tmp_path, bits):
    values = RNG.integers(0, 2**bits, (HEIGHT, WIDTH))
    spread = (values[..., None] >> np.arange(bits)[::-1] & 1).reshape(HEIGHT, -1).astype(np.uint8)
    path = tiff_file(tmp_path / "a.tif", (grey_tags(bits=bits), np.packbits(spread, axis=1).tobytes()))
    images = read_pages(path).images[0, ..., 0]
    expected = np.rint(values * 255 / (2**bits - 1)) if 1 < bits < 8 else values
    assert images.dtype == (bool if bits == 1 else np.uint8 if bits < 8 else np.uint16)
    np.testing.assert_array_equal(images, expected)


def test_bits_that_are_stored_in_the_opposite_order(tmp_path):
    path = tiff_file(tmp_path / "a.tif", (grey_tags(height=8, width=8, t266=[2]), bytes(range(64))))
    expected = [int(f"{value:08b}"[::-1], 2) for value in range(64)]
    assert read_pages(path).images.ravel().tolist() == expected


def test_differences_of_floats(tmp_path):
    values = RNG.random((HEIGHT, WIDTH)).astype(np.float32)
    planes = values.astype(">f4").view(np.uint8).reshape(HEIGHT, WIDTH, 4).transpose(0, 2, 1).reshape(HEIGHT, -1)
    differences = np.diff(planes, axis=1, prepend=np.zeros((HEIGHT, 1), np.uint8))
    tags = grey_tags(bits=32, t259=[8], t317=[3], t339=[3])
    path = tiff_file(tmp_path / "a.tif", (tags, zlib.compress(differences.tobytes())))
    np.testing.assert_array_equal(read_pages(path).images[0, ..., 0], values)


def test_planes_of_samples_are_channels(tmp_path):
    planes = RNG.integers(0, 256, (3, HEIGHT, WIDTH), dtype=np.uint16)
    path = write(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", rowsperstrip=4)
    np.testing.assert_array_equal(read_pages(path).images[0], planes.transpose(1, 2, 0))


def test_a_big_tiff(tmp_path):
    path = write(tmp_path / "a.tif", STACK, bigtiff=True)
    np.testing.assert_array_equal(read_pages(path).images[..., 0], STACK)


# Colours


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (bool, lambda values: ~values),
        (np.uint8, lambda values: 255 - values),
        (np.uint16, lambda values: 65535 - values),
        (np.int16, lambda values: -1 - values),
        (np.float32, lambda values: 1 - values),
    ],
)
def test_white_is_brightest_where_it_is_stored_as_zero(tmp_path, dtype, expected):
    values = (STACK[0] % 2 if dtype is bool else STACK[0] / 255 if dtype is np.float32 else STACK[0]).astype(dtype)
    path = write(tmp_path / "a.tif", values, photometric="miniswhite")
    np.testing.assert_array_equal(read_pages(path).images[0, ..., 0], expected(values))


def test_white_of_twelve_bits_is_their_largest_number(tmp_path):
    path = tiff_file(tmp_path / "a.tif", (grey_tags(height=8, width=8, bits=12, t262=[0]), b"\0" * 96))
    assert (read_pages(path).images == 4095).all()


def palette_file(path, palette, **options):
    picture = Image.fromarray(STACK[0])
    picture.putpalette(palette.ravel().tolist())
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("kind", ["ramp", "stretched", "colours"])
def test_a_palette_is_resolved_as_that_of_a_png(tmp_path, kind):
    levels = np.arange(256, dtype=np.uint8)
    grey = np.minimum(levels.astype(int) * 2, 255).astype(np.uint8) if kind == "stretched" else levels
    palette = np.column_stack([grey, grey, levels[::-1] if kind == "colours" else grey])
    expected = read_pages(palette_file(tmp_path / "a.png", palette)).images
    assert expected.shape[3] == (3 if kind == "colours" else 1)
    for compression in (None, "tiff_lzw"):
        images = read_pages(palette_file(tmp_path / "a.tif", palette, compression=compression)).images
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(images, expected)


def test_every_page_has_its_own_palette(tmp_path):
    ramp = np.arange(256).repeat(3).reshape(256, 3).T * 257
    pages = []
    for palette in (ramp, ramp[:, ::-1]):
        tags = grey_tags(t262=[3], t320=palette.ravel().tolist())
        pages.append((tags, STACK[0].tobytes()))
    images = read_pages(tiff_file(tmp_path / "a.tif", *pages)).images
    np.testing.assert_array_equal(images[0, ..., 0], STACK[0])
    np.testing.assert_array_equal(images[1, ..., 0], 255 - STACK[0])


def test_a_palette_whose_colours_are_not_used_gives_grey(tmp_path):
    palette = np.arange(256).repeat(3).reshape(256, 3)
    palette[255] = [255, 0, 0]
    picture = Image.fromarray(STACK[0] % 200)
    picture.putpalette(palette.ravel().tolist())
    picture.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_pages(tmp_path / "a.tif").images[0, ..., 0], STACK[0] % 200)


def test_alpha_is_composited_on_black_once(tmp_path):
    pixels = np.dstack([COLOUR // 2, np.full((HEIGHT, WIDTH), 128, np.uint8)])
    apart = write(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read_pages(apart).images[0], np.rint(pixels[..., :3] * (128 / 255)))
    within = write(tmp_path / "b.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_array_equal(read_pages(within).images[0], pixels[..., :3])


def test_colours_and_compressions_that_are_not_read_are_named(tmp_path):
    strip = b"\0" * (HEIGHT * WIDTH * 3)
    colours = {277: [3], 258: [8, 8, 8]}
    refused(tiff_file(tmp_path / "a.tif", (grey_tags(t262=[8]) | colours, strip)), "Page 0", "CIELAB")
    refused(tiff_file(tmp_path / "a.tif", (grey_tags(t259=[34712]), strip)), "Page 0", "JPEG 2000", "LZW")
    refused(tiff_file(tmp_path / "a.tif", (grey_tags(t259=[12345]), strip)), "Page 0", "12345")
    refused(tiff_file(tmp_path / "a.tif", (grey_tags(t32997=[2]), strip)), "Page 0", "volume")
    refused(tiff_file(tmp_path / "a.tif", (grey_tags(bits=24), strip)), "24 bits")


# Pages


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (STACK[1, :, :9], ["21 x 9 pixels", "21 x 37 pixels"]),
        (STACK[1].astype(np.uint16), ["16-bit grey", "8-bit grey"]),
        (STACK[1].astype(np.float32), ["32-bit float grey", "8-bit grey"]),
        (COLOUR, ["8-bit colour", "8-bit grey"]),
    ],
)
def test_pages_that_are_unlike_are_refused_by_their_number(tmp_path, other, words):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in (STACK[0], STACK[1], other):
            file.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", metadata=None)
    refused(tmp_path / "a.tif", "Page 2 of", "page 0", *words)


def test_thumbnails_masks_and_pyramids_are_left_out(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in STACK:
            file.write(page, subifds=1, metadata=None)
            file.write(page[::2, ::2], subfiletype=1, metadata=None)
        file.write(STACK[0, :9, :9], subfiletype=1, metadata=None)
        file.write(STACK[0] > 100, subfiletype=4, metadata=None)
    pages = read_pages(tmp_path / "a.tif")
    np.testing.assert_array_equal(pages.images[..., 0], STACK)
    counts = {entry.what: entry.count for entry in pages.left_out}
    assert counts == {"pages of reduced resolution": 1, "transparency masks": 1, "pages within pages": 6}


def test_a_file_of_reduced_pages_alone_is_read(tmp_path):
    path = write(tmp_path / "a.tif", STACK[0], subfiletype=1, metadata=None)
    assert read_pages(path).images.shape == (1, HEIGHT, WIDTH, 1)
    assert not read_pages(path).left_out


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_every_page_is_turned_upright(tmp_path, orientation, compression):
    pages = [Image.fromarray(page) for page in STACK]
    exif = Image.Exif()
    exif[0x112] = orientation
    pages[0].save(tmp_path / "a.tif", exif=exif, compression=compression)
    pages[0].save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_pages(tmp_path / "a.tif").images, read_pages(tmp_path / "a.png").images)
    tags, strip = grey_tags(t274=[orientation]), STACK[0].tobytes()
    square = grey_tags(height=8, width=8)
    images = read_pages(tiff_file(tmp_path / "b.tif", (tags, strip))).images
    np.testing.assert_array_equal(images, read_pages(tmp_path / "a.png").images)
    two = tiff_file(tmp_path / "c.tif", (square, strip[:64]), (square | {274: [orientation]}, strip[:64]))
    images = read_pages(two).images[..., 0]
    np.testing.assert_array_equal(images[0].ravel(), list(strip[:64]))
    assert (images[0] == images[1]).all() == (orientation == 1)


# Axes


def test_channels_of_an_imagej_hyperstack_are_channels_times_and_planes_are_images(tmp_path):
    stack = RNG.integers(0, 2**16, (2, 3, 5, HEIGHT, WIDTH), dtype=np.uint16)
    path = write(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TZCYX"})
    expected = stack.reshape(6, 5, HEIGHT, WIDTH).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(read_pages(path).images, expected)
    tifffile.imwrite(tmp_path / "b.tif", np.moveaxis(stack[..., None], 2, -1)[..., 0, :3].astype(np.uint8), imagej=True,
                     photometric="rgb", metadata={"axes": "TZYXS"})  # fmt: skip
    assert read_pages(tmp_path / "b.tif").images.shape == (6, HEIGHT, WIDTH, 3)


def test_a_stack_that_calls_its_pages_channels_is_taken_so_and_told_of(tmp_path):
    pages = read_pages(write(tmp_path / "stack.tif", STACK, imagej=True))
    assert pages.images.shape == (1, HEIGHT, WIDTH, 6)
    assert "6 pages" in pages.remarks[0] and "TYX" in pages.remarks[0]
    assert not read_pages(write(tmp_path / "b.tif", STACK[:3], imagej=True)).remarks


def test_an_imagej_stack_behind_one_directory_is_read_whole_or_refused(tmp_path):
    text = b"ImageJ=1.53t\nimages=6\nslices=6\n\0"
    path = tiff_file(tmp_path / "a.tif", (grey_tags(t270=text), STACK.tobytes()))
    np.testing.assert_array_equal(read_pages(path).images[..., 0], STACK)
    refused(tiff_file(path, (grey_tags(t270=text), STACK[:3].tobytes())), "6 pages", "ends before")
    metamorph = grey_tags(t33629=[0] * 6)
    np.testing.assert_array_equal(read_pages(tiff_file(path, (metamorph, STACK.tobytes()))).images[..., 0], STACK)


def test_channels_of_imagej_that_do_not_add_up_are_told_of(tmp_path):
    pages = [(grey_tags(), page.tobytes()) for page in STACK[:5]]
    pages[0][0][270] = b"ImageJ=1.53t\nimages=5\nchannels=2\n\0"
    found = read_pages(tiff_file(tmp_path / "a.tif", *pages))
    assert found.images.shape == (5, HEIGHT, WIDTH, 1)
    assert "2 channels" in found.remarks[0] and "5 pages" in found.remarks[0]


@pytest.mark.parametrize(
    ("axes", "channels"), [("TCYX", 2), ("CTYX", 3), ("TZYX", None), ("ZCYX", 2), (None, None), ("QQYX", None)]
)
def test_axes_that_tifffile_notes_are_followed(tmp_path, axes, channels):
    stack = STACK.reshape(3, 2, HEIGHT, WIDTH)
    path = write(tmp_path / "a.tif", stack, metadata={"axes": axes} if axes else {})
    images = read_pages(path).images
    if channels is None:
        np.testing.assert_array_equal(images[..., 0], STACK)
    else:
        expected = stack if axes.endswith("CYX") else stack.swapaxes(0, 1)
        np.testing.assert_array_equal(images, expected.transpose(0, 2, 3, 1))


def test_pages_that_are_no_planes_of_an_image_are_refused(tmp_path):
    refused(write(tmp_path / "a.tif", STACK, metadata={"axes": "YXT"}), "YXT")


# OME


def ome(path, planes, own=0, order="XYCZT", sizes=(1, 1, 1), names=None, uuid=True, pixels="", pages=None):
    """Write a file of an OME set; ``planes`` are (C, Z, T, page, number of the file)."""
    names = names or {0: path.name}
    c, z, t = sizes
    blocks = "".join(
        f'<TiffData FirstC="{plane[0]}" FirstZ="{plane[1]}" FirstT="{plane[2]}" IFD="{plane[3]}" PlaneCount="1">'
        f'<UUID FileName="{names.get(plane[4], f"other{plane[4]}.tif")}">urn:uuid:{plane[4]}</UUID></TiffData>'
        for plane in planes
    )
    identity = f'UUID="urn:uuid:{own}"' if uuid else ""
    text = (
        f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {identity}><Image>'
        f'<Pixels DimensionOrder="{order}" SizeC="{c}" SizeZ="{z}" SizeT="{t}" {pixels}>{blocks}</Pixels></Image></OME>'
    )
    with tifffile.TiffWriter(path) as file:
        for page in STACK[:1] if pages is None else pages:
            file.write(page, description=text, metadata=None, photometric="minisblack")
            text = ""
    return path


@contextlib.contextmanager
def files_opened(paths):
    """Names of files that Python opens, looks for or lists, of what lies in one folder."""
    opened, active = [], [True]

    def hook(event, arguments):
        if active and event in ("open", "os.listdir", "os.scandir", "glob.glob"):
            opened.extend(str(value) for value in arguments[:1] if str(paths) in str(value))

    sys.addaudithook(hook)
    try:
        yield opened
    finally:
        active.clear()


@pytest.fixture
def stats(monkeypatch):
    """Paths that were asked for, by whatever function of the operating system."""
    asked = []
    for name in ("stat", "lstat", "access", "listdir", "scandir"):
        original = getattr(os, name)

        def record(path, *arguments, original=original, **options):
            asked.append(str(path))
            return original(path, *arguments, **options)

        monkeypatch.setattr(os, name, record)
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: asked.append(str(path)) or exists(path))
    return asked


@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_that_names_another_is_read_alike_whether_that_exists_or_not(tmp_path, absolute, stats):
    (tmp_path / "private").mkdir()
    secret = tmp_path / "private" / "secret.tif"
    name = str(secret) if absolute else "private/secret.tif"
    path = ome(tmp_path / "a.tif", [(0, 0, 0, 0, 0), (0, 0, 1, 0, 1)], names={0: "a.tif", 1: name}, sizes=(1, 1, 2))

    def read():
        stats.clear()
        with files_opened(tmp_path) as opened:
            pages = read_pages(path)
        assert set(opened) == {str(path)}
        assert not [entry for entry in stats if "secret" in entry]
        return pages

    before = read()
    write(secret, STACK[3])
    after = read()
    np.testing.assert_array_equal(before.images, after.images)
    np.testing.assert_array_equal(before.images[..., 0], STACK[:1])
    assert before.left_out == after.left_out
    assert before.left_out[0].count == 1 and "other files" in before.left_out[0].what
    assert "secret" not in str(before)


@pytest.mark.parametrize("kind", ["mmstack", "ndtiff", "binary only", "philips", "scanimage"])
def test_a_file_that_looks_like_part_of_a_set_does_not_reach_for_the_others(tmp_path, kind, stats):
    texts = {
        "mmstack": json.dumps({"Summary": {"Prefix": "a", "FileName": "b_MMStack_1.ome.tif"}}),
        "ndtiff": json.dumps({"Axes": {"time": 0}, "FileName": "b.tif"}),
        "binary only": '<OME UUID="urn:uuid:1"><BinaryOnly MetadataFile="b.ome.xml" UUID="urn:uuid:2"/></OME>',
        "philips": "<?xml version='1.0'?><DataObject ObjectType=\"DPUfsImport\"></DataObject>",
        "scanimage": "state.configName = b.tif",
    }
    path = tmp_path / "a_MMStack_Pos0.ome.tif"
    extratags = [(51123, 2, 0, json.dumps({"FileName": "b.tif", "Axes": {}}), True)]
    write(path, STACK[0], description=texts[kind], metadata=None, extratags=extratags)
    for other in ("b.tif", "NDTiff.index", "a_MMStack_Pos0_1.ome.tif", "b.ome.xml"):
        (tmp_path / other).write_bytes(b"x")
    stats.clear()
    with files_opened(tmp_path) as opened:
        images = read_pages(path).images
    np.testing.assert_array_equal(images[..., 0], STACK[:1])
    assert set(opened) == {str(path)}
    assert not [entry for entry in stats if str(tmp_path) in entry and entry != str(path)]


def test_each_file_of_an_ome_set_gives_its_own_planes(tmp_path):
    planes = [(0, 0, at, 0, at) for at in range(6)]
    for at in range(6):
        path = ome(tmp_path / f"{at}.ome.tif", planes, own=at, sizes=(1, 1, 6), pages=STACK[at : at + 1])
        pages = read_pages(path)
        np.testing.assert_array_equal(pages.images[..., 0], STACK[at : at + 1])
        assert [entry.count for entry in pages.left_out] == [5]
    assert len(read_images(tmp_path)) == 6


def test_the_name_says_which_planes_are_a_files_own_where_it_has_no_identifier(tmp_path):
    planes = [(0, 0, 0, 0, 0), (0, 0, 1, 0, 1)]
    path = ome(tmp_path / "a.tif", planes, sizes=(1, 1, 2), uuid=False, names={0: "C:\\data\\a.tif", 1: "b.tif"})
    pages = read_pages(path)
    assert len(pages.images) == 1 and pages.left_out[0].count == 1
    path.rename(tmp_path / "renamed.tif")
    pages = read_pages(tmp_path / "renamed.tif")
    np.testing.assert_array_equal(pages.images[..., 0], STACK[:1])
    assert "fits none" in pages.remarks[0]


@pytest.mark.parametrize("axes", ["TZCYX", "TCZYX", "CTZYX", "ZTCYX"])
def test_planes_of_an_ome_tiff_are_grouped_by_its_dimension_order(tmp_path, axes):
    sizes = {"T": 2, "Z": 3, "C": 5}
    stack = RNG.integers(0, 256, (*[sizes[axis] for axis in axes[:3]], 16, 16), dtype=np.uint8)
    path = write(tmp_path / "a.ome.tif", stack, metadata={"axes": axes}, ome=True)
    expected = np.moveaxis(stack, [axes.index(axis) for axis in "TZYXC"], range(5)).reshape(6, 16, 16, 5)
    np.testing.assert_array_equal(read_pages(path).images, expected)


def test_colours_of_an_ome_tiff_are_channels(tmp_path):
    path = write(tmp_path / "a.ome.tif", np.stack([COLOUR] * 2), photometric="rgb", metadata={"axes": "TYXS"})
    np.testing.assert_array_equal(read_pages(path).images, np.stack([COLOUR] * 2))


def test_pages_of_an_ome_tiff_go_where_its_list_says(tmp_path):
    planes = [(c, 0, t, 2 * (2 - t) + 1 - c, 0) for c in range(2) for t in range(3)]
    images = read_pages(ome(tmp_path / "a.tif", planes, sizes=(2, 1, 3), pages=STACK)).images
    for c, _, t, page, _ in planes:
        np.testing.assert_array_equal(images[t, ..., c], STACK[page])


def test_planes_of_an_ome_tiff_keep_their_numbers_beside_a_thumbnail(tmp_path):
    text = (
        '<OME UUID="u"><Image><Pixels DimensionOrder="XYCZT" SizeC="2" SizeZ="1" SizeT="1">'
        '<TiffData FirstC="0" IFD="2"/><TiffData FirstC="1" IFD="1"/></Pixels></Image></OME>'
    )
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(STACK[0, ::2, ::2], subfiletype=1, metadata=None)
        file.write(STACK[1], description=text, metadata=None)
        file.write(STACK[2], metadata=None)
    images = read_pages(tmp_path / "a.tif").images
    np.testing.assert_array_equal(images[0], np.moveaxis(STACK[[2, 1]], 0, -1))


def test_channels_whose_others_lie_elsewhere_are_images_and_told_of(tmp_path):
    planes = [(c, 0, t, t, c) for c in range(2) for t in range(3)]
    pages = read_pages(ome(tmp_path / "a.tif", planes, sizes=(2, 1, 3), pages=STACK[:3]))
    np.testing.assert_array_equal(pages.images[..., 0], STACK[:3])
    assert pages.left_out[0].count == 3 and "channel" in pages.remarks[0]


@pytest.mark.parametrize(
    "planes",
    [
        [(0, 0, 0, 0, 0), (0, 0, 0, 1, 0)],  # one plane twice
        [(0, 0, 7, 0, 0)],  # beyond the sizes
        [(0, 0, 0, 99, 0)],  # no such page
        [],
    ],
)
def test_a_list_of_planes_that_fits_no_page_leaves_pages_as_images(tmp_path, planes):
    pages = read_pages(ome(tmp_path / "a.tif", planes, pages=STACK[:2], sizes=(1, 1, 1)))
    assert 1 <= len(pages.images) <= 2 and (pages.remarks or pages.left_out)


def test_entities_in_ome_are_never_expanded(tmp_path):
    text = '<!DOCTYPE x [<!ENTITY a "' + "b" * 1000 + '">]><OME>&a;&a;</OME>'
    pages = read_pages(write(tmp_path / "a.tif", STACK[0], description=text, metadata=None))
    assert len(pages.images) == 1 and pages.remarks


# Size of a pixel


def imagej(unit, resolution=(2.0, 4.0)):
    return {"imagej": True, "resolution": resolution, "metadata": {"unit": unit, "axes": "YX"}}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (imagej("nm"), (0.25, 0.5)),
        (imagej("um"), (250, 500)),
        (imagej("\\u00B5m"), (250, 500)),
        (imagej("micron"), (250, 500)),
        (imagej("pm", (0.002, 0.002)), (0.5, 0.5)),
        (imagej("A"), (0.025, 0.05)),
        (imagej("mm"), (2.5e5, 5e5)),
        (imagej("pixel"), None),
        (imagej("inch"), None),
        ({"resolution": (72, 72), "resolutionunit": "inch"}, None),
        ({"resolution": (25_400_000, 25_400_000), "resolutionunit": "inch"}, None),
        ({"resolution": (118, 118), "resolutionunit": "centimeter"}, None),
        ({"resolution": (2e6, 1e6), "resolutionunit": "centimeter"}, (10, 5)),
        ({"resolution": (1e6, 1e6), "resolutionunit": "none"}, None),
        ({}, None),
    ],
)
def test_the_size_of_a_pixel_is_told_from_the_dots_of_a_printer(tmp_path, options, expected):
    path = write(tmp_path / "a.tif", STACK[0].astype(np.uint16), **options)
    size = read_pages(path).pixel_size
    assert size == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("resolution", [(0, 0), (1, 0), (0, 1), (2**32 - 1, 1)])
def test_an_absurd_resolution_is_none(tmp_path, resolution):
    tags = grey_tags(t270=b"ImageJ=1.5\nunit=pm\n\0", t282=[resolution], t283=[resolution])
    path = tiff_file(tmp_path / "a.tif", (tags, STACK[0].tobytes()))
    assert read_pages(path).pixel_size is None


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ('PhysicalSizeX="2" PhysicalSizeY="3" PhysicalSizeXUnit="nm" PhysicalSizeYUnit="nm"', (3, 2)),
        ('PhysicalSizeX="2" PhysicalSizeY="3"', (3000, 2000)),
        ('PhysicalSizeX="2" PhysicalSizeY="3" PhysicalSizeXUnit="pixel" PhysicalSizeYUnit="pixel"', None),
        ('PhysicalSizeX="nan" PhysicalSizeY="3"', None),
        ('PhysicalSizeX="0" PhysicalSizeY="3"', None),
        ('PhysicalSizeX="-1" PhysicalSizeY="1"', None),
        ('PhysicalSizeX="1e300" PhysicalSizeY="1e300"', None),
    ],
)
def test_the_size_of_a_pixel_in_ome(tmp_path, pixels, expected):
    path = ome(tmp_path / "a.tif", [(0, 0, 0, 0, 0)], pixels=pixels)
    assert read_pages(path).pixel_size == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({34682: "[Scan]\r\nPixelWidth=2e-009\r\nPixelHeight=3e-009\r\n"}, (3, 2)),
        ({34680: "[Scan]\nPixelWidth=2e-09\nPixelHeight=3e-09\n"}, (3, 2)),
        ({34682: "[Scan]\nPixelWidth=\nPixelHeight=0\n"}, None),
        ({34118: "0\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 5.5 nm\r\nPixel Size = 9 nm\r\n"}, (5.5, 5.5)),
        ({34118: "0\r\nAP_PIXEL_SIZE\r\nPixel Size = 1.5 µm\r\n"}, (1500, 1500)),
    ],
)
def test_the_size_of_a_pixel_in_the_tags_of_microscopes(tmp_path, tags, expected):
    pages = (grey_tags() | {code: value.encode("latin-1") for code, value in tags.items()}, STACK[0].tobytes())
    found = read_picture(tiff_file(tmp_path / "a.tif", pages))
    if expected is None:
        assert "pixel_size" not in found.fields
    else:
        assert found.fields["pixel_size"].dtype == np.float64
        np.testing.assert_allclose(found.fields["pixel_size"], [expected])


def test_the_size_of_a_pixel_by_digital_micrograph(tmp_path):
    extra = [(65003, 2, 0, "nm", True), (65004, 2, 0, "µm".encode("latin-1"), True)]
    extra += [(65009, 12, 1, 0.5, True), (65010, 12, 1, 0.25, True)]
    path = write(tmp_path / "a.tif", STACK[0], extratags=extra, metadata=None)
    assert read_pages(path).pixel_size == pytest.approx((250, 0.5))


def test_the_size_of_a_pixel_leaves_the_images_as_they_are(tmp_path):
    options = {"imagej": True, "resolution": (2.0, 4.0), "metadata": {"unit": "nm", "axes": "TYX"}}
    path = write(tmp_path / "a.tif", STACK.astype(np.uint16), **options)
    assert read_picture(path).fields["pixel_size"].shape == (len(STACK), 2)
    assert len(read_images(path)) == len(STACK)


def test_a_turned_page_has_its_pixels_turned_too(tmp_path):
    tags = grey_tags(t274=[6]) | {34682: b"PixelWidth=2e-9\nPixelHeight=3e-9\n"}
    assert read_pages(tiff_file(tmp_path / "a.tif", (tags, STACK[0].tobytes()))).pixel_size == pytest.approx((2, 3))


# Hostile and damaged files


@pytest.mark.parametrize("count", [MAX_PAGES + 1, 10**6])
def test_a_chain_without_end_is_refused_at_once(tmp_path, count):
    page = struct.pack("<H", 1) + struct.pack("<HHII", 256, 4, 1, 8)
    places = 8 + np.arange(1, count + 1) * 18
    chain = np.frombuffer(page * count, dtype=np.uint8).reshape(count, 14)
    following = places.astype("<u4").view(np.uint8).reshape(count, 4).copy()
    following[-1] = 0
    (tmp_path / "a.tif").write_bytes(struct.pack("<2sHI", b"II", 42, 8) + np.hstack([chain, following]).tobytes())
    start = time.perf_counter()
    refused(tmp_path / "a.tif", "more than 131,072 pages")
    assert time.perf_counter() - start < 5


def test_a_chain_in_a_circle_is_refused(tmp_path):
    path = tiff_file(tmp_path / "a.tif", (grey_tags(), STACK[0].tobytes()), (grey_tags(), STACK[1].tobytes()))
    content = path.read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:-4] + content[4:8])
    refused(tmp_path / "a.tif", "circle")


def test_a_page_that_inflates_beyond_its_pixels_is_bounded(tmp_path):
    bomb = zlib.compress(b"\0" * 2**27)
    path = tiff_file(tmp_path / "a.tif", (grey_tags(t259=[8]), bomb))
    tracemalloc.start()
    try:
        assert not read_pages(path).images.any()
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "tags",
    [
        grey_tags(height=2**31, width=2**31),
        grey_tags(height=8, width=8, t277=[2**31]),
        {**grey_tags(height=8, width=8), 322: [2**20], 323: [2**20], 324: [8], 325: [64]},
    ],
)
def test_what_a_page_declares_is_checked_before_it_is_read(tmp_path, tags):
    refused(tiff_file(tmp_path / "a.tif", (tags, b"\0" * 64)), "'images'", "values")


def test_the_limit_is_ours_and_not_that_of_pillow(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for compression in ("tiff_lzw", "jpeg"):
        Image.fromarray(STACK[0]).save(tmp_path / "a.tif", compression=compression)
        assert read_pages(tmp_path / "a.tif").images.shape == (1, HEIGHT, WIDTH, 1)


def test_strips_are_decompressed_a_run_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("ssrvae_core.data.pictures.codecs.RUN", 5 * WIDTH * 3)
    picture = Image.fromarray(COLOUR)
    picture.save(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={278: 2})
    np.testing.assert_array_equal(read_pages(tmp_path / "a.tif").images[0], COLOUR)


@pytest.mark.parametrize(
    "text",
    [
        b"<a>" * 10**5 + b"OME>",
        b'<OME><Image><Pixels SizeC="999999999" SizeZ="999999999"><TiffData PlaneCount="999999999"/>'
        b'<TiffData IFD="-1" FirstC="1e9" PlaneCount="x"/></Pixels></Image></OME>',
        b'{"shape": ' + b"[" * 10**5,
        b'{"shape": {"a": 1}}',
        b'{"shape": [99999999999999999999999, 0, -1], "axes": 7}',
        b'{"shape": [7], "axes": "Y"}',
        b"ImageJ=\nimages=-3\nchannels=0\n",
        b"ImageJ=\nimages=x\nunit=\n",
        b"\xff\xfe\x80",
    ],
)
def test_strange_texts_do_no_harm(tmp_path, text):
    path = tiff_file(tmp_path / "a.tif", (grey_tags(t270=text), STACK[0].tobytes()))
    np.testing.assert_array_equal(read_pages(path).images[..., 0], STACK[:1])


def test_pages_are_checked_together(tmp_path):
    pages = [(grey_tags(height=2**13, width=2**13, t273=[8]), b"\0") for _ in range(5)]
    refused(tiff_file(tmp_path / "a.tif", *pages), "'images'", "(5, 8192, 8192, 1)")


def test_a_stack_is_not_copied_as_a_whole(tmp_path):
    stack = np.zeros((64, 256, 256), dtype=np.float32)
    path = write(tmp_path / "a.tif", stack)
    tracemalloc.start()
    try:
        images = read_pages(path).images
        assert tracemalloc.get_traced_memory()[1] < 1.2 * images.nbytes
    finally:
        tracemalloc.stop()


def test_a_damaged_tag_that_the_pixels_do_not_hang_on_does_no_harm(tmp_path):
    tags = grey_tags(t270=b"ImageJ=1.53t\nimages=1\n\0", t282=[(1, 2)], t34682=b"PixelWidth=2e-9\nPixelHeight=2e-9\n")
    content = tiff_file(tmp_path / "a.tif", (tags, STACK[0].tobytes())).read_bytes()
    for code, kind in ((270, 7), (282, 5), (34682, 7)):
        at = content.index(struct.pack("<HH", code, kind)) + 8
        content = content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :]
    (tmp_path / "a.tif").write_bytes(content)
    pages = read_pages(tmp_path / "a.tif")
    np.testing.assert_array_equal(pages.images[0, ..., 0], STACK[0])
    assert pages.pixel_size is None


def small_files(folder):
    """One tiny file of every kind."""
    small = STACK[:2, :9, :10].copy()
    write(folder / "stack.tif", small)
    write(folder / "big.tif", small, bigtiff=True, byteorder=">")
    write(folder / "zlib.tif", small.astype(np.float32), compression="zlib")
    write(folder / "lzma.tif", small[0], compression="lzma")
    write(folder / "tiles.tif", small[0], tile=(16, 16), compression="zlib", predictor=True)
    write(folder / "imagej.tif", small.astype(np.uint16), imagej=True, metadata={"axes": "CYX", "unit": "nm"})
    write(folder / "planar.tif", COLOUR[:9, :10].transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate")
    write(folder / "ome.ome.tif", small, metadata={"axes": "CYX", "PhysicalSizeX": 2.0}, ome=True)
    palette = Image.fromarray(small[0])
    palette.putpalette(range(256))
    palette.save(folder / "palette.tif")
    colour = Image.fromarray(COLOUR[:9, :10])
    for name, picture, compression in [
        ("lzw", colour, "tiff_lzw"),
        ("packbits", colour, "packbits"),
        ("jpeg", colour, "jpeg"),
        ("ycbcr", colour.convert("YCbCr"), "tiff_lzw"),
        ("group4", colour.convert("1"), "group4"),
        ("group3", colour.convert("1"), "group3"),
        ("zstd", colour, "zstd"),
    ]:
        picture.save(folder / f"{name}.tif", compression=compression)
    return sorted(folder.iterdir())


def mutated(content, rng):
    """A few bytes changed, or a piece cut out, put in or cut off."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(content)))
        kind = rng.integers(8)
        if kind == 0:
            del content[at:]
        elif kind == 1:
            del content[at : at + int(rng.integers(1, 9))]
        elif kind == 2:
            content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 3:
            content[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\1\0\0\0"])
        else:
            content[at] = int(rng.integers(256))
        if not content:
            break
    return bytes(content)


def test_mutated_files_are_read_or_refused_but_never_a_traceback(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "whole").mkdir()
    path = Path(tmp_path / "a.tif")
    for whole in small_files(tmp_path / "whole"):
        content = whole.read_bytes()
        for _ in range(40):
            path.write_bytes(mutated(content, rng))
            with contextlib.suppress(UserError):
                read_pages(path)
