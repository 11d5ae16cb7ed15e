"""Runs as the pages speak of them: their names, which belong together, and the two pickers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.figures import Panel
from ssrvae_core.figures.counts import validation_text
from ssrvae_core.invocation import command, demo_command, terminal
from ssrvae_core.records import Predictions
from ssrvae_core.registry import source_of
from ssrvae_core.reports.wording import model_title, model_words, titles, without_opinion
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.comparable import same_images
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.times import day_text
from ui import markdown
from ui.markdown import public, verbatim
from ui.state import pick

NO_RUN = "none"


def store() -> RunStore:
    """Return the store the dashboard shows: ``$SSRVAE_STORE``, else ``runs``."""
    return RunStore()


# How a run reads.


def run_label(run: Run, *, without: bool = False) -> str:
    """One line that tells a run from others, with what people call it at its beginning.

    ``without`` is whether it is to be said that it has no second opinion.
    """
    labels = run.status.n_labelled
    return config_label(run.config, run.id, run.data_name, run.about.name, n_labelled=labels, without=without)


def config_label(
    config: RunConfig,
    run_id: str,
    data_name: str,
    name: str = "",
    *,
    n_labelled: int | None = None,
    without: bool = False,
) -> str:
    """One line that tells a run of this configuration from others, also before there is anything of it."""
    # A narrow list cuts the end off, and runs that stand beside each other share their data set.
    labels = config.split.labels_in_words(n_labelled)
    parts = (name, model_words(config, without=without), run_id, labels, f"seed {config.seed}", data_name)
    return " \u00b7 ".join(filter(None, parts))


def caption(runs: Sequence[Run], n: int, judged: int) -> str:
    """Say what a figure of these runs shows: data, number of images, those with a label, seeds and run ids."""
    first = runs[0]
    each = "; ".join(
        f"{model_title(run)}: run {run.id}{_called(run)}, {run.labels_in_words}, seed {run.config.seed}, "
        f"{run.status.epoch} epochs, {day_text(run.status.updated)}"
        for run in runs
    )
    return f"{first.data_name}, {validation_text(judged, n)}. {each}."


def _called(run: Run) -> str:
    name = run.about.name
    return f" ({name})" if name else ""


# Which runs belong together.


def finished(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that have something to show, in the same order; a damaged status may name no classes."""
    return [run for run in runs if run.status.state == "finished" and run.class_names]


def partner(run: Run, runs: Sequence[Run]) -> Run | None:
    """Return the first of ``runs`` to set beside a run: with the other invariance, on the same images.

    The same split and seed come first.
    """
    others = [other for other in runs if _invariant(other) != _invariant(run) and same_images(run, other)]
    alike = [o for o in others if o.config.split == run.config.split and o.config.seed == run.config.seed]
    return next(iter([*alike, *others]), None)


def newest_pair(runs: Sequence[Run]) -> tuple[Run, Run | None]:
    """Return the ss-VAE and the ss-rVAE to begin with: the newest two of one data set, split and seed.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, at least one, newest first. Without a pair among them the newest stands alone.
    """
    for run in runs:
        other = partner(run, runs)
        if other is not None and other.config.split == run.config.split:
            return (other, run) if _invariant(run) else (run, other)
    return runs[0], None


def first_shown(runs: Sequence[Run]) -> tuple[Run, Run | None]:
    """Return the run, or the ss-VAE and the ss-rVAE, that every page shows before anything is chosen.

    Those of data of one's own, which are not generated, come before those of the demo, and finished ones before others.

    Parameters
    ----------
    runs : sequence of Run
        Runs with something to show, at least one, newest first.

    Returns
    -------
    (Run, Run or None)
        The newest run on data of one's own, with the newest of the other invariance that was trained alike; where there
        is none of one's own, the newest pair.
    """
    own = [run for run in runs if not source_of(run.config.dataset.source).generated]
    if not own:
        return newest_pair(finished(runs) or runs)
    run, *older = finished(own) or own
    alike = [other for other in older if (other.config.split, other.config.seed) == (run.config.split, run.config.seed)]
    other = partner(run, alike)
    if other is None:
        return run, None
    return (other, run) if _invariant(run) else (run, other)


