"""The look of a model or method: its colour, shape and dashes follow from its name, in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssrvae_core.figures import theme
from ssrvae_core.registry import RIVALS

MODEL_TITLES = {"ss-vae": "ss-VAE", "ss-rvae": "ss-rVAE", "ss-rvae-paper": "ss-rVAE (paper)"}
"""Names of the models as they are written in the paper, in the order in which they stand everywhere."""

_DASHES = ("dash", "solid", "dot", "dashdot", "longdash", "longdashdot")
_SHADES = (None, "#000000", "#FFFFFF")  # what the colour is mixed with
_SHADE = 0.35


@dataclass(frozen=True)
class Look:
    """How a line or its points are drawn.

    Attributes
    ----------
    colour : str
        Six hexadecimal digits behind a ``#``.
    symbol : str
        Plotly's name of the marker.
    dash : str
        Plotly's name of the dashes, where these tell models apart.
    variant : int
        0 for the only run of a model in a figure; several are counted from 0 in the order of their names.
    """

    colour: str
    symbol: str
    dash: str
    variant: int = 0

    @property
    def run_dash(self) -> str:
        """The dashes where they tell only the runs of one model apart."""
        return "dashdot" if self.variant % 2 else "solid"


def looks(names: Sequence[str]) -> list[Look]:
    """Return the look of each model, method or run that stands in one figure.

    Parameters
    ----------
    names : sequence of str
        Titles that begin with the name of a model or method, such as ``ss-rVAE, 5 % labelled``.

    Returns
    -------
    list of Look
        In the same order. It depends on the names alone, not on their order: a model has the same colour and shape in
        every figure, and several of its runs differ in shade and dashes.
    """
    known = _known()
    families = {name: _family(name, known) for name in names}
    others = sorted({family for family in families.values() if family not in known})
    order = [*known, *others]
    alike = {family: sorted({n for n, own in families.items() if own == family}) for family in families.values()}
    return [_look(order.index(families[name]), alike[families[name]].index(name)) for name in names]


def look(name: str) -> Look:
    """Return the look of a model or method that stands alone."""
    return looks([name])[0]


def _known() -> list[str]:
    """Return the titles of all models and methods in their order, those that a user has added last."""
    return [*MODEL_TITLES.values(), *(spec.title for spec in RIVALS.values())]


def _family(name: str, known: Sequence[str]) -> str:
    """Return the model or method that a title begins with; a name that is none stands for itself."""
    begins = [title for title in known if name == title or name.startswith((f"{title},", f"{title} "))]
    return max(begins, key=len, default=name)


def _look(index: int, variant: int) -> Look:
    return Look(
        _shade(theme.line_colour(index), _SHADES[variant % len(_SHADES)]),
        theme.class_symbol(index),
        _DASHES[(index + 3 * (variant % 2)) % len(_DASHES)],
        variant,
    )


def _shade(colour: str, other: str | None) -> str:
    """Return a colour mixed with another one."""
    if other is None:
        return colour
    pairs = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round((1 - _SHADE) * own + _SHADE * mixed):02X}" for own, mixed in pairs)
