"""Exports: exactly what is selected is written, whole or not at all, and reads back as it was."""

import re
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.data import ImageSet, read_images
from ssrvae_core.library import NONE, Journal, Origin
from ssrvae_core.library.centres import intensity_centroid, mask_centroid
from ssrvae_core.library.crops import Crops
from ssrvae_core.library.exports import (
    labels_text,
    page_title,
    write_csv,
    write_image_file,
    write_page,
    write_parquet,
    write_pictures,
)
from ssrvae_core.library.exports.pictures import folder_names, members
from ssrvae_core.library.fractions import class_fractions
from ssrvae_core.library.outliers import outliers
from ssrvae_core.library.sheets import sheets
from ssrvae_core.library.upright import upright
from tests.core.library.conftest import NAMES

HOSTILE = ("../../etc/passwd", "a/b\\c", "..", "CON", "<script>alert(1)</script>", "=1+1", "ü" * 90, "A", " rods. ")


@pytest.fixture
def crops(particles):
    rng = np.random.default_rng(1)
    n = len(particles)
    images = ImageSet(
        images=rng.random((n, 1, 12, 12)).astype(np.float32),
        labels=np.where(particles.part == 1, -1, particles.predictions.labels),
        ids=particles.ids,
        class_names=NAMES,
        groups=particles.groups,
        group_names=particles.group_names,
        names=particles.names,
        validation=particles.part == 2,
        masks=rng.random((n, 12, 12)) > 0.5,
    )
    return Crops(images, particles.predictions.angle, particles.predictions.predicted, centre=True)


@pytest.fixture
def library(run):
    journal = Journal(run)
    journal.move(journal.base.ids[[1, 2, 3]], NONE, who="Ada")
    return journal.split(journal.base.ids[[7, 8]], "long rods", who="Bob")


@pytest.fixture
def ids(library):
    return np.array([library.base.ids[k] for k in (30, 2, 7, 55, 13, 2)])  # in any order, one twice


def test_tables_hold_the_selection_and_csv_equals_parquet(tmp_path, library, particles, ids):
    assert write_csv(tmp_path / "a.csv", library, particles, ids) == 5
    assert write_parquet(tmp_path / "a.parquet", library, particles, ids) == 5
    csv, parquet = pd.read_csv(tmp_path / "a.csv"), pd.read_parquet(tmp_path / "a.parquet")
    assert list(csv.columns) == list(parquet.columns) and csv["id"].tolist() == sorted(set(ids.tolist()))
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False, rtol=1e-6)
    row = csv.set_index("id").loc[library.base.ids[7]]
    assert (row["class"], row["set_by"], row["by"]) == ("long rods", "hand", "Bob") and row["at"].endswith("Z")
    assert csv.set_index("id").loc[library.base.ids[2], "class"] == "none of these"
    assert row["p_cubes"] == pytest.approx(float(particles.predictions.class_prob[7, 0]))
    assert row["name"] == particles.names[7] and row["group"] == "m1.tif"
    assert row["angle_degrees"] == pytest.approx(np.degrees(particles.predictions.angle[7]), rel=1e-5)
    assert row["size_nm"] == pytest.approx(particles.size[7]) and "z_2" in csv


def test_who_confirms_a_label_has_moved_nothing(tmp_path, run, particles):
    journal = Journal(run)
    row = int(np.flatnonzero(journal.read().origin == Origin.LABEL)[0])
    library = journal.move([int(particles.ids[row])], int(journal.read().known[row]), who="Ada")
    write_csv(tmp_path / "a.csv", library, particles)
    told = pd.read_csv(tmp_path / "a.csv").iloc[row]
    assert told["set_by"] == "label" and pd.isna(told["by"]) and pd.isna(told["at"])


def test_a_table_of_all_is_written_in_batches(tmp_path, library, particles, monkeypatch):
    monkeypatch.setattr("ssrvae_core.library.exports.tables.BATCH", 7)
    assert write_csv(tmp_path / "a.csv", library, particles) == len(particles)
    table = pd.read_csv(tmp_path / "a.csv")
    assert table["id"].tolist() == particles.ids.tolist()
    assert table["class"].value_counts()["none of these"] == 3


