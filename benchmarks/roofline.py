"""How far each part of a training step is from what the machine can do. Called by ``speed.py --roofline``.

Products of matrices and convolutions are bound by the rate of this machine's own float32 product, measured before and
after in the same process; everything else by the rate at which it copies an array of the templates' size. PyTorch
counts multiplications, and its profiler shares the step's processor time out. What is in no operation is the time of
Python, and of PyTorch between operations; the profiler lengthens it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from math import prod
from typing import Any

import torch
from common import report
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from ssrvae_core.config import run_config
from ssrvae_core.data import load, split
from ssrvae_core.models import build
from ssrvae_core.training import Trainer
from ssrvae_core.training.objective import Batch, Objective

PARTS = {
    "convolutions": ("conv",),
    "products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::addmv", "aten::mv", "aten::baddbmm"),
    "spectra": ("_fft",),
    "sampling": ("grid_sampler",),
    "copies": ("aten::copy_", "aten::cat", "aten::index", "aten::fill_", "aten::clone", "aten::zero_"),
    "softplus and sigmoid": ("softplus", "sigmoid"),
}
"""Parts of a step by the names of their operations; what is in none of them is ``elementwise``."""
MULTIPLY = ("convolutions", "products")


def best(function: Callable[[], Any], repeats: int = 20) -> float:
    """Return the shortest processor time of a call, seconds."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return min(times)


def product_rate() -> float:
    """Return the multiply-adds per processor second of a float32 product of two matrices."""
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    return 1024**3 / best(lambda: left @ right)


def copy_rate() -> float:
    """Return the bytes per processor second, read and written, of a copy of 2.5 MB."""
    source, target = torch.randn(400, 1536), torch.empty(400, 1536)
    return 2 * source.nbytes / best(lambda: target.copy_(source))


def part_of(operation: str) -> str:
    """Return the part of a step that an operation belongs to."""
    return next((part for part, names in PARTS.items() if any(name in operation for name in names)), "elementwise")


