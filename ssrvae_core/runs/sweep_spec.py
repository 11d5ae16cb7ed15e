"""What a sweep trains: data sets x models x numbers of labels x seeds, and the rivals to compare with."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from ssrvae_core.config import (
    DATASETS,
    DEMO_MODELS,
    DEMO_PRESET,
    DEMO_RATIOS,
    MODELS,
    PRESETS,
    RIVAL_VERSIONS,
    DatasetConfig,
    Frozen,
    RunConfig,
    UserError,
    applies,
    choose,
    describe,
    run_config,
    with_settings,
)
from ssrvae_core.runs.comparison import rival_id


@dataclass(frozen=True)
class Task:
    """One piece of work of a sweep: a run, or a rival fitted on a run's split.

    Attributes
    ----------
    config : RunConfig
        The run; of a rival, a run with the data, split and seed it is given.
    data : str
        Name of the data set: a named one's, or the file's.
    model : str
        Name of the model, or of the rival.
    rival : bool
        Whether it is a rival.
    """

    config: RunConfig
    data: str
    model: str
    rival: bool = False

    @property
    def id(self) -> str:
        """12 hex digits: the run's id, or the rival's."""
        return rival_id(self.config, self.model) if self.rival else self.config.run_id

    @property
    def title(self) -> str:
        """Model, data, labels and seed in words."""
        return f"{self.model} on {self.data}, {labels_in_words(self.config)}, seed {self.config.seed}"


def labels_in_words(config: RunConfig) -> str:
    """Say which labels a run sees."""
    if config.split.labelled_ratio is not None:
        return f"{config.split.labelled_ratio:.3g} labelled"
    return f"{config.split.labels_per_class or 'all'} labels a class"


def _listed(value: Any) -> Any:
    """Take a single value for a list of one."""
    return [value] if isinstance(value, str | int | float) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class SweepSpec(Frozen):
    """Every combination of data set, model, number of labels and seed.

    Labelled subsets are nested: with one seed, fewer labels are a subset of more. With neither ``labelled_ratios`` nor
    ``labels_per_class``, a named data set has its default number of labels, and of a file all labels are used.
    """

    data: Names = Field((), description="named data sets or paths of image files; by default the preset's")
    models: Names = Field((), description="by default the preset's")
    labelled_ratios: Annotated[tuple[float, ...], BeforeValidator(_listed)] = ()
    labels_per_class: Annotated[tuple[int, ...], BeforeValidator(_listed)] = ()
    seeds: Annotated[tuple[int, ...], BeforeValidator(_listed)] = Field((0,), min_length=1)
    preset: str = next(iter(PRESETS))
    settings: dict[str, Any] = Field({}, description="dotted names and values; each goes to the models that use it")
    rivals: Names = ()
    view: Literal["image", "mask", "masked"] | None = None
    by_group: bool = Field(False, description="hold out whole groups (micrographs) for validation")

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.labelled_ratios and self.labels_per_class:
            raise ValueError("set labelled_ratios or labels_per_class, not both")
        return self

    @field_validator("data", "models", "labelled_ratios", "labels_per_class", "seeds", "rivals")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        for value, count in Counter(values).items():
            if count > 1:
                raise ValueError(f"{value} is there {count} times; once is enough")
        return values

    def tasks(self) -> list[Task]:
        """Return the runs, ordered by data set, model, labels and seed, then the rivals likewise.

        Raises
        ------
        UserError
            If a name or a value is refused, or an image file is missing.
        """
        chosen = choose("preset", PRESETS, self.preset)
        models = self.models or (chosen.model,)
        datasets = [self._dataset(name) for name in self.data or (chosen.data,)]
        self._check(models, [name for name, _ in datasets])
        runs: dict[tuple[str, str], Task] = {}
        used: set[str] = set()
        for name, dataset in datasets:
            for model in models:
                settings = self._settings_of(name, dataset, model)
                used |= settings.keys()
                for labels in self._labels():
                    for seed in self.seeds:
                        task = Task(self._config(name, dataset, model, settings, seed, labels), name, model)
                        runs.setdefault((task.config.run_id, model), task)
        if useless := self.settings.keys() - used:
            raise UserError(f"{min(useless)} does nothing in any run of the sweep; leave it out.")
        first = [task for task in runs.values() if task.model == models[0]]
        rivals = [Task(task.config, task.data, rival, rival=True) for rival in self.rivals for task in first]
        return [*runs.values(), *rivals]

    def configs(self) -> list[RunConfig]:
        """Return the configurations of the runs; see :meth:`tasks`."""
        return [task.config for task in self.tasks() if not task.rival]

    @property
    def sweep_id(self) -> str:
        """12 hex digits: a hash of the runs and the rivals, whatever the paths of their files."""
        return sweep_id(self.tasks())

    def _labels(self) -> list[dict[str, Any]]:
        if self.labelled_ratios:
            return [{"labelled_ratio": ratio} for ratio in self.labelled_ratios]
        return [{"labels_per_class": number} for number in self.labels_per_class or (None,)]

    def _dataset(self, name: str) -> tuple[str, DatasetConfig | None]:
        """Return a data set's name in the table and, for a file, its configuration."""
        if name in DATASETS:
            return name, None
        path = Path(name).expanduser()
        if not name.strip() or not path.exists():
            raise UserError(f"There is no file '{name}'; the named data sets are {', '.join(DATASETS)}.")
        from ssrvae_core.data.readers import file_dataset

        return path.name, file_dataset(path.resolve(), **({"view": self.view} if self.view else {}))

    def _check(self, models: tuple[str, ...], data: list[str]) -> None:
        for model in models:
            choose("model", MODELS, model)
        for rival in self.rivals:
            choose("rival", RIVAL_VERSIONS, rival)
        if doubles := [name for name, count in Counter(data).items() if count > 1]:
            raise UserError(f"Two image files of the sweep are called '{doubles[0]}'; rename one of them.")

    def _config(
        self,
        name: str,
        dataset: DatasetConfig | None,
        model: str,
        settings: Mapping[str, Any],
        seed: int,
        labels: Mapping[str, Any],
    ) -> RunConfig:
        return run_config(
            preset=self.preset,
            data=None if dataset else name,
            dataset=dataset,
            model=model,
            by_group=self.by_group,
            seed=seed,
            settings={**({"dataset.view": self.view} if self.view else {}), **settings},
            **labels,
        )

    def _settings_of(self, name: str, dataset: DatasetConfig | None, model: str) -> dict[str, Any]:
        """Leave out what this model, on this data, has no use for."""
        plain = self._config(name, dataset, model, {}, self.seeds[0], self._labels()[0])
        config = with_settings(plain, self.settings)
        return {setting: value for setting, value in self.settings.items() if applies(config, setting)}


DEMO = SweepSpec(preset=DEMO_PRESET, models=DEMO_MODELS, labelled_ratios=DEMO_RATIOS)
"""What ``python -m ssrvae_core demo`` trains, and the dashboard where its store is empty."""


def sweep_id(tasks: Sequence[Task]) -> str:
    """Return the id of the sweep that has these tasks."""
    return hashlib.sha256(json.dumps(sorted({task.id for task in tasks})).encode()).hexdigest()[:12]


def read_spec(path: Path) -> SweepSpec:
    """Read a sweep from a YAML (or JSON) file; paths of image files are relative to it.

    Raises
    ------
    UserError
        If the file cannot be read or a field is refused; the sentence names both.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The sweep {path} cannot be opened: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        fields = ", ".join(SweepSpec.model_fields)
        raise UserError(f"{path} is no sweep: write fields and values, such as 'seeds: [0, 1, 2]'; there are {fields}.")
    try:
        spec = SweepSpec.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{path}: {describe(error)}") from error
    here = path.absolute().parent
    data = [name if name in DATASETS or not name.strip() else str(here / Path(name).expanduser()) for name in spec.data]
    return spec.model_copy(update={"data": tuple(data)})
