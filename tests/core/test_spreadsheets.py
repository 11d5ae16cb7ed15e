"""Tables for people: no text in them is a formula, and what is read back is the text that was written."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ssrvae_core.data.readers import open_images
from ssrvae_core.runs import RunStore, tables
from ssrvae_core.runs.sweep_table import COLUMNS, Sweep, read_sweep, sweep_path, write_sweep
from ssrvae_core.spreadsheets import harmless, original
from tests.core.runs.test_particle_tables import known

FORMULA = re.compile(r"[=+\-@\t\r]")
HOSTILE = ("=1+1", "+1", "-1.png", "@SUM(A1)", "'=quoted", "plain", "'plain'", "")
NAMES = ("=cmd|'/c calc'!A1", "-rod", "ball")


@given(st.text(alphabet="'=+-@\t\ra", max_size=6))
def test_no_text_is_a_formula_and_every_one_comes_back(text):
    assert not FORMULA.match(harmless(text))
    assert original(harmless(text)) == text


@pytest.mark.parametrize("text", ["a.png", "3", "'quoted'", "", "a=b"])
def test_other_texts_stay_as_they_are(text):
    assert harmless(text) == text == original(text)


def test_names_of_files_and_classes_in_a_table_of_particles_are_no_formulas_and_numbers_stay_numbers(tmp_path):
    these = replace(known(len(HOSTILE)), names=HOSTILE)
    these.predictions.z_mean[:] = -1.5
    tables.write_table(tmp_path / "t.csv", these, NAMES)
    table = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    assert [original(name) for name in table["name"]] == list(HOSTILE)
    assert not any(FORMULA.match(text) for name in ("name", "class", "label") for text in table[name])
    assert table["z_1"].tolist() == [-1.5] * len(HOSTILE)
    tables.write_table(tmp_path / "t.parquet", these, NAMES)
    assert pd.read_parquet(tmp_path / "t.parquet")["name"].fillna("").tolist() == list(HOSTILE)


def test_a_written_table_is_a_table_of_labels_again(tmp_path):
    names = ("-a.png", "=b.png", "+c.png", "d.png")
    for number, name in enumerate(names):
        Image.fromarray(np.full((12, 10), 40 * number, np.uint8)).save(tmp_path / name)
    labels = ("-rod", "=cube", "-rod", "ball")
    rows = [("file", "label"), *zip(map(harmless, names), map(harmless, labels), strict=True)]
    (tmp_path / "labels.csv").write_text("\n".join(map(",".join, rows)), "utf-8")
    found = open_images(tmp_path).annotations
    read = {name: found.class_names[label] for name, label in zip(found.names, found.labels, strict=True)}
    assert read == dict(zip(names, labels, strict=True))


def test_a_picture_whose_name_begins_so_is_found_as_it_is_called(tmp_path):
    Image.fromarray(np.zeros((12, 10), np.uint8)).save(tmp_path / "'=a.png")
    Image.fromarray(np.ones((12, 10), np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "labels.csv").write_text("file,label\n'=a.png,rod\nb.png,cube\n", "utf-8")
    found = open_images(tmp_path).annotations
    assert sorted(found.class_names[label] for label in found.labels) == ["cube", "rod"]


def test_the_table_of_a_sweep_reads_back(tmp_path):
    sweep_id, store = "0" * 12, RunStore(tmp_path)
    row = dict.fromkeys(COLUMNS) | {"run_id": "a", "data": "=1+1.npz", "error": "-x", "accuracy": -0.5}
    summary = {"id": sweep_id, "state": "finished", "seconds": 1.0, "groups": []}
    sweep = Sweep(sweep_id, sweep_path(store, sweep_id), [row], summary)
    sweep.path.mkdir(parents=True)
    write_sweep(sweep)
    assert "'=1+1.npz" in (sweep.path / "table.csv").read_text("utf-8")
    assert read_sweep(store, sweep_id).rows == [row]
