"""Pictures in the formats of Pillow, told by what they hold and not by what they are called."""

import contextlib
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.data import READERS, read_images
from ssrvae_core.data.pictures.pages import PICTURE_SUFFIXES, read_pages, read_picture

HEIGHT, WIDTH = 21, 37
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def png(path, width, height, depth, colour, pixels):
    """Write a PNG of the kinds that Pillow does not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


GREY_FORMATS = (".png", ".bmp", ".gif", ".webp", ".pgm", ".pnm", ".jp2")
COLOUR_FORMATS = (".png", ".bmp", ".webp", ".ppm", ".pnm", ".jp2")


@pytest.mark.parametrize(
    ("suffix", "pixels"),
    [(suffix, GREY) for suffix in GREY_FORMATS] + [(suffix, COLOUR) for suffix in COLOUR_FORMATS],
)
def test_every_lossless_format_gives_its_pixels(tmp_path, suffix, pixels):
    options = {".webp": {"lossless": True}, ".jp2": {"irreversible": False}}.get(suffix, {})
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}", **options)
    assert suffix in PICTURE_SUFFIXES and READERS[suffix] is read_picture
    images = read_pages(tmp_path / f"a{suffix}").images
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], pixels if pixels.ndim == 3 else pixels[..., None])


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".jfif", ".jpe"])
def test_jpeg_by_all_its_names(tmp_path, suffix):
    ramp = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).astype(np.uint8) * 4
    Image.fromarray(ramp).save(tmp_path / f"a{suffix}", format="JPEG", quality=100)
    np.testing.assert_allclose(read_images(tmp_path / f"a{suffix}").images[0, 0], ramp / 255, atol=0.02)


@pytest.mark.parametrize("suffix", PICTURE_SUFFIXES)
@pytest.mark.parametrize("kind", ["TIFF", "PNG", "BMP", "PPM"])
def test_a_suffix_that_lies_does_no_harm(tmp_path, suffix, kind):
    Image.fromarray(GREY).save(tmp_path / f"a{suffix}", format=kind)
    np.testing.assert_array_equal(read_pages(tmp_path / f"a{suffix}").images[0, ..., 0], GREY)


def test_a_folder_holds_all_of_these_formats(tmp_path):
    names = [f"{i}{suffix}" for i, suffix in enumerate(PICTURE_SUFFIXES)]
    for name in names:
        Image.fromarray(GREY).save(tmp_path / name, format="PNG")
    assert read_images(tmp_path).names == tuple(sorted(names))


@pytest.mark.parametrize("content", [b"", b"x", b"hello world", b"%PDF-1.4 ........", b"RIFF....WAVE", b"\0" * 99])
def test_a_file_that_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.png cannot be read as a picture"):
        read_pages(tmp_path / "a.png")


def test_formats_that_run_programs_or_read_other_files_are_never_tried(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(UserError, match="no known format"):
        read_pages(tmp_path / "a.png")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_pictures_are_upright(tmp_path, orientation, suffix):
    pixels = np.zeros((16, 32), dtype=np.uint8)
    pixels[:8, :8], pixels[:8, 8:16] = 250, 120
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90"}
    turns |= {7: "TRANSVERSE", 8: "ROTATE_270"}  # how a camera stores what is upright
    stored = Image.fromarray(pixels)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose[turns[orientation]])
    exif = Image.Exif()
    exif[0x112] = orientation
    stored.save(tmp_path / f"a{suffix}", exif=exif, quality=100)
    images = read_pages(tmp_path / f"a{suffix}").images
    assert images.shape[1:3] == pixels.shape
    assert abs(images[0, ..., 0].astype(int) - pixels).max() < 12


def test_a_broken_orientation_says_nothing(tmp_path):
    for value in (0, 9, 77):
        exif = Image.Exif()
        exif[0x112] = value
        Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(read_pages(tmp_path / "a.png").images[0, ..., 0], GREY)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_of_an_animation_the_first_frame_is_read_and_the_others_are_left_out(tmp_path, suffix):
    frames = [Image.fromarray(GREY // (i + 1)) for i in range(3)]
    options = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], **options)
    pages = read_pages(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(pages.images[..., 0], GREY[None])
    assert len(pages.left_out) == 1 and "first frame" in pages.left_out[0].why
    assert read_picture(tmp_path / f"a{suffix}").left_out == pages.left_out


def test_sixteen_bits_and_more_keep_their_depth(tmp_path):
    deep = GREY.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "a.png")
    Image.fromarray(deep).save(tmp_path / "a.pgm")
    for name in ("a.png", "a.pgm"):
        images = read_pages(tmp_path / name).images
        assert images.dtype == np.uint16
        np.testing.assert_array_equal(images[0, ..., 0], deep)
    floats = RNG.random((HEIGHT, WIDTH)).astype(np.float32)
    Image.fromarray(floats).save(tmp_path / "a.pfm")
    images = read_pages(tmp_path / "a.pfm").images
    assert images.dtype == np.float32 and images.dtype.isnative
    np.testing.assert_array_equal(images[0, ..., 0], floats)


def test_sixteen_bit_colours_are_told_of(tmp_path):
    deep = COLOUR.astype(">u2") * 257
    pages = read_pages(png(tmp_path / "a.png", WIDTH, HEIGHT, 16, 2, deep))
    np.testing.assert_array_equal(pages.images[0], COLOUR)
    assert "8 bits" in pages.remarks[0] and "a.png" in pages.remarks[0]
    assert not read_pages(png(tmp_path / "b.png", WIDTH, HEIGHT, 8, 2, COLOUR)).remarks


def test_transparent_pixels_are_black_in_every_kind_of_png(tmp_path):
    clear = np.where(GREY < 99, 0, 255).astype(np.uint8)
    expected = np.where(clear > 0, GREY, 0)
    Image.fromarray(np.dstack([GREY, clear])).save(tmp_path / "a.png")
    Image.fromarray(np.dstack([GREY, GREY, GREY, clear])).save(tmp_path / "b.png")
    palette = Image.fromarray(GREY)
    palette.putpalette(np.arange(256).repeat(3).tolist())
    palette.save(tmp_path / "c.png", transparency=bytes(0 if level < 99 else 255 for level in range(256)))
    for name in ("a.png", "b.png", "c.png"):
        np.testing.assert_array_equal(read_pages(tmp_path / name).images[0, ..., 0], expected)
    Image.fromarray(GREY).save(tmp_path / "d.png", transparency=int(GREY[3, 4]))
    np.testing.assert_array_equal(
        read_pages(tmp_path / "d.png").images[0, ..., 0], np.where(GREY[3, 4] == GREY, 0, GREY)
    )


def test_grey_that_was_saved_in_colour_has_one_channel(tmp_path):
    Image.fromarray(np.dstack([GREY] * 3)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([GREY] * 3), photometric="rgb")
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(read_pages(tmp_path / name).images, GREY[None, ..., None])


def test_a_side_that_no_picture_has_is_refused(tmp_path):
    with pytest.raises(UserError, match="side of 99,999 pixels"):
        read_pages(png(tmp_path / "a.png", 99_999, 8, 8, 0, GREY))


def test_a_header_that_declares_more_than_the_file_holds_costs_no_memory(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.jp2")
    content = bytearray((tmp_path / "a.jp2").read_bytes())
    at = content.index(b"jp2h") - 4
    content[at : at + 4] = b"\x7f\xff\xff\xff"
    (tmp_path / "a.jp2").write_bytes(content)
    tracemalloc.start()
    try:
        with contextlib.suppress(UserError):
            read_pages(tmp_path / "a.jp2")
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_the_room_of_a_folder_is_kept(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    Image.fromarray(GREY).save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        assert len(read_pages(tmp_path / name, room=GREY.size).images) == 1
        with pytest.raises(UserError, match="more than"):
            read_pages(tmp_path / name, room=GREY.size - 1)


def small_files(folder):
    """One tiny file of every kind."""
    grey, colour = Image.fromarray(GREY[:9, :10]), Image.fromarray(COLOUR[:9, :10])
    exif = Image.Exif()
    exif[0x112] = 6
    for name in ("a.bmp", "a.pgm", "a.webp", "a.jp2", "a.png", "a.jpg"):
        grey.save(folder / name, **({"exif": exif} if name[2:] in ("png", "jpg", "webp") else {}))
    for name in ("b.ppm", "b.webp", "b.jp2", "b.png", "b.jpg", "b.bmp"):
        colour.save(folder / name)
    for name in ("c.gif", "c.webp", "c.png"):
        colour.save(folder / name, save_all=True, append_images=[grey.convert("RGB"), colour])
    colour.convert("CMYK").save(folder / "d.jpg")
    colour.convert("P").save(folder / "d.png", transparency=3)
    colour.convert("P").save(folder / "d.bmp")
    colour.convert("1").save(folder / "e.png")
    Image.fromarray(GREY[:9, :10].astype(np.uint16) * 99).save(folder / "f.png")
    return sorted(folder.iterdir())


def mutated(content, rng):
    """A few bytes changed, and sometimes the end cut off."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
    return bytes(content[: int(rng.integers(len(content)))] if not rng.integers(6) else content)


def test_mutated_pictures_are_read_or_refused_but_never_a_traceback(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "whole").mkdir()
    for whole in small_files(tmp_path / "whole"):
        content = whole.read_bytes()
        for _ in range(20):
            (tmp_path / "a.png").write_bytes(mutated(content, rng))
            with contextlib.suppress(UserError):
                read_pages(tmp_path / "a.png")
