"""Files of more images than memory has room for say what they would say if they were held, and are read in parts."""

import csv
import re
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from ssrvae_core.config import UserError, run_config
from ssrvae_core.data import in_batches, load, open_images, whole
from ssrvae_core.data.batches import FileImages
from ssrvae_core.data.stored import StoredArray
from ssrvae_core.data.summary import summary

RNG = np.random.default_rng(0)
N, SIDE = 40, 16
SHAPE = (N, SIDE, SIDE)
BYTES = RNG.integers(0, 256, SHAPE, dtype=np.uint8)
CAMERA = RNG.integers(0, 3000, SHAPE, dtype=np.uint16)
CAMERA[7, 3, 3] = 60000  # a hot pixel
COUNTS = RNG.normal(50, 10, SHAPE).astype(">f4")
COLOUR = RNG.integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8)
MASKS = RNG.random(SHAPE) > 0.5
SAID = {"labels": np.arange(N) % 3 - 1, "class_names": np.array(["rods", "cubes"]), "groups": np.arange(N) // 10}
NUMBERS = {
    "bytes": {"images": BYTES, "masks": MASKS},
    "a camera": {"images": CAMERA, "masks": (255 * MASKS).astype(np.uint8)},
    "counts": {"images": COUNTS, "masks": MASKS[..., None].astype(float)},
    "colour": {"images": COLOUR},
    "channels first": {"images": COLOUR.transpose(0, 3, 1, 2).copy()},
}


def npz(path, fields):
    np.savez(path, **fields)


def packed(path, fields):
    np.savez_compressed(path, **fields)


def hdf5(path, fields):
    with h5py.File(path, "w") as file:
        for name, values in fields.items():
            text = values.dtype.kind == "U"
            more = {"compression": "gzip", "chunks": (4, *values.shape[1:])} if name == "images" else {}
            file.create_dataset(name, data=values.astype(object) if text else values, **more)


ARRAYS = {"a.npz": npz, "packed.npz": packed, "a.h5": hdf5}


def pictures(folder, fields):
    """Write pictures in class folders, with masks beside them where there are any."""
    names = ("rods", "cubes", "unlabelled")
    for row, (image, label) in enumerate(zip(fields["images"], fields["labels"], strict=True)):
        for kind, values in (("images", image), ("masks", 255 * fields["masks"][row].astype(np.uint8))):
            place = folder / kind / names[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(place / f"{row:03}.png")


@pytest.fixture
def little_room(monkeypatch):
    """Let an array of more than 4 096 values, 16 images, be too large to be held."""
    for place in ("limits", "folders.stacking", "folders.reader"):
        monkeypatch.setattr(f"ssrvae_core.data.{place}.MAX_VALUES", 2**12)


@pytest.fixture(params=[*((name, kind) for name in ARRAYS for kind in NUMBERS), ("a.npy", "counts"), ("a", "bytes")])
def made(request, tmp_path):
    """A file of each format and type."""
    name, kind = request.param
    path, fields = tmp_path / name, NUMBERS[kind] | SAID
    if name == "a.npy":
        np.save(path, fields["images"])
    elif name == "a":
        pictures(path, fields)
    else:
        ARRAYS[name](path, fields)
    return path


def test_a_file_read_in_parts_says_what_it_says_when_it_is_held(made, request):
    held = open_images(made)
    all_images, told, sha256 = held.images(held.scale.needed), list(summary(held).lines()), held.sha256
    masks = all_images.masks

    request.getfixturevalue("little_room")
    large = open_images(made, held=False)
    assert isinstance(large.pixels, StoredArray)
    assert large.sha256 == sha256
    assert list(summary(large).lines()) == told
    assert large.scale == held.scale
    taken = FileImages(large, "image", large.scale.needed)
    np.testing.assert_array_equal(taken.ids, all_images.ids)
    np.testing.assert_array_equal(taken.labels, all_images.labels)
    for rows in (RNG.permutation(N), np.array([39, 3, 4, 20]), np.arange(0, N, 7), np.array([], dtype=int)):
        some = taken.take(rows)
        np.testing.assert_array_equal(some.images, all_images.images[rows])
        np.testing.assert_array_equal(some.labels, all_images.labels[rows])
        assert (some.masks is None) == (masks is None)
        if masks is not None:
            np.testing.assert_array_equal(some.masks, masks[rows])
    for shown in ("mask", "masked") if masks is not None else ():
        seen = FileImages(large, shown, large.scale.needed).take(np.arange(N))
        np.testing.assert_array_equal(seen.images, whole(FileImages(held, shown, held.scale.needed)).images)


def test_where_images_have_to_be_held_such_a_file_is_refused(made, little_room):
    with pytest.raises(UserError, match="more than") as refused:
        open_images(made)
    assert str(made) in str(refused.value)


def test_grey_pictures_saved_in_colour_are_grey_and_a_zip_is_read_as_its_folder(tmp_path, little_room):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for row, image in enumerate(BYTES):
        Image.fromarray(np.repeat(image[..., None], 3, axis=2) if row % 2 else image).save(folder / f"{row:03}.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    for place in (folder, tmp_path / "a.zip"):
        found = open_images(place, held=False).pixels
        assert isinstance(found, StoredArray)
        np.testing.assert_array_equal(found[np.arange(N)], BYTES[..., None])
    Image.fromarray(COLOUR[0]).save(folder / "999.png")
    coloured = open_images(folder, held=False).pixels
    np.testing.assert_array_equal(coloured[np.array([0, N])], [np.repeat(BYTES[0][..., None], 3, axis=2), COLOUR[0]])


@pytest.mark.parametrize("name", ARRAYS)
def test_a_file_that_is_changed_or_cut_while_it_is_read_is_told_about(tmp_path, little_room, name):
    path = tmp_path / name
    ARRAYS[name](path, NUMBERS["bytes"])
    large = open_images(path, held=False)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3000)
    with pytest.raises(UserError, match=re.escape(str(path))):
        large.pixels[np.arange(N)]


def test_hdf5_chunks_across_images_are_unpacked_once_or_refused_with_the_way_out(tmp_path, little_room, monkeypatch):
    monkeypatch.setattr("ssrvae_core.data.hdf5.parts.BLOCK", 10)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", data=BYTES, chunks=(12, 4, 4), compression="gzip")
    large = open_images(tmp_path / "a.h5", held=False)
    for rows in (np.arange(N), RNG.permutation(N), np.array([11, 12, 39])):
        np.testing.assert_array_equal(large.pixels[rows][..., 0], BYTES[rows])
    np.testing.assert_array_equal(large.pixels[5:38][..., 0], BYTES[5:38])
    monkeypatch.setattr("ssrvae_core.data.hdf5.parts.MOST_TOGETHER", 12 * SIDE * SIDE - 1)
    with pytest.raises(UserError, match=r"chunks=\(1, 16, 16\)"):
        open_images(tmp_path / "a.h5", held=False)


def test_an_array_by_columns_is_refused_with_the_way_out(tmp_path, little_room):
    np.save(tmp_path / "a.npy", np.asfortranarray(BYTES))
    np.savez(tmp_path / "a.npz", images=np.asfortranarray(BYTES))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UserError, match="ascontiguousarray"):
            open_images(tmp_path / name, held=False)


def test_rows_are_taken_as_of_an_array(tmp_path, little_room):
    np.save(tmp_path / "a.npy", BYTES)
    pixels = open_images(tmp_path / "a.npy", held=False).pixels
    np.testing.assert_array_equal(pixels[np.arange(N) % 3 == 0][..., 0], BYTES[::3])
    np.testing.assert_array_equal(pixels[::-7][..., 0], BYTES[::-7])
    for row in (-1, N):
        with pytest.raises(IndexError, match=str(row)):
            pixels[np.array([3, row])]


def test_a_full_disk_is_told_of_where_pages_are_written(tmp_path, little_room, monkeypatch):
    class Full:
        def write(self, content):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    for row, image in enumerate(BYTES):
        Image.fromarray(image).save(tmp_path / f"{row:03}.png")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(UserError, match="TMPDIR"):
        open_images(tmp_path, held=False)


def test_doctor_tells_what_is_in_a_file_that_only_predict_takes(tmp_path, little_room, result_of, run_cli):
    np.savez(tmp_path / "a.npz", images=BYTES)
    assert result_of("doctor", "--data", tmp_path / "a.npz")["images"] == N
    code, _, said = run_cli("train", "--data", tmp_path / "a.npz", "--model", "ss-vae", "--store", tmp_path / "store")
    assert code == 2 and "'predict'" in said and "10,240" in said


def test_what_declares_more_than_it_holds_is_refused_before_anything_is_made_room_for(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 48, 48)}
        np.lib.format.write_array_header_2_0(file, header)
    with pytest.raises(UserError, match="1,099,511,627,776 images"):
        open_images(tmp_path / "a.npy", held=False)
    with (tmp_path / "b.npy").open("wb") as file:
        np.lib.format.write_array_header_2_0(file, header | {"shape": (2**20, 48, 48)})
    with pytest.raises(UserError, match=r"b\.npy"):
        summary(open_images(tmp_path / "b.npy", held=False))


