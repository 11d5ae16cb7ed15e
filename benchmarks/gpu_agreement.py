"""Whether the CPU and another device compute the same: the measure that ``gpu.py`` takes for every engine."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ssrvae_core.config import EmbeddingConfig, ModelConfig, RunConfig, TrainingConfig
from ssrvae_core.data import Split
from ssrvae_core.embedding.stage import Stage
from ssrvae_core.models import SSVAE, build
from ssrvae_core.training import Trainer
from ssrvae_core.training.objective import Objective

CPU = torch.device("cpu")

OUTPUTS = 1e-4
"""Largest difference of what is encoded, decoded or of an ELBO, over the largest value of its kind.

Single precision rounds at 6e-8, and a value is a sum of thousands of products: on a CPU it is off double precision by
up to 2e-5 (``cpu_off_double``). A device that adds up in another order is off by as much again; TF32, which rounds at
5e-4, and a wrong formula are off by more than the tolerance.
"""
GRADIENT = 1e-3
"""Largest length of the difference of two gradients, over the length of the gradient.

A rectified unit that is 0 but for rounding has its gradient on one device and none on the other: on a CPU, a gradient
in single precision is off the one in double precision by up to 1.3e-4 on a few images.
"""
TRAINING = 1e-3
"""Largest difference of the losses of a step of two short trainings, over the largest loss.

Rounding grows from step to step, as Adam divides a gradient by its own size, however small both are. After 30 steps the
CPU's losses are off by up to 1e-6 where its initial weights are disturbed by one rounding (``off_by_one_rounding``).
"""
EMBEDDED = 0.02
"""Largest length of the difference of the embedding's features, over their length; and largest share of images whose
class differs. Descriptors of outlines are steps: a pixel more is another value."""
TF32 = {"off": ("ieee", "ieee"), "as PyTorch has it": ("ieee", "tf32"), "on": ("tf32", "tf32")}
"""Precision of matrix products and of convolutions, by what is said of TF32."""


DRAWS = (torch.rand, torch.randn, torch.randperm)


class SameDraws(TorchFunctionMode):
    """Draws every random number on the CPU and takes it to the device, so that all devices draw the same ones."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...] = (), named: Any = None
    ) -> Any:
        """Replace the draws of a training; everything else is as it is."""
        named = dict(named or {})
        if function is torch.Tensor.normal_:
            standard = torch.randn(arguments[0].shape, generator=self._generator, dtype=torch.float32)
            return arguments[0].copy_(standard)
        if function in DRAWS:
            device = named.pop("device", None)
            single = {} if function is torch.randperm else {"dtype": torch.float32}
            drawn = function(*arguments, **(named | {"generator": self._generator} | single))
            return drawn.to(device, drawn.dtype if function is torch.randperm else torch.get_default_dtype())
        return function(*arguments, **named)


@contextmanager
def tf32(device: torch.device, name: str) -> Iterator[None]:
    """Compute on CUDA with TF32 in no product, in convolutions alone (PyTorch's default), or in all of them."""
    backends = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    before = [backend.fp32_precision for backend in backends]
    for backend, precision in zip(backends, TF32[name] if device.type == "cuda" else before, strict=True):
        backend.fp32_precision = precision
    try:
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


