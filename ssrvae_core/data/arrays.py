"""Images given from Python, to the estimators: their shape, their scale, and rows of values as images."""

from __future__ import annotations

import math
import warnings
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ssrvae_core.config import UserError
from ssrvae_core.data.grey import scale_of
from ssrvae_core.data.image_array import MOST_CHANNELS, are_channels_first


def rows_of(X: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Flatten images to rows, and return their shape where X tells it; anything else is left to the validation."""
    try:
        images = X if hasattr(X, "ndim") else np.asarray(X)
    except ValueError as error:
        raise UserError("The images in X have several shapes; bring them to one size.") from error
    if images.ndim not in (3, 4):
        return X, None
    images = np.asarray(images)
    if images.ndim == 4 and are_channels_first(images.shape, least=MOST_CHANNELS + 1):
        images = np.moveaxis(images, 1, 3)
    if images.ndim == 4 and 1 in images.shape[1:3]:
        raise UserError(
            f"X has the shape {images.shape}, and its images would be a single row of pixels; give it as (n, height,"
            " width, channels) or (n, channels, height, width)."
        )
    shape = images.shape[1:]
    return images.reshape(len(images), math.prod(shape)), shape


def shape_of(found: tuple[int, ...] | None, given: tuple[int, ...] | None, n_features: int) -> tuple[int, ...]:
    """Return the shape of an image: as found in X, as given, or the smallest square that holds the features."""
    shape = found if given is None else tuple(given)
    if shape is None:
        side = math.isqrt(n_features - 1) + 1
        if side**2 != n_features:
            warnings.warn(
                f"X has {n_features} features, which are not a square image; they are laid row by row into {side} x"
                f" {side} pixels. Give image_shape=(height, width) if they are an image.",
                UserWarning,
                stacklevel=3,
            )
        return side, side
    if found not in (None, shape) or len(shape) not in (2, 3) or math.prod(shape) != n_features:
        held = f"images of shape {found}" if found else f"{n_features} features"
        raise UserError(
            f"image_shape is {shape}, but X holds {held}; give (height, width) or (height, width, channels) of X."
        )
    return shape


def check_shape(found: tuple[int, ...] | None, fitted: tuple[int, ...]) -> None:
    """Refuse later images of another shape than those that were fitted."""
    if found is not None and _plain(found) != _plain(fitted):
        raise UserError(f"X holds images of shape {found}, but those in fit had {fitted}; resize them.")


def images_of(values: np.ndarray, image_shape: tuple[int, ...], scale: tuple[float, float]) -> np.ndarray:
    """Put rows of values into images.

    Parameters
    ----------
    values : array (N, features)
        A row per image; where it is shorter than an image, the rest is dark.
    image_shape : tuple
        (height, width) or (height, width, channels).
    scale : tuple of float
        The values that become 0 and 1; what lies beyond is cut off there.

    Returns
    -------
    float32 array (N, C, H, W)
        Intensities in [0, 1].
    """
    low, high = scale
    scaled = np.clip((values - low) / (high - low), 0, 1)
    missing = math.prod(image_shape) - values.shape[1]
    channels_last = np.pad(scaled, ((0, 0), (0, missing))).reshape(len(values), *image_shape[:2], -1)
    return np.ascontiguousarray(channels_last.transpose(0, 3, 1, 2), dtype=np.float32)


def limits_of(values: np.ndarray, image_shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the values that are black and white."""
    if values.min() == values.max():
        raise UserError(f"Every value in X is {values.min():g}; there is nothing to learn.")
    whole = math.prod(image_shape) == values.shape[1]
    scale = scale_of(values.reshape(-1, *image_shape[:2], math.prod(image_shape[2:])) if whole else values[:, None])
    if scale.clipped:
        warnings.warn(
            f"Single values of X are set apart from all others ({scale.clipped}), as hot pixels are; X goes from"
            f" {scale.black:g} to {scale.white:g}, and they are cut off there.",
            UserWarning,
            stacklevel=3,
        )
    return scale.black, scale.white


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Return an int as it is, and draw one otherwise, as scikit-learn does."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an image without an axis for a single channel."""
    return shape[:2] if shape[2:] == (1,) else shape
