"""From the raw fields of an image file to a checked :class:`ImageSet`.

Every reader returns the same fields, so what an image file may say is checked here once, whatever its format.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.dataset import UNLABELLED, ImageSet
from ssrvae_core.data.limits import MAX_NAME, MIN_SIDE, check_declared

FIELDS = ("images", "labels", "class_names", "groups", "ids", "split", "masks", "names")
FACTOR = "factors/"
PARTS = ("train", "validation")

DEPTHS = (1, 8, 10, 12, 14, 16)
"""Bits of a grey level: a silhouette's, a picture's, and those of cameras."""


def is_field(name: str) -> bool:
    """Whether an image file's entry of this name is read; all others are left alone."""
    return name in FIELDS or name.startswith(FACTOR)


def image_set(fields: Mapping[str, np.ndarray], path: Path, intensity: tuple[float, float] | None = None) -> ImageSet:
    """Check the fields of an image file and assemble them.

    Parameters
    ----------
    fields : mapping of str to array
        ``images`` (N, H, W) or (N, H, W, C); without ``intensity``, uint8 and uint16 are divided by their type's
        largest value, bool becomes 0 and 1, and float must lie in [0, 1]. Optional: ``labels`` (N,) int, -1 where
        unlabelled; ``class_names`` (K,) text; ``groups`` and ``ids`` (N,) int; ``split`` (N,) of "train" and
        "validation"; ``masks`` (N, H, W); ``names`` (N,) text; ``factors/<name>`` (N,).
    path : pathlib.Path
        Where they come from, for the messages.
    intensity : (float, float), optional
        Grey levels that become 0 and 1, whatever type the numbers have; levels beyond are clipped.

    Raises
    ------
    UserError
        If a field cannot be used; the sentence names the file and the field.
    """
    if "images" not in fields:
        found = ", ".join(f"'{name}'" for name in fields) or "none that is known"
        raise UserError(f"{path} has no field 'images' (found: {found}); store the images under that name.")
    images = _images(fields["images"], path, intensity)
    n = len(images)
    labels, class_names = _labels(fields, n, path)
    ids = _integers(fields, "ids", n, path)
    if ids is not None and len(np.unique(ids)) < n:
        raise UserError(f"The field 'ids' of {path} holds an id twice; give every image its own.")
    names = _text(fields, "names", path)
    if names is not None:
        _check_length("names", np.asarray(names), n, path)
    return ImageSet(
        images=images,
        labels=labels,
        ids=np.arange(n) if ids is None else ids,
        class_names=class_names,
        groups=_integers(fields, "groups", n, path),
        validation=_validation(fields, n, path),
        masks=_masks(fields, images.shape, path),
        factors={name.removeprefix(FACTOR): _factor(fields, name, n, path) for name in fields if FACTOR in name},
        names=None if names is None else tuple(names),
    )


def intensity_range(images: np.ndarray) -> tuple[float, float] | None:
    """Return the grey levels of black and white that images need, None where their type says it already.

    Floats that leave [0, 1] go from their smallest to their largest value. Unsigned integers with room to spare, such
    as a 12-bit camera's in uint16 or a silhouette's zeros and ones, go from 0 to the white of the fewest bits that
    hold them; see :data:`DEPTHS`.
    """
    if images.dtype.kind == "f":
        return _float_range(images)
    if images.dtype not in (np.uint8, np.uint16) or not images.size:
        return None
    depth = next(bits for bits in DEPTHS if int(images.max()) < 2**bits)
    return None if depth == images.dtype.itemsize * 8 else (0.0, float(2**depth - 1))


def _float_range(images: np.ndarray) -> tuple[float, float] | None:
    """Return the smallest and the largest value of floats that leave [0, 1]."""
    if not images.size or not np.isfinite(images).all():
        return None
    low, high = float(images.min()), float(images.max())
    return None if low == high or (low >= 0 and high <= 1) else (low, high)


def _images(stored: np.ndarray, path: Path, intensity: tuple[float, float] | None) -> np.ndarray:
    """Float32 (N, C, H, W) in [0, 1]."""
    if stored.ndim not in (3, 4):
        raise UserError(
            f"The field 'images' of {path} has the shape {stored.shape}; store it as (N, height, width) or"
            " (N, height, width, channels)."
        )
    check_declared(path, "images", stored.shape)
    channels_last = stored if stored.ndim == 4 else stored[..., None]
    n, height, width, channels = channels_last.shape
    if not n or not channels:
        raise UserError(f"The field 'images' of {path} is empty (shape {stored.shape}); store at least one image.")
    if min(height, width) < MIN_SIDE:
        raise UserError(
            f"The images of {path} are {height} x {width} pixels, but at least {MIN_SIDE} x {MIN_SIDE} are needed;"
            " the order of the axes is (N, height, width, channels)."
        )
    _check_numbers(channels_last, path)
    scaled = _unscaled(channels_last, path) if intensity is None else _scaled(channels_last, path, intensity)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def _check_numbers(images: np.ndarray, path: Path) -> None:
    """Refuse what is no finite number, and images without any contrast."""
    if images.dtype.kind not in "buif":
        raise UserError(
            f"The field 'images' of {path} has the type {images.dtype}; store it as uint8, uint16, float or bool."
        )
    finite = np.isfinite(images).reshape(len(images), -1)
    broken = ~finite.all(axis=1)
    if broken.all() and not finite.any():
        raise UserError(f"The field 'images' of {path} holds no finite number at all; save the images anew.")
    if broken.any():
        raise UserError(
            f"The field 'images' of {path} holds NaN or infinity, first in image {broken.argmax()}"
            f" ({broken.sum()} of {len(images)} images); replace or drop them."
        )
    if images.min() == images.max():
        raise UserError(f"Every pixel in the field 'images' of {path} has the same value; there is nothing to learn.")


