"""Learn: one image on a turntable, two models that look at it, and what it teaches about invariance."""

import numpy as np
import pandas as pd
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.evaluation.turning import all_angles, turned
from ssrvae_core.figures import accuracy_by_angle_figure
from ssrvae_core.figures.turning import probability_by_angle_figure
from ssrvae_core.registry import source_of
from ssrvae_core.reports import wording
from ui import charts, export, lesson, lesson_models, markdown
from ui.entry import in_a_sentence, through_app
from ui.ink import legible
from ui.learn import pixel_distance, scene, subjects, turnings, turntable
from ui.markdown import note
from ui.presentation import presenting
from ui.ready_made import lesson_store
from ui.runs import caption, finished, n_images, store
from ui.state import pick

PAGE = "learn"
UNKNOWN = "class unknown"

through_app()
if presenting():  # the room is the turntable's
    st.html("<h1 class='unseen'>Learn</h1><style>h1.unseen {position: absolute; clip-path: inset(50%)}</style>")
else:
    st.title("Learn")
    st.markdown(lesson.OPENING)

# Who looks, and at what.

mine = finished(store().scan()[0])
refused = st.container()
choice = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
with choice:
    of_class, of_labels = st.container(width="content"), st.container(width="content")
    with st.popover("Models", icon=":material/tune:"), st.container(width=460):  # a run's labels are read whole
        ready = lesson_models.pick_source(PAGE, bool(mine)) == lesson_models.READY
        offered = finished(lesson_store().runs()) if ready else mine
        pairs = lesson_models.pairs(offered)
        with refused:
            lesson_models.tell_refused(PAGE, offered)
        with of_labels:
            lesson_models.pick_labels(PAGE, offered, pairs)
        runs = lesson_models.pick_pair(PAGE, offered, pairs)
        of_image = st.container()
class_names = runs[0].class_names
try:
    images = subjects(runs[0])
except UserError as error:
    markdown.error(f"The images cannot be shown: {error}")
    st.stop()
names = {str(label): class_names[label] if label >= 0 else UNKNOWN for label in images.classes()}
with of_class:
    truth = int(
        pick(PAGE, "class", "Class", list(names), next(iter(names)), format_func=names.__getitem__, segmented=True)
    )
samples = [str(sample) for sample in images.of_class(truth)]
with of_image:
    sample = int(pick(PAGE, "sample", "Image", samples, samples[0], format_func="number {}".format))
upright = images.upright(sample)
name = names[str(truth)]

shown, titles, seen = [], [], []
for run, title in zip(runs, wording.titles(runs), strict=True):
    try:
        seen += turnings([run], sample, upright, images.mask(sample))
    except UserError as error:
        markdown.error(f"{title} cannot look at the image: {error}")
    else:
        shown.append(run)
        titles.append(title)
if not shown:
    st.stop()

dataset = runs[0].config.dataset
known = images.angles is not None and source_of(dataset.source).poses_known
labelled_range = dataset.labelled.rotation if known else None
about = f"Image {sample} ({name}). {caption(shown, *n_images(shown[0]))}"
content = scene(
    titles,
    seen,
    upright,
    class_names=class_names,
    truth=truth,
    caption=f"Image {sample}: {name}",
    labelled_range=labelled_range,
)


@st.fragment
@in_a_sentence
def on_the_turntable() -> None:
    """Show the image and what the models say of it; where the turntable stops, its numbers are explained."""
    angle = turntable(content, key=f"{PAGE}-turntable")
    note(about)
    with st.expander("What each model finds surprising at this angle: the terms of the loss"):
        markdown.made(lesson.terms(titles, seen, truth, angle))


on_the_turntable()
if not mine:
    st.caption("These models come with the program; once there are runs of your own, they can be chosen under Models.")
st.markdown(lesson.HOW)

# Guess first, then look.

st.subheader("Two minutes: guess first, then look")
for number, step in enumerate(lesson.steps(titles, seen, truth, name, labelled_range), start=1):
    markdown.show("**{number}. {task}** {question}", number=number, task=step.task, question=step.question)
    with st.expander("Reveal", key=f"{PAGE}-reveal-{number}"):
        markdown.made(step.answer)

# This image, and all of them.

st.subheader("Every angle at once")
degrees = all_angles()
curves = {title: one.class_prob[:, truth] for title, one in zip(titles, seen, strict=True)} if truth >= 0 else {}


def one_image() -> pd.DataFrame:
    """Tabulate what each model says of the image, a row an angle and model."""
    parts = [
        pd.DataFrame(
            {"angle_degrees": degrees, "run": run.id, "model": title, "inferred_angle_degrees": np.degrees(one.angle)}
            | {f"p_{label}": values for label, values in zip(class_names, one.class_prob.T, strict=True)}
            | {"reconstruction_nats": one.reconstruction, "kl_nats": one.kl}
        )
        for run, title, one in zip(shown, titles, seen, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


left, right = st.columns(2)
if curves:
    single = probability_by_angle_figure(curves, degrees, labelled_range=labelled_range)
    with left:
        st.markdown("**This image**: probability of its true class")
        charts.show(
            legible(single),
            key=f"{PAGE}-probability",
            alt=f"Probability of the true class of image {sample} against the angle it is turned by, a line per model.",
            file_name=f"probability-by-angle-{sample}",
            height=340,
        )
bins = {
    title: judged["accuracy_by_angle"]
    for run, title in zip(shown, titles, strict=True)
    if (judged := run.status.validation or {}).get("accuracy_by_angle")
}
if bins:
    everything = accuracy_by_angle_figure(bins, chance=1 / len(class_names))
    everything.update_layout(margin=charts.MARGIN | {"t": 50}, legend_y=1.05)
    with right:
        st.markdown("**All validation images**: share whose class is predicted right")
        charts.show(
            legible(everything),
            key=f"{PAGE}-accuracy",
            alt="Accuracy against the absolute rotation angle of the validation images, a line per model.",
            file_name="accuracy-by-angle",
            height=340,
        )
shade = f" Grey: the labelled images are turned by no more than {labelled_range:g}°." if labelled_range else ""
note(f"{about}{shade if curves else ''}")
export.menu(
    "learn",
    "One image at every angle",
    about,
    figure=(lambda: single) if curves else None,
    table=one_image,
)

# The words.

st.subheader("The words")
quarter = turned(upright, np.array([90]))[0]
apart = {
    names[str(label)]: pixel_distance(upright, images.upright(images.of_class(label)[0]))
    for label in images.classes()
    if label not in (truth, -1)
}
st.markdown(lesson.WORDS)
markdown.made(lesson.pixels(name, pixel_distance(upright, quarter), apart))
