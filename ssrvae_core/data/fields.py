"""From the raw fields of an image file to a checked :class:`ImageSet`.

Every reader returns the same fields, so what an image file may say is checked here once, whatever its format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Fields
from ssrvae_core.data.dataset import UNLABELLED, ImageSet
from ssrvae_core.data.grey import scaled
from ssrvae_core.data.image_array import are_channels_first, checked_images, grey_levels
from ssrvae_core.data.labels import LabelError, from_array, is_missing, normal
from ssrvae_core.data.limits import MAX_NAME
from ssrvae_core.data.stored import Array, StoredArray, blocks, in_memory

FIELDS = (
    *("images", "labels", "class_names", "groups", "group_names", "ids", "split", "masks", "names", "pixel_size"),
)
FACTOR = "factors/"
PARTS = ("train", "validation")
TRAINING_NAMES = frozenset(("train", "training", "trn", "trainset"))
VALIDATION_NAMES = frozenset(
    (
        *("validation", "valid", "val", "test", "testing", "tst", "dev", "eval", "evaluation", "holdout", "held out"),
        *("testset", "valset"),
    )
)
SET_WORDS = frozenset(("set", "data", "dataset", "images", "imgs", "pictures", "folder", "split"))
"""What may stand behind such a name, as in "training_set"."""


@dataclass(frozen=True)
class Annotations:
    """All that an image file says of its images beside their pixels; row ``i`` belongs to image ``i``.

    The attributes are those of :class:`ImageSet`; ``remarks`` say how something was taken that could be taken
    otherwise.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    ids: np.ndarray
    groups: np.ndarray | None = None
    group_names: tuple[str, ...] | None = None
    validation: np.ndarray | None = None
    masks: Array | None = None
    names: tuple[str, ...] | None = None
    pixel_size: np.ndarray | None = None
    factors: Fields = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def is_field(name: str) -> bool:
    """Whether an image file's entry of this name is read; all others are left alone."""
    return name in FIELDS or name.startswith(FACTOR)


def part_of(text: str) -> str | None:
    """Return the part that a word such as "test" names, one of :data:`PARTS`; None where it names none."""
    words = normal(text).casefold().replace("_", " ").replace("-", " ").split()
    plain = " ".join(words[:-1] if len(words) > 1 and words[-1] in SET_WORDS else words)
    if plain in TRAINING_NAMES:
        return PARTS[0]
    return PARTS[1] if plain in VALIDATION_NAMES else None


def image_set(fields: Mapping[str, np.ndarray], path: Path, intensity: tuple[float, float] | None = None) -> ImageSet:
    """Check the fields of an image file and assemble them.

    Parameters
    ----------
    fields : mapping of str to array
        ``images`` (N, H, W), (N, H, W, C) or (N, C, H, W), of bool, integers or floats. Optional: ``labels``, see
        :func:`ssrvae_core.data.labels.from_array`; ``class_names`` (K,) text; ``groups`` (N,) int or text, with the
        names of the integers as ``group_names``; ``ids`` (N,) int; ``split`` (N,) of words as :func:`part_of` takes
        them; ``masks`` (N, H, W); ``names`` (N,) text; ``pixel_size`` (N, 2), (2,) or a number, nanometres;
        ``factors/<name>`` (N,).
    path : pathlib.Path
        Where they come from, for the messages.
    intensity : (float, float), optional
        Grey levels that become 0 and 1; levels beyond are clipped. Without it the type of the numbers has to say so,
        see :func:`ssrvae_core.data.grey.scale_of`.

    Raises
    ------
    UserError
        If a field cannot be used; the sentence names the file and the field.
    """
    images = in_memory(checked_images(fields, path))
    found = annotate(fields, images.shape[:3], path)
    return ImageSet(
        images=scaled(images, *grey_levels(images, path, intensity)),
        labels=found.labels,
        ids=found.ids,
        class_names=found.class_names,
        groups=found.groups,
        group_names=found.group_names,
        validation=found.validation,
        masks=None if found.masks is None else in_memory(found.masks),
        factors=found.factors,
        names=found.names,
        pixel_size=found.pixel_size,
    )


