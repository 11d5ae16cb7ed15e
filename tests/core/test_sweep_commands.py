import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ssrvae_core.cli import sweeps as cli
from ssrvae_core.config import UserError
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.sweep import Progress, Sweep, SweepSpec, read_spec
from ssrvae_core.runs.sweep_table import LOCK, sweep_path, write_progress
from ssrvae_core.runs.sweep_work import Event

EXAMPLE = Path(__file__).parents[2] / "examples" / "sweep.yaml"


@pytest.fixture
def progress(tiny_settings, store):
    """A sweep of two models and two seeds that has not begun."""
    spec = SweepSpec(data="cards-b2", models=["ss-vae", "ss-rvae"], labelled_ratios=0.25, seeds=(0, 1))
    return Progress(spec.model_copy(update={"settings": tiny_settings}).tasks(), store)


def test_the_live_table_shows_what_is_under_way_and_how_long_it_takes(progress):
    progress.record(0, Event(0, "running", 2, 0.5))
    progress.record(2, Event(2, "failed", error="It went wrong."))
    view = cli._View()
    view.look(progress)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(view)
    shown = console.export_text()
    assert "2/4" in shown and "1/2" in shown
    assert "0 of 4 finished, 1 failed" in shown and "to go" in shown


def test_the_remaining_time_is_that_of_the_epochs_left(progress, monkeypatch):
    assert progress.eta is None
    progress.record(0, Event(0, "running", 4))
    monkeypatch.setattr(Progress, "seconds", 10.0)
    assert progress.eta == pytest.approx(30.0)


def test_rivals_count_from_when_it_is_known_what_they_take(tiny_settings, store, monkeypatch):
    spec = SweepSpec(data="cards-b2", models="ss-rvae", seeds=(0, 1), rivals="knn", settings=tiny_settings)
    progress = Progress(spec.tasks(), store)
    monkeypatch.setattr(Progress, "seconds", 10.0)
    progress.record(2, Event(2, "finished"))
    assert progress.eta is None
    progress.record(0, Event(0, "finished"))
    assert progress.eta == pytest.approx(10.0)
    progress.rows[0]["seconds"], progress.rows[2]["seconds"] = 2.0, 6.0
    assert progress.eta == pytest.approx(10.0)
    progress.record(1, Event(1, "running", 2))
    assert progress.eta == pytest.approx(10 * (1 + 6) / (2 + 6 + 1))


def test_what_failed_says_nothing_of_the_pace(progress, monkeypatch):
    monkeypatch.setattr(Progress, "seconds", 10.0)
    progress.record(0, Event(0, "failed", error="It went wrong."))
    assert progress.eta is None


def test_a_log_gets_a_line_a_run(progress, capsys):
    view = cli._View()
    progress.record(0, Event(0, "running", 1))
    view.log(progress)
    assert capsys.readouterr().err == ""
    progress.record(0, Event(0, "failed", error="It went wrong."))
    view.log(progress)
    said = capsys.readouterr().err
    assert said.startswith("ss-vae on cards") and ", 25 % labelled, seed 0: It went wrong. (1/4" in said


def test_workers_here_and_on_a_cluster_are_not_asked_for_at_once(complaint_of):
    assert "give one of them" in complaint_of("sweep", EXAMPLE, "--workers", 2, "--scheduler", "tcp://host:8786")


@pytest.mark.parametrize("address", ["nonsense", "host:8786", "tcp://host", "tcp://:8786", "tcp://host:x", "a://b:1"])
def test_a_scheduler_without_an_address_is_a_sentence_at_once(complaint_of, tmp_path, address):
    command = ("sweep", EXAMPLE, "--scheduler", address, "--store", tmp_path / "runs")
    assert f"'{address}' is not an address of a Dask scheduler" in complaint_of(*command)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["~nosuchuser/x.npz", "x" * 300, "a\0b"])
def test_a_name_no_file_can_have_is_a_sentence(complaint_of, tmp_path, name):
    spec = tmp_path / "sweep.yaml"
    spec.write_text(json.dumps({"data": [name]}))
    for command in (("sweep", spec), ("train", "--data", name)):
        assert "There is no file" in complaint_of(*command, "--store", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("seeds: [99999999999999999999999]", "is not a seed; write 0 to"), ("[" * 3000, "too deeply")],
)
def test_an_exotic_specification_is_a_sentence(complaint_of, tmp_path, text, sentence):
    (tmp_path / "sweep.yaml").write_text(text)
    assert sentence in complaint_of("sweep", tmp_path / "sweep.yaml", "--store", tmp_path / "runs")


