"""Classes of all images of a file: how much memory they take, and how many are classified per second.

Usage: ``python benchmarks/everything.py [--images 100000 1000000] [--side 48]``

It writes npz files of as many images as that (8 bits, with masks, labels, groups and names), and classifies each file
in a process of its own as ``predict`` does: told what is in it, classified, and written as ``particles.npz``, CSV and
Parquet. What is measured is the most memory the process has in a step, less what it had before the file was opened,
and the most it has in all, with Python and torch. A network of a few units keeps it short, as the memory per image does
not depend on the network. How many images are classified per second of processor time is measured with the preset's
network, alone and with the second opinion, whose measurements take most of the time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import machine, report

CLASSES = ("a", "b", "c", "d")
RATED = 1000
"""Images that the rates are measured with."""


def images_of(n: int, side: int):
    """Return N images of noise."""
    from ssrvae_core.data.dataset import ImageSet

    rng = np.random.default_rng(0)
    return ImageSet(
        images=rng.random((n, 1, side, side), dtype=np.float32),
        labels=rng.integers(-1, len(CLASSES), n),
        ids=np.arange(n),
        class_names=CLASSES,
    )


def write_images(path: Path, n: int, side: int) -> None:
    """Write N images of noise with all that a file can say of them, some at a time."""
    rng = np.random.default_rng(0)
    rows = np.arange(n)
    said = {
        "labels": rng.integers(-1, len(CLASSES), n),
        "class_names": np.array(CLASSES),
        "groups": rows // 500,
        "group_names": np.array([f"micrograph {number}" for number in range(-(-n // 500))]),
        "names": np.array([f"session/micrograph {row // 500}/particle {row}.png" for row in rows]),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in said.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, values)
        for name, dtype in (("images", np.dtype(np.uint8)), ("masks", np.dtype(bool))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": dtype.str, "fortran_order": False, "shape": (n, side, side)}
                np.lib.format.write_array_header_2_0(file, header)
                for start in range(0, n, 10_000):
                    some = rng.integers(0, 256, (min(10_000, n - start), side, side), dtype=np.uint8)
                    file.write((some if name == "images" else some > 127).tobytes())


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


def measure(path: str, n: int, side: int, said) -> None:
    """Classify the N images of a file, write what is said of them, and send what it took."""
    import torch

    from ssrvae_core.config import run_config
    from ssrvae_core.data import open_images
    from ssrvae_core.data.seen import seen_by
    from ssrvae_core.data.summary import summary
    from ssrvae_core.runs import everything, particle_file, tables

    torch.set_num_threads(1)
    few, model, own = images_of(500, side), model_of(side, small=True), run_config(data="cards-b2").dataset
    everything.classify(model, [everything.Block(everything.NO_PART, few, few.labels)])
    found = {"images": n, "file_mb": round(Path(path).stat().st_size / 1e6)}
    before, most = forget(), []

    def watched(name, action):
        began = time.process_time()
        result = action()
        most.append(memory()["peak"])
        found[f"{name}_seconds"] = round(time.process_time() - began, 1)
        found[f"{name}_mb"] = round((most[-1] - before) / 1e6, 1)
        forget()
        return result

    opened = open_images(path, held=False)
    watched("open", lambda: list(summary(opened).lines()))
    images, _ = seen_by(own, opened)
    particles = watched("classify", lambda: everything.classify_others(model, images, None))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        watched("npz", lambda: particle_file.write(place, particles))
        for kind in (tables.CSV, tables.PARQUET):
            watched(kind[1:], lambda kind=kind: tables.write_table(place / f"all{kind}", particles, CLASSES))
        found |= {f"{file.name}_bytes_per_image": round(file.stat().st_size / n) for file in place.iterdir()}
    said.send(found | {"process_mb": round(max(most) / 1e6)})


def rate(side: int, said) -> None:
    """Send how many images are classified a second of processor time."""
    import torch

    from ssrvae_core.runs import everything

    torch.set_num_threads(1)
    images, found = images_of(RATED, side), {}
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
    parser.add_argument("--images", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--side", type=int, default=48)
    given = parser.parse_args()
    report(**machine())
    lines = []
    for n in given.images:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "images.npz"
            write_images(path, n, given.side)
            lines.append(alone(measure, str(path), n, given.side))
        report(**lines[-1])
    few, many = lines[0], lines[-1]
    if many["images"] > few["images"]:
        more = many["images"] - few["images"]
        steps = ("open", "classify", "npz", "csv", "parquet")
        grown = {step: round(1e6 * (many[f"{step}_mb"] - few[f"{step}_mb"]) / more) for step in steps}
        report(memory_bytes_per_image=grown, pixels_bytes_per_image_as_floats=4 * given.side**2)
    report(**alone(rate, given.side))


if __name__ == "__main__":
    main()
