"""Signals that end work: SIGTERM as Ctrl-C does, and both within a time even where the work does not listen."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM stop the work the way Ctrl-C does; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def leaving_within(seconds: float, leave: Callable[[], None]) -> Iterator[None]:
    """End this process after a signal, even from a computation that does not return to Python for a while.

    Parameters
    ----------
    seconds : float
        From the signal on; work that listens has left the block by then.
    leave : callable
        What is still to be done, in a thread, before the process ends with the shell's code for an interrupt. Files
        that are written whole or not at all need nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = threading.Event()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # as set_wakeup_fd wants it

    def watch() -> None:
        while received := theirs.recv(1):
            if received[0] in SIGNALS:
                if not over.wait(seconds):
                    leave()
                    os._exit(130)
                return

    thread = threading.Thread(target=watch, daemon=True)
    with ours, theirs:
        previous = signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous)
            over.set()
            ours.shutdown(socket.SHUT_RDWR)
            thread.join()
