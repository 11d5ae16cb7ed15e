"""One job: something long-running, done by a process of its own, and the files that tell how far it is.

A job is named for what it makes: its id is the id of its run, its sweep or its embedding, so nothing is ever queued
twice. Its directory is ``<store>/jobs/<id>/``:

- ``task.json``, a :class:`JobTask`, and ``status.json``, a :class:`Record`, both replaced whole;
- ``lock``, held by its worker for as long as that lives. Every change of the two files is made by its holder;
- ``heartbeat``, whose time the worker renews, and ``cancel``, which asks it to stop;
- ``log.txt``, all that the worker prints.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ssrvae_core.config import RunConfig, UserError, describe
from ssrvae_core.runs import directory
from ssrvae_core.runs.directory import State
from ssrvae_core.runs.embeddings.config import StoredEmbeddingConfig
from ssrvae_core.runs.embeddings.store import EmbeddingRun, EmbeddingStore
from ssrvae_core.runs.files import atomic_write, held
from ssrvae_core.runs.store import RunStore
from ssrvae_core.runs.sweep_table import read_progress

JOBS = "jobs"
TASK = "task.json"
STATUS = "status.json"
LOCK = "lock"
HEARTBEAT = "heartbeat"
CANCEL = "cancel"
LOG = "log.txt"

STALE = 10.0
"""Seconds without a heartbeat after which a worker on another machine counts as dead."""

_TAIL = 1 << 16  # bytes of the log that its last lines are taken from

Kind = Literal["train", "sweep", "embed"]

UNITS: dict[Kind, str] = {"train": "epochs", "sweep": "runs", "embed": "steps"}
"""What is counted of each kind."""


class JobTask(BaseModel):
    """What a job does; the content of ``task.json``.

    Attributes
    ----------
    config : RunConfig, optional
        The run, of a job that trains one.
    spec : dict, optional
        The fields of a :class:`ssrvae_core.runs.sweep_spec.SweepSpec`, of a job that is a sweep.
    embedding : StoredEmbeddingConfig, optional
        The embedding, of a job that makes one.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    time_limit : float, optional
        Seconds after which a run stops, ready to go on.
    folder : str
        Working directory of who submitted it, which relative paths start from.
    """

    model_config = ConfigDict(frozen=True)

    config: RunConfig | None = None
    spec: dict[str, Any] | None = None
    embedding: StoredEmbeddingConfig | None = None
    device: str = "auto"
    time_limit: float | None = None
    folder: str


class Record(BaseModel):
    """The state of a job as its last writer left it; the content of ``status.json``. Times are Unix times."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    title: str
    state: State = "queued"
    created: float
    queued: float
    started: float | None = None
    ended: float | None = None
    host: str | None = None
    pid: int | None = None
    pid_started: float | None = None
    gpu: str | None = None
    error: str | None = None

    def again(self, title: str) -> Record:
        """Return the record of the same job at the end of the queue."""
        return Record(kind=self.kind, title=title, created=self.created, queued=time.time())


@dataclass(frozen=True)
class Job:
    """One job, as its directory was when it was read.

    Attributes
    ----------
    id : str
        12 hex digits: the id of the run, the sweep or the embedding it makes.
    kind : str
        ``train``, ``sweep`` or ``embed``.
    title : str
        What it does, in words.
    state : str
        ``queued``, ``running``, ``finished``, ``failed``, ``cancelled`` or ``interrupted``. A job whose worker is gone
        reads as interrupted; the last three can be resumed.
    path : Path
        The job's directory.
    created, queued : float
        When it was first and last submitted, Unix time.
    started, ended : float, optional
        When its last worker began and came to an end.
    updated : float
        The last sign of life.
    pid, pid_started : int and float, optional
        Its last worker's process and that process's start (Unix time), as ids are used again.
    error : str, optional
        Why it failed or was interrupted, in a sentence.
    done, total : int
        Epochs of a run, runs of a sweep, or steps of an embedding; the total is 0 while it is not known.
    share : float
        Share of the work that is done, in [0, 1]: of a run the steps of its short starts and of the epoch under way
        count.
    at : str
        Where a run or an embedding is, in words such as ``epoch 3 of 8, step 40 of 120``; empty where it is not known.
    goes_on : str
        Where what stopped goes on, such as ``epoch 4``; empty where it begins again, and of a sweep.
    seconds : float
        Wall time so far, of a sweep in the last session, of others over all.
    seconds_left : float, optional
        What a running job will still take at the pace measured, None before there is one.
    """

    id: str
    kind: Kind
    title: str
    state: State
    path: Path
    created: float
    queued: float
    started: float | None
    ended: float | None
    updated: float
    pid: int | None
    pid_started: float | None
    error: str | None
    done: int
    total: int
    share: float
    at: str
    goes_on: str
    seconds: float
    seconds_left: float | None

    @property
    def run_id(self) -> str | None:
        """Id of the run it trains, None for others."""
        return self.id if self.kind == "train" else None

    @property
    def sweep_id(self) -> str | None:
        """Id of the sweep, None for others."""
        return self.id if self.kind == "sweep" else None

    @property
    def embedding_id(self) -> str | None:
        """Id of the embedding it makes, None for others."""
        return self.id if self.kind == "embed" else None

    @property
    def unit(self) -> str:
        """What :attr:`done` and :attr:`total` count."""
        return UNITS[self.kind]

    def log_tail(self, n: int = 20) -> list[str]:
        """Return the last ``n`` lines of the log, of a long line the end."""
        try:
            with (self.path / LOG).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - _TAIL))
                return file.read().decode(errors="replace").splitlines()[-n:]
        except FileNotFoundError:
            return []