def test_a_zip_has_a_folder_per_class_with_exactly_the_selection(tmp_path, library, crops, ids):
    assert write_pictures(tmp_path / "a.zip", library, crops, ids) == 5
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    found = members(names)
    pairs = zip(library.base.ids.tolist(), library.assigned.tolist(), strict=True)
    called = {number: library.names.get(k, "unlabelled") for number, k in pairs}
    assert found == {i: called[i] for i in set(ids.tolist())}
    back = read_images(tmp_path / "a.zip")
    assert set(back.class_names) == {called[i] for i in ids.tolist()} - {"unlabelled"}
    row = back.names.index(next(name for name in back.names if f"{library.base.ids[30]}_30" in name))
    assert np.abs(back.images[row] - crops.images.images[30]).max() < 0.51 / 255 + 1e-6


def test_upright_pictures_are_turned_back(tmp_path, library, crops, ids):
    write_pictures(tmp_path / "a.zip", library, crops, ids, turned=True)
    back = read_images(tmp_path / "a.zip")
    row = next(k for k, name in enumerate(back.names) if f"{library.base.ids[30]}_30" in name)
    wanted = upright(crops.images.images[30:31], crops.angle[30:31], mask_centroid(crops.images.masks[30:31]))
    assert np.abs(back.images[row] - wanted[0]).max() < 0.51 / 255 + 1e-6


def test_an_object_that_was_turned_is_upright_again():
    y, x = np.mgrid[:41, :41] - 20.0

    def bar(angle):
        u, v = x * np.cos(angle) - y * np.sin(angle), -x * np.sin(angle) - y * np.cos(angle)
        return np.exp(-((u - 3) ** 2) / 60 - v**2 / 8).astype(np.float32)[None, None]

    for angle in (0.4, -2.0, 3.0):
        for middle in (lambda _: np.zeros((1, 2)), intensity_centroid):
            straight = upright(bar(0.0), np.zeros(1), middle(bar(0.0)))
            back = upright(bar(angle), np.array([angle]), middle(bar(angle)))
            inside = np.hypot(x, y) < 18
            assert np.abs(back - straight)[0, 0][inside].max() < 0.05
    assert np.allclose(upright(bar(0.5), np.array([np.nan]), np.zeros((1, 2))), bar(0.5), atol=1e-5)


def test_an_image_file_reads_back_as_the_same_data_set(tmp_path, library, crops, ids):
    assert write_image_file(tmp_path / "a.npz", library, crops, ids) == 5
    back = read_images(tmp_path / "a.npz")
    rows = np.searchsorted(crops.images.ids, sorted(set(ids.tolist())))
    wanted = crops.images.take(rows)
    for name in ("images", "ids", "groups", "masks", "validation"):
        assert np.array_equal(getattr(back, name), getattr(wanted, name)), name
    assert back.names == wanted.names and back.group_names == wanted.group_names
    assert back.class_names == tuple(library.names.values())
    assert [back.class_names[k] if k >= 0 else None for k in back.labels] == [
        library.names.get(k) for k in library.known[rows]
    ]
    assert write_image_file(tmp_path / "b.npz", library, crops, ids, turned=True, model_labels=True) == 5
    guessed = read_images(tmp_path / "b.npz")
    assert np.array_equal(guessed.labels >= 0, library.assigned[rows] != NONE)
    assert read_images(tmp_path / "b.npz").masks is None


def test_what_the_model_guesses_is_no_label_of_an_exported_file(tmp_path, library, crops, particles):
    assert write_image_file(tmp_path / "a.npz", library, crops) == len(particles)
    known = library.known != NONE
    assert np.array_equal(read_images(tmp_path / "a.npz").labels >= 0, known) and not known.all()
    with np.load(tmp_path / "a.npz") as fields:
        named = fields["library_class"].tolist()
        assert named == [library.names.get(k, "none of these") for k in library.assigned.tolist()]
        assert {*fields["library_set_by"][known].tolist()} == {"label", "hand"}
        assert {*fields["library_set_by"][library.assigned != NONE][~known[library.assigned != NONE]]} == {"model"}
    assert f"{known.sum()} of {len(particles)} have a label" in labels_text(library)
    guessed = (library.assigned != NONE).sum() - known.sum()
    assert f"{guessed} are the model's" in labels_text(library, model_labels=True)


