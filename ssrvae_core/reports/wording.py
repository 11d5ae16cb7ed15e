"""How runs, numbers and conditions read in titles and captions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ssrvae_core.config import DatasetConfig, RunConfig
from ssrvae_core.figures.counts import validation_text
from ssrvae_core.figures.looks import MODEL_TITLES as MODEL_TITLES
from ssrvae_core.figures.names import plain as plain
from ssrvae_core.records import Judgement
from ssrvae_core.registry import source_of
from ssrvae_core.runs import Run
from ssrvae_core.shares import percent, share

TIE = 1e-9
"""Shares that differ by less are level: the mean of equal shares is rounded otherwise for every order of its terms."""


def ahead(share: float, other: float) -> bool:
    """Whether a share is higher than another one, by more than a mean is rounded."""
    return share - other >= TIE


def model_title(run: Run) -> str:
    """Return the name of a run's model as it is written in the paper."""
    return MODEL_TITLES[run.config.model.name]


VIEWS = {"image": "", "mask": "silhouettes", "masked": "inside of the mask"}
"""What a model sees of the images, where that is not the images as they are."""


def model_words(config: RunConfig, *, without: bool = False) -> str:
    """Return the model's name with what tells it from others of that name: what it sees, and no second opinion.

    ``without`` is whether the latter is to be said, see :func:`without_opinion`.
    """
    words = (MODEL_TITLES[config.model.name], VIEWS[config.dataset.view], "no second opinion" if without else "")
    return ", ".join(filter(None, words))


def without_opinion(runs: Iterable[Run]) -> set[str]:
    """Return the ids of the runs without a second opinion that stand among runs of their model and data with one."""
    kinds: dict[tuple[str, ...], dict[bool, set[str]]] = {}
    for run in runs:
        of = (run.config.model.name, run.config.dataset.source, run.config.dataset.sha256 or "")
        kinds.setdefault(of, {}).setdefault(run.config.model.asks, set()).add(run.id)
    return {one for kind in kinds.values() if len(kind) > 1 for one in kind[False]}


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Return runs as they stand beside each other everywhere: the ss-VAE first, then the ss-rVAE, else as given."""
    return sorted(runs, key=lambda run: list(MODEL_TITLES).index(run.config.model.name))


def titles(runs: Sequence[Run]) -> list[str]:
    """Return titles that tell these runs apart: the model's name, and no more than it takes beside it."""
    without = without_opinion(runs)
    full = [model_words(run.config, without=run.id in without) for run in runs]
    for words in (
        [model_title(run) for run in runs],
        [f"{model_title(run)}, {run.labels_in_words}" for run in runs],
        [f"{model_title(run)}, {run.labels_in_words}, seed {run.config.seed}" for run in runs],
        full,
        [f"{name}, {run.labels_in_words}, seed {run.config.seed}" for name, run in zip(full, runs, strict=True)],
    ):
        if len(set(words)) == len(runs):
            return words
    return [f"{model_title(run)}, run {run.id}" for run in runs]


def accuracy_text(accuracy: float | None) -> str:
    """Return an accuracy with three decimals that never round a few errors away."""
    if accuracy is None:
        return "no accuracy (no labels)"
    return share(accuracy)


def judged_text(accuracy: float | None) -> str:
    """Return what a sentence says of an accuracy; tables have decimals instead."""
    return "no accuracy (no labels)" if accuracy is None else f"accuracy {percent(accuracy)}"


def spread_text(accuracies: Sequence[float]) -> str:
    """Return the accuracy of one seed, or mean and worst over several."""
    if len(accuracies) < 2:
        return accuracy_text(next(iter(accuracies), None))
    mean, worst = accuracy_text(float(np.mean(accuracies))), accuracy_text(min(accuracies))
    return f"{mean} (mean over {len(accuracies)} seeds; worst {worst})"


