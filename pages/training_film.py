"""Training film (Videos 1 and 2): the latents, the confusion and the loss of two models, epoch by epoch in step."""

import streamlit as st

from ssrvae_core.reports.film import ALIGNED
from ssrvae_core.reports.wording import course_text
from ui import films, markdown, training_film
from ui.entry import in_a_sentence, through_app
from ui.markdown import note
from ui.presentation import places
from ui.runs import NO_RUN, caption, labels_of, nothing_yet, store
from ui.state import pick

PAGE = "film"
CURVES = {"loss": "Loss", "accuracy": "Accuracy"}

through_app()
beside, choices, stage = places("Training film")
runs, broken = store().scan()
shown = {run.id: run for run in training_film.filmed(runs)}
if not shown:
    nothing_yet(unfinished=len(runs) + len(broken))
    st.stop()

# Which runs.

label = labels_of(shown)
columns = choices.columns(2)  # a run is read whole in half of a page
with columns[0]:
    first = training_film.left_default(list(shown.values()))
    left = shown[pick(PAGE, "left", "Left run", list(shown), first.id, format_func=label)]
others = [run.id for run in training_film.beside(left, list(shown.values()))]
with columns[1]:
    help = "The runs that are judged on the same images as the left one."
    options = [*others, NO_RUN]
    right = pick(PAGE, "right", "Right run", options, options[0], format_func=label, help=help)
with beside:
    curve = pick(PAGE, "curve", "Curve", list(CURVES), "loss", format_func=CURVES.__getitem__, segmented=True)
pair = [left] if right == NO_RUN else [left, shown[right]]
with choices.container(horizontal=True, vertical_alignment="center"):
    if live := training_film.still_training(pair):
        markdown.info(f"{live}; the film has the epochs so far.")
        st.button("Add the new epochs", icon=":material/refresh:")
stamps, quantity = training_film.stamps_of(pair), training_film.CURVES[curve]
film = training_film.film_of(stamps, quantity, pair)
first_frame = film.tracks[0].frames[0]
of = caption(pair, len(first_frame.ids), first_frame.judged)
about = f"{of} {ALIGNED} The frame around an image has the colour of the class it is taken for."
if len(pair) == 2 and pair[0].config.training.epochs != pair[1].config.training.epochs:
    about += " Where a training has ended, its last epoch stays."


if leap := course_text(*pair):
    about += f" {leap}"


@st.fragment
@in_a_sentence
def show() -> None:
    """Show the film; a step of it changes the address, nothing else."""
    reel = training_film.reel_of(stamps, quantity, film, films.width_of(PAGE), films.room_of(PAGE))
    name = f"training-film-{'-'.join(run.id for run in pair)}"
    now = films.show(PAGE, "epoch", "Epoch", reel, pause=films.PAUSE_MS[film.axis], file_name=name)
    note(about)
    films.menu(
        name,
        "Training film",
        about,
        film,
        lambda: film.figure(start=reel.steps[now]["position"]),
        lambda: training_film.epochs_table(pair),
    )


with stage:
    show()
