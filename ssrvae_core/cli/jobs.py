"""Commands about what is trained in the background: ``jobs``, ``cancel`` and ``resume``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from ssrvae_core.cli.app import Json, Store, app
from ssrvae_core.cli.console import JOB_TIMES, in_percent, job_row, print_json, print_submitted, print_table, say
from ssrvae_core.runs import EmbeddingRun, EmbeddingStore, Run, RunStore
from ssrvae_core.runs.jobs import Job, JobQueue
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.progress import roughly
from ssrvae_core.times import time_text, with_local_times

LOG_LINES = 20
"""Last lines of the log that are shown of one job."""

JobId = Annotated[
    str, typer.Argument(metavar="JOB", help="A job's id, or the beginning of it; it is the id of what it makes.")
]
Lock = Annotated[int, typer.Option("--lock", help="File descriptor of the lock this process holds.")]


@app.command()
def jobs(
    job_id: Annotated[str | None, typer.Argument(metavar="[JOB]", help="Show this one, and its log.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="Set the most jobs at a time; 0: one per GPU, else one for every two cores."),
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """List the jobs: running, queued as their turn comes, and ended ones."""
    queue = JobQueue(RunStore(store))
    if limit is not None:
        queue.set_limit(limit or None)
        say(f"At most {queue.limit} {'job runs' if queue.limit == 1 else 'jobs run'} at a time.")
    if job_id is not None:
        _show(queue.get(job_id), as_json)
        return
    found = queue.list()
    table = Table("id", "what", "state", "done", "time left")
    for job in found:
        table.add_row(job.id, job.title, job.state, _done(job), _left(job))
    print_table(table) if found else print(f"There are no jobs in {queue.store.root}; 'train --detach' submits one.")
    for job in found:
        if job.error is not None:
            say(f"{job.id} {job.state}: {job.error}")
    if as_json:
        print_json([job_row(job) for job in found])


@app.command()
def cancel(job_id: JobId, store: Store = None, as_json: Json = False) -> None:
    """Stop a job, or a run or an embedding that is trained in another terminal; it can be resumed."""
    queue = JobQueue(RunStore(store))
    jobs, there = queue.list(), _trained_here(queue.store) if job_id else []  # no id is not everybody's beginning
    ours = [job for job in jobs if job.id.startswith(job_id) and job.state in {"queued", "running"}]
    runs = [run for run in there if run.id.startswith(job_id) and run.status.state == "running"]
    if not ours and len(runs) == 1:
        require_editor()
        runs[0].cancel()
        what = "Embedding" if isinstance(runs[0], EmbeddingRun) else "Run"
        print(f"{what} {runs[0].id} stops within seconds; the command that trained it goes on from there.")
        result = {"id": runs[0].id, "state": "running"}
    else:
        job = queue.cancel(job_id)
        wait = " It stops within seconds; 'resume' goes on from there." if job.state == "running" else ""
        print(f"Job {job.id} is {job.state}.{wait}")
        result = job_row(job)
    if as_json:
        print_json(result)


@app.command()
def resume(job_id: JobId, store: Store = None, as_json: Json = False) -> None:
    """Queue a job again that was cancelled, interrupted or failed; it goes on from its checkpoint."""
    print_submitted(JobQueue(RunStore(store)).resume(job_id), as_json)


@app.command(hidden=True)
def work(job_id: JobId, lock: Lock, store: Store = None) -> None:
    """Do a job. The dispatcher starts this."""
    from ssrvae_core.runs.worker import work as do

    do(RunStore(store), job_id, lock)


@app.command(hidden=True)
def queue(lock: Lock, store: Store = None) -> None:
    """Start queued jobs until none is left. Whoever submits a job starts this."""
    from ssrvae_core.runs.dispatcher import dispatch

    dispatch(RunStore(store), lock)


def _trained_here(store: RunStore) -> list[Run | EmbeddingRun]:
    """Return all runs and embeddings."""
    return [*store.runs(), *EmbeddingStore(store).scan()[0]]


def _show(job: Job, as_json: bool) -> None:
    for name, value in job_row(job).items():
        if value not in {None, ""}:
            print(f"{name:>18}  {_in_words(name, value)}")
    log = job.log_tail(LOG_LINES)
    print(
        "\n".join([f"The end of {job.path / 'log.txt'}:", *map(with_local_times, log)]) if log else "It has no log yet."
    )
    if as_json:
        print_json(job_row(job) | {"log": log})


def _in_words(name: str, value: Any) -> Any:
    """Return a field of a job as a person reads it: local time instead of Unix time, and durations."""
    if name in JOB_TIMES:
        return time_text(value, seconds=True)
    if name == "share":
        return in_percent(value)
    if name == "seconds_left":
        return roughly(value)
    return _minutes(value) if name == "seconds" else value


def _done(job: Job) -> str:
    if job.state == "running" and job.at:
        return job.at
    return f"{job.done}/{job.total} {job.unit}" if job.total else "-"


def _left(job: Job) -> str:
    """Say how long a job will still take; a dash where it does not run, or nothing was measured yet."""
    if job.state != "running":
        return "-"
    return "estimating" if job.seconds_left is None else roughly(job.seconds_left)


def _minutes(seconds: float) -> str:
    """Format a duration as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
