"""Latent space (Fig S1): maps of all particles, the pictures behind the points, and what the models draw."""

import streamlit as st

from ssrvae_core.config import UserError
from ui import decoding, markdown
from ui.entry import in_a_sentence, through_app
from ui.explorer import explorer
from ui.explorer.answers import answer
from ui.explorer.downloads import selection
from ui.explorer.everything import sources_of
from ui.explorer.kept import shelf_of
from ui.explorer.pictures import pictures_of
from ui.markdown import note
from ui.presentation import places
from ui.runs import caption, panels_of, pick_runs
from ui.sliders import number
from ui.state import pick

PAGE = "latent"

through_app()
_, choices, stage = places("Latent space")
with choices:
    runs, panels = panels_of(pick_runs(PAGE))
    sources = sources_of(PAGE, runs, panels)
class_names = runs[0].class_names
everything = sources[0].particles.ids
about = judged = caption(runs, len(panels[0].predictions), panels[0].predictions.n_labelled)
if len(everything) > len(panels[0].predictions):
    about = f"{len(everything):,} particles; accuracies are of validation images: {judged}"
pictures = None
try:
    pictures = pictures_of(runs[0], everything)
    if pictures.note:
        with choices:
            note(pictures.note)
except UserError as error:
    with choices:
        markdown.warning(f"The images cannot be shown: {error}")
dims = min(run.config.model.latent_dim for run in runs)


@st.fragment
@in_a_sentence
def particles() -> None:
    """Show the maps and the pictures, and offer what is selected."""
    chosen = explorer(
        f"{PAGE}-explorer",
        sources,
        class_names,
        pictures,
        file_name=f"latent-{runs[0].data_name}",
        answer=lambda sample: answer(sample, runs, sources, pictures),
        shelf=shelf_of(runs[0]),
        images=f"{runs[0].config.dataset.model_dump_json(exclude={'path'})}",
    )
    selection(chosen.ids, runs, sources, of=len(everything), title=f"Particles of {runs[0].data_name}", caption=about)
    note(about)


with stage:
    particles()

# What the models draw.

st.subheader("What the models draw")


@st.fragment
@in_a_sentence
def drawings() -> None:
    """Decode the latent plane of one class at one angle, each of its latents, or a point."""
    how, which, turned = st.columns(3)
    with how:
        kind = pick(PAGE, "draw", "Draw", list(decoding.KINDS), "plane", format_func=decoding.KINDS.__getitem__)
    with which:
        names = {str(index): name for index, name in enumerate(class_names)}
        label = int(pick(PAGE, "manifold", "Class", list(names), "0", format_func=names.__getitem__))
    with turned:
        (turn,) = number(PAGE, "angle", "Angle (degrees, counter-clockwise)", -180, 180, 0, step=15)
    sides = zip(("left", "right"), st.columns(len(panels)), runs, panels, strict=False)
    for side, column, run, panel in sides:
        with column:
            try:
                decoding.show(PAGE, side, kind, run, panel, label, int(turn), (0, 1))
            except UserError as error:
                markdown.error(str(error))
    note(f"{decoding.explain(kind, dims)} {judged}")


drawings()
