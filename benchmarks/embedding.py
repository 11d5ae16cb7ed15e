"""Measure the embedding: time after a click, labels by its own proposals, and fixed labels, by kind of features.

Usage: ``python benchmarks/embedding.py speed|clicks|fixed|library|transfer [--view mask] [--seeds 5] [--draws 10]
[--splits 20] [--keep DIR] [--file ../shared/data/nanoshapes/crops64.npz]``

``speed`` has no data but noise. ``clicks``: labels in fives by proposals over the whole set, every other image judged,
at 10, 30 and 60 labels, for each seed of the stage and each draw of the proposals. ``fixed``: 10 random labels per
class. ``transfer``: 10 labels per class from half of each class's micrographs, on whose images alone the stage is
trained; the other micrographs are judged. ``library``: the same labels and judged images, but the stage and the head
have all images, without labels; there is a stage for each seed, and the splits take them in turn.

``mixture`` is what the product does, which knows the micrograph of each image. With ``--view image`` the stage sees raw
crops, whose outlines are the masks of the file; what their background gives away is measured by ``benchmarks/tem.py``.
``lda`` is scikit-learn's shrinkage LDA on the shape descriptors, ``no-em`` the head without a part for unlabelled
images; the other methods are the head on kinds of features. Differences are paired, with a bootstrap interval over
seeds or splits and draws. ``ece`` is the mean over fits, ``ece_pooled`` that of all judged images together. ``--keep``
keeps the features of each stage in a folder, so that another run needs none. Nothing is chosen by a label of this data.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import machine, report, spread
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score

from ssrvae_core import ParticleEmbedding
from ssrvae_core.data import ImageSet, file_dataset, load
from ssrvae_core.embedding.descriptors import DESCRIPTOR_NAMES
from ssrvae_core.embedding.head import DOUBT_ACROSS_MICROGRAPHS, Head, Mixture
from ssrvae_core.embedding.neighbours import Neighbours
from ssrvae_core.embedding.proposals import outlier_scores, propose
from ssrvae_core.evaluation.metrics import expected_calibration_error

KINDS = {
    "mixture": ("descriptors", "latents", "rings"),
    "descriptors": ("descriptors",),
    "latents": ("latents",),
    "latents+descriptors": ("latents", "descriptors"),
    "all": ("latents", "rings", "descriptors"),
    "no-em": ("latents", "rings", "descriptors"),
    "lda": ("descriptors",),
}
CLICKS, BATCH = (10, 30, 60), 5
LABELS = 10


def speed() -> None:
    """Time a refit with the probabilities of 2 000 particles, and ten proposals."""
    rng = np.random.default_rng(0)
    for n_classes, n_labels in ((3, 30), (10, 100), (10, 1000)):
        classes = rng.integers(n_classes, size=2000)
        features = (rng.normal(size=(2000, 91)) + rng.normal(size=(n_classes, 91))[classes]).astype(np.float32)
        y = np.where(np.arange(2000) < n_labels, classes, -1)
        groups = 4 * classes + rng.integers(4, size=2000)
        sets = [np.arange(91), np.arange(43)]
        neighbours = [Neighbours.fit(features[:, own]) for own in sets]  # once, before any label
        scores = outlier_scores(features)
        refits, across, proposals = [], [], []
        for _ in range(20):
            began = time.perf_counter()
            probabilities = Mixture.fit(features, y, sets, neighbours=neighbours).predict_proba(features)
            refits.append(1e3 * (time.perf_counter() - began))
            began = time.perf_counter()
            mixture = Mixture.fit(features, y, sets, DOUBT_ACROSS_MICROGRAPHS, groups, neighbours)
            mixture.predict_proba(features)
            across.append(1e3 * (time.perf_counter() - began))
            began = time.perf_counter()
            propose(features, probabilities, y, 10, rng, scores)
            proposals.append(1e3 * (time.perf_counter() - began))
        report(
            classes=n_classes,
            labels=n_labels,
            refit_ms=spread(refits[1:]),
            refit_with_micrographs_ms=spread(across[1:]),
            propose_ms=spread(proposals[1:]),
        )


@dataclass(frozen=True)
class Images:
    """Features of some images and their micrographs."""

    features: np.ndarray
    groups: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Images:
        """Return some of them."""
        return Images(self.features[rows], self.groups[rows])


def head(method: str, images: Images, y: np.ndarray, judged: Images, n_classes: int) -> np.ndarray:
    """Return the class probabilities of judged images; a class without a label has none."""
    classes, positions = np.unique(y[y >= 0], return_inverse=True)
    found = np.zeros((len(judged.groups), n_classes))
    if method == "lda":
        priors = np.full(len(classes), 1 / len(classes))
        rival = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
        found[:, classes] = rival.fit(images.features[y >= 0], y[y >= 0]).predict_proba(judged.features)
        return found
    labels = np.full(len(y), -1)
    labels[y >= 0] = positions
    if method == "mixture":  # the descriptors are the first columns
        sets = [np.arange(images.features.shape[1]), np.arange(len(DESCRIPTOR_NAMES))]
        mixture = Mixture.fit(images.features, labels, sets, DOUBT_ACROSS_MICROGRAPHS, images.groups)
        elsewhere = ~np.isin(judged.groups, images.groups[y >= 0])
        found[:, classes] = mixture.predict_proba(judged.features, elsewhere)
        return found
    fitted = Head.fit(images.features, labels, transductive=method != "no-em")
    found[:, classes] = fitted.predict_proba(judged.features)
    return found


def judge(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return balanced accuracy and calibration error."""
    score = balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    return score, expected_calibration_error(labels, probabilities)