def _unscaled(images: np.ndarray, path: Path) -> np.ndarray:
    """Float32 in [0, 1] by the type of the numbers alone."""
    if images.dtype == bool:
        return images.astype(np.float32)
    if images.dtype in (np.uint8, np.uint16):
        return np.divide(images, np.iinfo(images.dtype).max, dtype=np.float32)
    if images.dtype.kind != "f":
        raise UserError(
            f"The field 'images' of {path} has the type {images.dtype}; store it as uint8, uint16, float or bool, or"
            " say with dataset.intensity which grey levels are black and white."
        )
    outside = _float_range(images)
    if outside is not None:
        raise UserError(
            f"The field 'images' of {path} holds floats from {outside[0]:g} to {outside[1]:g}, but where a run has no"
            " dataset.intensity they must lie in [0, 1]; scale them as the run's training images were, or train a run"
            " with that range."
        )
    return images.astype(np.float32, copy=False)


def _scaled(images: np.ndarray, path: Path, intensity: tuple[float, float]) -> np.ndarray:
    """Float32 in [0, 1], where these two grey levels are 0 and 1."""
    black, white = intensity
    scaled = np.clip((images.astype(np.float64) - black) / (white - black), 0, 1).astype(np.float32)
    if scaled.min() == scaled.max():
        raise UserError(
            f"The field 'images' of {path} goes from {float(images.min()):g} to {float(images.max()):g}, which is all"
            f" one grey level on the scale from {black:g} (black) to {white:g} (white); bring it to the scale of the"
            " run's images."
        )
    return scaled


def _labels(fields: Mapping[str, np.ndarray], n: int, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    labels = _integers(fields, "labels", n, path)
    names = _class_names(fields, path)
    if labels is None:
        return np.full(n, UNLABELLED, dtype=np.int64), tuple(names or ())
    if names is None:
        names = [str(label) for label in range(min(int(labels.max()) + 1, n))]
    wrong = (labels < UNLABELLED) | (labels >= len(names))
    if wrong.any():
        at = int(wrong.argmax())
        raise UserError(
            f"The field 'labels' of {path} has the label {labels[at]} at image {at} of {len(names)} classes;"
            " count the classes from 0, and mark an unlabelled image by -1."
        )
    return labels, tuple(names)


def _class_names(fields: Mapping[str, np.ndarray], path: Path) -> list[str] | None:
    names = _text(fields, "class_names", path)
    if names is None:
        return None
    if len(set(names)) < len(names):
        raise UserError(f"The field 'class_names' of {path} holds a name twice; give every class its own.")
    for index, name in enumerate(names):
        if not 0 < len(name) <= MAX_NAME:
            shown = f"'{name[:30]}...', which has {len(name)} characters" if name else "none"
            raise UserError(
                f"The name of class {index} in the field 'class_names' of {path} is {shown}; give it 1 to {MAX_NAME}"
                " characters."
            )
    return names


def _integers(fields: Mapping[str, np.ndarray], name: str, n: int, path: Path) -> np.ndarray | None:
    """One integer an image, int64 (N,)."""
    if name not in fields:
        return None
    values = fields[name]
    _check_length(name, values, n, path)
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.round(values)).all():
        values = values.astype(np.int64)  # as other programs save whole numbers
    if values.dtype.kind not in "iu":
        names = ", and the names of the classes as 'class_names'" if name == "labels" else ""
        raise UserError(f"The field '{name}' of {path} has the type {values.dtype}; store it as integers{names}.")
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
    parts = _text(fields, "split", path)
    if parts is None:
        return None
    _check_length("split", np.asarray(parts), n, path)
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise UserError(
            f"The field 'split' of {path} holds '{min(unknown)}'; every entry is '{PARTS[0]}' or '{PARTS[1]}'."
        )
    return np.asarray(parts) == PARTS[1]


def _masks(fields: Mapping[str, np.ndarray], shape: tuple[int, ...], path: Path) -> np.ndarray | None:
    if "masks" not in fields:
        return None
    masks = fields["masks"]
    n, _, height, width = shape
    if masks.shape != (n, height, width):
        raise UserError(
            f"The field 'masks' of {path} has the shape {masks.shape}, but the images need {n, height, width}."
        )
    if masks.dtype.kind not in "bui":
        raise UserError(f"The field 'masks' of {path} has the type {masks.dtype}; store it as bool.")
    return masks != 0


def _factor(fields: Mapping[str, np.ndarray], name: str, n: int, path: Path) -> np.ndarray:
    _check_length(name, fields[name], n, path)
    if fields[name].dtype.kind not in "fiub":
        raise UserError(f"The field '{name}' of {path} has the type {fields[name].dtype}; store it as numbers.")
    return fields[name].astype(np.float32)


def _check_length(name: str, values: np.ndarray, n: int, path: Path) -> None:
    if values.shape != (n,):
        raise UserError(f"The field '{name}' of {path} has the shape {values.shape}, but there are {n} images.")
