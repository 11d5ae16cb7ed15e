import csv
import hashlib

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from ssrvae_core.config import DatasetConfig, RunConfig, SplitConfig, UserError
from ssrvae_core.data import READERS, file_dataset, fingerprint, load, open_images, read_images, split

N, HEIGHT, WIDTH = 6, 12, 10


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (N, HEIGHT, WIDTH), dtype=np.uint8)


@pytest.fixture
def fields(pixels):
    return {
        "images": pixels,
        "labels": np.array([0, 1, 0, 1, -1, 1]),
        "class_names": np.array(["cube", "sphere"]),
        "groups": np.array([3, 3, 4, 4, 4, 5], dtype=np.int16),
        "ids": np.arange(10, 16),
        "split": np.array(["train", "train", "validation", "validation", "train", "train"]),
        "masks": pixels > 100,
        "factors/angle": np.linspace(-1, 1, N),
    }


def write_hdf5(path, fields):
    with h5py.File(path, "w") as file:
        for name, values in fields.items():
            file[name] = values.astype(h5py.string_dtype()) if values.dtype.kind == "U" else values


def write(path, fields):
    if path.suffix == ".npz":
        np.savez_compressed(path, **fields)
    else:
        write_hdf5(path, fields)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".hdf5"])
def test_every_field_of_an_archive_arrives(tmp_path, fields, suffix):
    images = read_images(write(tmp_path / f"a{suffix}", fields))
    assert images.images.dtype == np.float32
    np.testing.assert_array_equal(images.images[:, 0], (fields["images"] / 255).astype(np.float32))
    np.testing.assert_array_equal(images.labels, fields["labels"])
    np.testing.assert_array_equal(images.ids, fields["ids"])
    np.testing.assert_array_equal(images.groups, fields["groups"])
    np.testing.assert_array_equal(images.validation, [0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(images.masks, fields["masks"])
    np.testing.assert_allclose(images.factors["angle"], fields["factors/angle"], rtol=1e-6)
    assert images.class_names == ("cube", "sphere")


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".tiff"])
def test_a_plain_stack_is_unlabelled(tmp_path, pixels, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, pixels)
    else:
        tifffile.imwrite(path, pixels, photometric="minisblack")
    images = read_images(path)
    np.testing.assert_array_equal(images.images[:, 0], (pixels / 255).astype(np.float32))
    assert (images.labels == -1).all() and images.class_names == ()


def test_colour_channels_come_first_and_are_kept(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (N, HEIGHT, WIDTH, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", colour)
    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb")
    for name in ("a.npy", "a.tif"):
        images = read_images(tmp_path / name).images
        np.testing.assert_array_equal(images, (colour / 255).astype(np.float32).transpose(0, 3, 1, 2))


def test_tiff_channels_before_the_pixels_are_channels(tmp_path):
    stack = np.random.default_rng(0).random((4, 2, HEIGHT, WIDTH)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TCYX"})
    np.testing.assert_array_equal(read_images(tmp_path / "a.tif").images, stack)


def test_a_tiff_in_lzw_compression_is_read_too(tmp_path, pixels):
    pages = [Image.fromarray(page) for page in pixels]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    np.testing.assert_array_equal(read_images(tmp_path / "a.tif").images[:, 0], (pixels / 255).astype(np.float32))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.array([0, 51, 255], dtype=np.uint8), [0, 0.2, 1]),
        (np.array([0, 13107, 65535], dtype=np.uint16), [0, 0.2, 1]),
        (np.array([False, True, True]), [0, 1, 1]),
        (np.array([0.1, 0.2, 0.7]), [0.1, 0.2, 0.7]),
        (np.array([-2.0, 0.0, 6.0], dtype=np.float16), [0, 0.25, 1]),
        (np.array([0.0, 100.0, 400.0], dtype=np.float32), [0, 0.25, 1]),
    ],
)
def test_pixel_values_are_scaled_to_the_unit_interval_over_the_whole_set(tmp_path, stored, expected):
    np.save(tmp_path / "a.npy", np.broadcast_to(stored[:, None, None], (3, 8, 8)))
    np.testing.assert_allclose(load(file_dataset(tmp_path / "a.npy")).images[:, 0, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("stored", "recorded"),
    [
        (np.array([-2.0, 0.0, 6.0]), (-2.0, 6.0)),
        (np.array([0.1, 0.2, 0.7]), None),
        (np.array([0, 51, 255], dtype=np.uint8), None),
        (np.array([0, 1, 1], dtype=np.uint8), (0, 1)),
        (np.array([7, 90, 3000], dtype=np.uint16), (0, 4095)),
        (np.array([7, 90, 30000], dtype=np.uint16), None),
        (np.array([7, 90, 100], dtype=np.uint8), None),
        (np.array([False, True, True]), None),
    ],
)
def test_a_data_set_records_the_grey_levels_that_its_type_does_not_tell(tmp_path, stored, recorded):
    np.save(tmp_path / "a.npy", np.broadcast_to(stored[:, None, None], (3, 8, 8)))
    assert file_dataset(tmp_path / "a.npy").intensity == recorded


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint16, np.uint8])
def test_grey_levels_lie_on_the_scale_asked_for_whatever_their_type_and_are_clipped(tmp_path, dtype):
    stored = np.array([0, 10, 60, 110, 200], dtype=dtype)
    np.save(tmp_path / "a.npy", np.broadcast_to(stored[:, None, None], (5, 8, 8)))
    images = read_images(tmp_path / "a.npy", intensity=(10, 110))
    np.testing.assert_allclose(images.images[:, 0, 0, 0], [0, 0, 0.5, 1, 1])


def test_the_scale_is_part_of_what_a_run_is(tmp_path, fields):
    config = file_dataset(write(tmp_path / "a.npz", fields))
    other = config.model_copy(update={"intensity": (0.0, 100.0)})
    assert RunConfig(dataset=config).run_id != RunConfig(dataset=other).run_id
    assert load(other).images.max() == 1 and (load(other).images == 1).sum() > (load(config).images == 1).sum()


def test_a_folder_of_class_folders(tmp_path, pixels):
    for i, page in enumerate(pixels):
        folder = tmp_path / ["cube", "sphere", "unlabelled"][i % 3]
        folder.mkdir(exist_ok=True)
        Image.fromarray(page).save(folder / f"{i}.png")
    Image.fromarray(pixels[0]).save(tmp_path / "loose.png")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.png").write_bytes(b"nothing")
    images = read_images(tmp_path)
    assert images.class_names == ("cube", "sphere")
    assert images.names == (
        "cube/0.png",
        "cube/3.png",
        "loose.png",
        "sphere/1.png",
        "sphere/4.png",
        "unlabelled/2.png",
        "unlabelled/5.png",
    )
    assert images.labels.tolist() == [0, 0, -1, 1, 1, -1, -1]


def test_a_folder_with_a_table_of_labels(tmp_path, pixels):
    for i, page in enumerate(pixels):
        Image.fromarray(page).save(tmp_path / f"{i}.png")
    with (tmp_path / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "label"), ("0.png", "10"), ("1.png", "9"), ("2.png", "")])
    images = read_images(tmp_path)
    assert images.class_names == ("9", "10")
    assert images.labels.tolist() == [1, 0, -1, -1, -1, -1]


def test_pages_of_a_tiff_in_a_class_folder_are_images(tmp_path, pixels):
    (tmp_path / "cube").mkdir()
    tifffile.imwrite(tmp_path / "cube" / "a.tif", pixels, photometric="minisblack")
    images = read_images(tmp_path)
    assert images.labels.tolist() == [0] * N
    assert images.names[:2] == ("cube/a.tif#0", "cube/a.tif#1")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg"])
def test_one_picture_is_a_set_of_one(tmp_path, pixels, suffix):
    Image.fromarray(pixels[0]).save(tmp_path / f"a{suffix}")
    assert read_images(tmp_path / f"a{suffix}").images.shape == (1, 1, HEIGHT, WIDTH)


