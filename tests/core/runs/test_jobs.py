"""What the queue promises; real dispatchers and workers are in ``test_jobs_killed.py``."""

import os
import platform
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from ssrvae_core.cli.app import setting
from ssrvae_core.config import UserError, run_config
from ssrvae_core.data.readers import file_dataset
from ssrvae_core.runs import directory, dispatcher, worker
from ssrvae_core.runs import job as files
from ssrvae_core.runs import jobs as queueing
from ssrvae_core.runs.dispatcher import dispatch
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.job import read_record, write_record
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.sweep_spec import SweepSpec
from ssrvae_core.runs.worker import work

SPEC = {"data": ["cards-b2"], "models": ["ss-rvae"], "labels_per_class": [5], "settings": {"training.epochs": 4}}


@pytest.fixture
def nobody_starts(monkeypatch):
    """Leave queued jobs to the test."""
    monkeypatch.setattr(queueing, "ensure_dispatcher", lambda store: None)
    monkeypatch.setattr(worker, "ensure_dispatcher", lambda store: None)


@pytest.fixture
def queue(store, nobody_starts) -> JobQueue:
    return JobQueue(store)


def lock_of(job):
    return job.path / files.LOCK


def do(queue, job):
    """Do a job in this process."""
    with locked(lock_of(job), wait=False) as lock:
        work(queue.store, job.id, lock)
    return queue.get(job.id)


def change(job, **values):
    write_record(job.path, read_record(job.path).model_copy(update=values))


@pytest.fixture
def at_work(queue, tiny_config):
    """A job whose record says that this very process works on it, though nobody holds its lock."""
    job = queue.submit(config=tiny_config())
    process = psutil.Process()
    here = {"host": platform.node(), "pid": process.pid, "pid_started": process.create_time()}
    change(job, state="running", started=time.time(), **here)
    return job


def test_a_job_makes_the_run_it_is_named_for(queue, finished):
    job = queue.submit(config=finished.config)
    assert (job.id, job.run_id, job.sweep_id, job.kind, job.state) == (
        finished.id,
        finished.id,
        None,
        "train",
        "queued",
    )
    assert job.title == "ss-rvae on cards (changed), 5 labels per class, seed 0"
    job = do(queue, job)
    assert (job.state, job.done, job.total, job.unit, job.error) == ("finished", 4, 4, "epochs", None)
    assert (job.pid, job.pid_started) == (os.getpid(), psutil.Process().create_time())
    assert job.queued <= job.started <= job.ended <= job.updated
    assert job.seconds > 0 and job.seconds_left is None
    made = queue.store.get(job.id).path / directory.WEIGHTS
    assert made.read_bytes() == (finished.path / directory.WEIGHTS).read_bytes()


def test_the_same_config_is_never_queued_twice(queue, tiny_config):
    first = queue.submit(config=tiny_config())
    assert queue.submit(config=tiny_config(), device="cpu") == first
    with locked(lock_of(first), wait=False):
        assert queue.submit(config=tiny_config()).state == "running"
    assert [job.id for job in queue.list()] == [first.id]


def test_a_submitted_job_that_has_ended_is_queued_again(queue, tiny_config):
    job = queue.submit(config=tiny_config())
    queue.cancel(job.id)
    again = queue.submit(config=tiny_config())
    assert (again.state, again.created, again.ended) == ("queued", job.created, None)
    assert again.queued > job.queued


def test_a_job_needs_exactly_what_its_kind_says(queue, tiny_config, tiny_embedding):
    embedding = tiny_embedding()
    for wrong in (
        *({"kind": "sweep", "config": tiny_config()}, {"spec": SPEC}, {}, {"kind": "bake", "spec": SPEC}),
        *({"embedding": embedding}, {"kind": "embed"}, {"kind": "embed", "embedding": embedding, "spec": SPEC}),
    ):
        with pytest.raises(UserError, match="give 'train' a config, 'sweep' a spec or 'embed' an embedding"):
            queue.submit(**wrong)


