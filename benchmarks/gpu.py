"""Measure what a GPU makes of the project in five minutes: agreement with the CPU, resuming, time and memory.

Usage: ``python benchmarks/gpu.py [--device cuda|mps|cpu] [--seconds 270] [--quick]``, anywhere, without a network

It needs PyTorch 2.11 or newer, NumPy, Pydantic, Pyro and jaxtyping; scikit-learn and scikit-image for the embedding's
estimator alone. Parts come in the order of what they tell, each result as soon as it is there, and what does not fit
the seconds is left out and named: whether CPU and device agree for every engine (``gpu_agreement.py`` states the
tolerances, and why), whether a training that was stopped within an epoch resumes to the same bits, the seconds per
epoch and the peak memory for batches of 16 to 4 096 images, and the time of the ``esi`` preset. JSON lines go to the
standard output; the last one holds what belongs in docs/benchmarks.md, which goes to the standard error as well. The
exit code is 1 where a part failed. ``--quick`` takes tiny sizes, which show only that the script runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OLDEST_TORCH = (2, 11)
NEEDS = {"torch": "torch", "numpy": "numpy", "pydantic": "pydantic", "pyro": "pyro-ppl", "jaxtyping": "jaxtyping"}
"""Modules, and the packages they are in."""
FOR_THE_ESTIMATOR = {"sklearn": "scikit-learn", "skimage": "scikit-image"}
BATCHES = (100, 4096, 16, 1024, 256, 64)
"""Images per step: the default first, then the extremes."""
SMALL = {"dataset.size": 28, "dataset.train_per_class": 60}
TINY = {"dataset.size": 16, "dataset.train_per_class": 12}
FEW = {
    "dataset.size": 16,
    "dataset.train_per_class": 80,
    "dataset.validation_per_class": 4,
    "training.tracked": 16,
}
"""Sizes of the data: of the agreement and of resuming, of these with ``--quick``, and of what is timed with it."""
FEW_BATCH = 16
EXACT = {"model.pixel_fraction": 1.0}
ENGINES: dict[str, tuple[str, dict[str, Any]]] = {
    "ss-rvae": ("ss-rvae", {}),
    "ss-vae": ("ss-vae", {}),
    "ss-rvae-paper stochastic": ("ss-rvae-paper", {}),
    "ss-rvae-paper exact": ("ss-rvae-paper", EXACT),
}
SLOW = "ss-rvae-paper exact"
"""Evaluates its decoder at every pixel, which takes a CPU seconds per step, and comes last."""
FIRST = tuple(engine for engine in ENGINES if engine != SLOW)


def absent(modules: dict[str, str]) -> list[str]:
    """Return the packages of modules that are not installed."""
    return [package for module, package in modules.items() if importlib.util.find_spec(module) is None]


def refusal() -> str | None:
    """Return one sentence on what is missing to begin with, None where nothing is."""
    if missing := absent(NEEDS):
        return f"This needs {' and '.join(missing)}; install with 'python -m pip install {' '.join(missing)}'."
    import torch

    version = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))
    if version < OLDEST_TORCH:
        wanted = ".".join(map(str, OLDEST_TORCH))
        return f"This needs PyTorch {wanted} or newer, and here is {torch.__version__}; install a newer one."
    return None


@dataclass
class Session:
    """What is measured on which device, what came of it, and the time that is left."""

    device: Any
    quick: bool
    seconds: float
    began: float = field(default_factory=time.perf_counter)
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.seconds - (time.perf_counter() - self.began)

    def measure(
        self, part: str, name: str, work: Callable[[], dict[str, Any]], needs: float = 0.0, **about: Any
    ) -> None:
        """Do a piece of work, if the seconds that it needs are left, and print what came of it."""
        from common import report

        began = time.perf_counter()
        values: dict[str, Any]
        if self.left < (0.0 if self.quick else needs):
            values = {"skipped": f"{max(self.left, 0):.0f} seconds were left"}
        else:
            try:
                values = work()
            except (RuntimeError, TypeError, ValueError) as error:  # what PyTorch raises where a device lacks something
                values = {"ok": False, "error": f"{type(error).__name__}: {error}".splitlines()[0]}
        values["measured_in"] = round(time.perf_counter() - began, 1)
        self.results.append({"part": part, "name": name, **about, **values})
        report(**self.results[-1])

    def of(self, part: str) -> Iterator[dict[str, Any]]:
        """Return what was measured of a part."""
        return (result for result in self.results if result["part"] == part and "skipped" not in result)


# The parts.


def small_run(session: Session, engine: str, steps: int, **settings: Any) -> tuple[Any, Any]:
    """Return a short training of an engine and its data: two epochs on 28x28 cards, or on a few 16x16 ones."""
    from ssrvae_core.config import run_config
    from ssrvae_core.data import load, split

    model, own = ENGINES[engine]
    few = {"dataset.validation_per_class": 4, "training.starts": 1, "training.tracked": 16, "training.epochs": 2}
    config = run_config(
        data="cards-b2",
        model=model,
        labels_per_class=4 if session.quick else 16,
        settings={
            **(TINY if session.quick else SMALL),
            **few,
            **{"training.batch_size": 32, "training.min_steps": steps},
            **settings,
            **own,
        },
    )
    return config, split(load(config.dataset), config.split)


def agree(session: Session, *engines: str) -> None:
    """Compare engines on CPU and device."""
    from gpu_agreement import engine_agreement

    steps, size = (2, 8) if session.quick else (15, 32)
    for engine in engines:
        few = {"dataset.size": 16, "training.batch_size": 100} if engine == SLOW else {}
        config, data = small_run(session, engine, 2 if few else steps, **few)
        session.measure(
            "agreement",
            engine,
            lambda c=config, d=data: engine_agreement(c, d, session.device, size),
            needs=30 if few else 0,
        )


def agree_on_embedding(session: Session) -> None:
    """Compare the embedding's stage and estimator on CPU and device."""
    from gpu_agreement import embedding_agreement, estimator_agreement

    from ssrvae_core.config import EmbeddingConfig

    device, steps, size = session.device, 4 if session.quick else 30, 8 if session.quick else 32
    _, data = small_run(session, "ss-rvae", 1)
    images, labels = data.unlabelled.images, data.hidden_labels
    session.measure(
        "agreement",
        "embedding's stage",
        lambda: embedding_agreement(images, EmbeddingConfig().model, steps, device, size),
    )
    missing = absent(FOR_THE_ESTIMATOR)
    session.measure(
        "agreement",
        "ParticleEmbedding",
        lambda: (
            {"skipped": f"{' and '.join(missing)} are not installed"}
            if missing
            else estimator_agreement(images, labels, steps, device)
        ),
    )


