"""What a sweep over the number of labels goes along: the supervised ratio, or the labels per class."""

from __future__ import annotations

from typing import Final, Literal

from ssrvae_core.config import SplitConfig, ratio_text

LabelAxis = Literal["supervised ratio", "labels per class"]
RATIO: Final = "supervised ratio"
PER_CLASS: Final = "labels per class"


def axis_of(split: SplitConfig) -> LabelAxis | None:
    """Return what the number of labels is given by, None where every label is used."""
    if split.labelled_ratio is not None:
        return RATIO
    return None if split.labels_per_class is None else PER_CLASS


def amount_of(split: SplitConfig) -> float | None:
    """Return the position on that axis: a ratio from 0 to 1, or a number of labels per class."""
    return split.labelled_ratio if split.labelled_ratio is not None else split.labels_per_class


def amount_text(axis: LabelAxis, amount: float) -> str:
    """Return a position as the axis labels it."""
    return ratio_text(amount) if axis == RATIO else f"{amount:g}"


def amounts_in_words(axis: LabelAxis, *amounts: float) -> str:
    """Return positions as they stand in a sentence: "5 %, 10 % labelled", "1, 2 labels per class"."""
    texts = ", ".join(amount_text(axis, amount) for amount in amounts)
    if axis == RATIO:
        return f"{texts} labelled"
    return f"{texts} {'label' if amounts == (1,) else 'labels'} per class"


def split_at(split: SplitConfig, axis: LabelAxis, amount: float, seed: int) -> SplitConfig:
    """Return the same split with another number of labels and another seed."""
    chosen = {"labelled_ratio": amount} if axis == RATIO else {"labels_per_class": int(amount)}
    return split.model_copy(update={"labelled_ratio": None, "labels_per_class": None, **chosen, "seed": seed})