def test_running_jobs_come_before_queued_ones_and_those_before_ended_ones(queue, tiny_config):
    jobs = [queue.submit(config=tiny_config(seed=seed)) for seed in range(4)]
    queue.cancel(jobs[0].id)
    with locked(lock_of(jobs[3]), wait=False):
        listed = queue.list()
    assert [(job.id, job.state) for job in listed] == [
        (jobs[3].id, "running"),
        (jobs[1].id, "queued"),
        (jobs[2].id, "queued"),
        (jobs[0].id, "cancelled"),
    ]


def test_a_queued_job_is_cancelled_at_once_and_can_be_resumed(queue, tiny_config):
    job = queue.submit(config=tiny_config())
    assert queue.cancel(job.id).state == "cancelled"
    with pytest.raises(UserError, match="is cancelled, so there is nothing to cancel"):
        queue.cancel(job.id)
    assert do(queue, job).state == "cancelled", "a worker that comes too late does nothing"
    assert queue.resume(job.id).state == "queued"
    assert do(queue, job).state == "finished"
    with pytest.raises(UserError, match="is finished, so there is nothing to resume"):
        queue.resume(job.id)


def test_a_job_is_cancelled_before_it_has_a_run_directory(queue, tiny_config):
    job = queue.submit(config=tiny_config())
    with locked(lock_of(job), wait=False) as lock:
        assert queue.cancel(job.id).state == "running"
        work(queue.store, job.id, lock)
    assert queue.get(job.id).state == "cancelled"
    assert not queue.store.path(job.id).exists()
    assert not (job.path / files.CANCEL).exists()


def test_a_running_job_stops_after_its_epoch_and_resumes_to_the_same_result(queue, tiny_config, monkeypatch):
    config = tiny_config(training__epochs=400)
    job = queue.submit(config=config)
    monkeypatch.setattr(worker, "BEAT", 0.02)

    def cancel():
        while not queue.get(job.id).done:
            time.sleep(0.01)
        running = queue.get(job.id)
        assert (running.state, running.total) == ("running", 400)
        assert running.seconds_left > 0
        queue.cancel(job.id)

    other = threading.Thread(target=cancel)
    other.start()
    stopped = do(queue, job)
    other.join()
    assert stopped.state == "cancelled"
    assert 1 <= stopped.done < 400
    assert not (queue.store.path(job.id) / directory.CANCEL).exists()
    assert queue.resume(job.id).state == "queued"
    assert (queue.store.path(job.id) / directory.CHECKPOINT).exists()


def test_a_worker_that_stops_while_it_is_asked_again_has_stopped(queue, tiny_config):
    job = queue.submit(config=tiny_config())
    answers = []
    other = threading.Thread(target=lambda: answers.append(queue.cancel(job.id).state))
    with locked(lock_of(job), wait=False):
        change(job, state="cancelled")
        other.start()
        while not (job.path / files.CANCEL).exists():
            time.sleep(0.01)
        (job.path / files.CANCEL).unlink()
    other.join()
    assert answers == ["cancelled"]


@pytest.mark.usefixtures("stops_between_epochs")
def test_a_time_limit_leaves_a_job_that_goes_on(queue, finished):
    job = queue.submit(config=finished.config, time_limit=0)
    assert [(do(queue, job).state, queue.resume(job.id).done) for _ in range(2)] == [
        ("interrupted", 1),
        ("interrupted", 2),
    ]


def test_a_dead_worker_reads_as_interrupted_whoever_has_its_number_now(queue, at_work):
    (at_work.path / files.LOG).write_text("".join(f"line {n}\n" for n in range(30)))
    job = queue.get(at_work.id)
    assert job.state == "interrupted"
    assert f"process {os.getpid()}" in job.error
    assert job.log_tail(2) == ["line 28", "line 29"]
    assert len(job.log_tail()) == 20
    with locked(lock_of(job), wait=False):
        assert queue.get(job.id).state == "running"
    assert queue.resume(job.id).state == "queued"


