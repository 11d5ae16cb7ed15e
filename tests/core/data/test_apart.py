"""A file is read in another process, which may crash, hang or eat memory without harm to the one that asks."""

import os
import time

import numpy as np
import pytest

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


def told(what="answer", patience=60.0):
    """The number of the process that serves, if it does what it is told."""
    return ask(JOB, {"do": what, "memory": 2**30, "seconds": 0.5}, patience)


@needs_posix
def test_one_process_answers_many_requests_also_after_an_error():
    first = told()
    assert told() == first
    with pytest.raises(Unanswered, match="this is why"):
        told("complain")
    assert told() == first


def test_an_array_comes_after_the_answer():
    values = np.empty((3, 3), dtype=np.int64)
    ask(JOB, {"do": "array", "memory": 2**30, "seconds": 0.5}, 60.0, values)
    np.testing.assert_array_equal(values, np.arange(9).reshape(3, 3))


@needs_posix
@pytest.mark.parametrize("what", ["crash", "spin", "eat"])
def test_whatever_happens_there_the_next_request_is_answered(what):
    told()
    with pytest.raises(Unanswered):
        told(what)
    told()


def test_a_process_that_waits_for_ever_is_killed_with_its_fork():
    began = time.monotonic()
    with pytest.raises(Unanswered):
        told("sleep", patience=1.0)
    assert time.monotonic() - began < 60


def test_a_process_that_was_idle_for_long_is_not_asked_again(monkeypatch):
    first = told()
    monkeypatch.setattr(asking, "IDLE", 0.0)
    assert told() != first


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
