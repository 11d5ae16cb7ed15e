"""A report on any runs: what they are, how they differ, how well they do and how they learnt."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ssrvae_core import shares
from ssrvae_core.config import UserError
from ssrvae_core.records import Predictions
from ssrvae_core.reports import html, panels, particles
from ssrvae_core.reports.film import ALIGNED
from ssrvae_core.reports.gather import training_film
from ssrvae_core.reports.settings import ROTATIONS, differ, label_of, settings_of
from ssrvae_core.reports.wording import (
    accuracy_text,
    conditions,
    course_text,
    duration_text,
    in_order,
    model_title,
    titles,
)
from ssrvae_core.runs import Run
from ssrvae_core.runs.comparable import by_images
from ssrvae_core.runs.files import atomic_write
from ssrvae_core.times import time_text

LARGEST, LEAST_EXPLORER = 8_000_000, 700_000
"""Bytes of a report, and what an explorer in it takes at least."""
NAMED = 3
"""Most runs, and most data sets, that a title names."""
FINGERPRINT, DIGITS = "dataset.sha256", 12
"""The setting that holds a file's fingerprint, and how many of its digits are shown."""
SPLIT_SEED = "split.seed"
HELD_OUT = (SPLIT_SEED, "split.by_group", "split.validation_fraction")
"""Settings that choose the validation images of a file."""
OTHER_SEEDS = (
    "The seed chooses which images of a file are held out for validation, so runs of other seeds are judged on other "
    "images and stand in a chapter of their own."
)


def write_report(runs: Sequence[Run], out: Path, title: str | None = None) -> None:
    """Write a report that any browser opens without a network.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, at least one. Those judged on the same images are shown beside each other.
    out : Path
        The file; its directory must exist.
    title : str, optional
        Heading of the page; without one, the data and the runs.

    Raises
    ------
    UserError
        If a run has not finished, or the file cannot be written.
    """
    save(out, report_html(runs, title))


