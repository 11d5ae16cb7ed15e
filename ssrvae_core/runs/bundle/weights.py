"""The safetensors file of a run: its header read here, before any library sees it.

The format is 8 bytes with the length of a JSON header, the header, and the numbers the header describes
(https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from ssrvae_core.config import describe
from ssrvae_core.runs.bundle.archive import Refusal
from ssrvae_core.runs.bundle.documents import MAX_PATH, parse_object

if TYPE_CHECKING:
    from ssrvae_core.models.checkpoint import Metadata

MAX_HEADER = 2**20
"""Most bytes of the header, and of the text in it."""

MAX_AXES = 8
"""Most axes of a tensor."""

_METADATA = "__metadata__"
_KEY = "ssrvae"  # of the metadata, see ssrvae_core.models.checkpoint
_F32 = np.dtype("<f4")


@dataclass(frozen=True)
class Weights:
    """A safetensors file, taken apart.

    Attributes
    ----------
    metadata : dict
        What the file says of its model, see :class:`ssrvae_core.models.checkpoint.Metadata`.
    tensors : dict of str to array
        The weights, float32.
    """

    metadata: dict[str, Any]
    tensors: dict[str, np.ndarray]

    def digest(self) -> str:
        """SHA-256 of names, shapes and numbers; where they lie in the file, and its metadata, do not matter."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            digest.update(json.dumps([name, tensor.shape]).encode())
            digest.update(tensor.tobytes())
        return digest.hexdigest()


def read_weights(content: bytes, what: str) -> Weights:
    """Take a safetensors file apart; the arrays share its memory.

    Raises
    ------
    Refusal
        If it is not all in order, has no metadata of ours, or holds other numbers than finite float32.
    """
    header, numbers = _header(content, what)
    labels = header.pop(_METADATA, None)
    if not isinstance(labels, dict) or labels.keys() != {_KEY} or not isinstance(labels[_KEY], str):
        raise Refusal(f"{what} holds weights, but not of a model of this program")
    metadata = parse_object(labels[_KEY].encode(), f"the metadata of {what}", MAX_PATH)
    tensors, at = {}, 0
    for name, place in sorted(header.items(), key=lambda item: _begin(item[1], what)):
        tensors[name], at = _tensor(name, place, numbers, at, what)
    if at != len(numbers):
        raise Refusal(f"{what} is longer than its weights")
    return Weights(metadata, tensors)


def with_metadata(content: bytes, metadata: dict[str, Any], what: str) -> bytes:
    """Return a safetensors file with other metadata and the same weights."""
    header, numbers = _header(content, what)
    header[_METADATA] = {_KEY: json.dumps(metadata, separators=(",", ":"))}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + numbers


def model_of(weights: Weights, what: str) -> Metadata:
    """Return what the file says of its model.

    Raises
    ------
    Refusal
        If that is not of this version.
    """
    from ssrvae_core.models.checkpoint import Metadata

    try:
        return Metadata.model_validate_json(json.dumps(weights.metadata))
    except ValidationError as error:
        raise Refusal(f"the metadata of {what} cannot be read: {describe(error)[:300].rstrip('.')}") from error


def check_fit(weights: Weights, model: Metadata, what: str) -> None:
    """Check that the weights are those of the model, by name and shape.

    Raises
    ------
    Refusal
        If the model has other weights, or cannot be built.
    """
    wanted = _shapes(model, what)
    shapes = {name: tensor.shape for name, tensor in weights.tensors.items()}
    if odd := wanted.keys() ^ shapes.keys():
        raise Refusal(f"{what} and the model of its configuration do not have the same weights ({min(odd)[:80]!r})")
    for name, shape in shapes.items():
        if shape != wanted[name]:
            raise Refusal(f"{name} in {what} has the shape {shape}, but its model needs {wanted[name]}")


def _shapes(model: Metadata, what: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a model's weights, from a model without any: however wide it is, it takes no memory."""
    import torch
    from torch.overrides import TorchFunctionMode

    from ssrvae_core.models import build

    class Unallocated(TorchFunctionMode):
        """Has layers announce their weights instead of making and initialising them."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if func is torch.empty:
                return func(*args, **kwargs | {"device": "meta"})
            if getattr(func, "__module__", None) == "torch.nn.init":
                return kwargs["tensor"]
            return func(*args, **kwargs)

    try:
        with Unallocated():
            built = build(model.config.model, model.image_shape, len(model.class_names))
    except RuntimeError as error:
        raise Refusal(f"the model of {what} cannot be built ({' '.join(str(error).split())[:200]})") from error
    return {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}


def _header(content: bytes, what: str) -> tuple[dict[str, Any], bytes]:
    """Return the header and the numbers behind it."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= length <= min(MAX_HEADER, len(content) - 8):
        raise Refusal(f"{what} announces a header of {length} bytes, which cannot be")
    if content[8:9] != b"{":
        raise Refusal(f"{what} is not a safetensors file")
    return parse_object(content[8 : 8 + length], f"the header of {what}", max_text=length), content[8 + length :]


def _begin(place: Any, what: str) -> int:
    """Where a tensor begins, of an entry that is as it should be."""
    if isinstance(place, dict) and place.keys() == {"dtype", "shape", "data_offsets"} and place["dtype"] == "F32":
        shape, offsets = place["shape"], place["data_offsets"]
        if _are_counts(shape) and _are_counts(offsets) and len(offsets) == 2 and len(shape) <= MAX_AXES:
            return int(offsets[0])
    raise Refusal(f"{what} describes a tensor in a way that cannot be read; all weights are F32")


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _tensor(name: str, place: dict[str, Any], numbers: bytes, at: int, what: str) -> tuple[np.ndarray, int]:
    """Return the tensor that must begin at ``at``, and where it ends."""
    shape, (begin, end) = place["shape"], place["data_offsets"]
    if begin != at or end - begin != math.prod(shape) * _F32.itemsize or end > len(numbers):
        raise Refusal(f"{name[:80]!r} in {what} does not lie where its shape says")
    values = np.frombuffer(numbers, _F32, math.prod(shape), begin).reshape(shape)
    if not np.isfinite(values).all():
        raise Refusal(f"{name[:80]!r} in {what} holds a number that is not finite")
    return values, end
