"""The arrays of a run: npz files as they are put into a bundle, and what they must hold.

An npz is a zip of ``.npy`` files. Those of a bundle are written again, plain and not compressed, so that they can be
read as strictly as the bundle itself; nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np

from ssrvae_core.config import RunConfig
from ssrvae_core.data.limits import MAX_NAME
from ssrvae_core.runs import thumbnails
from ssrvae_core.runs.bundle.archive import Archive, Refusal, write

FACTOR = "factors/"
MAX_FACTORS = 1000

_LONGEST_FACTOR = 300  # a file may call its factors anything

_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<f4|<i8|\|u1)', 'fortran_order': False, "
    rb"'shape': \(([1-9][0-9]{0,17},|[1-9][0-9]{0,17}(?:, [1-9][0-9]{0,17}){1,7})\), \} *\n",
    re.DOTALL,
)
_LARGEST_HEADER = 1024
_TOLERANCE = 1e-3  # of probabilities and angles, which are float32


@dataclass(frozen=True)
class Extent:
    """What the arrays of one run have in common.

    Attributes
    ----------
    config : RunConfig
        The run.
    n_classes : int
        Number of classes K.
    image_shape : tuple (C, H, W)
        Shape of an image.
    """

    config: RunConfig
    n_classes: int
    image_shape: tuple[int, int, int]

    @property
    def latent_dim(self) -> int:
        """Number of content latents D."""
        return self.config.model.latent_dim


def is_factor(name: str) -> bool:
    """Whether an array of this name is a factor that a bundle may hold."""
    own = unquote(name.removeprefix(FACTOR))
    return name.startswith(FACTOR) and 0 < len(own) <= _LONGEST_FACTOR and own.isprintable() and name.isascii()


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays as an npz; equal arrays give equal bytes."""
    members = []
    for name, values in sorted(arrays.items()):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
        members.append((f"{name}.npy", buffer.getvalue()))
    file = io.BytesIO()
    write(file, members, packed=False)
    return file.getvalue()


def unpack(content: bytes, what: str) -> dict[str, np.ndarray]:
    """Read an npz of :func:`pack`.

    Raises
    ------
    Refusal
        If it is anything else: compressed, pickled, damaged, or of other types than float32, int64 and uint8.
    """
    archive = Archive.of(content, what, packed=False)
    if odd := [name for name in archive.entries if not name.endswith(".npy")]:
        raise Refusal(f"{what} holds {odd[0][:MAX_NAME]!r}, which is not an array")
    return {name.removesuffix(".npy"): _array(archive.read(name), f"{name} of {what}") for name in archive.entries}


def _array(content: bytes, what: str) -> np.ndarray:
    match = _NPY.match(content[:_LARGEST_HEADER])
    if match is None or int.from_bytes(content[8:10], "little") != match.end() - 10:
        raise Refusal(f"{what} is not a plain array of float32, int64 or uint8")
    dtype = np.dtype(match[1].decode())
    shape = tuple(int(side) for side in match[2].decode().split(",") if side)
    if math.prod(shape) * dtype.itemsize != len(content) - match.end():
        raise Refusal(f"{what} does not hold as many numbers as its shape says")
    return np.frombuffer(content, dtype, offset=match.end()).reshape(shape)


def check_predictions(arrays: Mapping[str, np.ndarray], extent: Extent, what: str) -> None:
    """Check what ``validation.npz`` says against the run: types, shapes and ranges."""
    n, k, d = len(_rows(arrays, "ids", what)), extent.n_classes, extent.latent_dim
    shapes: dict[str, tuple[int, ...]] = {"labels": (n,), "class_prob": (n, k), "z_mean": (n, d), "z_sd": (n, d)}
    shapes |= dict.fromkeys(("angle", "concentration", "log_likelihood"), (n,))
    factors = {name: (n,) for name in arrays if name.startswith(FACTOR)}
    _check_shapes(arrays, {"ids": (n,), **shapes, **factors}, ("ids", "labels"), what)
    for name in factors:
        if not is_factor(name) or len(factors) > MAX_FACTORS:
            raise Refusal(f"{what} has a factor with an unusable name, or more than {MAX_FACTORS} factors")
    if len(np.unique(arrays["ids"])) < n:
        raise Refusal(f"{what} holds an id twice")
    if not _within(arrays["labels"], -1, k - 1):
        raise Refusal(f"{what} has a label that is none of its {k} classes")
    _check_probabilities(arrays["class_prob"], what)
    rotates = not np.isnan(arrays["angle"]).all()
    angles = {"angle": (-math.pi, math.pi), "concentration": (0.0, 1.0)}
    for name, (low, high) in {"z_sd": (0.0, math.inf), **(angles if rotates else {})}.items():
        if not _within(arrays[name], low, high):
            raise Refusal(f"{name} of {what} is outside its range")
    if not rotates and not np.isnan(arrays["concentration"]).all():
        raise Refusal(f"{what} has concentrations, but no angles")
    for name in ("z_mean", "z_sd", "log_likelihood"):
        _check_finite(arrays, name, what)


