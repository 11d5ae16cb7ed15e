"""What a sweep trains: data sets x models x numbers of labels x seeds, and the rivals to compare with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from ssrvae_core.config import (
    DATASETS,
    DEMO_MODELS,
    DEMO_PRESET,
    DEMO_RATIOS,
    MODELS,
    PRESETS,
    SWEEP_LABELS,
    DatasetConfig,
    Frozen,
    RunConfig,
    UserError,
    applies,
    choose,
    data_name,
    describe,
    run_config,
    with_settings,
)
from ssrvae_core.paths import located
from ssrvae_core.registry import RIVALS
from ssrvae_core.runs.sweep_task import Task, sweep_id
from ssrvae_core.schema import LARGEST_SEED

OWN_FIELDS = {
    "seed": "seeds",
    "split": "seeds, labels_per_class, labelled_ratios or by_group",
    "split.seed": "seeds",
    "split.labels_per_class": "labels_per_class",
    "split.labelled_ratio": "labelled_ratios",
    "split.by_group": "by_group",
}
"""Settings that a sweep says by fields, which would otherwise be set twice, and differently."""
EVERY_LABEL = ("split.labels_per_class", None)
"""The one of them that no field can say of a named data set, which has a default number of labels."""


def _listed(value: Any) -> Any:
    """Take a single value for a list of one, and an empty field for an empty list."""
    if value is None:
        return []
    return [value] if isinstance(value, str | int | float) else value


def _numbers(value: Any) -> Any:
    """Refuse yes and no, which Python would count as 1 and 0."""
    listed = _listed(value)
    if isinstance(listed, list | tuple):
        for each in listed:
            if isinstance(each, bool):
                raise ValueError(f"{str(each).lower()} is not a number; write numbers, such as [0, 1, 2]")
    return listed


def _within(holds: Callable[[Any], bool], otherwise: str) -> AfterValidator:
    """Refuse a list with a value that is out of range, in a sentence."""

    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        for value in values:
            if not holds(value):
                raise ValueError(f"{value} {otherwise}")
        return values

    return AfterValidator(check)


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Ratios = Annotated[
    tuple[float, ...],
    BeforeValidator(_numbers),
    _within(
        lambda ratio: 0 < ratio <= 1, "is not a share of the images; write more than 0 and at most 1 (0.05 is 5 %)"
    ),
]
Counts = Annotated[
    tuple[int, ...],
    BeforeValidator(_numbers),
    _within(lambda number: number >= 1, "is not a number of labels; write 1 or more"),
]
Seeds = Annotated[
    tuple[int, ...],
    BeforeValidator(_numbers),
    _within(lambda seed: 0 <= seed <= LARGEST_SEED, f"is not a seed; write 0 to {LARGEST_SEED}"),
]


class SweepSpec(Frozen):
    """Every combination of data set, model, number of labels and seed.

    Labelled subsets are nested: with one seed, fewer labels are a subset of more. With neither ``labelled_ratios`` nor
    ``labels_per_class``, a named data set has its default number of labels, or with the setting
    ``split.labels_per_class: null`` all, and of a file all labels are used.
    """

    data: Names = Field((), description="named data sets or paths of image files; by default the preset's")
    models: Names = Field((), description="by default the preset's")
    labelled_ratios: Ratios = ()
    labels_per_class: Counts = ()
    seeds: Seeds = (0,)
    preset: str = next(iter(PRESETS))
    settings: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)] = Field(
        {}, description="dotted names and values; each goes to the models that use it"
    )
    rivals: Names = ()
    view: Literal["image", "mask", "masked"] | None = None
    skip_missing: bool = False
    by_group: bool = Field(False, description="hold out whole groups (micrographs) for validation")

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.labelled_ratios and self.labels_per_class:
            raise ValueError("set labelled_ratios or labels_per_class, not both")
        if EVERY_LABEL[0] in self.settings and (self.labelled_ratios or self.labels_per_class):
            raise ValueError(f"the setting {EVERY_LABEL[0]} asks for every label, and a field for some; keep one")
        return self

    @field_validator("seeds")
    @classmethod
    def _some_seed(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ValueError("there is none; write at least one, such as [0]")
        return seeds

    @field_validator("settings")
    @classmethod
    def _no_own_fields(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name, value in settings.items():
            if name in OWN_FIELDS and (name, value) != EVERY_LABEL:
                raise ValueError(f"{name} cannot be set here; a sweep has {OWN_FIELDS[name]} for it")
        return settings

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
        shown = self._shown(datasets, models[0])
        runs: dict[tuple[str, str], Task] = {}
        used: set[str] = set()
        for name, dataset in datasets:
            for model in models:
                settings = self._settings_of(name, dataset, model)
                used |= settings.keys()
                for labels in self._labels():
                    for seed in self.seeds:
                        task = Task(self._config(name, dataset, model, settings, seed, labels), shown[name], model)
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
        """Return a data set's name and, for a file, its configuration."""
        if name in DATASETS:
            return name, None
        path = located(name)
        if path is None:
            raise UserError(f"There is no file '{name}'; the named data sets are {', '.join(DATASETS)}.")
        from ssrvae_core.data.readers import file_dataset

        dataset = file_dataset(path.resolve(), self.view or "image", self.skip_missing)
        return data_name(dataset), dataset

    def _shown(self, datasets: Sequence[tuple[str, DatasetConfig | None]], model: str) -> dict[str, str]:
        """Name each data set as its runs do, unless the settings make that one name of several."""
        names = {
            name: data_name(
                self._config(
                    name, dataset, model, self._settings_of(name, dataset, model), self.seeds[0], self._labels()[0]
                ).dataset
            )
            for name, dataset in datasets
        }
        often = Counter(names.values())
        return {name: shown if often[shown] == 1 else f"{name} (changed)" for name, shown in names.items()}

    def _check(self, models: tuple[str, ...], data: list[str]) -> None:
        for model in models:
            choose("model", MODELS, model)
        for rival in self.rivals:
            choose("rival", RIVALS, rival)
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

LABELS = SweepSpec(
    data=("particles-teaching",), models=DEMO_MODELS, labels_per_class=SWEEP_LABELS, seeds=(0, 1, 2), preset=DEMO_PRESET
)
"""What ``examples/labels.yaml`` says: images on which every label helps."""


def spec_of(values: Mapping[str, Any]) -> SweepSpec:
    """Return the sweep with these fields.

    Raises
    ------
    UserError
        If a field is unknown or refused.
    """
    try:
        return SweepSpec.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(_in_words(error)) from error


def _in_words(error: ValidationError) -> str:
    """One sentence for the first problem; where a check of ours said it, in its own words."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"There is no field '{field}'; the fields are {', '.join(SweepSpec.model_fields)}."
    if first["type"] != "value_error":
        return describe(error)
    said = f"{first['ctx']['error']}."
    return f"{field}: {said}" if field else said[0].upper() + said[1:]
