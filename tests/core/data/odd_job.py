"""A job for test_apart.py: it echoes what it is told, or goes wrong as it is told."""

import json
import os
import signal
import sys
import time


def prepare(request):
    """Nothing is needed."""


def serve(request, questions, answers):
    """Do what the request says."""
    what = request["do"]
    if what == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "complain":
        sys.exit("this is why")
    if what == "sleep":
        time.sleep(600)
    while what == "spin":
        pass
    if what == "eat":
        bytearray(2**33)
    if what == "cut short":
        answers.write(b"\0\0\0")
        sys.exit(1)
    print("a library that talks")
    answers.write(json.dumps([os.getppid(), questions.readline().decode().strip()]).encode() + b"\n")
