"""Train: the form, what it says before anything starts, and what is watched. Nothing here trains anything."""

from __future__ import annotations

import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.config import (
    DATASETS,
    PRESETS,
    DatasetConfig,
    Disorder,
    RunConfig,
    SplitConfig,
    UserError,
    run_config,
)
from ssrvae_core.records import Snapshot
from ssrvae_core.reports.wording import model_title
from ssrvae_core.runs import EmbeddingStore, Run, Status, directory, embedding_config
from ssrvae_core.runs import jobs as job_files
from ssrvae_core.runs.job import read_record, write_record
from ssrvae_core.runs.jobs import JobQueue
from tests.ui.conftest import APP, copy_run, tiny_config
from tests.ui.test_pages import HOSTILE, said
from ui import advice, choosing, datasets, forms, training
from ui.forecast import forecast, images_an_epoch
from ui.jobs import work_of
from ui.training import Choice, in_words
from ui.uploads import keep
from ui.watch import curves_of, epochs_of, latents_of

TEACHING = DATASETS["cards-teaching"]


@pytest.fixture
def open_train(monkeypatch):
    """Open the page at an address; AppTest starts a server's first run over and over, which would lose the clicks."""
    monkeypatch.setattr("ui.entry.through_app", lambda: None)

    def go(**address):
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.switch_page("pages/train.py")
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return go


@pytest.fixture
def queue_only(monkeypatch):
    """Let jobs be queued, and nobody start them."""
    monkeypatch.setattr(job_files, "ensure_dispatcher", lambda store: None)


def choice(*models, preset="teaching", **changes):
    return Choice(preset, TEACHING, models or ("ss-rvae",), labels_per_class=4, changes=changes)


def press(app, label):
    next(button for button in app.button if button.label == label).click()
    return app.run()


# The form.


@pytest.mark.parametrize("name", list(forms.SETTINGS))
def test_what_a_field_can_show_comes_back_from_an_address(name):
    values = {forms.value_of(run_config(model=model, labels_per_class=4), name) for model in ("ss-vae", "ss-rvae")}
    for value in values:
        assert forms.read(forms.SETTINGS[name], forms.written(value)) == value


def test_changed_settings_are_in_the_address_and_come_back_from_it(make_store, open_train):
    make_store("empty")
    app = open_train(preset="teaching", data="cards-teaching")
    assert "set" not in app.query_params
    next(field for field in app.number_input if field.label == "Epochs").set_value(3)
    next(field for field in app.text_input if field.label == "Channels").set_value("4, 8")
    app.run()
    link = {"preset": "teaching", "data": "cards-teaching", "set": app.query_params["set"]}
    assert sorted(link["set"]) == ["model.channels=4, 8", "training.epochs=3"]
    again = open_train(**link)
    assert "2 settings differ from the preset." in said(again) and ", 3 epochs, " in said(again)
    assert sorted(again.query_params["set"]) == sorted(link["set"])
    press(again, "Back to the preset")
    assert "set" not in again.query_params


@pytest.mark.parametrize(
    "asked",
    [
        *("training.epochs=0", "training.epochs=many", "training.epochs=", "training.epochs", "training.epochs=1e999"),
        *("training.learning_rate=nan", "model.channels=a", "training.epochs=99999999999999999999"),
        *("seed=3", "dataset.path=/etc/passwd", "=", "<script>=1", "model.likelihood=none"),
    ],
)
def test_settings_an_address_cannot_have_fall_back_with_a_sentence(asked, make_store, open_train):
    make_store("empty")
    app = open_train(set=[asked, "training.batch_size=16"])
    assert not app.exception and not app.error
    assert any("as settings, which are not available" in warning.value for warning in app.warning)
    assert np.atleast_1d(app.query_params["set"]).tolist() == ["training.batch_size=16"]


def test_what_is_watched_can_be_taken_away(make_store, open_train):
    store = make_store("two")
    runs = store.runs()
    app = open_train(job=",".join(run.id for run in runs))
    assert "Data as CSV" in [button.label for button in app.get("download_button")]
    table = epochs_of(runs)
    assert list(table["epoch"]) == [1, 1] and list(table["run"]) == [run.id for run in runs]
    colours = [{t.name: t.line.color for t in curves_of(some).data} for some in (runs, runs[::-1], runs[:1])]
    assert colours[0] == colours[1] and colours[2].items() <= colours[0].items()
    assert set(colours[0]) == {model_title(run) for run in runs}


