"""Configuration: runs from names and settings.

The models that say everything about a run (:mod:`ssrvae_core.schema`) and the named ones of them
(:mod:`ssrvae_core.presets`) are at home here too; no other module holds a default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from ssrvae_core.presets import (
    DATASETS,
    DEFAULT_LABELS_PER_CLASS,
    DEMO_MODELS,
    DEMO_PRESET,
    DEMO_RATIOS,
    MODELS,
    PAPER_DATA,
    PAPER_MODELS,
    PAPER_RATIOS,
    PAPER_RIVALS,
    PAPER_SEEDS,
    PRESETS,
    SELF_TEST,
    SHARPEST_PRIOR,
    SWEEP_LABELS,
    WEAK_ROTATION,
    WIDEST_SHEAR,
    Preset,
    data_name,
)
from ssrvae_core.refusals import in_words
from ssrvae_core.registry import Registry, source_of
from ssrvae_core.relevance import applies, locate, settle, unused
from ssrvae_core.schema import (
    SCHEMA_VERSION,
    Augmentation,
    DatasetConfig,
    Disorder,
    EmbeddingConfig,
    Frozen,
    MissingPictures,
    ModelConfig,
    RunConfig,
    SplitConfig,
    TrainingConfig,
    UserError,
    Widths,
    ratio_text,
)

__all__ = [
    "DATASETS",
    "DEFAULT_LABELS_PER_CLASS",
    "DEMO_MODELS",
    "DEMO_PRESET",
    "DEMO_RATIOS",
    "MODELS",
    "PAPER_DATA",
    "PAPER_MODELS",
    "PAPER_RATIOS",
    "PAPER_RIVALS",
    "PAPER_SEEDS",
    "PRESETS",
    "SCHEMA_VERSION",
    "SELF_TEST",
    "SHARPEST_PRIOR",
    "SWEEP_LABELS",
    "WEAK_ROTATION",
    "Augmentation",
    "DatasetConfig",
    "Disorder",
    "EmbeddingConfig",
    "Frozen",
    "MissingPictures",
    "ModelConfig",
    "Preset",
    "RunConfig",
    "SplitConfig",
    "TrainingConfig",
    "UserError",
    "Widths",
    "applies",
    "check_numbers",
    "choose",
    "data_name",
    "describe",
    "ratio_text",
    "run_config",
    "with_settings",
]

T = TypeVar("T")
Config = TypeVar("Config", bound=Frozen)


def with_settings(config: Config, settings: Mapping[str, Any], command: str = "train") -> Config:
    """Return ``config`` with dotted fields replaced, e.g. ``{"model.latent_dim": 3}``.

    Parameters
    ----------
    config : RunConfig or another configuration
        What to begin with.
    settings : mapping
        Dotted names and values.
    command : str
        The command whose help lists the names.

    Raises
    ------
    UserError
        If a name is unknown or a value is refused; the sentence names the field.
    """
    values = config.model_dump()
    for name, value in settings.items():
        parent, leaf = locate(values, name, command)
        parent[leaf] = _within(parent[leaf], value)
    try:
        return type(config).model_validate(values)
    except ValidationError as error:
        raise UserError(describe(error)) from error


def _within(group: Any, value: Any) -> Any:
    """Return a setting's new value; of a group of settings, what is not named stays."""
    if not isinstance(group, dict) or not isinstance(value, Mapping):
        return value
    return group | {name: _within(group.get(name), own) for name, own in value.items()}


