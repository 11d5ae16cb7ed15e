"""A real scheduler and worker processes on loopback."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.cluster import _collect, place
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.sweep import SweepSpec, run_sweep, sweeps
from ssrvae_core.runs.sweep_task import Task

ROOT = Path(__file__).parents[3]


class Cluster:
    """A scheduler and workers that share nothing with the test but the loopback device."""

    def __init__(self, folder):
        self.folder, self.scheduler, self.workers = folder, None, []

    def ready(self):
        """Have a scheduler and a worker, those that are there already if they live."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            self.stop()
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.address = f"tcp://127.0.0.1:{self.port}"
            self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port))
        if all(worker.poll() is not None for worker in self.workers):
            self.add_worker()

    def add_worker(self):
        place = self.folder / f"worker-{len(self.workers)}"
        options = ["--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--local-directory", str(place)]
        self.workers.append(self._start("dask_worker", self.address, *options))

    def lose_worker(self):
        """Kill all workers that live, and start another."""
        for worker in self.workers:
            worker.kill()
        self.add_worker()

    def stop(self):
        for process in (*self.workers, self.scheduler):
            if process is not None:
                process.kill()
                process.wait()

    def _start(self, module, *options):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with (self.folder / f"{module}.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *options, "--no-dashboard"],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
            )


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(shared_cluster):
    """A cluster with a scheduler and a worker; the tests share them, as they take seconds to start."""
    shared_cluster.ready()
    return shared_cluster


@pytest.fixture
def spec(tiny_settings, tmp_path):
    """Two runs and a rival on the images of a file."""
    rng = np.random.default_rng(0)
    path = tmp_path / "images.npz"
    np.savez(path, images=rng.integers(0, 255, (40, 16, 16), dtype=np.uint8), labels=np.arange(40) % 2)
    settings = {name: value for name, value in tiny_settings.items() if not name.startswith("dataset.")}
    settings |= {"training.epochs": 12}
    return SweepSpec(data=str(path), labels_per_class=5, seeds=(0, 1), rivals="knn", settings=settings)


@pytest.mark.slow
def test_a_lost_worker_costs_no_run_and_the_results_come_back(cluster, spec, store):
    """One worker is killed while it trains; another, without the file of the images, takes over."""
    seen = []

    def kill_once(progress):
        if max(progress.epochs) >= 2 and not seen:
            seen.append(max(progress.epochs))
            cluster.lose_worker()

    sweep = run_sweep(spec, store, scheduler=cluster.address, on_progress=kill_once)
    assert seen and seen[0] < 12
    assert [row["state"] for row in sweep.rows] == ["finished"] * 4
    for row in sweep.rows[:2]:
        run = store.get(row["run_id"])
        assert [line["epoch"] for line in run.metrics()] == list(range(1, 13))
        assert (run.path / directory.WEIGHTS).exists() and len(run.predictions()) == run.status.validation["n"]
    assert run_sweep(spec, store, scheduler="tcp://127.0.0.1:1").rows == sweep.rows


@pytest.mark.slow
def test_a_cluster_that_is_told_to_stop_drops_its_work(cluster, spec, store):
    begun = []

    def look(progress):
        begun.append(progress.count("running"))

    sweep = run_sweep(
        spec.model_copy(update={"rivals": ()}),
        store,
        scheduler=cluster.address,
        on_progress=look,
        should_stop=lambda: begun[-1] > 0,
    )
    assert sweep.summary["state"] == "cancelled"
    assert not store.runs()


