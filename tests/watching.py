"""Which files are opened, as the system sees it: HDF5 opens files in C, where Python's own hooks see nothing."""

import ctypes
import os
import struct
import sys
from contextlib import contextmanager

import pytest

IN_OPEN, IN_NONBLOCK = 0x20, 0o4000
EVENT = struct.Struct("iIII")


@contextmanager
def opened(folder):
    """Collect the names of the files in a folder that any program opens."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells which files are opened")
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(IN_NONBLOCK)
    if watch < 0 or libc.inotify_add_watch(watch, os.fsencode(folder), IN_OPEN) < 0:
        pytest.skip("no more files can be watched here")
    names = set()
    try:
        yield names
        names |= set(events(watch))
    finally:
        os.close(watch)


def events(watch):
    """Yield the names of what was opened; the folder itself has none."""
    while True:
        try:
            content = os.read(watch, 2**16)
        except BlockingIOError:
            return
        at = 0
        while at < len(content):
            _, _, _, length = EVENT.unpack_from(content, at)
            at += EVENT.size
            yield os.fsdecode(content[at : at + length].rstrip(b"\0"))
            at += length
