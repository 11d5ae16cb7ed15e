"""The settings of runs side by side: which of them are used, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssrvae_core.config import RunConfig
from ssrvae_core.relevance import RULES

UNUSED = "not used"
"""What a setting reads that a run's model or data have no use for."""


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