def describe(error: ValidationError) -> str:
    """One sentence for the first problem of a pydantic error."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the configuration"
    given = first["input"]
    missing = first["type"] in ("missing", "json_invalid")  # what is given then is what is around it
    got = "" if missing or isinstance(given, dict | bytes) else f" (got {given!r})"  # a whole part of it says nothing
    return f"{where} is not valid: {in_words(first)}{got}."


def choose(kind: str, registry: Mapping[str, T], name: str) -> T:
    """Look ``name`` up, or say which names there are."""
    if name not in registry:
        advice = f", {registry.advice}" if isinstance(registry, Registry) else ""
        raise UserError(f"There is no {kind} called '{name}'; choose one of {', '.join(registry)}{advice}.")
    return registry[name]


def run_config(
    *,
    preset: str = "fast",
    data: str | None = None,
    dataset: DatasetConfig | None = None,
    model: str | None = None,
    labels_per_class: int | None = None,
    labelled_ratio: float | None = None,
    by_group: bool = False,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Build a run's configuration from names.

    What the configuration does not use has its default value, so that runs that are equal have one id.

    Parameters
    ----------
    preset : str
        A name in :data:`PRESETS`.
    data : str, optional
        A name in :data:`DATASETS`; by default the preset's.
    dataset : DatasetConfig, optional
        A data set's configuration (such as a file's), instead of ``data``.
    model : str, optional
        A name in :data:`MODELS`; by default the preset's.
    labels_per_class, labelled_ratio, by_group
        See :class:`SplitConfig`. A named data set has a default number of labels per class.
    seed : int
        Seeds the split and the training alike.
    settings : mapping, optional
        Dotted names and values that override everything else.

    Raises
    ------
    UserError
        If a name or a value is refused, or a setting would do nothing.
    """
    chosen = choose("preset", PRESETS, preset)
    if dataset is None:
        data = data or chosen.data
        dataset = choose("data set", DATASETS, data)
        if labels_per_class is None and labelled_ratio is None:
            labels_per_class = DEFAULT_LABELS_PER_CLASS.get(data)
    try:
        split = SplitConfig(
            labels_per_class=labels_per_class, labelled_ratio=labelled_ratio, by_group=by_group, seed=seed
        )
        config = RunConfig(
            dataset=dataset,
            split=split,
            model=choose("model", MODELS, model or chosen.model),
            training=chosen.training,
            seed=seed,
        )
    except ValidationError as error:
        raise UserError(describe(error)) from error
    given = settings or {}
    asked = {**chosen.settings, **chosen.for_source.get(dataset.source, {}), **given}
    check_numbers(with_settings(config, asked).dataset)
    config = with_settings(config, {**_declared(with_settings(config, asked)), **asked})
    for name in given:
        if (where := unused(config, name)) is not None:
            raise UserError(f"{name} does nothing {where}; leave it out.")
    return settle(config)


def check_numbers(dataset: DatasetConfig) -> None:
    """Refuse more images per class than the source has."""
    most, wanted = source_of(dataset.source).most_per_class, dataset.train_per_class + dataset.validation_per_class
    if most is not None and wanted > most:
        raise UserError(
            f"dataset.train_per_class and dataset.validation_per_class are {wanted} images together, but "
            f"{dataset.source} has {most} per class; lower one of them."
        )


def _concentration(rotation: float) -> float:
    """Return the concentration of angles uniform within a half-range in degrees: one over their variance."""
    variance = math.radians(rotation) ** 2 / 3
    return round(min(1 / variance, SHARPEST_PRIOR), 1) if variance else SHARPEST_PRIOR


def _declared(config: RunConfig) -> dict[str, Any]:
    """Return the settings that follow from the disorder a data set has, where its source declares that it has one."""
    dataset = config.dataset
    settings: dict[str, Any] = {}
    if not source_of(dataset.source).poses_known:
        return settings
    if dataset.labelled.rotation <= WEAK_ROTATION:  # such labels fix the zero of the angle
        settings["model.angle_prior_labelled"] = "von_mises"
        if config.training.gauge_weight > 0:
            settings["model.angle_concentration"] = _concentration(dataset.labelled.rotation)
    # What the labels do not show, the augmentation does.
    shear = min(dataset.unlabelled.shear, WIDEST_SHEAR)
    if shear > max(dataset.labelled.shear, config.training.augmentation.shear):
        settings["training.augmentation.shear"] = shear
    return settings