def test_a_worker_on_another_machine_is_judged_by_its_heartbeat(queue, at_work):
    change(at_work, host="elsewhere")
    heartbeat = at_work.path / files.HEARTBEAT
    heartbeat.touch()
    assert queue.get(at_work.id).state == "running"
    old = time.time() - files.STALE - 1
    os.utime(heartbeat, (old, old))
    assert queue.get(at_work.id).state == "interrupted"


def test_a_worker_that_lives_shows_it(queue, tiny_config, monkeypatch):
    """The heart beats on while the worker is busy: its file's time, put back, is the present again."""
    job = queue.submit(config=tiny_config())
    heartbeat = job.path / files.HEARTBEAT
    monkeypatch.setattr(worker, "BEAT", 0.01)

    def work_hard(*_, **__):
        os.utime(heartbeat, (0, 0))
        while heartbeat.stat().st_mtime == 0:
            time.sleep(0.01)
        raise UserError("It beat.")

    monkeypatch.setattr("ssrvae_core.runs.execute.train_run", work_hard)
    with pytest.raises(UserError, match="It beat"):
        do(queue, job)
    assert queue.get(job.id).updated == pytest.approx(time.time(), abs=60)


def test_a_failed_job_says_why_and_can_be_tried_again(queue, tmp_path):
    images = tmp_path / "images.npz"
    np.savez(images, images=np.random.default_rng(0).random((8, 16, 16)), labels=np.arange(8) % 2)
    job = queue.submit(config=run_config(dataset=file_dataset(images)))
    np.savez(images, images=np.zeros((0, 16, 16)), labels=np.zeros(0, int))
    with pytest.raises(UserError):
        do(queue, job)
    failed = queue.get(job.id)
    assert failed.state == "failed"
    assert "images.npz" in failed.error
    assert queue.resume(job.id).error is None