@pytest.mark.slow
def test_a_scheduler_that_dies_is_one_sentence(cluster, spec, store, tmp_path):
    path = tmp_path / "sweep.yaml"
    long = {"rivals": ("cnn",), "settings": spec.settings | {"training.epochs": 1000}}
    path.write_text(spec.model_copy(update=long).model_dump_json())
    options = ["--scheduler", cluster.address, "--store", str(store.root)]
    command = [sys.executable, "-m", "ssrvae_core", "sweep", str(path), *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        while not any(status["running"] for status in sweeps(store)):
            assert process.poll() is None
            time.sleep(0.05)
        cluster.scheduler.kill()
        *progress, last = process.communicate()[1].splitlines()
    cluster.stop()  # a worker without a scheduler would train on
    assert process.returncode == 2
    assert last.startswith("Error: The scheduler") and "goes on with what is missing" in last
    assert all("accuracy" in line for line in progress)


def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch, spec, store):
    monkeypatch.setattr("ssrvae_core.runs.cluster.CONNECT", 0.2)
    with pytest.raises(UserError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        run_sweep(spec, store, scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize("name", ["../outside", "folder/file", "/absolute", ".hidden", "..", "lock"])
def test_a_worker_cannot_write_beside_its_run(tmp_path, name):
    with pytest.raises(UserError, match="do not trust it"):
        place(tmp_path / "store" / "run", {name: b""})
    assert not list(tmp_path.iterdir())


def test_a_result_is_placed_whole_and_replaces_what_was_begun(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / directory.CHECKPOINT).touch()
    assert place(path, {directory.CONFIG: b"{}"})
    assert {file.name for file in path.iterdir()} == {directory.CONFIG, directory.LOCK}
    assert list(tmp_path.iterdir()) == [path]


def test_what_says_that_a_result_is_there_comes_last(tmp_path, monkeypatch):
    path = tmp_path / "run"
    placed, really = [], os.replace

    def replace(source, target):
        really(source, target)
        if target.parent == path:
            placed.append(target.name)

    monkeypatch.setattr(os, "replace", replace)
    assert place(path, {directory.STATUS: b"{}", directory.CONFIG: b"{}", directory.WEIGHTS: b""})
    assert placed == [directory.CONFIG, directory.WEIGHTS, directory.STATUS]


def test_a_result_is_placed_while_others_wait_for_its_place(tmp_path):
    path, ended, failed = tmp_path / "run", threading.Event(), []

    def wait():
        while not ended.is_set():
            try:
                with locked(path / directory.LOCK, wait=True):
                    pass
            except OSError as error:
                failed.append(error)

    others = [threading.Thread(target=wait) for _ in range(2)]
    for other in others:
        other.start()
    try:
        placed = [place(path, {directory.CONFIG: b"{}"}) for _ in range(200)]
    finally:
        ended.set()
        for other in others:
            other.join()
    assert any(placed) and not failed
    assert {file.name for file in path.iterdir()} == {directory.CONFIG, directory.LOCK}
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_that_is_trained_here_as_well_is_left_alone(tmp_path):
    path = tmp_path / "run"
    with locked(path / directory.LOCK, wait=False):
        assert not place(path, {directory.CONFIG: b"{}"})
    assert [file.name for file in path.iterdir()] == [directory.LOCK]
    assert list(tmp_path.iterdir()) == [path]


class Returned:
    """A future whose worker has answered."""

    status = "finished"

    def __init__(self, *answer):
        self.answer = answer

    def cancelled(self):
        return False

    def result(self):
        return self.answer


def test_what_failed_on_a_worker_leaves_the_checkpoint_that_is_here(store, tiny_config):
    task = Task(tiny_config(), "cards", "ss-rvae")
    path = store.path(task.id)
    path.mkdir(parents=True)
    (path / directory.CHECKPOINT).write_bytes(b"900 epochs")
    event = _collect(0, Returned("failed", "It diverged.", {directory.CONFIG: b"{}"}), task, store, "tcp://there")
    assert (event.state, event.error) == ("failed", "It diverged.")
    assert (path / directory.CHECKPOINT).read_bytes() == b"900 epochs"


def test_a_result_for_which_there_is_no_place_has_not_finished(store, tiny_config):
    task = Task(tiny_config(), "cards", "ss-rvae")
    with locked(store.path(task.id) / directory.LOCK, wait=False):
        event = _collect(0, Returned("finished", None, {directory.CONFIG: b"{}"}), task, store, "tcp://there")
    assert event.state == "failed" and "at work on it" in event.error