def test_an_encrypted_scheduler_without_certificates_is_a_sentence_at_once(complaint_of, tmp_path):
    command = ("sweep", EXAMPLE, "--scheduler", "tls://127.0.0.1:8786", "--store", tmp_path / "runs")
    assert "'tls://127.0.0.1:8786' needs certificates" in complaint_of(*command)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"view": "mask"}, "mask"),
        ({"by_group": True}, "no groups"),
        ({"labels_per_class": [5, 1000], "seeds": [0, 1]}, "1,000 labels per class"),
    ],
)
def test_a_file_that_is_not_fit_for_the_sweep_is_refused_before_it_starts(complaint_of, tmp_path, asked, sentence):
    np.savez(
        tmp_path / "cells.npz",
        images=np.arange(40 * 256, dtype=np.uint16).reshape(40, 16, 16),
        labels=np.arange(40) % 2,
    )
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps({"data": "cells.npz", **asked}))
    complaint = complaint_of("sweep", path, "--store", tmp_path / "runs")
    assert sentence in complaint and "cells.npz" in complaint
    assert not (tmp_path / "runs").exists()


def test_a_viewer_trains_nothing(complaint_of, tiny_options, monkeypatch, tmp_path):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    for command in (("sweep", EXAMPLE), ("train", *tiny_options)):
        assert "read-only" in complaint_of(*command, "--store", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_sweep_at_work_is_not_begun_again_and_one_whose_process_is_gone_is_interrupted(
    complaint_of, result_of, progress, tmp_path
):
    store = RunStore(tmp_path / "runs")
    path = sweep_path(store, read_spec(EXAMPLE).sweep_id)
    with locked(path / LOCK, wait=False):
        write_progress(path, progress.as_json("running"))
        assert "Another process is at work on sweep" in complaint_of("sweep", EXAMPLE, "--store", store.root)
        assert [status["state"] for status in result_of("sweeps", "--store", store.root)] == ["running"]
    assert [status["state"] for status in result_of("sweeps", "--store", store.root)] == ["interrupted"]


def test_ctrl_c_promises_no_checkpoint_of_a_cluster(run_cli, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_sweep", interrupt)
    code, _, err = run_cli("sweep", EXAMPLE, "--scheduler", "tcp://host:8786", "--store", tmp_path)
    assert code == 130
    assert "from the start" in err and "checkpoint" not in err


@pytest.mark.parametrize(("n", "sentence"), [(1, "failed: It is so."), (3, "failed: It is so; 2 more failed, see ")])
def test_failures_are_one_sentence(n, sentence, tmp_path):
    row = {"model": "ss-vae", "data": "cells", "seed": 0, "state": "failed", "error": "It is so."}
    with pytest.raises(UserError) as caught:
        cli.complain(Sweep("0" * 12, tmp_path, [row] * n, {}))
    assert sentence in str(caught.value) and str(caught.value).endswith(".")


def test_an_unavailable_device_leaves_the_store_untouched(complaint_of, tmp_path):
    assert "'cuda:77' is not available" in complaint_of(
        "sweep", EXAMPLE, "--device", "cuda:77", "--store", tmp_path / "runs"
    )
    assert not (tmp_path / "runs").exists()


def test_an_empty_store_has_no_sweeps(run_cli, result_of, tmp_path):
    assert "no sweeps" in run_cli("sweeps", "--store", tmp_path)[1]
    assert result_of("sweeps", "--store", tmp_path) == []


def test_the_example_runs_and_is_not_trained_again(work_here, result_of, run_cli, tmp_path):
    store = ("--store", tmp_path)
    result = result_of("sweep", EXAMPLE, "--workers", 1, *store)
    assert result["state"] == "finished"
    assert {row["model"] for row in result["rows"]} == {"ss-vae", "ss-rvae", "knn"}
    assert {path.name for path in Path(result["path"]).iterdir()} >= {"table.csv", "table.parquet", "summary.json"}
    code, out, err = run_cli("sweep", EXAMPLE, *store)
    assert (code, err) == (0, "")
    assert "Validation accuracy" in out
    assert [status["id"] for status in result_of("sweeps", *store)] == [result["id"]]


def test_a_failed_run_is_an_error_after_the_table(work_here, run_cli, tiny_settings, tmp_path):
    spec = {"data": "cards-b2", "labels_per_class": [5, 500], "settings": tiny_settings | {"training.epochs": 1}}
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps(spec))
    code, out, err = run_cli("sweep", path, "--json", "--store", tmp_path / "runs")
    assert code == 2
    assert json.loads(out.splitlines()[-1])["state"] == "failed"
    assert "Error: ss-rvae on cards (changed), seed 0, failed: 500 labels per class" in err.splitlines()[-1]
