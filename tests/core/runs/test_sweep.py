import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.runs import RunStore, pool
from ssrvae_core.runs.sweep import SweepSpec, read_sweep, run_sweep, sweeps

MODELS = ("ss-vae", "ss-rvae")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spec(tiny_settings):
    """Two models, two seeds, and a rival."""
    settings = tiny_settings | {"training.epochs": 2}
    return SweepSpec(data="cards-b2", models=MODELS, labels_per_class=5, seeds=(0, 1), rivals="knn", settings=settings)


@pytest.fixture(scope="module")
def swept(spec, tmp_path_factory):
    """A finished sweep and its store. They are shared: read them, do not change them."""
    store = RunStore(tmp_path_factory.mktemp("swept"))
    return run_sweep(spec, store, workers=2, device="cpu"), store


@pytest.fixture
def long(tiny_settings):
    """One run of many epochs."""
    return SweepSpec(data="cards-b2", labels_per_class=5, settings=tiny_settings | {"training.epochs": 30})


def modified(store, rows):
    return {row["run_id"]: (store.get(row["run_id"]).path / "status.json").stat().st_mtime_ns for row in rows}


def of_models(rows):
    return [row for row in rows if row["model"] in MODELS]


def assert_whole(run, epochs):
    assert run.status.state == "finished"
    assert [line["epoch"] for line in run.metrics()] == list(range(1, epochs + 1))


def test_every_run_is_a_row_with_its_results(swept):
    sweep, store = swept
    assert sweep.summary["state"] == "finished"
    assert [(row["model"], row["seed"], row["state"], row["n_labelled"]) for row in sweep.rows] == [
        (model, seed, "finished", 20) for model in (*MODELS, "knn") for seed in (0, 1)
    ]
    for row in of_models(sweep.rows):
        status = store.get(row["run_id"]).status
        assert {name: status.validation[name] for name in ("accuracy", "nll", "ece")}.items() <= row.items()
        assert row["seconds"] == status.seconds


def test_the_tables_hold_the_rows(swept):
    sweep, store = swept
    assert read_sweep(store, sweep.id) == sweep
    parquet = pd.read_parquet(sweep.path / "table.parquet")
    with (sweep.path / "table.csv").open(newline="") as file:
        assert next(iter(csv.reader(file))) == list(parquet.columns) == list(sweep.rows[0])
    assert parquet["accuracy"].tolist() == [row["accuracy"] for row in sweep.rows]
    assert parquet["labelled_ratio"].isna().all()
    assert str(parquet["labels_per_class"].dtype) == "Int64"


def test_the_summary_is_mean_sd_and_worst_over_seeds(swept):
    sweep, _ = swept
    assert json.loads((sweep.path / "summary.json").read_text()) == sweep.summary
    group = sweep.summary["groups"][1]
    assert (group["model"], group["labels_per_class"], group["seeds"], group["failed"]) == ("ss-rvae", 5, [0, 1], 0)
    for name, worst in (("accuracy", min), ("nll", max)):
        values = [row[name] for row in sweep.rows if row["model"] == "ss-rvae"]
        expected = {"mean": statistics.mean(values), "sd": statistics.stdev(values), "worst": worst(values)}
        assert group[name] == pytest.approx(expected)


def test_a_sweep_is_listed_and_one_that_is_not_there_is_refused(swept):
    sweep, store = swept
    (status,) = sweeps(store)
    assert (status["id"], status["state"], status["finished"]) == (sweep.id, "finished", 6)
    with pytest.raises(UserError, match="no finished sweep"):
        read_sweep(store, "0" * 12)


def test_a_finished_sweep_starts_no_worker(swept, spec, monkeypatch):
    sweep, store = swept
    monkeypatch.setattr(pool, "run_on_pool", None)
    before = modified(store, of_models(sweep.rows))
    assert run_sweep(spec, store) == sweep
    assert modified(store, of_models(sweep.rows)) == before


