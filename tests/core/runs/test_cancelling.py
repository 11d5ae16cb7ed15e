"""A stop acts between two steps, keeps what is done, and says truly where the run goes on."""

import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from ssrvae_core.runs import EmbeddingStore, RunStore, directory, pool, session, worker
from ssrvae_core.runs import job as files
from ssrvae_core.runs import jobs as queueing
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.progress import PROGRESS
from ssrvae_core.training import Trainer
from tests.core.runs.test_execute import assert_same_result
from tests.trainings import Training

SOON = 20.0
"""Seconds that count as soon where the machine is busy; what is stopped would go on for many minutes."""

DEAF = (
    "import hashlib, threading; threading.Timer(0.2, print, ('begun',), {'flush': True}).start(); "
    "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
)
"""A computation of minutes that does not return to Python, and so hears no signal; it says when it is in it."""


@pytest.fixture
def steps(monkeypatch):
    """The places of all optimisation steps that are made, and nothing to wait between two looks."""
    return watched(monkeypatch)


def watched(patch):
    """Have all optimisation steps remembered, and no time pass between two looks; return the steps' places."""
    made, step = [], Trainer._step

    def remember(self, batch, generator):
        at = self.position
        made.append((at.start, at.epoch))
        return step(self, batch, generator)

    patch.setattr(Trainer, "_step", remember)
    patch.setattr(session, "LOOK", 0.0)
    patch.setattr(session, "TELL", 0.0)
    return made


@pytest.fixture(scope="module")
def config(tiny_config):
    """Three starts, two epochs of four steps."""
    return tiny_config(training__starts=3, training__epochs=2, training__batch_size=15)


@pytest.fixture(scope="module")
def undisturbed(config, tmp_path_factory):
    """The run without a stop, and the steps it takes. They are shared: read them, do not change them."""
    with pytest.MonkeyPatch.context() as patch:
        taken = watched(patch)
        return train_run(config, RunStore(tmp_path_factory.mktemp("undisturbed"))), taken


def cancelling(store, config, when):
    """A listener that cancels the run once, at the first progress for which ``when`` is true."""
    done = []

    def listen(progress):
        if not done and when(progress):
            done.append(progress)
            store.get(config.run_id).cancel()

    return listen


@pytest.mark.parametrize(
    ("when", "goes_on", "done"),
    [
        (lambda at: at.start == 1 and at.step == 1, "start 1 of 3, step 3", "0 of 3 starts"),
        (lambda at: at.start == 2 and at.step == 0, "start 2 of 3", "1 of 3 starts"),
        (lambda at: at.start == 3 and at.step == 2, "start 3 of 3, step 4", "2 of 3 starts"),
        (lambda at: at.epoch == 1 and at.step == 0, "epoch 2", "1 of 2 epochs"),
        (lambda at: at.epoch == 1 and at.step == 1, "epoch 2, step 3", "1 of 2 epochs"),
    ],
)
def test_a_cancelled_run_goes_on_where_it_says_and_makes_no_step_twice(
    config, store, steps, undisturbed, when, goes_on, done
):
    run = train_run(config, store, on_progress=cancelling(store, config, when))
    assert run.status.state == "cancelled"
    assert (run.status.goes_on, run.status.done_in_words) == (goes_on, done)
    assert f"goes on from {goes_on}" in (run.path / directory.LOG).read_text()
    assert not (run.path / directory.CANCEL).exists()
    before = len(steps)
    resumed = train_run(config, store)
    whole, taken = undisturbed
    assert steps == taken, f"{before} steps were made before the stop"
    assert_same_result(resumed, whole)
    assert not (resumed.path / directory.STARTS).exists() and not (resumed.path / PROGRESS).exists()


def test_a_time_limit_stops_between_two_steps_and_every_session_gets_on(config, store, steps, undisturbed):
    sessions = []
    while not sessions or sessions[-1] != "finished":
        sessions.append(train_run(config, store, time_limit=0).status.state)
    whole, taken = undisturbed
    assert steps == taken and len(sessions) > len(taken) / 2
    assert set(sessions[:-1]) == {"interrupted"}
    assert_same_result(store.get(config.run_id), whole)


def interrupting(when):
    """A listener that is interrupted once, as by Ctrl-C, at the first progress for which ``when`` is true."""
    done = []

    def listen(progress):
        if not done and when(progress):
            done.append(True)
            raise KeyboardInterrupt

    return listen


