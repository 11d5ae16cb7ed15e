"""Settings that do nothing: they are refused, they make no second run, and they truly do nothing."""

from functools import cache

import numpy as np
import pytest

from ssrvae_core.config import MODELS, DatasetConfig, RunConfig, UserError, applies, run_config, with_settings
from ssrvae_core.relevance import RULES, locate, settle

OTHER = {
    "dataset.size": 20,
    "dataset.labelled": {"rotation": 50},
    "dataset.unlabelled": {"rotation": 50},
    "dataset.train_per_class": 11,
    "dataset.validation_per_class": 3,
    "dataset.sha256": "aa",
    "dataset.intensity": [0, 9],
    "dataset.skip_missing": True,
    "model.second_opinion": True,
    "dataset.seed": 3,
    "split.validation_fraction": 0.5,
    "split.seed": 3,
    "model.radii": 7,
    "model.angles": 12,
    "model.disc": 0.7,
    "model.shift_steps": 1,
    "model.shift_step": 2.0,
    "model.angle_prior": "von_mises",
    "model.angle_prior_labelled": "von_mises",
    "model.angle_concentration": 2.0,
    "model.standardise": True,
    "model.angle": False,
    "model.translation": True,
    "model.scaling": True,
    "model.angle_sd": 0.5,
    "model.translation_sd": 0.5,
    "model.scaling_sd": 0.5,
    "model.pixel_fraction": 0.5,
    "model.gaussian_sd": 0.5,
    "model.channels": [3],
    "training.augmentation": {"rotation": True, "shear": 1, "scale": 0.2, "shift": 0.1, "intensity": 0.2},
    "training.augmentation.rotation": False,
    "training.consistency_threshold": 0.9,
    "training.starts": 20,  # of fewer, the first may be the best
    "training.start_epochs": 2,
    "training.classifier_elbo_weight": 0.5,
    "training.gauge_weight": 5.0,
    "training.generative_shear": True,
    "training.labelled_epochs": 1,
    "training.beta_start": 3.0,
    "training.beta_end": 2.0,
    "training.beta_ramp_epochs": 2,
}
"""Another value for every setting that some configuration ignores."""

TINY = {
    "dataset.size": 16,
    "dataset.train_per_class": 8,
    "dataset.validation_per_class": 4,
    "dataset.unlabelled.rotation": 40,
    "split.labels_per_class": 2,
    "model.channels": [4, 4],
    "model.hidden": [8],
    "model.angles": 16,
    "model.radii": 5,
    "training.epochs": 2,
    "training.min_steps": 2,
    "training.batch_size": 16,
    "training.beta_end": 1.5,
    "training.consistency_threshold": 0.26,
}
VARIANTS = {
    "ss-vae": {"model.rotation": "none"},
    "ss-rvae": {},
    "ss-rvae with shifts and von Mises priors": {"model.shift_steps": 1, "model.angle_prior": "von_mises"},
    "ss-rvae of upright labelled images": {"model.angle_prior_labelled": "von_mises"},
    "ss-rvae of dense layers": {"model.networks": "mlp", "model.likelihood": "gaussian"},
    "ss-rvae without augmentation and consistency": {"training.augment": False, "training.consistency_weight": 0},
    "ss-rvae without generative terms": {"training.generative_weight": 0},
    "ss-rvae-paper": {"model.rotation": "latent", "training.beta_ramp_epochs": 1},
    "ss-rvae-paper with shift and scale": {
        "model.rotation": "latent",
        "model.translation": True,
        "model.scaling": True,
    },
    "ss-rvae-paper without pose": {"model.rotation": "latent", "model.angle": False},
    "ss-rvae of several starts": {"training.starts": 4},
    "every label": {"split.labels_per_class": None},
}


def outcome(config):
    """Train, and return all numbers that a run leaves behind."""
    from ssrvae_core.data import load, split
    from ssrvae_core.evaluation.evaluate import predict
    from ssrvae_core.training import Trainer

    data = split(load(config.dataset), config.split)
    trainer = Trainer(config, data, "cpu")
    list(trainer.fit())
    predictions = predict(trainer.model, data.validation)
    weights = [weight.numpy() for weight in trainer.model.state_dict().values()]
    return [*weights, predictions.class_prob, predictions.z_mean, predictions.angle, predictions.log_likelihood]


