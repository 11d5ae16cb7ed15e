"""Train: a form made from the configuration, what it will take, and the trainings that are under way."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

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
from ssrvae_core.reports.wording import MODEL_TITLES
from ssrvae_core.runs import Run
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.uploads import Upload, uploads
from ui import datasets, export, forms, training
from ui.datasets import RULES
from ui.entry import in_a_sentence, through_app
from ui.forecast import forecast
from ui.jobs import Work, all_work, attempt, work_of
from ui.markdown import verbatim
from ui.overview import LIVE, duration
from ui.runs import run_label, store
from ui.sliders import number
from ui.state import harmless, key, pick
from ui.training import Choice
from ui.watch import curves_of, epochs_of, panel

PAGE = "train"
DRAFT = "draft"
PRESET_TITLES = {
    "fast": "Fast: the recipe of ss-VAE and ss-rVAE",
    "teaching": "Teaching: small images, done in a minute or two",
    "esi": "ESI: batch 16, learning rate 1e-4, 1000 epochs",
    "notebook-a": "Notebook A: as published, on cards-a",
    "notebook-b": "Notebook B: as published, on cards-b2",
}
SIDE_BY_SIDE = 2
MOST_TOLD = 5
IN_A_ROW = 4


# What is watched.


def asked_for() -> list[str]:
    """Return the ids the address asks for; complain about those that are none of this store."""
    text = ",".join(st.query_params.get(name, "") for name in ("job", "run"))
    wanted = list(dict.fromkeys(part for part in text.split(",") if part))
    found = {part: look(part) for part in wanted}
    if strangers := [part for part in wanted if found[part] is None]:
        st.warning(
            f"The address asks for '{harmless(strangers[0])}', which is no training of this store that can be shown; "
            "the overview lists those there are."
        )
        watch_only([part for part in wanted if part not in strangers])
    return [part for part in wanted if part not in strangers]


def look(part: str) -> Work | None:
    """Return what has an id, None where nothing has; what cannot be read is a sentence on the page."""
    try:
        return work_of(store(), part)
    except UserError as error:
        st.error(verbatim(str(error)))
        return None


def watch_only(ids: Sequence[str]) -> None:
    """Put the trainings that are watched into the address."""
    st.query_params.pop("run", None)
    if ids:
        st.query_params["job"] = ",".join(ids)
    else:
        st.query_params.pop("job", None)


def watch(ids: list[str]) -> None:
    """Show trainings, every two seconds anew while one of them lives."""
    living = {(one.id, one.state) for one in map(look, ids) if one is not None and one.live}

    @st.fragment(run_every=2 if living else None)
    @in_a_sentence
    def live() -> None:
        now = [one for one in map(look, ids) if one is not None]
        if {(one.id, one.state) for one in now if one.live} != living:
            st.rerun()
        waiting = [job.id for job in JobQueue(store()).list() if job.state == "queued"]
        columns = st.columns(SIDE_BY_SIDE, gap="large") if len(now) > 1 else [st.container()]
        for index, one in enumerate(now):
            with columns[index % len(columns)]:
                panel(store(), one, waiting.index(one.id) if one.id in waiting else 0)

    live()


def close() -> None:
    """Stop watching; what is under way goes on, and is not shown again by itself."""
    st.session_state[f"{PAGE}-closed"] = set(st.query_params.get("job", "").split(","))
    watch_only([])


# What is chosen.


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
    chosen = Choice(
        preset, draft.dataset, (draft.model.name,), rule.labels_per_class, rule.labelled_ratio, draft.seed, {}
    )
    st.session_state[f"{PAGE}-changes"] = training.changes_of(draft, chosen)
    st.session_state[f"{PAGE}-preset-before"] = preset
    st.session_state[f"{PAGE}-models"] = [draft.model.name]
    kind = "labels" if rule.labels_per_class else "ratio" if rule.labelled_ratio else "all"
    for name, value in {"preset": preset, "data": named, "rule": kind}.items():
        st.session_state[key(PAGE, name)] = value
    numbers = {"labels": rule.labels_per_class, "ratio": rule.labelled_ratio, "seed": draft.seed}
    for name, of in (("labels", named), ("ratio", named), ("seed", "")):
        if numbers[name] is not None:
            st.session_state[key(PAGE, f"{of}-{name}")] = numbers[name]


def changes_asked_for() -> dict[str, object]:
    """Return the settings the address changes, as ``set=NAME=VALUE``; complain about those that cannot be had."""
    changes: dict[str, object] = {}
    refused = []
    for asked in st.query_params.get_all("set"):
        name, _, text = asked.partition("=")
        try:
            changes[name] = forms.read(forms.SETTINGS[name], text)
        except (KeyError, ValueError):
            refused.append(f"'{harmless(asked)}'")
    if refused:
        st.warning(
            f"The address asks for {', '.join(refused[:MOST_TOLD])}{' and others' if len(refused) > MOST_TOLD else ''} "
            "as settings, which are not to be had here; they stay as the preset has them."
        )
    return changes


def drop_useless(changes: dict[str, object], without: Sequence[str]) -> None:
    """Put back changed settings that these data have no use for, which the form does not show."""
    if gone := [name for name in without if changes.pop(name, None) is not None]:
        labels = ", ".join(forms.SETTINGS[name].label for name in gone)
        st.warning(f"These images have no use for another value of: {labels}. It is as the preset has it.")


def keep_changes_in_address(changes: Mapping[str, object]) -> None:
    """Put the changed settings into the address."""
    wanted = [f"{name}={forms.written(value)}" for name, value in changes.items()]
    if wanted != st.query_params.get_all("set"):
        st.query_params["set"] = wanted
    if not wanted:
        st.query_params.pop("set", None)


def follow_preset(preset: str) -> None:
    """Let another preset take its data set, model and settings along; what the visitor chose otherwise stays."""
    before = st.session_state.get(f"{PAGE}-preset-before", preset)
    if before != preset:
        old, new = PRESETS[before], PRESETS[preset]
        if st.session_state.get(key(PAGE, "data")) == old.data:
            st.session_state[key(PAGE, "data")] = new.data
        if st.session_state.get(f"{PAGE}-models") == [old.model]:
            st.session_state[f"{PAGE}-models"] = [new.model]
        st.session_state[f"{PAGE}-changes"] = {}
    st.session_state[f"{PAGE}-preset-before"] = preset


def label(files: dict[str, Upload], name: str) -> str:
    """How a data set reads in the list."""
    if name in files:
        return f"{files[name].name} (uploaded {datetime.fromtimestamp(files[name].uploaded, UTC):%Y-%m-%d})"
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
            st.warning(
                f"The address asks for '{harmless(asked or '')}' as models, which are not to be had here; this is "
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


def pick_labels(of: str, images: ImageSet, generated: bool) -> tuple[int | None, float | None]:
    """Show what decides on the number of labels; return labels a class or a ratio, or neither."""
    columns = st.columns(2, vertical_alignment="bottom")
    rules = ["labels", "ratio"] if generated else list(RULES)
    with columns[0]:
        rule = pick(PAGE, "rule", "Labels", rules, "labels" if generated else "all", format_func=RULES.__getitem__)
    with columns[1]:
        if rule == "labels":
            most = max(int((images.labels >= 0).sum()), 1)
            default = min(DEFAULT_LABELS_PER_CLASS.get(of, 10), max(datasets.fewest_labels(images) // 2, 1))
            return int(kept_number("labels", "Labels a class", 1, most, default, of=of)), None
        if rule == "ratio":
            ratio = kept_number("ratio", "Labelled / all", 0.001, 1.0, 0.05, of=of, step=0.01, format="%.3f")
            return None, ratio
    return None, None


def settings(choice: Choice, without: list[str]) -> None:
    """Show the settings: a few at once, the others below "All settings"."""
    if not choice.models:  # each has settings of its own
        return
    changes: dict[str, object] = st.session_state[f"{PAGE}-changes"]
    names = training.shown_settings(choice, without)
    bases = training.bases(choice, names)
    rest = [name for name in names if name not in forms.FIRST]
    rows([name for name in forms.FIRST if name in names], bases, changes)
    with st.expander("All settings", icon=":material/tune:"):
        if own := training.own_values(choice, names):
            said = "; ".join(
                f"{forms.SETTINGS[name].label.lower()}: "
                + ", ".join(f"{MODEL_TITLES[model]} {value}" for model, value in values.items())
                for name, values in own
            )
            st.caption(f"The models differ in these, as long as they are left as they are here: {said}.")
        for group in forms.GROUPS.values():
            if members := [name for name in rest if forms.SETTINGS[name].group == group]:
                st.markdown(f"**{group}**")
                rows(members, bases, changes)
    if changes:
        count = f"{len(changes)} {'setting differs' if len(changes) == 1 else 'settings differ'} from the preset."
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(count)
            if st.button("Back to the preset", icon=":material/undo:", type="tertiary"):
                changes.clear()
                st.session_state[f"{PAGE}-turn"] = st.session_state.get(f"{PAGE}-turn", 0) + 1
                st.rerun()
    if training.shown_settings(choice, without) != names:
        st.rerun()  # a setting that was just changed decides about others


def rows(names: Sequence[str], bases: dict[str, object], changes: dict[str, object]) -> None:
    """Show settings in rows, so that they keep their order on a narrow page."""
    turn = st.session_state.get(f"{PAGE}-turn", 0)
    for start in range(0, len(names), IN_A_ROW):
        for column, name in zip(st.columns(IN_A_ROW, vertical_alignment="bottom"), names[start:], strict=False):
            with column:
                forms.field(forms.SETTINGS[name], bases[name], changes, f"{PAGE}-{turn}")


# What it will take.


def outlook(config: RunConfig, runs: list[Run]) -> tuple[bool, float]:
    """Say what is there of a run already and how long it will take; return whether it can be started, and the time."""
    title = f"**{MODEL_TITLES[config.model.name]}**, run {config.run_id}"
    there = store().find(config)
    known = work_of(store(), config.run_id)
    if there is not None and there.status.state == "finished":
        accuracy = there.accuracy
        share = "" if accuracy is None else f", with an accuracy of {accuracy:.3f}"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{title}: finished already{share}.")
            st.page_link(
                "pages/latent_space.py",
                label="Open it",
                icon=":material/scatter_plot:",
                query_params={"left": there.id},
            )
        return False, 0.0
    if known is not None and known.state in LIVE:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{title} {'waits for its turn' if known.state == 'queued' else 'is under way'}.")
            watched = config.run_id in st.query_params.get("job", "")
            if not watched and st.button("Watch it", key=f"{PAGE}-watch-{known.id}", icon=":material/visibility:"):
                watch_only([config.run_id])
                st.rerun()
        return False, 0.0
    parts = datasets.parts_of(config.dataset, config.split)
    shape = (config.dataset.size,) * 2 if datasets.is_generated(config.dataset) else parts.labelled.image_shape[-2:]
    expected = forecast(config, len(parts.labelled), len(parts.unlabelled), shape, runs)
    done = there.status.epoch if there is not None else 0
    seconds = expected.seconds * (1 - done / config.training.epochs)
    basis = (
        f"as {len(expected.measured_on)} finished {'run' if len(expected.measured_on) == 1 else 'runs'} of this model "
        f"on images of {shape[0]} x {shape[1]} pixels took"
        if expected.measured_on
        else "by a benchmark on two cores; no finished run here has this model and size of images"
    )
    goes_on = f" It goes on after epoch {done}." if done else ""
    st.markdown(
        f"{title}: {len(parts.labelled):,} labelled and {len(parts.unlabelled):,} unlabelled images, "
        f"{config.training.epochs} epochs, about **{duration(seconds)}**, {basis}.{goes_on}"
    )
    return True, seconds


def start(configs: Sequence[RunConfig]) -> None:
    """Hand runs to the queue, and watch them."""
    queue = JobQueue(store())
    for config in configs:
        queue.submit(config=config)
    watch_only([config.run_id for config in configs])


through_app()
st.title("Train")
take_over()
runs = store().runs()

ids = asked_for()
if not ids:
    closed = st.session_state.get(f"{PAGE}-closed", set())
    ids = [one.id for one in all_work(store(), runs) if one.live and one.id not in closed][:SIDE_BY_SIDE]
    if ids:
        watch_only(ids)
if ids:
    watch(ids)
    with st.container(horizontal=True, vertical_alignment="center"):
        known = {run.id: run for run in runs}
        if watched := [known[one] for one in ids if one in known]:
            export.menu(
                "training",
                "Training",
                f"{'; '.join(map(run_label, watched))}.",
                figure=lambda: curves_of(watched),
                table=lambda: epochs_of(watched),
            )
        st.button("Close this view", icon=":material/close:", on_click=close, type="tertiary")
    st.divider()

if is_viewer():
    st.info("This dashboard is read-only: trainings can be watched here, but not started.")
    st.stop()

st.subheader("New training")
files = {file.id: file for file in uploads(store().root)}
if f"{PAGE}-changes" not in st.session_state:
    st.session_state[f"{PAGE}-changes"] = changes_asked_for()
columns = st.columns(2)
with columns[0]:
    preset = pick(PAGE, "preset", "Preset", list(PRESETS), DEMO_PRESET, format_func=PRESET_TITLES.__getitem__)
follow_preset(preset)
with columns[1]:
    names = [*DATASETS, *files, *([DRAFT] if DRAFT in st.session_state else [])]
    chosen = pick(PAGE, "data", "Data set", names, PRESETS[preset].data, format_func=lambda name: label(files, name))
try:
    if chosen in files:
        dataset: DatasetConfig = datasets.described(str(files[chosen].path), files[chosen].uploaded)
    else:
        dataset = st.session_state[DRAFT] if chosen == DRAFT else DATASETS[chosen]
    images = datasets.contents(dataset)
except UserError as error:
    st.error(verbatim(str(error)))
    st.stop()
st.page_link("pages/data.py", label="See, change or upload data", icon=":material/folder_open:")
models = pick_models(PRESETS[preset].model)
of_labels, of_seed = st.columns([2, 1], vertical_alignment="bottom")
with of_labels:
    per_class, ratio = pick_labels(chosen, images, datasets.is_generated(dataset))
with of_seed:
    seed = int(kept_number("seed", "Seed", 0, 2**31, 0))
without = [] if dataset.source == "particles" or images.masks is not None else ["dataset.view"]
without += [] if images.groups is not None else ["split.by_group"]
drop_useless(st.session_state[f"{PAGE}-changes"], without)
choice = Choice(preset, dataset, models, per_class, ratio, seed, st.session_state[f"{PAGE}-changes"])
settings(choice, without)
keep_changes_in_address(choice.changes)

ready: list[RunConfig] = []
try:
    together = 0.0
    for config in choice.configs():
        fresh, seconds = outlook(config, runs)
        ready += [config] if fresh else []
        together += seconds
except UserError as error:
    ready = []
    st.error(training.in_words(error).replace(dataset.path or chosen, label(files, chosen)))
if len(ready) > 1 and JobQueue(store()).limit == 1:
    st.caption(f"They are trained one after the other: about {duration(together)} together.")
what = "training" if len(ready) < 2 else f"{len(ready)} trainings"
if st.button(f"Start {what}", type="primary", icon=":material/play_arrow:", disabled=not ready) and attempt(
    lambda: start(ready)
):
    st.rerun()
