"""Kill -9 the worker, the dispatcher and the submitting server, again and again at random moments: nothing is lost."""

import json
import os
import random
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.jobs import JobQueue

PATIENCE = 120.0
COMMANDS = {"worker": "work", "dispatcher": "queue"}
ON_CI = {"worker": 12, "dispatcher": 19, "server": 19}
KILLS = ON_CI if os.environ.get("CI") else dict.fromkeys(ON_CI, 5)
"""How often each is killed: fifty times in all where every change is checked, and fifteen on a desk."""
EPOCHS = 30

SERVER = """
import sys, time
from pathlib import Path
from ssrvae_core.config import RunConfig
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.jobs import JobQueue
queue = JobQueue(RunStore(sys.argv[1]))
while True:
    wanted = [RunConfig.model_validate_json(line) for line in Path(sys.argv[2]).read_text().splitlines()]
    finished = {job.id for job in queue.list() if job.state == "finished"}
    for config in wanted:
        if config.run_id not in finished:
            queue.submit(config=config)
    time.sleep(0.05)
"""
"""Has every run done that a file asks for, again and again: an interrupted job is resumed by submitting it."""


class Chaos:
    """A store whose processes are killed, and as many runs to train as that takes."""

    def __init__(self, folder, tiny_config):
        self.queue = JobQueue(RunStore(folder / "runs"))
        self.wanted, self.errors = folder / "wanted.jsonl", (folder / "errors.txt").open("ab")
        self.configs, self.tiny_config = [], tiny_config
        self.random = random.Random(0)
        self.want_more()
        self.want_more()
        self.start_server()

    def want_more(self):
        self.configs.append(self.tiny_config(seed=len(self.configs), training__epochs=EPOCHS))
        text = "".join(config.model_dump_json() + "\n" for config in self.configs)
        self.wanted.with_suffix(".new").write_text(text)
        self.wanted.with_suffix(".new").rename(self.wanted)

    def start_server(self):
        command = [sys.executable, "-c", SERVER, str(self.queue.store.root), str(self.wanted)]
        self.server = subprocess.Popen(command, stdout=self.errors, stderr=self.errors)

    def processes(self, kind):
        """The living processes of this store that are a worker or a dispatcher."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if COMMANDS[kind] in line and str(self.queue.store.root) in line and process.is_running():
                found.append(process)
        return found

    def find(self, kind):
        """Wait for one, and give the store more to do where it has come to its end."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := self.processes(kind):
                return found[0]
            if {job.state for job in self.queue.list()} == {"finished"} and len(self.queue.list()) == len(self.configs):
                self.want_more()
            time.sleep(0.02)
        raise AssertionError(f"there is no {kind}, and the jobs are {self.queue.list()}")

    def kill_server(self):
        time.sleep(self.random.uniform(0, 0.8))
        assert self.server.poll() is None, Path(self.errors.name).read_text()
        self.server.kill()
        self.server.wait()
        self.start_server()

    def kill(self, kind):
        """Kill one while it starts up, or, every other worker, in the midst of its epochs."""
        while True:
            victim = self.find(kind)
            if kind == "worker" and self.random.random() < 0.5:
                self.wait_for_epochs(victim)
                time.sleep(self.random.uniform(0, 0.2))
            else:
                time.sleep(self.random.uniform(0, 2.0 if kind == "worker" else 0.6))
            try:
                if victim.status() != psutil.STATUS_ZOMBIE:
                    victim.kill()
                    return
            except psutil.NoSuchProcess:
                pass  # it has ended in peace: take the next

    def wait_for_epochs(self, worker):
        line = worker.info["cmdline"]
        path = self.queue.store.path(line[line.index(COMMANDS["worker"]) + 1])
        began = directory.read_status(path).epoch
        while worker.is_running() and directory.read_status(path).epoch == began:
            time.sleep(0.01)

    def let_finish(self):
        deadline = time.monotonic() + PATIENCE
        while {job.state for job in self.queue.list()} != {"finished"}:
            assert time.monotonic() < deadline, self.queue.list()
            time.sleep(0.1)

    @contextmanager
    def cleared_away(self):
        try:
            yield
        finally:
            self.server.kill()
            self.server.wait()
            for kind in ("dispatcher", "worker", "dispatcher"):  # a worker at its end may start a dispatcher
                for process in self.processes(kind):
                    process.kill()
            self.errors.close()


@pytest.mark.slow
def test_kills_at_any_moment_lose_nothing(tmp_path, tiny_config):
    chaos = Chaos(tmp_path, tiny_config)
    kinds = [kind for kind, times in KILLS.items() for _ in range(times)]
    chaos.random.shuffle(kinds)
    with chaos.cleared_away():
        for kind in kinds:
            chaos.kill_server() if kind == "server" else chaos.kill(kind)
        chaos.let_finish()
    store = chaos.queue.store
    assert [run.status.state for run in store.runs()] == ["finished"] * len(chaos.configs)
    assert not list(store.root.rglob("*.tmp"))
    reference = RunStore(tmp_path / "reference")
    for config in chaos.configs:
        assert_undisturbed(store.get(config.run_id), train_run(config, reference))
        assert_whole_lines(chaos.queue.get(config.run_id).path / "log.txt", r"20\S+Z \S.*")


def assert_undisturbed(run, reference):
    assert (run.path / directory.WEIGHTS).read_bytes() == (reference.path / directory.WEIGHTS).read_bytes()
    timed = {"seconds", "images_per_second", "peak_memory_mb"}
    kept, expected = (
        [{name: value for name, value in line.items() if name not in timed} for line in one.metrics()]
        for one in (run, reference)
    )
    assert kept == expected
    assert [line["epoch"] for line in kept] == list(range(1, EPOCHS + 1))
    assert_whole_lines(run.path / directory.METRICS, r"\{.*\}")
    assert_whole_lines(run.path / directory.LOG, r"20\S+Z \S.*")
    for file in run.path.glob("*.json"):
        json.loads(file.read_text())


def assert_whole_lines(file, pattern):
    text = file.read_text()
    lines = text.splitlines()
    assert text.endswith("\n")
    assert len(set(lines)) == len(lines)
    assert [line for line in lines if not re.fullmatch(pattern, line)] == []
