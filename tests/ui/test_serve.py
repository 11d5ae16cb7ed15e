"""The server ends when it is told to."""

import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.serving import END, ROOT, serving

IMPORTING = """
import importlib, time
from ui import serve
importlib.import_module = lambda *_: (print("importing", flush=True), time.sleep(600))
serve.serve("127.0.0.1", "8501")
"""


@pytest.mark.slow
def test_the_server_ends_while_browsers_open_connections_and_say_nothing(tmp_path):
    """Chromium opens some ahead of what it may ask; those of the very last moment are no longer told to close."""
    knocked = []
    with serving(tmp_path / "runs") as (process, port):

        def knock():
            try:
                while True:
                    knocked.append(socket.create_connection(("127.0.0.1", port)))
            except OSError:
                pass  # nobody listens any more

        visitors = threading.Thread(target=knock)
        visitors.start()
        while len(knocked) < 10:
            visitors.join(0.01)
        process.terminate()
        visitors.join()
        try:
            assert process.wait(END) == 0
        finally:
            for connection in knocked:
                connection.close()


def test_ctrl_c_before_the_server_is_up_ends_it_without_a_word():
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTING], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"importing\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == -signal.SIGINT
