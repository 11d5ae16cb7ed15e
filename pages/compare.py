"""Compare: up to six runs side by side, and the rivals on the same labels."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ssrvae_core.figures import Panel, confusion_figure
from ssrvae_core.reports import html, wording
from ssrvae_core.runs import Run
from ssrvae_core.runs.comparison import list_rivals
from ui import charts, compare, export, markdown, squares
from ui.entry import through_app
from ui.explorer import downloads
from ui.ink import ink, legible
from ui.markdown import note, words
from ui.runs import finished, first_shown, labels_of, nothing_yet, panels_of, run_label, store
from ui.state import harmless, key, not_there, pick

PAGE = "compare"
A_ROW = 3
SETTINGS = {"different": "Those that differ", "all": "Every setting"}
HEIGHTS = {1: 520, 2: 500, 3: 380}  # pixels of a panel, by how many stand in a row
ROWS = {1: 1, 2: 2, 3: 3, 4: 2}  # how many stand in a row, by how many there are; three of more

through_app()
st.title("Compare")
runs, broken = store().scan()
known = {run.id: run for run in runs if run.status.epoch}
if not known:
    nothing_yet(unfinished=len(runs) + len(broken))
    st.stop()

# Which runs.

pair = first_shown(list(known.values()))
default = [run.id for run in pair if run is not None]
widget = key(PAGE, "runs")
if widget not in st.session_state:
    st.session_state[widget], refused = compare.chosen(st.query_params.get("runs"), list(known), default)
    if refused:
        what = harmless(", ".join(refused)) or "fewer than two runs"
        markdown.warning(f"The address asks for '{what}', which is not available; showing the other runs instead.")
st.session_state[widget] = [run_id for run_id in st.session_state[widget] if run_id in known]
picked = st.multiselect(
    "Runs",
    list(known),
    format_func=labels_of(known),
    key=widget,
    max_selections=compare.MOST,
    help="Two to six; of one run its settings and results are shown.",
)
if not picked:
    st.info("Choose the runs to compare above.")
    st.stop()
if st.query_params.get("runs") != ",".join(picked):
    st.query_params["runs"] = ",".join(picked)
shown = [known[run_id] for run_id in picked]
titles = wording.titles(shown)
offered = {rival.id: rival for rival in compare.rivals_of(shown, list_rivals(store()))}
if offered:
    names = dict(zip(offered, compare.rival_titles(list(offered.values())), strict=True))
    pills = key(PAGE, "rivals")
    if pills not in st.session_state:
        asked = [one for one in (st.query_params.get("rivals") or "").split(",") if one]
        st.session_state[pills] = [one for one in asked if one in offered]
        if lost := [one for one in asked if one not in offered]:
            markdown.warning(not_there(", ".join(lost), "other methods"))
    beside = st.pills(
        "Other methods on the same labels",
        list(offered),
        format_func=words(names.__getitem__),
        selection_mode="multi",
        key=pills,
    )
    if beside:
        st.query_params["rivals"] = ",".join(beside)
    else:
        st.query_params.pop("rivals", None)
    rivals = [offered[rival_id] for rival_id in beside]
    rival_names = [names[rival_id] for rival_id in beside]
else:
    rivals, rival_names = [], []
    if lost_too := st.query_params.pop("rivals", None):
        markdown.warning(not_there(lost_too, "other methods"))
apart = compare.judged_apart(shown)
if apart:
    which = ", ".join(titles[shown.index(run)] for run in apart)
    markdown.warning(
        f"These runs are judged on other images than {titles[0]}: {which}. Their numbers do not tell which model is "
        "better; compare runs on one data set (of a file also with one seed)."
    )
if unfinished := [run for run in shown if run.status.state != "finished"]:
    at = "; ".join(
        f"{run_label(run)} is {run.status.state} at epoch {run.status.epoch} of {run.config.training.epochs}"
        for run in unfinished
    )
    markdown.info(f"{at}. It has no results yet.")

# What was set, and what came of it.

scores = compare.scores(shown, rivals)
columns = [*titles, *rival_names]
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.subheader("Results")
    place = st.container(width="content")  # the export, once everything is there
st.html(compare.scores_html(scores, columns, comparable=not apart))
ids = ", ".join(f"{title}: {run.id}" for title, run in zip(titles, shown, strict=True))
about = (
    f"{', '.join(dict.fromkeys(run.data_name for run in shown))}. Runs {ids}; "
    f"seeds {', '.join(str(run.config.seed) for run in shown)}."
)
starred = (
    "No row has a best, because not all of them are judged on the same images."
    if apart
    else "A star marks the best of a row: the highest accuracy and F1, the lowest negative log-likelihood, calibration "
    "error and time."
)
note(f"{about} {starred}")

st.subheader("What was set")
which = pick(
    PAGE, "settings", "Settings", list(SETTINGS), "different", format_func=SETTINGS.__getitem__, segmented=True
)
everything = which == "all"
settings = compare.settings_table(shown, titles, everything=everything)
if len(settings):
    st.html(compare.settings_html(settings))
else:
    st.caption("Nothing: choose another run beside it." if len(shown) == 1 else "Nothing.")

# How the trainings went.

st.subheader("Training")
lines = {title: run.metrics() for title, run in zip(titles, shown, strict=True)}
curves = {quantity: compare.curves_figure(lines, quantity) for quantity in ("loss", "accuracy")}
for column, (quantity, figure) in zip(st.columns(2), curves.items(), strict=True):
    with column:
        charts.show(
            charts.with_legend_below(figure),
            key=f"{PAGE}-{quantity}",
            alt=f"{quantity.capitalize()} against the epoch of {', '.join(titles)}.",
            file_name=f"compare-{quantity}",
        )

# Confusion matrices and latents.

judged = [
    (title, names_, np.array(validation["confusion"]))
    for title, names_, validation in [
        *((title, run.class_names, run.status.validation or {}) for title, run in zip(titles, shown, strict=True)),
        *((title, rival.class_names, rival.validation) for title, rival in zip(rival_names, rivals, strict=True)),
    ]
    if validation.get("confusion")
]
confusions = {}
if judged:
    st.subheader("Confusion")
    wide = ROWS.get(len(judged), A_ROW)
    for first in range(0, len(judged), wide):
        for column, (title, names_, matrix) in zip(st.columns(wide), judged[first : first + wide], strict=False):
            seen = list(map(wording.plain, names_))
            figure = confusion_figure(matrix, seen, normalise=True, title=wording.plain(title))
            shown_here = legible(confusion_figure(matrix, seen, normalise=True, title=wording.plain(title), ink=ink()))
            for one in (figure, shown_here):
                charts.make_panel(one, coloraxis_showscale=False)
            confusions[title] = figure  # what is saved has no theme to be legible on
            with column:
                charts.show(
                    shown_here,
                    key=f"{PAGE}-confusion-{title}",
                    alt=f"Confusion matrix of {title}.",
                    file_name=f"confusion-{title}",
                    height=HEIGHTS[wide],
                )
done = finished(shown)
readable: list[Run] = []
by_id = dict(zip(picked, titles, strict=True))


def maps() -> list[str]:
    """Return the explorers of all particles of the runs, for a file."""
    return downloads.explorers(readable, [by_id[run.id] for run in readable], about) if readable else []


if done:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Latent space")
        place_of_maps = st.container(width="content")  # what is saved, once it is known which runs can be read
    readable, panels = panels_of(done)
    place_of_maps.download_button(
        "Explorer as HTML",
        data=lambda: html.page("Particles of the compared runs", [], *maps(), explorers=True),
        file_name="particles.html",
        mime="text/html",
        on_click="ignore",
        icon=":material/download:",
        key=f"{PAGE}-explorer-html",
        help=downloads.HELP,
    )
    panels = [Panel(by_id[run.id], panel.predictions) for run, panel in zip(readable, panels, strict=True)]
    drawn = [
        (run, compare.latents_figure(panel, run.class_names, run.id))
        for run, panel in zip(readable, panels, strict=True)
    ]
    for class_names in dict.fromkeys(run.class_names for run in readable):
        st.html(charts.legend(next(figure for run, figure in drawn if run.class_names == class_names)))
    wide = ROWS.get(len(drawn), A_ROW)
    for first in range(0, len(drawn), wide):
        for column, (run, figure) in zip(st.columns(wide), drawn[first : first + wide], strict=False):
            charts.make_panel(figure)
            charts.with_legend_in_full_screen(figure)
            with column:
                charts.show(
                    figure,
                    key=f"{PAGE}-latent-{run.id}",
                    alt=f"Latent variables of {by_id[run.id]}, coloured by class.",
                    file_name=f"latent-{run.id}",
                    height=HEIGHTS[wide],
                )
    note(about)


def page() -> str:
    """Put the comparison on a page of its own."""
    figures = {
        "Training": {f"{name.capitalize()} against the epoch": figure for name, figure in curves.items()},
        "Confusion": confusions,
    }
    return compare.page(about, scores, columns, settings, figures, maps=maps(), comparable=not apart)


with place, st.popover("Export", icon=":material/download:"):
    st.download_button(
        "Comparison as HTML, for any browser",
        data=page,
        file_name="comparison.html",
        mime="text/html",
        on_click="ignore",
        key=f"{PAGE}-html",
    )
    st.download_button(
        "Results as CSV",
        data=lambda: export.csv(compare.scores_table(scores, columns, [*picked, *(rival.id for rival in rivals)])),
        file_name="comparison.csv",
        mime="text/csv",
        on_click="ignore",
        key=f"{PAGE}-csv",
    )
    st.download_button(
        "Settings as CSV",
        data=lambda: export.csv(compare.settings_table(shown, titles, everything=True)),
        file_name="settings.csv",
        mime="text/csv",
        on_click="ignore",
        key=f"{PAGE}-settings-csv",
    )
    st.caption("The camera above a chart saves that chart.")
squares.keep(PAGE)