def annotate(
    fields: Mapping[str, np.ndarray],
    shape: tuple[int, int, int],
    path: Path,
    large: Mapping[str, StoredArray] = MappingProxyType({}),
) -> Annotations:
    """Check all fields but the images.

    Parameters
    ----------
    fields : mapping of str to array
        See :func:`image_set`.
    shape : (int, int, int)
        (N, height, width) of the images.
    path : pathlib.Path
        Where they come from, for the messages.
    large : mapping of str to StoredArray
        Images and masks that are too large to be read at once.

    Raises
    ------
    UserError
        If a field cannot be used; the sentence names the file and the field.
    """
    n = shape[0]
    arrays: dict[str, Array] = {**fields, **large}
    labels, class_names, remarks = _labels(fields, n, path)
    ids = _integers(fields, "ids", n, path)
    if ids is not None and len(np.unique(ids)) < n:
        raise UserError(f"The field 'ids' of {path} holds an id twice; give every image its own.")
    names = _text(fields, "names", path)
    if names is not None:
        _check_length("names", np.asarray(names), n, path)
    groups, group_names = _groups(fields, n, path)
    stored = arrays["images"].shape
    if len(stored) == 4 and are_channels_first(stored):
        remarks = (*remarks, f"The images have the shape {stored} and are taken as channels first.")
    return Annotations(
        labels=labels,
        class_names=class_names,
        ids=np.arange(n) if ids is None else ids,
        groups=groups,
        group_names=group_names,
        validation=_validation(fields, n, path),
        masks=_masks(arrays.get("masks"), shape, path),
        names=None if names is None else tuple(names),
        pixel_size=_pixel_size(fields, n, path),
        factors={name.removeprefix(FACTOR): _factor(fields, name, n, path) for name in fields if FACTOR in name},
        remarks=remarks,
    )


def _labels(
    fields: Mapping[str, np.ndarray], n: int, path: Path
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    names = _class_names(fields, path)
    if "labels" not in fields:
        return np.full(n, UNLABELLED, dtype=np.int64), tuple(names or ()), ()
    try:
        found = from_array(fields["labels"], n, names)
    except LabelError as error:
        raise UserError(f"The values in the field 'labels' of {path} {error}.") from error
    for name in found.class_names:
        _check_class_name(name, path)
    return found.index, found.class_names, found.remarks


def _class_names(fields: Mapping[str, np.ndarray], path: Path) -> list[str] | None:
    names = _text(fields, "class_names", path)
    if names is None:
        return None
    names = [normal(name) for name in names]
    if len(set(names)) < len(names):
        raise UserError(f"The field 'class_names' of {path} holds a name twice; give every class its own.")
    for index, name in enumerate(names):
        _check_class_name(name, path, f"class {index} in the field 'class_names'")
    return names


def _check_class_name(name: str, path: Path, which: str = "a class") -> None:
    if not 0 < len(name) <= MAX_NAME:
        shown = f"'{name[:30]}...', which has {len(name)} characters" if name else "empty"
        raise UserError(f"The name of {which} of {path} is {shown}; give it 1 to {MAX_NAME} characters.")


def _groups(fields: Mapping[str, np.ndarray], n: int, path: Path) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """Return the groups as integers, and their names where they have any."""
    values = fields.get("groups")
    if values is None or values.dtype.kind not in "US":
        groups = _integers(fields, "groups", n, path)
        names = _text(fields, "group_names", path)
        fits = names is not None and groups is not None and groups.min(initial=0) >= 0 and groups.max() < len(names)
        return groups, tuple(names) if fits and names is not None else None
    texts = _text(fields, "groups", path) or []
    _check_length("groups", np.asarray(texts), n, path)
    found, groups = np.unique([normal(text) for text in texts], return_inverse=True)
    return groups.astype(np.int64), tuple(map(str, found))


def _integers(fields: Mapping[str, np.ndarray], name: str, n: int, path: Path) -> np.ndarray | None:
    """One integer for each image, int64 (N,)."""
    if name not in fields:
        return None
    values = fields[name]
    if values.ndim == 2 and 1 in values.shape:
        values = values.reshape(-1)  # a column or a row
    _check_length(name, values, n, path)
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.round(values)).all():
        values = values.astype(np.int64)  # as other programs save whole numbers
    if values.dtype.kind not in "iu":
        raise UserError(f"The field '{name}' of {path} has the type {values.dtype}; store it as integers.")
    return values.astype(np.int64)