def test_a_bug_is_recorded_and_raised(queue, tiny_config, monkeypatch):
    job = queue.submit(config=tiny_config())
    monkeypatch.setattr("ssrvae_core.runs.execute.train_run", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        do(queue, job)
    assert (queue.get(job.id).state, queue.get(job.id).error) == ("failed", "ZeroDivisionError: division by zero")


def test_a_stopped_worker_leaves_a_job_that_goes_on(queue, tiny_config, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    job = queue.submit(config=tiny_config())
    monkeypatch.setattr("ssrvae_core.runs.execute.train_run", stop)
    assert do(queue, job).state == "interrupted"


def test_a_job_waits_for_a_terminal_that_trains_the_same_run(queue, finished, monkeypatch):
    job = queue.submit(config=finished.config)
    monkeypatch.setattr(worker, "BEAT", 0.01)
    waits = threading.Event()
    monkeypatch.setattr(worker, "_say", lambda text: waits.set() if "waiting for it" in text else None)
    other = threading.Thread(target=do, args=(queue, job))
    with locked(queue.store.path(finished.id) / directory.LOCK, wait=False):
        other.start()
        assert waits.wait(timeout=60)
        assert queue.get(job.id).state == "running"
    other.join()
    assert queue.get(job.id).state == "finished"


@pytest.mark.usefixtures("stops_between_epochs")
def test_a_run_that_was_no_job_is_resumed_as_one(queue, finished):
    from ssrvae_core.runs.execute import train_run

    run = train_run(finished.config, queue.store, time_limit=0)
    job = queue.resume(run.id[:6])
    assert (job.id, job.state, job.done) == (run.id, "queued", 1)
    shutil.rmtree(job.path)
    train_run(finished.config, queue.store)
    with pytest.raises(UserError, match="is finished, so there is nothing to resume"):
        queue.resume(run.id)


def test_a_job_that_is_still_stopping_is_not_resumed(queue, tiny_config):
    job = queue.submit(config=tiny_config())
    with locked(job.path / files.LOCK, wait=False):  # a worker has it in hand
        files.write_record(job.path, files.read_record(job.path).model_copy(update={"state": "running"}))
        queue.cancel(job.id)
        with pytest.raises(UserError, match="is still stopping; resume it when"):
            queue.resume(job.id)


def test_a_removed_job_leaves_its_run(queue, finished):
    job = do(queue, queue.submit(config=finished.config))
    with locked(lock_of(job), wait=False):
        change(job, state="running")
        with pytest.raises(UserError, match="cancel it before you remove it"):
            queue.remove(job.id)
        change(job, state="finished")
    queue.remove(job.id)
    assert queue.list() == []
    assert list(queue.root.iterdir()) == []
    assert queue.store.get(finished.id).status.state == "finished"


def test_jobs_are_found_by_the_beginning_of_their_id(queue, tiny_config):
    job = queue.submit(config=tiny_config())
    assert queue.get(job.id[:5]) == job
    with pytest.raises(UserError, match="is not a job id"):
        queue.get("../runs")
    with pytest.raises(UserError, match="There is no job"):
        queue.get("0" * 12 if job.id[0] != "0" else "1" * 12)


def test_a_job_that_cannot_be_read_is_shown_as_failed(queue, at_work):
    (at_work.path / files.STATUS).write_text("{")
    (job,) = queue.list()
    assert job.state == "failed"
    assert "status.json cannot be read" in job.error


def test_what_a_killed_submission_left_is_no_job(queue, tiny_config):
    config = tiny_config()
    (queue.root / config.run_id).mkdir(parents=True)
    (queue.root / config.run_id / f".{files.STATUS}.1-1.tmp").write_text("{")
    assert queue.list() == []
    job = queue.submit(config=config)
    assert job.state == "queued"
    assert not list(job.path.glob(".*"))


def test_a_viewer_may_look_but_not_touch(queue, tiny_config, monkeypatch):
    job = queue.submit(config=tiny_config())
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    monkeypatch.setattr(queueing, "ensure_dispatcher", lambda store: 1 / 0)
    assert queue.list() == [queue.get(job.id)] == [job]
    for refused in (
        lambda: queue.submit(config=tiny_config(seed=1)),
        lambda: queue.cancel(job.id),
        lambda: queue.resume(job.id),
        lambda: queue.remove(job.id),
        lambda: queue.set_limit(2),
    ):
        with pytest.raises(UserError, match="read-only"):
            refused()
    assert queue.list() == [job]
    monkeypatch.setenv("SSRVAE_MODE", "visitor")
    with pytest.raises(UserError, match="set it to 'editor' or 'viewer'"):
        queue.list()


def test_listing_jobs_imports_no_heavy_package(queue, tiny_config):
    queue.submit(config=tiny_config())
    script = (
        "import sys; from ssrvae_core.runs import RunStore; from ssrvae_core.runs.jobs import JobQueue;"
        f"print(len(JobQueue(RunStore({str(queue.store.root)!r})).list()),"
        "*{'torch', 'pyro', 'sklearn', 'pandas', 'scipy', 'skimage'} & set(sys.modules))"
    )
    viewer = os.environ | {"SSRVAE_MODE": "viewer"}
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=viewer)
    assert answer.stdout.split() == ["1"]


def test_the_limit_is_kept_and_can_be_given_back(queue, monkeypatch):
    monkeypatch.setattr(dispatcher, "default_jobs", lambda: 7)
    assert queue.limit == 7
    queue.set_limit(2)
    assert JobQueue(queue.store).limit == 2
    queue.set_limit(None)
    assert queue.limit == 7
    with pytest.raises(UserError, match="give 1 or more"):
        queue.set_limit(0)


@pytest.mark.parametrize(
    ("gpus", "device", "expected"), [(None, "auto", 3), ("0,1", "auto", 2), ("0,1", "cpu", 3), ("", "auto", 3)]
)
def test_there_is_one_job_a_gpu_or_one_every_two_cores(monkeypatch, gpus, device, expected):
    from ssrvae_core.runs import machine

    monkeypatch.setattr(machine, "cores", lambda: 6)
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    monkeypatch.setattr(machine, "cuda_gpus", machine.cuda_gpus if gpus is not None else list)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus or "")
    monkeypatch.setenv("SSRVAE_DEVICE", device)
    assert machine.default_jobs() == expected