def clicks(images: Images, labels: np.ndarray, method: str, draw: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Label by proposals, and yield number of labels, and probabilities and labels of the other images."""
    rng, y, n_classes = np.random.default_rng(draw), np.full(len(labels), -1), labels.max() + 1
    while (done := int((y >= 0).sum())) < max(CLICKS):
        known, positions = np.unique(y[y >= 0], return_inverse=True)
        numbered = y.copy()
        numbered[y >= 0] = positions
        probabilities = head(method, images, y, images, n_classes)[:, known] if len(known) > 1 else None
        new = propose(images.features, probabilities, numbered, BATCH, rng)
        y[new] = labels[new]
        if done + BATCH in CLICKS:
            rest = y < 0
            yield done + BATCH, head(method, images, y, images[rest], n_classes), labels[rest]


@dataclass(frozen=True)
class Stage:
    """Features of the images a stage was trained on and of the others, and their columns by kind."""

    features: np.ndarray
    others: np.ndarray
    kinds: dict[str, np.ndarray]

    @classmethod
    def train(cls, data: ImageSet, seen: np.ndarray, seed: int) -> Stage:
        """Train on the images that are seen."""
        embedding = ParticleEmbedding(random_state=seed).fit(data.images[seen], masks=data.masks[seen])
        every = np.arange(embedding.features_.shape[1])
        others = embedding.transform(data.images[~seen], data.masks[~seen]) if not seen.all() else every[None, :0]
        return cls(embedding.features_, others, {kind: every[own] for kind, own in embedding.columns_.items()})

    @classmethod
    def kept(cls, path: Path | None, data: ImageSet, seen: np.ndarray, seed: int) -> Stage:
        """Read it from a file, or train and write it there."""
        if path is not None and path.exists():
            with np.load(path) as kept:
                names = [name for name in kept if name not in ("features", "others")]
                return cls(kept["features"], kept["others"], {name: kept[name] for name in names})
        began = time.process_time()
        stage = cls.train(data, seen, seed)
        report(seed=seed, images=int(seen.sum()), fit_processor_seconds=round(time.process_time() - began, 1))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, features=stage.features, others=stage.others, **stage.kinds)
        return stage

    def columns(self, method: str) -> np.ndarray:
        """Return which columns of the features a method sees."""
        return np.concatenate([self.kinds[kind] for kind in KINDS[method]])


def some_labels(labels: np.ndarray, allowed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return y with ten labels per class among the allowed images."""
    y = np.full(len(labels), -1)
    for number in range(labels.max() + 1):
        chosen = rng.choice(np.flatnonzero(allowed & (labels == number)), LABELS, replace=False)
        y[chosen] = number
    return y


def training_half(labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which images lie on half of each class's micrographs, rounded up; ten per class at least."""
    while True:
        chosen = []
        for number in range(labels.max() + 1):
            own = rng.permutation(np.unique(groups[labels == number]))
            chosen += own[: (len(own) + 1) // 2].tolist()
        training = np.isin(groups, chosen)
        if np.bincount(labels[training]).min() >= LABELS:
            return training


def summarise(
    scores: dict[str, dict[int, list[tuple[float, float]]]], judged: dict[str, list[tuple]], **what: object
) -> None:
    """Print each method's figures and its paired difference from the shrinkage LDA and from the head on descriptors.

    The interval is that of a bootstrap over units (seeds or splits) and draws, each resampled as a whole.
    """
    rng = np.random.default_rng(0)
    tables = {method: np.array(list(units.values())) for method, units in scores.items()}  # (units, draws, 2)
    for method, table in tables.items():
        every = table[..., 0].ravel()
        figures = {"mean": every.mean(), "worst": every.min(), "sd": every.std(ddof=1)}
        gains = {}
        for other in ("lda", "descriptors"):
            difference = table[..., 0] - tables[other][..., 0]
            units = rng.integers(len(difference), size=(2000, len(difference)))
            draws = rng.integers(difference.shape[1], size=(2000, difference.shape[1]))
            resampled = difference[units[:, :, None], draws[:, None, :]].mean(axis=(1, 2))
            gain = (difference.mean(), *np.quantile(resampled, (0.025, 0.975)))
            gains[f"over_{other}"] = np.round(gain, 4).tolist()
        figures = {name: round(float(value), 4) for name, value in figures.items()}
        ece = round(float(table[..., 1].mean()), 4)
        found, truth = (np.concatenate(parts) for parts in zip(*judged[method], strict=True))
        pooled = round(expected_calibration_error(truth, found), 4)
        report(**what, method=method, n=len(every), balanced_accuracy=figures, ece=ece, ece_pooled=pooled, **gains)


def main() -> None:
    """Print a line per method and number of labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "clicks", "fixed", "library", "transfer"))
    parser.add_argument("--file", default="../shared/data/nanoshapes/crops64.npz")
    parser.add_argument("--view", default="mask")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed or split, to share them out")
    parser.add_argument("--keep", type=Path, help="folder for the features of the stages")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*(collinear|distinct clusters).*")
    report(benchmark="embedding", what=arguments.what, view=arguments.view, machine=machine())
    if arguments.what == "speed":
        speed()
    else:
        measure(arguments)


def measure(arguments: argparse.Namespace) -> None:
    """Measure every method on every unit and draw."""
    data = load(file_dataset(arguments.file, view=arguments.view))
    labels, groups, n_classes = data.labels, data.groups, int(data.labels.max()) + 1
    scores: dict[int, dict[str, dict[int, list]]] = {}
    judged: dict[int, dict[str, list]] = {}

    def note(at: int, method: str, unit: int, found: np.ndarray, truth: np.ndarray) -> None:
        scores.setdefault(at, {}).setdefault(method, {}).setdefault(unit, []).append(judge(found, truth))
        judged.setdefault(at, {}).setdefault(method, []).append((found, truth))

    by_split = arguments.what in ("library", "transfer")
    for unit in range(arguments.first, arguments.first + (arguments.splits if by_split else arguments.seeds)):
        own = np.ones(len(labels), dtype=bool)
        if by_split:
            own = training_half(labels, groups, np.random.default_rng(unit))
        seen = own if arguments.what == "transfer" else np.ones(len(labels), dtype=bool)
        seed = unit % arguments.seeds if arguments.what == "library" else unit
        name = f"{arguments.view}-{'split' if arguments.what == 'transfer' else 'all'}-{seed}.npz"
        stage = Stage.kept(arguments.keep / name if arguments.keep else None, data, seen, seed)
        for method in KINDS:
            picked = stage.columns(method)
            images = Images(stage.features[:, picked], groups[seen])
            for draw in range(arguments.draws):
                if arguments.what == "clicks":
                    for at, found, truth in clicks(images, labels, method, draw):
                        note(at, method, unit, found, truth)
                    continue
                y = some_labels(labels[seen], own[seen], np.random.default_rng(draw))
                rest = ~own[seen] if arguments.what == "library" else y < 0
                truth = labels[seen][rest]
                others = images[rest]
                if not seen.all():
                    truth, others = labels[~seen], Images(stage.others[:, picked], groups[~seen])
                note(LABELS * n_classes, method, unit, head(method, images, y, others, n_classes), truth)
        for at, by_method in scores.items():
            report(unit=unit, labels=at, results={method: units[unit] for method, units in by_method.items()})
    for at, by_method in scores.items():
        summarise(by_method, judged[at], what=arguments.what, view=arguments.view, labels=at)


if __name__ == "__main__":
    main()
