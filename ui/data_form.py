"""What the Data page asks for: a data set's grey levels, disorder and view, and its split."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ssrvae_core.config import DEFAULT_LABELS_PER_CLASS, DatasetConfig, Disorder, SplitConfig
from ssrvae_core.data import ImageSet
from ssrvae_core.runs.thumbnails import to_pixels
from ssrvae_core.runs.uploads import Upload
from ssrvae_core.times import day_text
from ui import datasets, markdown
from ui.browsing import browse
from ui.datasets import RULES
from ui.holding import NAME, pick_hold_out
from ui.markdown import note
from ui.sliders import number
from ui.state import pick

PAGE = "data"
COUNTS = 16
"""Grey levels from which whole numbers are stepped through one by one."""
HALVES = {"labelled": "Labelled images", "unlabelled": "Unlabelled and validation images"}
LARGEST_SHOWN = 720
"""Pixels of the longer side of a single picture; a larger one is thinned out."""
VIEWS = {"image": "Image", "mask": "Silhouette", "masked": "Inside of the mask"}
OWN_NUMBERS = ("l-rotation", "l-shear", "l-shift", "l-scale", "u-rotation", "u-shear", "u-shift", "u-scale")
OF_THE_SET = (*OWN_NUMBERS, "view", "rule", "labels", "ratio", "share", "grey", NAME, "part", "shown", "page")
"""Names in the address that are forgotten when another data set is chosen."""


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
    note("; ".join(found.lines[:2]))
    with st.expander("What was read, and grey levels", icon=":material/description:"):
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


def choose_split(config: DatasetConfig, of: str, of_hold_out: DeltaGenerator) -> SplitConfig:
    """Show what decides on the split; what is held out is asked for in a place of its own."""
    images = datasets.contents(config)
    own = images.validation is not None and bool(images.validation.any())  # the set says itself what is held out
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    with left:
        of_rule = st.container(horizontal=True, vertical_alignment="bottom")
    with right:
        of_rest = st.container(horizontal=True, vertical_alignment="bottom")
    with of_rule:
        rules = list(RULES) if not datasets.is_generated(config) else ["labels", "ratio"]
        rule = pick(
            PAGE, "rule", "Labels", rules, rules[-1] if "all" in rules else "labels", format_func=RULES.__getitem__
        )
    values: dict[str, float | bool | None] = {}
    with of_rule:
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
    with of_rest:
        (seed,) = number(PAGE, "seed", "Seed", 0, 2**31, 0, slider=False)
        if not own:
            (share,) = number(PAGE, "share", "Validation (%)", 1, 90, 25, of=of, slider=False)
            values["validation_fraction"] = share / 100
    held = SplitConfig(seed=seed, **{name: value for name, value in values.items() if name == "validation_fraction"})
    with of_hold_out:
        values["by_group"] = pick_hold_out(PAGE, images, held)
    return SplitConfig(seed=seed, **values)


def nothing_labelled(name: str) -> None:
    """Say what images without any label lack before they can be trained on."""
    markdown.info(
        f"No image of {name} has a label, so nothing can be trained on it yet: label a few images of at least two "
        "classes, as 'labels' beside the images (npz, HDF5), in a labels.csv beside the pictures, or as one folder per "
        "class, and upload it again."
    )


def undivided(images: ImageSet, config: DatasetConfig, of: str) -> None:
    """Show images that are not split, the first ones and behind a fold all.

    Parameters
    ----------
    images : ImageSet
        The data set.
    config : DatasetConfig
        Its configuration.
    of : str
        Its name in the address.
    """
    st.html(datasets.gallery(datasets.first(images)))
    browse(PAGE, of, config, datasets.undivided(images))


def one_picture(images: ImageSet) -> None:
    """Say what can be done with a single picture, which is not a data set by itself."""
    height, width = images.image_shape[1:]
    markdown.info(
        f"This is one picture of {width} x {height} pixels. A data set has a picture per particle: cut the particles "
        "out of a micrograph first, then hand all of them in together, some with a label."
    )
    step = max(1, -(-max(height, width) // LARGEST_SHOWN))
    st.image(to_pixels(images.images[0])[::step, ::step], caption="The picture", width="content")
