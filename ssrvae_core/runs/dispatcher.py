"""The dispatcher: a small process that starts queued jobs while there is room, and ends when none is left.

It holds ``<store>/jobs/lock``, so that there is one at a time. Locks pass from parent to child: whoever finds the
dispatcher's lock free takes it and starts the dispatcher with it, and the dispatcher takes a job's lock and starts the
worker with that. So there is no moment at which one of them could be started twice, whoever is killed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import ssrvae_core
from ssrvae_core.config import UserError
from ssrvae_core.runs import job as files
from ssrvae_core.runs.files import atomic_write, drop_torn_line, held, locked
from ssrvae_core.runs.job import JOBS, JobTask, Record, read_record, read_task, write_record
from ssrvae_core.runs.machine import POLL, cores, cuda_gpus, default_jobs
from ssrvae_core.runs.store import RunStore

_LIMIT = "limit"
_OUTER = "SSRVAE_OUTER"  # in a worker's environment: what its dispatcher changed there, as it was before
_ID = re.compile(r"[0-9a-f]{12}")


def ensure_dispatcher(store: RunStore) -> None:
    """Start a dispatcher, detached from this process, unless there is one or nothing waits for it."""
    root = store.root / JOBS
    if held(root / files.LOCK) or not waiting(store):
        return
    try:
        with locked(root / files.LOCK, wait=False) as lock:
            process = start_process(["queue"], store, lock, root / files.LOG, _outer(), Path.cwd())
    except BlockingIOError:
        return  # somebody else was faster
    threading.Thread(target=process.wait, daemon=True).start()  # else it stays in the process table when it ends


def dispatch(store: RunStore, lock: int) -> None:
    """Start queued jobs until none is left.

    Parameters
    ----------
    store : RunStore
        Whose jobs.
    lock : int
        The inherited file descriptor that holds the dispatchers' lock.
    """
    os.set_inheritable(lock, False)
    children: dict[str, _Child] = {}
    while queue := waiting(store):
        for job_id in list(children):
            if children[job_id].process.poll() is not None:
                _bury(store, job_id, children.pop(job_id))
        idle = [job_id for job_id in queue if not held(store.root / JOBS / job_id / files.LOCK)]
        room = limit(store) - len(_at_work(store))
        for job_id in idle[: max(0, room)]:
            if (child := _start_job(store, job_id)) is not None:
                children[job_id] = child
        time.sleep(POLL)
    os.close(lock)
    ensure_dispatcher(store)  # for what was submitted in the instant between the last look and this


def job_ids(store: RunStore) -> list[str]:
    """Return the names of the job directories."""
    try:
        with os.scandir(store.root / JOBS) as entries:
            return sorted(e.name for e in entries if _ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"The jobs in {store.root / JOBS} cannot be read: {error.strerror}.") from error


def waiting(store: RunStore) -> list[str]:
    """Return the ids of the queued jobs, first come first; one whose worker is starting up is among them."""
    found = [(record.queued, job_id) for job_id, record in _records(store).items() if record.state == "queued"]
    return [job_id for _, job_id in sorted(found)]


def limit(store: RunStore) -> int:
    """Return the most jobs at a time."""
    try:
        return int((store.root / JOBS / _LIMIT).read_text())
    except FileNotFoundError:
        return default_jobs()
    except ValueError as error:
        raise UserError(f"{store.root / JOBS / _LIMIT} holds no number; delete the file.") from error


def write_limit(store: RunStore, jobs: int | None) -> None:
    """Set the most jobs at a time; None for the machine's default."""
    path = store.root / JOBS / _LIMIT
    path.parent.mkdir(parents=True, exist_ok=True)
    if jobs is None:
        path.unlink(missing_ok=True)
    else:
        atomic_write(path, f"{jobs}\n")


class _Child:
    """A worker's process, and what it was to do."""

    def __init__(self, process: subprocess.Popen[bytes], record: Record) -> None:
        self.process, self.record = process, record


