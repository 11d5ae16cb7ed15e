"""The first questions of a new training: which data, recipe and model, how many labels, and which seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ssrvae_core.config import (
    DATASETS,
    DEFAULT_LABELS_PER_CLASS,
    DEMO_PRESET,
    MODELS,
    PRESETS,
    DatasetConfig,
)
from ssrvae_core.data import ImageSet
from ssrvae_core.reports.wording import MODEL_TITLES
from ssrvae_core.runs.uploads import Upload
from ssrvae_core.schema import LARGEST_SEED
from ssrvae_core.times import day_text
from ui import datasets, markdown, settings, training
from ui.datasets import RULES
from ui.holding import GROUPS, IMAGES, NAME
from ui.sliders import number
from ui.state import harmless, key, pick
from ui.training import PAGE, Choice

PRESET_TITLES = {
    "fast": "Standard: minutes, for your own images",
    "teaching": "Teaching: small images, a minute or two",
    "esi": "As published (ESI): 1000 epochs, hours",
    "notebook-a": "Notebook A, as published, on cards-a",
    "notebook-b": "Notebook B, as published, on cards-b2",
}
MODEL_HELP = (
    "ss-rVAE: the one to use; it tells classes whichever way particles are turned. ss-VAE: the same without that, to "
    "compare with. ss-rVAE (paper): as published, slower. Each that is chosen is trained as a run of its own."
)
OWN_PRESET = "fast"
"""The recipe for images of one's own."""
_OPEN, _WANTED = f"{PAGE}-form-open", f"{PAGE}-preset-wanted"


# What the Data page hands over.


def take_over(files: Mapping[str, Upload]) -> None:
    """Begin with what the Data page hands over, as choices and changed settings, which are all in the address."""
    draft = datasets.handed_over()
    if draft is None:
        return
    del st.session_state[datasets.TRAIN_DRAFT]
    found = base_of(draft.dataset, files)
    if found is None:
        markdown.warning("The data set is no longer in the store; choose another one.")
        return
    named, base = found
    preset = training.preset_of(draft)
    rule = draft.split
    labels = rule.labels_per_class, rule.labelled_ratio
    chosen = Choice(preset, base, (draft.model.name,), *labels, draft.seed, by_group=rule.by_group)
    st.session_state[settings.CHANGES] = training.changes_of(draft, chosen)
    st.session_state[_OPEN] = True
    values = {
        "preset": preset,
        "preset-before": preset,
        "data": named,
        "models": [draft.model.name],
        "rule": "labels" if rule.labels_per_class else "ratio" if rule.labelled_ratio else "all",
        NAME: GROUPS if rule.by_group else IMAGES,
        f"{named}-labels": rule.labels_per_class,
        f"{named}-ratio": rule.labelled_ratio,
        "-seed": draft.seed,
    }
    for name, value in values.items():
        if value is not None:
            st.session_state[key(PAGE, name)] = value


def base_of(dataset: DatasetConfig, files: Mapping[str, Upload]) -> tuple[str, DatasetConfig] | None:
    """Return the upload or the named data set that a data set is a variant of, by name, or None.

    Of several named ones of the same source it is the one that fewest settings differ from.
    """
    if dataset.source == "file":
        own = (file for file in files.values() if str(file.path) == dataset.path)
        file = next(own, None)
        return None if file is None else (file.id, datasets.read(file).config)
    named = [(name, one) for name, one in DATASETS.items() if one.source == dataset.source]
    return min(named, key=lambda item: _differences(item[1], dataset), default=None)


def _differences(one: DatasetConfig, other: DatasetConfig) -> int:
    """Return in how many settings two data sets differ, those of the disorder counted one by one."""
    mine, theirs = _leaves(one.model_dump()), _leaves(other.model_dump())
    return sum(mine[name] != theirs[name] for name in mine)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def is_open() -> bool:
    """Whether the form is to be seen although a training is watched: something was handed over to it."""
    return bool(st.session_state.get(_OPEN))


def close() -> None:
    """Let the form give way to what was just started."""
    st.session_state[_OPEN] = False


# On the page.


def data_label(files: Mapping[str, Upload], name: str) -> str:
    """How a data set reads in the list."""
    return f"{files[name].name} (uploaded {day_text(files[name].uploaded)})" if name in files else name


