"""A file is read in another process, which may crash, hang or eat memory without harm to the one that asks."""

import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.data.apart import asking
from ssrvae_core.data.apart.asking import Unanswered, ask, end_all
from ssrvae_core.data.folders.reader import read_folder
from tests.core.data.microscope_files import IMAGES, dm, needs_rosettasciio

JOB = "tests.core.data.odd_job"
needs_posix = pytest.mark.skipif(os.name != "posix", reason="This system neither forks nor limits a process.")


@pytest.fixture(autouse=True)
def _tidy():
    yield
    end_all()


def request(what):
    return {"do": what, "memory": 2**30, "seconds": 0.5}


def number_of(what="answer"):
    """The number of the process that answers, if it does what it has to."""
    return ask(JOB, request(what))


@needs_posix
def test_one_process_answers_many_requests_also_after_an_error():
    first = number_of()
    assert number_of() == first
    with pytest.raises(Unanswered, match="LookupError: this is why"):
        number_of("complain")
    with pytest.raises(Unanswered, match="a package is missing"):
        number_of("fail to prepare")
    assert number_of() == first


def test_an_array_comes_after_the_answer():
    values = np.empty((3, 3), dtype=np.int64)
    ask(JOB, request("array"), values)
    np.testing.assert_array_equal(values, np.arange(9).reshape(3, 3))


@pytest.mark.parametrize("size", [0, 8, 10])
def test_an_array_of_another_size_is_an_error_and_nothing_of_it_is_left_for_the_next(size):
    with pytest.raises(Unanswered):
        ask(JOB, request("array"), np.empty(size, dtype=np.int64))
    number_of()


@needs_posix
@pytest.mark.parametrize("what", ["crash", "spin", "eat"])
def test_whatever_happens_there_the_next_request_is_answered(what):
    number_of()
    with pytest.raises(Unanswered):
        number_of(what)
    number_of()


def test_a_process_that_waits_for_ever_is_killed_with_its_fork(monkeypatch):
    monkeypatch.setattr(asking, "PATIENCE", -1.0)
    with pytest.raises(Unanswered):
        number_of("sleep")


def test_an_answer_that_is_complete_is_not_killed_afterwards():
    server = asking.Server(JOB)
    assert server.has_begun()
    server.reply(request("answer") | {"patience": 60})
    assert server.release()
    server.expire()
    assert server.is_ready
    server.end()


@needs_posix
def test_nothing_is_left_of_a_program_that_was_killed_while_it_asked(tmp_path):
    code = (
        "from ssrvae_core.data.apart import asking\n"
        f"asking.ask({JOB!r}, {request('sleep')!r} | {{'mark': {str(tmp_path / 'mark')!r}}})"
    )
    program = subprocess.Popen([sys.executable, "-c", code], cwd=asking.ROOT)
    deadline = time.monotonic() + 60
    while not (tmp_path / "mark").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    program.kill()
    program.wait()
    fork = int((tmp_path / "mark").read_text())
    deadline = time.monotonic() + 20  # long before its time is over
    while psutil.pid_exists(fork):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_where_modules_are_not_looked_for_in_the_working_directory_it_starts_all_the_same(monkeypatch):
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    assert number_of() != os.getpid()


def test_a_process_that_cannot_be_started_is_not_the_files_fault():
    with pytest.raises(UserError, match="cannot be started"):
        ask("tests.core.data.no_such_job", request("answer"))


def test_it_starts_where_every_warning_is_an_error(monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    assert number_of() != os.getpid()


def test_without_forks_every_request_has_a_process(monkeypatch):
    monkeypatch.setattr(asking, "FORKS", False)
    assert number_of() != number_of()


def test_a_process_that_was_idle_for_long_is_not_asked_again(monkeypatch):
    first = number_of()
    monkeypatch.setattr(asking, "IDLE", 0.0)
    assert number_of() != first


@needs_posix
@needs_rosettasciio
def test_a_folder_of_microscopes_files_is_read_by_one_process(tmp_path, monkeypatch):
    started = []
    server = asking.Server
    monkeypatch.setattr(asking, "Server", lambda job: started.append(job) or server(job))
    for number in range(5):
        dm(tmp_path / f"{number}.dm3", IMAGES)
    assert len(read_folder(tmp_path).fields["images"]) == 5 * len(IMAGES)
    assert len(started) == 1
