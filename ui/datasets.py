"""Data sets as the Data page speaks of them: what is in them, quickly, and how they go on to training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import streamlit as st

from ssrvae_core.config import (
    DATASETS,
    PRESETS,
    DatasetConfig,
    RunConfig,
    SplitConfig,
    run_config,
    with_settings,
)
from ssrvae_core.data import UNLABELLED, ImageSet, Split, load, naming, split
from ssrvae_core.data.generated import Drawing, generate
from ssrvae_core.data.pose import POSE_FACTORS
from ssrvae_core.data.readers import ImageFile, open_images
from ssrvae_core.data.summary import summary
from ssrvae_core.data.views import view
from ssrvae_core.data.writing import fields_of, joined, npz_bytes
from ssrvae_core.registry import source_of
from ssrvae_core.runs.thumbnails import to_pixels
from ssrvae_core.runs.uploads import Upload
from ui.images import data_uri

TRAIN_DRAFT = "train-draft"
"""Key of the session state under which the Train page finds the configuration to begin with, as JSON."""
RULES = {"labels": "Labels per class", "ratio": "Supervised ratio", "all": "Every label not held out"}
"""What decides on the number of labels."""

MOST_NAMED = 6
"""Classes that a line names."""
SHOWN = 12
"""Images in either half of the gallery."""
LARGEST = 192
"""Pixels of the longer side of an image in the gallery; larger ones are thinned out."""
OWN_SAMPLE = 40
"""Objects a class drawn to show the factors of the objects themselves."""
UNITS = {"angle": "degrees", "shear_x": "degrees", "shear_y": "degrees"} | dict.fromkeys(
    ("shift_x", "shift_y", "size"), "pixels"
)

GALLERY_STYLE = """<style>
.samples {display: grid; grid-template-columns: repeat(auto-fill, minmax(68px, 1fr)); gap: 8px; margin: 2px 0 8px}
.samples figure {margin: 0; font-size: 0.8rem; line-height: 1.3}
.samples img {width: 100%; image-rendering: pixelated; border-radius: 4px; display: block;
  border: 1px solid rgba(138, 138, 138, 0.5); box-sizing: border-box}
