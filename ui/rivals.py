"""Other methods on a run's data, labels and seed: those that were fitted, and how to fit more."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
from pydantic import ValidationError

from ssrvae_core.config import DATASETS, PAPER_RIVALS, RunConfig, UserError, applies, run_config
from ssrvae_core.figures import Panel
from ssrvae_core.invocation import command as program
from ssrvae_core.registry import RIVALS, rival_title
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.comparison import RivalResult, find_rival
from ssrvae_core.runs.jobs import Job, JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.sweep_spec import SweepSpec
from ui import markdown
from ui.entry import in_a_sentence
from ui.jobs import Work, act, buttons
from ui.markdown import public
from ui.overview import LIVE


@dataclass(frozen=True)
class Method:
    """A model or a rival under its title, and the evaluation on the validation images.

    Attributes
    ----------
    name : str
        ``left`` or ``right`` for a run, the rival's name for a rival.
    title : str
        What it is called on the page.
    id : str
        Of the run or the rival's result.
    judged : mapping
        As in a run's status.
    panel : Panel or None
        Its predictions, None where they cannot be read.
    seconds : float
        Wall time of training or fitting.
    """

    name: str
    title: str
    id: str
    judged: Mapping[str, Any]
    panel: Panel | None
    seconds: float


def fitted(run: Run, store: RunStore) -> dict[str, RivalResult]:
    """Return the rivals' results on a run's data, split and seed, by name; one that cannot be read is not there."""
    found = {name: find_rival(run.config, name, store) for name in RIVALS}
    return {name: result for name, result in found.items() if result is not None}


def method(result: RivalResult) -> Method:
    """Return a rival as the page shows it, and say so where its predictions cannot be read."""
    title = rival_title(result.rival)
    try:
        panel = Panel(title, _predictions(str(result.path.absolute()), result.updated, result))
    except UserError as error:
        markdown.warning(f"The images of {title} cannot be shown: {error}")
        panel = None
    return Method(result.rival, title, result.id, result.validation, panel, result.fit_seconds)


@st.cache_resource(max_entries=32, show_spinner="Reading the predictions")
def _predictions(path: str, updated: float, _result: RivalResult) -> Any:
    return _result.predictions()


def best_first(methods: Sequence[Method]) -> list[Method]:
    """Return the methods by falling accuracy, those without one last."""
    return sorted(methods, key=lambda m: -1 if m.judged.get("accuracy") is None else m.judged["accuracy"], reverse=True)


# Fitting, by a job.


def fit_spec(config: RunConfig, rivals: Sequence[str]) -> SweepSpec | None:
    """Return the sweep that fits rivals on a run's data, split and seed, None where a sweep cannot say it.

    The sweep has the run itself, too, which is not trained again.
    """
    named = next((name for name, values in DATASETS.items() if values == config.dataset), None)
    named = named or next((name for name, values in DATASETS.items() if values.source == config.dataset.source), None)
    data = config.dataset.path or named
    model, split = config.model.name, config.split
    if data is None:
        return None
    try:
        plain = run_config(
            data=named,
            dataset=None if named else config.dataset,
            model=model,
            labels_per_class=split.labels_per_class,
            labelled_ratio=split.labelled_ratio,
            by_group=split.by_group,
            seed=config.seed,
        )
        settings = {
            name: value
            for name, value in _differences(plain.model_dump(), config.model_dump())
            if applies(config, name)
        }
        spec = SweepSpec(
            data=(data,),
            models=(model,),
            labelled_ratios=() if split.labelled_ratio is None else (split.labelled_ratio,),
            labels_per_class=() if split.labels_per_class is None else (split.labels_per_class,),
            by_group=split.by_group,
            seeds=(config.seed,),
            settings=settings,
            rivals=tuple(rivals),
            view=None if named else config.dataset.view,
            skip_missing=config.dataset.skip_missing,
        )
        tasks = spec.tasks()
    except (UserError, ValidationError):
        return None
    return spec if tasks[0].id == config.run_id else None


def _differences(base: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values of what is not as in ``base``."""
    for name, value in other.items():
        if isinstance(value, Mapping) and isinstance(base.get(name), Mapping):
            yield from _differences(base[name], value, f"{prefix}{name}.")
        elif value != base.get(name) and prefix:
            yield f"{prefix}{name}", value


