"""Latent space (Fig S1): the latents of two models side by side, the images behind them, and what the models draw."""

from functools import partial

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.data import UNLABELLED
from ssrvae_core.figures import colourings, latent_scatter
from ssrvae_core.figures.latent import GROUPS, shown
from ssrvae_core.figures.values import colour_axis
from ssrvae_core.reports.wording import plain
from ui import charts, decoding, export, markdown, squares
from ui.choices import pick_several
from ui.entry import in_a_sentence, through_app
from ui.gallery import show_cards, show_gallery
from ui.images import decimals
from ui.linking import Linked
from ui.markdown import note
from ui.runs import caption, panels_of, pick_runs
from ui.selection import asked_ids, nearest, rows_of, table
from ui.sliders import number
from ui.state import drop, harmless, pick

PAGE = "latent"
ASKED = f"{PAGE}-asked"

through_app()
st.title("Latent space")
runs, panels = panels_of(pick_runs(PAGE))
class_names = runs[0].class_names
run_ids = [run.id for run in runs]
everything = panels[0].predictions.ids
about = caption(runs, len(everything))
data = f"{runs[0].data_name}-{len(class_names)}"

# What the points show.

dims = min(run.config.model.latent_dim for run in runs)
latents = [f"z{d}" for d in range(1, dims + 1)]
classes = {str(index): name for index, name in enumerate(class_names)}
if any((panel.predictions.labels == UNLABELLED).any() for panel in panels):
    classes[str(UNLABELLED)] = "Unlabelled"
columns = st.columns([2, 3, 1, 1, 1] if dims > 2 else [2, 3, 1], vertical_alignment="bottom")
with columns[0]:
    colour_by = pick(PAGE, "colour", "Colour by", colourings(panels), "class", format_func=charts.colouring_label)
with columns[1]:
    chosen = pick_several(
        PAGE,
        "classes",
        "Classes shown",
        list(classes),
        list(classes),
        format_func=classes.__getitem__,
        of=data,
        help="The true classes; the predicted ones where these give the colour",
    )
visible = [int(name) for name in chosen]
x, y = 0, 1
if dims > 2:
    with columns[2]:
        x = latents.index(pick(PAGE, "x", "Across", latents, "z1"))
    with columns[3]:
        y = latents.index(pick(PAGE, "y", "Up", latents, "z2"))
else:
    drop("x", "Across", "z1")
    drop("y", "Up", latents[-1])
scatter = partial(
    latent_scatter, class_names=list(map(plain, class_names)), colour_by=colour_by, x_dim=x, y_dim=y, classes=visible
)
in_sight = np.unique(
    np.concatenate([panel.predictions.ids[shown(panel.predictions, colour_by, visible)] for panel in panels])
)
with columns[-1]:
    export.menu(
        "latent-space",
        "Latent space",
        about,
        figure=lambda: scatter(panels),
        table=lambda: table(in_sight, panels, run_ids, class_names),
    )

linked = Linked(PAGE, f"{'-'.join(run_ids)}-{x}-{y}", runs[0].config.dataset.model_dump_json(exclude={"path"}))
keys = [f"{PAGE}-scatter-{side}" for side, _ in zip(("left", "right"), runs, strict=False)]


def take_asked() -> None:
    """Select the samples whose ids were typed, among those in sight."""
    text = st.session_state[ASKED]
    ids, strange = asked_ids(text, in_sight)
    st.session_state[f"{ASKED}-unknown"] = strange
    linked.select(ids)


figures = [scatter([panel]) for panel in panels]
one_scale = {} if colour_by in GROUPS else {"coloraxis": colour_axis([p.predictions for p in panels], colour_by)}
for figure in figures:
    charts.make_panel(figure, **one_scale)


