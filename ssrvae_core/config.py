"""Configuration: the models that say everything about a run, the named presets, and runs from names.

No other module than this one and :mod:`ssrvae_core.schema`, whose models are at home here too, holds a default.
"""

from __future__ import annotations

import math
from collections import UserDict
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from ssrvae_core.refusals import in_words
from ssrvae_core.registry import SOURCES, Registry, source_of
from ssrvae_core.relevance import NOT_GENERATED, applies, locate, settle, unused
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


def _pair(weak: dict[str, Any], strong: dict[str, Any]) -> dict[str, Any]:
    return {"labelled": Disorder(**weak), "unlabelled": Disorder(**strong)}


class _Datasets(UserDict[str, DatasetConfig]):
    """Data sets by name; a source that none of them has is one by its own name, with the settings' defaults."""

    def __missing__(self, name: str) -> DatasetConfig:
        if name not in self._others():
            raise KeyError(name)
        return DatasetConfig(source=name)

    def __contains__(self, name: object) -> bool:
        return name in self.data or name in self._others()

    def __iter__(self) -> Iterator[str]:
        return iter([*self.data, *self._others()])

    def __len__(self) -> int:
        return len(self.data) + len(self._others())

    def _others(self) -> list[str]:
        known = {*NOT_GENERATED, *self.data, *(dataset.source for dataset in self.data.values())}
        return [name for name in SOURCES if name not in known]


_NAMED: dict[str, DatasetConfig] = {
    # The three settings of the public notebooks.
    "cards-a": DatasetConfig(
        **_pair(
            {"rotation": 4, "shear": 15, "scale": (1.0, 1.3)},
            {"rotation": 60, "shear": 15, "scale": (1.0, 1.3), "shift": 0.1},
        )
    ),
    "cards-b1": DatasetConfig(**_pair({"rotation": 12, "shear": 1}, {"rotation": 120, "shear": 1})),
    "cards-b2": DatasetConfig(**_pair({"rotation": 12, "shear": 1}, {"rotation": 120, "shear": 20})),
    "cards-teaching": DatasetConfig(
        size=28,
        train_per_class=400,
        validation_per_class=200,
        **_pair({"rotation": 12, "shear": 1}, {"rotation": 120, "shear": 20}),
    ),
    "particles": DatasetConfig(
        source="particles",
        train_per_class=1200,
        validation_per_class=400,
        **_pair({"rotation": 12, "shift": 0.02}, {"rotation": 180, "shift": 0.06}),
    ),
    "particles-teaching": DatasetConfig(
        source="particles",
        size=28,
        train_per_class=200,
        validation_per_class=100,
        **_pair({"rotation": 12, "shift": 0.02}, {"rotation": 180, "shift": 0.06}),
    ),
    "digits": DatasetConfig(
        source="digits",
        size=28,
        train_per_class=130,
        validation_per_class=44,
        **_pair({"rotation": 12}, {"rotation": 60}),
    ),
}
DATASETS: MutableMapping[str, DatasetConfig] = _Datasets(_NAMED)
"""Named data sets; add your own: ``DATASETS["my-cards"] = DatasetConfig(...)``."""

DEFAULT_LABELS_PER_CLASS: dict[str, int] = {
    "cards-a": 200,
    "cards-b1": 200,
    "cards-b2": 200,
    "cards-teaching": 40,
    "particles": 40,
    "particles-teaching": 10,
    "digits": 10,
}
"""Labels per class of a named data set when the user says neither a number nor a ratio; of others all are used."""


def data_name(dataset: DatasetConfig) -> str:
    """Return the name of a data set: a named one's, the file's, or the generator's where its settings were changed."""
    if dataset.path is not None:
        return Path(dataset.path).name
    named = [name for name, values in DATASETS.items() if values == dataset]
    return named[0] if named else f"{dataset.source} (changed)"


MODELS: dict[str, ModelConfig] = {
    "ss-vae": ModelConfig(rotation="none"),
    "ss-rvae": ModelConfig(rotation="marginal", standardise=True, second_opinion=True),
    "ss-rvae-paper": ModelConfig(
        rotation="latent", networks="mlp", activation="tanh", hidden=(128, 128), centre=False, pixel_fraction=0.1
    ),
}
"""Named models."""


