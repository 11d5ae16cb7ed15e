"""A job for test_apart.py: it echoes what it is told, or goes wrong as it is told."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def prepare(request):
    """Fail where that is told."""
    if request["do"] == "fail to prepare":
        raise ImportError("a package is missing")


def serve(request):
    """Do what the request says."""
    what = request["do"]
    if what == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "complain":
        raise LookupError("this is why")
    if "mark" in request:
        Path(request["mark"] + ".new").write_text(str(os.getpid()))
        Path(request["mark"] + ".new").rename(request["mark"])
    if what == "sleep":
        time.sleep(600)
    while what == "spin":
        pass
    if what == "eat":
        bytearray(2**33)
    print("a library that talks")
    return os.getppid(), np.arange(9) if what == "array" else None