def test_a_setting_the_images_have_no_use_for_is_put_back_with_a_sentence(make_store, open_train):
    make_store("empty")
    app = open_train(data="cards-teaching", set=["dataset.view=mask", "training.epochs=3"])
    assert not app.error and any("no use for another value of" in warning.value for warning in app.warning)
    assert np.atleast_1d(app.query_params["set"]).tolist() == ["training.epochs=3"]


def test_every_setting_stands_in_one_group_and_is_told_in_sentences():
    told = [name for group in advice.GROUPS for name in group.settings]
    assert sorted(told) == sorted(forms.SETTINGS)
    for text in (*advice.ADVICE.values(), *(group.about for group in advice.GROUPS)):
        assert text[:1].isupper() and text.endswith(".") and "`" not in text


def test_every_setting_of_a_run_is_in_the_form_or_asked_for_otherwise():
    def names(values, prefix=""):
        for name, value in values.items():
            yield from names(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]

    assert set(names(RunConfig().model_dump())) == set(forms.SETTINGS) | forms.ELSEWHERE


def test_limits_and_help_come_from_the_configuration():
    epochs, rate = forms.SETTINGS["training.epochs"], forms.SETTINGS["training.learning_rate"]
    assert (epochs.kind, epochs.low, epochs.high) == ("whole", 1, 100_000)
    assert (rate.kind, rate.low) == ("number", 0)
    assert "dimension of the content latent" in forms.SETTINGS["model.latent_dim"].help.lower()
    assert forms.SETTINGS["training.early_stop"].optional


@pytest.mark.parametrize("model", ["ss-vae", "ss-rvae", "ss-rvae-paper"])
@pytest.mark.parametrize("preset", PRESETS)
def test_an_untouched_form_is_the_preset(preset, model):
    expected = run_config(preset=preset, dataset=TEACHING, model=model, labels_per_class=4)
    assert choice(model, preset=preset).config(model) == expected


def test_the_esi_preset_is_the_papers():
    config = choice(preset="esi").config("ss-rvae")
    assert (config.training.batch_size, config.training.learning_rate, config.training.epochs) == (16, 1e-4, 1000)


def test_what_a_model_ignores_is_not_shown():
    assert "model.disc" not in training.shown_settings(choice("ss-vae"))
    assert "model.disc" in training.shown_settings(choice("ss-vae", "ss-rvae"))
    assert "training.augmentation.shear" not in training.shown_settings(choice(**{"training.augment": False}))


def test_a_changed_setting_goes_to_the_models_that_use_it():
    both = choice("ss-vae", "ss-rvae", **{"model.disc": 0.9, "training.epochs": 3})
    plain, polar = both.configs()
    assert (plain.training.epochs, polar.training.epochs) == (3, 3)
    assert polar.model.disc == 0.9 and plain == choice("ss-vae", **{"training.epochs": 3}).configs()[0]


def test_a_refused_value_stays_in_sight_under_its_label():
    wrong = choice(**{"dataset.labelled.scale": "2, 1"})
    assert "dataset.labelled.scale" in training.shown_settings(wrong)
    with pytest.raises(UserError, match="0 < low <= high"):
        wrong.configs()
    with pytest.raises(UserError, match=r"Channels \(model.channels\) takes numbers"):
        choice(**{"model.channels": "32; 64"}).configs()


def test_settings_that_models_do_not_share_are_named():
    names = training.shown_settings(choice("ss-vae", "ss-rvae-paper"))
    own = dict(training.own_values(choice("ss-vae", "ss-rvae-paper"), names))
    assert own["model.networks"] == {"ss-vae": "conv", "ss-rvae-paper": "mlp"}


def test_a_draft_of_the_data_page_is_taken_over_whole():
    rule = run_config(labels_per_class=7).split.model_copy(update={"seed": 3})
    changed = TEACHING.model_copy(update={"train_per_class": 50})
    draft = datasets.draft(changed, rule)
    preset = training.preset_of(draft)
    chosen = Choice(preset, changed, (draft.model.name,), labels_per_class=7, seed=3)
    taken = Choice(preset, changed, (draft.model.name,), 7, None, 3, training.changes_of(draft, chosen))
    assert (preset, taken.configs()) == ("teaching", [draft])