WEAK_ROTATION = 30.0
"""Largest half-range in degrees at which labelled images count as upright, so that they fix the zero of the angle."""
SHARPEST_PRIOR = 100.0
"""Largest concentration that a declared rotation gives the angle prior: 6 degrees, a step of the polar grid."""
WIDEST_SHEAR = 30.0
"""Widest shear in degrees that a declared disorder gives the augmentation; far wider ones squash the image."""


class Preset(Frozen):
    """A named way to train: the optimisation, what it changes in the model, and the data it suggests."""

    training: TrainingConfig = TrainingConfig()
    data: str = "cards-b2"
    model: str = "ss-rvae"
    settings: dict[str, Any] = Field({}, description="dotted names and values, applied to the model")
    for_source: dict[str, dict[str, Any]] = Field({}, description="the same where the images are of that source")


_GAUGE: dict[str, Any] = {"gauge_weight": 10.0, "generative_shear": True, "labelled_epochs": 1}
# What the source does not have is switched off where a preset follows it.
_SOURCE: dict[str, Any] = {
    "augment": False,
    "consistency_weight": 0.0,
    "classifier_elbo_weight": 1.0,
    "schedule": "constant",
    "min_steps": 1,
}
_SOURCE_MODEL: dict[str, Any] = {"model.standardise": False, "model.second_opinion": False}

PRESETS: dict[str, Preset] = {
    "fast": Preset(
        training=TrainingConfig(epochs=8, starts=3, min_steps=80, **_GAUGE),
        for_source={"particles": {"training.epochs": 24}},  # half the images of cards, and noise
    ),
    "teaching": Preset(
        training=TrainingConfig(epochs=6, batch_size=32, min_steps=50, learning_rate=3e-3, **_GAUGE),
        data="cards-teaching",
        # A lesson on the networks: what is measured of a card would tell its suit at once.
        settings={"model.radii": 14, "model.angles": 48, "model.second_opinion": False},
    ),
    "esi": Preset(
        training=TrainingConfig(
            epochs=1000, batch_size=16, labelled_batch_size=16, learning_rate=1e-4, checkpoint_every=5, **_SOURCE
        ),
        settings=_SOURCE_MODEL,
    ),
    "notebook-a": Preset(
        training=TrainingConfig(epochs=80, batch_size=100, labelled_batch_size=100, learning_rate=1e-3, **_SOURCE),
        data="cards-a",
        model="ss-rvae-paper",
        settings={"model.translation": True, "model.pixel_fraction": 1.0, **_SOURCE_MODEL},
    ),
    "notebook-b": Preset(
        training=TrainingConfig(
            epochs=100,
            batch_size=100,
            labelled_batch_size=100,
            learning_rate=1e-3,
            beta_start=1.0,
            beta_end=2.0,
            beta_ramp_epochs=30,
            **_SOURCE,
        ),
        data="cards-b2",
        model="ss-rvae-paper",
        settings={"model.pixel_fraction": 1.0, **_SOURCE_MODEL},
    ),
}
"""Named presets: ``fast`` (the default), ``teaching``, ``esi`` and the two public notebooks."""

DEMO_PRESET = "teaching"
DEMO_MODELS = ("ss-vae", "ss-rvae")
DEMO_RATIOS = (0.02, 0.05, 0.1, 0.5)
"""What ``python -m ssrvae_core demo`` trains: each model at each labelled ratio."""

SWEEP_LABELS = (1, 2, 5, 10, 20, 50)
"""Labels per class of a sweep over them, such as that of ``examples/labels.yaml``."""

PAPER_DATA = "particles"
"""What ``python -m ssrvae_core paper`` shows beside the preset's own data set."""
PAPER_MODELS = ("ss-vae", "ss-rvae")
PAPER_RIVALS = ("decision-tree", "random-forest", "xgboost")
PAPER_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
PAPER_SEEDS = (0,)

SELF_TEST: dict[str, Any] = {
    "dataset.train_per_class": 60,
    "dataset.validation_per_class": 20,
    "training.epochs": 3,
    "training.min_steps": 10,
}
"""What ``python -m ssrvae_core doctor`` changes in the teaching preset."""


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
