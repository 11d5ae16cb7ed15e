"""Confusion (Fig S2): what each model takes for what, the images behind it, and accuracy against the angle."""

import numpy as np
import pandas as pd
import streamlit as st

from ssrvae_core.figures import accuracy_by_angle_figure, confusion_figure, confusion_figures
from ui import charts, export
from ui.entry import through_app
from ui.gallery import show_gallery
from ui.runs import caption, panels_of, pick_runs
from ui.selection import cell_ids, selected_cell, table
from ui.state import key, pick

PAGE = "confusion"
ANY = "any"
SCORES = {"class": "Class", "precision": "Precision", "recall": "Recall", "f1": "F1", "support": "Images"}

through_app()
st.title("Confusion")
runs, panels = panels_of(pick_runs(PAGE))
class_names = runs[0].class_names
run_ids = [run.id for run in runs]
about = caption(runs, len(panels[0].predictions))
judged = {run.id: run.status.validation or {} for run in runs}
counts = {
    panel.title: np.array(judged[run.id]["confusion"])
    for run, panel in zip(runs, panels, strict=True)
    if judged[run.id].get("confusion")
}

# The matrices. A click on a cell sets the three pickers below them.


def choose_cell(side: str) -> None:
    """Take the clicked cell over into the pickers."""
    cell = selected_cell(st.session_state[f"{PAGE}-matrix-{side}"])
    if cell is not None:
        st.session_state[key(PAGE, "of")] = side
        st.session_state[key(PAGE, "true")], st.session_state[key(PAGE, "predicted")] = map(str, cell)


with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    shown = pick(
        PAGE,
        "cells",
        "Cells show",
        ["counts", "shares"],
        "counts",
        segmented=True,
        format_func={"counts": "Counts", "shares": "Shares of the true class"}.__getitem__,
    )
    if counts:
        export.menu(
            "confusion",
            "Confusion",
            about,
            figure=lambda: confusion_figures(counts, class_names, normalise=shown == "shares"),
            table=lambda: table(panels[0].predictions.ids, panels, run_ids, class_names),
        )

highest = max((matrix.max() for matrix in counts.values()), default=1)
for side, column, run, panel in zip(("left", "right"), st.columns(len(panels)), runs, panels, strict=False):
    with column:
        if panel.title not in counts:
            st.info(f"No validation image of {panel.title} has a label, so there is nothing to confuse.")
            continue
        figure = confusion_figure(
            counts[panel.title], class_names, normalise=shown == "shares", title=panel.title, highest=highest
        )
        charts.make_panel(figure, coloraxis_showscale=False)
        charts.show(
            figure,
            key=f"{PAGE}-matrix-{side}",
            alt=f"Confusion matrix of {panel.title}; the table below has precision and recall of each class.",
            file_name=f"confusion-{run.id}",
            on_select=lambda side=side: choose_cell(side),
            selection_mode=("points",),
        )
        with st.container(horizontal=True):
            for name, label, what in (
                ("accuracy", "Accuracy", "Share of the images whose class is predicted right"),
                ("balanced_accuracy", "Balanced accuracy", "Mean over the classes of the share predicted right"),
                ("ece", "Calibration error", "Expected calibration error: mean gap between confidence and accuracy"),
            ):
                value = judged[run.id].get(name)
                st.metric(label, "n/a" if value is None else f"{value:.3f}", help=what, width="content")
st.caption(about)

# The images of a cell.

st.subheader("Images of a cell")
classes = {ANY: "any class"} | {str(index): name for index, name in enumerate(class_names)}
titles = dict(zip(("left", "right"), [panel.title for panel in panels], strict=False))
columns = st.columns(3)
with columns[0]:
    side = pick(PAGE, "of", "Model", list(titles), "left", format_func=titles.__getitem__)
with columns[1]:
    true = pick(PAGE, "true", "True class", list(classes), ANY, format_func=classes.__getitem__)
with columns[2]:
    predicted = pick(PAGE, "predicted", "Predicted class", list(classes), ANY, format_func=classes.__getitem__)
asked = panels[list(titles).index(side)]
ids = cell_ids(asked.predictions, *(None if chosen == ANY else int(chosen) for chosen in (true, predicted)))
export.selection(ids, lambda: table(ids, panels, run_ids, class_names))
st.caption("Click a cell of a matrix, or choose the classes here.")
gallery = st.container()  # filled last: the first model takes a while to load

# Accuracy against the angle.

curves = {
    panel.title: judged[run.id]["accuracy_by_angle"]
    for run, panel in zip(runs, panels, strict=True)
    if judged[run.id].get("accuracy_by_angle")
}
st.subheader("Accuracy against the angle")
if curves:
    figure = accuracy_by_angle_figure(curves, chance=1 / len(class_names))
    charts.show(
        figure.update_layout(margin=charts.MARGIN, legend={"y": 1.1}),
        key=f"{PAGE}-angle",
        alt="Accuracy against the absolute rotation angle of the image, a line a model.",
        file_name="accuracy-by-angle",
        height=360,
    )
else:
    st.caption("The true angles of these images are not known, so accuracy cannot be shown against them.")

# Class by class.

st.subheader("Class by class")
for column, run, panel in zip(st.columns(len(panels)), runs, panels, strict=True):
    with column:
        st.markdown(f"**{panel.title}**")
        rows = pd.DataFrame(judged[run.id].get("per_class") or [], columns=list(SCORES))
        st.dataframe(
            rows.rename(columns=SCORES),
            hide_index=True,
            alt=f"Precision, recall and F1 of each class for {panel.title}.",
            column_config={
                name: st.column_config.NumberColumn(format="%.3f") for name in ("Precision", "Recall", "F1")
            },
        )

with gallery:
    show_gallery(PAGE, ids, runs, panels)
