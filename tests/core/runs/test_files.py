import os
import subprocess
import threading

import pytest

from ssrvae_core.runs.files import (
    append_line,
    atomic_write,
    drop_torn_line,
    held,
    locked,
    remove_directory,
    replacing,
    whole_lines,
)


def test_a_failed_write_leaves_the_old_file_whole_and_nothing_else(tmp_path):
    path = tmp_path / "status.json"
    atomic_write(path, "old")

    def fail_half_way():
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    atomic_write(path, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ssrvae_core.runs.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_torn_last_line_is_not_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert whole_lines(path) == []
    append_line(path, "one")
    with path.open("a") as file:
        file.write("tw")
    assert whole_lines(path) == ["one"]


def test_a_held_lock_refuses_others_and_is_free_afterwards(tmp_path):
    path = tmp_path / "run" / "lock"
    with locked(path, wait=False), pytest.raises(BlockingIOError), locked(path, wait=False):
        pass
    with locked(path, wait=False):
        pass


def test_who_waits_for_a_lock_that_is_deleted_gets_a_new_one(tmp_path):
    path = tmp_path / "run" / "lock"
    entered = threading.Event()

    def wait():
        with locked(path, wait=True):
            entered.set()

    with locked(path, wait=False):
        waiter = threading.Thread(target=wait)
        waiter.start()
        remove_directory(path.parent)
    waiter.join()
    assert entered.is_set()
    assert path.exists()


def test_a_directory_that_is_deleted_before_its_lock_is_opened_is_made_again(tmp_path, monkeypatch):
    path = tmp_path / "run" / "lock"
    really, deleted = os.open, []

    def late(*arguments):
        if len(deleted) < 3:
            path.parent.rmdir()
            deleted.append(path)
        return really(*arguments)

    monkeypatch.setattr(os, "open", late)
    with locked(path, wait=False):
        assert path.exists() and len(deleted) == 3


def test_a_lock_that_can_never_be_opened_is_an_error(tmp_path):
    path = tmp_path / "run" / "lock"
    path.parent.mkdir()
    path.symlink_to(tmp_path / "nowhere" / "lock")
    with pytest.raises(FileNotFoundError), locked(path, wait=True):
        pass


def test_a_torn_last_line_is_cut_off(tmp_path):
    path = tmp_path / "log.txt"
    drop_torn_line(path)
    assert not path.exists()
    path.write_text("one\ntw")
    drop_torn_line(path)
    append_line(path, "two")
    assert path.read_text() == "one\ntwo\n"


def test_a_lock_is_seen_to_be_held_without_being_taken(tmp_path):
    path = tmp_path / "lock"
    assert not held(path)
    assert not path.exists()
    with locked(path, wait=False):
        assert held(path)
    assert not held(path)


def test_a_lock_that_was_passed_to_a_child_is_held_as_long_as_the_child_lives(tmp_path):
    path = tmp_path / "lock"
    with locked(path, wait=False) as descriptor:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(descriptor,))
    assert held(path)
    child.kill()
    child.wait()
    assert not held(path)


def test_two_that_remove_directories_at_once_do_not_get_into_each_others_way(tmp_path):
    failed = []

    def remove(name):
        for number in range(150):
            path = tmp_path / f"{name}{number}"
            path.mkdir()
            for file in range(5):
                (path / str(file)).touch()
            try:
                remove_directory(path)
            except OSError as error:
                failed.append(error)

    others = [threading.Thread(target=remove, args=(name,)) for name in "abcd"]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert not failed
    assert not list(tmp_path.iterdir())
