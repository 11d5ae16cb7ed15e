"""Handwritten digits: scikit-learn's copy of the UCI set (8 x 8 pixels, about 178 a class), enlarged and posed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.data.generated import Drawing, DrawnImages, Stream, generate, stream
from ssrvae_core.data.pose import linear_maps

DIGIT_HEIGHT = 0.7
"""Height of a digit's original frame at scale 1, in image sides, so that it can turn."""


def draw_digits(config: DatasetConfig) -> DrawnImages:
    """Draw handwritten digits, each original once: in training or in validation, never in both.

    Enlarging and pose are one affine map with cubic spline interpolation, so an image is resampled once.

    Parameters
    ----------
    config : DatasetConfig
        Image size, numbers a class, disorder and seed.

    Returns
    -------
    DrawnImages
        Images (N, 1, size, size); the factors are those of the pose.

    Raises
    ------
    UserError
        If more digits a class are asked for than there are.
    """
    originals, classes = _originals()
    per_class = config.train_per_class + config.validation_per_class
    fewest = int(np.bincount(classes).min())
    if per_class > fewest:
        raise UserError(
            f"The digits have {fewest} images per class, but train_per_class + validation_per_class is {per_class};"
            " ask for fewer."
        )
    rng = stream(config, Stream.OBJECTS)
    orders = [rng.permutation(np.flatnonzero(classes == digit))[:per_class] for digit in range(10)]
    original = np.stack(orders, axis=1).ravel()  # the classes take turns, as everywhere

    def draw(positions: np.ndarray, _: np.ndarray, poses: Mapping[str, np.ndarray], __: int) -> Drawing:
        return Drawing(_posed(originals[original[positions]], poses, config.size))

    return generate(config, tuple(str(digit) for digit in range(10)), draw)


def _originals() -> tuple[np.ndarray, np.ndarray]:
    """Images float64 (1797, 8, 8) in [0, 1], and their digits."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images / 16, digits.target


def _posed(originals: np.ndarray, poses: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Float32 (n, 1, size, size)."""
    from scipy.ndimage import affine_transform

    n, side, _ = originals.shape
    zoom = DIGIT_HEIGHT * size / side
    inverse = np.linalg.inv(zoom * linear_maps(poses))
    # scipy maps (row, column); a row counts down, y up.
    flip = np.array([[0.0, -1.0], [1.0, 0.0]])
    matrices = flip @ inverse @ flip.T
    centres = np.stack([-poses["shift_y"], poses["shift_x"]], axis=1) + (size - 1) / 2
    images = np.empty((n, 1, size, size), dtype=np.float32)
    for i in range(n):
        offset = (side - 1) / 2 - matrices[i] @ centres[i]
        images[i, 0] = affine_transform(
            originals[i], matrices[i], offset, output_shape=(size, size), order=3, mode="grid-constant"
        )
    return np.clip(images, 0, 1)