def test_sixteen_bit_pictures_keep_their_depth(tmp_path, pixels):
    Image.fromarray(pixels[0].astype(np.uint16) * 257).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_images(tmp_path / "a.png").images[0, 0], pixels[0] / 255, atol=1e-6)


def test_grey_pictures_saved_in_colour_have_one_channel(tmp_path, pixels):
    for i, page in enumerate(pixels[:2]):
        Image.fromarray(page).convert("RGB").save(tmp_path / f"{i}.png")
    Image.fromarray(pixels[2]).save(tmp_path / "2.png")
    assert read_images(tmp_path).images.shape == (3, 1, HEIGHT, WIDTH)


def test_transparent_pixels_become_black_whatever_colour_they_hide(tmp_path):
    pixels = np.full((HEIGHT, WIDTH, 4), 200, dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:3, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    image = read_images(tmp_path / "a.png").images[0]
    assert image.shape == (1, HEIGHT, WIDTH)
    assert not image[:, :3].any()
    np.testing.assert_allclose(image[:, 3:], 200 / 255, rtol=1e-6)
    np.testing.assert_allclose(read_images(tmp_path / "a.tif").images[0, :1], image)


def test_a_user_can_register_a_reader(tmp_path, monkeypatch, pixels):
    monkeypatch.setitem(READERS, ".mrc", lambda path: {"images": pixels})
    (tmp_path / "a.mrc").write_bytes(b"x")
    assert len(read_images(tmp_path / "a.mrc")) == N


# Files as data sets


def test_the_fingerprint_follows_the_content_not_the_place(tmp_path, fields):
    first, second = write(tmp_path / "a.npz", fields), tmp_path / "b.npz"
    second.write_bytes(first.read_bytes())
    assert fingerprint(first) == fingerprint(second)
    one, two = (RunConfig(dataset=file_dataset(path)) for path in (first, second))
    assert one.run_id == two.run_id


def test_the_fingerprint_of_a_folder_follows_names_and_contents(tmp_path, pixels):
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    Image.fromarray(pixels[1]).save(tmp_path / "b.png")
    before = fingerprint(tmp_path)
    (tmp_path / ".DS_Store").write_bytes(b"noise")
    assert fingerprint(tmp_path) == before
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    assert fingerprint(tmp_path) != before


def test_the_fingerprint_is_that_of_the_content_in_every_format_and_byte_order(tmp_path, fields, pixels):
    wide = fields | {"images": pixels.astype(np.uint16) * 16}
    swapped = wide | {"images": wide["images"].astype(">u2"), "labels": wide["labels"].astype(">i8")}
    paths = [write(tmp_path / "a.npz", wide), write(tmp_path / "b.npz", swapped), write(tmp_path / "c.h5", swapped)]
    assert len({fingerprint(path) for path in paths}) == 1
    assert len({RunConfig(dataset=file_dataset(path)).run_id for path in paths}) == 1


@pytest.mark.parametrize(
    "field", ["images", "labels", "class_names", "groups", "ids", "split", "masks", "factors/angle"]
)
def test_the_fingerprint_changes_with_whatever_is_read(tmp_path, fields, field):
    before = fingerprint(write(tmp_path / "a.npz", fields))
    other = {
        "class_names": np.array(["cube", "ball"]),
        "split": np.full(N, "train"),
    }.get(field, fields[field][::-1])
    assert fingerprint(write(tmp_path / "a.npz", fields | {field: other})) != before


def test_a_run_from_before_the_content_was_the_fingerprint_finds_its_file(tmp_path, fields, pixels):
    path = write(tmp_path / "a.npz", fields)
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(load(DatasetConfig(source="file", path=str(path), sha256=old))) == N
    folder = tmp_path / "folder"
    folder.mkdir()
    Image.fromarray(pixels[0]).save(folder / "a.png")
    content = hashlib.sha256((folder / "a.png").read_bytes()).hexdigest()
    old = hashlib.sha256(f"{content}  a.png\n".encode()).hexdigest()
    assert len(load(DatasetConfig(source="file", path=str(folder), sha256=old))) == 1


def test_a_file_needs_its_fingerprint_so_that_no_other_files_run_is_returned():
    with pytest.raises(ValueError, match="fingerprint"):
        DatasetConfig(source="file", path="a.npz")
    with pytest.raises(ValueError, match="fingerprint"):
        DatasetConfig(source="file", path="a.npz", sha256="")


def test_a_file_that_changed_is_refused(tmp_path, fields):
    config = file_dataset(write(tmp_path / "a.npz", fields))
    assert len(load(config)) == N
    write(tmp_path / "a.npz", fields | {"labels": np.zeros(N, int)})
    with pytest.raises(UserError, match="has changed since the run was configured"):
        load(config)


def test_a_data_set_marked_by_its_file_is_split_as_marked(tmp_path, fields):
    parts = split(load(file_dataset(write(tmp_path / "a.npz", fields))), SplitConfig())
    assert parts.validation.ids.tolist() == [12, 13]
    assert parts.labelled.ids.tolist() == [10, 11, 15]
    assert parts.unlabelled.ids.tolist() == [14]


# Views


def test_the_mask_view_is_the_silhouette(tmp_path, fields):
    images = load(file_dataset(write(tmp_path / "a.npz", fields), "mask"))
    np.testing.assert_array_equal(images.images[:, 0], fields["masks"])


def test_the_masked_view_keeps_polarity_and_forgets_background_and_grey_level(tmp_path, fields):
    first = load(file_dataset(write(tmp_path / "a.npz", fields), "masked")).images[:, 0]
    masks = fields["masks"]
    assert not first[~masks].any()
    assert first[masks].min() == pytest.approx(0.5) and first[masks].max() == 1
    darker = np.where(masks, fields["images"] // 2, 7)
    second = load(file_dataset(write(tmp_path / "b.npz", fields | {"images": darker}), "masked")).images[:, 0]
    np.testing.assert_allclose(first, second, atol=0.02)
    order = np.argsort(fields["images"][0][masks[0]], kind="stable")
    assert (np.diff(first[0][masks[0]][order]) >= 0).all()


@pytest.mark.parametrize("view", ["mask", "masked"])
def test_a_view_without_masks_or_with_an_empty_one_is_one_sentence(tmp_path, fields, view):
    empty = fields["masks"].copy()
    empty[4] = False
    with pytest.raises(UserError, match="mask of image 4 is empty"):
        load(file_dataset(write(tmp_path / "a.npz", fields | {"masks": empty}), view))
    del fields["masks"]
    with pytest.raises(UserError, match=f"has no masks, so it has no view '{view}'"):
        load(file_dataset(write(tmp_path / "a.npz", fields), view))


def test_whole_numbers_that_were_saved_as_floats_are_labels(tmp_path, fields):
    path = write(tmp_path / "a.npz", fields | {"labels": fields["labels"].astype(float)})
    assert read_images(path).labels.tolist() == fields["labels"].tolist()


def test_arrays_of_an_npz_under_other_names_are_taken_where_it_is_clear_and_told(tmp_path, pixels):
    np.savez(tmp_path / "a.npz", X=pixels, y=np.arange(N) % 2, mask=pixels > 9, weights=np.zeros(3))
    found = open_images(tmp_path / "a.npz")
    assert found.pixels.shape[:3] == pixels.shape and found.annotations.masks is not None
    assert found.annotations.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert "'X'" in " ".join(found.contents.remarks) and "'y'" in " ".join(found.contents.remarks)
    assert [entry.what for entry in found.contents.left_out] == ["array 'weights'"]


def test_a_pixel_size_is_part_of_what_a_file_is(tmp_path, fields):
    sizes = [fingerprint(write(tmp_path / f"{nm}.npz", fields | {"pixel_size": np.full(2, nm)})) for nm in (1.0, 50.0)]
    assert sizes[0] != sizes[1]
