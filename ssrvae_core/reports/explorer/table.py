"""The table of particles for the browser: a header as JSON, then every column as the numbers of one type.

``table.js`` reads it. The ids ascend, and row ``i`` of every column belongs to the same particle, for every model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssrvae_core.data import UNLABELLED
from ssrvae_core.figures import theme
from ssrvae_core.figures.names import EXACT, short_names
from ssrvae_core.figures.values import OUTLIER, RADIANS, TRUE_ANGLE, varies
from ssrvae_core.records import PARTS
from ssrvae_core.reports.explorer.source import Source

_TYPES = {"f4": "<f4", "f8": "<f8", "i1": "<i1", "u1": "<u1", "i2": "<i2", "u2": "<u2", "i4": "<i4", "i8": "<i8"}
_ALIGNED = 8
_STEPS = 65535
"""A class probability is sent as a whole number of so many steps."""
CORRECT, WRONG, UNKNOWN = range(3)
NOTHING = UNLABELLED
"""Value of what has no class or no micrograph."""


def table(sources: Sequence[Source], class_names: Sequence[str]) -> bytes:
    """Pack what models say of the same particles.

    Parameters
    ----------
    sources : sequence of Source
        The models, with the same ids in the same, ascending order; see
        :func:`ssrvae_core.reports.explorer.source.in_step`.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``.
    """
    columns = _Columns()
    first = sources[0].particles
    columns.add("ids", first.ids, _kind_of(first.ids))
    columns.add("label", sources[0].predictions.labels, "i2")
    columns.add("part", first.part, "i1")
    if first.groups is not None:
        columns.add("group", first.groups, "i4")
    if first.size is not None:
        columns.add("size", first.size, "f4")
    if first.names is not None and any(first.names):
        columns.text("names", first.names)
    factors = _factors(sources)
    for name, values in factors.items():
        columns.add(f"factor {name}", values, "f4")
    for number, source in enumerate(sources):
        _add_model(columns, number, source, len(class_names))
    header = {
        "n": len(first),
        "classes": list(class_names),
        "parts": [name.capitalize() for name in PARTS],
        "groups": None if first.groups is None else _group_names(first.groups, first.group_names),
        "groupsNamed": first.group_names is not None,
        "sizeUnit": first.size_unit or "",
        "models": [_model(source) for source in sources],
        "colourings": _colourings(sources, class_names, factors),
        "scales": {"sequential": _scale(theme.SEQUENTIAL), "cyclic": _scale(theme.CYCLIC)},
        "neutral": theme.NEUTRAL,
        "columns": columns.described,
    }
    words = json.dumps(header, allow_nan=False).encode()
    words += b" " * (-(len(words) + 4) % _ALIGNED)
    return b"".join((len(words).to_bytes(4, "little"), words, *columns.packed))


class _Columns:
    """Columns end to end, each beginning at a multiple of eight bytes."""

    def __init__(self) -> None:
        self.described: list[dict[str, Any]] = []
        self.packed: list[bytes] = []
        self._offset = 0

    def add(self, name: str, values: np.ndarray, kind: str) -> None:
        flat = np.ascontiguousarray(values).ravel().astype(_TYPES[kind])
        self._put(name, kind, flat.tobytes(), len(flat))

    def text(self, name: str, words: Sequence[str]) -> None:
        joined = "\n".join(" ".join(word.splitlines()) for word in words).encode("utf-8", "replace")
        self._put(name, "text", joined, len(joined))

    def _put(self, name: str, kind: str, packed: bytes, count: int) -> None:
        self.described.append({"name": name, "type": kind, "offset": self._offset, "count": count})
        packed += b"\0" * (-len(packed) % _ALIGNED)
        self.packed.append(packed)
        self._offset += len(packed)


def _kind_of(ids: np.ndarray) -> str:
    """Return the type that holds ids exactly and is quickest to read: a browser's own numbers where they do."""
    low, high = int(ids.min(initial=0)), int(ids.max(initial=0))
    if low >= -(2**31) and high < 2**31:
        return "i4"
    return "f8" if low > -EXACT and high < EXACT else "i8"


def _add_model(columns: _Columns, number: int, source: Source, n_classes: int) -> None:
    p = source.predictions
    right = np.where(p.labels < 0, UNKNOWN, np.where(p.predicted == p.labels, CORRECT, WRONG))
    shares = np.zeros((len(p), n_classes))
    shares[:, : p.class_prob.shape[1]] = p.class_prob
    columns.add(f"{number}/predicted", p.predicted, "i2")
    columns.add(f"{number}/correct", right, "u1")
    columns.add(f"{number}/confidence", p.confidence, "f4")
    columns.add(f"{number}/probabilities", np.round(_STEPS * np.nan_to_num(shares).clip(0, 1)), "u2")
    columns.add(f"{number}/z", p.z_mean, "f4")
    if p.z_mean.shape[1] == 1:
        columns.add(f"{number}/sd", p.z_sd, "f4")
    columns.add(f"{number}/angle", np.degrees(p.angle), "f4")
    columns.add(f"{number}/concentration", p.concentration, "f4")
    columns.add(f"{number}/outlier", source.particles.outlier_score, "f4")
    columns.add(f"{number}/likelihood", p.log_likelihood, "f4")


