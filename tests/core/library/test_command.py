"""``python -m ssrvae_core library``: shows, corrects, exports and trains again."""

import json
import zipfile

import pandas as pd
import pytest

from ssrvae_core.library import Journal, Origin
from ssrvae_core.library.exports.pictures import members
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.jobs import JobQueue


@pytest.fixture
def asked(run, result_of):
    """Run ``library`` on the run with ``--json``."""

    def ask(*options):
        return result_of("library", run.id, "--store", run.path.parent, "--who", "Ada", *options)

    return ask


def test_classes_with_counts_and_intervals(asked, particles):
    shown = asked()
    assert [one["name"] for one in shown["classes"]] == ["cubes", "spheres", "rods"]
    assert sum(one["count"] for one in shown["classes"]) == shown["particles"] == len(particles)
    assert all(one["low"] <= one["fraction"] <= one["high"] for one in shown["classes"])
    assert (
        shown["none"] == 0
        and shown["outliers"]["threshold"] is None
        and shown["confusion_known_from"] == 10
        and not shown["left_out"]
    )


def test_corrections_and_who_made_them(asked, run):
    library = Journal(run).read()
    first, second = library.base.ids[library.origin == Origin.MODEL][:2]
    assert asked("--move", f"{first},{second}", "--to", "RODS")["entries"] == 1
    assert {first, second} <= set(Journal(run).read().members(2))
    asked("--move", first, "--to", "none of these")
    asked("--split", second, "--to", "long rods")
    asked("--rename", "cubes", "--to", "blocks")
    shown = asked("--merge", "long rods", "--to", "rods")
    assert [one["name"] for one in shown["classes"]] == ["blocks", "spheres", "rods"] and shown["none"] == 1
    assert asked("--undo")["entries"] == 6 and "long rods" in Journal(run).read().names.values()
    asked("--redo")
    shown = asked("--false-alarms", 0.2)
    assert shown["outliers"]["threshold"] > 0 and shown["outliers"]["false_alarms"]["n"] == 10
    assert asked("--no-threshold")["outliers"]["threshold"] is None
    history = asked("--history")
    assert len(history) == 9 and {entry["who"] for entry in history} == {"Ada"}


def test_an_export_holds_exactly_what_is_asked_for(asked, run, tmp_path):
    library = Journal(run).read()
    members = library.members(1)
    assert asked("--export", tmp_path / "a.csv", "--class", "spheres")["particles"] == len(members)
    assert pd.read_csv(tmp_path / "a.csv")["id"].tolist() == members.tolist()
    chosen = f"{members[0]},{members[1]},{library.members(0)[0]}"
    assert asked("--export", tmp_path / "b.parquet", "--class", "spheres", "--ids", chosen)["particles"] == 2
    assert pd.read_parquet(tmp_path / "b.parquet")["id"].tolist() == members[:2].tolist()


def test_pictures_are_exported_and_a_training_is_queued(tmp_path, store, result_of, run_cli):
    from ssrvae_core.data import file_dataset, read_images
    from tests.core.library.test_train_again import _npz, _trained, particles_of

    run = _trained(store, file_dataset(_npz(tmp_path)))
    particles = particles_of(run)
    head = ("library", run.id, "--store", store.root)
    for name in ("a.zip", "a.npz", "a.html"):
        assert result_of(*head, "--export", tmp_path / name, "--upright")["particles"] == len(particles)
    assert len(members(zipfile.ZipFile(tmp_path / "a.zip").namelist())) == len(particles)
    assert (read_images(tmp_path / "a.npz").labels >= 0).sum() == (particles.part != 1).sum()
    assert result_of(*head, "--export", tmp_path / "b.npz", "--model-labels")["particles"] == len(particles)
    assert (read_images(tmp_path / "b.npz").labels >= 0).all()
    free = particles.ids[particles.part == 1][0]
    result_of(*head, "--move", free, "--to", "discs")
    queue = RunStore(store.root)
    job = result_of(*head, "--train-again", "--device", "cpu")
    try:
        assert job["kind"] == "train" and job["state"] in ("queued", "running", "finished")
    finally:
        JobQueue(queue).cancel(job["id"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--move", "1", "--to", "cubes"), "no particle 1"),
        (("--move", "10", "--to", "stars"), "no class 'stars'"),
        (("--move", "x", "--to", "cubes"), "not a list of sample ids"),
        (("--move", "10"), "--to"),
        (("--split", "10"), "--to"),
        (("--merge", "cubes", "--to", "none of these"), "not a class"),
        (("--merge", "none of these", "--to", "cubes"), "not a class"),
        (("--rename", "none of these", "--to", "x"), "not a class"),
        (("--rename", "cubes", "--to", "rods"), "^Error: There is a class 'rods' already"),
        (("--threshold", "nan"), "not a finite number"),
        (("--to", "cubes"), "--to does nothing"),
        (("--upright",), "do nothing|does nothing"),
        (("--model-labels",), "does nothing without --export"),
        (("--model-labels", "--export", "a.csv"), "does nothing for a.csv"),
        (("--undo", "--redo"), "one of them at a time"),
        (("--undo",), "nothing to undo"),
        (("--export", "a.doc"), "end its name in"),
        (("--export", "a.zip"), "is not here"),
        (("--false-alarms", "0.001"), "too few"),
        (("--train-again",), "[Nn]othing was corrected"),
    ],
)
def test_what_is_wrong_is_one_sentence(run, complaint_of, tmp_path, monkeypatch, options, told):
    monkeypatch.chdir(tmp_path)
    import re

    assert re.search(told, complaint_of("library", run.id, "--store", run.path.parent, *options))


def test_a_run_without_particles_and_a_viewer_are_told(run, complaint_of, run_cli, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    assert "read-only" in complaint_of("library", run.id, "--store", run.path.parent, "--rename", "cubes", "--to", "x")
    code, out, _ = run_cli("library", run.id, "--store", run.path.parent, "--json")
    assert code == 0 and json.loads(out.splitlines()[-1])["id"] == run.id
    (run.path / "particles.npz").unlink()
    assert "--all" in complaint_of("library", run.id, "--store", run.path.parent)