def report_html(runs: Sequence[Run], title: str | None = None) -> str:
    """Return the report that :func:`write_report` writes."""
    groups = by_images(in_order(runs))
    runs = [run for group in groups for run in group]  # those that can be compared stand below each other
    predictions = {run.id: run.predictions() for run in runs}
    results = [particles.result_sentence(group, predictions) for group in groups]
    if len(groups) > 1:
        results = [
            f"{group[0].data_name}: {words[0].lower()}{words[1:]}" for group, words in zip(groups, results, strict=True)
        ]
    lead = [*results, f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}, {time_text()}."]
    table = html.section("Runs", _summary(runs, predictions), _configuration(runs))
    chapters = [_chapter(group, predictions, _apart(group, groups), _place(i)) for i, group in enumerate(groups)]
    page = html.page(title or _title(runs), lead, table, *chapters, explorers=True)
    # Explorers take what the rest of the page leaves, as their pictures can be better or worse.
    budget = max((LARGEST - len(page.encode())) // len(groups), LEAST_EXPLORER)
    for i, group in enumerate(groups):
        shown = group[: particles.RUNS]
        made = particles.explorer_of(shown, particles.sources_of(shown), f"particles-{shown[0].id}", budget)
        page = page.replace(_place(i), made)
    return page


def _title(runs: Sequence[Run]) -> str:
    """Return a title that tells a report from others: its data, and its runs where they are few."""
    data = list(dict.fromkeys(run.data_name for run in runs))
    named = ", ".join(data) if len(data) <= NAMED else f"{len(data)} data sets"
    few = len(runs) <= NAMED
    return f"{named}: {', '.join(f'{model_title(run)} {run.id}' for run in runs) if few else f'{len(runs)} runs'}"


def _place(number: int) -> str:
    """Return what stands in a page for an explorer until the rest of the page is known."""
    return f"<!-- explorer {number} -->"


def save(out: Path, content: str | bytes) -> None:
    """Write a file, whole or not at all."""
    try:
        atomic_write(out, content)
    except OSError as error:
        raise UserError(f"The file {out} cannot be written ({error.strerror}); choose another place.") from error


def _summary(runs: Sequence[Run], predictions: dict[str, Predictions]) -> str:
    """Return the table of the runs with their conditions and results."""
    header = ("run", "model", "data", "labels", "seed", "N", "accuracy", "balanced", "ECE", "NLL (nats)", "time")
    rows = [
        (
            run.id,
            model_title(run),
            run.data_name,
            run.labels_in_words,
            str(run.config.seed),
            str(predictions[run.id].n_labelled),
            accuracy_text(run.accuracy),
            *(_number(run, name, shares.share) for name in ("balanced_accuracy", "ece")),
            _number(run, "nll", shares.decimals),
            duration_text(run.status.seconds),
        )
        for run in runs
    ]
    caption = (
        "N validation images with a label, which no run was trained on; accuracy, balanced accuracy (mean recall of "
        "the classes), expected calibration error and negative log-likelihood on them; time of the training."
    )
    return html.table(header, rows, caption)


def differences(runs: Sequence[Run]) -> list[tuple[str, list[Any]]]:
    """Return the dotted names of the settings in which runs differ, each with the value of every run.

    A run that does not use a setting makes no difference, and reads ``not used``.
    """
    settings = [_told(run) for run in runs]
    rows = [(name, [each[name] for each in settings]) for name in settings[0]]
    return [(name, values) for name, values in rows if differ(values)]


def _told(run: Run) -> dict[str, Any]:
    """Return a run's settings without the path of a file, and its fingerprint as short as a run's id."""
    settings = settings_of(run.config)
    del settings["dataset.path"]
    return settings | {FINGERPRINT: settings[FINGERPRINT] and settings[FINGERPRINT][:DIGITS]}


def _apart(group: Sequence[Run], groups: Sequence[Sequence[Run]]) -> dict[str, Any]:
    """Return the settings that tell the images of a chapter from those of others that have its name."""
    alike = [other[0] for other in groups if other[0].data_name == group[0].data_name]
    own = alike.index(group[0])
    return {
        name: values[own]
        for name, values in differences(alike)
        if name.startswith("dataset.") or (name in HELD_OUT and group[0].config.dataset.source == "file")
    }


def _configuration(runs: Sequence[Run]) -> str:
    if len(runs) == 1:
        settings = [(label_of(name), _value(value, name)) for name, value in _told(runs[0]).items()]
        shown = html.table(("setting", "value"), settings, "All settings.")
        return html.details("The whole configuration", shown)
    rows = [(label_of(name), *(_value(value, name) for value in values)) for name, values in differences(runs)]
    if not rows:
        return html.paragraph("The runs have the same settings.")
    return html.table(("setting", *(run.id for run in runs)), rows, "The settings in which the runs differ.")


def _chapter(group: Sequence[Run], predictions: dict[str, Predictions], apart: dict[str, Any], place: str) -> str:
    """Show runs that are judged on the same images.

    ``apart`` is what tells these from others of their name; ``place`` stands for their explorer.
    """
    said = [predictions[run.id] for run in group]
    told = conditions(group, len(said[0]), said[0].n_labelled)
    blocks = [html.paragraph(OTHER_SEEDS)] if SPLIT_SEED in apart else []
    maps = [html.explorer(place, particles.explorer_caption(len(group), told))]
    if others := group[particles.RUNS :]:
        maps.append(panels.latents(others, said[particles.RUNS :], told))
    blocks.append(html.subsection("Latent space", *maps))
    if counts := panels.run_confusions(group):
        wrong = _mistakes(group, said)
        blocks.append(html.subsection("Confusion", panels.confusions(counts, group[0].class_names, told), wrong))
    if table := particles.methods(group):
        blocks.append(html.subsection("Methods compared", table))
    if angles := panels.accuracy_by_angle(group, told):
        blocks.append(html.subsection("Accuracy against rotation", angles))
    if calibration := panels.calibration(group, said, told):
        blocks.append(html.subsection("Calibration", calibration))
    films = [_film(group[i : i + 2], said[0]) for i in range(0, len(group), 2)]
    blocks.append(html.subsection("Training", *films))
    words = ["seed" if name == SPLIT_SEED else _within(label_of(name)) for name in apart]
    told_apart = [f"{word} {_value(value)}" for word, value in zip(words, apart.values(), strict=True)]
    return html.section(", ".join([group[0].data_name, *told_apart]), *blocks)


def _mistakes(group: Sequence[Run], said: Sequence[Predictions]) -> str:
    """Show the mistakes that the runs make most."""
    wrong = [p.ids[(p.labels >= 0) & (p.labels != p.predicted)] for p in said]
    if not any(map(len, wrong)):
        return ""
    seen = particles.seen_of(group[0], np.unique(np.concatenate(wrong)))
    rows = [
        particles.mistakes(title, p, run.class_names, seen)
        for title, run, p in zip(titles(group), group, said, strict=True)
    ]
    return "".join(rows)


def _film(runs: Sequence[Run], said: Predictions) -> str:
    """Show the training of one run, or of two in step, if their epochs were kept."""
    if not all(run.snapshots() for run in runs):
        return html.paragraph(f"No epochs of {', '.join(run.id for run in runs)} were kept, so there is no film.")
    told = (ALIGNED, course_text(*runs), conditions(runs, len(said), said.n_labelled))
    caption = f"Every frame is an epoch; the curve is the loss. {' '.join(filter(None, told))}"
    return panels.film(training_film(runs), caption)


def _within(label: str) -> str:
    """Return a label as it stands within a sentence."""
    return label[:1].lower() + label[1:]


def _value(value: Any, name: str = "") -> str:
    if name == "model.rotation":
        return ROTATIONS.get(value, value)
    return value if isinstance(value, str) else "-" if value is None else json.dumps(value)


def _number(run: Run, name: str, write: Callable[[float], str]) -> str:
    value = (run.status.validation or {}).get(name)
    return "-" if value is None else write(value)
