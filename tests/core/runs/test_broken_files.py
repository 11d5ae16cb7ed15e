"""A file of the store that holds anything at all is named as broken, and nothing else is hidden by it."""

import json
import shutil

import pytest

from ssrvae_core.config import UserError
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.comparison import RESULT, RIVALS_DIRECTORY, list_rivals
from ssrvae_core.runs.job import JOBS, read_job
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.sweep_table import (
    STATUS,
    SUMMARY,
    SWEEPS,
    earlier_seconds,
    read_progress,
    read_sweep,
    scan_sweeps,
    sweeps,
)
from ssrvae_core.runs.uploads import FOLDER, label_upload, uploads
from ui.overview import runs_table
from ui.runs import finished as pages_show

DAMAGE = {
    "an empty object": "{}",
    "a list": "[]",
    "null": "null",
    "a number": "3",
    "a text": '"status"',
    "no JSON": "{",
    "nothing": "",
    "too deep": "[" * 100_000,
    "not text": b"\xff\xfe\x00",
}
GOOD = {
    "id": "a" * 12,
    "state": "finished",
    "tasks": 2,
    "finished": 2,
    "failed": 0,
    "running": 0,
    "seconds": 1.0,
    "eta_seconds": None,
    "updated": 1.7e9,
}


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def damaged_sweeps(store):
    """One sweep that is whole, and one for each kind of damage."""
    put(store.root / SWEEPS / GOOD["id"] / STATUS, json.dumps(GOOD))
    wrong = [GOOD | {name: "x"} for name in ("tasks", "finished", "failed", "seconds", "updated")]
    wrong += [GOOD | {"updated": 1e300}, GOOD | {"tasks": -1}, GOOD | {"state": None}]
    for number, content in enumerate([*DAMAGE.values(), *map(json.dumps, wrong), '{"updated": NaN}']):
        put(store.root / SWEEPS / f"{number:012x}" / STATUS, content)
    return number + 1


def test_a_broken_sweep_is_listed_with_the_reason_beside_the_others(store, run_cli, result_of):
    n = damaged_sweeps(store)
    found, broken = scan_sweeps(store)
    assert [status["id"] for status in found] == [GOOD["id"]] == [status["id"] for status in sweeps(store)]
    assert len(broken) == n
    for lost in broken:
        assert lost.id in lost.reason
        assert STATUS in lost.reason
        assert ". " not in lost.reason
    code, out, err = run_cli("sweeps", "--store", store.root)
    assert code == 0
    assert out.count("broken") == n
    assert GOOD["id"] in out
    assert err.count("is broken") == n
    rows = result_of("sweeps", "--store", store.root)
    assert [row["state"] for row in rows] == ["finished"] + ["broken"] * n
    assert all(row["error"] for row in rows[1:])


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_summary_stops_neither_a_new_session_nor_its_reader(damage, store):
    path = store.root / SWEEPS / ("b" * 12)
    put(path / SUMMARY, DAMAGE[damage])
    put(path / "table.csv", "run_id\n")
    assert earlier_seconds(path) == 0
    with pytest.raises(UserError, match="b" * 12):
        read_sweep(store, "b" * 12)
    with pytest.raises(UserError, match=STATUS):
        read_progress(store, "b" * 12)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_job_with_a_broken_file_has_failed_and_says_why(damage, store, run_cli):
    put(store.root / JOBS / ("c" * 12) / "status.json", DAMAGE[damage])
    (job,) = JobQueue(store).list()
    assert (job.state, job.id) == ("failed", "c" * 12)
    assert "status.json" in job.error
    assert run_cli("jobs", "--store", store.root)[0] == 0
    assert run_cli("jobs", "c" * 12, "--store", store.root)[0] == 0


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_job_of_a_broken_sweep_or_run_is_listed(damage, store):
    record = {"kind": "sweep", "title": "a sweep", "state": "failed", "created": 1e300, "queued": 1.0, "error": "x."}
    for job_id, kind in (("d" * 12, "sweep"), ("e" * 12, "train")):
        put(store.root / JOBS / job_id / "status.json", json.dumps(record | {"kind": kind}))
        put(store.root / JOBS / job_id / "task.json", DAMAGE[damage])
    put(store.root / SWEEPS / ("d" * 12) / STATUS, DAMAGE[damage])
    put(store.root / ("e" * 12) / directory.STATUS, DAMAGE[damage])
    assert [read_job(store, job_id).done for job_id in ("d" * 12, "e" * 12)] == [0, 0]


def test_times_that_no_calendar_has_are_unknown(store, run_cli):
    record = {"kind": "train", "title": "a run", "state": "failed", "created": 1e300, "queued": -1e300, "error": "x."}
    put(store.root / JOBS / ("f" * 12) / "status.json", json.dumps(record))
    code, out, _ = run_cli("jobs", "f" * 12, "--store", store.root)
    assert code == 0
    assert "unknown" in out


@pytest.mark.parametrize(
    "content",
    [
        *DAMAGE.values(),
        '{"updated": 1e300}',
        '{"seconds": NaN}',
        '{"seconds": "long"}',
        '{"epoch": -1}',
        '{"validation": [1]}',
        '{"state": "finished"}',
        '{"state": "finished", "class_names": ["a"], "validation": {"accuracy": "high"}}',
        '{"state": "finished", "class_names": ["a"], "validation": {"accuracy": {}}}',
    ],
)
def test_a_run_whose_status_says_anything_is_listed(content, finished, tmp_path, run_cli):
    store = RunStore(tmp_path / "copy")
    shutil.copytree(finished.path, store.path(finished.id))
    put(store.path(finished.id) / directory.STATUS, content)
    runs, broken = store.scan()
    assert len(runs) + len(broken) == 1
    assert all(directory.STATUS in lost.reason for lost in broken)
    runs_table(runs, broken)
    assert run_cli("list", "--store", store.root)[0] == 0
    if runs:
        assert content in ("{}", '{"state": "finished"}')
        assert pages_show(runs) == []
        assert run_cli("show", finished.id, "--store", store.root)[0] == 0


@pytest.mark.parametrize("line", ["{}", "[]", "null", "3", '{"epoch": "one"}', "[" * 10**5, '{"epoch": 1}'])
def test_a_line_of_the_metrics_that_is_no_epoch_is_named(line, finished, tmp_path):
    store = RunStore(tmp_path / "copy")
    shutil.copytree(finished.path, store.path(finished.id))
    with (store.path(finished.id) / directory.METRICS).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl"):
        store.get(finished.id).metrics()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_result_of_a_method_hides_no_other(damage, store):
    put(store.root / RIVALS_DIRECTORY / ("a" * 12) / RESULT, DAMAGE[damage])
    assert list_rivals(store) == []


@pytest.mark.parametrize("damage", [*DAMAGE, "no name"])
def test_an_upload_with_a_broken_label_goes_by_its_beginning_and_gets_a_new_one(damage, store):
    path = store.root / FOLDER / f"{'a' * 64}.npz"
    put(path, "")
    put(path.with_suffix(".json"), DAMAGE.get(damage, '{"name": 5}'))
    assert [upload.name for upload in uploads(store.root)] == [f"{'a' * 12}.npz"]
    assert not uploads(store.root)[0].has_content("b" * 64)
    assert label_upload(path, "mine.npz") == "mine.npz"
    assert [upload.name for upload in uploads(store.root)] == ["mine.npz"]
