"""Train: a form made from the configuration, what it will take, and the trainings that are under way."""

import streamlit as st

from ssrvae_core.config import (
    DATASETS,
    DEFAULT_LABELS_PER_CLASS,
    DEMO_PRESET,
    MODELS,
    PRESETS,
    DatasetConfig,
    RunConfig,
    UserError,
    data_name,
)
from ssrvae_core.data import ImageSet
from ssrvae_core.registry import source_of
from ssrvae_core.reports.wording import MODEL_TITLES
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.progress import roughly
from ssrvae_core.runs.uploads import Upload, uploads
from ssrvae_core.times import day_text
from ui import datasets, markdown, settings, training, watching
from ui.datasets import RULES
from ui.entry import through_app
from ui.jobs import attempt
from ui.markdown import note, verbatim
from ui.outlook import outlook, start
from ui.runs import store
from ui.sliders import number
from ui.state import harmless, key, pick
from ui.training import PAGE, Choice

DRAFT = "draft"
PRESET_TITLES = {
    "fast": "Fast: the recipe of ss-VAE and ss-rVAE",
    "teaching": "Teaching: small images, done in a minute or two",
    "esi": "ESI: batch 16, learning rate 1e-4, 1000 epochs",
    "notebook-a": "Notebook A: as published, on cards-a",
    "notebook-b": "Notebook B: as published, on cards-b2",
}


def take_over() -> None:
    """Begin with what the Data page hands over."""
    draft = datasets.handed_over()
    if draft is None:
        return
    del st.session_state[datasets.TRAIN_DRAFT]
    preset = training.preset_of(draft)
    named = next((name for name, dataset in DATASETS.items() if dataset == draft.dataset), DRAFT)
    st.session_state[DRAFT] = draft.dataset
    rule = draft.split
    chosen = Choice(preset, draft.dataset, (draft.model.name,), rule.labels_per_class, rule.labelled_ratio, draft.seed)
    st.session_state[settings.CHANGES] = training.changes_of(draft, chosen)
    values = {
        "preset": preset,
        "preset-before": preset,
        "data": named,
        "models": [draft.model.name],
        "rule": "labels" if rule.labels_per_class else "ratio" if rule.labelled_ratio else "all",
        f"{named}-labels": rule.labels_per_class,
        f"{named}-ratio": rule.labelled_ratio,
        "-seed": draft.seed,
    }
    for name, value in values.items():
        if value is not None:
            st.session_state[key(PAGE, name)] = value


def follow_preset(preset: str) -> None:
    """Let another preset take its data set, model and settings along; what the visitor chose otherwise stays."""
    before = st.session_state.get(f"{PAGE}-preset-before", preset)
    if before != preset:
        old, new = PRESETS[before], PRESETS[preset]
        if st.session_state.get(key(PAGE, "data")) == old.data:
            st.session_state[key(PAGE, "data")] = new.data
        if st.session_state.get(f"{PAGE}-models") == [old.model]:
            st.session_state[f"{PAGE}-models"] = [new.model]
        st.session_state[settings.CHANGES] = {}
    st.session_state[f"{PAGE}-preset-before"] = preset


def label(files: dict[str, Upload], name: str) -> str:
    """How a data set reads in the list."""
    if name in files:
        return f"{files[name].name} (uploaded {day_text(files[name].uploaded)})"
    if name != DRAFT:
        return name
    dataset = st.session_state[DRAFT]
    own = next((file.name for file in files.values() if str(file.path) == dataset.path), data_name(dataset))
    return f"{own.removesuffix(' (changed)')}, as set on the Data page"


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
    chosen = st.multiselect(
        "Models", list(MODELS), format_func=MODEL_TITLES.__getitem__, key=widget, help="Each is a run of its own."
    )
    st.session_state[kept] = chosen
    st.query_params["models"] = ",".join(chosen)
    return tuple(name for name in MODELS if name in chosen)


