"""The named data sets, models and presets, and what the commands make of them.

No other module than this one and :mod:`ssrvae_core.schema` holds a default. :mod:`ssrvae_core.config` has the names of
both.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from pydantic import Field

from ssrvae_core.registry import SOURCES
from ssrvae_core.relevance import NOT_GENERATED
from ssrvae_core.schema import DatasetConfig, Disorder, Frozen, ModelConfig, TrainingConfig


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
        for_source={"particles": {"training.epochs": 24}, "digits": {"training.epochs": 24}},  # fewer images than cards
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
