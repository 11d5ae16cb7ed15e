"""What an embedding keeps on disk: ``features.npz`` and ``stage.safetensors``, both without pickles.

``features.npz`` holds

- ``embedding`` (), the id it belongs to, and ``image_shape`` (3,), the (C, H, W) of an image, and
  ``on_masks`` (), whether the descriptors were measured on masks;
- ``features`` (N, F) float32 and ``outlier_scores`` (N,);
- what the data set says of its images: ``ids`` (N,), ``labels`` (N,) with ``class_names`` (K,), and where it has them
  ``names`` (N,), ``groups`` (N,) and ``group_names`` (G,);
- how the features of new images are scaled, per block: ``blocks/<name>/mean`` and ``sd`` of what is measured, ``axes``
  where principal components are taken, ``feature_mean`` and ``feature_sd`` of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.dataset import UNLABELLED, ImageSet
from ssrvae_core.data.labels import Labels
from ssrvae_core.embedding.answers import Answers
from ssrvae_core.runs.embeddings.config import StoredEmbeddingConfig
from ssrvae_core.runs.files import replacing, write_npz
from ssrvae_core.runs.npz import read_npz

if TYPE_CHECKING:
    from ssrvae_core.embedding.features import Features
    from ssrvae_core.models.ssvae import SSVAE

FEATURES = "features.npz"
STAGE = "stage.safetensors"
ONE_CLASS = ("particle",)
"""The single class of the stage's model."""

_SCALING = ("mean", "sd", "feature_mean", "feature_sd")


@dataclass(frozen=True)
class Samples:
    """What a data set says of its images beside their pixels.

    Attributes
    ----------
    ids : int64 array (N,)
        Stable sample ids.
    labels : Labels
        The labels that the data set brings.
    names : tuple of str, optional
        Where each image comes from, such as a file name.
    groups : int64 array (N,), optional
        Index of the micrograph of each.
    group_names : tuple of str, optional
        Name of group ``g`` at position ``g``.
    """

    ids: np.ndarray
    labels: Labels
    names: tuple[str, ...] | None = None
    groups: np.ndarray | None = None
    group_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, images: ImageSet) -> Samples:
        """Return what is said of these images."""
        labels = Labels(images.labels, images.class_names)
        return cls(images.ids, labels, images.names, images.groups, images.group_names)

    def name(self, position: int) -> str:
        """Return where an image comes from; empty where that is not known."""
        return "" if self.names is None else self.names[position]

    def group(self, position: int) -> str:
        """Return the micrograph of an image; empty where that is not known."""
        if self.groups is None:
            return ""
        group = int(self.groups[position])
        return str(group) if self.group_names is None else self.group_names[group]


@dataclass(frozen=True)
class EmbeddedImages:
    """The images of an embedding.

    Attributes
    ----------
    samples : Samples
        What their data set says of them.
    answers : Answers
        Their features, which answer label questions.
    image_shape : tuple
        (C, H, W) of an image.
    """

    samples: Samples
    answers: Answers
    image_shape: tuple[int, int, int]


def write_features(
    path: Path, config: StoredEmbeddingConfig, features: Features, values: np.ndarray, scores: np.ndarray, of: ImageSet
) -> None:
    """Write ``features.npz``: fitted features, their values (N, F), outlier scores (N,), and what belongs to them."""
    arrays: dict[str, Any] = {
        "embedding": np.array(config.embedding_id),
        "image_shape": np.array(of.image_shape),
        "features": values,
        "outlier_scores": scores,
        "ids": of.ids,
        "labels": of.labels,
        "class_names": np.array(of.class_names, dtype=np.str_),
        "on_masks": np.array(features.on_masks),
    }
    if of.names is not None:
        arrays["names"] = np.array(of.names, dtype=np.str_)
    if of.groups is not None:
        arrays["groups"] = of.groups
    if of.group_names is not None:
        arrays["group_names"] = np.array(of.group_names, dtype=np.str_)
    for block in features.blocks:
        own = {"mean": block.before.mean, "sd": block.before.sd, "axes": block.axes}
        own |= {"feature_mean": block.after.mean, "feature_sd": block.after.sd}
        arrays |= {f"blocks/{block.name}/{name}": array for name, array in own.items() if array is not None}
    write_npz(path / FEATURES, arrays)


def read_images(path: Path, config: StoredEmbeddingConfig) -> EmbeddedImages:
    """Read what label questions are answered from, without the stage.

    Raises
    ------
    UserError
        If ``features.npz`` cannot be read, or is not of this embedding.
    """
    return _images(_arrays(path, config), config)


def read_fitted(path: Path, config: StoredEmbeddingConfig, device: str) -> tuple[Features, EmbeddedImages]:
    """Read the fitted features with the stage, ready for new images, and the images they were fitted to.

    Raises
    ------
    UserError
        If a file cannot be read, or is not of this embedding.
    """
    from ssrvae_core.embedding.features import Features
    from ssrvae_core.embedding.scaling import Block, Scaling

    arrays = _arrays(path, config)
    images = _images(arrays, config)
    features = Features(config.embedding, config.seed, device)
    features.on_masks = bool(arrays["on_masks"])
    for name in config.embedding.blocks:
        mean, sd, feature_mean, feature_sd = (arrays[f"blocks/{name}/{part}"] for part in _SCALING)
        axes = arrays.get(f"blocks/{name}/axes")
        features.blocks.append(Block(name, Scaling(mean, sd), axes, Scaling(feature_mean, feature_sd)))
    if features.stage is not None:
        features.stage.restore(read_stage(path, config, images.image_shape))
    return features, images


