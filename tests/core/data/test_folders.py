"""Folders as people have them on their disks, and zips of them."""

import os
import unicodedata
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from ssrvae_core.config import MissingPictures, UserError
from ssrvae_core.data import READERS, fingerprint
from ssrvae_core.data.folders.reader import read_folder
from ssrvae_core.data.readers import open_images
from ssrvae_core.data.summary import summary

RNG = np.random.default_rng(0)


def put(folder, name, value=None, **options):
    """Save a picture of noise, or of one grey level, below a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = RNG.integers(0, 256, (12, 10), dtype=np.uint8) if value is None else np.full((12, 10), value, np.uint8)
    Image.fromarray(grey).save(path, **options)
    return path


def fill(folder, *names):
    for name in names:
        put(folder, name)
    return folder


def told(folder, **options):
    return summary(open_images(folder, **options))


def refused(folder, *words):
    with pytest.raises(UserError) as error:
        told(folder)
    sentence = str(error.value)
    for word in words:
        assert word in sentence
    assert sentence.endswith(".") and ". " not in sentence
    return sentence


@pytest.mark.parametrize("name", ["unlabeled", "Unlabelled", "_unlabeled", "unknown", "no_label", "none", "UNLABELLED"])
def test_a_folder_of_unlabelled_pictures_is_no_class(tmp_path, name):
    found = told(fill(tmp_path, "cube/1.png", "rod/1.png", f"{name}/1.png", f"{name}/2.png", "loose.png"))
    assert found.classes == {"cube": 1, "rod": 1} and found.unlabelled == 3
    assert any(name in remark for remark in found.remarks) == (name in ("unknown", "none"))


@pytest.mark.parametrize("train", ["train", "Training", "TRAIN"])
@pytest.mark.parametrize("test", ["test", "val", "valid", "validation", "Testing"])
def test_train_and_test_folders_are_the_split(tmp_path, train, test):
    names = [f"{part}/{kind}/{i}.png" for part in (train, test) for kind in ("cube", "rod") for i in range(2)]
    found = told(fill(tmp_path, *names))
    assert found.classes == {"cube": 4, "rod": 4} and found.validation == 4


def test_three_parts_unlabelled_pictures_and_parts_below_the_classes(tmp_path):
    fill(tmp_path / "a", "train/cube/1.png", "train/rod/1.png", "val/cube/1.png", "test/rod/1.png", "unlabeled/1.png")
    found = told(tmp_path / "a")
    assert found.classes == {"cube": 2, "rod": 2} and found.validation == 2 and found.unlabelled == 1
    fill(tmp_path / "b", "cube/train/1.png", "cube/test/1.png", "rod/train/1.png", "rod/test/1.png")
    assert told(tmp_path / "b").classes == {"cube": 2, "rod": 2} and told(tmp_path / "b").validation == 2


def test_a_class_that_is_called_test_is_a_class_where_no_folder_is_for_training(tmp_path):
    assert told(fill(tmp_path, "test/1.png", "control/1.png")).classes == {"control": 1, "test": 1}


@pytest.mark.parametrize("leading", ["", "my set/", "a/b/c/"])
def test_leading_folders_make_no_difference_packed_or_not(tmp_path, leading):
    names = [f"{part}/{kind}/{i}.png" for part in ("train", "test") for kind in ("cube", "rod") for i in range(2)]
    folder = fill(tmp_path / "set", *(leading + name for name in names))
    (folder / leading / "README.txt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"outer/{file.relative_to(folder).as_posix()}")
        archive.writestr("__MACOSX/outer/._1.png", b"junk")
    for path in (folder, tmp_path / "set.zip"):
        found = told(path)
        assert found.classes == {"cube": 4, "rod": 4} and found.validation == 4 and found.images == 8
        assert [(entry.what, entry.count) for entry in found.left_out] == [("files ending in .txt", 1)]
    assert fingerprint(folder) == fingerprint(tmp_path / "set.zip")


@pytest.mark.parametrize(("images", "masks"), [("images", "masks"), ("Images", "Masks"), ("img", "mask")])
@pytest.mark.parametrize("within", ["", "train/", "set/"])
def test_images_and_masks_are_one_data_set(tmp_path, images, masks, within):
    for i in range(3):
        put(tmp_path, f"{within}{images}/{i}.png", 100 + i)
        mask = np.zeros((12, 10), np.uint8)
        mask[i + 1] = 255
        (tmp_path / f"{within}{masks}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(tmp_path / f"{within}{masks}" / (f"{i}.png" if i else "0_mask.png"))
    found = open_images(tmp_path).annotations
    assert found.masks.shape == (3, 12, 10)
    assert [int(mask.any(axis=1).argmax()) for mask in found.masks] == [1, 2, 3]
    assert found.class_names == ()


def test_images_and_masks_within_class_folders_keep_the_classes(tmp_path):
    folders = [f"{kind}/{what}/1.png" for kind in ("cube", "rod") for what in ("images", "masks")]
    found = told(fill(tmp_path, *folders))
    assert found.classes == {"cube": 1, "rod": 1} and found.masks
    assert told(fill(tmp_path / "outer", *folders)).masks


def test_masks_that_do_not_fit_are_told_or_refused(tmp_path):
    fill(tmp_path / "a", "images/1.png", "images/2.png", "masks/1.png", "masks/9.png")
    found = told(tmp_path / "a")
    assert not found.masks and found.images == 2
    assert "2.png" in found.left_out[0].why and found.left_out[0].count == 2
    fill(tmp_path / "b", "images/1.png")
    (tmp_path / "b" / "masks").mkdir()
    Image.fromarray(np.ones((9, 9), np.uint8)).save(tmp_path / "b" / "masks" / "1.png")
    refused(tmp_path / "b", "masks", "9 x 9", "12 x 10")


def test_blurred_edges_of_jpeg_masks_do_not_count(tmp_path):
    put(tmp_path, "images/1.png")
    mask = np.zeros((12, 10), np.uint8)
    mask[3:9, 2:7] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "1.jpg", quality=60)
    np.testing.assert_array_equal(open_images(tmp_path).annotations.masks[0], mask > 0)


def test_linked_folders_and_files_are_followed_each_once(tmp_path):
    fill(tmp_path / "elsewhere", "1.png", "2.png")
    fill(tmp_path / "set", "cube/1.png")
    (tmp_path / "set" / "rod").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "set" / "cube" / "back").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "cube" / "2.png").symlink_to(tmp_path / "elsewhere" / "2.png")
    (tmp_path / "set" / "cube" / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    assert told(tmp_path / "set").classes == {"cube": 2, "rod": 2}
    (tmp_path / "link").symlink_to(tmp_path / "set", target_is_directory=True)
    assert told(tmp_path / "link").images == 4


@pytest.mark.parametrize("ending", ["bmp", "jfif", "webp", "gif", "jpe", "tif", "BMP"])
def test_pictures_of_every_kind_make_a_class(tmp_path, ending):
    fill(tmp_path, "cube/1.png")
    put(tmp_path, f"rod/1.{ending}", format="JPEG" if ending in ("jfif", "jpe") else None)
    assert told(tmp_path).classes == {"cube": 1, "rod": 1}


def test_a_table_under_another_name_is_told_what_it_is_called(tmp_path):
    fill(tmp_path, "cube/1.png", "rod/1.png")
    (tmp_path / "train.csv").write_text("id,label\n1,rod\n")
    (entry,) = told(tmp_path).left_out
    assert ".csv" in entry.what and "labels.csv" in entry.why and entry.count == 1


def test_folders_that_could_be_meant_otherwise_are_told(tmp_path):
    found = told(fill(tmp_path / "a", "train/a/1.png", "holdout/a/1.png", "extra/b/1.png"))
    assert any("'extra'" in remark and "'holdout'" in remark for remark in found.remarks)
    found = told(fill(tmp_path / "b", *(f"fold{i}/{kind}/1.png" for i in (1, 2) for kind in ("rod", "cube"))))
    assert any("fold1, fold2" in remark and "cube, rod" in remark for remark in found.remarks)
    found = told(fill(tmp_path / "c", "training_set/a/1.png", "training_set/b/1.png", "test_set/a/1.png"))
    assert found.classes == {"a": 2, "b": 1} and found.validation == 1


def test_a_real_folder_keeps_its_name_where_a_link_leads_to_it(tmp_path):
    fill(tmp_path, "b/1.png", "c/1.png")
    (tmp_path / "A0").symlink_to(tmp_path / "b", target_is_directory=True)
    assert told(tmp_path).classes == {"b": 1, "c": 1}


def test_masks_beside_their_images_are_masks(tmp_path):
    found = told(
        fill(tmp_path, *(f"{kind}/{i}{end}.png" for kind in ("a", "b") for i in range(2) for end in ("", "_mask")))
    )
    assert found.images == 4 and found.masks and found.classes == {"a": 2, "b": 2}


def test_a_zip_from_macos_has_its_names_in_utf_8_without_saying_so(tmp_path, monkeypatch):
    fill(tmp_path / "set", "Wu\u0308rfel/1.png", "Stab/1.png")
    monkeypatch.setattr(zipfile.ZipInfo, "_encodeFilenameFlags", lambda self: (self.filename.encode(), self.flag_bits))
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        for file in sorted((tmp_path / "set").rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path / "set").as_posix())
    assert told(tmp_path / "mac.zip").classes == {"Stab": 1, "W\u00fcrfel": 1}


def test_an_empty_or_doubled_name_in_a_zip_is_one_sentence(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
            for _ in range(2):
                archive.writestr("a/0.png", b"x")
    refused(tmp_path / "twice.zip", "'a/0.png' twice")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("x"), b"x")
    content = (tmp_path / "empty.zip").read_bytes().replace(b"\x01\x00\x00\x00x", b"\x00\x00\x00\x00x")
    (tmp_path / "empty.zip").write_bytes(content)
    refused(tmp_path / "empty.zip", "empty.zip")


def test_what_is_not_read_is_counted_and_named(tmp_path):
    fill(tmp_path, "cube/1.png", "rod/1.png")
    for name in ("cube/a.docx", "rod/b.docx", "notes", "c.svg"):
        (tmp_path / name).write_text("x")
    found = {entry.what: entry.count for entry in told(tmp_path).left_out}
    assert found == {"files ending in .docx": 2, "files ending in .svg": 1, "files without ending": 1}


@pytest.mark.parametrize("content", [None, "photo.heic", "notes.txt"])
def test_a_class_folder_without_a_readable_picture_is_named(tmp_path, content):
    fill(tmp_path, "cube/1.png", "rod/1.png")
    (tmp_path / "sphere").mkdir()
    if content:
        (tmp_path / "sphere" / content).write_text("x")
    refused(tmp_path, "'sphere'", str(tmp_path), ".png")
    (tmp_path / "sphere").rename(tmp_path / "unlabelled")
    assert told(tmp_path).classes == {"cube": 1, "rod": 1}


def test_folders_whose_names_differ_by_unicode_form_or_case_are_one_class(tmp_path):
    name = "W\u00fcrfel"
    fill(tmp_path, f"{name}/1.png", f"{unicodedata.normalize('NFD', name)}/2.png", "rod/1.png", "Rod/2.png")
    found = told(tmp_path)
    assert found.classes == {name: 2, "rod": 2} or found.classes == {"Rod": 2, name: 2}
    assert any("'Rod'" in remark and "'rod'" in remark for remark in found.remarks)


def test_a_folder_without_pictures_says_what_it_holds(tmp_path):
    (tmp_path / "a.docx").write_text("x")
    refused(tmp_path, "holds no picture", "1 .docx", ".png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_folder_that_may_not_be_opened_is_named(tmp_path):
    fill(tmp_path, "cube/1.png", "rod/1.png")
    (tmp_path / "rod").chmod(0)
    refused(tmp_path, "rod", "permissions")


def test_a_table_that_names_missing_pictures_is_a_choice(tmp_path):
    fill(tmp_path, *(f"{i}.png" for i in range(4)))
    rows = "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(9))
    (tmp_path / "labels.csv").write_text("file,label\n" + rows)
    with pytest.raises(MissingPictures, match=r"5 of 9 rows .* 4\.png, 5\.png, 6\.png, \.\.\.") as error:
        read_folder(tmp_path)
    assert not error.value.all_missing
    found = told(tmp_path, skip_missing=True)
    assert found.classes == {"a": 2, "b": 2}
    assert [(entry.what, entry.count) for entry in found.left_out] == [("rows of labels.csv", 5)]
    (tmp_path / "labels.csv").write_text("file,label\nx.png,a\n")
    with pytest.raises(MissingPictures, match="1 of 1 rows") as error:
        read_folder(tmp_path, skip_missing=True)
    assert error.value.all_missing


def test_a_folder_of_the_largest_limits_is_read_in_order_and_once(tmp_path):
    for i in range(20):
        put(tmp_path, f"cube/{i:02d}.png", i)
    images = open_images(tmp_path)
    assert images.pixels[:, 0, 0, 0].tolist() == list(range(20))


def test_every_reader_of_one_file_has_a_suffix_in_small_letters():
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in READERS)
