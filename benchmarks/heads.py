"""Compare heads of the embedding on data that is not the benchmark's: which features to heed, with few labels.

Usage: ``python benchmarks/heads.py features DIR [--data digits particles cards-b2 ...] [--seeds 2]``, then
``python benchmarks/heads.py heads DIR [--labels 1 2 5 10] [--draws 20]``

``features`` trains a stage per data set and seed and keeps the features; ``heads`` takes seconds. The data sets are the
generated ones with their names, and ``*-shapes``, their silhouettes. In ``*-styled`` every image belongs to one of six
batches per class, as particles do to micrographs: a batch has its own size, stretch, blur and grey levels, and class
and batch are confounded; ``solids`` and ``solids-mild`` (see ``benchmarks/solids.py``) are silhouettes of micrographs
that differ in shape. Labels there come from half of each class's batches and the other half is judged; the stage sees
all images. Elsewhere, and with ``--anywhere``, labels are drawn at random and the rest is judged.

A line per data set, number of labels and head: balanced accuracy (mean, worst), calibration error, and the paired
difference from the first head with a bootstrap interval over seeds and draws.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from common import machine, report
from scipy.ndimage import affine_transform, gaussian_filter
from sklearn.metrics import balanced_accuracy_score
from solids import KINDS, solids

from ssrvae_core import ParticleEmbedding
from ssrvae_core.config import DATASETS
from ssrvae_core.data import load
from ssrvae_core.embedding.head import DOUBT, DOUBT_ACROSS_MICROGRAPHS, Head, Mixture
from ssrvae_core.evaluation.metrics import expected_calibration_error

DATA = ("digits", "particles", "cards-b2", "digits-shapes", "particles-shapes", "cards-b2-shapes")
STYLED = ("digits-styled", "particles-styled", "cards-b2-styled")
PER_CLASS = 200
BATCHES = 6
"""Batches per class."""


@dataclass(frozen=True)
class Set:
    """Features of a data set and what is true of it."""

    features: np.ndarray
    described: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None


def images_of(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Return images (N, H, W), masks, labels and batches of a data set."""
    if name in KINDS:
        masks, labels, groups = solids(name, seed)
        return masks.astype(np.float32), masks, labels, groups
    base, _, kind = name.partition("-shapes") if "shapes" in name else name.partition("-styled")
    kind = name.removeprefix(base)
    config = DATASETS[base]
    update = {"seed": seed} if config.source != "digits" else {}
    if config.source != "digits":
        update |= {"train_per_class": PER_CLASS, "validation_per_class": 1}
    data = load(config.model_copy(update=update))
    keep = np.flatnonzero(~data.validation)
    images, labels = data.images[keep, 0], data.labels[keep]
    masks = images > 0.5 * images.max(axis=(1, 2), keepdims=True) if data.masks is None else data.masks[keep]
    groups = None
    if kind == "-styled":
        images, masks, groups = styled(images, masks, labels, np.random.default_rng(seed))
    if kind == "-shapes":
        images = masks.astype(np.float32)
    return images, masks, labels, groups