def _records(store: RunStore) -> dict[str, Record]:
    """Return the records of the jobs that can be read."""
    records = {}
    for job_id in job_ids(store):
        try:
            record = read_record(store.root / JOBS / job_id)
        except UserError:  # the list of jobs shows it
            continue
        if record is not None:
            records[job_id] = record
    return records


def _at_work(store: RunStore) -> list[str]:
    """Return the ids of the jobs that have a worker."""
    return [job_id for job_id in job_ids(store) if held(store.root / JOBS / job_id / files.LOCK)]


def _start_job(store: RunStore, job_id: str) -> _Child | None:
    """Start a queued job's worker; None if it is no longer there to be started."""
    path = store.root / JOBS / job_id
    if not path.is_dir():
        return None
    try:
        with locked(path / files.LOCK, wait=False) as lock:
            record = read_record(path)
            if record is None or record.state != "queued":
                return None
            try:
                task = read_task(path)
                environment, record = _share_out(store, task, record)
                write_record(path, record)
                drop_torn_line(path / files.LOG)
                process = start_process(["work", job_id], store, lock, path / files.LOG, environment, Path(task.folder))
            except (UserError, OSError) as error:
                failed = {"state": "failed", "ended": time.time(), "error": f"It could not be started: {error}"}
                write_record(path, record.model_copy(update=failed))
                return None
    except BlockingIOError:
        return None
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} started job {job_id}, process {process.pid}", flush=True)
    return _Child(process, record)


def _bury(store: RunStore, job_id: str, child: _Child) -> None:
    """Take a job out of the queue whose worker ended before it could say that it had begun."""
    path = store.root / JOBS / job_id
    try:
        with locked(path / files.LOCK, wait=False):
            if read_record(path) == child.record:
                code = child.process.returncode
                sentence = f"Its worker ended while it started up (exit code {code}); see the log, and resume the job."
                gone = {"state": "interrupted", "ended": time.time(), "error": sentence}
                write_record(path, child.record.model_copy(update=gone))
    except BlockingIOError:
        pass  # somebody has the job in hand, so it is not where the worker left it


def _share_out(store: RunStore, task: JobTask, record: Record) -> tuple[dict[str, str], Record]:
    """Return a worker's environment, its share of the cores and its GPU in it, and the record that says which GPU."""
    environment = dict(os.environ)
    if task.spec is None:  # a sweep shares out the cores itself
        environment.setdefault("OMP_NUM_THREADS", str(max(1, cores() // limit(store))))
    gpus = cuda_gpus()
    wanted = task.device if task.device != "auto" else environment.get("SSRVAE_DEVICE", "auto")
    if gpus and wanted in {"auto", "cuda"}:
        records = _records(store)
        used = Counter(records[job_id].gpu for job_id in _at_work(store) if job_id in records)
        gpu = min(gpus, key=lambda name: used[name])
        environment["CUDA_VISIBLE_DEVICES"] = gpu
        record = record.model_copy(update={"gpu": gpu})
    changed = {name: os.environ.get(name) for name, value in environment.items() if os.environ.get(name) != value}
    return environment | {_OUTER: json.dumps(changed)}, record


def _outer() -> dict[str, str]:
    """Return this process's environment without the share of a worker: the next jobs have shares of their own."""
    environment = dict(os.environ)
    for name, value in json.loads(environment.pop(_OUTER, "{}")).items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    return environment


def start_process(
    command: list[str], store: RunStore, lock: int, log: Path, environment: dict[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    """Start a hidden command in a session of its own, with a lock to hold for as long as it lives."""
    packages = [str(Path(ssrvae_core.__file__).parents[1]), environment.get("PYTHONPATH")]
    arguments = ["--store", str(store.root.absolute()), "--lock", str(lock)]
    with log.open("ab") as output:
        return subprocess.Popen(
            # -P: a file of the user's that is called like a package is not imported instead of it.
            [sys.executable, "-P", "-m", "ssrvae_core", *command, *arguments],
            cwd=folder if folder.is_dir() else None,
            env=environment | {"PYTHONPATH": os.pathsep.join(path for path in packages if path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(lock,),
            start_new_session=True,
        )
