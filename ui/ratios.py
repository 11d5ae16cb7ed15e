"""Runs that differ in nothing but model, number of labels and seed, and those that are missing among them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ssrvae_core.config import (
    DEMO_MODELS,
    DEMO_RATIOS,
    MODELS,
    PAPER_RATIOS,
    PRESETS,
    SWEEP_LABELS,
    RunConfig,
    UserError,
    run_config,
)
from ssrvae_core.registry import rival_title, source_of
from ssrvae_core.relevance import settle
from ssrvae_core.reports.label_axis import (
    PER_CLASS,
    RATIO,
    LabelAxis,
    amount_of,
    amount_text,
    amounts_in_words,
    axis_of,
    split_at,
)
from ssrvae_core.reports.wording import MODEL_TITLES, model_title
from ssrvae_core.runs import Run
from ssrvae_core.runs.comparison import RivalResult
from ssrvae_core.schema import canonical_json

STANDARD: dict[LabelAxis, tuple[float, ...]] = {
    RATIO: tuple(sorted({*DEMO_RATIOS, *PAPER_RATIOS})),
    PER_CLASS: SWEEP_LABELS,
}
"""Numbers of labels that are offered where they are not trained yet."""


@dataclass(frozen=True)
class Family:
    """Finished runs on one data set, trained in one way, a model's own settings apart.

    Attributes
    ----------
    id : str
        8 hex digits: a hash of what the runs share.
    axis : str
        What the number of labels is given by.
    settings : dict
        What they share, by dotted name.
    runs : tuple of Run
        Newest first.
    others : int
        Runs left out, as their model has other settings of its own.
    """

    id: str
    axis: LabelAxis
    settings: Mapping[str, Any]
    runs: tuple[Run, ...]
    others: int

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the registry."""
        present = {run.config.model.name for run in self.runs}
        return [name for name in MODELS if name in present]

    @property
    def amounts(self) -> list[float]:
        """Ratios, or labels per class, at which a model is trained, ascending."""
        return sorted({amount_in(run) for run in self.runs})

    @property
    def standard(self) -> list[float]:
        """What is offered of these: of labels per class, as many as there are images."""
        dataset = self.runs[0].config.dataset
        generated = self.axis == PER_CLASS and source_of(dataset.source).generated
        most = dataset.train_per_class if generated else self.amounts[-1] if self.axis == PER_CLASS else 1
        return [amount for amount in STANDARD[self.axis] if amount <= most]

    @property
    def seeds(self) -> list[int]:
        """Seeds, the one with the most runs first."""
        counts = pd.Series([run.config.seed for run in self.runs]).value_counts()
        return sorted(map(int, counts.index), key=lambda seed: (-counts[seed], seed))

    def of_seed(self, seed: int) -> list[Run]:
        """Return the runs of one seed."""
        return [run for run in self.runs if run.config.seed == seed]


def amount_in(run: Run) -> float:
    """Return the supervised ratio of a run, or its number of labels per class."""
    amount = amount_of(run.config.split)
    if amount is None:
        raise UserError(f"Run {run.id} uses every label; choose one with --labelled-ratio or --labels-per-class.")
    return amount


def families(runs: Sequence[Run]) -> list[Family]:
    """Group the runs of :func:`swept` that differ in model, number of labels and seed, in the order given."""
    return [_family(axis, key, group) for (axis, key), group in _groups(runs).items()]


def swept(runs: Sequence[Run]) -> list[Run]:
    """Return the runs with a supervised ratio, and those whose labels per class are one of several numbers.

    A single number of labels per class is what most runs have, and no sweep.
    """
    return [run for group in _groups(runs).values() for run in group]


def _groups(runs: Sequence[Run]) -> dict[tuple[LabelAxis, str], list[Run]]:
    groups: dict[tuple[LabelAxis, str], list[Run]] = {}
    for run in runs:
        if (axis := axis_of(run.config.split)) is not None:
            groups.setdefault((axis, _text(_shared(run.config))), []).append(run)
    return {
        key: group for key, group in groups.items() if key[0] == RATIO or len({amount_in(run) for run in group}) > 1
    }


def _family(axis: LabelAxis, key: str, runs: Sequence[Run]) -> Family:
    kept = []
    for model in dict.fromkeys(run.config.model.name for run in runs):
        of_model = [run for run in runs if run.config.model.name == model]
        own = [_text(_own(run.config)) for run in of_model]
        chosen = max(dict.fromkeys(own), key=own.count)
        kept += [run for run, settings in zip(of_model, own, strict=True) if settings == chosen]
    kept.sort(key=runs.index)
    settings = _flat(_shared(runs[0].config))
    named = key if axis == RATIO else f"{axis} {key}"
    return Family(hashlib.sha256(named.encode()).hexdigest()[:8], axis, settings, tuple(kept), len(runs) - len(kept))


def _own(config: RunConfig) -> dict[str, Any]:
    """Return the settings of a run without what a family's runs differ in: labels, seed and where a file lies."""
    values = config.model_dump(mode="json")
    values["dataset"].pop("path")
    values["seed"] = values["split"]["seed"] = 0
    values["split"]["labelled_ratio"] = values["split"]["labels_per_class"] = None
    return values


def _shared(config: RunConfig) -> dict[str, Any]:
    """Return the settings of a run that have nothing to do with how its model treats rotation."""
    return _own(_without_rotation(config))


def _without_rotation(config: RunConfig) -> RunConfig:
    return settle(config.model_copy(update={"model": config.model.model_copy(update={"rotation": "none"})}))


