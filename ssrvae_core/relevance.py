"""Which settings a configuration uses: the others change nothing, so they may not make two runs of one.

Each rule was read off the code that uses the settings it names; a setting is used where all of its rules say so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ssrvae_core.registry import source_of
from ssrvae_core.schema import RunConfig, UserError

NOT_GENERATED = ("file", "array")


@dataclass(frozen=True)
class Rule:
    """When settings are used.

    Attributes
    ----------
    names : tuple of str
        Dotted names of settings, or of whole groups of them.
    used : callable
        Whether a configuration uses them.
    otherwise : str
        Ends "model.disc does nothing ..."; ``{config.model.name}`` and other fields are filled in.
    """

    names: tuple[str, ...]
    used: Callable[[RunConfig], bool]
    otherwise: str

    def concerns(self, name: str) -> bool:
        """Whether the rule is about this setting or a group it belongs to."""
        return any(name == own or name.startswith(f"{own}.") for own in self.names)


def _names(group: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{group}.{name}" for name in names)


RULES: tuple[Rule, ...] = (
    Rule(
        _names("dataset", "size", "labelled", "unlabelled", "train_per_class", "validation_per_class", "seed"),
        lambda config: config.dataset.source not in NOT_GENERATED,
        "for images that are not generated",
    ),
    Rule(
        _names("dataset", "sha256", "intensity", "skip_missing"),
        lambda config: config.dataset.source == "file",
        "for generated images",
    ),
    Rule(
        ("split.validation_fraction",),
        lambda config: not source_of(config.dataset.source).validates,
        "for {config.dataset.source}, which bring their own validation images",
    ),
    Rule(
        ("split.seed",),
        lambda config: (
            not source_of(config.dataset.source).validates
            or config.split.labels_per_class is not None
            or config.split.labelled_ratio is not None
        ),
        "where every label is used",
    ),
    Rule(
        _names("model", "radii", "angles", "disc", "standardise", "shift_steps", "shift_step")
        + _names("model", "angle_prior", "angle_prior_labelled", "angle_concentration"),
        lambda config: config.model.rotation == "marginal",
        "for {config.model.name}",
    ),
    Rule(
        ("model.second_opinion",),  # the ss-VAE is the control
        lambda config: config.model.rotation != "none",
        "for {config.model.name}",
    ),
    Rule(
        _names("model", "angle", "translation", "scaling", "angle_sd", "translation_sd", "scaling_sd")
        + _names("model", "pixel_fraction"),
        lambda config: config.model.rotation == "latent",
        "for {config.model.name}",
    ),
    Rule(("model.shift_step",), lambda config: config.model.shift_steps > 0, "while model.shift_steps is 0"),
    Rule(
        ("model.angle_concentration",),
        lambda config: "von_mises" in (config.model.angle_prior, config.model.angle_prior_labelled),
        "while both angle priors are uniform",
    ),
    Rule(("model.angle_sd",), lambda config: config.model.angle, "while model.angle is off"),
    Rule(("model.translation_sd",), lambda config: config.model.translation, "while model.translation is off"),
    Rule(("model.scaling_sd",), lambda config: config.model.scaling, "while model.scaling is off"),
    Rule(
        ("model.gaussian_sd",),
        lambda config: config.model.likelihood == "gaussian",
        "for the likelihood {config.model.likelihood}",
    ),
    Rule(
        ("model.channels",), lambda config: config.model.networks == "conv", "for the networks {config.model.networks}"
    ),
    Rule(("training.augmentation",), lambda config: config.training.augment, "while training.augment is off"),
    Rule(
        ("training.augmentation.rotation",),
        lambda config: config.model.rotation != "none",
        "for {config.model.name}",
    ),
    Rule(
        _names("training", "consistency_threshold", "starts", "start_epochs"),
        lambda config: config.training.consistency_weight > 0,
        "while training.consistency_weight is 0",
    ),
    Rule(
        _names("model", "angle_prior_labelled", "pixel_fraction")
        + _names("training", "beta_start", "beta_end", "classifier_elbo_weight"),
        lambda config: config.training.generative_weight > 0,
        "while training.generative_weight is 0",
    ),
    Rule(
        _names("training", "gauge_weight", "generative_shear", "labelled_epochs"),
        lambda config: (
            config.model.rotation == "marginal"
            and config.model.angle_prior_labelled == "von_mises"
            and config.training.generative_weight > 0
        ),
        "where no labelled images are known to be upright (model.angle_prior_labelled)",
    ),
    Rule(("training.generative_shear",), lambda config: config.training.augment, "while training.augment is off"),
    Rule(
        ("training.beta_ramp_epochs",),  # an early stop waits for the end of the ramp, whatever it weighs
        lambda config: config.training.generative_weight > 0 or config.training.early_stop is not None,
        "while training.generative_weight is 0",
    ),
    Rule(("training.start_epochs",), lambda config: config.training.starts > 1, "while training.starts is 1"),
    Rule(
        ("training.beta_start",),
        lambda config: config.training.beta_ramp_epochs > 0,
        "while training.beta_ramp_epochs is 0",
    ),
)
"""The first rule that is broken gives the reason."""


def applies(config: RunConfig, name: str) -> bool:
    """Whether a configuration uses a setting.

    Parameters
    ----------
    config : RunConfig
        The configuration with all that is to be set in it: the settings decide about each other.
    name : str
        Dotted name of the setting, such as ``model.disc``.

    Raises
    ------
    UserError
        If there is no such setting.
    """
    return unused(config, name) is None


def unused(config: RunConfig, name: str) -> str | None:
    """Return why a configuration ignores a setting, as the end of "... does nothing", None where it uses it.

    Raises
    ------
    UserError
        If there is no such setting.
    """
    locate(config.model_dump(), name)
    config = settle(config)
    broken = (rule.otherwise for rule in RULES if rule.concerns(name) and not rule.used(config))
    reason = next(broken, None)
    return None if reason is None else reason.format(config=config)


def settle(config: RunConfig) -> RunConfig:
    """Put every setting that the configuration ignores back to its default."""
    defaults, values = RunConfig().model_dump(), config.model_dump()
    for rule in RULES:
        for name in rule.names if not rule.used(config) else ():
            parent, leaf = locate(values, name)
            parent[leaf] = locate(defaults, name)[0][leaf]
    settled = RunConfig.model_validate(values)
    # A default may leave further settings without use.
    return config if settled == config else settle(settled)


def locate(values: dict[str, Any], name: str, command: str = "train") -> tuple[dict[str, Any], str]:
    """Return the part of a dumped configuration that holds a setting, and the setting's name in it.

    ``command`` is the one whose help lists the names.

    Raises
    ------
    UserError
        If there is no such setting.
    """
    *parents, leaf = name.split(".")
    node: Any = values
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict) else None
    if not isinstance(node, dict) or leaf not in node:
        raise UserError(f"There is no setting '{name}'; see 'python -m ssrvae_core {command} --help' for the names.")
    return node, leaf