@pytest.mark.parametrize(
    ("when", "goes_on"),
    [
        (lambda at: at.start == 2 and at.step == 2, "start 2 of 3"),
        (lambda at: at.start == 3 and at.step == 0, "start 3 of 3"),
        (lambda at: at.epoch == 1 and at.step == 2, "epoch 2"),
    ],
)
def test_an_interrupted_run_makes_no_finished_start_again(config, store, steps, undisturbed, when, goes_on):
    with pytest.raises(KeyboardInterrupt):
        train_run(config, store, on_progress=interrupting(when))
    run = store.get(config.run_id)
    assert (run.status.state, run.status.goes_on) == ("interrupted", goes_on)
    steps.clear()
    resumed = train_run(config, store)
    whole, taken = undisturbed
    place = (int(goes_on[6]), 0) if goes_on.startswith("start") else (0, int(goes_on[6]) - 1)
    assert steps == taken[taken.index(place) :]
    assert_same_result(resumed, whole)


def test_an_interrupted_run_keeps_the_epochs_that_no_checkpoint_holds_yet(tiny_config, store, steps):
    config = tiny_config(training__checkpoint_every=3)
    with pytest.raises(KeyboardInterrupt):
        train_run(config, store, on_progress=interrupting(lambda at: at.epoch == 2 and at.step == 1))
    assert store.get(config.run_id).status.goes_on == "epoch 3"
    resumed = []
    train_run(config, store, on_epoch=lambda epoch: resumed.append(epoch.epoch))
    assert resumed == [3, 4]


def test_a_run_that_crashed_after_its_checkpoint_says_what_is_kept(tiny_config, store, steps):
    config = tiny_config(training__checkpoint_every=3, training__epochs=5)

    def crash(progress):
        if progress.epoch == 4:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        train_run(config, store, on_progress=crash)
    status = store.get(config.run_id).status
    assert (status.done_in_words, status.goes_on) == ("3 of 5 epochs", "epoch 4")


def test_a_run_is_cancelled_while_it_is_evaluated(config, store, steps, undisturbed):
    when = cancelling(store, config, lambda at: at.epoch == 2)
    run = train_run(config, store, on_progress=when)
    assert (run.status.state, run.status.goes_on) == ("cancelled", "its evaluation")
    before = len(steps)
    assert_same_result(train_run(config, store), undisturbed[0])
    assert len(steps) == before, "nothing is trained again"


def test_what_is_shown_counts_starts_and_steps_and_never_goes_back(config, store, steps):
    shown = []

    def listen(progress):
        status = store.get(config.run_id).status if store.path(config.run_id).exists() else None
        shown.append((progress.in_words, progress.share, status and status.progress == progress))

    train_run(config, store, on_progress=listen)
    words = [word for word, _, _ in shown]
    assert {"start 2 of 3, step 2 of 4", "epoch 2 of 2, step 2 of 4"} <= set(words)
    shares = [share for _, share, _ in shown]
    assert shares == sorted(shares) and shares[-1] == 1
    assert all(same for _, _, same in shown[1:])


@pytest.mark.usefixtures("stops_between_epochs")
def test_a_status_of_an_earlier_version_is_read(finished, store, tiny_config):
    run = train_run(finished.config, store, time_limit=0)
    (run.path / PROGRESS).unlink()
    status = store.get(run.id).status
    assert (status.state, status.progress, status.done_in_words) == ("interrupted", None, "1 of 4 epochs")
    assert status.share == 0.25 and "checkpoint" in status.goes_on
    assert "progress" not in json.loads((run.path / directory.STATUS).read_text())


@pytest.mark.slow
def test_a_run_killed_among_its_starts_goes_on_from_the_finished_ones(tiny_config, store):
    """Kill -9 in the second of three starts, and once more after one was chosen."""
    config = tiny_config(training__starts=3, training__epochs=3)
    reference = train_run(config, RunStore(store.root / "reference"))
    path = store.path(config.run_id)
    for place, goes_on in (("start 2 of 3, step 2", "start 2 of 3"), ("epoch 2 of 3, step 2", "epoch 2")):
        assert Training(config, store, killed_at=place).end() == -signal.SIGKILL
        status = store.get(config.run_id).status
        assert (status.state, status.goes_on) == ("interrupted", goes_on)
        assert directory.read_progress(path).in_words.startswith(place)
    assert_same_result(train_run(config, store), reference)
    log = (path / directory.LOG).read_text()
    assert all(log.count(f"start {n} of 3: epoch 1 done") <= 1 for n in (1, 2, 3))
    assert "from start 2 of 3\n" in log and "from epoch 2\n" in log


# Jobs.


@pytest.fixture
def queue(store, monkeypatch):
    monkeypatch.setattr(queueing, "ensure_dispatcher", lambda store: None)
    monkeypatch.setattr(worker, "ensure_dispatcher", lambda store: None)
    return JobQueue(store)


