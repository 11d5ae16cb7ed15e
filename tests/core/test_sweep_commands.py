import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from ssrvae_core.cli import sweeps as cli
from ssrvae_core.runs.sweep import Progress, SweepSpec
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


def test_a_log_gets_a_line_a_run(progress, capsys):
    view = cli._View()
    progress.record(0, Event(0, "running", 1))
    view.log(progress)
    assert capsys.readouterr().err == ""
    progress.record(0, Event(0, "failed", error="It went wrong."))
    view.log(progress)
    assert capsys.readouterr().err.startswith("ss-vae on cards-b2, 0.25 labelled, seed 0: It went wrong. (1/4")


def test_workers_here_and_on_a_cluster_are_not_asked_for_at_once(complaint_of):
    assert "give one of them" in complaint_of("sweep", EXAMPLE, "--workers", 2, "--scheduler", "tcp://host:8786")


def test_an_unavailable_device_leaves_the_store_untouched(complaint_of, tmp_path):
    assert "'cuda:77' is not available" in complaint_of(
        "sweep", EXAMPLE, "--device", "cuda:77", "--store", tmp_path / "runs"
    )
    assert not (tmp_path / "runs").exists()


def test_an_empty_store_has_no_sweeps(run_cli, result_of, tmp_path):
    assert "no sweeps" in run_cli("sweeps", "--store", tmp_path)[1]
    assert result_of("sweeps", "--store", tmp_path) == []


@pytest.mark.slow
def test_the_example_runs_and_is_not_trained_again(result_of, run_cli, tmp_path):
    store = ("--store", tmp_path)
    result = result_of("sweep", EXAMPLE, "--workers", 1, *store)
    assert result["state"] == "finished"
    assert {row["model"] for row in result["rows"]} == {"ss-vae", "ss-rvae", "knn"}
    assert {path.name for path in Path(result["path"]).iterdir()} >= {"table.csv", "table.parquet", "summary.json"}
    code, out, err = run_cli("sweep", EXAMPLE, *store)
    assert (code, err) == (0, "")
    assert "Validation accuracy" in out
    assert [status["id"] for status in result_of("sweeps", *store)] == [result["id"]]


@pytest.mark.slow
def test_a_failed_run_is_an_error_after_the_table(run_cli, tiny_settings, tmp_path):
    spec = {"data": "cards-b2", "labels_per_class": [5, 500], "settings": tiny_settings | {"training.epochs": 1}}
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps(spec))
    code, out, err = run_cli("sweep", path, "--json", "--store", tmp_path / "runs")
    assert code == 2
    assert json.loads(out.splitlines()[-1])["state"] == "failed"
    assert "Error: ss-rvae on cards-b2, seed 0, failed: 500 labels a class" in err.splitlines()[-1]