def _invariant(run: Run) -> bool:
    return run.config.model.rotation != "none"


# On the page.


def pick_runs(page: str) -> list[Run]:
    """Show the pickers of the left and the right run, and return one run or two; stop the page where there is none."""
    runs, broken = store().scan()
    shown = {run.id: run for run in finished(runs)}
    if not shown:
        nothing_yet(unfinished=len(runs) + len(broken))
        st.stop()
    left_default, right_default = first_shown(list(shown.values()))
    columns = st.columns(2)
    with columns[0]:
        left = shown[pick(page, "left", "Left run", list(shown), left_default.id, format_func=labels_of(shown))]
    comparable = [run.id for run in shown.values() if run.id != left.id and same_images(left, run)]
    if left.id != left_default.id:
        right_default = partner(left, list(shown.values()))
    with columns[1]:
        right = pick(
            page,
            "right",
            "Right run",
            [*comparable, NO_RUN],
            right_default.id if right_default else NO_RUN,
            format_func=labels_of(shown),
            help="The runs that are judged on the same images as the left one.",
        )
    return [left] if right == NO_RUN else [left, shown[right]]


def labels_of(runs: Mapping[str, Run]) -> Callable[[str], str]:
    """Return what names a run of a list by its id, or that none is chosen."""
    without = without_opinion(runs.values())

    def label(run_id: str) -> str:
        return run_label(runs[run_id], without=run_id in without) if run_id in runs else "none beside it"

    return label


def nothing_yet(unfinished: int = 0) -> None:
    """Say what to do about a store without a finished run."""
    if unfinished:
        st.info("No run of this store can be shown yet. The overview says how far each is, or what is wrong with it.")
        st.page_link("pages/overview.py", label="Go to the overview", icon=":material/list:")
        return
    st.info("There are no runs in this store yet.")
    if not is_viewer():
        from ui.demo import offer  # which speaks of jobs, and these of runs

        offer(store())
    with st.expander(verbatim(f"From {terminal()}"), icon=":material/terminal:"):
        st.markdown("A small sweep of both models, in a few minutes:")
        st.code(public(demo_command()), language="bash")
        st.markdown("Or one run of each, on playing cards that are turned by up to 120 degrees, with few labels:")
        st.code(
            public(
                command("train --preset teaching --model ss-rvae --labelled-ratio 0.05\n")
                + command("train --preset teaching --model ss-vae --labelled-ratio 0.05")
            ),
            language="bash",
        )
        st.caption("Then reload this page.")


@st.cache_resource(max_entries=16, show_spinner="Reading the predictions")
def _predictions(path: str, updated: float, _run: Run) -> Predictions:
    return _run.predictions()


def predictions_of(run: Run) -> Predictions:
    """Return what a finished run says of its validation images, read once.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    return _predictions(str(run.path.absolute()), run.status.updated, run)


def n_images(run: Run) -> tuple[int, int]:
    """Return the number of validation images of a finished run, and of those with a label.

    Raises
    ------
    UserError
        If its predictions cannot be read.
    """
    predictions = predictions_of(run)
    return len(predictions), predictions.n_labelled


def panels_of(runs: Sequence[Run]) -> tuple[list[Run], list[Panel]]:
    """Return the runs whose predictions can be read, with these under their titles; say what is wrong with others."""
    readable: list[tuple[Run, Panel]] = []
    for run, title in zip(runs, titles(runs), strict=True):
        try:
            predictions = predictions_of(run)
        except UserError as error:
            markdown.error(str(error))
        else:
            readable.append((run, Panel(title, predictions)))
    if not readable:
        st.stop()
    return [run for run, _ in readable], [panel for _, panel in readable]
