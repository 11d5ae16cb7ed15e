"""The configuration of an embedding in the store: data set, settings and seed, from which its id follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ssrvae_core.config import (
    DATASETS,
    SCHEMA_VERSION,
    DatasetConfig,
    EmbeddingConfig,
    Frozen,
    ModelConfig,
    RunConfig,
    UserError,
    check_numbers,
    choose,
    with_settings,
)
from ssrvae_core.embedding.scaling import REDUCED
from ssrvae_core.relevance import settle, unused
from ssrvae_core.schema import Seed, canonical_json, run_id_of

KIND = "embedding"
LEARNT = {"latents", "pooled"}
"""Blocks that need the unsupervised stage."""

_ORDER = get_args(get_args(EmbeddingConfig.model_fields["blocks"].annotation)[0])


class StoredEmbeddingConfig(Frozen):
    """Everything that determines an embedding. Device and store are not part of it."""

    schema_version: Literal[1] = SCHEMA_VERSION
    dataset: DatasetConfig = DatasetConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    seed: Seed = 0

    @property
    def embedding_id(self) -> str:
        """The first 12 hex digits of the SHA-256 of the canonical JSON, which says that it is an embedding."""
        return run_id_of(canonical_json(self.model_dump(mode="json") | {"kind": KIND}))

    @property
    def as_run(self) -> RunConfig:
        """A run with the same data set and model: what the stage is rebuilt from."""
        return RunConfig(dataset=self.dataset, model=self.embedding.model, seed=self.seed)


def embedding_config(
    *,
    data: str | None = None,
    dataset: DatasetConfig | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> StoredEmbeddingConfig:
    """Build an embedding's configuration from names.

    What the configuration does not use has its default value, so that embeddings that are equal have one id.

    Parameters
    ----------
    data : str, optional
        A name in :data:`ssrvae_core.config.DATASETS`.
    dataset : DatasetConfig, optional
        A data set's configuration (such as a file's), instead of ``data``.
    seed : int
        Of the stage and of the proposals.
    settings : mapping, optional
        Dotted names and values: those of :class:`ssrvae_core.config.EmbeddingConfig` and of its model begin with
        ``embedding.``, those of the data set with ``dataset.``.

    Raises
    ------
    UserError
        If a name or a value is refused, or a setting would do nothing.
    """
    if (data is None) == (dataset is None):
        raise UserError("An embedding is of one data set; give either the name of one or the configuration of one.")
    dataset = choose("data set", DATASETS, data or "") if dataset is None else dataset
    asked = {_whole_name(name): value for name, value in (settings or {}).items()}
    given = with_settings(StoredEmbeddingConfig(dataset=dataset), {"seed": seed} | asked, "embed")
    check_numbers(given.dataset)
    for name in asked:
        if (where := _unused(given, name)) is not None:
            raise UserError(f"{name} does nothing {where}; leave it out.")
    return _settled(given)


def _whole_name(name: str) -> str:
    """Return the name of a setting with its group: the model's may be written without ``model``."""
    group, _, leaf = name.partition(".")
    first = leaf.partition(".")[0]
    if group == KIND and first in ModelConfig.model_fields and first not in EmbeddingConfig.model_fields:
        return f"{KIND}.model.{leaf}"
    return name


@dataclass(frozen=True)
class _Rule:
    """When settings of an embedding are used, as :class:`ssrvae_core.relevance.Rule` says it of a run's."""

    names: tuple[str, ...]
    used: Callable[[EmbeddingConfig], bool]
    otherwise: str

    def concerns(self, name: str) -> bool:
        return any(name == f"{KIND}.{own}" or name.startswith(f"{KIND}.{own}.") for own in self.names)


_RULES = (
    _Rule(
        (
            "model.standardise",
            "model.second_opinion",
            "model.angle_prior",
        ),  # a class that is always known: its prior is that of the labelled
        lambda config: False,
        "for an embedding",
    ),
    _Rule(
        ("model", "steps", "batch_size", "learning_rate", "gradient_clip"),
        lambda config: bool(LEARNT & set(config.blocks)),
        "for an embedding without latents and pooled responses",
    ),
    _Rule(
        ("components",),
        lambda config: bool(set(REDUCED) & set(config.blocks)),
        "for an embedding without ring spectra and pooled responses",
    ),
)


def _unused(config: StoredEmbeddingConfig, name: str) -> str | None:
    """Return why a configuration ignores a setting, as the end of "... does nothing", None where it uses it."""
    for rule in _RULES:
        if rule.concerns(name) and not rule.used(config.embedding):
            return rule.otherwise
    group, _, own = name.partition(".")
    if group == "dataset" or own.startswith("model."):
        return unused(_without_unused(config).as_run, name if group == "dataset" else own)
    return None


def _settled(config: StoredEmbeddingConfig) -> StoredEmbeddingConfig:
    """Put every setting that the configuration ignores back to its default, and the blocks in one order."""
    config = _without_unused(config)
    run = settle(config.as_run)
    blocks = tuple(name for name in _ORDER if name in config.embedding.blocks)
    embedding = config.embedding.model_copy(update={"model": run.model, "blocks": blocks})
    return config.model_copy(update={"dataset": run.dataset, "embedding": embedding})


def _without_unused(config: StoredEmbeddingConfig) -> StoredEmbeddingConfig:
    values, defaults = config.embedding.model_dump(), EmbeddingConfig().model_dump()
    for rule in _RULES:
        for name in rule.names if not rule.used(config.embedding) else ():
            group, _, leaf = name.rpartition(".")
            (values[group] if group else values)[leaf] = (defaults[group] if group else defaults)[leaf]
    return config.model_copy(update={"embedding": EmbeddingConfig.model_validate(values)})
