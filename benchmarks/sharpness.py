"""Measure how sharp the ss-rVAE and the paper's model draw the same cards, and write both side by side as pictures.

Usage: ``python benchmarks/sharpness.py [--seeds 1] [--store DIR] [--paper-epochs 8] [--figures docs/figures]``

The paper's model is our ``ss-rvae-paper``, which agrees with pyroVED 0.3.0 number for number, with the settings of the
public notebook but smaller batches and fewer epochs, as its steps are long. Per validation image: the log-likelihood
per pixel of the inscribed disc, under the reconstruction with the inferred class, latents and pose. Runs are kept in
the store, and trained once. The pictures are ``sharpness.png`` (validation images, both reconstructions, then both
manifolds) and ``upright.png`` (per class: the mean labelled image as it is, and turned back by the inferred angle).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import machine, report, spread
from PIL import Image

from ssrvae_core import geometry
from ssrvae_core.config import RunConfig, run_config
from ssrvae_core.data import ImageSet, Split, load, split
from ssrvae_core.evaluation.angles import SYMMETRY_ORDERS
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.evaluation.latents import manifold_bounds
from ssrvae_core.models import SSVAE
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.execute import train_run

DATA = "cards-teaching"
OURS, PAPER = "ss-rvae", "ss-rvae-paper"
PAPER_BATCH = 20
SMALLEST = 1e-4  # of a pixel's probability, so that no single pixel decides a mean
SHOWN, STEPS, ENLARGED = 16, 7, 2


def configs(seed: int, paper_epochs: int) -> dict[str, RunConfig]:
    """Return both runs on the same cards."""
    small = {
        "training.batch_size": PAPER_BATCH,
        "training.labelled_batch_size": PAPER_BATCH,
        "training.epochs": paper_epochs,
        "training.beta_ramp_epochs": math.ceil(0.3 * paper_epochs),
    }
    return {
        OURS: run_config(data=DATA, preset="fast", seed=seed),
        PAPER: run_config(data=DATA, preset="notebook-b", seed=seed, settings=small),
    }


@torch.no_grad()
def reconstructions(model: SSVAE, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a model draws of images in their inferred pose, (N, C, H, W), and their classes and angles, (N,)."""
    drawn, classes, angles = [], [], []
    for batch in torch.from_numpy(images).split(100):
        code = model.encode(batch)
        drawn.append(model.decode(code.z_mean, code.y, code.angle, code.shift, code.scale))
        classes.append(code.y)
        angles.append(code.angle)
    return tuple(torch.cat(part).numpy() for part in (drawn, classes, angles))