def styled(
    images: np.ndarray, masks: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give every batch its size, stretch, blur and grey levels; return images, masks and batches."""
    groups = labels * BATCHES + rng.integers(BATCHES, size=len(labels))
    images, masks = images.astype(np.float32), masks.copy()
    centre = (np.array(images.shape[1:]) - 1) / 2
    for group in np.unique(groups):
        zoom, stretch, angle = rng.uniform(0.8, 1.1), rng.uniform(1.0, 1.15), rng.uniform(0, np.pi)
        blur, gain, offset = rng.uniform(0, 1.2), rng.uniform(0.6, 1.0), rng.uniform(0, 0.3)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.diag([1 / (zoom * stretch), stretch / zoom]) @ turn.T
        shift = centre - matrix @ centre
        for row in np.flatnonzero(groups == group):
            seen = affine_transform(images[row], matrix, shift, order=1, mode="nearest")
            images[row] = np.clip(offset + gain * gaussian_filter(seen, blur), 0, 1)
            inside = affine_transform(masks[row].astype(np.float32), matrix, shift, order=1)
            masks[row] = gaussian_filter(inside, blur) > 0.5
    return images, masks, groups


def keep_features(folder: Path, names: list[str], seeds: int) -> None:
    """Train what is missing."""
    for name, seed in itertools.product(names, range(seeds)):
        path = folder / f"{name}_{seed}.npz"
        if path.exists():
            continue
        began = time.process_time()
        images, masks, labels, groups = images_of(name, seed)
        own = None if name in ("digits", "particles", "cards-b2") else masks
        embedding = ParticleEmbedding(random_state=seed).fit(images, masks=own)
        described = np.arange(embedding.features_.shape[1])[embedding.columns_["descriptors"]]
        values = {"features": embedding.features_, "described": described, "labels": labels}
        np.savez(path, **values, **({} if groups is None else {"groups": groups}))
        report(data=name, seed=seed, images=len(images), seconds=round(time.process_time() - began, 1))


def mixture(data: Set, y: np.ndarray) -> np.ndarray:
    """Both heads, as the product weighs them."""
    sets = [np.arange(data.features.shape[1]), data.described]
    doubt = DOUBT if data.groups is None else DOUBT_ACROSS_MICROGRAPHS
    elsewhere = None if data.groups is None else ~np.isin(data.groups, data.groups[y >= 0])
    return Mixture.fit(data.features, y, sets, doubt, data.groups).predict_proba(data.features, elsewhere)


def unsaid(data: Set, y: np.ndarray) -> np.ndarray:
    """Both heads, without knowing the micrographs."""
    return mixture(Set(data.features, data.described, data.labels, None), y)


def descriptors(data: Set, y: np.ndarray) -> np.ndarray:
    """Descriptors alone."""
    own = data.features[:, data.described]
    return Head.fit(own, y).predict_proba(own)


def everything(data: Set, y: np.ndarray) -> np.ndarray:
    """All features."""
    return Head.fit(data.features, y).predict_proba(data.features)


HEADS: dict[str, Callable[[Set, np.ndarray], np.ndarray]] = {
    "mixture": mixture,
    "mixture, micrographs unsaid": unsaid,
    "descriptors": descriptors,
    "all": everything,
}


def cases(data: Set, n: int, draw: int, anywhere: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return y with n labels per class, and which images are judged."""
    rng = np.random.default_rng(draw)
    allowed = np.ones(len(data.labels), dtype=bool)
    across = data.groups is not None and not anywhere
    if across:
        batches = [np.unique(data.groups[data.labels == k]) for k in range(data.labels.max() + 1)]
        halves = [rng.permutation(own)[: len(own) // 2] for own in batches]
        allowed = np.isin(data.groups, np.concatenate(halves))
    y = np.full(len(data.labels), -1)
    for k in range(data.labels.max() + 1):
        y[rng.choice(np.flatnonzero(allowed & (data.labels == k)), n, replace=False)] = k
    return y, (~allowed if across else y < 0)


def compare(folder: Path, names: list[str], labels: list[int], draws: int, anywhere: bool) -> None:
    """Print a line per data set, number of labels and head."""
    for name, n in itertools.product(names, labels):
        files = sorted(folder.glob(f"{name}_[0-9]*.npz"))
        scores: dict[str, list[list[tuple[float, float]]]] = {head: [] for head in HEADS}
        for file in files:
            with np.load(file) as kept:
                data = Set(
                    kept["features"].astype(float),
                    kept["described"],
                    kept["labels"],
                    kept.get("groups"),
                )
            for head, fit in HEADS.items():
                row = []
                for draw in range(draws):
                    y, judged = cases(data, n, draw, anywhere)
                    found = fit(data, y)[judged]
                    truth = data.labels[judged]
                    accuracy = balanced_accuracy_score(truth, found.argmax(axis=1))
                    row.append((accuracy, expected_calibration_error(truth, found)))
                scores[head].append(row)
        first = np.array(scores[next(iter(HEADS))]) if files else None
        for head, rows in scores.items() if files else ():
            table = np.array(rows)
            rng = np.random.default_rng(0)
            gain = table[..., 0] - first[..., 0]
            units = rng.integers(len(gain), size=(2000, len(gain), 1))
            tries = rng.integers(draws, size=(2000, 1, draws))
            interval = np.quantile(gain[units, tries].mean(axis=(1, 2)), (0.025, 0.975))
            report(
                data=name,
                labels=n,
                head=head,
                mean=round(float(table[..., 0].mean()), 4),
                worst=round(float(table[..., 0].min()), 4),
                ece=round(float(table[..., 1].mean()), 4),
                gain=[round(float(v), 4) for v in (gain.mean(), *interval)],
            )


def main() -> None:
    """Keep features, or compare heads on them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("features", "heads"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="*", default=[*DATA, *STYLED, *KINDS])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--labels", type=int, nargs="*", default=[1, 2, 5, 10])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--anywhere", action="store_true", help="labels from all batches")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    report(benchmark="heads", what=arguments.what, **machine())
    if arguments.what == "features":
        torch.set_num_threads(1)
        keep_features(arguments.folder, arguments.data, arguments.seeds)
    else:
        compare(arguments.folder, arguments.data, arguments.labels, arguments.draws, arguments.anywhere)


if __name__ == "__main__":
    main()
