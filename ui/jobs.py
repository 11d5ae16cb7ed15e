"""Trainings under way and stopped ones: what there is, how far each is, and the buttons to cancel and resume."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import streamlit as st

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.reports.wording import MODEL_TITLES
from ssrvae_core.runs import Run, RunStore, directory
from ssrvae_core.runs.data_files import dataset_name
from ssrvae_core.runs.job import CANCEL, JOBS, UNITS, read_task
from ssrvae_core.runs.job import STATUS as JOB_STATUS
from ssrvae_core.runs.jobs import Job, JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.progress import roughly
from ssrvae_core.runs.uploads import with_owners_names
from ui import markdown
from ui.overview import LIVE, complaint, remaining_seconds
from ui.runs import config_label, run_label

STOPPED = ("interrupted", "failed", "cancelled")
TRAIN = "pages/train.py"
_ID = re.compile(r"[0-9a-f]{12}")
_MODEL = re.compile(rf"\b({'|'.join(sorted(map(re.escape, MODEL_TITLES), key=len, reverse=True))})(?![\w-])")


def last_change(store: RunStore) -> float:
    """Return when the state of any run or job was last written, seconds; 0 where there is none."""
    states = [*store.root.glob(f"*/{directory.STATUS}"), *store.root.glob(f"{JOBS}/*/{JOB_STATUS}")]
    return max(map(_written, states), default=0.0)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted just now
        return 0.0


@dataclass(frozen=True)
class Work:
    """Something that is trained, or was: a job, a run that is none (a terminal's), or a job with its run.

    Attributes
    ----------
    id : str
        Of the job or the run, which are the same where there are both.
    job : Job, optional
        The job.
    run : Run, optional
        The run; None for a sweep and an embedding, and before the training has begun.
    """

    id: str
    job: Job | None
    run: Run | None

    @property
    def state(self) -> str:
        """State of the job, or of a run without one."""
        if self.job is None:
            return self.run.status.state if self.run else "interrupted"
        # A terminal may have ended what the job left behind, or may train it now.
        if self.job.embedding_id and self.job.state in STOPPED and self.job.share >= 1:
            return "finished"
        overtaken = self.run is not None and self.job.state in STOPPED and self.run.status.state in {"finished", *LIVE}
        return self.run.status.state if self.run and overtaken else self.job.state

    @property
    def live(self) -> bool:
        """Whether it is under way, or waits for its turn."""
        return self.state in LIVE

    @property
    def title(self) -> str:
        """What it is, in a line, worded the same before and after it has begun."""
        if self.run is not None:
            return run_label(self.run)
        if self.job is None:
            return self.id
        if self.job.kind == "train" and (config := _config_of_job(self.job)) is not None:
            return config_label(config, self.id, dataset_name(config.dataset, self.job.path.parents[1]))
        return _MODEL.sub(lambda found: MODEL_TITLES[found[0]], self.job.title)

    @property
    def done(self) -> int:
        """What is done, in :attr:`unit`."""
        return self.job.done if self.job else self.run.status.epoch if self.run else 0

    @property
    def total(self) -> int:
        """What there is to do, in :attr:`unit`; 0 while it is not known."""
        if self.run is not None:
            return self.run.config.training.epochs
        return self.job.total if self.job else 0

    @property
    def unit(self) -> str:
        """What is counted: epochs of a run, runs of a sweep, steps of an embedding."""
        return self.job.unit if self.job else UNITS["train"]

    @property
    def share(self) -> float:
        """Share of the training that is done, in [0, 1]."""
        return self.job.share if self.job else self.run.status.share if self.run else 0.0

    @property
    def at(self) -> str:
        """Start, epoch and step of a training in words; empty where it is not known."""
        if self.job is not None:
            return self.job.at
        return self.run.status.progress.in_words if self.run and self.run.status.progress else ""

    @property
    def goes_on(self) -> str:
        """Where a training that stopped goes on; empty where it begins again, and of a sweep."""
        return self.job.goes_on if self.job else self.run.status.goes_on if self.run else ""

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop and has not yet."""
        flags = [self.job.path / CANCEL] if self.job else []
        flags += [self.run.path / directory.CANCEL] if self.run else []
        return self.state == "running" and any(flag.exists() for flag in flags)

    def log(self, n: int) -> list[str]:
        """Return the last lines of its log."""
        if self.job is not None and (lines := self.job.log_tail(n)):
            return lines
        path = self.run.path / directory.LOG if self.run else None
        return path.read_text("utf-8", "replace").splitlines()[-n:] if path and path.exists() else []


def _config_of_job(job: Job) -> RunConfig | None:
    """Return what a job trains; None where that cannot be read, which its state and its error say."""
    try:
        return read_task(job.path).config
    except UserError:
        return None


def all_work(store: RunStore, runs: Sequence[Run]) -> list[Work]:
    """Return everything that is under way or has stopped before its end: what runs, what waits, then the rest."""
    known = {run.id: run for run in runs}
    jobs = [Work(job.id, job, known.get(job.id)) for job in JobQueue(store).list()]
    own = {work.id for work in jobs}
    others = [Work(run.id, None, run) for run in runs if run.id not in own]
    order = [*LIVE, *STOPPED]
    found = [work for work in [*jobs, *others] if work.state in order]
    return sorted(found, key=lambda work: order.index(work.state))


def work_of(store: RunStore, work_id: str) -> Work | None:
    """Return what has an id of 12 hex digits, None where nothing has."""
    if not _ID.fullmatch(work_id):
        return None
    jobs = JobQueue(store)
    job = jobs.get(work_id) if (jobs.root / work_id).is_dir() else None
    run = store.get(work_id) if store.path(work_id).is_dir() else None
    return Work(work_id, job, run) if job or run else None


def config_of(work: Work) -> RunConfig | None:
    """Return what a run, or the training that will make it, is configured by; None where that cannot be read."""
    if work.run is not None:
        return work.run.config
    return _config_of_job(work.job) if work.job is not None and work.job.kind == "train" else None


# In words.


def progress_text(work: Work, ahead: int = 0) -> str:
    """Say how far it is, and how long it will still take."""
    at = work.at  # of an earlier version's training, and of a sweep, only what is done is known
    if not at and work.total:
        trains = work.job is None or work.job.kind == "train"
        at = f"epoch {work.done} of {work.total}" if trains else f"{work.done:,} of {work.total:,} {work.unit}"
    if work.state == "queued":
        before = f"{ahead} before it" if ahead else "it is next"
        return f"queued, {before}" + (f"; goes on from {work.goes_on}" if work.goes_on else "")
    if work.state != "running":
        return _stopped_at(work)
    if work.stopping:
        return f"{at}, stopping".removeprefix(", ")
    if work.run is not None and work.run.status.state != "running":
        return "starting" + (f", goes on from {work.goes_on}" if work.goes_on else "")
    if work.at and work.share >= 1:  # what comes last, the evaluation, has no pace
        return at
    left = work.job.seconds_left if work.job else remaining_seconds(work.run) if work.run else None
    when = f"{roughly(left)} to go" if left is not None else "estimating the time" if at else "starting"
    return f"{at}, {when}".removeprefix(", ")


def _stopped_at(work: Work) -> str:
    """Say what is done of something that stopped, and where it goes on."""
    if work.run is not None:
        done = work.run.status.done_in_words
    else:
        done = f"{work.done:,} of {work.total:,} {work.unit}" if work.total else ""
    goes_on = f"; goes on from {work.goes_on}" if work.goes_on and work.state in STOPPED else ""
    return (f"{work.state} after {done}" if done else work.state) + goes_on


def reason(work: Work) -> str:
    """Return why it stopped, in a sentence; empty where nobody knows more than its state says."""
    return (work.job.error if work.job else None) or (work.run.status.error if work.run else None) or ""


def stopped_text(work: Work) -> str:
    """Say where something stopped before its end, and why, where that is known."""
    if work.run is not None and (sentence := complaint(work.run)):
        return sentence
    return f"{work.title}: {progress_text(work)}" + (f". {why}" if (why := reason(work)) else ".")


# On the page.


def bar(work: Work, ahead: int, store: RunStore) -> None:
    """Show how far it is."""
    text = with_owners_names(f"{work.title}: {progress_text(work, ahead)}", store.root)
    markdown.progress(min(work.share, 1.0), text)


def attempt(action: Callable[[], object]) -> bool:
    """Do what a button asks for; where it is refused, say so in its own sentence."""
    try:
        action()
    except UserError as error:
        markdown.error(str(error))
        return False
    return True


def cancel(store: RunStore, work: Work) -> None:
    """Stop it, ready to go on.

    Raises
    ------
    UserError
        If there is nothing to cancel, or this is a viewer.
    """
    if work.job is not None and work.job.state in LIVE:
        JobQueue(store).cancel(work.id)
    else:
        store.get(work.id).cancel()


def act(refused: str, action: Callable[[], object]) -> None:
    """Do what a button asks for, as its ``on_click``; where it is refused, keep the sentence in the session.

    A page that finds something changed is drawn again before it comes to its buttons, and forgets who was clicked; a
    callback comes before all that.
    """
    st.session_state.pop(refused, None)
    try:
        action()
    except UserError as error:
        st.session_state[refused] = str(error)


def buttons(store: RunStore, work: Work, page: str) -> None:
    """Show the button that suits its state: to cancel what is under way, to resume what stopped."""
    if is_viewer():
        return
    refused = f"{page}-refused-{work.id}-{work.state}"
    if work.live:
        st.button(
            "Stopping" if work.stopping else "Cancel",
            key=f"{page}-cancel-{work.id}",
            icon=":material/stop_circle:",
            disabled=work.stopping,
            on_click=act,
            args=(refused, partial(cancel, store, work)),
        )
    elif work.state in STOPPED:
        st.button(
            "Resume",
            key=f"{page}-resume-{work.id}",
            icon=":material/resume:",
            type="primary",
            on_click=act,
            args=(refused, partial(JobQueue(store).resume, work.id)),
        )
    if sentence := st.session_state.get(refused):
        markdown.error(sentence)