def test_images_without_labels_are_found_empty_of_contrast_or_masks_by_their_number(tmp_path, little_room):
    np.savez(tmp_path / "a.npz", images=BYTES, masks=MASKS & (np.arange(N) != 33)[:, None, None])
    large = open_images(tmp_path / "a.npz", held=False)
    with pytest.raises(UserError, match="mask of image 33"):
        FileImages(large, "mask")
    np.savez(tmp_path / "b.npz", images=COUNTS)
    large = open_images(tmp_path / "b.npz", held=False)
    with pytest.raises(UserError, match="must lie in"):
        FileImages(large, "image")
    with pytest.raises(UserError, match="one grey level"):
        FileImages(large, "image", (1000, 2000))


def test_a_large_file_takes_the_memory_of_some_of_its_images(tmp_path, little_room):
    images = np.zeros((20_000, 48, 48), dtype=np.uint8)
    images[:, 10:20] = np.arange(20_000)[:, None, None] % 200
    np.savez(tmp_path / "a.npz", images=images)
    taken_bytes = 4 * 2000 * 48 * 48
    tracemalloc.start()
    large = open_images(tmp_path / "a.npz", held=False)
    list(summary(large).lines())
    some = FileImages(large, "image")
    for start in range(0, len(some), 2000):
        some.take(np.arange(start, start + 2000))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3 * taken_bytes < images.nbytes + 4 * images.nbytes


