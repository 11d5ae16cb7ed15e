"""Latent space (Fig S1): the latents of two models side by side, the images behind them, and the manifold."""

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.evaluation.latents import FEWEST, manifold_bounds
from ssrvae_core.figures import colourings, latent_scatter
from ui import charts, export, images
from ui.entry import through_app
from ui.gallery import show_gallery
from ui.runs import caption, panels_of, pick_runs
from ui.selection import selected_ids, table
from ui.sliders import number
from ui.state import drop, pick

PAGE = "latent"

through_app()
st.title("Latent space")
runs, panels = panels_of(pick_runs(PAGE))
class_names = runs[0].class_names
run_ids = [run.id for run in runs]
about = caption(runs, len(panels[0].predictions))

# What the points show.

dims = min(run.config.model.latent_dim for run in runs)
latents = [f"z{d}" for d in range(1, dims + 1)]
columns = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
with columns[0]:
    colour_by = pick(PAGE, "colour", "Colour by", colourings(panels), "class", format_func=charts.colouring_label)
x, y = 0, 1
if dims > 2:
    with columns[1]:
        x = latents.index(pick(PAGE, "x", "Across", latents, "z1"))
    with columns[2]:
        y = latents.index(pick(PAGE, "y", "Up", latents, "z2"))
else:
    drop("x", "Across", "z1")
    drop("y", "Up", latents[-1])
joint = latent_scatter(panels, class_names, colour_by=colour_by, x_dim=x, y_dim=y)
with columns[3]:
    export.menu(
        "latent-space",
        "Latent space",
        about,
        figure=lambda: joint,
        table=lambda: table(panels[0].predictions.ids, panels, run_ids, class_names),
    )


@st.fragment
def scatters() -> None:
    """Draw the scatters and the gallery of what is selected in them; no figure here may depend on the selection."""
    st.html(charts.legend(joint))
    events = []
    for column, run, panel in zip(st.columns(len(panels)), runs, panels, strict=True):
        figure = latent_scatter([panel], class_names, colour_by=colour_by, x_dim=x, y_dim=y, uirevision=run.id)
        charts.make_panel(figure, coloraxis=joint.layout.coloraxis)
        with column:
            event = charts.show(
                figure,
                key=f"{PAGE}-scatter-{run.id}",
                alt=f"Scatter of the latent variables of {panel.title}, {len(panel.predictions)} images, "
                f"coloured by {colour_by}.",
                file_name=f"latent-{run.id}",
                on_select="rerun",
                selection_mode=("box", "lasso"),
            )
        events.append(event)
    st.caption(about)
    ids = selected_ids(*events)
    export.selection(ids, lambda: table(ids, panels, run_ids, class_names))
    if len(ids):
        show_gallery(PAGE, ids, runs, panels)
    else:
        st.query_params.pop("page", None)  # a page of nothing
        st.caption("Draw a lasso around points, or a box, to see their images here. A double click clears it.")


scatters()

# What the models imagine.

st.subheader("Manifold")


@st.fragment
def manifolds() -> None:
    """Decode a grid over the two latents shown, of one class at one angle."""
    left, right = st.columns(2)
    with left:
        names = dict(zip(map(str, range(len(class_names))), class_names, strict=True))
        label = int(pick(PAGE, "manifold", "Class", list(names), "0", format_func=names.__getitem__, segmented=True))
    with right:
        (turn,) = number(PAGE, "angle", "Angle (degrees, counter-clockwise)", -180, 180, 0, step=15)
    for column, run, panel in zip(st.columns(len(panels)), runs, panels, strict=True):
        with column:
            bounds = manifold_bounds(panel.predictions, label)
            try:
                picture = images.manifold(run, label, int(turn), (x, y), bounds)
            except UserError as error:
                st.error(str(error))
                continue
            fixed = "" if run.config.model.rotation != "none" else ", which has no angle to turn"
            st.image(
                picture,
                caption=f"{class_names[label]} by {panel.title}{fixed}: {images.reach(bounds, (x, y))}",
                width="stretch",
                alt=f"Images decoded by {panel.title} over a grid of latent variables, class {class_names[label]}, "
                f"at {turn:g} degrees.",
            )
            st.download_button(
                "PNG",
                data=lambda picture=picture: images.png(picture),
                file_name=f"manifold-{run.id}-{class_names[label]}.png",
                mime="image/png",
                on_click="ignore",
                key=f"{PAGE}-manifold-png-{run.id}",
                icon=":material/download:",
            )
    others = " Other latents are in the middle of theirs." if dims > 2 else ""
    st.caption(
        "The grid reaches over the middle 95 % of the latents of the images a model takes for this class, or from -2 "
        f"to 2 where these are fewer than {FEWEST}.{others}"
    )


manifolds()
