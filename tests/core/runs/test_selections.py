"""Selections of particles that a store keeps under names."""

from __future__ import annotations

import pytest

from ssrvae_core.config import UserError, run_config
from ssrvae_core.runs import selections


def ids_by_name(root, key="0123456789ab"):
    return {one.name: one.ids for one in selections.kept(root, key)}


def keep(root, name, ids, key="0123456789ab"):
    selections.keep(root, key, name, ids)


def test_a_selection_is_kept_changed_and_forgotten(tmp_path):
    assert ids_by_name(tmp_path) == {}
    keep(tmp_path, "  odd   ones ", "3-8.12")
    keep(tmp_path, "b", "1")
    assert ids_by_name(tmp_path) == {"b": "1", "odd ones": "3-8.12"}
    keep(tmp_path, "odd ones", "5")
    keep(tmp_path, "b", None)
    assert ids_by_name(tmp_path) == {"odd ones": "5"}
    assert ids_by_name(tmp_path, "f" * 12) == {}, "another data set has its own"


@pytest.mark.parametrize("ids", ["-7", "-5--3.-1-2", "9007199254740993.1700000000000000001", "-9223372036854775808-0"])
def test_any_whole_number_of_64_bits_can_be_kept(ids, tmp_path):
    keep(tmp_path, "a", ids)
    assert ids_by_name(tmp_path) == {"a": ids}


def test_a_line_that_was_not_written_to_its_end_costs_that_selection_alone(tmp_path):
    keep(tmp_path, "a", "1")
    file = next((tmp_path / selections.FOLDER).iterdir())
    file.write_bytes(file.read_bytes() + b'{"name": "torn", "ids": "4')
    keep(tmp_path, "b", "2")
    file.write_bytes(file.read_bytes() + b'[1]\n{"name": "c", "ids": "<script>"}\n\xff\n')
    assert ids_by_name(tmp_path) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(("name", "ids"), [("", "1"), ("a" * 61, "1"), ("a", "1-"), ("a", ""), ("a", "x"), (" ", None)])
def test_what_cannot_be_kept_is_refused_in_a_sentence(name, ids, tmp_path):
    with pytest.raises(UserError):
        keep(tmp_path, name, ids)
    assert ids_by_name(tmp_path) == {}


def test_a_viewer_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    with pytest.raises(UserError, match="read-only"):
        keep(tmp_path, "a", "1")


def test_a_file_is_the_same_data_set_wherever_it_lies():
    dataset = run_config(preset="teaching").dataset
    here, there = (dataset.model_copy(update={"path": path, "sha256": "ab" * 32}) for path in ("/a.npz", "b.npz"))
    assert selections.key_of(here) == selections.key_of(there) != selections.key_of(dataset)
