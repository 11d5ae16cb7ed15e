"""Data: pick or upload a data set, see what is in it, choose its disorder and its split, and go on to training."""

import streamlit as st

from ssrvae_core.config import (
    DATASETS,
    DEFAULT_LABELS_PER_CLASS,
    PRESETS,
    DatasetConfig,
    Disorder,
    SplitConfig,
    UserError,
)
from ssrvae_core.figures.dataset import class_counts_figure, factor_histogram
from ssrvae_core.registry import source_of
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.uploads import Upload, uploads
from ssrvae_core.times import day_text
from ui import charts, datasets, export, markdown
from ui.datasets import RULES
from ui.entry import through_app
from ui.jobs import TRAIN
from ui.markdown import note
from ui.runs import store
from ui.sliders import number
from ui.state import forget, pick
from ui.uploader import uploader

PAGE = "data"
COUNTS = 16
"""Grey levels from which whole numbers are stepped through one by one."""
HALVES = {"labelled": "Labelled images", "unlabelled": "Unlabelled and validation images"}
VIEWS = {"image": "Image", "mask": "Silhouette", "masked": "Inside of the mask"}
OWN_NUMBERS = ("l-rotation", "l-shear", "l-shift", "l-scale", "u-rotation", "u-shear", "u-shift", "u-scale")
OF_THE_SET = (*OWN_NUMBERS, "view", "rule", "labels", "ratio", "share", "grey")


def label(files: dict[str, Upload], name: str) -> str:
    """How a data set reads in the list."""
    if name not in files:
        return name
    return f"{files[name].name} (uploaded {day_text(files[name].uploaded)})"


def disorder(half: str, of: str, default: Disorder) -> Disorder:
    """Show the sliders of one half's disorder."""
    sign = half[0]
    st.markdown(f"**{HALVES[half]}**")
    (rotation,) = number(
        PAGE, f"{sign}-rotation", f"Largest rotation of {half} images", 0, 180, default.rotation, of=of, format="±%d°"
    )
    (shear,) = number(
        PAGE, f"{sign}-shear", f"Largest shear of {half} images", 0, 45, default.shear, of=of, format="±%d°"
    )
    (shift,) = number(
        PAGE,
        f"{sign}-shift",
        f"Largest shift of {half} images",
        0,
        30,
        round(100 * default.shift),
        of=of,
        format="±%d %%",
        help="Of the image's side",
    )
    scale = number(PAGE, f"{sign}-scale", f"Scale of {half} images", 0.5, 1.5, default.scale, of=of, step=0.05)
    return Disorder(rotation=rotation, shear=shear, shift=shift / 100, scale=(scale[0], scale[1]))


