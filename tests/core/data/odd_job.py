"""A job for test_apart.py: it echoes what it is told, or goes wrong as it is told."""

import os
import signal
import time

import numpy as np


def prepare(request):
    """Nothing is needed."""


def serve(request):
    """Do what the request says."""
    what = request["do"]
    if what == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "complain":
        raise LookupError("this is why")
    if what == "sleep":
        time.sleep(600)
    while what == "spin":
        pass
    if what == "eat":
        bytearray(2**33)
    print("a library that talks")
    return os.getppid(), np.arange(9) if what == "array" else None