# The dispatcher, with children that are quicker than a worker.


@pytest.fixture
def children(queue, monkeypatch):
    """Have the dispatcher start a script instead of workers, and see what it starts."""
    started = []

    def arrange(script):
        def start(command, store, lock, log, environment, folder):
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [sys.executable, "-S", "-c", script, str(log.parent)], stdout=output, pass_fds=(lock,)
                )
            started.append((command, environment, process))
            return process

        monkeypatch.setattr(dispatcher, "start_process", start)
        return started

    monkeypatch.setattr(dispatcher, "POLL", 0.02)
    yield arrange
    for _, _, process in started:
        process.kill()
        process.wait()


def run_dispatcher(queue):
    with locked(queue.root / files.LOCK, wait=False) as lock:
        dispatch(queue.store, os.dup(lock))


def test_a_worker_that_dies_while_it_starts_up_takes_its_job_out_of_the_queue(queue, tiny_config, children):
    started = children("print('no such package'); raise SystemExit(3)")
    job = queue.submit(config=tiny_config())
    run_dispatcher(queue)
    ended = queue.get(job.id)
    assert (ended.state, len(started), ended.log_tail()) == ("interrupted", 1, ["no such package"])
    assert "exit code 3" in ended.error
    assert queue.resume(job.id).state == "queued"


def test_no_more_jobs_are_started_than_the_limit_and_first_come_is_first_served(queue, tiny_config, children):
    started = children("import time; time.sleep(0.2)")
    queue.set_limit(2)
    jobs = [queue.submit(config=tiny_config(seed=seed)) for seed in range(5)]
    other = threading.Thread(target=run_dispatcher, args=(queue,))
    other.start()
    most = 0
    while other.is_alive():
        most = max(most, sum(process.poll() is None for _, _, process in list(started)))
        time.sleep(0.005)
    assert most <= 2
    assert [command for command, _, _ in started] == [["work", job.id] for job in jobs]


def test_a_worker_outlives_its_dispatcher_and_counts_for_the_next(queue, tiny_config, children):
    """The lock passes from the dispatcher to the worker, so that nobody starts the same job again."""
    children("import time; time.sleep(60)")
    queue.set_limit(1)
    job = queue.submit(config=tiny_config())
    child = dispatcher._start_job(queue.store, job.id)
    assert queue.get(job.id).state == "running"
    assert dispatcher._start_job(queue.store, job.id) is None
    child.process.kill()
    child.process.wait()
    assert queue.get(job.id).state == "queued"


def test_a_half_line_a_crash_left_in_the_log_is_cut_off(queue, tiny_config, children):
    children("print('whole', flush=True)")
    job = queue.submit(config=tiny_config())
    (job.path / files.LOG).write_text("first\nsec")
    dispatcher._start_job(queue.store, job.id).process.wait()
    assert job.log_tail() == ["first", "whole"]


def test_a_job_whose_task_is_lost_fails_with_a_sentence(queue, tiny_config, children):
    children("")
    job = queue.submit(config=tiny_config())
    (job.path / files.TASK).unlink()
    run_dispatcher(queue)
    assert queue.get(job.id).state == "failed"
    assert "submit it again" in queue.get(job.id).error