def seeds_named(seeds: Sequence[int]) -> str:
    """Name one seed or several."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def seeds_text(shown: int, n: int) -> str:
    """Say which seed is shown, and of how many."""
    return f"seed {shown}" if n == 1 else f"seed {shown} of {n} is shown"


def settings_text(parameters: Mapping[str, Any]) -> str:
    """Say how a rival was fitted, and what its settings were chosen by.

    Parameters
    ----------
    parameters : mapping
        As in :class:`ssrvae_core.runs.comparison.RivalResult`.
    """
    told = dict(parameters)
    folds, accuracy = told.pop("folds", None), told.pop("cross_validated_accuracy", None)
    text = ", ".join(f"{name.replace('_', ' ')} {_setting(value)}" for name, value in told.items())
    if folds:
        chosen = "" if accuracy is None else f" (accuracy {accuracy_text(accuracy)} there)"
        return f"{text}; chosen by {folds} folds of the labelled images{chosen}"
    return text if folds is None else f"{text}; nothing to choose by, as a class has one label"


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_setting, value))
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def duration_text(seconds: float) -> str:
    """Return a time in the unit a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def disorder_text(dataset: DatasetConfig) -> str:
    """Say how far the labelled and the other images are turned; empty where that is not known."""
    if not source_of(dataset.source).poses_known:
        return ""
    labelled, other = dataset.labelled.rotation, dataset.unlabelled.rotation
    return f"labelled images turned by up to {labelled:g} degrees, all others by up to {other:g}"


LABELS_MEASURED = 2000
"""Labels of a training up to which each is left out once where that is possible; of more some are."""
JUDGES = {
    "network": "the network alone",
    "measurements": "the measured shape alone (shape descriptors and ring spectra)",
    "both": "the network and the measured shape together (shape descriptors and ring spectra)",
}
"""Who tells the classes, see :class:`ssrvae_core.records.Judgement`."""


def judgement_text(judgement: Judgement, n_labelled: int | None = None) -> str:
    """Say who tells the classes, and why; ``n_labelled`` is how many labels the run was trained on."""
    who = f"The classes are those of {JUDGES[judgement.by]}"
    if not judgement.left_out:
        return f"{who}; no label could be left out to compare them."
    alone, measured, both = judgement.scores
    n = judgement.left_out
    kept = (n_labelled or n) - n
    which = f"{n:,} of the {n + kept:,} training labels" if kept > 0 else f"{n:,} training labels"
    why = "each class keeps labels, on other micrographs where these are known"
    rest = f"; the other {kept:,} always stay, so that {why}" if kept > 0 and n + kept <= LABELS_MEASURED else ""
    return (
        f"{who}. Mean log-likelihood of {which}, each left out of training once{rest} (0 is perfect): "
        f"network {alone:z.2f}, shape {measured:z.2f}, both {both:z.2f}."
    )


def course_text(*runs: Run) -> str:
    """Say why the accuracy of trainings may leap at the last epoch; empty where it is the network's alone there too."""
    asking = [run for run in runs if run.config.model.asks]
    told = {run.status.judgement.by if run.status.judgement else None for run in asking} - {"network"}
    if not told:
        return ""
    who = f" of the {model_title(asking[0])}" if len(runs) > 1 else ""
    by = told.pop()
    end = f"those of {JUDGES[by]}" if by and not told else "joined with the measured shape's where that helps"
    return (
        f"Before the last epoch classes and accuracy{who} are those of the network alone; at the last they are {end}."
    )


def conditions(runs: Sequence[Run], n: int, judged: int) -> str:
    """Say under which conditions a figure of runs on the same images came about.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, judged on the same images.
    n, judged : int
        Number of those images, and of those with a label, on which the accuracies are.

    Returns
    -------
    str
        Data, number of images, and for every run the labels, seed, accuracy, epochs and time, and who tells the
        classes.
    """
    first = runs[0]
    disorder = disorder_text(first.config.dataset)
    each = "; ".join(
        f"{model_title(run)} (run {run.id}): {run.labels_in_words}, seed {run.config.seed}, "
        f"{judged_text(run.accuracy)}, {run.status.epoch} epochs in "
        f"{duration_text(run.status.seconds)} on {run.status.device}"
        f"{f', classes by {JUDGES[run.status.judgement.by]}' if run.status.judgement else ''}"
        for run in runs
    )
    return f"{first.data_name}: {validation_text(judged, n)}{f', {disorder}' if disorder else ''}. {each}."


def verdict(ours: Mapping[str, float], rivals: Mapping[str, float]) -> str:
    """Say which baselines are ahead of which models, by accuracy; a tie counts as ahead.

    Parameters
    ----------
    ours, rivals : mapping of str to float
        Mean accuracy of each model and of each baseline, by title.
    """
    reached = {
        rival: [name for name, mine in ours.items() if not ahead(mine, share)] for rival, share in rivals.items()
    }
    if not (ours and rivals):
        return "No validation image has a label, so neither is ahead."
    if not any(reached.values()):
        return f"No baseline reaches the {' or the '.join(ours)}."
    told = [
        f"{rival} reaches or passes the {' and the '.join(names)}"
        if names
        else f"{rival} stays behind the {' and the '.join(ours)}"
        for rival, names in reached.items()
    ]
    return "; ".join(told) + "."
