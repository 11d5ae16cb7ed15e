"""Names and notes of runs: kept beside the run, whole or not at all, and never in the way of anything."""

from __future__ import annotations

import json

import pytest

from ssrvae_core.config import UserError, run_config
from ssrvae_core.runs import Run, Status
from ssrvae_core.runs.about import ABOUT, LONGEST_NAME, LONGEST_NOTE, About, read_about, write_about


@pytest.fixture
def run(tmp_path):
    config = run_config(preset="teaching")
    path = tmp_path / config.run_id
    path.mkdir()
    return Run(config.run_id, path, config, Status())


def test_a_name_and_a_note_are_kept_and_removed_again(run):
    assert run.about == About()
    write_about(run, "  gold \n rods ", "first line\nsecond\n")
    assert run.about == About(name="gold rods", note="first line\nsecond")
    write_about(run, " ", "")
    assert run.about == About() and not (run.path / ABOUT).exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'{"name": 3}', b"\xff\xfe", json.dumps({"name": "x" * 1000}).encode()],
)
def test_a_damaged_file_is_no_name(run, content):
    (run.path / ABOUT).write_bytes(content)
    assert read_about(run.path) == About()


@pytest.mark.parametrize(("name", "note"), [("x" * (LONGEST_NAME + 1), ""), ("", "y" * (LONGEST_NOTE + 1))])
def test_what_is_too_long_is_refused_in_a_sentence_and_changes_nothing(run, name, note):
    write_about(run, "before", "")
    with pytest.raises(UserError, match="characters"):
        write_about(run, name, note)
    assert run.about.name == "before"


def test_a_viewer_names_nothing(run, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    with pytest.raises(UserError, match="read-only"):
        write_about(run, "mine", "")
    assert run.about == About()
