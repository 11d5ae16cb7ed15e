"""Runs that differ in nothing but model, supervised ratio and seed, and those that are missing among them."""

from __future__ import annotations

import hashlib
import json
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
    RunConfig,
    UserError,
    ratio_text,
    run_config,
)
from ssrvae_core.registry import rival_title
from ssrvae_core.relevance import settle
from ssrvae_core.reports.wording import MODEL_TITLES, model_title
from ssrvae_core.runs import Run
from ssrvae_core.runs.comparison import RivalResult

STANDARD = tuple(sorted({*DEMO_RATIOS, *PAPER_RATIOS}))
"""Ratios that are offered where they are not trained yet."""


@dataclass(frozen=True)
class Family:
    """Finished runs on one data set, trained in one way, a model's own settings apart.

    Attributes
    ----------
    id : str
        8 hex digits: a hash of what the runs share.
    settings : dict
        What they share, by dotted name.
    runs : tuple of Run
        Newest first.
    others : int
        Runs left out, as their model has other settings of its own.
    """

    id: str
    settings: Mapping[str, Any]
    runs: tuple[Run, ...]
    others: int

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the registry."""
        present = {run.config.model.name for run in self.runs}
        return [name for name in MODELS if name in present]

    @property
    def ratios(self) -> list[float]:
        """Ratios at which a model is trained, ascending."""
        return sorted({ratio_of(run) for run in self.runs})

    @property
    def seeds(self) -> list[int]:
        """Seeds, the one with the most runs first."""
        counts = pd.Series([run.config.seed for run in self.runs]).value_counts()
        return sorted(map(int, counts.index), key=lambda seed: (-counts[seed], seed))

    def of_seed(self, seed: int) -> list[Run]:
        """Return the runs of one seed."""
        return [run for run in self.runs if run.config.seed == seed]


def ratio_of(run: Run) -> float:
    """Return the supervised ratio of a run that has one."""
    ratio = run.config.split.labelled_ratio
    if ratio is None:
        raise UserError(f"Run {run.id} has no supervised ratio; choose one that was trained with --labelled-ratio.")
    return ratio


def families(runs: Sequence[Run]) -> list[Family]:
    """Group the runs that have a supervised ratio, in the order of each group's first run."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.config.split.labelled_ratio is not None:
            groups.setdefault(_text(_shared(run.config)), []).append(run)
    return [_family(key, group) for key, group in groups.items()]


def _family(key: str, runs: Sequence[Run]) -> Family:
    kept = []
    for model in dict.fromkeys(run.config.model.name for run in runs):
        of_model = [run for run in runs if run.config.model.name == model]
        own = [_text(_own(run.config)) for run in of_model]
        chosen = max(dict.fromkeys(own), key=own.count)
        kept += [run for run, settings in zip(of_model, own, strict=True) if settings == chosen]
    kept.sort(key=runs.index)
    settings = _flat(_shared(runs[0].config))
    return Family(hashlib.sha256(key.encode()).hexdigest()[:8], settings, tuple(kept), len(runs) - len(kept))


def _own(config: RunConfig) -> dict[str, Any]:
    """Return the settings of a run without what a family's runs differ in: ratio, seed and where a file lies."""
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
    return json.dumps(values, sort_keys=True)


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
        labels[family.id] = " \u00b7 ".join([family.runs[0].data_name, *shown])
    return labels


# What is not trained yet.


def missing(family: Family, ratio: float, seed: int) -> list[RunConfig]:
    """Return the configurations that are not finished at a ratio with a seed.

    They have the settings of the model's other runs. The ss-VAE of an ss-rVAE has the same settings, too; an ss-rVAE
    for an ss-VAE is known only where that was trained by a preset.
    """
    done = {(run.config.model.name, ratio_of(run)) for run in family.of_seed(seed)}
    wanted = [name for name in MODELS if name in {*family.models, *DEMO_MODELS}]
    templates = {name: _template(family, name) for name in wanted if (name, ratio) not in done}
    return [at(template, ratio, seed) for template in templates.values() if template is not None]


def at(config: RunConfig, ratio: float, seed: int) -> RunConfig:
    """Return a configuration at another supervised ratio and seed."""
    split = config.split.model_copy(update={"labelled_ratio": ratio, "seed": seed})
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
        "by_group": split.by_group,
        "seed": config.seed,
    }
    for preset in PRESETS:
        if run_config(preset=preset, model=config.model.name, **same) == config:
            return run_config(preset=preset, model=model, **same)
    return None


def offer(configs: Sequence[RunConfig], ratio: float) -> str:
    """Say what a button that trains these would do."""
    return f"Train {' and '.join(MODEL_TITLES[config.model.name] for config in configs)} at {ratio_text(ratio)}"


# The rivals, and the table.


def rivals_of(family: Family, results: Sequence[RivalResult]) -> list[RivalResult]:
    """Return the rivals that were fitted on the family's data with a supervised ratio."""
    data = family.runs[0].config.dataset.model_dump(exclude={"path"})
    rule = family.runs[0].config.split.model_dump(include={"by_group", "validation_fraction"})
    return [
        result
        for result in results
        if result.split.labelled_ratio is not None
        and result.dataset.model_dump(exclude={"path"}) == data
        and result.split.model_dump(include={"by_group", "validation_fraction"}) == rule
    ]


def accuracies(results: Sequence[RivalResult]) -> dict[str, dict[float, list[float]]]:
    """Return the accuracies of rivals by title and ratio, a seed each, the best one first."""
    found: dict[str, dict[float, list[float]]] = {}
    for result in results:
        if result.accuracy is not None and result.split.labelled_ratio is not None:
            of_rival = found.setdefault(rival_title(result.rival), {})
            of_rival.setdefault(result.split.labelled_ratio, []).append(result.accuracy)
    best = {name: max(value for values in of.values() for value in values) for name, of in found.items()}
    return dict(sorted(found.items(), key=lambda item: -best[item[0]]))


def ratio_table(family: Family, results: Sequence[RivalResult]) -> pd.DataFrame:
    """Tabulate accuracy against the supervised ratio, a row per run or rival."""
    rows = [
        {
            "model": model_title(run),
            "labelled_ratio": ratio_of(run),
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
        same = {name: row[name] for name in ("labelled_ratio", "seed", "n_labelled", "seconds")}
        scores = {name: row[name] for name in ("accuracy", "balanced_accuracy", "nll", "ece")}
        rows.append({"model": rival_title(result.rival), **same, **scores, "run": result.id})
    table = pd.DataFrame(rows)
    return table.sort_values(["model", "labelled_ratio", "seed"], kind="stable", ignore_index=True)