def resume_all(session: Session, *engines: str) -> None:
    """Stop and resume a short training of engines on the device."""
    from gpu_training import resume

    for engine in engines:
        few = {"dataset.size": 16} if engine == SLOW else {}
        config, data = small_run(session, engine, 2 if session.quick or few else 10, **few)
        session.measure("resume", engine, lambda c=config, d=data: resume(c, d, session.device), needs=15)


def large_run(session: Session, preset: str, engine: str, **settings: Any) -> tuple[Any, Any]:
    """Return a run on the 12 800 training images of cards-b2, or on a few."""
    from ssrvae_core.config import run_config
    from ssrvae_core.data import load, split

    model, own = ENGINES[engine]
    config = run_config(
        preset=preset,
        data="cards-b2",
        model=model,
        labels_per_class=10 if session.quick else 200,
        settings={**settings, **own, **(FEW if session.quick else {})},
    )
    return config, split(load(config.dataset), config.split)


def time_epochs(session: Session, *points: tuple[str, int]) -> None:
    """Time an epoch of one pass over the images, for engines and numbers of images per step."""
    from gpu_training import epoch_seconds

    for engine, batch in points:

        def work(engine: str = engine, batch: int = batch) -> dict[str, Any]:
            labelled = max(32, batch // 8)  # else the passes over the labelled images would set the number of steps
            config, data = large_run(
                session,
                "fast",
                engine,
                **{"training.batch_size": batch, "training.labelled_batch_size": labelled, "training.min_steps": 1},
                **{"training.starts": 1, "training.epochs": 2},
            )
            return epoch_seconds(config, data, session.device, min(15.0, session.left), epochs=2)

        session.measure("epoch", engine, work, needs=8, batch=batch)


def time_esi(session: Session) -> None:
    """Time the preset of the paper's supplement, of which a few epochs stand for all."""
    from gpu_training import epoch_seconds

    from ssrvae_core.config import PRESETS

    epochs = PRESETS["esi"].training.epochs

    def work() -> dict[str, Any]:
        config, data = large_run(session, "esi", "ss-rvae")
        values = epoch_seconds(config, data, session.device, min(40.0, max(session.left, 1.0)), epochs=3)
        return {**values, "epochs": epochs, "hours": values["epoch_seconds"] * epochs / 3600}

    session.measure("esi", "ss-rvae", work, needs=10)


# What goes on the page.


def page(session: Session, about: dict[str, Any]) -> str:
    """Return the section for docs/benchmarks.md."""
    agreement = [
        f"| {r['name']} | {_worst(r)} | {_number(r.get('off', {}).get('gradient'))} | "
        f"{_number(r.get('training', {}).get('off'))} | {_worst_tf32(r)} | {_verdict(r)} |"
        for r in session.of("agreement")
    ]
    resumed = [f"| {r['name']} | {_verdict(r)} |" for r in session.of("resume")]
    epochs = [
        f"| {r['name']} | {r['batch']} | {1000 * r['step_seconds']:.2f} ms | "
        f"{r['epoch_seconds']:.3g} for {r['images']:,} images | {r['peak_memory_mb']:.0f} MB of the {r['memory_of']} |"
        for r in session.of("epoch")
        if "error" not in r
    ]
    esi = [
        f"The preset `esi` takes {r['epoch_seconds']:.2f} s per epoch, of which {r['whole_epochs']} were timed whole: "
        f"{r['hours']:.1f} hours for its {r['epochs']} epochs."
        for r in session.of("esi")
        if "error" not in r
    ]
    where = f"{about['device_name']}, torch {about['torch']}, revision {about['revision']}"
    left_out = [described(r) for r in session.results if "skipped" in r or "error" in r]
    return "\n".join(
        [
            "## On a GPU: `python benchmarks/gpu.py`",
            "",
            *(["Tiny sizes, a trial of the script: no figure here says anything.", ""] if session.quick else []),
            f"{where}. Agreement with the CPU: the largest relative difference of what is encoded and decoded",
            "and of the ELBOs, of the gradient, and of the losses of a short training with the same random numbers;",
            "TF32 off, and on in all products in the column that says so. PyTorch has it on in convolutions.",
            "",
            "| what | outputs | gradient | training | outputs with TF32 | within the tolerances |",
            "|---|---|---|---|---|---|",
            *agreement,
            "",
            "| stopped within an epoch and resumed | equal bit by bit |",
            "|---|---|",
            *resumed,
            "",
            "| engine | images per step | step | seconds per epoch | peak memory |",
            "|---|---|---|---|---|",
            *epochs,
            "",
            *esi,
            *([f"Not measured: {', '.join(left_out)}."] if left_out else []),
        ]
    )


def described(result: dict[str, Any]) -> str:
    """Return what was, or was not, measured."""
    return f"{result['part']} of {result['name']}" + (f" with {result['batch']} images" if "batch" in result else "")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _worst(result: dict[str, Any]) -> str:
    off = {name: value for name, value in result.get("off", {}).items() if name not in ("gradient", "same_class")}
    return _number(max(off.values(), default=None))


def _worst_tf32(result: dict[str, Any]) -> str:
    return _worst({"off": result.get("tf32", {}).get("on", {})})


def _verdict(result: dict[str, Any]) -> str:
    return result.get("error") or ("yes" if result["ok"] else "**no**")


def main() -> int:
    """Print JSON lines, and the page's text; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="cuda, mps or cpu; by default the first there is")
    parser.add_argument("--seconds", type=float, default=270, help="after which no other part begins")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, which show only that the script runs")
    arguments = parser.parse_args()
    if sentence := refusal():
        print(sentence, file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(__file__).parent))
    import torch
    from common import machine, report

    from ssrvae_core.config import UserError
    from ssrvae_core.training import choose_device

    try:
        device = choose_device(arguments.device)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    torch.set_num_threads(1)  # the CPU's part is many small products, in which threads wait for each other
    about = {**machine(), "device": str(device), "device_name": _device_name(device)}
    report(benchmark="gpu", machine=about, convolutions=torch.backends.cudnn.conv.fp32_precision, quick=arguments.quick)
    session = Session(device, arguments.quick, arguments.seconds)
    agree(session, *FIRST)
    agree_on_embedding(session)
    resume_all(session, *FIRST)
    time_epochs(session, *(("ss-rvae", batch) for batch in ((FEW_BATCH,) if session.quick else BATCHES)))
    time_esi(session)
    agree(session, SLOW)
    resume_all(session, SLOW)
    if not session.quick:
        time_epochs(session, *((engine, 100) for engine in ENGINES if engine != "ss-rvae"))
    text = page(session, about)
    failed = [described(r) for r in session.results if not r.get("ok", True)]
    report(part="page", failed=failed, seconds=round(time.perf_counter() - session.began, 1), markdown=text)
    print(f"\nFor docs/benchmarks.md:\n\n{text}", file=sys.stderr)
    if failed:
        print(f"\nNot as it should be: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _device_name(device: Any) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


if __name__ == "__main__":
    sys.exit(main())