.samples figcaption {overflow-wrap: anywhere; margin-top: 2px}
</style>"""


# What is in a data set.


def is_generated(config: DatasetConfig) -> bool:
    """Whether numbers, classes and poses of the images are known before they are drawn."""
    return source_of(config.source).generated


@st.cache_resource(max_entries=1, show_spinner="Reading the images")
def _opened(path: str, sha256: str) -> ImageFile:
    """Read a file of this content. The store keeps it under its fingerprint, so that none has to be taken again."""
    return open_images(path)


@st.cache_resource(max_entries=2, show_spinner="Preparing the images")
def _loaded(config: str) -> ImageSet:
    dataset = DatasetConfig.model_validate_json(config)
    if dataset.path is None or dataset.sha256 is None:
        return load(dataset)
    return view(_opened(dataset.path, dataset.sha256).images(dataset.intensity), dataset.view)


@st.cache_resource(max_entries=48, show_spinner="Drawing examples")
def _few(config: str, per_class: int) -> ImageSet:
    dataset = DatasetConfig.model_validate_json(config)
    return load(dataset.model_copy(update={"train_per_class": per_class, "validation_per_class": 1}))


def contents(config: DatasetConfig) -> ImageSet:
    """Return a data set for counting: that of a file as it is, a generated one without its pixels, which take long.

    Labels, ids, parts and the factors of the pose are exact in either case.

    Raises
    ------
    UserError
        If the images cannot be used.
    """
    if not is_generated(config):
        return _loaded(config.model_dump_json())
    names = _few(config.model_copy(update={"view": "image"}).model_dump_json(), 1).class_names
    return generate(
        config.model_copy(update={"view": "image"}),
        names,
        lambda positions, *_: Drawing(np.zeros((len(positions), 1, 1, 1), np.float32)),
    ).whole()


@dataclass(frozen=True)
class Read:
    """What was read from a file that was uploaded.

    Attributes
    ----------
    config : DatasetConfig
        The data set, on the grey levels that suit it.
    lines : tuple of str
        What was read, in words.
    scale : (float, float)
        The grey levels of black and white.
    masks : bool
        Whether there are masks.
    """

    config: DatasetConfig
    lines: tuple[str, ...]
    scale: tuple[float, float]
    masks: bool


def read(upload: Upload) -> Read:
    """Return what was read from an upload; its label says it, so that the file is not read again for it.

    Raises
    ------
    UserError
        If an earlier version kept it without saying so, and it cannot be read.
    """
    found = upload.told
    try:
        config = DatasetConfig(source="file", path=str(upload.path), sha256=upload.path.stem, intensity=found["needed"])
        low, high = map(float, found["scale"])
        return Read(config, tuple(map(str, found["lines"])), (low, high), bool(found["masks"]))
    except (KeyError, TypeError, ValueError):
        return _read_again(str(upload.path), upload.uploaded)


@st.cache_data(max_entries=16, show_spinner="Reading the file")
def _read_again(path: str, uploaded: float) -> Read:
    opened = open_images(path)
    found = summary(opened)
    return Read(opened.config(), tuple(found.lines()), found.scale, found.masks)


def fewest_labels(images: ImageSet) -> int:
    """Return the number of labelled images of the class that has the fewest."""
    return int(np.bincount(images.labels[images.labels >= 0], minlength=max(images.n_classes, 1)).min())


def most_labels(config: DatasetConfig, images: ImageSet) -> int:
    """Return how many labels per class can be asked for: of what is read, or has an end, no more than a class has.

    What is drawn without an end can have more training images than it is set to have now.
    """
    most = source_of(config.source).most_per_class
    if most is not None:
        return most - 1
    return max(int((images.labels >= 0).sum()) if is_generated(config) else fewest_labels(images), 1)


def parts_of(config: DatasetConfig, rule: SplitConfig) -> Split:
    """Split what :func:`contents` gives.

    Raises
    ------
    UserError
        If the rule cannot be followed; the sentence says why.
    """
    with naming(config):
        return split(contents(config), rule)


def undivided(images: ImageSet) -> Split:
    """Return images that nothing was chosen about: those with a label, and all others; nothing is held out."""
    has_label = images.labels != UNLABELLED
    others = images.take(np.flatnonzero(~has_label)) if has_label.any() else images
    nothing = images.take(np.arange(0))
    return Split(images.take(np.flatnonzero(has_label)), others, nothing, others.labels)


def pictures_of(config: DatasetConfig, parts: Split, rows: Sequence[tuple[str, int]]) -> list[np.ndarray]:
    """Return images (C, H, W) of a split, each by its part and its row in it; generated ones are drawn for it.

    Parameters
    ----------
    config : DatasetConfig
        The data set.
    parts : Split
        What :func:`parts_of` gives, which has no pixels of generated images.
    rows : sequence of (str, int)
        ``labelled``, ``unlabelled`` or ``validation``, and the row.
    """
    if not is_generated(config):
        return [getattr(parts, part).images[row] for part, row in rows]
    whole = _loaded(config.model_dump_json())
    order = np.argsort(whole.ids)
    found = []
    for part, row in rows:
        at = order[np.searchsorted(whole.ids, getattr(parts, part).ids[row], sorter=order)][None]
        one = whole.as_labelled(at) if part == "labelled" and whole.as_labelled else whole.take(at)
        found.append(one.images[0])
    return found


def examples(config: DatasetConfig, parts: Split) -> tuple[ImageSet, ImageSet]:
    """Return a few labelled and a few unlabelled images to look at; where every label is used, validation images.

    A generated data set draws them again in its two disorders: the same objects, so that the disorder alone differs.
    """
    if not is_generated(config):
        return first(parts.labelled), first(parts.unlabelled if len(parts.unlabelled) else parts.validation)
    classes = parts.labelled.n_classes
    few = _few(config.model_dump_json(), max(1, SHOWN // classes))
    rows = np.flatnonzero(~few.validation)[:SHOWN] if few.validation is not None else np.arange(SHOWN)
    rows = rows[np.argsort(few.labels[rows], kind="stable")]
    labelled = few.as_labelled(rows) if few.as_labelled else few.take(rows)
    return labelled, few.take(rows).without_labels()


def first(images: ImageSet) -> ImageSet:
    """Take a few images of every class in turn; where they have none, from all over the set, which may be sorted."""
    if not len(images):
        return images
    if not (images.labels >= 0).any():
        return images.take(np.unique(np.linspace(0, len(images) - 1, SHOWN).astype(int)))
    order = np.argsort(images.labels, kind="stable")
    rank = np.empty(len(images), dtype=np.int64)
    for label in np.unique(images.labels):
        rows = order[images.labels[order] == label]
        rank[rows] = np.arange(len(rows))
    chosen = np.lexsort((images.labels, rank))[:SHOWN]
    return images.take(chosen[np.argsort(images.labels[chosen], kind="stable")])


def counts(parts: Split) -> pd.DataFrame:
    """Tabulate how many images of each class are in each part; what has no label stands last."""
    names = parts.labelled.class_names

    def of(labels: np.ndarray) -> list[int]:
        return [int((labels == label).sum()) for label in [*range(len(names)), UNLABELLED]]

    table = pd.DataFrame(
        {
            "Class": [*names, "no label"],
            "Labelled": of(parts.labelled.labels),
            "Unlabelled": of(parts.hidden_labels),
            "Validation": of(parts.validation.labels),
        }
    )
    return table if table.iloc[-1, 1:].any() else table.iloc[:-1]


def factors(config: DatasetConfig, parts: Split) -> dict[str, dict[str, np.ndarray]]:
    """Return the known factors of variation that vary, by their name with its unit, as values by part.

    The factors of generated objects themselves, which know no parts, come from a few of them.
    """
    known = {
        name: {"Labelled": values, "Unlabelled": parts.unlabelled.factors[name]}
        for name, values in parts.labelled.factors.items()
    }
    if is_generated(config):
        objects = _few(config.model_copy(update={"view": "image"}).model_dump_json(), OWN_SAMPLE).factors
        known |= {name: {"A sample": v} for name, v in objects.items() if name not in POSE_FACTORS}
    varied = {n: v for n, v in known.items() if len(a := np.concatenate(list(v.values()))) and np.ptp(a) > 0}
    return {
        f"{name.replace('_', ' ').capitalize()}{f' ({UNITS[name]})' if name in UNITS else ''}": {
            part: np.degrees(array) if UNITS.get(name) == "degrees" else array for part, array in values.items()
        }
        for name, values in varied.items()
    }


def gallery(images: ImageSet) -> str:
    """Return images as HTML, each with its class below; every name is escaped."""
    figures = []
    step = max(1, -(-max(images.image_shape[1:]) // LARGEST)) if len(images) else 1
    pictures = np.ascontiguousarray(to_pixels(images.images[:, :, ::step, ::step]))
    for picture, label, sample in zip(pictures, images.labels, images.ids, strict=True):
        name = escape(images.class_names[label]) if label >= 0 else "unlabelled"
        seen = f'<img src="{data_uri(picture)}" alt="Sample {sample}: {name}">'
        figures.append(f"<figure>{seen}<figcaption>{name}</figcaption></figure>")
    return f'{GALLERY_STYLE}<div class="samples">{"".join(figures)}</div>'


# What goes on from here.


def as_npz(config: DatasetConfig, rule: SplitConfig) -> bytes:
    """Return the whole data set as it is split, as an npz that reads back as the same.

    Raises
    ------
    UserError
        If the images cannot be used, or the rule cannot be followed.
    """
    with naming(config):
        return npz_bytes(fields_of(joined(split(_loaded(config.model_dump_json()), rule))))


def draft(dataset: DatasetConfig, rule: SplitConfig, preset: str | None = None) -> RunConfig:
    """Return a run's configuration to begin with on the Train page, by the preset that suits the data."""
    if preset is None:
        preset = next((name for name, values in PRESETS.items() if DATASETS[values.data].size == dataset.size), "fast")
    config = run_config(
        preset=preset,
        dataset=dataset,
        labels_per_class=rule.labels_per_class,
        labelled_ratio=rule.labelled_ratio,
        by_group=rule.by_group,
    )
    return with_settings(
        config, {"split.seed": rule.seed, "split.validation_fraction": rule.validation_fraction, "seed": rule.seed}
    )


