"""A trained model as one safetensors file: the weights, and in its metadata all that rebuilds the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ssrvae_core.config import SCHEMA_VERSION, Frozen, RunConfig, UserError
from ssrvae_core.models import SSVAE, build

KEY = "ssrvae"


class Metadata(Frozen):
    """What a model file says of itself.

    Attributes
    ----------
    config : RunConfig
        The run that trained the model.
    image_shape : tuple (C, H, W)
        Shape of the images it was trained on.
    class_names : tuple of str, length K
        Name of class ``k`` at position ``k``.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    config: RunConfig
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    class_names: Annotated[tuple[str, ...], Field(min_length=1)]


def save_weights(model: SSVAE, path: Path | str, *, config: RunConfig, class_names: Sequence[str]) -> None:
    """Write a model's weights, and what rebuilds it, to a safetensors file.

    Parameters
    ----------
    model : SSVAE
        The trained model.
    path : Path or str
        Where the file goes; a caller that needs it whole or absent writes to a temporary name.
    config : RunConfig
        The run that trained it.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``.
    """
    metadata = Metadata(config=config, image_shape=model.image_shape, class_names=tuple(class_names))
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    Path(path).write_bytes(save(weights, metadata={KEY: metadata.model_dump_json()}))


def read_metadata(path: Path | str) -> Metadata:
    """Return what a model file says of itself, without reading its weights.

    Raises
    ------
    UserError
        If the file is missing, damaged, or not a model of this program.
    """
    return _read(Path(path), weights=False)[0]


def load_model(
    path: Path | str,
    device: torch.device | str = "cpu",
    *,
    classifier: nn.Module | None = None,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> SSVAE:
    """Rebuild a model from its file, ready to be asked (in evaluation mode).

    Parameters
    ----------
    path : Path or str
        A file of :func:`save_weights`.
    device : torch.device or str
        Where the model goes.
    classifier, encoder, decoder : nn.Module, optional
        Your own networks, where the model was built with such.

    Raises
    ------
    UserError
        If the file is missing, damaged, not a model of this program, or trained with other networks.
    """
    metadata, weights = _read(Path(path), weights=True)
    n_classes = len(metadata.class_names)
    with torch.random.fork_rng(devices=[]):  # the first weights are random, and nobody's business
        model = build(
            metadata.config.model,
            metadata.image_shape,
            n_classes,
            classifier=classifier,
            encoder=encoder,
            decoder=decoder,
        )
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"The weights in '{path}' do not fit the model its configuration describes; "
            "hand in the networks it was trained with, or train the run again."
        ) from error
    if model.opinion is not None and not model.opinion.sound:
        raise UserError(f"The second opinion in '{path}' holds numbers that no training gives; train the run again.")
    return model.to(device).eval()


def _read(path: Path, *, weights: bool) -> tuple[Metadata, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()} if weights else {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise UserError(f"There is no model file '{path}'; train a model first, or check the path.") from error
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"'{path}' is not a whole safetensors file ({error}); train the run again, or copy the file again."
        ) from error
    if metadata is None:
        raise UserError(f"'{path}' holds weights, but not a model of this program; choose a run's model.safetensors.")
    try:
        return Metadata.model_validate_json(metadata), tensors
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "JSON"
        raise UserError(
            f"'{path}' was written by another version of this program: its metadata ({where}) cannot be read; "
            "open it with that version, or train the run again."
        ) from error
