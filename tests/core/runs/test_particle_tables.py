"""A table of particles: the same in every format, whole or not at all, and never all at once in memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.runs import tables
from tests.core.runs.test_particle_file import particles

NAMES = ("cube", "rod, long", 'so-called "ball"')


def known(n=5):
    rng = np.random.default_rng(1)
    names = (*("a.png", "b, c.png", "häh\udcff.png", 'q"uote.png', "new\nline.png"), *(f"{i}.png" for i in range(n)))[
        :n
    ]
    return particles(
        n,
        groups=rng.integers(0, 2, n),
        group_names=("first", "second"),
        names=names,
        size=rng.random(n, dtype=np.float32),
        size_unit="nm",
    )


def read(path):
    return pd.read_csv(path) if path.suffix == tables.CSV else pd.read_parquet(path)


def test_parquet_says_what_csv_says(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS", 3)  # several parts
    these = known(8)
    these.predictions.angle[2] = np.nan
    for kind in (tables.CSV, tables.PARQUET):
        tables.write_table(tmp_path / f"t{kind}", these, NAMES)
    left, right = read(tmp_path / "t.csv"), read(tmp_path / "t.parquet")
    assert list(left) == list(right) and len(left) == len(right) == 8
    for name in left:
        if right[name].dtype.kind == "f":
            np.testing.assert_array_equal(left[name].to_numpy(right[name].dtype), right[name], err_msg=name)
        else:
            assert left[name].fillna("").tolist() == right[name].fillna("").tolist(), name


def test_every_column_says_what_its_name_says(tmp_path):
    these = known()
    tables.write_table(tmp_path / "t.csv", these, NAMES)
    table, predictions = read(tmp_path / "t.csv"), these.predictions
    for row in range(5):
        line = table.iloc[row]
        label = predictions.labels[row]
        assert line["id"] == predictions.ids[row]
        assert line["group"] == these.group_names[these.groups[row]]
        assert line["part"] == ("labelled", "unlabelled", "validation")[these.part[row]]
        assert (line["label"] == NAMES[label]) if label >= 0 else pd.isna(line["label"])
        assert line["class"] == NAMES[predictions.predicted[row]]
        assert [line[f"p_{name}"] for name in NAMES] == pytest.approx(predictions.class_prob[row].tolist())
        assert line["angle_degrees"] == pytest.approx(np.degrees(predictions.angle[row]), abs=1e-3)
        assert line["confidence"] == pytest.approx(predictions.confidence[row])
        assert line["outlier_score"] == pytest.approx(these.outlier_score[row])
        assert (line["size"], line["size_unit"]) == (pytest.approx(these.size[row]), "nm")
        assert [line["z_1"], line["z_2"]] == pytest.approx(predictions.z_mean[row].tolist())
    assert table["name"].tolist()[:2] == ["a.png", "b, c.png"] and table["name"][4] == "new\nline.png"


def test_what_is_not_known_is_empty(tmp_path):
    these = replace(particles(), part=np.full(5, -1, np.int8), outlier_score=np.full(5, np.nan, np.float32))
    for kind in (tables.CSV, tables.PARQUET):
        tables.write_table(tmp_path / f"t{kind}", these, NAMES)
        table = read(tmp_path / f"t{kind}")
        for name in ("name", "group", "part", "outlier_score", "size", "size_unit"):
            assert table[name].isna().all(), name


@pytest.mark.parametrize("kind", [tables.CSV, tables.PARQUET])
@pytest.mark.parametrize("rows", [[3, 0], []])
def test_the_rows_that_are_chosen_are_the_rows_that_are_written(tmp_path, kind, rows):
    these, chosen = known(), np.array(rows, np.int64)
    tables.write_table(tmp_path / f"t{kind}", these, NAMES, chosen)
    written = (tmp_path / f"t{kind}").read_bytes()
    assert read(tmp_path / f"t{kind}")["id"].tolist() == these.ids[chosen].tolist()
    assert tables.table_bytes(tables.CSV, these, NAMES, chosen).count(b"\n") == 1 + len(rows)
    if kind == tables.CSV:
        assert tables.table_bytes(kind, these, NAMES, chosen) == written


def test_a_name_that_says_neither_csv_nor_parquet_is_refused(tmp_path):
    with pytest.raises(UserError, match="parquet"):
        tables.write_table(tmp_path / "t.xlsx", known(), NAMES)
    assert not list(tmp_path.iterdir())


def test_a_table_that_fails_half_way_leaves_the_old_one(tmp_path, monkeypatch):
    out = tmp_path / "t.csv"
    out.write_text("old")

    def parts(*_):
        yield tables.columns(known(), NAMES, np.arange(5))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables, "in_parts", parts)
    with pytest.raises(UserError, match="No space left"):
        tables.write_table(out, known(), NAMES)
    assert out.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", [tables.CSV, tables.PARQUET])
def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(tables, "ROWS", 500)

    def peak(n):
        these = known(n)
        tracemalloc.start()
        try:
            tables.write_table(tmp_path / f"t{kind}", these, NAMES)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1000)
    assert peak(8000) < peak(1000) + 7000 * 40  # a number per row is the choice of the rows
