"""A run of an earlier version gets the classes of all its images from a process that nobody waits for."""

import shutil
import signal
import time
from contextlib import suppress

import numpy as np
import psutil
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.runs import RunStore, catching_up, directory, everything
from ssrvae_core.runs.files import locked

SOON = 60.0
"""Seconds that a process may take on a busy machine."""


@pytest.fixture
def older(finished, tmp_path):
    """A run of an earlier version, which told of its validation images alone; yours to change."""
    path = tmp_path / "older" / finished.id
    shutil.copytree(finished.path, path)
    (path / directory.PARTICLES).unlink()
    return RunStore(path.parent).get(finished.id)


def wait_until(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def in_this_process(run, monkeypatch):
    """Have the process's work done here, with the lock that it would have."""
    begun = []

    def work(command, store, lock, *_):
        begun.append(command)
        with suppress(UserError):
            catching_up.work(store, command[1], lock, "cpu")

        class Done:
            wait = staticmethod(lambda: 0)

        return Done

    monkeypatch.setattr(catching_up, "start_process", work)
    catching_up.begin(run)
    return begun


def test_a_process_of_its_own_classifies_all_images(older, finished):
    assert catching_up.look(older) is None
    catching_up.begin(older)
    assert catching_up.look(older).state == "running"
    catching_up.begin(older)  # a second click changes nothing
    wait_until(lambda: catching_up.look(older) is None)
    particles = older.particles()
    np.testing.assert_array_equal(particles.ids, finished.particles().ids)
    left = {file.name for file in older.path.iterdir()}
    assert not {catching_up.LOCK, catching_up.PROGRESS} & left


def test_how_far_it_is_can_be_seen(older, monkeypatch):
    seen = []
    write = catching_up._write

    def look(path, progress):
        write(path, progress)
        seen.append(catching_up.look(older))

    monkeypatch.setattr(catching_up, "_write", look)
    monkeypatch.setattr(catching_up, "TELL", 0.0)
    in_this_process(older, monkeypatch)
    done = [one.done for one in seen[1:]]
    assert done == sorted(set(done)) and done[0] == 0 and len(done) > 2  # each part has a batch at least
    assert {one.n for one in seen[1:]} == {len(older.particles())}
    assert all(one.state == "running" and 0 <= one.share < 1 for one in seen)


def test_what_it_failed_of_is_a_sentence(older, monkeypatch):
    def fail(*_, **__):
        raise UserError("The file 'crops.npz' is not here.")

    monkeypatch.setattr(everything, "write_particles", fail)
    in_this_process(older, monkeypatch)
    found = catching_up.look(older)
    assert found.state == "failed" and "crops.npz" in found.error
    assert older.particles() is None


def test_a_process_that_was_killed_is_seen_and_can_be_begun_again(older, monkeypatch):
    catching_up.begin(older)
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    (worker,) = [child for child in alive if str(older.path.parent) in child.cmdline()]
    worker.send_signal(signal.SIGKILL)
    wait_until(lambda: catching_up.look(older).state != "running")
    assert catching_up.look(older).state == "stopped"
    assert in_this_process(older, monkeypatch)
    assert catching_up.look(older) is None and older.particles() is not None


def test_nothing_is_begun_twice(older, monkeypatch):
    with locked(older.path / catching_up.LOCK, wait=False):
        assert in_this_process(older, monkeypatch) == []


def test_a_viewer_begins_nothing(older, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    before = sorted(file.name for file in older.path.iterdir())
    with pytest.raises(UserError, match="read-only"):
        catching_up.begin(older)
    assert sorted(file.name for file in older.path.iterdir()) == before


def test_a_file_that_cannot_be_read_says_nothing(older):
    (older.path / catching_up.PROGRESS).write_text("{")
    assert catching_up.look(older) is None
