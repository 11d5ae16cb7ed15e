"""A form made from the configuration models: what settings there are, and a widget for each."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.relevance import locate
from ssrvae_core.reports.settings import label_of as label_of
from ui.advice import ADVICE
from ui.markdown import verbatim

ELSEWHERE = {
    *("schema_version", "seed", "split.seed", "split.labels_per_class", "split.labelled_ratio", "split.by_group"),
    *("dataset.source", "dataset.path", "dataset.sha256", "model.rotation"),
}
"""Settings that the page asks for in another way, or that follow from what it asks for."""

Kind = Literal["switch", "choice", "whole", "number", "list"]


@dataclass(frozen=True)
class Setting:
    """One setting of a run.

    Attributes
    ----------
    name : str
        Dotted name, such as ``training.epochs``.
    label, help : str
        The name in words, and what it means.
    kind : str
        ``switch``, ``choice`` (of ``options``), ``whole`` or ``number`` (between ``low`` and ``high``), or ``list``:
        numbers with commas between them.
    optional : bool
        Whether it may be left empty.
    """

    name: str
    label: str
    help: str
    kind: Kind
    optional: bool = False
    options: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        dotted = prefix + name
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, f"{dotted}.")
        elif dotted not in ELSEWHERE:
            yield _setting(dotted, label_of(dotted), field)


def _setting(name: str, label: str, field: FieldInfo) -> Setting:
    kind = field.annotation
    arguments = get_args(kind)
    optional = get_origin(kind) in (Union, types.UnionType) and type(None) in arguments
    if optional:
        kind = next(argument for argument in arguments if argument is not type(None))
    help = ADVICE[name]
    if kind is bool:
        return Setting(name, label, help, "switch")
    if get_origin(kind) is Literal:
        return Setting(name, label, help, "choice", options=get_args(kind))
    if get_origin(kind) is tuple:
        return Setting(name, label, help, "list", optional)
    bound = {name: getattr(m, name) for m in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(m, name)}
    low, high = bound.get("ge", bound.get("gt")), bound.get("le", bound.get("lt"))
    return Setting(name, label, help, "whole" if kind is int else "number", optional, low=low, high=high)


SETTINGS: dict[str, Setting] = {setting.name: setting for setting in _settings(RunConfig)}
"""Every setting the form can show, by its dotted name, in the order of the configuration."""

FIRST = ("training.epochs",)
"""Settings shown at once; the others wait under "All settings"."""


def value_of(config: RunConfig, name: str) -> Any:
    """Return a setting of a configuration as its widget has it; a list of numbers is a text."""
    parent, leaf = locate(config.model_dump(), name)
    value = parent[leaf]
    if SETTINGS[name].kind == "list":
        return "" if value is None else ", ".join(f"{number:g}" for number in value)
    return value


def parsed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as a configuration takes them: texts of numbers become numbers.

    Raises
    ------
    UserError
        If a text holds something else.
    """
    return {name: _numbers(SETTINGS[name], v) if SETTINGS[name].kind == "list" else v for name, v in changes.items()}


def _numbers(setting: Setting, text: str) -> tuple[float, ...] | None:
    if setting.optional and not text.strip():
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(
            f"{setting.label} ({setting.name}) takes numbers with commas between them, such as '32, 64'; "
            f"'{text[:40]}' is something else."
        ) from error
    return tuple(int(number) if number.is_integer() else number for number in numbers)


LARGEST = 2**53 - 1
"""Whole number that a browser still knows from its neighbours."""


def written(value: Any) -> str:
    """Return a widget's value as it stands in an address; :func:`read` takes it back."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def in_words(value: Any) -> str:
    """Return a setting's value as people read it."""
    if isinstance(value, list | tuple):
        return ", ".join(in_words(part) for part in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def read(setting: Setting, text: str) -> Any:
    """Return the value of a setting's widget that an address asks for.

    Raises
    ------
    ValueError
        If the widget cannot have it.
    """
    if setting.optional and not text:
        return "" if setting.kind == "list" else None
    if setting.kind == "list":
        parsed({setting.name: text})
        return text
    if setting.kind in ("switch", "choice"):
        options = {"true": True, "false": False} if setting.kind == "switch" else {o: o for o in setting.options}
        if text not in options:
            raise UserError(f"{setting.label} is one of {', '.join(options)}.")
        return options[text]
    value = int(text) if setting.kind == "whole" else float(text)
    low = -LARGEST if setting.low is None else setting.low
    high = LARGEST if setting.high is None else setting.high
    if not low <= value <= high:
        raise UserError(f"{setting.label} lies between {low:g} and {high:g}.")
    return value


def field(setting: Setting, base: Any, changes: MutableMapping[str, Any], key: str) -> None:
    """Show a setting's widget, and keep what the visitor changed.

    Parameters
    ----------
    setting : Setting
        The setting.
    base : object
        Its value where it is not changed.
    changes : mutable mapping
        Changed settings by name; a value that is put back to ``base`` leaves it.
    key : str
        Begins the widget's key.
    """
    # Another base makes another widget: it starts at the new value instead of holding on to the old one.
    widget = f"{key}-{setting.name}-{base}"
    if widget not in st.session_state:
        st.session_state[widget] = changes.get(setting.name, base)
    value = _show(setting, base, widget)
    if value == base:
        changes.pop(setting.name, None)
    else:
        changes[setting.name] = value


def _show(setting: Setting, base: Any, key: str) -> Any:
    common: dict[str, Any] = {"key": key, "help": setting.help}
    if setting.kind == "switch":
        return st.checkbox(verbatim(setting.label), **common)
    if setting.kind == "choice":
        return st.selectbox(verbatim(setting.label), setting.options, **common)
    if setting.kind == "list":
        return st.text_input(verbatim(setting.label), **common)
    as_kind = int if setting.kind == "whole" else float
    # A browser keeps a number out of bounds to itself, and a training would start with the one before it; the
    # configuration refuses it in a sentence. It does not know of the end that a source puts to its images.
    bounds = {} if setting == SETTINGS[setting.name] else {"min_value": setting.low, "max_value": setting.high}
    limits: dict[str, Any] = {name: None if limit is None else as_kind(limit) for name, limit in bounds.items()}
    if setting.optional:
        limits |= {"value": None, "placeholder": "none"}
    step = 1 if setting.kind == "whole" else _step(base)
    return st.number_input(
        verbatim(setting.label), **limits, **common, step=step, format="%d" if setting.kind == "whole" else "%g"
    )


def _step(base: float) -> float:
    """Return a step of a tenth of a number's size, a power of ten."""
    return float(f"1e{int(f'{abs(base):e}'.split('e')[1]) - 1}") if base else 0.01