def log_likelihood(images: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the Bernoulli log-likelihood per pixel of the inscribed disc, nats, of each image."""
    height, width = images.shape[-2:]
    inside = (geometry.pixel_points(height, width).norm(dim=-1) <= min(height, width) / 2).numpy()
    p = drawn.clip(SMALLEST, 1 - SMALLEST)
    return (images * np.log(p) + (1 - images) * np.log(1 - p))[..., inside].mean(axis=(1, 2))


def judge(model: SSVAE, validation: ImageSet) -> dict[str, Any]:
    """Return mean log-likelihood per pixel, overall and per class, and accuracy."""
    drawn, classes, _ = reconstructions(model, validation.images)
    fit = log_likelihood(validation.images, drawn)
    names = enumerate(validation.class_names)
    return {
        "log_likelihood_per_pixel": round(float(fit.mean()), 4),
        "per_class": {name: round(float(fit[validation.labels == k].mean()), 4) for k, name in names},
        "accuracy": round(float((classes == validation.labels).mean()), 4),
    }


def row(images: np.ndarray) -> np.ndarray:
    """Put images (N, H, W) side by side."""
    return np.concatenate(list(images), axis=1)


def manifolds(model: SSVAE, validation: ImageSet) -> np.ndarray:
    """Return the manifolds of all classes side by side, over the latents that the images of each class have."""
    predictions, grids = predict(model, validation), []
    for k in range(validation.n_classes):
        grid = model.manifold2d(k, STEPS, bounds=manifold_bounds(predictions, k))[:, :, 0].numpy()
        grids.append(np.concatenate([row(line) for line in grid], axis=0))
    return row(np.stack(grids))


def save(picture: np.ndarray, path: Path) -> None:
    """Write grey levels in [0, 1] as a PNG, enlarged."""
    image = Image.fromarray((picture.clip(0, 1) * 255).round().astype(np.uint8))
    image.resize((image.width * ENLARGED, image.height * ENLARGED), Image.Resampling.NEAREST).save(path, optimize=True)


def draw_sharpness(models: dict[str, SSVAE], validation: ImageSet, path: Path) -> None:
    """Draw the same images as they are and as each model draws them, then its manifolds."""
    chosen = np.concatenate([np.flatnonzero(validation.labels == k)[: SHOWN // 4] for k in range(4)])
    images = validation.images[chosen]
    rows = [row(images[:, 0]), *(row(reconstructions(m, images)[0][:, 0]) for m in models.values())]
    grids = [manifolds(model, validation) for model in models.values()]
    width = max(part.shape[1] for part in (*rows, *grids))
    gap = np.full((3, width), 0.5)
    parts = [part for picture in (*rows, *grids) for part in (_padded(picture, width), gap)]
    save(np.concatenate(parts[:-1], axis=0), path)


def _padded(picture: np.ndarray, width: int) -> np.ndarray:
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1])))


def draw_upright(model: SSVAE, data: Split, path: Path) -> dict[str, Any]:
    """Draw the mean labelled image per class, as it is and turned back, and return the mean inferred angles."""
    labelled = data.labelled
    _, _, angle = reconstructions(model, labelled.images)
    images = torch.from_numpy(labelled.images)
    points = geometry.pixel_points(*labelled.image_shape[1:])
    turn = geometry.rotation(torch.from_numpy(angle))
    turned = geometry.sample(images, geometry.transform(points, turn, torch.zeros(len(images), 2))).numpy()
    of_class = [labelled.labels == k for k in range(labelled.n_classes)]
    means = [[part[own].mean(axis=0)[0] for own in of_class] for part in (images.numpy(), turned)]
    save(np.concatenate([row(np.stack(line)) for line in means], axis=0), path)
    found = {}
    for own, name in zip(of_class, labelled.class_names, strict=True):
        order = SYMMETRY_ORDERS[name]
        found[name] = round(float(np.degrees(np.angle(np.exp(1j * order * angle[own]).mean()))) / order, 1)
    return found


def main() -> None:
    """Print a line per run and a line per model, and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--store", type=Path, default=Path("runs"))
    parser.add_argument("--paper-epochs", type=int, default=8)
    parser.add_argument("--figures", type=Path, help="folder of the pictures of the first seed")
    arguments = parser.parse_args()
    report(benchmark="sharpness", **machine())
    store, fits = RunStore(arguments.store), {name: [] for name in (OURS, PAPER)}
    for seed in range(arguments.seeds):
        models: dict[str, SSVAE] = {}
        for name, config in configs(seed, arguments.paper_epochs).items():
            data = split(load(config.dataset), config.split)
            run = train_run(config, store)
            models[name] = run.model("cpu")
            judged = judge(models[name], data.validation)
            fits[name].append(judged["log_likelihood_per_pixel"])
            report(model=name, seed=seed, seconds=round(run.status.seconds, 1), **judged)
        if arguments.figures and seed == 0:
            arguments.figures.mkdir(parents=True, exist_ok=True)
            draw_sharpness(models, data.validation, arguments.figures / "sharpness.png")
            report(labelled_angles_deg=draw_upright(models[OURS], data, arguments.figures / "upright.png"))
    for name, values in fits.items():
        report(model=name, log_likelihood_per_pixel=spread(values))


if __name__ == "__main__":
    main()
