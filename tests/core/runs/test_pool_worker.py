import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

PARENT = """
import os, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], start_new_session=True)
print(worker.pid, flush=True)
worker.wait()
"""
WORKER = """
import signal, sys, threading, time
from ssrvae_core.runs import pool_worker
pool_worker.PATIENCE = 0.1
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # like a fit that is deep in compiled code
threading.Thread(target=pool_worker._end_with, args=(int(sys.argv[1]),), daemon=True).start()
time.sleep(600)
"""


@pytest.mark.slow
def test_a_worker_that_does_not_listen_ends_with_its_killed_parent():
    with subprocess.Popen([sys.executable, "-c", PARENT, WORKER], stdout=subprocess.PIPE, text=True) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        assert worker.is_running()
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
