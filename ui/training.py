"""What the form of the Train page asks for, as configurations of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ssrvae_core.config import (
    PRESETS,
    DatasetConfig,
    RunConfig,
    UserError,
    applies,
    run_config,
    with_settings,
)
from ui.forms import SETTINGS, parsed, value_of

PAGE = "train"
"""The Train page, as the keys of its widgets and of its session state begin."""


@dataclass(frozen=True)
class Choice:
    """What a visitor chose.

    Attributes
    ----------
    preset : str
        A name in ``PRESETS``.
    dataset : DatasetConfig
        The images.
    models : tuple of str
        Names in ``MODELS``, a run each.
    labels_per_class, labelled_ratio : int and float, optional
        At most one; with neither, every label there is.
    seed : int
        Of the split and the training alike.
    changes : mapping
        Settings changed in the form, by dotted name, as their widgets have them.
    by_group : bool
        Whether whole micrographs are held out.
    """

    preset: str
    dataset: DatasetConfig
    models: tuple[str, ...]
    labels_per_class: int | None = None
    labelled_ratio: float | None = None
    seed: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)
    by_group: bool = False

    def plain(self, model: str) -> RunConfig:
        """Return a model's configuration without the changed settings."""
        return self._with(model, {})

    def config(self, model: str) -> RunConfig:
        """Return a model's configuration; each changed setting goes to the models that use it.

        Raises
        ------
        UserError
            If a value is refused; the sentence names the setting.
        """
        plain, settings = self.plain(model), parsed(self.changes)
        changed = with_settings(plain, settings)
        return self._with(model, {name: value for name, value in settings.items() if applies(changed, name)})

    def _with(self, model: str, settings: Mapping[str, Any]) -> RunConfig:
        return run_config(
            preset=self.preset,
            dataset=self.dataset,
            model=model,
            labels_per_class=self.labels_per_class,
            labelled_ratio=self.labelled_ratio,
            by_group=self.by_group,
            seed=self.seed,
            settings=settings,
        )

    def configs(self) -> list[RunConfig]:
        """Return the configurations, a model each, as :meth:`config` does."""
        if not self.models:
            raise UserError("No model is chosen; choose one or more.")
        return [self.config(model) for model in self.models]


def shown_settings(choice: Choice, without: Iterable[str] = ()) -> list[str]:
    """Return the names of the settings that at least one of the models uses, and of those whose value is refused.

    Parameters
    ----------
    choice : Choice
        What is chosen so far; the settings decide about each other.
    without : iterable of str
        Settings the data have no use for.
    """
    refused: Iterable[str] = ()
    try:
        configs = choice.configs()
    except UserError:
        configs, refused = [choice.plain(model) for model in choice.models], choice.changes
    shown = {name for name in SETTINGS if any(applies(config, name) for config in configs)}
    return [name for name in SETTINGS if name in (shown | set(refused)) - set(without)]


def bases(choice: Choice, names: Sequence[str]) -> dict[str, Any]:
    """Return the values of settings where they are not changed, each of the first of the models that uses it."""
    first, *others = [choice.plain(model) for model in choice.models]
    users = {name: next((config for config in [first, *others] if applies(config, name)), first) for name in names}
    return {name: value_of(config, name) for name, config in users.items()}


def own_values(choice: Choice, names: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return the unchanged settings in which the chosen models differ, each with the value of every model that uses it.

    Parameters
    ----------
    choice : Choice
        What is chosen.
    names : sequence of str
        The settings to look at.
    """
    plain = {model: choice.plain(model) for model in choice.models}
    found = []
    for name in names:
        values = {model: value_of(config, name) for model, config in plain.items() if applies(config, name)}
        if name not in choice.changes and len(set(values.values())) > 1:
            found.append((name, values))
    return found


def with_changes(dataset: DatasetConfig, changes: Mapping[str, Any]) -> DatasetConfig:
    """Return a data set with the changed settings that are its own; as it is where one of them is refused.

    What is refused is said where the settings are put together, with the field it stands in.
    """
    own = {name: value for name, value in changes.items() if name.startswith("dataset.")}
    if not own:
        return dataset
    try:
        base = RunConfig(dataset=dataset)
        used = {name: value for name, value in parsed(own).items() if applies(base, name)}
        return with_settings(base, used).dataset
    except UserError:
        return dataset


def in_words(error: UserError) -> str:
    """Return the sentence of a refused value with the setting called as its field is."""
    sentence = str(error)
    name = sentence.split(" ", 1)[0]
    if name not in SETTINGS:
        return sentence
    setting = SETTINGS[name]
    title, refused = f"{setting.label} ({name})", f"{name} is not valid: "
    if not sentence.startswith(refused):
        return sentence.replace(name, title, 1)
    wanted, given, got = sentence.removeprefix(refused).partition(" (got ")
    if setting.kind == "whole" and setting.low is not None and setting.high is not None:
        wanted = f"give a whole number from {setting.low:,.0f} to {setting.high:,.0f}"
    return f"{title}: {wanted}{given}{got}"


def preset_of(config: RunConfig) -> str:
    """Return the preset a configuration was built from; the first one where its training is none of theirs."""
    model, dataset = config.model.name, config.dataset
    named = (n for n in PRESETS if run_config(preset=n, model=model, dataset=dataset).training == config.training)
    return next(named, next(iter(PRESETS)))


def changes_of(config: RunConfig, choice: Choice) -> dict[str, Any]:
    """Return the settings in which a configuration differs from a choice of its own model."""
    base = choice.plain(config.model.name)
    names = (name for name in SETTINGS if applies(config, name))
    return {name: value_of(config, name) for name in names if value_of(config, name) != value_of(base, name)}
