"""Data: pick or upload a data set, see what is in it, choose its disorder and its split, and go on to training."""

import streamlit as st

from ssrvae_core.config import DATASETS, PRESETS, UserError
from ssrvae_core.figures.dataset import class_counts_figure, factor_histogram
from ssrvae_core.registry import source_of
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.uploads import uploads
from ui import charts, datasets, export, markdown
from ui.browsing import browse
from ui.data_form import (
    HALVES,
    OF_THE_SET,
    PAGE,
    VIEWS,
    choose_split,
    chosen_file,
    disorder,
    label,
    nothing_labelled,
    one_picture,
    undivided,
)
from ui.deleting import deleter
from ui.entry import through_app
from ui.holding import cautions
from ui.jobs import TRAIN
from ui.markdown import note, verbatim
from ui.runs import store
from ui.state import forget, pick
from ui.uploader import dismiss, uploader

through_app()
st.title("Data")

files = {file.id: file for file in uploads(store().root)}
options = [*DATASETS, *files]
left, right = st.columns([1, 1], gap="large")
refused = False
if is_viewer():
    right.caption("This dashboard is read-only, so nothing can be uploaded.")
else:
    with right:
        refused = uploader(PAGE)
with left:
    chosen = pick(
        PAGE, "data", "Data set", options, PRESETS["teaching"].data, format_func=lambda name: label(files, name)
    )
if st.session_state.setdefault(f"{PAGE}-shown", chosen) != chosen:
    st.session_state[f"{PAGE}-shown"] = chosen
    for name in OF_THE_SET:  # they were the other set's
        forget(PAGE, name)
if refused:  # another data set would look like what became of the files
    note("Nothing was added to the store. Hand the files in again, or choose a data set that is there.")
    st.button(verbatim(f"Show {label(files, chosen)}"), icon=":material/visibility:", on_click=dismiss, args=(PAGE,))
    st.stop()

with left:
    config = chosen_file(files[chosen]) if chosen in files else DATASETS[chosen]
    if chosen in files:
        deleter(PAGE, files[chosen])
    else:
        note(datasets.about(datasets.contents(config)))
of_split, of_images = st.container(), st.container()  # what a slider below changes is seen above it
if source_of(config.source).poses_known:
    with st.expander("Disorder", icon=":material/tune:", expanded=True):
        columns = st.columns(2, gap="large")
        halves = {}
        for column, half in zip(columns, HALVES, strict=True):
            with column:
                halves[half] = disorder(half, chosen, getattr(config, half))
    config = config.model_copy(update=halves)
masks = source_of(config.source).masks or (chosen in files and datasets.read(files[chosen]).masks)

whole = None
try:
    with of_split:
        of_view, of_hold_out = st.columns(2, gap="large")
        if masks:
            with of_view:
                read = VIEWS.__getitem__
                view = pick(PAGE, "view", "Show and train on", list(VIEWS), "image", format_func=read, segmented=True)
            config = config.model_copy(update={"view": view})
        whole = datasets.contents(config)
        if len(whole) == 1:
            one_picture(whole)
            st.stop()
        if not (whole.labels >= 0).any():  # there is nothing to choose about a split
            nothing_labelled(label(files, chosen))
            undivided(whole, config, chosen)
            st.stop()
        rule = choose_split(config, chosen, of_hold_out)
    parts = datasets.parts_of(config, rule)
    labelled, unlabelled = datasets.examples(config, parts)
except UserError as error:
    with of_images:
        markdown.error(str(error).replace(config.path or chosen, label(files, chosen)))
        if whole is not None and chosen in files:  # the images can be looked at, whatever their labels lack
            undivided(whole, config, chosen)
        st.stop()

table = datasets.counts(parts)
name = label(files, chosen)
size = " x ".join(map(str, labelled.image_shape[1:]))
about = (
    f"{name}{' (changed)' if chosen in DATASETS and config != DATASETS[chosen] else ''}: {datasets.parts_text(table)}; "
    f"{size} pixels, {parts.labelled.n_classes} classes, seed {rule.seed}."
)
figure = class_counts_figure({part: table[part] for part in table.columns[1:]}, table["Class"])
with of_images:
    for column, title, images in zip(st.columns(2, gap="large"), HALVES.values(), (labelled, unlabelled), strict=True):
        with column:
            markdown.show("**{title}**", title=title)
            st.html(datasets.gallery(images))
    note(about)
    for caution in cautions(parts):
        note(caution)
    with st.container(horizontal=True, vertical_alignment="center"):
        if not is_viewer() and st.button(
            "Train on this", type="primary", icon=":material/model_training:", key=f"{PAGE}-train"
        ):
            datasets.hand_over(datasets.draft(config, rule))
            st.switch_page(TRAIN)
        st.download_button(
            "Data as npz",
            data=lambda: datasets.as_npz(config, rule),
            file_name=f"{chosen}.npz",
            mime="application/octet-stream",
            on_click="ignore",
            icon=":material/download:",
            help="As it is split here: images, the labels that are not hidden, the validation part, masks and factors.",
        )
        export.menu("data", f"Classes of {name}", about, figure=lambda: figure, table=lambda: table)

browse(PAGE, chosen, config, parts)

st.subheader("Classes")
left, right = st.columns([3, 2], vertical_alignment="center")
with left:
    charts.show(
        figure,
        key=f"{PAGE}-classes",
        alt="Number of images of each class in the labelled, the unlabelled and the validation part.",
        file_name=f"classes-{chosen}",
        height=170 + 34 * len(table),
    )
with right:
    st.dataframe(table, hide_index=True, alt="Number of images of each class in each part.")
if datasets.is_generated(config):
    st.caption("The classes of the unlabelled images are known here because they were drawn; no model sees them.")

factors = datasets.factors(config, parts)
if factors:
    st.subheader("Factors of variation")
histograms = st.columns(3)
for index, (title, values) in enumerate(factors.items()):
    with histograms[index % len(histograms)]:
        charts.show(
            factor_histogram(title, values),
            key=f"{PAGE}-factor-{index}",
            alt=f"Histogram of {title}: {' and '.join(values)}.",
            file_name=f"{title}-{chosen}",
            height=290,
        )
if factors:
    st.caption("Share of the images in each of 24 bins.")