def _text(fields: Mapping[str, np.ndarray], name: str, path: Path) -> list[str] | None:
    if name not in fields:
        return None
    values = fields[name]
    if values.ndim != 1 or values.dtype.kind not in "US":
        raise UserError(
            f"The field '{name}' of {path} has the type {values.dtype} and shape {values.shape}; store it as a list of"
            " text."
        )
    try:
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    except UnicodeDecodeError as error:
        raise UserError(f"The field '{name}' of {path} is not UTF-8 text; store it as unicode text.") from error


def _validation(fields: Mapping[str, np.ndarray], n: int, path: Path) -> np.ndarray | None:
    words = _text(fields, "split", path)
    if words is None:
        return None
    _check_length("split", np.asarray(words), n, path)
    parts = {word: PARTS[0] if is_missing(word) else part_of(word) for word in set(words)}
    unknown = sorted(word for word, part in parts.items() if part is None)
    if unknown:
        raise UserError(
            f"The field 'split' of {path} holds '{unknown[0]}'; every entry is '{PARTS[0]}' or '{PARTS[1]}'."
        )
    return np.array([parts[word] == PARTS[1] for word in words])


def _masks(masks: Array | None, shape: tuple[int, int, int], path: Path) -> Array | None:
    if masks is None:
        return None
    if masks.ndim == 4 and masks.shape[-1] == 1:
        masks = masks.mapped(_first_channel, shape) if isinstance(masks, StoredArray) else _first_channel(masks)
    if masks.shape != shape:
        raise UserError(f"The field 'masks' of {path} has the shape {masks.shape}, but the images need {shape}.")
    if masks.dtype.kind not in "bui" and not (masks.dtype.kind == "f" and _are_zeros_and_ones(masks)):
        raise UserError(f"The field 'masks' of {path} has the type {masks.dtype}; store it as bool.")
    if masks.dtype.kind == "b":
        return masks
    return masks.mapped(_inside, shape) if isinstance(masks, StoredArray) else _inside(masks)


def _first_channel(masks: np.ndarray) -> np.ndarray:
    return masks[..., 0]


def _inside(masks: np.ndarray) -> np.ndarray:
    return np.asarray(masks != 0)


def _are_zeros_and_ones(masks: Array) -> bool:
    return all(bool(((part == 0) | (part == 1)).all()) for part in (masks[rows] for rows in blocks(masks)))


def _pixel_size(fields: Mapping[str, np.ndarray], n: int, path: Path) -> np.ndarray | None:
    """Height and width of a pixel of each image in nanometres, float64 (N, 2); NaN where it is not known."""
    if "pixel_size" not in fields:
        return None
    values = np.asarray(fields["pixel_size"])
    if values.dtype.kind not in "fiu" or values.shape not in ((), (2,), (n, 2)):
        raise UserError(
            f"The field 'pixel_size' of {path} has the type {values.dtype} and the shape {values.shape}; store height"
            f" and width of a pixel in nanometres, as two numbers or as ({n}, 2)."
        )
    sizes = np.broadcast_to(values.astype(np.float64), (n, 2))
    return np.where(np.isfinite(sizes) & (sizes > 0), sizes, np.nan)


def _factor(fields: Mapping[str, np.ndarray], name: str, n: int, path: Path) -> np.ndarray:
    _check_length(name, fields[name], n, path)
    if fields[name].dtype.kind not in "fiub":
        raise UserError(f"The field '{name}' of {path} has the type {fields[name].dtype}; store it as numbers.")
    return fields[name].astype(np.float32)


def _check_length(name: str, values: np.ndarray, n: int, path: Path) -> None:
    if values.shape != (n,):
        raise UserError(f"The field '{name}' of {path} has the shape {values.shape}, but there are {n} images.")