def equal(one, other):
    return len(one) == len(other) and all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


def test_every_rule_is_put_to_the_test_below():
    assert {name for rule in RULES for name in rule.names} == set(OTHER)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_configuration_is_said_to_ignore_changes_no_number_and_no_id(variant):
    plain = with_settings(RunConfig(), TINY | VARIANTS[variant])
    ignored = {name: value for name, value in OTHER.items() if not applies(plain, name)}
    changed = with_settings(plain, ignored)
    assert changed.run_id != plain.run_id and settle(changed).run_id == settle(plain).run_id
    assert equal(outcome(changed), outcome(plain))


OF_FILES = {"dataset.sha256", "dataset.intensity", "dataset.skip_missing", "split.validation_fraction"}
"""Settings of image files, which no variant has; tests/core/data says what they do."""


def witness(name):
    """The first variant that uses a setting and has another value for it: its numbers must change with the setting."""
    for variant, settings in VARIANTS.items():
        plain = with_settings(RunConfig(), TINY | settings)
        parent, leaf = locate(plain.model_dump(mode="json"), name)
        if variant != "every label" and applies(plain, name) and parent[leaf] != OTHER[name]:  # some are for unlabelled
            return plain
    raise AssertionError(f"no variant uses {name}")


@cache
def outcome_of_plain(config):
    return outcome(config)


@pytest.mark.parametrize("name", [name for name in OTHER if name not in OF_FILES])
def test_what_a_configuration_is_said_to_use_changes_the_numbers(name):
    plain = witness(name)
    assert not equal(outcome(with_settings(plain, {name: OTHER[name]})), outcome_of_plain(plain))


@pytest.mark.parametrize(
    ("options", "name", "where"),
    [
        ({"model": "ss-vae"}, "model.disc", "for ss-vae"),
        ({"model": "ss-vae"}, "training.augmentation.rotation", "for ss-vae"),
        ({"model": "ss-rvae"}, "model.pixel_fraction", "for ss-rvae"),
        (
            {"model": "ss-rvae-paper"},
            "training.gauge_weight",
            r"where no labelled images are known to be upright \(model.angle_prior_labelled\)",
        ),
        ({"model": "ss-rvae"}, "model.shift_step", "while model.shift_steps is 0"),
        ({"model": "ss-rvae"}, "model.gaussian_sd", "for the likelihood bernoulli"),
        ({"model": "ss-rvae-paper"}, "model.channels", "for the networks mlp"),
        ({"model": "ss-rvae-paper"}, "model.scaling_sd", "while model.scaling is off"),
        ({"preset": "esi"}, "training.consistency_threshold", "while training.consistency_weight is 0"),
        ({"preset": "esi"}, "training.augmentation", "while training.augment is off"),
        ({"preset": "fast"}, "training.beta_start", "while training.beta_ramp_epochs is 0"),
        ({"data": "digits"}, "split.validation_fraction", "for digits, which bring their own validation images"),
        ({"data": "cards-b2"}, "dataset.intensity", "for generated images"),
        (
            {"dataset": DatasetConfig(source="file", path="a.npz", sha256="0" * 64)},
            "dataset.size",
            "for images that are not generated",
        ),
    ],
)
def test_a_setting_that_does_nothing_is_refused_in_a_sentence(options, name, where):
    with pytest.raises(UserError, match=f"^{name} does nothing {where}; leave it out.$"):
        run_config(**options, settings={name: OTHER[name]})
    assert not applies(run_config(**options), name)


def test_settings_decide_about_each_other_whatever_their_order():
    settings = {"model.gaussian_sd": 0.1, "model.likelihood": "gaussian"}
    assert run_config(settings=settings).model.gaussian_sd == 0.1


def test_what_a_preset_says_of_another_model_makes_no_second_run():
    teaching = run_config(preset="teaching", model="ss-vae")
    assert teaching.model == MODELS["ss-vae"]
    assert run_config(preset="teaching").model.angles == 48


@pytest.mark.parametrize("name", ["model.depth", "depth", "model.disc.size", "training.augmentation.noise"])
def test_a_setting_that_does_not_exist_is_no_setting_that_does_nothing(name):
    with pytest.raises(UserError, match=f"There is no setting '{name}'"):
        applies(RunConfig(), name)
