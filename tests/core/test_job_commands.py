import json
import os
from datetime import datetime

import pytest

from ssrvae_core.cli import main
from ssrvae_core.runs import directory
from ssrvae_core.runs import job as files
from ssrvae_core.runs import jobs as queueing
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.jobs import JobQueue


@pytest.fixture
def command(capsys, monkeypatch, store):
    """Run a command on a store whose queued jobs nobody starts; return exit code, stdout and stderr."""
    monkeypatch.setattr(queueing, "ensure_dispatcher", lambda store: None)

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments), "--store", str(store.root)])
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def result_of(command):
    def run(*arguments):
        code, out, err = command(*arguments, "--json")
        assert code == 0, err
        return json.loads(out.splitlines()[-1])

    return run


def test_a_detached_training_is_a_job_that_can_be_listed_cancelled_and_resumed(result_of, tiny_options, tiny_config):
    submitted = result_of("train", *tiny_options, "--detach", "--time-limit", 60)
    assert (submitted["id"], submitted["state"]) == (tiny_config().run_id, "queued")
    assert result_of("jobs") == [submitted]
    assert result_of("cancel", submitted["id"][:6])["state"] == "cancelled"
    assert result_of("resume", submitted["id"])["state"] == "queued"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [(("--device", "abacus"), "Device 'abacus' is not available"), (("--labels-per-class", 999), "999 labels")],
)
def test_a_training_that_cannot_begin_is_not_queued(command, result_of, tiny_options, options, sentence):
    code, out, err = command("train", *tiny_options, *options, "--detach")
    assert (code, out) == (2, "") and sentence in err
    assert result_of("jobs") == []


def test_one_job_is_shown_with_the_end_of_its_log(command, result_of, tiny_options, store):
    assert "train --detach" in command("jobs")[1]
    job_id = result_of("train", *tiny_options, "--detach")["id"]
    assert "no log yet" in command("jobs", job_id)[1]
    (store.root / files.JOBS / job_id / files.LOG).write_text("".join(f"line {n}\n" for n in range(30)))
    _, out, _ = command("jobs", job_id)
    assert "line 29" in out and "line 9\n" not in out
    assert result_of("jobs", job_id)["log"][-1] == "line 29"


def test_a_job_is_shown_in_local_time(command, result_of, tiny_options):
    job = result_of("train", *tiny_options, "--detach")
    _, out, _ = command("jobs", job["id"])
    created = datetime.fromtimestamp(job["created"]).astimezone()
    assert f"created  {created:%Y-%m-%d %H:%M:%S}" in out
    assert "seconds  0:00" in out


def test_resume_takes_the_id_of_a_job_or_a_run(command):
    code, _, err = command("resume", "zzz")
    assert code == 2 and "'zzz' is not a job or run id" in err


def test_the_list_says_why_a_job_did_not_finish(command, result_of, tiny_options, store):
    job = JobQueue(store).get(result_of("train", *tiny_options, "--detach")["id"])
    files.write_record(
        job.path, files.read_record(job.path).model_copy(update={"state": "failed", "error": "No room."})
    )
    _, out, err = command("jobs")
    assert job.title in out
    assert err == f"{job.id} failed: No room.\n"


def test_the_limit_is_set_and_given_back(command, store):
    assert "At most 3 jobs" in command("jobs", "--limit", 3)[2]
    assert JobQueue(store).limit == 3
    command("jobs", "--limit", 0)
    assert not (store.root / files.JOBS / "limit").exists()


def test_a_run_in_another_terminal_is_cancelled_by_its_id(result_of, finished, store):
    path = store.path(finished.id)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text(finished.config.model_dump_json())
    directory.write_status(path, directory.Status(state="running"))
    assert result_of("cancel", finished.id[:8])["id"] == finished.id
    assert (path / directory.CANCEL).exists()


def test_what_cannot_be_cancelled_or_resumed_is_a_sentence(command):
    for name, missing in (("cancel", "There is no job"), ("resume", "There is no run")):
        code, out, err = command(name, "0" * 12)
        assert (code, out) == (2, "")
        assert missing in err and len(err.splitlines()) == 1


def test_no_id_at_all_cancels_nothing(command, finished, store):
    path = store.path(finished.id)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text(finished.config.model_dump_json())
    directory.write_status(path, directory.Status(state="running"))
    code, _, err = command("cancel", "")
    assert code == 2 and "is not a job id" in err
    assert not (path / directory.CANCEL).exists()


def test_a_viewer_submits_nothing(command, tiny_options, store, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    code, _, err = command("train", *tiny_options, "--detach")
    assert code == 2 and "read-only" in err
    assert not store.root.exists()


def test_the_hidden_commands_do_a_job_and_end_with_the_queue(command, finished, store):
    queue = JobQueue(store)
    job = queue.submit(config=finished.config, time_limit=0)
    with locked(job.path / files.LOCK, wait=False) as lock:
        command("work", job.id, "--lock", lock)
    assert queue.get(job.id).state == "interrupted"
    with locked(queue.root / files.LOCK, wait=False) as lock:
        assert command("queue", "--lock", os.dup(lock))[0] == 0