def chosen_file(file: Upload) -> DatasetConfig:
    """Tell what was read from an upload, and return it as a data set on the grey levels the visitor chose."""
    found = datasets.read(file)
    with st.expander("What was read", icon=":material/description:", expanded=True):
        markdown.made(markdown.listed(found.lines))
        low, high = found.scale
        margin = high - low
        darkest = low - margin if low else 0.0  # a camera counts from 0
        whole = float(low).is_integer() and float(high).is_integer() and margin >= COUNTS
        grey = number(
            PAGE,
            "grey",
            "Grey levels that become black and white",
            darkest,
            high + margin,
            (low, high),
            of=file.id,
            step=float(max(1, margin // 1000)) if whole else margin / 100,
            format="%g",
            help="Levels outside this range are clipped. The run keeps the range, and sees other files on it.",
        )
    unchanged = grey in ((low, high), (grey[0], grey[0]))
    return found.config if unchanged else found.config.model_copy(update={"intensity": (grey[0], grey[1])})


def choose_split(config: DatasetConfig, of: str) -> SplitConfig:
    """Show what decides on the split."""
    images = datasets.contents(config)
    columns = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
    with columns[0]:
        rules = list(RULES) if not datasets.is_generated(config) else ["labels", "ratio"]
        rule = pick(
            PAGE, "rule", "Labels", rules, rules[-1] if "all" in rules else "labels", format_func=RULES.__getitem__
        )
    values: dict[str, float | bool | None] = {}
    with columns[1]:
        if rule == "labels":
            most = datasets.most_labels(config, images)
            default = min(DEFAULT_LABELS_PER_CLASS.get(of, 10), max(datasets.fewest_labels(images) // 2, 1))
            (values["labels_per_class"],) = number(
                PAGE, "labels", "Labels per class", 1, most, default, of=of, slider=False
            )
        elif rule == "ratio":
            (values["labelled_ratio"],) = number(
                PAGE, "ratio", "Labelled / all", 0.001, 1.0, 0.05, of=of, step=0.01, slider=False, format="%.3f"
            )
    with columns[3]:
        if images.validation is None or not images.validation.any():
            (share,) = number(PAGE, "share", "Validation (%)", 1, 90, 25, of=of, slider=False)
            values["validation_fraction"] = share / 100
    with columns[2]:
        (seed,) = number(PAGE, "seed", "Seed", 0, 2**31, 0, slider=False)
    if images.groups is not None:
        grouped = pick(
            PAGE, "group", "Hold out", ["images", "groups"], "images", format_func=str.capitalize, segmented=True
        )
        values["by_group"] = grouped == "groups"
    return SplitConfig(seed=seed, **values)


through_app()
st.title("Data")

files = {file.id: file for file in uploads(store().root)}
options = [*DATASETS, *files]
left, right = st.columns([1, 1])
if is_viewer():
    right.caption("This dashboard is read-only, so nothing can be uploaded.")
else:
    with right:
        uploader(PAGE)
with left:
    chosen = pick(
        PAGE, "data", "Data set", options, PRESETS["teaching"].data, format_func=lambda name: label(files, name)
    )
if st.session_state.setdefault(f"{PAGE}-shown", chosen) != chosen:
    st.session_state[f"{PAGE}-shown"] = chosen
    for name in OF_THE_SET:  # they were the other set's
        forget(PAGE, name)

config = chosen_file(files[chosen]) if chosen in files else DATASETS[chosen]
if source_of(config.source).poses_known:
    with st.expander("Disorder", icon=":material/tune:", expanded=True):
        columns = st.columns(2, gap="large")
        halves = {}
        for column, half in zip(columns, HALVES, strict=True):
            with column:
                halves[half] = disorder(half, chosen, getattr(config, half))
    config = config.model_copy(update=halves)
masks = source_of(config.source).masks or (chosen in files and datasets.read(files[chosen]).masks)
if masks:
    view = pick(PAGE, "view", "Show and train on", list(VIEWS), "image", format_func=VIEWS.__getitem__, segmented=True)
    config = config.model_copy(update={"view": view})

whole = None
try:
    whole = datasets.contents(config)
    rule = choose_split(config, chosen)
    parts = datasets.parts_of(config, rule)
    labelled, unlabelled = datasets.examples(config, parts)
except UserError as error:
    markdown.error(str(error).replace(config.path or chosen, label(files, chosen)))
    if whole is not None and chosen in files:  # the images can be looked at, whatever their labels lack
        st.html(datasets.gallery(datasets.first(whole)))
    st.stop()

for column, title, images in zip(st.columns(2, gap="large"), HALVES.values(), (labelled, unlabelled), strict=True):
    with column:
        markdown.show("**{title}**", title=title)
        st.html(datasets.gallery(images))

table = datasets.counts(parts)
name = label(files, chosen)
size = " x ".join(map(str, labelled.image_shape[1:]))
about = (
    f"{name}{' (changed)' if chosen in DATASETS and config != DATASETS[chosen] else ''}: {datasets.parts_text(table)}; "
    f"{size} pixels, {parts.labelled.n_classes} classes, seed {rule.seed}."
)
note(about)

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
    figure = class_counts_figure({part: table[part] for part in table.columns[1:]}, table["Class"])
    export.menu("data", f"Classes of {name}", about, figure=lambda: figure, table=lambda: table)

st.subheader("Classes")
left, right = st.columns([3, 2], vertical_alignment="center")
with left:
    charts.show(
        figure,
        key=f"{PAGE}-classes",
        alt="Number of images of each class in the labelled, the unlabelled and the validation part.",
        file_name=f"classes-{chosen}",
        height=150 + 34 * len(table),
    )
with right:
    st.dataframe(table, hide_index=True, alt="Number of images of each class in each part.")
if datasets.is_generated(config):
    st.caption("The classes of the unlabelled images are known here because they were drawn; no model sees them.")

factors = datasets.factors(config, parts)
st.subheader("Factors of variation")
if not factors:
    st.caption("No factor of variation is known of these images, or none varies.")
histograms = st.columns(3)
for index, (title, values) in enumerate(factors.items()):
    with histograms[index % len(histograms)]:
        charts.show(
            factor_histogram(title, values),
            key=f"{PAGE}-factor-{index}",
            alt=f"Histogram of {title}: {' and '.join(values)}.",
            file_name=f"{title}-{chosen}",
            height=260,
        )
if factors:
    st.caption("Share of the images in each of 24 bins.")
