"""Configurations: names, ids, and what is refused."""

import json
import math

import pytest

from ssrvae_core.config import (
    DATASETS,
    MODELS,
    PRESETS,
    SHARPEST_PRIOR,
    DatasetConfig,
    Disorder,
    RunConfig,
    UserError,
    run_config,
)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("model", MODELS)
def test_every_preset_trains_every_model(preset, model):
    assert run_config(preset=preset, model=model).model.name == model


@pytest.mark.parametrize("data", DATASETS)
def test_every_named_data_set_has_labels_by_default(data):
    assert run_config(data=data).split.labels_per_class


def test_the_esi_preset_has_the_settings_the_source_names():
    config = run_config(preset="esi")
    training = config.training
    assert (training.batch_size, training.learning_rate, training.epochs) == (16, 1e-4, 1000)
    assert not training.augment and training.consistency_weight == 0 and training.classifier_elbo_weight == 1
    assert not config.model.standardise and run_config().model.standardise


def test_the_gauge_follows_what_is_declared_of_the_labelled_images():
    cards, digits_file = run_config(), run_config(dataset=DatasetConfig(source="file", path="a.npz", sha256="0" * 64))
    assert cards.training.gauge_weight > 0 and cards.training.generative_shear
    # Labels within 12 degrees have a standard deviation of 12 / sqrt(3).
    assert cards.model.angle_concentration == pytest.approx(3 / math.radians(12) ** 2, rel=1e-2)
    assert digits_file.training.gauge_weight == 0 and digits_file.model.angle_concentration == 8


@pytest.mark.parametrize("rotation", [0, 1])
def test_a_declared_prior_is_no_narrower_than_the_grid(rotation):
    assert run_config(settings={"dataset.labelled.rotation": rotation}).model.angle_concentration == SHARPEST_PRIOR


def test_without_a_gauge_a_run_is_what_it_was_before_there_was_one():
    config = run_config(preset="esi")
    told = json.loads(config.canonical_json())["training"]
    assert not {"gauge_weight", "generative_shear", "labelled_epochs"} & set(told)
    assert config.model.angle_prior_labelled == "von_mises" and config.model.angle_concentration == 8


def test_a_config_survives_its_json_and_keeps_its_id():
    config = run_config(labelled_ratio=0.05, settings={"model.latent_dim": 3})
    assert RunConfig.model_validate_json(config.model_dump_json()) == config
    assert RunConfig.model_validate_json(config.model_dump_json()).run_id == config.run_id


def test_the_id_depends_on_a_files_content_and_not_on_its_path():
    def run_id(path, sha256):
        return run_config(dataset=DatasetConfig(source="file", path=path, sha256=sha256)).run_id

    assert run_id("here.npz", "aa") == run_id("there.npz", "aa")
    assert run_id("here.npz", "aa") != run_id("here.npz", "bb")


@pytest.mark.parametrize(
    ("dataset", "prior"),
    [
        (DATASETS["cards-b2"], "von_mises"),
        (DatasetConfig(labelled=Disorder(rotation=180)), "uniform"),
        (DatasetConfig(source="file", path="mine.npz", sha256="0" * 64), "uniform"),
    ],
)
def test_only_labels_known_to_be_upright_fix_the_zero_of_the_angle(dataset, prior):
    assert run_config(dataset=dataset).model.angle_prior_labelled == prior


def test_a_rotation_of_the_labels_that_is_set_counts_as_declared():
    assert run_config(settings={"dataset.labelled.rotation": 180}).model.angle_prior_labelled == "uniform"


@pytest.mark.parametrize(
    ("options", "shear"),
    [
        ({"data": "cards-b2"}, 20),
        ({"data": "cards-b1"}, 5),  # sheared less than any image is
        ({"data": "cards-a"}, 5),  # the labels are sheared as far
        ({"dataset": DatasetConfig(source="file", path="mine.npz", sha256="0" * 64)}, 5),
        ({"data": "cards-b2", "settings": {"dataset.unlabelled.shear": 25}}, 25),
        ({"data": "cards-b2", "settings": {"dataset.unlabelled.shear": 50}}, 30),  # wider ones squash the image
        ({"data": "cards-b2", "settings": {"training.augmentation.shear": 10}}, 10),
    ],
)
def test_the_augmentation_shears_as_far_as_the_unlabelled_images_are_declared_to_be(options, shear):
    assert run_config(**options).training.augmentation.shear == shear


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({"data": "particles"}, 24),
        ({"data": "particles", "settings": {"dataset.size": 32}}, 24),
        ({"data": "particles", "settings": {"training.epochs": 3}}, 3),
        ({"data": "particles", "preset": "teaching"}, 6),
        ({"data": "cards-b2"}, 8),
    ],
)
def test_the_default_preset_takes_more_epochs_for_noisy_particles(options, epochs):
    assert run_config(**options).training.epochs == epochs


def test_of_a_group_of_settings_what_is_not_named_stays():
    augmentation = run_config(data="cards-b2", settings={"training.augmentation": {"scale": 0}}).training.augmentation
    assert (augmentation.scale, augmentation.shear) == (0, 20)
    nested = run_config(data="cards-b2", settings={"training": {"augmentation": {"scale": 0}}}).training
    assert nested.augmentation == augmentation and nested.epochs == run_config(data="cards-b2").training.epochs


def test_the_user_overrules_the_angle_prior():
    assert run_config(settings={"model.angle_prior_labelled": "uniform"}).model.angle_prior_labelled == "uniform"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "vae"}, "There is no model called 'vae'; choose one of ss-vae, ss-rvae, ss-rvae-paper."),
        ({"data": "cards"}, "There is no data set called 'cards'"),
        ({"preset": "slow"}, "There is no preset called 'slow'"),
        ({"settings": {"model.depth": 3}}, "There is no setting 'model.depth'"),
        ({"settings": {"model.latent_dim": 0}}, "model.latent_dim is not valid"),
        ({"settings": {"training.beta_start": 0}}, "training.beta_start is not valid"),
        ({"settings": {"dataset.intensity": [9, 9]}}, "dataset.intensity is not valid: it needs two numbers"),
        ({"labelled_ratio": 1.5}, "labelled_ratio is not valid"),
        ({"labelled_ratio": 0.1, "labels_per_class": 5}, "not both"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(options, sentence):
    with pytest.raises(UserError) as refused:
        run_config(**options)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["dataset.train_per_class", "dataset.validation_per_class"])
def test_more_images_than_a_source_has_are_refused_before_any_is_drawn(name):
    with pytest.raises(UserError, match="174") as refused:
        run_config(data="digits", settings={name: 170})
    assert name in str(refused.value) and "digits" in str(refused.value)
    assert run_config(data="digits", settings={"dataset.train_per_class": 160, "dataset.validation_per_class": 14})