WORKER = """
import sys, time
from ssrvae_core.runs import RunStore, execute, worker
worker.ensure_dispatcher = lambda store: None
{instead}
worker.work(RunStore(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
"""


def start_worker(queue, job, instead=""):
    """Do a job in a process of its own, in which something may be replaced."""
    with locked(job.path / files.LOCK, wait=False) as lock:
        command = [sys.executable, "-c", WORKER.format(instead=instead), str(queue.store.root), job.id, str(lock)]
        return subprocess.Popen(command, pass_fds=(lock,), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def cancelled(queue, job, process, when):
    """Cancel a job once ``when`` is true, wait for its end, and return it."""
    while not when():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    queue.cancel(job.id)
    process.wait(SOON)
    process.stdout.close()
    process.stderr.close()
    return queue.get(job.id)


@pytest.mark.slow
def test_a_job_with_an_epoch_of_hours_is_cancelled_at_once(queue, tiny_config):
    job = queue.submit(config=tiny_config(training__min_steps=20000, training__starts=2))
    process = start_worker(queue, job)
    job = cancelled(queue, job, process, lambda: queue.get(job.id).share > 0)
    assert (job.state, job.error) == ("cancelled", None)
    assert job.goes_on.startswith("start 1 of 2, step") and 0 < job.share < 0.1
    assert queue.store.get(job.id).status.state == "cancelled"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("instead", "goes_on"),
    [
        ("", "step"),  # it looks between two steps
        ("from ssrvae_core.runs.embeddings import session\nsession.outlier_scores = lambda _: exec({deaf!r})", "its"),
    ],
)
def test_a_job_that_makes_an_embedding_is_cancelled_at_once_and_goes_on(queue, tiny_embedding, instead, goes_on):
    deaf = bool(instead)
    job = queue.submit("embed", embedding=tiny_embedding(steps=2 if deaf else 200000))
    process = start_worker(queue, job, instead.format(deaf=DEAF))

    def under_way():
        if deaf:
            return any(b"begun" in line for line in process.stdout)
        return queue.get(job.id).share > 0

    while not under_way():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    job = cancelled(queue, job, process, lambda: True)
    assert (job.state, job.error) == ("cancelled", None)
    assert job.goes_on.startswith(goes_on) and job.share < 1
    one = EmbeddingStore(queue.store).get(job.id)
    assert one.status.state == "cancelled" and not (one.path / directory.CANCEL).exists()


@pytest.mark.parametrize(
    "busy", [f"execute.train_run = lambda *_, **__: exec({DEAF!r})", "execute._prepare = lambda *_: time.sleep(600)"]
)
def test_a_job_that_does_not_listen_is_cancelled_all_the_same(queue, tiny_config, busy):
    """It computes without a look at anything, or loads its images."""
    job = queue.submit(config=tiny_config())
    process = start_worker(queue, job, busy)
    deaf = "train_run" in busy
    job = cancelled(queue, job, process, lambda: started(job) and (not deaf or b"begun" in process.stdout.readline()))
    assert (job.state, job.error) == ("cancelled", None)
    assert not (job.path / files.CANCEL).exists()


def started(job):
    return files.read_record(job.path).state == "running"


def test_a_worker_of_a_sweep_that_does_not_listen_is_ended(monkeypatch):
    monkeypatch.setattr(pool, "GRACE", 0.2)
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.terminate = lambda: process.send_signal(signal.SIGINT)  # which Python hears only between two steps
    began = time.monotonic()
    pool._stop([SimpleNamespace(process=process, close=process.stdout.close)])
    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_whose_computation_does_not_listen_ends_with_a_sentence(number):
    script = (
        "import signal\nfrom ssrvae_core.runs.interrupting import leaving_within, sigterm_interrupts\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with sigterm_interrupts(), leaving_within(0.2, lambda: print('interrupted', flush=True)):\n"
        f"    {DEAF}\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        said, _ = process.communicate(timeout=SOON)
    assert (process.returncode, said) == (130, "interrupted\n")


def test_work_that_listens_is_not_ended():
    from ssrvae_core.runs.interrupting import leaving_within

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), leaving_within(30, lambda: 1 / 0):
            signal.raise_signal(signal.SIGINT)
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGINT, previous)


def test_what_is_kept_of_the_starts_holds_no_code(config, store, steps):
    import torch

    when = cancelling(store, config, lambda at: at.start == 3 and at.step == 1)
    run = train_run(config, store, on_progress=when)
    kept = torch.load(run.path / directory.STARTS, weights_only=True)
    assert kept["starts"]["starts"]["start"] == 2
    assert np.isfinite(kept["seconds"])
