"""Confusion (Fig S2 and S3): what the models and their rivals take for what, and the images behind it."""

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.figures import Panel, accuracy_by_angle_figure, confusion_figure, confusion_figures
from ssrvae_core.figures.confusion import judged_in_words
from ssrvae_core.figures.counts import validation_text
from ssrvae_core.registry import RIVALS, rival_title
from ssrvae_core.reports.reliability import reliability, reliability_figure
from ssrvae_core.reports.wording import judgement_text, plain, settings_text
from ui import cells, charts, export, markdown, rivals, squares, tables
from ui.choices import pick_several
from ui.entry import in_a_sentence, through_app
from ui.gallery import show_gallery
from ui.images import validation_pictures
from ui.ink import ink, legible
from ui.markdown import note, verbatim
from ui.rivals import Method
from ui.runs import caption, panels_of, pick_runs, store
from ui.selection import cell_ids, least_certain_first, selected_cell, table
from ui.state import key, pick

PAGE = "confusion"
ANY = "any"
ABREAST = 3  # rivals, or small tables, side by side
HEIGHT = 340  # of a matrix, pixels
FIRST = 3  # mistakes to begin with, per model

through_app()
st.title("Confusion")
runs, panels = panels_of(pick_runs(PAGE))
class_names = runs[0].class_names
everything = panels[0].predictions.ids
n_judged = panels[0].predictions.n_labelled
about = caption(runs, len(everything), n_judged)

# Whom to show: the two models, and the rivals that were fitted on the first one's data, labels and seed.

fitted = rivals.fitted(runs[0], store())
left, right = st.columns([3, 2], vertical_alignment="bottom")
with left:
    picked = pick_several(
        PAGE,
        "rivals",
        "Other methods",
        list(fitted),
        list(fitted),
        format_func=rival_title,
        of=f"{runs[0].id}-{len(fitted)}",  # one that was just fitted is shown
        help="Other methods, fitted on the same labelled images and judged on the same validation images",
    )
ours = [
    Method(side, panel.title, run.id, run.status.validation or {}, panel, run.status.seconds)
    for side, run, panel in zip(("left", "right"), runs, panels, strict=False)
]
others = rivals.best_first([rivals.method(fitted[name]) for name in picked])
methods = [*ours, *others]
shown_names = [plain(name) for name in class_names]
told = {method.name: method.panel for method in methods if method.panel is not None}
ids_of = {method.name: method.id for method in methods}
counts = {method.title: np.array(method.judged["confusion"]) for method in methods if method.judged.get("confusion")}
of_rivals = (
    f" Others: {', '.join(f'{method.title} {method.id}' for method in others)}, {runs[0].labels_in_words}, "
    f"seed {runs[0].config.seed}."
    if others
    else ""
)

with right, st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    shown = pick(
        PAGE,
        "cells",
        "Cells show",
        ["shares", "counts"],
        "shares",
        segmented=True,
        format_func={"counts": "Counts", "shares": "Shares"}.__getitem__,
        help="Shares of the images of the true class with their number below, or numbers alone",
    )
    if counts:
        export.menu(
            "confusion",
            "Confusion",
            about + of_rivals,
            figure=lambda: confusion_figures(counts, shown_names, normalise=shown == "shares"),
            table=lambda: table(everything, list(told.values()), [ids_of[name] for name in told], class_names),
        )

# The matrices, and beside them the images of the cell that was clicked. A click sets the three pickers below.

classes = {ANY: "any class"} | {str(index): name for index, name in enumerate(class_names)}
titles = {name: panel.title for name, panel in told.items()}


def choose(name: str, true: str, predicted: str) -> None:
    """Put a cell into the pickers."""
    st.session_state[key(PAGE, "of")] = name
    st.session_state[key(PAGE, "true")], st.session_state[key(PAGE, "predicted")] = true, predicted


def choose_clicked(name: str) -> None:
    """Take the clicked cell over into the pickers."""
    clicked = selected_cell(st.session_state[f"{PAGE}-matrix-{name}"])
    if clicked is not None:
        choose(name, *map(str, clicked))


