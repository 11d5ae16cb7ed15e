"""Runs side by side: what was set differently, what came of it, and the rivals on the same labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ssrvae_core import shares
from ssrvae_core.figures import Panel, latent_scatter, theme
from ssrvae_core.figures.curves import curve_traces, loss
from ssrvae_core.figures.frames import Curve
from ssrvae_core.figures.looks import looks
from ssrvae_core.registry import rival_title
from ssrvae_core.reports import html
from ssrvae_core.reports.settings import differ, settings_of
from ssrvae_core.reports.wording import plain
from ssrvae_core.runs import Run
from ssrvae_core.runs.comparable import same_images
from ssrvae_core.runs.comparison import RivalResult
from ui.forms import in_words, label_of
from ui.overview import duration

FEWEST, MOST = 2, 6
MOST_POINTS = 1000
"""Points of a latent scatter here: above that it would take WebGL, of which a page cannot have six."""

STYLE = """<style>
.compare {overflow-x: auto; margin: 2px 0 6px}
.compare table {border-collapse: collapse; font-size: 0.9rem; width: 100%}
.compare th, .compare td {padding: 5px 14px 5px 0; text-align: left; vertical-align: top; border: 0;
  border-bottom: 1px solid rgba(138, 138, 138, 0.35)}
.compare th {font-weight: 600}
.compare td.number {font-variant-numeric: tabular-nums; white-space: nowrap}
.compare td.best {font-weight: 700}
.compare td.best::after {content: " \\2605"; color: #E69F00}
.compare td.differs {font-weight: 600}
</style>"""


@dataclass(frozen=True)
class Score:
    """A row of the table of results: its name, its numbers, and which way is better (None: neither)."""

    name: str
    values: tuple[float | None, ...]
    higher: bool | None
    form: str

    def best(self) -> set[int]:
        """Return the columns with the best value; none where all are alike or only one is known."""
        known = [value for value in self.values if value is not None]
        if self.higher is None or len(set(known)) < 2:
            return set()
        goal = max(known) if self.higher else min(known)
        return {i for i, value in enumerate(self.values) if value == goal}

    def text(self, column: int) -> str:
        """Write a value as a person reads it."""
        value = self.values[column]
        if value is None:
            return "n/a"
        if self.form == "share":
            return shares.share(value)
        if self.form == "nats":
            return shares.decimals(value)
        return duration(value) if self.form == "time" else format(value, self.form)


# Which runs.


def chosen(asked: str | None, known: Sequence[str], default: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the runs an address asks for, at most six, and what of them is not available.

    Parameters
    ----------
    asked : str, optional
        Run ids with commas between them.
    known : sequence of str
        Ids there are.
    default : sequence of str
        Ids to begin with where too few of those asked for are known.
    """
    if asked is None:
        return list(default), []
    parts = list(dict.fromkeys(part for part in re.split(r"[,\s]+", asked) if part))
    found = [part for part in parts if part in set(known)]
    refused = [part for part in parts if part not in set(known)] + found[MOST:]
    return (found[:MOST] if len(found) >= FEWEST else list(default)), (
        refused or ([] if len(found) >= FEWEST else [""])
    )


def judged_apart(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that are judged on other images than the first one."""
    return [run for run in runs[1:] if not same_images(runs[0], run)]


def rivals_of(runs: Sequence[Run], results: Iterable[RivalResult]) -> list[RivalResult]:
    """Return the rivals that were fitted on the data, the split and the seed of one of the runs."""
    seen = {_given(run) for run in runs}
    return [result for result in results if _given(result) in seen]


def _given(item: Run | RivalResult) -> str:
    """Say on what a run or a rival was trained."""
    source = item.config if isinstance(item, Run) else item
    dataset = source.dataset.model_dump(mode="json", exclude={"path"})
    return json.dumps([dataset, source.split.model_dump(mode="json"), source.seed], sort_keys=True)


def rival_titles(results: Sequence[RivalResult]) -> list[str]:
    """Titles that tell these rivals apart."""
    names = [rival_title(result.rival) for result in results]
    if len(set(names)) == len(names):
        return names
    labels = [result.split.labels_in_words(result.n_labelled) for result in results]
    told = [f"{name}, {n}, seed {one.seed}" for name, n, one in zip(names, labels, results, strict=True)]
    return told if len(set(told)) == len(told) else [f"{t}, {r.id}" for t, r in zip(told, results, strict=True)]


# What was set.


def settings_table(runs: Sequence[Run], titles: Sequence[str], *, everything: bool) -> pd.DataFrame:
    """Tabulate the settings, a row per setting and a column per run; by default those that differ."""
    columns = [{name: in_words(value) for name, value in _settings(run).items()} for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = {name: [column[name] for column in columns] for name in names}
    kept = {name: values for name, values in rows.items() if everything or differ(values)}
    table = pd.DataFrame.from_dict(kept, orient="index", columns=list(titles), dtype=str)
    return table.rename_axis("setting").reset_index()


def _settings(run: Run) -> dict[str, Any]:
    """Return a run's settings with the name of its file instead of a place on some machine."""
    settings = settings_of(run.config)
    return settings | ({} if run.config.dataset.path is None else {"dataset.path": run.data_name})


# What came of it.


def scores(runs: Sequence[Run], rivals: Sequence[RivalResult] = ()) -> list[Score]:
    """Return the rows of the table of results, the runs first, then the rivals."""
    judged = [run.status.validation or {} for run in runs] + [rival.validation for rival in rivals]
    f1 = [_mean_f1(one) for one in judged]
    labelled = [run.status.n_labelled for run in runs] + [rival.n_labelled for rival in rivals]
    seconds = [run.status.seconds for run in runs] + [rival.fit_seconds for rival in rivals]

    def of(name: str) -> tuple[float | None, ...]:
        return tuple(one.get(name) for one in judged)

    return [
        Score("Accuracy", of("accuracy"), True, "share"),
        Score("Balanced accuracy", of("balanced_accuracy"), True, "share"),
        Score("F1, mean over the classes", tuple(f1), True, "share"),
        Score("Negative log-likelihood (nats)", of("nll"), False, "nats"),
        Score("Calibration error", of("ece"), False, "share"),
        Score("Validation images", of("n"), None, ".0f"),
        Score("Labelled images", tuple(labelled), None, ".0f"),
        Score("Time to train", tuple(seconds), False, "time"),
    ]


def _mean_f1(judged: Mapping[str, Any]) -> float | None:
    classes = [one["f1"] for one in judged.get("per_class") or [] if one.get("f1") is not None]
    return float(np.mean(classes)) if classes else None


def scores_table(rows: Sequence[Score], titles: Sequence[str], ids: Sequence[str]) -> pd.DataFrame:
    """Tabulate the results for a file, a row per run or rival."""
    table = pd.DataFrame({row.name: row.values for row in rows})
    table.insert(0, "id", list(ids))
    table.insert(0, "model", list(titles))
    return table


# As HTML.


def settings_html(table: pd.DataFrame) -> str:
    """Return the table of settings as HTML; in rows that differ the values stand out."""
    rows = []
    for name, *values in table.itertuples(index=False):
        differs = ' class="differs"' if differ(values) else ""
        cells = "".join(f"<td{differs}>{escape(value)}</td>" for value in values)
        rows.append(f'<tr><th scope="row" title="{escape(name)}">{escape(label_of(name))}</th>{cells}</tr>')
    return _table("Setting", [str(name) for name in table.columns[1:]], rows, "Settings of the runs")


def scores_html(scored: Sequence[Score], titles: Sequence[str], *, comparable: bool = True) -> str:
    """Return the table of results as HTML, the best value of a row with a star where the numbers can be compared."""
    rows = []
    for row in scored:
        best = row.best() if comparable else ()
        cells = "".join(
            f'<td class="number{" best" if i in best else ""}">{escape(row.text(i))}</td>' for i in range(len(titles))
        )
        rows.append(f'<tr><th scope="row">{escape(row.name)}</th>{cells}</tr>')
    return _table("Result", titles, rows, "Results of the runs and the other methods")


def _table(first: str, titles: Sequence[str], rows: Sequence[str], label: str) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in [first, *titles])
    return (
        f'{STYLE}<div class="compare" tabindex="0" role="region" aria-label="{escape(label)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def page(
    caption: str,
    scored: Sequence[Score],
    titles: Sequence[str],
    settings: pd.DataFrame,
    figures: Mapping[str, Mapping[str, go.Figure]],
    *,
    maps: Sequence[str] = (),
    comparable: bool = True,
) -> str:
    """Return the comparison as a page of its own.

    ``figures`` are those of each section by their titles, and ``maps`` what
    :func:`ui.explorer.downloads.explorers` returns.
    """
    best = [row.best() if comparable else set() for row in scored]
    results = [
        [row.name, *(f"{row.text(i)} *" if i in marked else row.text(i) for i in range(len(titles)))]
        for row, marked in zip(scored, best, strict=True)
    ]
    said = "* marks the best of a row." if comparable else "Judged on different images: no row has a best."
    named = [[label_of(str(name)), *values] for name, *values in settings.itertuples(index=False)]
    sections = [
        html.section("Results", html.table(["Result", *titles], results, said)),
        html.section("Settings", html.table(["Setting", *map(str, settings.columns[1:])], named, "What was set.")),
    ]
    for heading, shown in figures.items():
        if shown:
            drawn = [html.chart(figure, title, height=420, caption=title) for title, figure in shown.items()]
            sections.append(html.section(heading, html.side_by_side(drawn, caption)))
    if maps:
        sections.append(html.section("Latent space", *maps))
    return html.page("Comparison of runs", [caption], *sections, explorers=bool(maps))


# As figures.


def curves_figure(runs: Mapping[str, Sequence[Mapping[str, Any]]], quantity: str) -> go.Figure:
    """Draw the ``loss`` or the ``accuracy`` of several trainings over the epochs, a line per run."""
    figure = go.Figure()
    for look, (title, lines) in zip(looks(list(runs)), runs.items(), strict=True):
        y = [loss(line) if quantity == "loss" else line["validation_accuracy"] for line in lines]
        x = np.array([line["epoch"] for line in lines], float)
        figure.add_traces(curve_traces(look, Curve(plain(title), x, np.array(y, float))))
    figure.update_layout(
        template=theme.template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"title": {"text": "Epoch"}},
        yaxis={"title": {"text": "Loss (nats per image)"}}
        if quantity == "loss"
        else {"title": {"text": "Accuracy, tracked images"}, "range": [0, 1.03]},
        dragmode="pan",
        margin={"l": 70, "r": 16, "t": 40, "b": 50},
    )
    return figure


def latents_figure(panel: Panel, class_names: Sequence[str], uirevision: str) -> go.Figure:
    """Scatter the latents of one run; of more than a thousand images, evenly chosen ones."""
    figure = latent_scatter([thinned(panel)], [plain(name) for name in class_names], uirevision=uirevision)
    p, known = panel.predictions, panel.predictions.labels >= 0
    accuracy = float((p.predicted == p.labels)[known].mean()) if known.any() else None
    figure.layout.annotations[0].text = theme.panel_title(plain(panel.title), accuracy, int(known.sum()), len(p))
    return figure.update_layout(dragmode="pan")


def thinned(panel: Panel) -> Panel:
    """Return a panel with at most a thousand evenly chosen images."""
    n = len(panel.predictions)
    if n <= MOST_POINTS:
        return panel
    rows = np.linspace(0, n - 1, MOST_POINTS).round().astype(int)
    p = panel.predictions
    values = {name: value[rows] for name, value in vars(p).items() if isinstance(value, np.ndarray)}
    factors = {name: value[rows] for name, value in p.factors.items()}
    return Panel(panel.title, replace(p, **values, factors=factors))
