"""A worker process of :mod:`ssrvae_core.runs.pool`: takes tasks as lines of JSON, answers with events as lines of JSON.

It ends when its standard input does, and when the process that feeds it is gone: it interrupts its own work, and where
that is a fit that does not listen, it exits a few seconds later. Results are written whole or not at all.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from ssrvae_core.config import RunConfig
from ssrvae_core.runs.interrupting import sigterm_interrupts
from ssrvae_core.runs.machine import POLL
from ssrvae_core.runs.store import RunStore
from ssrvae_core.runs.sweep_work import PATIENCE, Event, perform


def main(root: str, device: str, parent: str) -> None:
    """Work until there is nothing more on standard input, or the parent process is gone."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a package prints goes to the log
    store = RunStore(root)

    def tell(event: Event) -> None:
        try:
            print(json.dumps(asdict(event)), file=answers)
        except BrokenPipeError as error:
            raise KeyboardInterrupt from error  # nobody listens any more: stop, ready to go on

    try:
        with sigterm_interrupts():
            threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
            for line in sys.stdin:
                _work(json.loads(line), store, device, tell)
    except KeyboardInterrupt:
        # Nothing is left to say or to tidy up, and closing the pipe to nobody would complain.
        os._exit(130)


def _end_with(parent: int) -> None:
    """Wait for the parent's end, then end this process: at once if its work listens to a signal, else by force."""
    while os.getppid() == parent:
        time.sleep(POLL)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(130)


def _work(order: dict[str, object], store: RunStore, device: str, tell: Callable[[Event], None]) -> None:
    task = int(str(order["task"]))
    rival = None if order["rival"] is None else str(order["rival"])
    config = RunConfig.model_validate(order["config"])

    def on_progress(epoch: int, share: float, accuracy: float | None) -> None:
        tell(Event(task, "running", epoch, accuracy, share=share))

    state, error = perform(config, rival, store, device=device, on_progress=on_progress)
    tell(Event(task, state, error=error))


if __name__ == "__main__":
    main(*sys.argv[1:])
