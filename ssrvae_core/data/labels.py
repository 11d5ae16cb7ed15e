"""What counts as a label: one meaning of "unlabelled", and classes from numbers, texts, columns and one-hot rows.

Every door uses these functions: arrays of a file, tables, folders and the estimator.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssrvae_core.data.dataset import UNLABELLED

MISSING_TEXTS = frozenset(
    (
        *("", "nan", "null", "<na>", "n/a", "#n/a", "nat", "?"),
        *("unlabeled", "unlabelled", "not labeled", "not labelled", "no label", "nolabel"),
        *("unannotated", "not annotated"),
    )
)
"""Texts, in small letters and with spaces for other separators, that mean "no label" and are not a class name."""

DOUBTFUL_TEXTS = frozenset(
    ("none", "na", "unknown", "unk", "unclassified", "unassigned", "undefined", "unsorted", "unspecified", "-", "--")
)
"""Texts that mean "no label" as a rule, but could be the name of a class; whoever meets one is told."""

SODIUM = "Na"
"""Spelt like this it is a chemical element and not a missing value."""

_MINUS_ONE = re.compile(r"[-\u2212]1(\.0*)?")
_SEPARATORS = re.compile(r"[\s_-]+")
_AROUND = " \t_-()[]{}<>"


def normal(text: str) -> str:
    """Return a name as it is compared and shown: NFC, in one line, without spaces around it."""
    shown = "".join(" " if letter.isspace() else letter for letter in text if letter.isspace() or letter.isprintable())
    return unicodedata.normalize("NFC", shown).strip()


def is_unlabelled(text: str) -> bool:
    """Whether a text or the name of a folder says that there is no label."""
    plain = _plain(text)
    return plain in MISSING_TEXTS or _MINUS_ONE.fullmatch(plain) is not None or is_doubtful(text)


def is_doubtful(text: str) -> bool:
    """Whether a text is taken for "no label" but could name a class."""
    return _plain(text) in DOUBTFUL_TEXTS and normal(text) != SODIUM


def is_missing(value: Any) -> bool:
    """Whether a value of any type says that there is no label: -1, NaN, None, pandas' NA, or a text that says so."""
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, str | bytes):
        return is_unlabelled(value.decode(errors="replace") if isinstance(value, bytes) else value)
    if isinstance(value, bool | np.bool_):
        return False
    try:
        number = float(value)
    except (TypeError, ValueError):  # pandas' NA and NaT refuse to be numbers
        return type(value).__name__ in ("NAType", "NaTType")
    return math.isnan(number) or number == UNLABELLED


def doubts(texts: Iterable[str]) -> tuple[str, ...]:
    """Return a remark for every text that was taken for "no label" though it could name a class."""
    counts = Counter(normal(text) for text in texts if is_doubtful(text))
    return tuple(
        f"{count} {'image' if count == 1 else 'images'} labelled '{text}' {'is' if count == 1 else 'are'} taken as"
        f" unlabelled; if '{text}' is a class of its own, give it another name, such as '{text} class'."
        for text, count in sorted(counts.items())
    )