def write_stage(path: Path, config: StoredEmbeddingConfig, model: SSVAE) -> None:
    """Write ``stage.safetensors``."""
    from ssrvae_core.models.checkpoint import save_weights

    with replacing(path / STAGE) as temporary:
        save_weights(model, temporary, config=config.as_run, class_names=ONE_CLASS)


def read_stage(path: Path, config: StoredEmbeddingConfig, image_shape: tuple[int, int, int]) -> SSVAE:
    """Read ``stage.safetensors``.

    Raises
    ------
    UserError
        If it cannot be read, or is not of this embedding.
    """
    from ssrvae_core.models.checkpoint import load_model, read_metadata

    try:
        metadata = read_metadata(path / STAGE)
        if metadata.config.model == config.embedding.model and metadata.image_shape == image_shape:
            return load_model(path / STAGE)
    except UserError as error:
        raise UserError(f"{path / STAGE} is missing or damaged; {_advice(path)}.") from error
    raise UserError(f"{path / STAGE} is not the stage of this embedding; {_advice(path)}.")


def _advice(path: Path) -> str:
    return f"run 'python -m ssrvae_core delete {path.name}' and make the embedding again"


def _arrays(path: Path, config: StoredEmbeddingConfig) -> dict[str, np.ndarray]:
    """Read ``features.npz`` and check that its arrays fit together."""
    required = ["embedding", "image_shape", "on_masks", "features", "outlier_scores", "ids", "labels", "class_names"]
    required += [f"blocks/{name}/{part}" for name in config.embedding.blocks for part in _SCALING]
    arrays = read_npz(path / FEATURES, required, _advice(path))
    if str(arrays["embedding"]) != path.name:
        raise UserError(f"{path / FEATURES} is of another embedding ({arrays['embedding']}); {_advice(path)}.")
    if (odd := _misfit(arrays, config)) is not None:
        raise UserError(f"The array '{odd}' of {path / FEATURES} does not fit the others; {_advice(path)}.")
    return arrays


def _misfit(arrays: dict[str, np.ndarray], config: StoredEmbeddingConfig) -> str | None:
    """Return the name of an array that is not what the others need, None where all are as they must be."""
    n, k = arrays["ids"].size, arrays["class_names"].size
    groups = arrays["group_names"].size if "group_names" in arrays else np.inf
    wanted: dict[str, tuple[tuple[int, ...], str]] = {
        "ids": ((n,), "iu"),
        "labels": ((n,), "iu"),
        "groups": ((n,), "iu"),
        "names": ((n,), "U"),
        "class_names": ((k,), "U"),
        "group_names": ((arrays.get("group_names", arrays["ids"]).size,), "U"),
        "outlier_scores": ((n,), "f"),
        "image_shape": ((3,), "iu"),
        "on_masks": ((), "b"),
    }
    width = 0
    for block in config.embedding.blocks:
        measured, own = arrays[f"blocks/{block}/mean"].size, arrays[f"blocks/{block}/feature_mean"].size
        wanted |= {f"blocks/{block}/{part}": ((own if "feature" in part else measured,), "f") for part in _SCALING}
        wanted[f"blocks/{block}/axes"] = ((measured, own), "f")
        if f"blocks/{block}/axes" not in arrays and measured != own:
            return f"blocks/{block}/mean"
        width += own
    wanted["features"] = ((n, width), "f")
    for name, (shape, kinds) in wanted.items():
        if name in arrays and (arrays[name].shape != shape or arrays[name].dtype.kind not in kinds):
            return name
        if name in arrays and kinds == "f" and not np.isfinite(arrays[name]).all():
            return name
    if len(np.unique(arrays["ids"])) < max(n, 1):
        return "ids"
    if arrays["labels"].min() < UNLABELLED or arrays["labels"].max() >= k:
        return "labels"
    of_groups = arrays.get("groups", np.zeros(1))
    return None if of_groups.min() >= 0 and of_groups.max() < groups else "groups"


def _images(arrays: dict[str, np.ndarray], config: StoredEmbeddingConfig) -> EmbeddedImages:
    columns: dict[str, slice] = {}
    first = 0
    for name in config.embedding.blocks:
        columns[name] = slice(first, first + arrays[f"blocks/{name}/feature_mean"].size)
        first = columns[name].stop
    groups = arrays.get("groups")
    channels, height, width = (int(side) for side in arrays["image_shape"])
    samples = Samples(
        ids=arrays["ids"],
        labels=Labels(arrays["labels"], tuple(arrays["class_names"].tolist())),
        names=_texts(arrays, "names"),
        groups=groups,
        group_names=_texts(arrays, "group_names"),
    )
    answers = Answers(arrays["features"], columns, arrays["outlier_scores"], groups, config.seed)
    return EmbeddedImages(samples, answers, (channels, height, width))


def _texts(arrays: dict[str, np.ndarray], name: str) -> tuple[str, ...] | None:
    return tuple(arrays[name].tolist()) if name in arrays else None
