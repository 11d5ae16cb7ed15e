"""Jobs: submit, list, cancel and resume what is trained by processes that outlive whoever started them.

Files are the truth (see :mod:`~ssrvae_core.runs.job`). A dispatcher (:mod:`~ssrvae_core.runs.dispatcher`) starts the
queued jobs a few at a time, each in a worker (:mod:`~ssrvae_core.runs.worker`). None of the three needs another to
live: a lost dispatcher is replaced at the next look at the queue, and a lost worker's job resumes from its checkpoint.

Importing this module, and listing jobs, needs no torch.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssrvae_core.config import RunConfig, UserError, data_name, describe
from ssrvae_core.runs import job as files
from ssrvae_core.runs.dispatcher import ensure_dispatcher, job_ids, limit, write_limit
from ssrvae_core.runs.embeddings.config import StoredEmbeddingConfig
from ssrvae_core.runs.embeddings.store import EmbeddingRun, home_of, title_of
from ssrvae_core.runs.files import atomic_write, locked, remove_directory, writing
from ssrvae_core.runs.job import Job, JobTask, Kind, Record, read_job, read_record, write_record
from ssrvae_core.runs.mode import is_viewer, require_editor
from ssrvae_core.runs.store import Run, RunStore
from ssrvae_core.runs.sweep_spec import SweepSpec
from ssrvae_core.runs.sweep_task import Task, sweep_id
from ssrvae_core.runs.uploads import with_owners_names

__all__ = ["Job", "JobQueue"]

_PREFIX = re.compile(r"[0-9a-f]{1,12}")
_Jobs = list[Job]
_LEAVING = 10.0  # seconds that a worker which has recorded its end may take to exit


class JobQueue:
    """The jobs of a store.

    Everything but looking is refused in viewer mode (:func:`ssrvae_core.runs.mode.require_editor`).

    Parameters
    ----------
    store : RunStore
        Where runs, sweeps and embeddings are kept; the jobs are in its directory ``jobs``.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.root = store.root / files.JOBS

    def submit(
        self,
        kind: Kind = "train",
        *,
        config: RunConfig | None = None,
        spec: Mapping[str, Any] | None = None,
        embedding: StoredEmbeddingConfig | None = None,
        device: str = "auto",
        time_limit: float | None = None,
    ) -> Job:
        """Queue a run, a sweep or an embedding, and return at once.

        What is already queued or running is returned as it is. What has ended is queued again: what is finished is then
        not trained again, another one goes on from its checkpoint.

        Parameters
        ----------
        kind : str
            ``train``, ``sweep`` or ``embed``.
        config : RunConfig
            The run, for ``train``.
        spec : mapping
            The fields of a :class:`ssrvae_core.runs.sweep_spec.SweepSpec`, for ``sweep``.
        embedding : StoredEmbeddingConfig
            The embedding, for ``embed``.
        device : str
            See :func:`ssrvae_core.training.device.choose_device`.
        time_limit : float, optional
            Seconds after which a run stops, ready to go on.

        Raises
        ------
        UserError
            If the sweep is not valid, something else is given than the kind needs, the store cannot be written, or this
            is a viewer.
        """
        require_editor()
        given = {"train": config, "sweep": spec, "embed": embedding}
        if [name for name, value in given.items() if value is not None] != [kind]:
            raise UserError(
                f"A job of kind '{kind}' cannot be made of this; give 'train' a config, 'sweep' a spec or 'embed' an"
                " embedding."
            )
        job_id, title = self._named(config, spec, embedding)
        path, now = self.root / job_id, time.time()
        task = JobTask(
            config=config,
            spec=None if spec is None else dict(spec),
            embedding=embedding,
            device=os.environ.get("SSRVAE_DEVICE", device) if device == "auto" else device,  # the submitter's
            time_limit=time_limit,
            folder=os.getcwd(),
        )
        with self._writing(), _unless_at_work(path) as (idle, record):
            if idle and (record is None or record.state != "queued"):
                (path / files.CANCEL).unlink(missing_ok=True)
                atomic_write(path / files.TASK, task.model_dump_json(indent=2) + "\n")
                new = Record(kind=kind, title=title, created=now, queued=now)
                write_record(path, new if record is None else record.again(title))
        return self._queued(job_id)

    def list(self) -> _Jobs:
        """Return the jobs: running ones, then queued ones as their turn comes, then the others, last updated first.

        A queue that has lost its dispatcher gets another one.
        """
        found = [job for job_id in job_ids(self.store) if (job := read_job(self.store, job_id)) is not None]
        jobs = sorted(found, key=_order)
        if any(job.state == "queued" for job in jobs) and not is_viewer() and os.access(self.root, os.W_OK):
            with suppress(OSError):  # such as another user's queue, which that user's next look sees to
                ensure_dispatcher(self.store)
        return jobs

    def get(self, job_id: str) -> Job:
        """Return one job by its id or the beginning of it.

        Raises
        ------
        UserError
            If no job, or more than one, answers to it.
        """
        if not _PREFIX.fullmatch(job_id):
            raise UserError(f"'{job_id}' is not a job id: give (the beginning of) 12 hex digits, as 'jobs' shows them.")
        found = [read_job(self.store, name) for name in job_ids(self.store) if name.startswith(job_id)]
        jobs = [job for job in found if job is not None]
        if not jobs:
            raise UserError(f"There is no job {job_id} in {self.root}; 'python -m ssrvae_core jobs' lists them.")
        if len(jobs) > 1:
            raise UserError(
                f"'{job_id}' is the beginning of {len(jobs)} jobs ({', '.join(job.id for job in jobs)}); "
                "give more digits."
            )
        return jobs[0]

    def cancel(self, job_id: str) -> Job:
        """Take a job out of the queue, or ask its worker to stop, which it does within seconds and ready to go on.

        Raises
        ------
        UserError
            If it is neither queued nor running, or this is a viewer.
        """
        require_editor()
        path = self.get(job_id).path
        with self._writing():
            (path / files.CANCEL).touch()  # first, so that a worker starting now sees it
            with _unless_at_work(path) as (idle, record):
                # A worker that ended just now has taken the flag away, and what it came to is the answer.
                if idle and (path / files.CANCEL).exists():
                    (path / files.CANCEL).unlink()
                    if record is None or record.state != "queued":
                        state = self.get(path.name).state
                        raise UserError(f"Job {path.name} is {state}, so there is nothing to cancel.")
                    write_record(path, record.model_copy(update={"state": "cancelled", "ended": time.time()}))
        return self.get(path.name)

    def resume(self, job_id: str) -> Job:
        """Queue a job again that was cancelled, interrupted or failed; it goes on from its checkpoint.

        A job that is queued or running is returned as it is. The id of a run or an embedding that never was a job, such
        as one trained in a terminal that was closed, makes it one.

        Raises
        ------
        UserError
            If it is finished or still stopping, there is no such job or run, or this is a viewer.
        """
        require_editor()
        job_id, one = self._job_or_run(job_id)
        if one is not None:
            if one.status.state in {"finished", "running"}:
                what = "Run" if isinstance(one, Run) else "Embedding"
                raise UserError(f"{what} {one.id} is {one.status.state}, so there is nothing to resume.")
            if isinstance(one, Run):
                return self.submit(config=one.config)
            return self.submit("embed", embedding=one.config)
        path = self.root / job_id
        with self._writing(), _unless_at_work(path) as (idle, record):
            if not idle and (path / files.CANCEL).exists():
                raise UserError(f"Job {job_id} is still stopping; resume it when 'jobs' shows it as cancelled.")
            if idle and record is not None and record.state == "finished":
                raise UserError(f"Job {job_id} is finished, so there is nothing to resume.")
            if idle and record is not None and record.state != "queued":
                (path / files.CANCEL).unlink(missing_ok=True)
                write_record(path, record.again(record.title))
        return self._queued(job_id)

    def remove(self, job_id: str) -> None:
        """Forget a job and its log; what it made stays in the store.

        Raises
        ------
        UserError
            If there is no such job, it is running, or this is a viewer.
        """
        require_editor()
        path = self.get(job_id).path
        with self._writing(), _unless_at_work(path) as (idle, _):
            if not idle:
                raise UserError(f"Job {path.name} is running; cancel it before you remove it.")
            remove_directory(path)

    @property
    def limit(self) -> int:
        """Most jobs at a time: what :meth:`set_limit` was told, else one per GPU, else one for every two cores."""
        return limit(self.store)

    def set_limit(self, jobs: int | None) -> None:
        """Set the most jobs at a time; None for the default. Running jobs go on.

        Raises
        ------
        UserError
            If the number is less than 1, or this is a viewer.
        """
        require_editor()
        if jobs is not None and jobs < 1:
            raise UserError(f"{jobs} jobs at a time would be none at all; give 1 or more.")
        with self._writing():
            write_limit(self.store, jobs)

    def _queued(self, job_id: str) -> Job:
        """Return a job that was just queued, when somebody is there to start it."""
        with self._writing():
            ensure_dispatcher(self.store)
        return self.get(job_id)

    def _named(
        self, config: RunConfig | None, spec: Mapping[str, Any] | None, embedding: StoredEmbeddingConfig | None
    ) -> tuple[str, str]:
        """Return the id and the title of a job."""
        if spec is not None:
            return _sweep(spec)
        if embedding is not None:
            name = with_owners_names(data_name(embedding.dataset), self.store.root)
            return embedding.embedding_id, title_of(name, embedding.seed)
        config = config or RunConfig()
        name = with_owners_names(data_name(config.dataset), self.store.root)
        return config.run_id, Task(config, name, config.model.name).title

    def _job_or_run(self, prefix: str) -> tuple[str, Run | EmbeddingRun | None]:
        """Return the id of a job, or of a run or an embedding that is none, and then that."""
        if not _PREFIX.fullmatch(prefix):
            raise UserError(
                f"'{prefix}' is not a job or run id: give (the beginning of) 12 hex digits, as 'jobs' or 'list' show."
            )
        if any(name.startswith(prefix) for name in job_ids(self.store)):
            return self.get(prefix).id, None
        one = home_of(prefix, self.store).get(prefix)
        return one.id, one

    def _writing(self) -> AbstractContextManager[None]:
        return writing(f"The jobs in {self.root}")