def write_record(path: Path, record: Record) -> None:
    """Write ``status.json``; the caller holds the lock, so what a killed writer left is cleared away."""
    for leftover in path.glob(".*.tmp"):
        leftover.unlink()
    atomic_write(path / STATUS, record.model_dump_json(indent=2) + "\n")


def read_record(path: Path) -> Record | None:
    """Read ``status.json``; None where there is none, as a job is only submitted once it is written."""
    try:
        return Record.model_validate_json((path / STATUS).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UserError(
            f"{path / STATUS} cannot be read ({describe(error)[:300]}); delete the folder {path}."
        ) from error


def read_task(path: Path) -> JobTask:
    """Read ``task.json``."""
    try:
        return JobTask.model_validate_json((path / TASK).read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{path / TASK} cannot be read; remove the job and submit it again.") from error


def read_job(store: RunStore, job_id: str) -> Job | None:
    """Read a job; None where there is none. One that cannot be read has failed."""
    path = store.root / JOBS / job_id
    try:
        record, alive = _look(path)
    except UserError as error:
        record, alive = Record(kind="train", title=job_id, state="failed", created=0, queued=0, error=str(error)), False
    if record is None:
        return None
    state, message = record.state, record.error
    if state == "queued" and alive:  # its worker is starting up
        state = "running"
    elif state == "running" and not alive:
        state = "interrupted"
        message = f"Its worker (process {record.pid}) ended without a word; resume the job to go on."
    beat = _heartbeat(path) if record.started else 0.0
    times = [record.queued, record.started or 0.0, record.ended or 0.0, beat]
    kept = record.model_dump(include={"kind", "title", "created", "queued", "started", "ended", "pid", "pid_started"})
    progress = _progress(store, job_id, record) | ({} if state == "running" else {"seconds_left": None})
    return Job(id=job_id, path=path, state=state, error=message, updated=max(times), **kept, **progress)


def _look(path: Path) -> tuple[Record | None, bool]:
    """Return a job's record and whether it has a living worker, as they were at one moment."""
    record = read_record(path)
    while record is not None and record.state in {"queued", "running"}:
        alive = _alive(path, record)
        again = read_record(path)
        if again == record:  # else it began or ended between the two looks
            return record, alive
        record = again
    return record, False


def _alive(path: Path, record: Record) -> bool:
    """Whether the job has a worker.

    The system frees the lock however the worker ends: neither another process with its number nor a clock that was set
    can deceive. A lock of another machine may not be seen here, but its heartbeat is.
    """
    elsewhere = record.state == "running" and record.host != platform.node()
    return held(path / LOCK) or (elsewhere and time.time() - _heartbeat(path) < STALE)


def _heartbeat(path: Path) -> float:
    try:
        return (path / HEARTBEAT).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _progress(store: RunStore, job_id: str, record: Record) -> dict[str, Any]:
    """Return how far it is, by the names of a job's fields, as the own files of what it makes tell it."""
    known = {"done": 0, "total": 0, "share": 0.0, "at": "", "goes_on": "", "seconds": 0.0, "seconds_left": None}
    try:
        if record.kind == "train":
            return known | _of_run(store, job_id)
        if record.kind == "embed":
            return known | _of_embedding(EmbeddingStore(store).get(job_id))
        return known | _of_sweep(store, job_id, record)
    except (OSError, ValueError, KeyError):  # not begun yet, or deleted; a broken run is the store's to report
        return known


def _of_run(store: RunStore, job_id: str) -> dict[str, Any]:
    status = directory.read_status(store.root / job_id)
    done, total, seconds = status.epoch, status.epochs, status.seconds
    known = {"done": done, "total": total, "share": status.share, "goes_on": status.goes_on, "seconds": seconds}
    if status.progress is not None:
        return known | {"at": status.progress.in_words, "seconds_left": status.progress.seconds_left}
    # of an earlier version
    config = read_task(store.root / JOBS / job_id).config or RunConfig()
    return known | {"seconds_left": seconds / config.training.trained(done) * (total - done) if done else None}


def _of_embedding(one: EmbeddingRun) -> dict[str, Any]:
    known = {"done": one.steps_done, "total": one.steps, "share": one.share, "seconds": one.status.seconds}
    if one.progress is None:
        return known
    at, goes_on, left = one.progress.in_words, one.progress.goes_on, one.progress.seconds_left
    return known | {"at": at, "goes_on": goes_on, "seconds_left": left}


def _of_sweep(store: RunStore, job_id: str, record: Record) -> dict[str, Any]:
    values = read_progress(store, job_id)
    done, total = values["finished"] + values["failed"], values["tasks"]
    return {
        "done": done,
        "total": total,
        "share": values.get("share", done / max(total, 1)),
        "seconds": values["seconds"],
        "seconds_left": values["eta_seconds"] if values["updated"] > (record.started or 0.0) else None,
    }
