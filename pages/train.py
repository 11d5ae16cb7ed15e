"""Train: what is under way, and a form for a new training: data, labels, model, how long; then everything else."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ssrvae_core.config import DATASETS, PRESETS, RunConfig, SplitConfig, UserError
from ssrvae_core.registry import source_of
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.progress import roughly
from ssrvae_core.runs.uploads import uploads
from ui import choosing, datasets, markdown, settings, training, watching
from ui.entry import through_app
from ui.holding import cautions, labels_text, pick_hold_out
from ui.jobs import attempt
from ui.markdown import note, verbatim
from ui.outlook import outlook, start
from ui.runs import store
from ui.state import pick
from ui.training import PAGE, Choice

through_app()
st.title("Train")
files = {file.id: file for file in uploads(store().root)}
choosing.take_over(files)
runs = store().runs()

watched = watching.section(runs)
if is_viewer():
    st.info("This dashboard is read-only: trainings can be watched here, but not started.")
    if not watched:
        st.page_link("pages/overview.py", label="See the runs that are there", icon=":material/list:")
    st.stop()

place: DeltaGenerator
if watched:  # what was just started is in view, and the form one click away
    place = st.expander("New training", icon=":material/add:", expanded=choosing.is_open())
else:
    st.subheader("New training")
    place = st.container()

if settings.CHANGES not in st.session_state:
    st.session_state[settings.CHANGES] = settings.changes_asked_for()
changes = st.session_state[settings.CHANGES]
refused: list[str] = []  # what fields hold that no training can have
with place:
    of_data, of_model = st.columns(2)
    of_labels, of_length = st.columns(2)
    of_seed, of_split = st.columns([1, 3])
    with of_length:
        length, epochs = st.columns([2, 1])
    with length:
        preset = choosing.pick_preset(files)
    with of_data:
        names = [*DATASETS, *files]
        read = {name: choosing.data_label(files, name) for name in names}
        chosen = pick(PAGE, "data", "Data", names, PRESETS[preset].data, format_func=read.__getitem__)
        choosing.follow_data(chosen, files, preset)
    try:
        base = datasets.read(files[chosen]).config if chosen in files else DATASETS[chosen]
        settings.drop_beyond(changes, base)
        dataset = training.with_changes(base, changes)
        images = datasets.contents(dataset)
    except UserError as error:
        markdown.error(str(error))
        st.page_link("pages/data.py", label="See, change or upload data", icon=":material/folder_open:")
        st.stop()
    with of_data:
        note(datasets.about(images))
        st.page_link("pages/data.py", label="See, change or upload data", icon=":material/folder_open:")
    with of_model:
        models = choosing.pick_models(PRESETS[preset].model)
        st.caption(
            "ss-rVAE tells classes whichever way particles are turned; ss-VAE is the same without this, to compare."
        )
    with of_labels:
        per_class, ratio = choosing.pick_labels(chosen, dataset, images, refused)
    with of_seed:
        seed = choosing.pick_seed(refused)
    with of_split:
        held = SplitConfig(seed=seed, validation_fraction=settings.validation_fraction(changes))
        by_group = pick_hold_out(PAGE, images, held)
    without = [] if source_of(base.source).masks or images.masks is not None else ["dataset.view"]
    settings.drop_useless(changes, without)
    choice = Choice(preset, base, models, per_class, ratio, seed, changes, by_group)
    with epochs:
        settings.first(choice, without)

    verdict = st.container()
    settings.form(choice, without)
    settings.keep_changes_in_address(changes)

    with verdict:
        ready: list[RunConfig] = []
        try:
            together = 0.0
            configs = choice.configs()
            if refused:
                raise UserError(refused[0])
            for config in configs:
                seconds = outlook(config, runs)
                if seconds is not None:
                    ready.append(config)
                    together += seconds
            parts = datasets.parts_of(configs[0].dataset, configs[0].split)
            for sentence in filter(None, (labels_text(parts), *cautions(parts))):
                note(sentence)
        except UserError as error:
            ready = []
            markdown.error(training.in_words(error).replace(base.path or chosen, read[chosen]))
        if len(ready) > 1 and JobQueue(store()).limit == 1:
            note(f"They are trained one after the other: {roughly(together)} together.")
        what = "training" if len(ready) < 2 else f"{len(ready)} trainings"
        if st.button(
            verbatim(f"Start {what}"), type="primary", icon=":material/play_arrow:", disabled=not ready
        ) and attempt(lambda: start(ready)):
            choosing.close()
            st.rerun()