@pytest.mark.parametrize("name", ["cards-b2", "particles", "digits"])
def test_generated_images_are_drawn_alike_whichever_are_drawn_together(name):
    settings = {"dataset.train_per_class": 6, "dataset.validation_per_class": 3}
    config = run_config(data=name, settings=settings).dataset
    images, some = load(config), in_batches(config)
    rows = RNG.permutation(len(images))[:7]
    for taken, wanted in (
        (some.take(rows), images.take(rows)),
        (some.as_labelled(rows), images.as_labelled(rows)),
    ):
        np.testing.assert_array_equal(taken.images, wanted.images)
        np.testing.assert_array_equal(taken.ids, wanted.ids)
        for factor, values in wanted.factors.items():
            np.testing.assert_array_equal(taken.factors[factor], values)
    assert some.has_masks == (images.masks is not None)
    assert some.image_shape == images.image_shape


def test_a_run_classifies_a_file_that_does_not_fit_into_memory(finished, result_of, tmp_path, request):
    side = finished.config.dataset.size
    images = RNG.integers(0, 256, (30, side, side), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(30) % 4)
    arguments = ("predict", finished.id, tmp_path / "a.npz", "--store", finished.path.parent, "--out")
    result_of(*arguments, tmp_path / "held.csv")
    request.getfixturevalue("little_room")
    assert result_of(*arguments, tmp_path / "parts.csv")["images"] == 30
    assert (tmp_path / "held.csv").read_bytes() == (tmp_path / "parts.csv").read_bytes()
    with (tmp_path / "parts.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 30