@st.fragment
@in_a_sentence
def scatters() -> None:
    """Draw the scatters and the gallery of what is selected in either of them."""
    ids = np.intersect1d(linked.ids, in_sight)
    above, below = st.container(), st.container()
    with below:  # first, as a browser takes its time over the charts
        selection(ids)
    with above:
        st.html(charts.legend(*figures))
        for column, chart, figure, panel in zip(st.columns(len(panels)), keys, figures, panels, strict=True):
            linked.prepare(figure, chart)
            with column:
                charts.show(
                    figure,
                    key=chart,
                    alt=f"Scatter of the latent variables of {panel.title}, {len(panel.predictions)} images, "
                    f"coloured by {colour_by}.",
                    file_name=f"latent-{panel.title}",
                    on_select=partial(linked.take, chart),
                    selection_mode=("box", "lasso"),
                    previewed=True,
                )
        linked.show(ids, keys)
        note(about)


def selection(ids: np.ndarray) -> None:
    """Say what is selected, offer it, and show its images; and let it be chosen by typing."""
    export.selection(ids, runs[0], panels, run_ids, of=len(in_sight))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Select by sample id", key=ASKED, on_change=take_asked, placeholder="17, 42, 100-120", width=280)
        st.button("Clear the selection", key=f"{PAGE}-clear", on_click=linked.clear, disabled=not len(ids))
    if strange := st.session_state.pop(f"{ASKED}-unknown", None):
        markdown.warning(f"There is no sample '{harmless(', '.join(strange))}' among the points shown.")
    if len(ids):
        show_gallery(PAGE, ids, runs, panels)
    else:
        st.query_params.pop("page", None)  # a page of nothing
        st.caption(
            "Draw a lasso or a box around points of either model: they light up in the other one, and their images "
            "are shown here. A double click clears it."
        )


place = st.container()

# What is near a sample.

st.subheader("Nearest neighbours")


@st.fragment
@in_a_sentence
def neighbours() -> None:
    """Show a sample and those whose latents are nearest to it, in one of the models."""
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        low, high = int(everything.min()), int(everything.max())
        label = f"Sample, from {low} to {high}"
        (asked,) = number(PAGE, "sample", label, low, high, int(everything[0]), of=data, slider=False)
    titles = dict(zip(("left", "right"), [panel.title for panel in panels], strict=False))
    with right:
        side = pick(PAGE, "near", "Near in", list(titles), "left", format_func=titles.__getitem__, segmented=True)
    panel = panels[list(titles).index(side)]
    if not len(rows_of(np.array([asked]), panel.predictions)):
        markdown.warning(f"Sample {asked:g} is not among the {len(everything)} validation images; choose another.")
        return
    sample = int(asked)
    ids, distances = nearest(sample, panel.predictions)
    n = decimals(float(distances.max(initial=0)))
    show_cards(
        np.array([sample, *ids]),
        runs,
        panels,
        ["the chosen one", *(f"distance {distance:.{n}f}" for distance in distances)],
    )
    note(f"Distance of the latent means of {panel.title}, in all its latents. {about}")


neighbours()

# What the models draw.

st.subheader("What the models draw")


@st.fragment
@in_a_sentence
def drawings() -> None:
    """Decode the latent plane of one class at one angle, each of its latents, or a point."""
    kind = pick(
        PAGE, "draw", "Draw", list(decoding.KINDS), "plane", format_func=decoding.KINDS.__getitem__, segmented=True
    )
    which, turned = st.columns(2)
    with which:
        names = {str(index): name for index, name in enumerate(class_names)}
        label = int(pick(PAGE, "manifold", "Class", list(names), "0", format_func=names.__getitem__, segmented=True))
    with turned:
        (turn,) = number(PAGE, "angle", "Angle (degrees, counter-clockwise)", -180, 180, 0, step=15)
    sides = zip(("left", "right"), st.columns(len(panels)), runs, panels, strict=False)
    for side, column, run, panel in sides:
        with column:
            try:
                decoding.show(PAGE, side, kind, run, panel, label, int(turn), (x, y))
            except UserError as error:
                markdown.error(str(error))
    note(f"{decoding.explain(kind, dims)} {about}")


drawings()
with place:  # last, as a browser takes its time over the charts
    scatters()
squares.keep(PAGE)
