"""Measure the embedding: time after a click, labels by its own proposals, and fixed labels, by kind of features.

Usage: ``python benchmarks/embedding.py speed|clicks|fixed|library|transfer [--view mask] [--seeds 5] [--draws 10]
[--splits 20] [--file ../shared/data/nanoshapes/crops64.npz]``

``speed`` has no data but noise. ``clicks``: labels in fives by proposals over the whole set, every other image judged,
at 10, 30 and 60 labels, for each seed of the stage and each draw of the proposals. ``fixed``: 10 random labels per
class. ``transfer``: 10 labels per class from half of each class's micrographs, on whose images alone the stage is
trained; the other micrographs are judged. ``library``: the same labels and judged images, but the stage and the head
have all images, without labels; there is a stage for each seed, and the splits take them in turn.

``mixture`` is what the product does: heads on all features and on the descriptors, weighted by the labels left out, the
descriptors believed unless the others are better by two standard errors, as the images come from micrographs.
``lda`` is scikit-learn's shrinkage LDA on the shape descriptors, ``no-em`` the head without a part for unlabelled
images; the other methods are the head on kinds of features. Differences are paired, with a bootstrap interval over
seeds or splits and draws. Nothing is chosen by a label of this data.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator

import numpy as np
from common import machine, report, spread
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score

from ssrvae_core import ParticleEmbedding
from ssrvae_core.data import file_dataset, load
from ssrvae_core.embedding.descriptors import DESCRIPTOR_NAMES
from ssrvae_core.embedding.head import DOUBT_ACROSS_MICROGRAPHS, Head, Mixture
from ssrvae_core.embedding.proposals import propose
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
        refits, proposals = [], []
        for _ in range(20):
            began = time.perf_counter()
            probabilities = Mixture.fit(features, y, [np.arange(91), np.arange(43)]).predict_proba(features)
            refits.append(1e3 * (time.perf_counter() - began))
            began = time.perf_counter()
            propose(features, probabilities, y, 10, rng)
            proposals.append(1e3 * (time.perf_counter() - began))
        report(classes=n_classes, labels=n_labels, refit_ms=spread(refits[1:]), propose_ms=spread(proposals[1:]))


def head(method: str, features: np.ndarray, y: np.ndarray, judged: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the class probabilities of the judged images' features; a class without a label has none."""
    classes, positions = np.unique(y[y >= 0], return_inverse=True)
    found = np.zeros((len(judged), n_classes))
    if method == "lda":
        priors = np.full(len(classes), 1 / len(classes))
        rival = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
        found[:, classes] = rival.fit(features[y >= 0], y[y >= 0]).predict_proba(judged)
    else:
        labels = np.full(len(y), -1)
        labels[y >= 0] = positions
        if method == "mixture":  # the descriptors are the first columns
            sets = [np.arange(features.shape[1]), np.arange(len(DESCRIPTOR_NAMES))]
            found[:, classes] = Mixture.fit(features, labels, sets, DOUBT_ACROSS_MICROGRAPHS).predict_proba(judged)
            return found
        found[:, classes] = Head.fit(features, labels, transductive=method != "no-em").predict_proba(judged)
    return found


def judge(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return balanced accuracy and calibration error."""
    score = balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    return score, expected_calibration_error(labels, probabilities)


def columns(embedding: ParticleEmbedding, method: str) -> np.ndarray:
    """Return which columns of the features a method sees."""
    every = np.arange(embedding.features_.shape[1])
    return np.concatenate([every[embedding.columns_[block]] for block in KINDS[method]])


def clicks(features: np.ndarray, labels: np.ndarray, method: str, draw: int) -> Iterator[tuple[int, float, float]]:
    """Label by proposals, and yield number of labels, balanced accuracy and calibration error."""
    rng, y, n_classes = np.random.default_rng(draw), np.full(len(labels), -1), labels.max() + 1
    while (done := int((y >= 0).sum())) < max(CLICKS):
        known, positions = np.unique(y[y >= 0], return_inverse=True)
        numbered = y.copy()
        numbered[y >= 0] = positions
        probabilities = head(method, features, y, features, n_classes)[:, known] if len(known) > 1 else None
        new = propose(features, probabilities, numbered, BATCH, rng)
        y[new] = labels[new]
        if done + BATCH in CLICKS:
            rest = y < 0
            yield done + BATCH, *judge(head(method, features, y, features[rest], n_classes), labels[rest])


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


def summarise(scores: dict[str, dict[int, list[tuple[float, float]]]], **what: object) -> None:
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
        report(**what, method=method, n=len(every), balanced_accuracy=figures, ece=ece, **gains)


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
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*(collinear|distinct clusters).*")
    report(benchmark="embedding", what=arguments.what, view=arguments.view, machine=machine())
    if arguments.what == "speed":
        speed()
        return
    data = load(file_dataset(arguments.file, view=arguments.view))
    labels, groups = data.labels, data.groups
    scores: dict[int, dict[str, dict[int, list]]] = {}

    def note(at: int, method: str, unit: int, result: tuple[float, float]) -> None:
        scores.setdefault(at, {}).setdefault(method, {}).setdefault(unit, []).append(result)

    by_split = arguments.what in ("library", "transfer")
    stages: dict[int, ParticleEmbedding] = {}
    for unit in range(arguments.first, arguments.first + (arguments.splits if by_split else arguments.seeds)):
        own = np.ones(len(labels), dtype=bool)
        if by_split:
            own = training_half(labels, groups, np.random.default_rng(unit))
        seen = own if arguments.what == "transfer" else np.ones(len(labels), dtype=bool)
        seed = unit % arguments.seeds if arguments.what == "library" else unit
        if arguments.what == "transfer" or seed not in stages:
            began = time.process_time()
            stages[seed] = ParticleEmbedding(random_state=seed).fit(data.images[seen], masks=data.masks[seen])
            report(unit=unit, images=int(seen.sum()), fit_processor_seconds=round(time.process_time() - began, 1))
        embedding = stages[seed]
        others = embedding.transform(data.images[~seen], data.masks[~seen]) if not seen.all() else None
        for method in KINDS:
            picked = columns(embedding, method)
            features = embedding.features_[:, picked]
            for draw in range(arguments.draws):
                if arguments.what == "clicks":
                    for at, *result in clicks(features, labels, method, draw):
                        note(at, method, unit, tuple(result))
                    continue
                y = some_labels(labels[seen], own[seen], np.random.default_rng(draw))
                judged = ~own[seen] if arguments.what == "library" else y < 0
                rest = features[judged] if others is None else others[:, picked]
                truth = labels[seen][judged] if others is None else labels[~seen]
                probabilities = head(method, features, y, rest, labels.max() + 1)
                note(LABELS * int(labels.max() + 1), method, unit, judge(probabilities, truth))
        for at, by_method in scores.items():
            report(unit=unit, labels=at, results={method: units[unit] for method, units in by_method.items()})
    for at, by_method in scores.items():
        summarise(by_method, what=arguments.what, view=arguments.view, labels=at)


if __name__ == "__main__":
    main()