class DoublePrecision(TorchFunctionMode):
    """Makes double what asks for single precision by name, but for random numbers, which are to stay the same."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...] = (), named: Any = None
    ) -> Any:
        """Replace the precision."""
        named = dict(named or {})
        if function is torch.Tensor.float:
            return arguments[0].double()
        if named.get("dtype") is torch.float32 and function not in DRAWS:
            named["dtype"] = torch.float64
        return function(*arguments, **named)


@contextmanager
def doubled(model: SSVAE) -> Iterator[SSVAE]:
    """Give the same model in double precision, grids and all, as long as it is used inside."""
    torch.set_default_dtype(torch.float64)
    try:
        with DoublePrecision():
            exact = build(model.config, model.image_shape, model.n_classes)
            exact.load_state_dict(model.state_dict())
            yield exact
    finally:
        torch.set_default_dtype(torch.float32)


@dataclass(frozen=True)
class Probe:
    """What is asked of a model: images (B, C, H, W), and the first L of them with one-hot classes (L, K)."""

    images: torch.Tensor
    y: torch.Tensor

    @classmethod
    def of(cls, data: Split, size: int) -> Probe:
        """Take as many labelled and unlabelled images."""
        labels = torch.from_numpy(data.labelled.labels[:size])
        images = np.concatenate([data.labelled.images[:size], data.unlabelled.images[:size]])
        return cls(torch.from_numpy(images), F.one_hot(labels, data.labelled.n_classes).float())


def asked(model: SSVAE, probe: Probe, device: torch.device, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Return what a copy of a model says of the probe on a device: arrays by name, double precision."""
    model = copy.deepcopy(model).to(device, dtype)
    images, y = probe.images.to(device, dtype), probe.y.to(device, dtype)
    found = model.eval().encode(images, alone=True)  # a second opinion is measured on the CPU in any case
    poses = (
        {}
        if found.angle.isnan().all()
        else {"angle": found.concentration * torch.stack([found.angle.cos(), found.angle.sin()])}
    )
    drawn = model.decode(found.z_mean, found.y, 0.3)
    said = {
        **{name: getattr(found, name) for name in ("class_prob", "z_mean", "z_sd", "shift", "log_likelihood")},
        **poses,
        "decoded": drawn,
    }
    model.train()
    objective = Objective(model, TrainingConfig())
    x = model.look(images)
    with SameDraws(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Encountered")  # Pyro's; a value that is not finite agrees with none
        labelled = objective.elbo(x[: len(y)], y, 1.0) / len(y)
        unlabelled = objective.elbo(x, None, 1.0) / len(x)
        (labelled + unlabelled).backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    said |= {"elbo_labelled": labelled.detach(), "elbo_unlabelled": unlabelled.detach(), "gradient": gradient}
    return {name: value.cpu().numpy().astype(np.float64) for name, value in said.items()}


def difference(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return how far each quantity is off, over the size of what is expected; the gradient by its length."""
    off = {}
    for name, value in expected.items():
        size = np.linalg.norm if name == "gradient" else lambda values: np.abs(values).max()
        off[name] = float(size(found[name] - value) / max(size(value), 1e-12))
    return off


def agrees(off: Mapping[str, float]) -> bool:
    """Whether every quantity is within its tolerance; what is not a number is not."""
    return all(value <= (GRADIENT if name == "gradient" else OUTPUTS) for name, value in off.items())


def losses(config: RunConfig, data: Split, device: torch.device, nudge: float = 0.0) -> tuple[list[float], SSVAE]:
    """Train for a moment with the same random numbers everywhere; return the loss of every step and the model.

    ``nudge`` is a relative disturbance of the initial weights.
    """
    with SameDraws(2):
        trainer = Trainer(config, data, str(device))
        with torch.no_grad():
            for parameter in trainer.model.parameters():
                parameter.mul_(1 + nudge)
        found: list[torch.Tensor] = []
        objective = trainer._objective

        def noted(*arguments: Any, **named: Any) -> Any:
            terms = objective(*arguments, **named)
            found.append(terms.total.detach())
            return terms

        trainer._objective = noted  # type: ignore[assignment]
        for _ in trainer.fit():
            pass
    return torch.stack(found).tolist(), trainer.model


def apart(first: list[float], second: list[float]) -> float:
    """Return the largest difference of two lists of losses, over the largest loss."""
    a, b = np.asarray(first), np.asarray(second)
    return float(np.abs(a - b).max() / np.abs(b).max())


def engine_agreement(config: RunConfig, data: Split, device: torch.device, size: int) -> dict[str, Any]:
    """Compare an engine on the CPU and on the device: a short training of both, then the weights of the CPU's."""
    on_cpu, model = losses(config, data, CPU)
    disturbed, _ = losses(config, data, CPU, nudge=1e-7)
    with tf32(device, "off"):
        on_device, _ = losses(config, data, device)
    training = {"steps": len(on_cpu), "off": apart(on_device, on_cpu), "off_by_one_rounding": apart(disturbed, on_cpu)}
    return _with_verdict(_of_weights(model, Probe.of(data, size), device), training)


def _of_weights(model: SSVAE, probe: Probe, device: torch.device) -> dict[str, Any]:
    single = asked(model, probe, CPU)
    with doubled(model) as exact:
        double = asked(exact, probe, CPU, torch.float64)
    found = {}
    for name in TF32 if device.type == "cuda" else ("off",):
        with tf32(device, name):
            found[name] = difference(asked(model, probe, device), single)
    return {"tf32": found, "cpu_off_double": difference(single, double)}


def _with_verdict(values: dict[str, Any], training: dict[str, Any]) -> dict[str, Any]:
    off = values["tf32"].pop("off")
    passed = agrees(off) and training["off"] <= TRAINING
    tolerances = {"outputs": OUTPUTS, "gradient": GRADIENT, "training": TRAINING}
    return {"ok": passed, "off": off, "training": training, "tolerances": tolerances, **values}


def embedding_agreement(
    images: np.ndarray, model: ModelConfig, steps: int, device: torch.device, size: int
) -> dict[str, Any]:
    """Compare the embedding's unsupervised stage, whose model has one class."""
    config = EmbeddingConfig(model=model, steps=steps, batch_size=size)

    def fitted(on: torch.device) -> Stage:
        with SameDraws(3):
            return Stage(config, device=str(on)).fit(images)

    here = fitted(CPU)
    with tf32(device, "off"):
        there = fitted(device)
    training = {"steps": steps, "off": apart(there.elbo, here.elbo)}
    probe = Probe(torch.from_numpy(images[: 2 * size]), torch.ones(size, 1))
    values = _with_verdict(_of_weights(here.model, probe, device), training)
    moved = Stage(config, device=str(device))
    moved.model = copy.deepcopy(here.model).to(device)
    with tf32(device, "off"):
        pairs = zip(("means", "pooled"), moved.encode(images), here.encode(images), strict=True)
        encoded = {name: difference({name: on}, {name: own})[name] for name, on, own in pairs}
    return values | {"encode": encoded, "ok": values["ok"] and agrees(encoded)}


def estimator_agreement(images: np.ndarray, labels: np.ndarray, steps: int, device: torch.device) -> dict[str, Any]:
    """Compare the whole embedding: its features, and what its head says of a few labels."""
    from ssrvae_core import ParticleEmbedding

    y = np.full(len(labels), -1)
    y[: len(labels) // 4] = labels[: len(labels) // 4]

    def said(on: torch.device) -> tuple[np.ndarray, np.ndarray]:
        with SameDraws(4), tf32(device, "off"):
            embedding = ParticleEmbedding(latent_dim=4, steps=steps, device=str(on)).fit(images[:, 0])
        return embedding.features_, embedding.predict_proba(y)

    (features, chances), (own, expected) = said(device), said(CPU)
    off = {
        "features": float(np.linalg.norm(features - own) / np.linalg.norm(own)),
        "same_class": float((chances.argmax(axis=1) == expected.argmax(axis=1)).mean()),
    }
    ok = off["features"] <= EMBEDDED and off["same_class"] >= 1 - EMBEDDED
    return {"ok": ok, "off": off, "tolerances": {"features": EMBEDDED, "same_class": 1 - EMBEDDED}}