def _model(source: Source) -> dict[str, Any]:
    accuracy, judged = source.judged
    return {
        "title": source.title,
        "run": source.run_id,
        "dims": source.predictions.z_mean.shape[1],
        "turns": bool(np.isfinite(source.predictions.angle).any()),
        "accuracy": accuracy,
        "judged": judged,
    }


def _factors(sources: Sequence[Source]) -> dict[str, np.ndarray]:
    p = sources[0].predictions
    return {
        name: np.degrees(values) if name in RADIANS else values for name, values in p.factors.items() if varies(name, p)
    }


def _group_names(groups: np.ndarray, names: Sequence[str] | None) -> list[str]:
    return list(names) if names is not None else [f"Micrograph {g}" for g in range(int(groups.max(initial=-1)) + 1)]


def _colourings(
    sources: Sequence[Source], class_names: Sequence[str], factors: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Return what the points can be coloured by: categories with their looks, and values with their scale."""
    first = sources[0].particles
    classes = [_category(k, name, k) for k, name in enumerate(short_names(class_names))]
    unknown = {"value": NOTHING, "name": "Class unknown", "colour": theme.NEUTRAL, "symbol": "circle-open"}
    found = [
        {"name": "class", "label": "True class", "column": "label", "categories": [*classes, unknown]},
        {"name": "predicted", "label": "Predicted class", "column": "predicted", "categories": classes},
        {
            "name": "correct",
            "label": "Correctness",
            "column": "correct",
            "categories": [
                {"value": CORRECT, "name": "Correct", "colour": theme.RIGHT, "symbol": "circle"},
                {"value": WRONG, "name": "Wrong", "colour": theme.WRONG, "symbol": "x"},
                unknown | {"value": UNKNOWN},
            ],
        },
    ]
    each = [source.predictions for source in sources]
    found.append(_values("confidence", "Confidence", "confidence", [p.confidence for p in each]))
    if any(np.isfinite(p.angle).any() for p in each):
        found.append(_cyclic("angle", "Angle", "angle"))
    found.append(_values(OUTLIER, "Outlier score", "outlier", [source.particles.outlier_score for source in sources]))
    found.append(_values("log-likelihood", "Log-likelihood", "likelihood", [p.log_likelihood for p in each], "nats"))
    parts = [_category(value, name.capitalize(), value) for value, name in enumerate(PARTS)]
    found.append({"name": "part", "label": "Part", "column": "part", "categories": parts})
    if first.groups is not None:
        names = short_names(_group_names(first.groups, first.group_names))
        groups = [_category(value, name, value) for value, name in enumerate(names)]
        groups.append(unknown | {"name": "No micrograph"})
        found.append({"name": "group", "label": "Micrograph", "column": "group", "categories": groups})
    if first.size is not None:
        found.append(_values("size", "Size", "size", [first.size], first.size_unit or ""))
    for name, values in factors.items():
        if name == "angle":
            found.append(_cyclic(TRUE_ANGLE, "True angle", "factor angle"))
        else:
            unit = "degrees" if name in RADIANS else ""
            found.append(_values(name, name.replace("_", " ").capitalize(), f"factor {name}", [values], unit))
    return found


def _category(value: int, name: str, look: int) -> dict[str, Any]:
    return {"value": value, "name": name, "colour": theme.class_colour(look), "symbol": theme.class_symbol(look)}


def _values(name: str, label: str, column: str, each: Sequence[np.ndarray], unit: str = "") -> dict[str, Any]:
    """Return a scale for numbers; those beyond the first and the last percent do not stretch it."""
    values = np.concatenate(each)
    finite = values[np.isfinite(values)]
    low, high = (float(end) for end in np.percentile(finite, [1, 99])) if len(finite) else (0.0, 1.0)
    return {
        "name": name,
        "label": label,
        "column": column,
        "scale": "sequential",
        "low": low,
        "high": high,
        "unit": unit,
    }


def _cyclic(name: str, label: str, column: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "column": column,
        "scale": "cyclic",
        "low": -180.0,
        "high": 180.0,
        "unit": "degrees",
    }


def _scale(name: str) -> list[list[int]]:
    """Return red, green and blue at even steps of one of plotly's scales."""
    from plotly.colors import get_colorscale, sample_colorscale, unlabel_rgb

    steps = sample_colorscale(get_colorscale(name), np.linspace(0, 1, 33).tolist())
    return [[round(channel) for channel in unlabel_rgb(colour)] for colour in steps]
