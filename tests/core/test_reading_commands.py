"""What the commands tell of the images they read, before anything else happens."""

import itertools
import json
import zipfile

import numpy as np
import pytest
import tifffile
from PIL import Image

from ssrvae_core.data import READERS
from ssrvae_core.runs import RunStore

RNG = np.random.default_rng(0)


def without_data(options):
    """The settings of a tiny run that are not those of its data."""
    pairs = itertools.pairwise(map(str, options))
    return [x for pair in pairs if pair[0] == "--set" and pair[1].startswith(("model.", "training.")) for x in pair]


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures in a folder with a table, three rows of which name pictures that are not there."""
    place = tmp_path / "set"
    place.mkdir()
    for i in range(12):
        Image.fromarray(RNG.integers(0, 256, (16, 16), dtype=np.uint8)).save(place / f"p{i}.png")
    rows = "".join(f"p{i}.png,{'ab'[i % 2] if i < 8 else ''},m{i % 3}\n" for i in range(15))
    (place / "labels.csv").write_text("file,label,group\n" + rows)
    (place / "notes.docx").write_text("hello")
    return place


def test_doctor_tells_what_is_in_a_file_and_trains_nothing(run_cli, folder, tmp_path):
    code, out, _ = run_cli("doctor", "--data", folder, "--skip-missing", "--json", "--store", tmp_path / "store")
    assert code == 0
    *lines, last = out.splitlines()
    told = " ".join(lines)
    for words in (
        "12 images of 16 x 16",
        "uint8",
        "a 4, b 4",
        "4 unlabelled",
        "3 groups",
        ".docx (1)",
        "labels.csv (3)",
    ):
        assert words in told
    found = json.loads(last)
    assert found["classes"] == {"a": 4, "b": 4} and found["unlabelled"] == 4 and found["groups"] == 3
    assert found["scale"] == [0, 255] and len(found["sha256"]) == 64
    assert {entry["count"] for entry in found["left_out"]} == {1, 3}
    assert not (tmp_path / "store").exists()


def test_a_refusal_is_a_sentence_with_the_way_out_that_the_command_line_has(run_cli, folder):
    code, out, said = run_cli("doctor", "--data", folder, "--json")
    assert code == 2 and not out and len(said.splitlines()) == 1
    assert "3 of 15 rows" in said and "--skip-missing" in said and "Traceback" not in said


def test_train_tells_what_it_read_and_takes_a_zip(run_cli, tiny_options, folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"set/{file.name}")
    options = without_data(tiny_options)
    code, said, _ = run_cli(
        "train", "--data", tmp_path / "set.zip", "--skip-missing", *options, "--store", tmp_path / "store"
    )
    assert code == 0, said
    assert "12 images of 16 x 16" in said and "labels.csv (3)" in said
    (run,) = RunStore(tmp_path / "store").scan()[0]
    assert run.config.dataset.skip_missing
    code, _, said = run_cli(
        *("predict", run.id, tmp_path / "set.zip", "--skip-missing", "--out", tmp_path / "p.csv"),
        *("--store", tmp_path / "store"),
    )
    assert code == 0, said
    assert "p3.png" in (tmp_path / "p.csv").read_text()


def test_pages_of_a_stack_are_called_in_a_table_of_predictions_as_in_a_table_of_labels(run_cli, finished, tmp_path):
    tifffile.imwrite(
        tmp_path / "stack.tif", RNG.integers(0, 256, (3, 16, 16), dtype=np.uint8), photometric="minisblack"
    )
    code, _, said = run_cli(
        *("predict", finished.id, tmp_path / "stack.tif", "--out", tmp_path / "p.csv", "--store", finished.path.parent)
    )
    assert code == 0, said
    assert all(f"stack.tif#{page}" in (tmp_path / "p.csv").read_text() for page in range(3))


def test_train_reads_its_file_once(run_cli, tiny_options, tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez(path, images=RNG.random((24, 16, 16)), labels=np.arange(24) % 2)
    reads = []
    read = READERS[".npz"]
    monkeypatch.setitem(READERS, ".npz", lambda path: reads.append(path) or read(path))
    options = without_data(tiny_options)
    code, _, said = run_cli("train", "--data", path, *options, "--store", tmp_path / "store")
    assert code == 0, said
    assert len(reads) == 1
