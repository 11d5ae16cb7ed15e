"""The settings of runs side by side: which of them are used, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ssrvae_core.config import RunConfig
from ssrvae_core.relevance import RULES

UNUSED = "not used"
"""What a setting reads that a run's model or data have no use for."""


LABELS = {
    "schema_version": "Version of the settings",
    "seed": "Seed of the training",
    "split.seed": "Seed of the split",
    "split.labels_per_class": "Labels per class",
    "split.labelled_ratio": "Supervised ratio",
    "split.by_group": "Whole micrographs held out",
    "dataset.source": "Source of the images",
    "dataset.path": "File",
    "dataset.sha256": "Fingerprint of the file",
    "model.rotation": "Rotation",
    "dataset.seed": "Seed of the images",
    "dataset.view": "What is seen of the images",
    "dataset.intensity": "Grey levels",
    "dataset.skip_missing": "Pass over missing pictures",
    "model.hidden": "Hidden layers",
    "model.centre": "Centre the images",
    "model.disc": "Radius of the disc",
    "model.angle_prior_labelled": "Angle prior of labelled images",
    "training.tracked": "Images tracked",
}
"""Names of settings whose dotted names say too little, in the form and where settings of runs are listed."""

WORDS = {"dim": "dimension", "sd": "standard deviation", "aux": "auxiliary", "elbo": "ELBO", "min": "fewest"}
"""Short forms in the names, written out."""

ROTATIONS = {"none": "not inferred", "marginal": "summed out exactly", "latent": "a latent angle"}
"""How the values of ``model.rotation`` read."""


def label_of(name: str) -> str:
    """Return how any setting of a run reads; one that is not known here by its dotted name."""
    if name in LABELS:
        return LABELS[name]
    fields: Mapping[str, FieldInfo] = RunConfig.model_fields
    words = []
    for part in name.split("."):
        if part not in fields:
            return name
        words.append(" ".join(WORDS.get(word, word) for word in part.split("_")))
        kind = fields[part].annotation
        fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
    label = ": ".join(words[1:] or words)  # the first is the part of the form it stands in
    return label[:1].upper() + label[1:]


def settings_of(config: RunConfig) -> dict[str, Any]:
    """Return the dotted names and plain values of all settings, ``UNUSED`` for those that change nothing."""
    idle = [rule for rule in RULES if not rule.used(config)]
    return {
        name: UNUSED if any(rule.concerns(name) for rule in idle) else value
        for name, value in _flat(config.model_dump(mode="json")).items()
    }


def differ(values: Sequence[Any]) -> bool:
    """Whether those of the runs that use a setting have set it differently."""
    used = [value for value in values if value != UNUSED]
    return any(value != used[0] for value in used)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat
