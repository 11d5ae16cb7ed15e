"""Classes of all images of a run: how much memory an image takes beside its pixels, and how many are done per second.

Usage: ``python benchmarks/everything.py [--images 25000 100000] [--side 48]``

It classifies as many images as that, each number in a process of its own, and writes the result as ``particles.npz``,
CSV and Parquet. The images are held in memory, as a training holds them; what is measured is the most memory the
process has while it classifies or writes, less what it had before. A network of a few units keeps it short, as the
memory per image does not depend on the network. How many images are classified per second of processor time is measured
with the preset's network, alone and with the second opinion, whose measurements take most of the time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import machine, report

CLASSES = ("a", "b", "c", "d")
RATED = 1000
"""Images that the rates are measured with."""


def images_of(n: int, side: int):
    """Return N images of noise with all that a file can say of them."""
    from ssrvae_core.data.dataset import ImageSet

    rng = np.random.default_rng(0)
    return ImageSet(
        images=rng.random((n, 1, side, side), dtype=np.float32),
        labels=rng.integers(-1, len(CLASSES), n),
        ids=np.arange(n),
        class_names=CLASSES,
        groups=np.arange(n) // 500,
        group_names=tuple(f"micrograph {number}" for number in range(-(-n // 500))),
        masks=rng.random((n, side, side), dtype=np.float32) > 0.5,
        names=tuple(f"session/micrograph {number // 500}/particle {number}.png" for number in range(n)),
    )


def model_of(side: int, *, small: bool, opinion: bool = False):
    """Return an untrained model: of a few units, or of the preset's, and with heads that count or without."""
    import torch

    from ssrvae_core.config import run_config
    from ssrvae_core.models import build
    from ssrvae_core.records import Judgement

    torch.manual_seed(0)
    config = run_config(data="cards-b2").model
    if small:
        config = config.model_copy(update={"channels": (2, 2), "hidden": (4,), "radii": 4, "angles": 8})
    model = build(config, (1, side, side), len(CLASSES)).eval()
    if model.opinion is not None:
        model.opinion.join(Judgement(1.0, 1.0 if opinion else 0.0))
    return model


def memory() -> dict[str, int]:
    """Return what this process holds now, and the most it held since the last :func:`forget`, bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(lines[key].split()[0]) * 1024 for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))}


def forget() -> int:
    """Let the most memory held be what is held now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory()["now"]


def measure(n: int, side: int, said) -> None:
    """Classify N images, write them, and send what it took."""
    import torch

    from ssrvae_core.data.split import Positions
    from ssrvae_core.runs import everything, particle_file, tables

    torch.set_num_threads(1)
    images, model = images_of(n, side), model_of(side, small=True)
    rows = np.arange(n)
    at = Positions(rows[: n // 100], rows[n // 100 : n // 2], rows[n // 2 :])
    everything.classify(
        model, everything.blocks_of(images.take(rows[:500]), Positions(rows[:10], rows[10:20], rows[20:500]))
    )
    found = {"images": n, "pixels_mb": images.images.nbytes / 1e6}

    def watched(name, action):
        before, began = forget(), time.process_time()
        result = action()
        found[f"{name}_seconds"] = round(time.process_time() - began, 1)
        found[f"{name}_mb"] = round((memory()["peak"] - before) / 1e6, 1)
        return result

    particles = watched("classify", lambda: everything.classify(model, everything.blocks_of(images, at)))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        watched("npz", lambda: particle_file.write(place, particles))
        for kind in (tables.CSV, tables.PARQUET):
            watched(kind[1:], lambda kind=kind: tables.write_table(place / f"all{kind}", particles, CLASSES))
        found |= {f"{file.name}_bytes_per_image": round(file.stat().st_size / n) for file in place.iterdir()}
    said.send(found)


def rate(side: int, said) -> None:
    """Send how many images are classified a second of processor time."""
    import torch

    from ssrvae_core.runs import everything

    torch.set_num_threads(1)
    images, found = replace(images_of(RATED, side), masks=None), {}
    y, x = np.mgrid[:side, :side] / side - 0.5
    disc = (np.hypot(x, 1.3 * y) < 0.3).astype(np.float32)
    images = replace(images, images=0.8 * disc + 0.1 * images.images)  # outlines as particles have them
    for name, opinion in (("network", False), ("network_and_measurements", True)):
        model = model_of(side, small=False, opinion=opinion)
        for part in (100, RATED):  # the first makes ready what the others find
            some, began = images.take(np.arange(part)), time.process_time()
            everything.classify(model, [everything.Block(everything.NO_PART, some, some.labels)])
            found[f"{name}_images_per_second"] = round(part / (time.process_time() - began))
    said.send(found)


def alone(work, *arguments):
    """Have a process of its own do the work, and return what it sends."""
    context = multiprocessing.get_context("spawn")
    heard, said = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, said))
    process.start()
    said.close()
    found = heard.recv()
    process.join()
    return found


def main() -> None:
    """Measure, print a line of JSON per number of images, and how much each image takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[25_000, 100_000])
    parser.add_argument("--side", type=int, default=48)
    given = parser.parse_args()
    report(**machine())
    lines = []
    for n in given.images:
        lines.append(alone(measure, n, given.side))
        report(**lines[-1])
    few, many = lines[0], lines[-1]
    if many["images"] > few["images"]:
        more = many["images"] - few["images"]
        steps = ("classify", "npz", "csv", "parquet")
        grown = {step: round(1e6 * (many[f"{step}_mb"] - few[f"{step}_mb"]) / more) for step in steps}
        report(memory_bytes_per_image=grown, pixels_bytes_per_image=4 * given.side**2)
    report(**alone(rate, given.side))


if __name__ == "__main__":
    main()