def test_a_zip_says_which_folders_are_the_models(tmp_path, library, crops):
    write_pictures(tmp_path / "a.zip", library, crops)
    told = zipfile.ZipFile(tmp_path / "a.zip").read("README.txt").decode()
    by_model = int((library.origin == Origin.MODEL).sum())
    assert f"{by_model} of {len(library.base.ids)} pictures" in told
    assert told.count("\tmodel") == by_model and told.count("\thand") == 5
    assert len(read_images(tmp_path / "a.zip")) == len(library.base.ids)


def test_a_page_shows_exactly_the_selection_and_fetches_nothing(tmp_path, library, particles, crops, ids):
    told = {"fractions": class_fractions(library, particles), "outliers": outliers(library, particles, 2.0)}
    page = tmp_path / "a.html"
    shown = sheets(library, particles, crops)
    assert write_page(page, library, crops, ids, title="A & B", sheets=shown, **told) == 5
    text = page.read_text("utf-8")
    assert sorted(map(int, re.findall(r'data-sample="(\d+)"', text))) == sorted(set(ids.tolist()))
    assert re.search(r"data-selected>5<", text) and "A &amp; B" in text and "<script" not in text
    assert not re.search(r"(src|href)=\"(?!data:)|url\((?!data:)", text)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    averages = [one for one in shown if one.mean is not None and np.isin(one.ids, ids).any()]
    assert len(captions) == 2 * len(averages) and all(one.endswith(".") for one in captions), "a sentence each"
    for one, caption in zip(averages, captions[::2], strict=True):
        assert f"{one.count} particles" in caption and ("other classes" in caption) == (one.averaged < one.count)


def test_the_heading_of_a_page_says_which_data_it_is_of(run):
    assert run.id in page_title(run) and run.data_name in page_title(run)


def test_a_page_of_too_many_is_refused(tmp_path, library, crops, monkeypatch):
    monkeypatch.setattr("ssrvae_core.library.exports.page.MOST", 10)
    with pytest.raises(UserError, match="too many"):
        write_page(tmp_path / "a.html", library, crops, title="x")
    assert not list(tmp_path.iterdir()) or not (tmp_path / "a.html").exists()


def test_hostile_names_stay_within_the_zip_and_the_page(tmp_path, run, particles, crops):
    journal = Journal(run)
    for place, name in enumerate(HOSTILE):
        library = journal.split(journal.base.ids[[place]], name, who="x")
    names = tuple(f"../..\\{k}/<b>\x00.png" for k in range(len(particles)))
    crops = replace(crops, images=replace(crops.images, names=names))
    write_pictures(tmp_path / "a.zip", library, crops)
    found = [name for name in zipfile.ZipFile(tmp_path / "a.zip").namelist() if name != "README.txt"]
    assert len(found) == len(set(found)) == len(particles)
    for name in found:
        folder, file = name.split("/")
        assert ".." not in (folder, file) and not re.search(r'[<>:"|?*\\\x00]', name) and folder.strip(" .") == folder
        assert folder.casefold() != "con" and file.endswith(".png")
    write_page(tmp_path / "a.html", library, crops, title="<script>")
    assert "<script" not in (tmp_path / "a.html").read_text("utf-8")
    write_csv(tmp_path / "a.csv", library, replace(particles, names=names))
    assert {*HOSTILE[:4], "'=1+1"} <= set(pd.read_csv(tmp_path / "a.csv")["class"]), "a spreadsheet calculates a name"
    write_parquet(tmp_path / "a.parquet", library, replace(particles, names=names))
    assert "=1+1" in set(pd.read_parquet(tmp_path / "a.parquet")["class"])
    write_image_file(tmp_path / "a.npz", library, crops)
    assert read_images(tmp_path / "a.npz").class_names == tuple(library.names.values())


def test_folders_of_classes_that_differ_by_case_alone_are_apart():
    assert len({name.casefold() for name in folder_names({0: "a", 1: "A", 2: "a/", NONE: "none"}).values()}) == 4


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_what_is_not_there_or_not_writable_is_one_sentence(tmp_path, library, particles, write):
    for given, told in (([5], "no particle 5"), ([], "No particle is selected")):
        with pytest.raises(UserError, match=told):
            write(tmp_path / "a", library, particles, given)
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "nowhere" / "a", library, particles)
    assert not list(tmp_path.glob("a*"))