@contextmanager
def _unless_at_work(path: Path) -> Iterator[tuple[bool, Record | None]]:
    """Yield True and the record, holding the job's lock; or False and the record if a worker or a submitter has it.

    A worker that has recorded its end, and is about to exit, is waited for.
    """
    deadline = time.monotonic() + _LEAVING
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(path / files.LOCK, wait=False))
            except BlockingIOError:
                record = read_record(path)
                at_work = record is not None and record.state in {"queued", "running"}
                if at_work or time.monotonic() > deadline:
                    yield False, record
                    return
                time.sleep(0.02)
            else:
                yield True, read_record(path)
                return


def _order(job: Job) -> tuple[int, float]:
    """Sort running before queued before ended jobs."""
    if job.state == "running":
        return 0, job.queued
    return (1, job.queued) if job.state == "queued" else (2, -job.updated)


def _sweep(spec: Mapping[str, Any]) -> tuple[str, str]:
    """Return a sweep's id and title."""
    try:
        tasks = SweepSpec.model_validate(dict(spec)).tasks()
    except ValidationError as error:
        raise UserError(f"The sweep's {describe(error)}") from error
    models = ", ".join(dict.fromkeys(task.model for task in tasks if not task.rival))
    rivals = ", ".join(dict.fromkeys(task.model for task in tasks if task.rival))
    data = ", ".join(dict.fromkeys(task.data for task in tasks))
    if models and rivals:  # which share their splits; the models may be trained already
        return sweep_id(tasks), f"{rivals} beside {models} on {data}"
    return sweep_id(tasks), f"{len(tasks)} {'run' if len(tasks) == 1 else 'runs'} of {models or rivals} on {data}"