def test_a_finished_sweep_needs_no_torch(swept, spec):
    _, store = swept
    script = (
        "import sys\nfrom ssrvae_core.runs import RunStore\nfrom ssrvae_core.runs.sweep import SweepSpec, run_sweep\n"
        "run_sweep(SweepSpec.model_validate_json(sys.argv[1]), RunStore(sys.argv[2]))\nprint('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script, spec.model_dump_json(), str(store.root)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_one_failure_does_not_stop_the_others_and_only_what_is_missing_is_trained(work_here, tiny_settings, store):
    settings = tiny_settings | {"training.epochs": 1}
    spec = SweepSpec(data="cards-b2", labels_per_class=(500, 5), settings=settings)
    failed, finished = run_sweep(spec, store, device="cpu").rows
    assert (failed["state"], finished["state"]) == ("failed", "finished")
    assert "500 labels per class are asked for" in failed["error"]
    before = modified(store, [finished])
    more = spec.model_copy(update={"labels_per_class": (5, 2)})
    sweep = run_sweep(more, store, device="cpu")
    assert [row["state"] for row in sweep.rows] == ["finished", "finished"]
    assert modified(store, [finished]) == before


def test_a_killed_workers_run_goes_on_from_its_checkpoint_and_a_stop_loses_nothing(long, store, request):
    killed, states = [], []

    def kill_once(progress):
        states.append(progress.rows[0]["state"])
        if progress.epochs[0] >= 3 and not killed:
            (run,) = store.runs()
            killed.append(run.status.pid)
            os.kill(run.status.pid, signal.SIGKILL)

    def another_got_on():
        status = store.runs()[0].status if killed else None
        return status is not None and status.pid != killed[0] and status.epoch >= 6

    stopped = run_sweep(long, store, workers=1, device="cpu", on_progress=kill_once, should_stop=another_got_on)
    assert killed and states.index("queued", states.index("running"))
    assert stopped.summary["state"] == "cancelled"
    assert [row["state"] for row in stopped.rows] == ["interrupted"]
    (run,) = store.runs()
    assert 6 <= run.status.epoch < 30
    request.getfixturevalue("work_here")  # instead of a third worker
    assert run_sweep(long, store, device="cpu").summary["state"] == "finished"
    assert_whole(store.get(run.id), 30)
    begun = [int(line.split()[-1]) for line in (run.path / "log.txt").read_text().splitlines() if "from epoch" in line]
    assert begun[0] == 1 and begun[1] > 3 and run.status.epoch + 1 in begun[2:]


def test_a_run_that_costs_every_worker_its_life_is_given_up(long, store, monkeypatch):
    monkeypatch.setattr(pool, "TRIES", 1)

    def kill(progress):
        if progress.rows[0]["state"] == "running":
            os.kill(store.runs()[0].status.pid, signal.SIGKILL)

    (row,) = run_sweep(long, store, device="cpu", on_progress=kill).rows
    assert row["state"] == "failed"
    assert "SIGKILL" in row["error"] and "log.txt" in row["error"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_workers_too(tiny_settings, tmp_path, number):
    spec = {"data": "cards-b2", "labels_per_class": 5, "settings": tiny_settings | {"training.epochs": 2000}}
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps(spec))
    store = RunStore(tmp_path / "runs")
    command = [sys.executable, "-m", "ssrvae_core", "sweep", str(path), "--store", str(store.root)]

    def listen():
        signal.signal(number, signal.SIG_DFL)  # a shell that starts the tests in the background has them ignore SIGINT

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        while not (store.runs() and store.runs()[0].status.epoch):
            assert process.poll() is None
            time.sleep(0.1)
        worker = psutil.Process(store.runs()[0].status.pid)
        process.send_signal(number)
        assert "goes on from the last checkpoint" in process.communicate()[1]
        assert process.returncode == 130
    assert not worker.is_running()
    assert store.runs()[0].status.state == "interrupted"
    assert sweeps(store)[0]["state"] == "interrupted"


def test_a_killed_sweep_takes_its_workers_with_it_and_reads_as_interrupted(tiny_settings, tmp_path):
    spec = {"data": "cards-b2", "labels_per_class": 5, "settings": tiny_settings | {"training.epochs": 2000}}
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps(spec))
    store = RunStore(tmp_path / "runs")
    command = [sys.executable, "-m", "ssrvae_core", "sweep", str(path), "--store", str(store.root)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (store.runs() and store.runs()[0].status.epoch):
            assert process.poll() is None
            time.sleep(0.1)
        assert sweeps(store)[0]["state"] == "running"
        worker = psutil.Process(store.runs()[0].status.pid)
        process.kill()
    assert sweeps(store)[0]["state"] == "interrupted"
    psutil.wait_procs([worker], timeout=30)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert store.runs()[0].status.state == "interrupted"