def without_missing(y: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the labels given from Python with -1 for every one that is missing, and what was doubtful.

    Parameters
    ----------
    y : array, list or series (N,)
        Classes of any type; what :func:`is_missing` takes for none becomes -1. Anything but one value for each image is
        returned as it is.
    """
    if isinstance(y, np.ma.MaskedArray):
        values = y.tolist()  # None where it is masked
    elif isinstance(y, list | tuple):
        values = list(y)
    else:
        array = np.asarray(y)
        if array.ndim == 1 and array.dtype.kind == "u":
            unwrapped, remarks = minus_one_unwrapped(array)
            return (unwrapped, remarks) if remarks else (y, ())
        if array.ndim != 1 or array.dtype.kind in "ib":
            return y, ()
        values = array.tolist()
    if any(isinstance(value, list | tuple | np.ndarray) for value in values):
        return y, ()
    missing = [is_missing(value) for value in values]
    texts = [value for value in values if isinstance(value, str)]
    if not any(missing):
        return y, ()
    out = np.empty(len(values), dtype=object)
    out[:] = [UNLABELLED if gone else value for value, gone in zip(values, missing, strict=True)]
    kept = [value for value, gone in zip(values, missing, strict=True) if not gone]
    named = any(isinstance(value, str | bytes | bool | np.bool_) for value in kept)  # these are not numbers
    return out if named else np.array(out.tolist()), doubts(texts)


@dataclass(frozen=True)
class Labels:
    """Labels as they were understood.

    Attributes
    ----------
    index : int64 array (N,)
        Position of each image's class in ``class_names``, -1 where unlabelled.
    class_names : tuple of str
        The classes: numbers by size, other names by the alphabet.
    remarks : tuple of str
        How something was taken that could be taken otherwise.
    """

    index: np.ndarray
    class_names: tuple[str, ...]
    remarks: tuple[str, ...] = ()


class LabelError(ValueError):
    """Labels that cannot be understood; the text is a clause that follows "the labels"."""


def from_texts(texts: Sequence[str], declared: Sequence[str] = ()) -> Labels:
    """Understand a text for each image.

    Parameters
    ----------
    texts : sequence of str, length N
        Names of classes, or what :func:`is_unlabelled` takes for none. Whole numbers that were written as floats
        ("1.0", as pandas writes integers beside missing values) are whole numbers.
    declared : sequence of str
        Names that are classes whatever they say and however they are spelt. Others that differ by upper and lower case
        alone are one class, under the commonest spelling.
    """
    own = set(declared)
    names = ["" if is_unlabelled(text) and normal(text) not in own else normal(text) for text in texts]
    known = {name for name in names if name}
    if known and all(re.fullmatch(r"\d+\.0+", name) or name.isdecimal() for name in known):
        names = [name.partition(".")[0] for name in names]
    spelling, remarks = ({name: name for name in names}, ()) if own else _one_spelling(names)
    names = [spelling[name] if name else "" for name in names]
    classes = in_order({name for name in names if name})
    number = {name: position for position, name in enumerate(classes)} | {"": UNLABELLED}
    doubtful = doubts(text for text in texts if normal(text) not in own)
    return Labels(np.array([number[name] for name in names], dtype=np.int64), classes, (*doubtful, *remarks))


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of classes in their order: numbers by size, other names by the alphabet."""
    names = list(names)
    if not all(name.isascii() and name.isdecimal() for name in names):
        return tuple(sorted(names))
    return tuple(sorted(names, key=lambda name: (len(name.lstrip("0")), name.lstrip("0"), name)))


def from_array(values: np.ndarray, n: int, class_names: Sequence[str] | None = None) -> Labels:
    """Understand the labels of an array file.

    Parameters
    ----------
    values : array
        (N,) of integers, whole floats, bool or text; a column (N, 1), a row (1, N), or one-hot rows (N, K) or (K, N).
    n : int
        Number of images N.
    class_names : sequence of str, optional
        Names of the classes that integers count, from 0 or, where no label is 0 and the last is K, from 1.

    Raises
    ------
    LabelError
        If they cannot be understood.
    """
    values, remarks = _one_per_image(np.asarray(values), n)
    if values.dtype.kind in "US":
        found = from_texts(_decoded(values), class_names or ())
        return _named(found, class_names, remarks)
    if values.dtype.kind == "b":
        texts = ["True" if value else "False" for value in values]
        if class_names is None:
            found = from_texts(texts)
            return Labels(found.index, found.class_names, remarks)
        values = values.astype(np.int64)
    values, wrapped = minus_one_unwrapped(values)
    return _numbered(_whole(values), class_names, (*remarks, *wrapped))


def minus_one_unwrapped(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels with -1 for what -1 becomes in an unsigned type, its largest value, and a remark where it is there.

    It is a class of its own only where others come near it.
    """
    if values.dtype.kind != "u" or not values.size:
        return values, ()
    largest = np.iinfo(values.dtype).max
    wrapped = values == largest
    if not wrapped.any() or int(values[~wrapped].max(initial=0)) > largest // 2:
        return values, ()
    told = f"The label {largest} is what -1 becomes as {values.dtype}, and is taken as unlabelled ({wrapped.sum()})."
    return np.where(wrapped, UNLABELLED, np.where(wrapped, 0, values).astype(np.int64)), (told,)


def _plain(text: str) -> str:
    """Return a text in small letters, with single spaces for separators, and without separators and brackets around."""
    bare = unicodedata.normalize("NFKC", text).strip().casefold()
    if bare in MISSING_TEXTS or bare in DOUBTFUL_TEXTS or _MINUS_ONE.fullmatch(bare):
        return bare
    return _SEPARATORS.sub(" ", bare.strip(_AROUND)).replace("non ", "not ")


def _one_spelling(names: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the spelling under which each name is kept, and a remark where names differ by case alone."""
    counts = Counter(name for name in names if name)
    alike: dict[str, list[str]] = {}
    for name in sorted(counts):
        alike.setdefault(name.casefold(), []).append(name)
    spelling: dict[str, str] = {}
    remarks = []
    for spellings in alike.values():
        kept = max(spellings, key=lambda name: (counts[name], name))
        spelling |= dict.fromkeys(spellings, kept)
        if len(spellings) > 1:
            told = " and ".join(f"'{name}' ({counts[name]})" for name in spellings)
            remarks.append(f"{told} are taken as one class, '{kept}'; rename one of them if they are two.")
    return spelling, tuple(remarks)


def _one_per_image(values: np.ndarray, n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return one value for each image, and how columns and one-hot rows were taken."""
    if values.shape == (n,):
        return values, ()
    if values.ndim != 2 or n not in values.shape:
        raise LabelError(f"have the shape {values.shape}, but there are {n} images; store one label for each")
    if 1 in values.shape:
        column = values.reshape(-1)
        unsure = column.dtype.kind == "f" and set(np.unique(column).tolist()) <= {0.0, 1.0}
        told = "The labels are one column of zeros and ones; they are taken as the two classes 0 and 1, not as one-hot."
        return column, (told,) if unsure else ()
    rows = values if len(values) == n else values.T
    if rows.dtype.kind not in "biuf":
        raise LabelError(f"have the shape {values.shape} and the type {values.dtype}; store one label for each image")
    ones = rows == 1
    one_hot = (ones | (rows == 0)).all(axis=1) & (ones.sum(axis=1) <= 1)
    if not one_hot.all():
        raise LabelError(
            f"have the shape {values.shape}, and row {int((~one_hot).argmax())} is not one-hot (a single 1 among"
            " zeros); store one label for each image"
        )
    index = np.where(ones.any(axis=1), ones.argmax(axis=1), UNLABELLED)
    return index, (f"The labels are one-hot rows of {rows.shape[1]} classes; a row of zeros is taken as unlabelled.",)


def _decoded(values: np.ndarray) -> list[str]:
    try:
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
    except UnicodeDecodeError as error:
        raise LabelError("are not UTF-8 text; store them as unicode text") from error


def _whole(values: np.ndarray) -> np.ndarray:
    """Return labels as int64, -1 where they are NaN."""
    if values.dtype.kind == "f":
        known = np.isfinite(values)
        if np.isinf(values).any() or (values[known] != np.round(values[known])).any():
            raise LabelError(
                f"have the type {values.dtype} and are not whole; store integers, or the names of the classes"
            )
        return np.where(known, values, UNLABELLED).astype(np.int64)
    if values.dtype.kind not in "iu":
        raise LabelError(f"have the type {values.dtype}; store them as integers, or as the names of the classes")
    if values.dtype.kind == "u" and values.size and int(values.max()) > np.iinfo(np.int64).max:
        raise LabelError(f"hold {int(values.max())}, which is too large; count the classes from 0")
    return values.astype(np.int64)


def _numbered(numbers: np.ndarray, class_names: Sequence[str] | None, remarks: tuple[str, ...]) -> Labels:
    """Turn numbers into positions among the classes."""
    if (numbers < UNLABELLED).any():
        at = int((numbers < UNLABELLED).argmax())
        raise LabelError(
            f"hold the label {numbers[at]} at image {at}; count the classes from 0, and mark an unlabelled image by -1"
        )
    known = numbers[numbers != UNLABELLED]
    if class_names is None:
        classes = np.unique(known)
        index = np.where(numbers == UNLABELLED, UNLABELLED, np.searchsorted(classes, numbers))
        return Labels(index.astype(np.int64), tuple(map(str, classes.tolist())), remarks)
    k = len(class_names)
    if known.size and known.min() >= 1 and known.max() == k:
        numbers = np.where(numbers == UNLABELLED, UNLABELLED, numbers - 1)
        remarks = (*remarks, f"The labels count from 1: 1 is '{class_names[0]}' and {k} is '{class_names[-1]}'.")
    wrong = numbers >= k
    if wrong.any():
        at = int(wrong.argmax())
        raise LabelError(
            f"hold the label {numbers[at]} at image {at}, but there are {k} class names; count the classes"
            " from 0, and mark an unlabelled image by -1"
        )
    return Labels(numbers, tuple(class_names), remarks)


def _named(found: Labels, class_names: Sequence[str] | None, remarks: tuple[str, ...]) -> Labels:
    """Bring classes that texts name into the order of the names a file lists."""
    if class_names is None:
        return Labels(found.index, found.class_names, (*remarks, *found.remarks))
    unknown = [name for name in found.class_names if name not in class_names]
    if unknown:
        raise LabelError(f"name the class '{unknown[0]}', which is not among the class names; add it there")
    position = np.array([list(class_names).index(name) for name in found.class_names] or [UNLABELLED])
    index = np.where(found.index == UNLABELLED, UNLABELLED, position[found.index])
    return Labels(index.astype(np.int64), tuple(class_names), (*remarks, *found.remarks))