def pick_preset(files: Mapping[str, Upload]) -> str:
    """Show the list of recipes; another one takes its data set, model and settings along."""
    if (wanted := st.session_state.pop(_WANTED, None)) is not None:
        st.session_state[key(PAGE, "preset")] = st.session_state[f"{PAGE}-preset-before"] = wanted
    own = st.query_params.get("data") in files
    preset = pick(
        PAGE,
        "preset",
        "How long it is trained",
        list(PRESETS),
        OWN_PRESET if own else DEMO_PRESET,
        format_func=PRESET_TITLES.__getitem__,
        help="A recipe: the length of the training and all settings below.",
    )
    before = st.session_state.get(f"{PAGE}-preset-before", preset)
    if before != preset:
        old, new = PRESETS[before], PRESETS[preset]
        if st.session_state.get(key(PAGE, "data")) == old.data:
            st.session_state[key(PAGE, "data")] = new.data
        if st.session_state.get(f"{PAGE}-models") == [old.model]:
            st.session_state[f"{PAGE}-models"] = [new.model]
        st.session_state[settings.CHANGES] = {}
    st.session_state[f"{PAGE}-preset-before"] = preset
    return preset


def follow_data(chosen: str, files: Mapping[str, Upload], preset: str) -> None:
    """Go from the recipe for lessons, with its coarse grid, to the one for own images where these are chosen."""
    before = st.session_state.get(f"{PAGE}-data-before", chosen)
    st.session_state[f"{PAGE}-data-before"] = chosen
    if before != chosen and chosen in files and preset == DEMO_PRESET:
        st.session_state[_WANTED] = OWN_PRESET
        st.rerun()


def pick_models(default: str) -> tuple[str, ...]:
    """Show the list of models, tied to the address."""
    widget, kept = f"{PAGE}-models", f"{PAGE}-models-kept"
    if widget not in st.session_state:
        asked = st.query_params.get("models")
        names = st.session_state.get(kept, [default]) if asked is None else asked.split(",")
        known = [name for name in MODELS if name in names]
        if len(known) < len(names):
            markdown.warning(
                f"The address asks for '{harmless(asked or '')}' as models, which are not available; showing "
                f"{', '.join(known) or default} instead."
            )
        st.session_state[widget] = known or [default]
    chosen = st.multiselect("Model", list(MODELS), format_func=MODEL_TITLES.__getitem__, key=widget, help=MODEL_HELP)
    st.session_state[kept] = chosen
    st.query_params["models"] = ",".join(chosen)
    return tuple(name for name in MODELS if name in chosen)


def pick_labels(
    of: str, dataset: DatasetConfig, images: ImageSet, refused: list[str]
) -> tuple[int | None, float | None]:
    """Show what decides on the number of labels; return labels per class or a ratio, or neither.

    ``refused`` takes a sentence on a number that cannot be had, as for :func:`ui.sliders.number`.
    """
    columns = st.columns(2, vertical_alignment="bottom")
    generated = datasets.is_generated(dataset)
    rules = ["labels", "ratio"] if generated else list(RULES)
    with columns[0]:
        rule = pick(PAGE, "rule", "Labels", rules, "labels" if generated else "all", format_func=RULES.__getitem__)
    with columns[1]:
        if rule == "labels":
            most = datasets.most_labels(dataset, images)
            default = min(DEFAULT_LABELS_PER_CLASS.get(of, 10), max(datasets.fewest_labels(images) // 2, 1))
            return int(_kept_number("labels", "Labels per class", 1, most, default, refused, of=of)), None
        if rule == "ratio":
            ratio = _kept_number("ratio", "Labelled / all", 0.001, 1.0, 0.05, refused, of=of, step=0.01, format="%.3f")
            return None, ratio
    return None, None


def pick_seed(refused: list[str]) -> int:
    """Show the field for the seed of the split and of the training; ``refused`` is as for :func:`pick_labels`."""
    help = "Train again with other seeds to see how much is chance: another split, and another beginning."
    return int(_kept_number("seed", "Seed", 0, LARGEST_SEED, 0, refused, help=help))


def _kept_number(
    name: str,
    label: str,
    low: float,
    high: float,
    default: float,
    refused: list[str],
    *,
    of: str = "",
    step: float = 1,
    format: str | None = None,
    help: str | None = None,
) -> float:
    """Show a field for a number that outlives a visit to another page."""
    kept, widget = st.session_state.setdefault(f"{PAGE}-numbers", {}), key(PAGE, f"{of}-{name}")
    if widget not in st.session_state and name not in st.query_params and widget in kept:
        st.session_state[widget] = kept[widget]
    (value,) = number(
        *(PAGE, name, label, low, high, default),
        of=of,
        step=step,
        slider=False,
        format=format,
        help=help,
        refused=refused,
    )
    kept[widget] = value
    return value