def handed_over(app, config):
    """Open the page with a draft of the Data page."""
    app.session_state[datasets.TRAIN_DRAFT] = config.model_dump_json()
    return app.run()


def run_shown(app):
    """The id of the run that would be started."""
    return re.search(r"run ([0-9a-f]{12})", said(app))[1]


def test_a_draft_is_in_the_address_whole(make_store, open_train):
    make_store("empty")
    changed = TEACHING.model_copy(update={"unlabelled": Disorder(rotation=45, shear=20), "train_per_class": 50})
    draft = datasets.draft(changed, SplitConfig(labels_per_class=7, seed=3))
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page("pages/train.py")
    app = handed_over(app, draft)
    assert not app.exception and not app.error and run_shown(app) == draft.run_id
    link = {name: values if len(values) > 1 else values[0] for name, values in dict(app.query_params).items()}
    again = open_train(**link)
    assert not again.warning and run_shown(again) == draft.run_id


def test_a_draft_is_a_variant_of_the_named_set_that_fewest_settings_tell_it_from():
    for name in ("cards-teaching", "cards-b2", "particles", "digits"):
        turned = DATASETS[name].unlabelled.model_copy(update={"rotation": 33})
        changed = DATASETS[name].model_copy(update={"unlabelled": turned})
        assert choosing.base_of(changed, {}) == (name, DATASETS[name])
    gone = DatasetConfig(source="file", path="/nowhere.npz", sha256="0")
    assert choosing.base_of(gone, {}) is None