def roofline(data: str = "cards-b2", steps: int = 50) -> None:
    """Report the multiply-adds of a step, and for each part the time it takes and its bound."""
    config = run_config(model="ss-rvae", data=data, settings={"training.epochs": 3, "training.starts": 1})
    trainer = Trainer(config, split(load(config.dataset), config.split))
    batches = trainer._batches.of_epoch(trainer._course, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    rates = [product_rate()]
    trainer.model.train()
    for batch in islice(batches, 5):
        trainer._step(batch, generator)
    with FlopCounterMode(display=False) as counter:
        trainer._step(next(batches), generator)
    multiplied: dict[str, int] = dict.fromkeys(MULTIPLY, 0)
    for operation, count in counter.get_flop_counts()["Global"].items():
        multiplied[part_of(str(operation).replace("aten.", "aten::"))] += count // 2
    began = time.process_time()
    for batch in islice(batches, steps):
        trainer._step(batch, generator)
    whole = (time.process_time() - began) / steps
    began = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
        for batch in islice(batches, 20):
            trainer._step(batch, generator)
        profiled_for = time.perf_counter() - began
    rates.append(product_rate())
    rate, bandwidth = max(rates), copy_rate()
    seconds, moved = dict.fromkeys([*PARTS, "elementwise"], 0.0), dict.fromkeys([*PARTS, "elementwise"], 0)
    for row in profiled.key_averages(group_by_input_shape=True):
        if row.key.startswith("aten::"):
            part = part_of(row.key)
            seconds[part] += row.self_cpu_time_total / 1e6 / profiled_for * whole
            # A view has no time of its own, and no bytes.
            if row.self_cpu_time_total / row.count > 10:
                moved[part] += row.count * _bytes(row.input_shapes) / 20
    total = sum(multiplied.values())
    report(
        roofline=data,
        threads=torch.get_num_threads(),
        million_multiply_adds=total / 1e6,
        gflops=2 * rate / 1e9,
        gigabytes_per_second=bandwidth / 1e9,
        step_ms=1e3 * whole,
        bound_ms=1e3 * total / rate,
        step_over_bound=whole * rate / total,
        epoch_bound_seconds=total / rate * trainer._batches.n_steps,
    )
    for part, spent in seconds.items():
        bound = multiplied[part] / rate if part in MULTIPLY else moved[part] / bandwidth
        report(part=part, ms=1e3 * spent, bound_ms=1e3 * bound, over_bound=spent / bound if bound else None)
    report(part="Python, and PyTorch between operations", ms=1e3 * (whole - sum(seconds.values())))


def _bytes(shapes: list[Any]) -> int:
    """Return the bytes of float32 arguments, and of a result as large as the largest of them."""
    sizes = [prod(shape) for shape in shapes if shape and all(isinstance(side, int) for side in shape)]
    return 4 * (sum(sizes) + max(sizes, default=0))


def encoding(data: str = "cards-b2") -> None:
    """Report the images of 48x48 per second that a model encodes, 500 at a time."""
    config = run_config(model="ss-rvae", data=data)
    images = torch.rand(2000, 1, config.dataset.size, config.dataset.size)
    model = build(config.model, (1, *images.shape[2:]), 4).eval()
    began = time.perf_counter()
    seconds = best(lambda: [model.encode(part) for part in images.split(500)], repeats=7)
    wall = (time.perf_counter() - began) / 7
    report(encode=config.dataset.size, images_per_processor_second=2000 / seconds, images_per_second=2000 / wall)


def classes(few: int = 4, many: int = 20, side: int = 64) -> None:
    """Report what more classes cost, at 100 unlabelled and 32 labelled images per step."""
    config = run_config(model="ss-rvae", data="cards-b2")
    found: dict[int, dict[str, float]] = {}
    for n_classes in (few, many):
        model = build(config.model, (1, side, side), n_classes).train()
        y = model.one_hot(torch.arange(32) % n_classes)
        batch = Batch(torch.rand(32, 1, side, side), y, torch.rand(100, 1, side, side))
        x = model.look(torch.cat([batch.labelled, batch.unlabelled]))
        every = torch.eye(n_classes).unsqueeze(1).expand(-1, 100, -1)
        objective, generator = Objective(model, config.training), torch.Generator().manual_seed(0)
        z = [torch.randn(*part.shape[:-1], model.latents) for part in (y, every)]
        views = x.split([32, 100])
        calls: dict[str, Callable[[], Any]] = {
            "step": lambda o=objective, b=batch, g=generator: o(b, 1.0, g).total.backward(),  # type: ignore[misc]
            "features": lambda m=model, x=x: m.encoder.features(m.features(x)),  # type: ignore[misc]
            "encoder": lambda m=model, x=x, p=(y, every): m.infer(x, p),  # type: ignore[misc]
            "decoder and likelihood": lambda m=model, p=(views, z, (y, every), (True, False)): m.log_likelihoods(*p),  # type: ignore[misc]
        }
        found[n_classes] = {name: 1e3 * best(call) for name, call in calls.items()}
    ratios = {name: found[many][name] / found[few][name] for name in found[few]}
    report(side=side, milliseconds={str(k): values for k, values in found.items()}, ratio=ratios, classes=many / few)


def fast(epochs: int | None = None) -> None:
    """Report the preset ``fast`` on 500 particles of 64x64, whole or its first epochs."""
    settings = {"dataset.size": 64, "dataset.train_per_class": 100, "dataset.validation_per_class": 20}
    config = run_config(data="particles", model="ss-rvae", settings=settings)
    trainer = Trainer(config, split(load(config.dataset), config.split))
    began, processor = time.perf_counter(), time.process_time()
    done = [record.epoch for record in islice(trainer.fit(), epochs)]
    report(
        fast="500 particles of 64x64",
        epochs=done[-1],
        of=config.training.epochs,
        starts=config.training.starts,
        steps_per_epoch=trainer._batches.n_steps,
        seconds=time.perf_counter() - began,
        processor_seconds=time.process_time() - processor,
    )