def _text(values: Mapping[str, Any]) -> str:
    return canonical_json(values)  # a setting that comes later changes no address


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def family_labels(found: Sequence[Family]) -> dict[str, str]:
    """Name each family by its data set, and by the settings that tell it from others on the same data set."""
    labels = {}
    for family in found:
        name = family.runs[0].data_name
        rivals = [other for other in found if other.runs[0].data_name == name and other.id != family.id]
        differing = [
            f"{setting.split('.', 1)[-1]} {value}"
            for setting, value in family.settings.items()
            if any(other.settings.get(setting) != value for other in rivals)
        ]
        shown = [*differing[:3], *(["..."] if len(differing) > 3 else [])]
        if any(other.axis != family.axis for other in rivals):
            shown.append(family.axis)
        labels[family.id] = " \u00b7 ".join([family.runs[0].data_name, *shown])
    return labels


# What is not trained yet.


def missing(family: Family, amount: float, seed: int) -> list[RunConfig]:
    """Return the configurations that are not finished at a number of labels with a seed.

    They have the settings of the model's other runs. The ss-VAE of an ss-rVAE has the same settings, too; an ss-rVAE
    for an ss-VAE is known only where that was trained by a preset.
    """
    done = {(run.config.model.name, amount_in(run)) for run in family.of_seed(seed)}
    wanted = [name for name in MODELS if name in {*family.models, *DEMO_MODELS}]
    templates = {name: _template(family, name) for name in wanted if (name, amount) not in done}
    return [at(template, amount, seed) for template in templates.values() if template is not None]


def at(config: RunConfig, amount: float, seed: int) -> RunConfig:
    """Return a configuration at another supervised ratio, or number of labels per class, and seed."""
    split = split_at(config.split, axis_of(config.split) or RATIO, amount, seed)
    return config.model_copy(update={"split": split, "seed": seed})


def _template(family: Family, model: str) -> RunConfig | None:
    own = next((run.config for run in family.runs if run.config.model.name == model), None)
    other = family.runs[0].config
    if own is not None or model == "ss-rvae-paper":
        return own
    return _without_rotation(other) if model == "ss-vae" else _by_preset(other, model)


def _by_preset(config: RunConfig, model: str) -> RunConfig | None:
    """Return the run that the preset of another model's run gives, None where no preset gave that one."""
    split = config.split
    same: dict[str, Any] = {
        "dataset": config.dataset,
        "labelled_ratio": split.labelled_ratio,
        "labels_per_class": split.labels_per_class,
        "by_group": split.by_group,
        "seed": config.seed,
    }
    for preset in PRESETS:
        if run_config(preset=preset, model=config.model.name, **same) == config:
            return run_config(preset=preset, model=model, **same)
    return None


def offer(configs: Sequence[RunConfig], axis: LabelAxis, amount: float) -> str:
    """Say what a button that trains these would do."""
    where = f"at {amount_text(axis, amount)}" if axis == RATIO else f"with {amounts_in_words(axis, amount)}"
    return f"Train {' and '.join(MODEL_TITLES[config.model.name] for config in configs)} {where}"


# The rivals, and the table.


def rivals_of(family: Family, results: Sequence[RivalResult]) -> list[RivalResult]:
    """Return the rivals that were fitted on the family's data, their labels given as the family's are."""
    data = family.runs[0].config.dataset.model_dump(exclude={"path"})
    rule = family.runs[0].config.split.model_dump(include={"by_group", "validation_fraction"})
    return [
        result
        for result in results
        if axis_of(result.split) == family.axis
        and result.dataset.model_dump(exclude={"path"}) == data
        and result.split.model_dump(include={"by_group", "validation_fraction"}) == rule
    ]


def accuracies(results: Sequence[RivalResult]) -> dict[str, dict[float, list[float]]]:
    """Return the accuracies of rivals by title and number of labels, a seed each, the best one first."""
    found: dict[str, dict[float, list[float]]] = {}
    for result in results:
        if result.accuracy is not None and (amount := amount_of(result.split)) is not None:
            found.setdefault(rival_title(result.rival), {}).setdefault(amount, []).append(result.accuracy)
    best = {name: max(value for values in of.values() for value in values) for name, of in found.items()}
    return dict(sorted(found.items(), key=lambda item: -best[item[0]]))


def accuracies_of(runs: Sequence[Run]) -> dict[tuple[str, float], list[float]]:
    """Return the accuracies of runs by the model's title and the number of labels, one per seed."""
    found: dict[tuple[str, float], list[float]] = {}
    for run in runs:
        if run.accuracy is not None:
            found.setdefault((model_title(run), amount_in(run)), []).append(run.accuracy)
    return found


def ratio_table(family: Family, results: Sequence[RivalResult]) -> pd.DataFrame:
    """Tabulate accuracy against the number of labels, a row per run or rival."""
    column = "labelled_ratio" if family.axis == RATIO else "labels_per_class"
    rows = [
        {
            "model": model_title(run),
            column: amount_in(run),
            "seed": run.config.seed,
            "n_labelled": run.status.n_labelled,
            **{
                name: (run.status.validation or {}).get(name)
                for name in ("accuracy", "balanced_accuracy", "nll", "ece")
            },
            "seconds": run.status.seconds,
            "run": run.id,
        }
        for run in family.runs
    ]
    for result in results:
        row = result.as_row()
        same = {name: row[name] for name in (column, "seed", "n_labelled", "seconds")}
        scores = {name: row[name] for name in ("accuracy", "balanced_accuracy", "nll", "ece")}
        rows.append({"model": rival_title(result.rival), **same, **scores, "run": result.id})
    table = pd.DataFrame(rows)
    return table.sort_values(["model", column, "seed"], kind="stable", ignore_index=True)