def test_jobs_share_out_the_cores_and_take_turns_on_the_gpus(queue, tiny_config, children, monkeypatch):
    started = children("import time; time.sleep(60)")
    monkeypatch.setattr(dispatcher, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("SSRVAE_DEVICE", "auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    queue.set_limit(4)
    for seed, device in enumerate(["auto", "cuda", "cpu", "auto"]):
        dispatcher._start_job(queue.store, queue.submit(config=tiny_config(seed=seed), device=device).id)
    environments = [environment for _, environment, _ in started]
    assert [environment["OMP_NUM_THREADS"] for environment in environments] == ["2"] * 4
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in environments] == ["4", "5", "4,5", "4"]
    # A worker that starts the next dispatcher, as the last one was lost, does not hand its share on.
    with monkeypatch.context() as worker:
        for name, value in environments[0].items():
            worker.setenv(name, value)
        passed_on = dispatcher._outer()
    assert passed_on["CUDA_VISIBLE_DEVICES"] == "4,5" and "OMP_NUM_THREADS" not in passed_on


def test_a_job_computes_where_its_submitter_would(queue, tiny_config, monkeypatch):
    for wish, device, expected in (("cpu", "auto", "cpu"), ("cpu", "mps", "mps"), ("auto", "auto", "auto")):
        monkeypatch.setenv("SSRVAE_DEVICE", wish)
        job = queue.submit(config=tiny_config(seed=len(queue.list())), device=device)
        assert files.read_task(job.path).device == expected


# Sweeps.


@pytest.fixture
def sweep_of_one(queue, finished, tiny_options):
    """The specification of a sweep whose only run is in the store."""
    shutil.copytree(finished.path, queue.store.path(finished.id))
    return SPEC | {"settings": dict(setting(option) for option in tiny_options if "=" in option)}


def test_a_sweep_is_a_job(queue, finished, sweep_of_one):
    job = queue.submit("sweep", spec=sweep_of_one)
    assert job.id == SweepSpec.model_validate(sweep_of_one).sweep_id
    assert (job.kind, job.sweep_id, job.run_id, job.title) == (
        "sweep",
        job.id,
        None,
        "1 run of ss-rvae on cards (changed)",
    )
    job = do(queue, job)
    assert (job.state, job.done, job.total, job.unit) == ("finished", 1, 1, "runs")


def test_a_sweep_is_cancelled_by_its_own_flag(queue, tiny_config, monkeypatch):
    from ssrvae_core.runs import sweep

    def run_sweep(spec, store, *, should_stop, **_):
        assert not should_stop()
        queue.cancel(job.id)
        assert should_stop()
        return sweep.Sweep("", store.root, [{"state": "cancelled"}], {"state": "cancelled"})

    monkeypatch.setattr(sweep, "run_sweep", run_sweep)
    job = queue.submit("sweep", spec=SPEC)
    assert do(queue, job).state == "cancelled"
    assert not (job.path / files.CANCEL).exists()


def test_a_sweep_with_a_failed_run_has_failed_and_says_so(queue, monkeypatch):
    from ssrvae_core.runs import sweep

    rows = [{"state": "finished", "error": None}, {"state": "failed", "error": "It diverged."}]
    monkeypatch.setattr(
        sweep, "run_sweep", lambda spec, store, **_: sweep.Sweep("", store.root, rows, {"state": "failed"})
    )
    job = do(queue, queue.submit("sweep", spec=SPEC))
    assert (job.state, job.error) == ("failed", "1 of 2 runs failed; the first: It diverged.")


def test_a_sweep_that_is_not_valid_is_not_queued(queue):
    with pytest.raises(UserError, match="seeds"):
        queue.submit("sweep", spec=SPEC | {"seeds": []})
    with pytest.raises(UserError, match="no file 'cards-x'"):
        queue.submit("sweep", spec=SPEC | {"data": "cards-x"})
    assert not queue.root.exists()


def test_a_clock_that_was_set_does_not_interrupt_a_run(store, tiny_config):
    config = tiny_config()
    path = store.path(config.run_id)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text(config.model_dump_json())
    directory.write_status(path, directory.Status(state="running"))
    moved = directory.read_status(path).model_copy(update={"pid_started": psutil.Process().create_time() - 3600})
    (path / directory.STATUS).write_text(moved.model_dump_json())
    assert store.get(path.name).status.state == "interrupted"
    with locked(path / directory.LOCK, wait=False):
        assert store.get(path.name).status.state == "running"
