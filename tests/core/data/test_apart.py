"""A file is read in another process, which may crash, hang or eat memory without harm to the one that asks."""

import os
import time

import numpy as np
import pytest

from ssrvae_core.data.apart import asking
from ssrvae_core.data.apart.asking import Unanswered, asked, end_all
from ssrvae_core.data.folders.reader import read_folder
from tests.core.data.test_microscopes import IMAGES, dm, needs_rosettasciio

JOB = "tests.core.data.odd_job"
LIMITS = {"memory": 2**30, "seconds": 0.5}
needs_posix = pytest.mark.skipif(os.name != "posix", reason="This system neither forks nor limits a process.")


@pytest.fixture(autouse=True)
def _tidy():
    yield
    end_all()


def echo(text):
    """Have a text repeated, and return the number of the process that serves."""
    with asked(JOB, {"do": "echo"} | LIMITS, 60) as server:
        server.send(text)
        number, said = server.answer()
    assert said == text
    return number


def listen(what, patience=60.0):
    with asked(JOB, {"do": what} | LIMITS, patience) as server:
        server.answer()


@needs_posix
def test_one_process_serves_many_requests():
    assert echo("one") == echo("two") == echo("three")


@needs_posix
@pytest.mark.parametrize("what", ["crash", "spin", "eat", "cut short"])
def test_whatever_happens_there_the_next_request_is_answered(what):
    first = echo("before")
    with pytest.raises(Unanswered):
        listen(what)
    assert echo("after") != first


def test_a_process_that_waits_for_ever_is_killed_with_its_fork():
    started = time.monotonic()
    with pytest.raises(Unanswered):
        listen("sleep", patience=2.0)
    assert time.monotonic() - started < 60


def test_the_last_that_it_said_is_the_reason():
    echo("first")
    with pytest.raises(Unanswered, match="this is why"):
        listen("complain")
    with pytest.raises(Unanswered) as caught:
        listen("cut short")
    assert "why" not in str(caught.value)


def test_values_that_do_not_come_are_not_waited_for():
    with pytest.raises(Unanswered), asked(JOB, {"do": "complain"} | LIMITS, 60) as server:
        server.fill(np.empty(9))


def test_an_error_of_the_one_who_asks_ends_the_process_too():
    with pytest.raises(ZeroDivisionError), asked(JOB, {"do": "sleep"} | LIMITS, 60) as server:
        raise ZeroDivisionError
    assert not server.is_ready


def test_a_process_that_was_idle_for_long_is_not_asked_again(monkeypatch):
    first = echo("one")
    monkeypatch.setattr(asking, "IDLE", 0.0)
    assert echo("two") != first


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