def check_snapshots(arrays: Mapping[str, np.ndarray], ids: np.ndarray, extent: Extent, what: str) -> None:
    """Check what ``snapshots.npz`` says against the run and the ids of its validation images."""
    epochs, tracked = _rows(arrays, "epochs", what), _rows(arrays, "ids", what)
    e, t, d, k = len(epochs), len(tracked), extent.latent_dim, extent.n_classes
    shapes: dict[str, tuple[int, ...]] = {"epochs": (e,), "ids": (t,), "z_mean": (e, t, d), "class_prob": (e, t, k)}
    _check_shapes(arrays, shapes, ("epochs", "ids"), what)
    if not _within(epochs, 1, extent.config.training.epochs) or (np.diff(epochs) <= 0).any():
        raise Refusal(f"the epochs of {what} are not those of its run")
    if len(np.unique(tracked)) < len(tracked) or not np.isin(tracked, ids).all():
        raise Refusal(f"{what} follows images that are not in the run's validation part")
    _check_finite(arrays, "z_mean", what)
    _check_probabilities(arrays["class_prob"], what)


def check_manifold(arrays: Mapping[str, np.ndarray], extent: Extent, what: str) -> None:
    """Check that ``manifold.npz`` is a square grid of images for every class."""
    images = arrays.get("images")
    if arrays.keys() != {"images"} or images is None or images.dtype != np.uint8 or images.ndim != 6:
        raise Refusal(f"{what} does not hold the images of a manifold")
    k, rows, columns, *image_shape = images.shape
    if k != extent.n_classes or rows != columns or tuple(image_shape) != extent.image_shape:
        raise Refusal(f"the images of {what} have the shape {images.shape}, which is not its model's")


def check_thumbnails(arrays: Mapping[str, np.ndarray], choices: Sequence[np.ndarray], what: str) -> None:
    """Check that ``thumbnails.npz`` has a small picture of each image, and nothing else.

    ``choices`` are the ids of the validation images and, where they are known, of all images.
    """
    faults = [thumbnails.fault(arrays, ids) for ids in choices]
    if None not in faults:
        raise Refusal(f"{what} {faults[0]}")


def _rows(arrays: Mapping[str, np.ndarray], name: str, what: str) -> np.ndarray:
    """Return the array that numbers the rows of others."""
    if name not in arrays or arrays[name].ndim != 1 or not len(arrays[name]):
        raise Refusal(f"{what} has no list '{name}'")
    return arrays[name]


def _check_shapes(
    arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], integers: tuple[str, ...], what: str
) -> None:
    """Check names, shapes and types; what is not an integer is float32."""
    if odd := arrays.keys() ^ shapes.keys():
        raise Refusal(f"{what} lacks, or should not have, the array {min(odd)[:MAX_NAME]!r}")
    for name, shape in shapes.items():
        dtype = np.dtype(np.int64 if name in integers else np.float32)
        if arrays[name].shape != shape or arrays[name].dtype != dtype:
            raise Refusal(
                f"{name} of {what} is {arrays[name].dtype} {arrays[name].shape}, but the run's is {dtype} {shape}"
            )


def _check_finite(arrays: Mapping[str, np.ndarray], name: str, what: str) -> None:
    if not np.isfinite(arrays[name]).all():
        raise Refusal(f"{name} of {what} holds a number that is not finite")


def _check_probabilities(values: np.ndarray, what: str) -> None:
    if not _within(values, 0, 1) or not _within(values.sum(axis=-1), 1, 1):
        raise Refusal(f"class_prob of {what} does not hold probabilities")


def _within(values: np.ndarray, low: float, high: float) -> bool:
    """Whether all values are between two bounds; NaN is not."""
    return bool(((values >= low - _TOLERANCE) & (values <= high + _TOLERANCE)).all())
