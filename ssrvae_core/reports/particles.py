"""The particles of a report: the explorer of runs on the same images, the mistakes they make, and what came out."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.figures.counts import judged_words
from ssrvae_core.records import Particles, Predictions
from ssrvae_core.registry import RIVALS, rival_title
from ssrvae_core.reports import html
from ssrvae_core.reports.explorer.images import drawn, pixels_of
from ssrvae_core.reports.explorer.page import MOST, Draw, Pictures, Take, explorer
from ssrvae_core.reports.explorer.sheets import Sheets
from ssrvae_core.reports.explorer.source import Source, in_step, of_validation
from ssrvae_core.reports.wording import accuracy_text, duration_text, titles
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.comparison import RivalResult, find_rival
from ssrvae_core.runs.thumbnails import thumbnails
from ssrvae_core.shares import percent

RUNS = 6
"""Runs of one explorer, which shows two at a time; more would leave too few bytes for pictures."""
CELLS, EXAMPLES = 4, 8
"""Kinds of mistakes that are shown of each run, and pictures of each kind."""
SIDE = 56
"""Longer side of such a picture, pixels."""
EXPLORER_HELP = (
    "Every particle is a point at its latent means. Draw a lasso around points to see their pictures; shift adds, alt "
    "takes away; a click on a point or a picture opens the particle."
)
MAPS, CHOOSE_RUNS = 2, "Above the maps, choose which two of the runs they are of. "


# The explorer.


def explorer_caption(n_runs: int, conditions: str) -> str:
    """Say how an explorer of so many runs is used, and then under which conditions they were trained and judged."""
    return f"{EXPLORER_HELP} {CHOOSE_RUNS if n_runs > MAPS else ''}{conditions}"


def sources_of(runs: Sequence[Run]) -> list[Source]:
    """Return what runs on the same images say of the particles that all of them have classified, in step."""
    each = []
    for title, run in zip(titles(runs), runs, strict=True):
        each.append(Source(run.id, title, _particles(run)))
    return in_step(each)


def _particles(run: Run) -> Particles:
    try:
        known = run.particles()
    except UserError:
        known = None  # a file that cannot be read; the validation images are known all the same
    return of_validation(run.predictions()) if known is None else known


def explorer_of(runs: Sequence[Run], sources: Sequence[Source], name: str, budget: int) -> str:
    """Return the explorer of runs as HTML, within so many bytes.

    Parameters
    ----------
    runs, sources : sequence
        The runs, and what :func:`sources_of` says of them.
    name : str
        Of saved files: letters, digits, dots and dashes.
    budget : int
        Bytes that it may take.
    """
    shown = in_step(sources, MOST)
    try:
        return explorer(sources, runs[0].class_names, pictures_of(runs, shown), name=name, budget=budget)
    except UserError as error:  # the rest of the page is worth having
        return f"<p>{escape(str(error))}</p>"


def pictures_of(runs: Sequence[Run], sources: Sequence[Source]) -> Pictures | None:
    """Return the pictures of particles and what the models draw of them; None where the images are not in reach.

    Small pictures that a run came with stand in for its images.
    """
    seen = seen_of(runs[0], sources[0].particles.ids)
    if seen is None:
        return None
    drawers = [_drawer(run, source.predictions, seen) for run, source in zip(runs, sources, strict=True)]
    return Pictures(seen, [draw for draw in drawers if draw] if all(drawers) else [])


def seen_of(run: Run, ids: np.ndarray) -> Take | None:
    """Return what gives the pictures of some of these particles, black where one has none; None where none has."""
    try:
        known, pixels = pixels_of(run, ids)
    except UserError:
        small = thumbnails(run)
        if small is None:
            return None
        known, pixels = small.ids, small.pixels
    if not len(known):
        return None

    def seen(some: np.ndarray) -> np.ndarray:
        at = np.searchsorted(known, some).clip(max=len(known) - 1)
        there = (known[at] == some).reshape(-1, *[1] * (pixels.ndim - 1))
        return np.where(there, pixels[at], 0).astype(np.uint8)

    return seen


def _drawer(run: Run, predictions: Predictions, seen: Take) -> Draw | None:
    try:
        model = run.model()
    except UserError:
        return None  # its weights are not here; the pictures are shown without drawings

    def draw(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        return drawn(model, predictions, np.searchsorted(predictions.ids, ids), seen(ids))

    return draw


# Mistakes.


def mistakes(title: str, said: Predictions, class_names: Sequence[str], seen: Take | None) -> str:
    """Return pictures of the mistakes that a model makes most, a row for each kind; empty where it makes none.

    Parameters
    ----------
    title : str
        The model's name.
    said : Predictions
        What it says of the validation images.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    seen : callable, optional
        Returns the pictures of particles.
    """
    if seen is None:
        return ""
    wrong = np.flatnonzero((said.labels >= 0) & (said.labels != said.predicted))
    kinds, counts = np.unique(np.stack([said.labels[wrong], said.predicted[wrong]], axis=1), axis=0, return_counts=True)
    rows = []
    for at in np.argsort(-counts, kind="stable")[:CELLS]:
        true, predicted = kinds[at]
        these = wrong[(said.labels[wrong] == true) & (said.predicted[wrong] == predicted)]
        surest = these[np.argsort(-said.confidence[these], kind="stable")][:EXAMPLES]
        words = f"{counts[at]} of class {class_names[true]} taken for {class_names[predicted]}"
        rows.append(_strip(seen(said.ids[surest]), f"{title}: {words}"))
    return "".join(rows)


def _strip(pixels: np.ndarray, words: str) -> str:
    """Return pictures in a row with what they are."""
    sheets = Sheets.of(len(pixels), *pixels.shape[1:3], side=SIDE)
    buffer = io.BytesIO()
    picture: Image.Image = sheets.picture(pixels)
    picture.save(buffer, format="WEBP", quality=80)
    source = b64encode(buffer.getvalue()).decode("ascii")
    alt = f"{words}: {len(pixels)} of their images"
    height = SIDE * sheets.height // max(sheets.height, sheets.width)
    return (
        f'<figure class="mistakes"><figcaption>{escape(words)}</figcaption>'
        f'<img src="data:image/webp;base64,{source}" alt="{escape(alt)}" height="{height}"></figure>'
    )


# What came out.


def result_sentence(runs: Sequence[Run], predictions: dict[str, Predictions]) -> str:
    """Say in a sentence how well runs on the same images do, the best first."""
    said = predictions[runs[0].id]
    n, of = said.n_labelled, judged_words(said.n_labelled, len(said))
    named = zip(map(_in_a_sentence, titles(runs)), runs, strict=True)
    judged = [(run.accuracy, title) for title, run in named if run.accuracy is not None]
    if not judged or not n:
        return f"{len(said):,} images classified, none of which has a label to judge by."
    judged.sort(key=lambda pair: -pair[0])
    (best, name), *others = judged
    labels = runs[0].labels_in_words
    alike = len({run.labels_in_words for run in runs}) == 1
    rest = "".join(f", the {title} for {percent(share)}" for share, title in others[:3])
    more = f" and {len(others) - 3} more runs for less" if len(others) > 3 else ""
    trained = f" ({labels})" if alike and "(" not in name else ""
    return f"The {name} is right for {percent(best)} of {of}{rest}{more}{trained}."


def _in_a_sentence(title: str) -> str:
    """Write what tells a title from others in brackets: "ss-rVAE, 2 % labelled" would cut a sentence in two."""
    name, _, apart = title.partition(", ")
    return f"{name} ({apart})" if apart else name


def methods(runs: Sequence[Run]) -> str:
    """Return the table of these runs and the methods that were fitted on the same labels; empty where there is none."""
    store = RunStore(runs[0].path.parent)
    fitted: dict[str, RivalResult] = {}
    for run in runs:
        for name in RIVALS:
            result = find_rival(run.config, name, store)
            if result is not None:
                fitted.setdefault(result.id, result)
    if not fitted:
        return ""
    rows = [
        (run.accuracy, (title, accuracy_text(run.accuracy), duration_text(run.status.seconds)))
        for title, run in zip(titles(runs), runs, strict=True)
    ]
    rows += [
        (
            rival.accuracy,
            (rival_title(rival.rival), accuracy_text(rival.accuracy), duration_text(rival.fit_seconds)),
        )
        for rival in fitted.values()
    ]
    rows.sort(key=lambda row: -1.0 if row[0] is None else row[0], reverse=True)
    caption = "Methods judged on the same validation images, the most accurate first; time of training or fitting."
    return html.table(("method", "accuracy", "time"), [row for _, row in rows], caption)
