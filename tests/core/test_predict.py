"""``predict``: tables of a run's own images, and of everything that can be trained on."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from ssrvae_core.config import DATASETS
from ssrvae_core.data import load, split
from ssrvae_core.runs import RunStore, directory, everything
from tests.core.test_real_particles import CROPS

RNG = np.random.default_rng(0)
SOON = 60.0
"""Seconds that a process may take on a busy machine."""


@pytest.fixture
def older(finished, tmp_path):
    """A run of an earlier version, which told of its validation images alone; yours to change."""
    path = tmp_path / "older" / finished.id
    shutil.copytree(finished.path, path)
    (path / directory.PARTICLES).unlink()
    return RunStore(path.parent).get(finished.id)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def picture(path, side=16):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (side, side), dtype=np.uint8)).save(path)


def test_all_images_of_a_run_are_written_a_row_each(finished, result_of, tmp_path):
    out = tmp_path / "all.csv"
    result = result_of("predict", finished.id, "--all", "--out", out, "--store", finished.path.parent)
    images = load(finished.config.dataset)
    data, rows = split(images, finished.config.split), rows_of(out)
    assert [int(row["id"]) for row in rows] == sorted(images.ids)
    assert [row["label"] for row in rows] == [images.class_names[label] for label in images.labels]
    assert result["images"] == len(images)
    for part in ("labelled", "unlabelled", "validation"):
        assert result[part] == len(getattr(data, part)) == sum(row["part"] == part for row in rows)


def test_an_older_run_is_classified_once_and_kept(older, result_of, tmp_path, monkeypatch):
    arguments = ("predict", older.id, "--all", "--store", older.path.parent, "--out")
    result_of(*arguments, tmp_path / "first.csv")
    assert older.particles() is not None
    monkeypatch.setattr(everything, "particles_of", None)  # it would fail
    result_of(*arguments, tmp_path / "second.csv")
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "second.csv").read_bytes()


def test_a_viewer_gets_the_table_and_leaves_the_store_alone(older, result_of, tmp_path, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    before = sorted(file.name for file in older.path.iterdir())
    result_of("predict", older.id, "--all", "--store", older.path.parent, "--out", tmp_path / "all.csv")
    assert len(rows_of(tmp_path / "all.csv")) == len(load(older.config.dataset))
    assert sorted(file.name for file in older.path.iterdir()) == before


def test_a_damaged_file_of_classes_is_made_again(older, run_cli, tmp_path):
    (older.path / directory.PARTICLES).write_bytes(b"not an archive")
    code, _, said = run_cli(
        "predict", older.id, "--all", "--store", older.path.parent, "--out", tmp_path / "all.parquet"
    )
    assert code == 0 and directory.PARTICLES in said
    assert len(pd.read_parquet(tmp_path / "all.parquet")) == len(older.particles())


def test_images_whose_file_is_gone_are_a_sentence(result_of, complaint_of, tiny_options, tmp_path):
    np.savez(tmp_path / "mine.npz", images=RNG.random((8, 16, 16)), labels=np.arange(8) % 2)
    settings = [option for option in tiny_options if option.startswith(("model.", "training."))]
    options = [part for setting in settings for part in ("--set", setting)]
    store = ("--store", tmp_path / "runs")
    run = result_of("train", "--data", tmp_path / "mine.npz", *options, *store)["id"]
    (tmp_path / "mine.npz").unlink()
    out = ("--out", tmp_path / "all.csv")
    result_of("predict", run, "--all", *out, *store)  # the run holds its classes
    (tmp_path / "runs" / run / directory.PARTICLES).unlink()
    assert "mine.npz" in complaint_of("predict", run, "--all", *out, *store)


def given_as(kind, folder):
    """Write twelve pictures of two classes in one of the ways that a training takes; return the path."""
    for i in range(12):
        picture(folder / "set" / "ab"[i % 2] / f"p{i}.png")
    if kind == "class folders":
        return folder / "set"
    if kind == "zip":
        with zipfile.ZipFile(folder / "set.zip", "w") as archive:
            for file in sorted((folder / "set").rglob("*.png")):
                archive.write(file, file.relative_to(folder / "set"))
        return folder / "set.zip"
    if kind == "table":
        flat = folder / "flat"
        for file in (folder / "set").rglob("*.png"):
            flat.mkdir(exist_ok=True)
            shutil.copy(file, flat / file.name)
        (flat / "labels.csv").write_text("file,label\n" + "".join(f"p{i}.png,{'ab'[i % 2]}\n" for i in range(8)))
        return flat
    stack = np.stack([np.asarray(Image.open(file)) for file in sorted((folder / "set").rglob("*.png"))])
    if kind == "tiff":
        tifffile.imwrite(folder / "set.tif", stack, photometric="minisblack")
        return folder / "set.tif"
    np.savez(folder / "set.npz", images=stack, labels=np.array(["a", "b"] * 6))
    return folder / "set.npz"


@pytest.mark.parametrize("kind", ["class folders", "zip", "table", "tiff", "npz"])
def test_predict_takes_what_train_takes(finished, result_of, tmp_path, kind):
    path = given_as(kind, tmp_path)
    result = result_of("predict", finished.id, path, "--out", tmp_path / "p.csv", "--store", finished.path.parent)
    rows = rows_of(tmp_path / "p.csv")
    assert result["images"] == len(rows) == 12
    assert {row["part"] for row in rows} == {""}
    labels = {"class folders": 12, "zip": 12, "table": 8, "tiff": 0, "npz": 12}
    assert sum(row["label"] in ("a", "b") for row in rows) == labels[kind]
    if kind != "npz":
        assert len({row["name"] for row in rows}) == 12 and all(row["name"] for row in rows)


def test_predict_takes_a_data_set_s_name(finished, result_of, tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "cards-b2", finished.config.dataset)
    result = result_of("predict", finished.id, "cards-b2", "--out", tmp_path / "p.csv", "--store", finished.path.parent)
    assert result["images"] == len(finished.particles())


def test_a_single_image_has_an_outlier_score_by_what_is_usual_for_the_run(finished, result_of, tmp_path):
    images, particles = load(finished.config.dataset), finished.particles()
    row = int(np.flatnonzero(particles.part == 2)[0])
    np.savez(tmp_path / "one.npz", images=images.images[images.ids == particles.ids[row]][:, 0])
    result_of(
        "predict", finished.id, tmp_path / "one.npz", "--out", tmp_path / "p.csv", "--store", finished.path.parent
    )
    (only,) = rows_of(tmp_path / "p.csv")
    assert float(only["outlier_score"]) == pytest.approx(particles.outlier_score[row], rel=1e-2, abs=1e-2)


def test_exactly_one_kind_of_images_is_asked_for(finished, complaint_of, tmp_path):
    arguments = ("predict", finished.id, "--out", tmp_path / "p.csv", "--store", finished.path.parent)
    for odd in ((), ("--all", "x.npz"), ("--all", "--watch", tmp_path), ("x.npz", "--watch", tmp_path)):
        complaint = complaint_of(*arguments, *odd)
        assert "--all" in complaint and "--watch" in complaint


def test_a_table_of_another_kind_is_refused_before_anything_is_computed(finished, complaint_of, tmp_path, monkeypatch):
    monkeypatch.setattr(type(finished), "model", None)
    complaint = complaint_of(
        "predict", finished.id, "--all", "--out", tmp_path / "p.xlsx", "--store", finished.path.parent
    )
    assert ".csv" in complaint and ".parquet" in complaint


def test_a_table_is_not_written_over_the_run_s_own_images(result_of, complaint_of, tiny_options, tmp_path):
    for i in range(8):
        picture(tmp_path / "set" / "ab"[i % 2] / f"p{i}.png")
    settings = [option for option in tiny_options if option.startswith(("model.", "training."))]
    options = [part for setting in settings for part in ("--set", setting)]
    store = ("--store", tmp_path / "runs")
    run = result_of("train", "--data", tmp_path / "set", *options, *store)["id"]
    assert "among the images" in complaint_of("predict", run, "--all", "--out", tmp_path / "set" / "all.csv", *store)


@pytest.mark.skipif(not CROPS.exists(), reason="needs the TEM crops of ../shared, which are not here")
def test_of_504_particles_with_40_labels_all_are_written(result_of, tiny_options, tmp_path):
    with np.load(CROPS) as crops:
        fields = dict(crops)
    labels = np.full(504, -1)
    for k in range(3):
        labels[np.flatnonzero(fields["labels"] == k)[: 14 - (k > 0)]] = k
    assert (labels >= 0).sum() == 40
    np.savez(tmp_path / "mine.npz", **fields | {"labels": labels})
    store = ("--store", tmp_path / "runs")
    shape = ["--set", "training.epochs=1", *shape_options(tiny_options)]
    run = result_of("train", "--data", tmp_path / "mine.npz", "--view", "mask", *shape, *store)["id"]
    out = tmp_path / "all.csv"
    counts = result_of("predict", run, "--all", "--out", out, *store)
    rows = rows_of(out)
    assert len(rows) == len({row["id"] for row in rows}) == counts["images"] == 504
    assert sum(bool(row["label"]) for row in rows) == 40
    assert sum(row["part"] == "unlabelled" for row in rows) == counts["unlabelled"] >= 464
    assert all(row["group"] and float(row["size"]) > 0 for row in rows)


def shape_options(tiny_options):
    """The settings of a tiny run that are not those of its data."""
    settings = [option for option in tiny_options if option.startswith(("model.", "training."))]
    return [part for setting in settings if "epochs" not in setting for part in ("--set", setting)]


@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_ends_cleanly_and_goes_on(finished, tmp_path, signal_sent):
    folder, out = tmp_path / "microscope", tmp_path / "table.csv"
    picture(folder / "first.png")
    watched(finished, folder, out, signal_sent, "first.png")
    assert [row["name"] for row in rows_of(out)] == ["first.png"]


def watched(run, folder, out, signal_sent, name):
    """Watch a folder in a process until a file is told of, and end it; return what it says at last."""
    arguments = ["predict", run.id, "--watch", folder, "--out", out, "--interval", 0.05, "--store", run.path.parent]
    process = subprocess.Popen(
        [sys.executable, "-m", "ssrvae_core", *map(str, arguments), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        for line in process.stdout:
            if line.startswith(f"{name}:"):
                break
        process.send_signal(signal_sent)
        rest, said = process.communicate(timeout=SOON)
    finally:
        process.kill()
    assert process.returncode == 0 and "Traceback" not in said
    assert json.loads(rest.splitlines()[-1])["images"] == 1


def test_a_watch_refuses_what_it_cannot_do_in_a_sentence(finished, complaint_of, tmp_path):
    folder, store = tmp_path / "microscope", ("--store", finished.path.parent)
    folder.mkdir()

    def complaint(place, out):
        return complaint_of("predict", finished.id, "--watch", place, "--out", out, *store)

    assert "nowhere" in complaint(tmp_path / "nowhere", tmp_path / "t.csv")
    assert ".csv" in complaint(folder, tmp_path / "t.parquet")
    assert "among the images" in complaint(folder, folder / "t.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "columns" in complaint(folder, tmp_path / "other.csv")
    assert (tmp_path / "other.csv").read_text() == "a,b\n1,2\n"