def show_matrix(method: Method, framed: tuple[int, int] | None, height: int = HEIGHT) -> None:
    """Show the confusion matrix of one method, with a frame around the cell whose images are shown."""
    if method.title not in counts:
        markdown.info(f"No validation image of {method.title} has a label, so there is nothing to confuse.")
        return
    matrix = counts[method.title]
    figure = confusion_figure(
        matrix, shown_names, normalise=shown == "shares", title=method.title, framed=framed, ink=ink()
    )
    above = cells.room_above(figure)
    figure.update_layout(margin={"l": figure.layout.margin.l, "r": 4, "t": above, "b": 44})
    charts.show(
        legible(figure),
        key=f"{PAGE}-matrix-{method.name}",
        alt=f"Confusion matrix of {method.title}: {judged_in_words(matrix)}; the tables below have precision and "
        "recall of each class.",
        file_name=f"confusion-{method.id}",
        height=height,
        on_select=lambda: choose_clicked(method.name),
        selection_mode=("points",),
    )


def show_mistakes() -> None:
    """Offer the most frequent mistakes of each of our models, as there is no cell yet."""
    st.markdown("**Click a cell to see its images.** The most frequent mistakes:")
    for method in ours:
        if method.title not in counts:
            continue
        found = cells.mistakes(counts[method.title], FIRST)
        markdown.show("{title} {none}", title=method.title, none="" if found else "made no mistake.")
        for at, mistake in enumerate(found):
            words = cells.in_words(class_names, mistake.true, mistake.predicted)
            st.button(
                verbatim(f"{words} ({mistake.n:,})"),
                key=f"{PAGE}-mistake-{method.name}-{at}",
                type="tertiary",
                on_click=choose,
                args=(method.name, str(mistake.true), str(mistake.predicted)),
            )


def show_cell(by: Panel, words: str, ids: np.ndarray) -> None:
    """Show small pictures of a cell, those the model is least certain of first."""
    few = least_certain_first(ids, by.predictions)
    n = f"{len(ids):,} image{'' if len(ids) == 1 else 's'}"
    more = f", the {cells.MOST} least certain" if len(few) > cells.MOST else ""
    with st.container(horizontal=True, vertical_alignment="top", horizontal_alignment="distribute"):
        markdown.show("**{words}**  \n{title}, {n}{more}", words=words, title=by.title, n=n, more=more)
        st.button(
            "Clear",
            key=f"{PAGE}-clear",
            type="tertiary",
            icon=":material/close:",
            on_click=choose,
            args=("left", ANY, ANY),
        )
    try:
        pictures = validation_pictures(runs[0], everything)
    except UserError as error:
        markdown.warning(f"The images cannot be shown: {error}")
    else:
        st.html(cells.html(few, pictures, by.predictions, class_names))


@st.fragment
@in_a_sentence
def matrices_and_images() -> None:
    """Show all matrices and the images of a cell; another cell runs nothing else of the page again."""
    beside = [*st.columns(len(ours) + 1)]
    below = st.container()
    note(about + of_rivals)
    for run, panel in zip(runs, panels, strict=True):
        if run.status.judgement is not None:
            note(f"{panel.title}: {judgement_text(run.status.judgement, run.status.n_labelled)}")
    columns = st.columns(3)
    with columns[0]:
        asked = pick(PAGE, "of", "Method", list(titles), "left", format_func=titles.__getitem__)
    with columns[1]:
        true = pick(PAGE, "true", "True class", list(classes), ANY, format_func=classes.__getitem__)
    with columns[2]:
        predicted = pick(PAGE, "predicted", "Predicted class", list(classes), ANY, format_func=classes.__getitem__)
    asked_classes = [None if chosen == ANY else int(chosen) for chosen in (true, predicted)]
    cell = None if None in asked_classes else (asked_classes[0] or 0, asked_classes[1] or 0)
    by = told[asked]
    nothing = asked_classes == [None, None]
    ids = cell_ids(by.predictions, *asked_classes)[: 0 if nothing else None]
    for column, method in zip(beside, ours, strict=False):
        with column:
            show_matrix(method, cell if method.name == asked else None)
    with below:
        for start in range(0, len(others), ABREAST):
            for column, method in zip(st.columns(ABREAST), others[start : start + ABREAST], strict=False):
                with column:
                    show_matrix(method, cell if method.name == asked else None)
    with beside[-1]:
        if nothing:
            show_mistakes()
        else:
            show_cell(by, cells.in_words(class_names, *asked_classes), ids)
    behind = {method.name: told[method.name] for method in ours if method.name in told} | {asked: by}
    export.selection(ids, runs[0], list(behind.values()), [ids_of[name] for name in behind], of=len(everything))
    if not nothing:
        gallery = st.expander(
            "What the models say of each, and how they draw it",
            expanded=st.session_state.setdefault(f"{PAGE}-details-asked", "page" in st.query_params),
            key=f"{PAGE}-details",
            on_change="rerun",  # the models take a while to load
        )
        if gallery.open:
            with gallery:
                show_gallery(PAGE, ids, runs, list(behind.values()), by=by)
    squares.keep(PAGE)


