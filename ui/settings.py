"""The settings of a new training: their form on the Train page, and in its address those that were changed."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from ssrvae_core.config import DatasetConfig, SplitConfig
from ssrvae_core.registry import source_of
from ssrvae_core.reports.wording import MODEL_TITLES
from ui import forms, markdown, training
from ui.advice import GROUPS as GROUPS_OF_SETTINGS
from ui.holding import GROUPS, IMAGES, NAME
from ui.state import harmless
from ui.training import PAGE, Choice

CHANGES = f"{PAGE}-changes"
"""Key of the session state that holds the changed settings, by dotted name, as their widgets have them."""

BY_GROUP, HELD_OUT = "split.by_group", {"true": GROUPS, "false": IMAGES}
"""How earlier addresses say what is held out."""

MOST_TOLD = 5
IN_A_ROW = 4
_TURN = f"{PAGE}-turn"


# In the address.


def changes_asked_for() -> dict[str, Any]:
    """Return the settings the address changes, as ``set=NAME=VALUE``; complain about those that cannot be had."""
    changes: dict[str, Any] = {}
    refused = []
    for asked in st.query_params.get_all("set"):
        name, _, text = asked.partition("=")
        if name == BY_GROUP and text in HELD_OUT:
            st.query_params[NAME] = HELD_OUT[text]
            continue
        try:
            changes[name] = forms.read(forms.SETTINGS[name], text)
        except (KeyError, ValueError):
            refused.append(f"'{harmless(asked)}'")
    if refused:
        markdown.warning(
            f"The address asks for {', '.join(refused[:MOST_TOLD])}{' and others' if len(refused) > MOST_TOLD else ''} "
            "as settings, which are not available; they stay as the preset has them."
        )
    return changes


def keep_changes_in_address(changes: Mapping[str, Any]) -> None:
    """Put the changed settings into the address."""
    wanted = [f"{name}={forms.written(value)}" for name, value in changes.items()]
    if wanted != st.query_params.get_all("set"):
        st.query_params["set"] = wanted
    if not wanted:
        st.query_params.pop("set", None)


def validation_fraction(changes: Mapping[str, Any]) -> float:
    """Return the share that is held out, as it stands in the form."""
    share = changes.get("split.validation_fraction")
    return share if isinstance(share, float) and 0 < share < 1 else SplitConfig().validation_fraction


# On the page.


def drop_useless(changes: MutableMapping[str, Any], without: Sequence[str]) -> None:
    """Put back changed settings that these data have no use for, which the form does not show."""
    if gone := [name for name in without if changes.pop(name, None) is not None]:
        labels = ", ".join(forms.SETTINGS[name].label for name in gone)
        markdown.warning(f"These images have no use for another value of: {labels}. It is as the preset has it.")


NUMBERS = ("dataset.train_per_class", "dataset.validation_per_class")
"""Settings that a source may have an end to."""


def drop_beyond(changes: MutableMapping[str, Any], dataset: DatasetConfig) -> None:
    """Put back changed numbers of images that the source does not have, which its fields cannot show."""
    most = source_of(dataset.source).most_per_class
    if most is None:
        return
    for name in NUMBERS:
        if changes.get(name, 0) >= most:
            markdown.warning(
                f"{forms.SETTINGS[name].label} is {changes.pop(name):g}, but {dataset.source} has {most} images per "
                "class, for training and validation together; it is as the data set has it."
            )


def bounded(name: str, dataset: DatasetConfig) -> forms.Setting:
    """Return a setting with the bounds that a data set's source puts on it."""
    setting, most = forms.SETTINGS[name], source_of(dataset.source).most_per_class
    if most is None or name not in NUMBERS:
        return setting
    told = f"{setting.help}: {dataset.source} has {most} per class, for training and validation together"
    return replace(setting, high=most - 1, help=told)


def first(choice: Choice, without: Sequence[str]) -> None:
    """Show the settings that are shown at once."""
    names = [name for name in forms.FIRST if choice.models and name in training.shown_settings(choice, without)]
    for name, base in training.bases(choice, names).items() if names else ():
        changes: dict[str, Any] = st.session_state[CHANGES]
        forms.field(bounded(name, choice.dataset), base, changes, f"{PAGE}-{st.session_state.get(_TURN, 0)}")


def form(choice: Choice, without: Sequence[str]) -> None:
    """Show the settings but the first ones, group by group, each with a sentence on what it does.

    Parameters
    ----------
    choice : Choice
        What is chosen otherwise.
    without : sequence of str
        Settings the data have no use for.
    """
    if not choice.models:  # each has settings of its own
        return
    changes: dict[str, Any] = st.session_state[CHANGES]
    names = training.shown_settings(choice, without)
    bases = training.bases(choice, names)
    with st.expander("All settings", icon=":material/tune:"):
        st.caption("None has to be touched: the recipe above has values that work. A question mark says what one does.")
        if own := training.own_values(choice, names):
            said = "; ".join(
                f"{forms.SETTINGS[name].label.lower()}: "
                + ", ".join(f"{MODEL_TITLES[model]} {forms.in_words(value)}" for model, value in values.items())
                for name, values in own
            )
            markdown.note(f"The models differ in these, as long as they are left as they are here: {said}.")
        for group in GROUPS_OF_SETTINGS:
            if members := [name for name in group.settings if name in names and name not in forms.FIRST]:
                markdown.show("**{title}** \u2013 {about}", title=group.title, about=group.about)
                _rows(members, bases, changes, choice.dataset)
    if changes:
        count = f"{len(changes)} {'setting differs' if len(changes) == 1 else 'settings differ'} from the preset."
        with st.container(horizontal=True, vertical_alignment="center"):
            markdown.note(count)
            if st.button("Back to the preset", icon=":material/undo:", type="tertiary"):
                changes.clear()
                st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
                st.rerun()
    if training.shown_settings(choice, without) != names:
        st.rerun()  # a setting that was just changed decides about others


def _rows(
    names: Sequence[str], bases: Mapping[str, Any], changes: MutableMapping[str, Any], dataset: DatasetConfig
) -> None:
    """Show settings in rows, so that they keep their order on a narrow page."""
    turn = st.session_state.get(_TURN, 0)
    for start in range(0, len(names), IN_A_ROW):
        for column, name in zip(st.columns(IN_A_ROW, vertical_alignment="bottom"), names[start:], strict=False):
            with column:
                forms.field(bounded(name, dataset), bases[name], changes, f"{PAGE}-{turn}")