def own_file(store, *, micrographs=8, **fields):
    rng = np.random.default_rng(1)
    n = 48
    buffer = io.BytesIO()
    labels = np.where(np.arange(n) < 32, np.arange(n) % 2, -1)
    content = {"images": rng.random((n, 10, 10), dtype=np.float32), "labels": labels}
    content |= {"groups": np.arange(n) % micrographs // 2}
    np.savez(buffer, **(content | fields))
    return keep("own.npz", buffer.getvalue(), store)


def test_of_own_images_whole_micrographs_are_held_out_by_the_standard_recipe(make_store, open_train):
    store = make_store("empty")
    app = open_train(data=own_file(store).id)
    assert not app.exception and not app.error
    assert app.session_state["train-preset"] == "fast"
    assert app.query_params["group"] in ("groups", ["groups"])
    assert "trained on as well" not in said(app)
    assert "from 4 micrographs" in said(app)


def test_single_images_are_held_out_with_a_warning_of_what_that_does(make_store, open_train):
    store = make_store("empty")
    app = open_train(data=own_file(store).id, group="images")
    assert not app.error and "are trained on as well" in said(app)


def test_where_micrographs_cannot_be_held_out_single_images_are_and_the_page_says_why(make_store, open_train):
    store = make_store("empty")
    app = open_train(data=own_file(store, groups=np.zeros(48, int)).id)
    assert not app.error and "Whole micrographs cannot be held out" in said(app)
    assert app.query_params["group"] in ("images", ["images"])


def test_a_file_without_an_unlabelled_image_is_told_about(make_store, open_train):
    store = make_store("empty")
    app = open_train(data=own_file(store, labels=np.arange(48) % 2).id)
    assert not app.error and "Every training image has a label" in said(app)


def test_an_earlier_address_still_says_what_is_held_out(make_store, open_train):
    store = make_store("empty")
    app = open_train(data=own_file(store).id, set=["split.by_group=false"])
    assert not app.warning and app.query_params["group"] in ("images", ["images"])


def test_another_data_set_of_ones_own_leaves_the_recipe_for_lessons(make_store, open_train):
    store = make_store("empty")
    kept = own_file(store)
    app = open_train()
    assert app.session_state["train-preset"] == "teaching"
    app.selectbox(key="train-data").set_value(kept.id).run()
    assert not app.exception and app.session_state["train-preset"] == "fast"
    assert app.selectbox(key="train-data").value == kept.id


def test_what_was_started_is_in_view_and_the_form_gives_way_to_it(make_store, open_train, queue_only):
    make_store("empty")
    app = open_train()
    assert "New training" not in [expander.label for expander in app.expander]
    app = press(app, "Start training")
    (form,) = [expander for expander in app.expander if expander.label == "New training"]
    assert not form.proto.expanded and len(app.get("progress")) == 1


# The expected time.


def a_run(config, seconds, epochs):
    status = Status(state="finished", epoch=epochs, seconds=seconds, n_labelled=16, n_unlabelled=1584)
    return Run(config.run_id, SimpleNamespace(), config, status)


def test_the_time_is_measured_on_similar_runs_and_scaled_by_images_and_epochs():
    config = choice().configs()[0]
    short = choice(**{"training.epochs": 4}).configs()[0]
    other = choice("ss-vae").configs()[0]
    runs = [a_run(short, 20.0, 4), a_run(other, 900.0, 16)]
    expected = forecast(config, 16, 1584, (28, 28), runs)
    assert expected.seconds == pytest.approx(20.0 / 4 * config.training.epochs)
    assert expected.measured_on == (runs[0],)


def test_without_a_similar_run_a_benchmark_stands_in():
    config = choice().configs()[0]
    larger = choice(**{"dataset.size": 48}).configs()[0]
    expected = forecast(config, 16, 1584, (28, 28), [a_run(larger, 20.0, 16)])
    assert expected.seconds > 0 and not expected.measured_on


def test_images_that_come_several_times_in_an_epoch_are_counted_so():
    config = choice(**{"training.min_steps": 25, "training.batch_size": 64}).configs()[0]
    assert images_an_epoch(config, 16, 128) == 25 * (16 + 64)


# The page.


def test_the_form_says_how_long_it_will_take_and_on_what_ground(make_store, open_train):
    make_store("empty")
    app = open_train()
    assert not app.exception and not app.error
    assert re.search(r"160 labelled and 1,440 unlabelled images, 6 epochs, \*\*(a few seconds|about \d+ s)", said(app))
    assert "measured on a machine with two free cores" in said(app)


@pytest.mark.parametrize("kind", ["one", "many", "broken"])
def test_the_page_opens_on_any_store(kind, make_store, open_train):
    make_store(kind)
    app = open_train()
    assert not app.exception and not app.error
    assert not next(button for button in app.button if button.label == "Start training").disabled


def test_start_queues_each_model_and_puts_them_into_the_address(make_store, open_train, queue_only):
    store = make_store("empty")
    app = press(open_train(models="ss-vae,ss-rvae"), "Start 2 trainings")
    jobs = JobQueue(store).list()
    assert not app.exception and sorted(job.state for job in jobs) == ["queued", "queued"]
    assert {job.id for job in jobs} == set("".join(app.query_params["job"]).split(","))
    assert "waits for its turn" in said(app)
    assert next(button for button in app.button if button.label == "Start training").disabled


def test_a_queued_training_is_cancelled_and_resumed(make_store, open_train, queue_only):
    store = make_store("empty")
    app = press(press(open_train(), "Start training"), "Cancel")
    assert [job.state for job in JobQueue(store).list()] == ["cancelled"]
    press(app, "Resume")
    assert [job.state for job in JobQueue(store).list()] == ["queued"]


def test_what_is_under_way_is_found_without_an_address(make_store, open_train, queue_only):
    store = make_store("empty")
    job = JobQueue(store).submit(config=tiny_config("ss-rvae"))
    app = open_train()
    assert any("queued, it is next" in element.proto.text for element in app.get("progress"))
    assert app.query_params["job"] in (job.id, [job.id])
    app = press(app, "Close this view")
    assert "job" not in app.query_params and not app.get("progress")


def test_more_trainings_than_are_shown_at_once_are_closed_together(make_store, open_train, queue_only):
    store = make_store("empty")
    for seed in range(3):
        JobQueue(store).submit(config=tiny_config("ss-rvae", seed=seed))
    app = open_train()
    assert len(app.get("progress")) == 2
    app = press(app, "Close this view").run()
    assert "job" not in app.query_params and not app.get("progress")


@pytest.mark.parametrize("name", ["job", "run"])
def test_a_permalink_shows_a_run_with_its_curves_and_latents(name, make_store, open_train):
    store = make_store("two")
    run = store.runs()[0]
    app = open_train(**{name: run.id})
    assert not app.exception and not app.error
    assert "finished after 1 epochs" in app.success[0].value
    assert re.search(r"on \d+ validation images", app.success[0].value)
    assert "after epoch 1, coloured by their true class" in said(app)
    curves, _ = (json.loads(chart.proto.spec)["layout"] for chart in app.get("plotly_chart"))
    assert curves["xaxis"]["domain"] == curves["xaxis2"]["domain"] == [0, 1], "each has all of the column's width"
    assert curves["yaxis"]["domain"][1] < curves["yaxis2"]["domain"][0]


def test_a_run_that_is_there_already_is_offered_instead_of_trained_again(make_store, open_train, monkeypatch):
    store = make_store("two")
    run = store.runs()[0]
    config = choice("ss-rvae").configs()[0]
    copy_run(store, run, config)
    app = open_train(labels="4")
    assert f"run {config.run_id}: finished already" in said(app)
    assert next(button for button in app.button if button.label == "Start training").disabled


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_address_falls_back_with_a_sentence(value, make_store, open_train):
    make_store("two")
    names = ("job", "run", "preset", "data", "models", "rule", "labels", "seed")
    app = open_train(**dict.fromkeys(names, value))
    assert not app.exception and not app.error
    assert len(app.warning) >= len(names) - 2
    assert "<script" not in said(app) and "](" not in said(app)


def test_a_bad_value_is_a_sentence_at_the_form_and_nothing_is_lost(make_store, open_train):
    make_store("empty")
    app = open_train()
    next(field for field in app.text_input if field.label == "Channels").set_value("a lot").run()
    next(field for field in app.number_input if field.label == "Epochs").set_value(5).run()
    assert ["a lot" in error.value for error in app.error] == [True]
    assert next(button for button in app.button if button.label == "Start training").disabled
    channels = next(field for field in app.text_input if field.label == "Channels")
    assert channels.value == "a lot"
    channels.set_value("8, 8").run()
    assert not app.error and "2 settings differ" in said(app) and "5 epochs" in said(app)


def test_more_labels_than_there_are_is_a_sentence(make_store, open_train):
    make_store("empty")
    app = open_train(labels="1000")
    assert len(app.error) == 1 and not app.exception


def test_no_model_is_a_sentence(make_store, open_train):
    make_store("empty")
    app = open_train()
    app.multiselect[0].set_value([]).run()
    assert not app.exception and "No model is chosen" in app.error[0].value


def test_without_a_model_a_changed_setting_is_kept_for_the_next(make_store, open_train):
    make_store("empty")
    app = open_train()
    next(field for field in app.number_input if field.label == "Epochs").set_value(5).run()
    app.multiselect[0].set_value([]).run()
    assert not app.exception and "No model is chosen" in app.error[0].value
    app.multiselect[0].set_value(["ss-rvae"]).run()
    assert next(field for field in app.number_input if field.label == "Epochs").value == 5


def test_another_preset_takes_its_data_and_settings_along(make_store, open_train):
    make_store("empty")
    app = open_train()
    next(field for field in app.number_input if field.label == "Epochs").set_value(5).run()
    app.selectbox(key="train-preset").set_value("notebook-a").run()
    assert app.selectbox(key="train-data").value == "cards-a"
    assert app.multiselect[0].value == ["ss-rvae-paper"]
    assert next(field for field in app.number_input if field.label == "Epochs").value == 80


def test_a_setting_that_switches_others_off_hides_them_at_once(make_store, open_train):
    make_store("empty")
    app = open_train()
    assert any(field.label == "Augmentation: shear" for field in app.number_input)
    next(field for field in app.checkbox if field.label == "Augment").set_value(False).run()
    assert not any(field.label.startswith("Augmentation") for field in [*app.number_input, *app.checkbox])


def test_a_viewer_may_watch_and_not_start(make_store, open_train, queue_only, monkeypatch):
    store = make_store("two")
    JobQueue(store).submit(config=tiny_config("ss-rvae", 7))
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_train()
    assert any("queued" in element.proto.text for element in app.get("progress"))
    assert "read-only" in said(app)
    assert not {"Cancel", "Resume", "Start training"} & {button.label for button in app.button}


def test_a_viewer_with_nothing_to_watch_is_led_on(make_store, open_train, monkeypatch):
    make_store("two")
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    (link,) = open_train().get("page_link")
    assert "runs" in link.proto.label


def test_a_run_of_a_terminal_is_cancelled_too_and_a_broken_one_is_a_sentence(make_store, open_train):
    store = make_store("broken")
    running = copy_run(store, store.runs()[0], tiny_config("ss-rvae", 5), state="running", validation=None)
    press(open_train(run=running.id), "Cancel")
    assert (running.path / "cancel").exists() and work_of(store, running.id).stopping
    app = open_train(job="0123456789ab")
    assert not app.exception and any("0123456789ab" in error.value for error in [*app.error, *app.warning])


def test_latents_are_coloured_by_prediction_where_the_data_are_gone():
    config = RunConfig.model_validate({"dataset": {"source": "file", "path": "/nowhere.npz", "sha256": "0"}})
    snapshot = Snapshot(np.arange(3), np.zeros((3, 2), np.float32), np.eye(3, dtype=np.float32))
    run = Run(config.run_id, SimpleNamespace(), config, Status())
    predictions, colour = latents_of(run, snapshot)
    assert colour == "predicted" and (predictions.labels == -1).all()


def start_button(app):
    return next(button for button in app.button if button.label.startswith("Start"))


@pytest.mark.parametrize(
    ("label", "value", "field"),
    [("Seed", 2**32, "Seed"), ("Seed", -1, "Seed"), ("Epochs", 999_999_999_999, "training.epochs")],
)
def test_nothing_starts_while_a_field_holds_a_number_that_no_training_has(open_train, label, value, field):
    app = open_train(data="cards-teaching")
    assert not start_button(app).disabled
    box = next(one for one in app.number_input if one.label == label)
    before = box.value
    app = box.set_value(value).run()
    assert start_button(app).disabled and field in app.error[0].value and not app.exception
    box = next(one for one in app.number_input if one.label == label)
    app = box.set_value(before).run()
    assert not start_button(app).disabled and not app.error


# As many images as there are.

DIGITS = 174
"""Images of the rarest digit."""


def numbers(app):
    """The fields for numbers of images, by setting."""
    names = ("dataset.train_per_class", "dataset.validation_per_class")
    return {name: next(field for field in app.number_input if name in str(field.key)) for name in names}


def test_no_more_digits_are_offered_than_there_are(open_train):
    app = open_train(data="digits")
    for field in numbers(app).values():
        assert field.max < DIGITS and str(DIGITS) in field.help
    labels = next(field for field in app.number_input if field.label == "Labels per class")
    app = labels.set_value(DIGITS).run()
    assert "Labels per class is 174" in app.error[0].value and start_button(app).disabled
    assert numbers(open_train(data="cards-teaching"))["dataset.train_per_class"].max is None


def test_more_digits_than_there_are_together_cannot_be_started(open_train):
    app = open_train(data="digits")
    numbers(app)["dataset.train_per_class"].set_value(160).run()
    assert not app.exception
    (error,) = app.error
    assert str(DIGITS) in error.value and "Train per class" in error.value
    assert next(button for button in app.button if button.label == "Start training").disabled
    numbers(app)["dataset.validation_per_class"].set_value(10).run()
    assert not app.error and not app.exception


def test_an_address_that_asks_for_more_is_refused_in_a_sentence(open_train):
    app = open_train(data="digits", set=["dataset.train_per_class=500"])
    assert not app.exception and not app.error
    assert any(str(DIGITS) in warning.value and "500" in warning.value for warning in app.warning)


def test_a_number_of_cards_that_digits_do_not_have_does_not_go_along_to_them(open_train):
    app = open_train(data="cards-teaching", set=["dataset.train_per_class=500"])
    app.selectbox(key="train-data").set_value("digits").run()
    assert not app.exception and not app.error
    assert any("500" in warning.value for warning in app.warning)


@pytest.mark.usefixtures("queue_only")
def test_a_job_that_makes_an_embedding_is_watched_in_its_steps(make_store, open_train):
    store = make_store("two")
    config = embedding_config(data="cards-b2", settings={"embedding.steps": 50})
    job = JobQueue(store).submit("embed", embedding=config)
    app = open_train(job=job.id)
    (shown,) = [element.proto.text for element in app.get("progress")]
    assert "embedding of cards-b2, seed 0: queued" in shown and not app.exception
    path = EmbeddingStore(store).path(job.id)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text(config.model_dump_json())
    directory.write_status(path, Status(state="finished"))
    write_record(job.path, read_record(job.path).model_copy(update={"state": "finished"}))
    app = open_train(job=job.id)
    assert any("finished, 50 of 50 steps" in message.value for message in app.success) and not app.exception


def test_a_refused_setting_says_what_range_is_allowed():
    with pytest.raises(UserError) as refused:
        run_config(settings={"training.epochs": 0})
    words = in_words(refused.value)
    assert words.startswith("Epochs (training.epochs)") and "1 to 100,000" in words and "0" in words