def hand_over(config: RunConfig) -> None:
    """Leave a configuration for the Train page."""
    st.session_state[TRAIN_DRAFT] = config.model_dump_json()


def handed_over() -> RunConfig | None:
    """Return the configuration that was left for the Train page, None where there is none."""
    left = st.session_state.get(TRAIN_DRAFT)
    return None if left is None else RunConfig.model_validate_json(left)


def about(images: ImageSet) -> str:
    """Say in a line what a data set holds, without looking at its pixels."""
    known = images.labels[images.labels >= 0]
    counted = np.bincount(known, minlength=images.n_classes).tolist()
    names = [f"{name} {n:,}" for name, n in zip(images.class_names, counted, strict=False)]
    shown = ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
    labels = f", {len(known):,} with a label ({shown})" if len(known) else ", none with a label"
    groups = "" if images.groups is None else f", from {len(np.unique(images.groups)):,} micrographs"
    return f"{len(images):,} images{labels}{groups}."


def parts_text(table: pd.DataFrame, names: Sequence[str] = ("Labelled", "Unlabelled", "Validation")) -> str:
    """Say how many images are in each part."""
    sums: Mapping[str, int] = {name: int(table[name].sum()) for name in names}
    return ", ".join(f"{count:,} {name.lower()}" for name, count in sums.items())