def command(config: RunConfig, rivals: Sequence[str]) -> str | None:
    """Return the command that fits rivals for the seeds up to a run's, None where data or split are changed by hand."""
    split, dataset = config.split, config.dataset
    data = dataset.path or next((name for name, values in DATASETS.items() if values == dataset), None)
    if data is None or (applies(config, "split.seed") and split.seed != config.seed):
        return None
    words = ["--data", data]
    if dataset.path is not None:
        words += ["--view", dataset.view]
    if split.labelled_ratio is not None:
        words += ["--labelled-ratio", f"{split.labelled_ratio:g}"]
    if split.labels_per_class is not None:
        words += ["--labels-per-class", str(split.labels_per_class)]
    if split.labelled_ratio is None and split.labels_per_class is None and dataset.path is None:
        words += ["--set", "split.labels_per_class=null"]
    if split.by_group:
        words += ["--group-split"]
    words += ["--models", "", "--rivals", ",".join(rivals), "--seeds", str(config.seed + 1)]
    return program(f"compare {shlex.join(words)}")


def job_of(spec: SweepSpec, store: RunStore) -> Job | None:
    """Return the job that works, or worked, on a sweep, None where there is none."""
    sweep = spec.sweep_id
    return next((job for job in JobQueue(store).list() if job.id == sweep), None)


def offer(page: str, run: Run, store: RunStore, missing: Sequence[str]) -> None:
    """Let rivals that were not fitted yet be chosen, and fitted by a job; or say how else that is done."""
    if not missing:
        return
    if is_viewer():
        markdown.note(f"Not fitted on this split: {', '.join(rival_title(name) for name in missing)}.")
        return
    with st.expander("Fit other methods", icon=":material/add:", expanded=len(missing) == len(RIVALS)):
        quick = [name for name in missing if name in PAPER_RIVALS] or list(missing[:1])
        chosen = st.multiselect(
            "Methods to fit on the same images and labels",
            missing,
            default=quick,
            format_func=rival_title,
            key=f"{page}-fit-{run.id}-{len(missing)}",
        )
        config = run.config.model_copy(update={"dataset": run.dataset})  # wherever its file is now
        spec = _fit_spec(config.model_dump_json(), tuple(chosen), config) if chosen else None
        if chosen and spec is None:
            _say_command(config, chosen)
            return
        fit = None if spec is None else spec.model_dump(mode="json")
        st.button(
            "Fit these methods",
            disabled=spec is None,
            icon=":material/play_arrow:",
            on_click=act,
            args=(f"{page}-refused", partial(JobQueue(store).submit, "sweep", spec=fit)),
        )
        if refused := st.session_state.pop(f"{page}-refused", None):
            markdown.error(refused)
    if spec is not None and (job := job_of(spec, store)) is not None:
        _watch(store, job, spec)


@st.cache_data(max_entries=32, show_spinner=False)
def _fit_spec(values: str, chosen: tuple[str, ...], _config: RunConfig) -> SweepSpec | None:
    return fit_spec(_config, chosen)  # which reads an image file to the end


def _say_command(config: RunConfig, chosen: Sequence[str]) -> None:
    if (line := command(config, chosen)) is None:
        st.info("The data set or the split of this run was changed by hand, so that these cannot be fitted from here.")
        return
    st.markdown("This command fits them; then reload the page:")
    st.code(public(line), language="bash")


def _watch(store: RunStore, job: Job, spec: SweepSpec) -> None:
    """Say how far a job is while it lives, and show the page again when it ends."""
    if job.state not in LIVE:
        if job.state != "finished":
            markdown.warning(f"Fitting them was {job.state}. {job.error or ''}")
        return

    @st.fragment(run_every=2)
    @in_a_sentence
    def progress() -> None:
        now = JobQueue(store).get(job.id)
        if now.state not in LIVE:
            st.rerun()
        methods = ", ".join(map(rival_title, spec.rivals))
        ours = len(spec.tasks()) - len(spec.rivals)  # trained already, and done first
        done, total = max(now.done - ours, 0), max(now.total - ours, 0)
        markdown.progress(min(now.share, 1.0), f"{methods}: {now.state}, {done} of {total or len(spec.rivals)} done")
        buttons(store, Work(now.id, now, None), "rivals")

    progress()