matrices_and_images()

# Who is best.

ranked = rivals.best_first(methods)
st.subheader("All methods")
st.html(
    tables.html(
        ("Method", "Accuracy", "Balanced accuracy", "Calibration error", "Log loss", "Changes when turned", "Seconds"),
        [
            (
                method.title,
                *(tables.share(method.judged.get(name)) for name in ("accuracy", "balanced_accuracy", "ece")),
                tables.decimals(method.judged.get("nll")),
                tables.share(method.judged.get("flip_rate")),
                f"{method.seconds:.1f}",
            )
            for method in ranked
        ],
        caption=f"The most accurate first; {validation_text(n_judged, len(everything))}",
        ours=[at for at, method in enumerate(ranked) if method.name in ("left", "right")],
    )
)
st.caption(
    "Balanced accuracy: mean over the classes of the share predicted right. Calibration error: mean gap between "
    "confidence and accuracy (ECE, 15 bins). Changes when turned: share of the predictions that change when the image "
    "turns by multiples of 45\u00b0. Seconds: of training or fitting. Our models are in heavy type."
)
if others:
    with st.expander("Settings of the other methods", icon=":material/settings:"):
        for method in others:
            text = settings_text(fitted[method.name].parameters)
            markdown.show("**{title}**: {text}.", title=method.title, text=text)
rivals.offer(PAGE, runs[0], store(), [name for name in RIVALS if name not in fitted])

# Accuracy against the angle, and calibration.

curves = {
    method.title: method.judged["accuracy_by_angle"] for method in methods if method.judged.get("accuracy_by_angle")
}
bins = {panel.title: reliability(panel.predictions) for panel in told.values() if panel.title in counts}
left, right = st.columns(2)
with left:
    st.subheader("Accuracy against the angle")
    if curves:
        figure = accuracy_by_angle_figure(curves, chance=1 / len(class_names))
        charts.show(
            legible(charts.with_legend_below(figure)),
            key=f"{PAGE}-angle",
            alt="Accuracy against the absolute rotation angle of the image, one line per method.",
            file_name="accuracy-by-angle",
        )
    else:
        st.caption("The true angles of these images are not known, so accuracy cannot be shown against them.")
with right:
    st.subheader("Calibration")
    if bins:
        charts.show(
            legible(charts.with_legend_below(reliability_figure(bins))),
            key=f"{PAGE}-calibration",
            alt="Reliability diagram: accuracy against confidence in 15 bins, one line per method; the table "
            "above has the calibration errors.",
            file_name="calibration",
        )
    else:
        st.caption("No validation image has a label, so calibration cannot be shown.")
note(
    "On the dotted diagonal of the calibration a model is right as often as it says; above it, it is too modest, "
    f"below it, too sure. {about}{of_rivals}"
)

# Class by class.

st.subheader("Class by class")
for start in range(0, len(methods), ABREAST):
    for column, method in zip(st.columns(ABREAST), methods[start : start + ABREAST], strict=False):
        rows = [
            (f"{row['class']} ({row['support']})", *(tables.share(row[name]) for name in ("precision", "recall", "f1")))
            for row in method.judged.get("per_class") or []
        ]
        with column:
            st.html(tables.html(("Class (images)", "Precision", "Recall", "F1"), rows, caption=method.title))