def kept_number(
    name: str,
    label: str,
    low: float,
    high: float,
    default: float,
    *,
    of: str = "",
    step: float = 1,
    format: str | None = None,
) -> float:
    """Show a field for a number that outlives a visit to another page."""
    kept, widget = st.session_state.setdefault(f"{PAGE}-numbers", {}), key(PAGE, f"{of}-{name}")
    if widget not in st.session_state and name not in st.query_params and widget in kept:
        st.session_state[widget] = kept[widget]
    (value,) = number(PAGE, name, label, low, high, default, of=of, step=step, slider=False, format=format)
    kept[widget] = value
    return value


def pick_labels(of: str, dataset: DatasetConfig, images: ImageSet) -> tuple[int | None, float | None]:
    """Show what decides on the number of labels; return labels per class or a ratio, or neither."""
    columns = st.columns(2, vertical_alignment="bottom")
    generated = datasets.is_generated(dataset)
    rules = ["labels", "ratio"] if generated else list(RULES)
    with columns[0]:
        rule = pick(PAGE, "rule", "Labels", rules, "labels" if generated else "all", format_func=RULES.__getitem__)
    with columns[1]:
        if rule == "labels":
            most = datasets.most_labels(dataset, images)
            default = min(DEFAULT_LABELS_PER_CLASS.get(of, 10), max(datasets.fewest_labels(images) // 2, 1))
            return int(kept_number("labels", "Labels per class", 1, most, default, of=of)), None
        if rule == "ratio":
            return None, kept_number("ratio", "Labelled / all", 0.001, 1.0, 0.05, of=of, step=0.01, format="%.3f")
    return None, None


through_app()
st.title("Train")
take_over()
runs = store().runs()

watching.section(runs)
if is_viewer():
    st.info("This dashboard is read-only: trainings can be watched here, but not started.")
    st.stop()

st.subheader("New training")
files = {file.id: file for file in uploads(store().root)}
if settings.CHANGES not in st.session_state:
    st.session_state[settings.CHANGES] = settings.changes_asked_for()
columns = st.columns(2)
with columns[0]:
    preset = pick(PAGE, "preset", "Preset", list(PRESETS), DEMO_PRESET, format_func=PRESET_TITLES.__getitem__)
follow_preset(preset)
with columns[1]:
    names = [*DATASETS, *files, *([DRAFT] if DRAFT in st.session_state else [])]
    chosen = pick(PAGE, "data", "Data set", names, PRESETS[preset].data, format_func=lambda name: label(files, name))
try:
    if chosen in files:
        dataset: DatasetConfig = datasets.read(files[chosen]).config
    else:
        dataset = st.session_state[DRAFT] if chosen == DRAFT else DATASETS[chosen]
    images = datasets.contents(dataset)
except UserError as error:
    markdown.error(str(error))
    st.stop()
st.page_link("pages/data.py", label="See, change or upload data", icon=":material/folder_open:")
models = pick_models(PRESETS[preset].model)
of_labels, of_seed = st.columns([2, 1], vertical_alignment="bottom")
with of_labels:
    per_class, ratio = pick_labels(chosen, dataset, images)
with of_seed:
    seed = int(kept_number("seed", "Seed", 0, 2**31, 0))
without = [] if source_of(dataset.source).masks or images.masks is not None else ["dataset.view"]
without += [] if images.groups is not None else ["split.by_group"]
changes = st.session_state[settings.CHANGES]
settings.drop_useless(changes, without)
settings.drop_beyond(changes, dataset)
choice = Choice(preset, dataset, models, per_class, ratio, seed, changes)
settings.form(choice, without)
settings.keep_changes_in_address(changes)

ready: list[RunConfig] = []
try:
    together = 0.0
    for config in choice.configs():
        seconds = outlook(config, runs)
        if seconds is not None:
            ready.append(config)
            together += seconds
except UserError as error:
    ready = []
    markdown.error(training.in_words(error).replace(dataset.path or chosen, label(files, chosen)))
if len(ready) > 1 and JobQueue(store()).limit == 1:
    note(f"They are trained one after the other: about {roughly(together)} together.")
what = "training" if len(ready) < 2 else f"{len(ready)} trainings"
if st.button(verbatim(f"Start {what}"), type="primary", icon=":material/play_arrow:", disabled=not ready) and attempt(
    lambda: start(ready)
):
    st.rerun()
