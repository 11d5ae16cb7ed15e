"""Coverage of the intervals of class fractions: how many of many simulated data sets they hold the truth of.

    python benchmarks/class_fractions.py [--sets 1000] [--only NAME] [--images FILE [--labels 13]]

Each data set has particles of known classes that a model with known confusion classifies, and a few of them held out
with their labels. Printed for each setting: the share of true fractions within the 95 % interval of this project, of
the counts taken as they are (binomial), and of Rogan and Gladen's inversion; the mean width; and on which side the
truth lay where it was missed. A setting with ``spread`` has micrographs of different confusion, and one with ``shift``
an assumption that is broken: the model confuses the particles more than those held out.

With an image file that has every label, as many of each class are drawn at random again and again, and the fractions of
all its particles, and of particles of unequal classes, are inferred from the head with these labels left out in turn.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from common import machine, report

from ssrvae_core.config import EmbeddingConfig
from ssrvae_core.data import ImageSet, read_images
from ssrvae_core.embedding.answers import Answers
from ssrvae_core.embedding.features import Features
from ssrvae_core.library.base import Base
from ssrvae_core.library.confusion import design_effect
from ssrvae_core.library.double_sampling import interval, true_counts
from ssrvae_core.library.fractions import Fractions, class_fractions
from ssrvae_core.library.left_out import by_head
from ssrvae_core.library.quick import BLOCKS, QuickHead
from ssrvae_core.library.replaying import replay
from ssrvae_core.records import Particles, Predictions


@dataclass(frozen=True)
class Setting:
    """What the data sets of a setting have in common."""

    name: str
    shares: tuple[float, ...]
    accuracy: tuple[float, ...]
    held_out: tuple[int, ...]
    """Images per class."""
    particles: int = 500
    micrographs: int = 0
    spread: float = 0.0
    """Standard deviation of the accuracy between micrographs."""
    shift: float = 0.0
    """How much less accurate the model is on the particles than on the images held out."""


EQUAL, UNEQUAL, RARE = (0.25,) * 4, (0.6, 0.25, 0.1, 0.05), (0.9, 0.08, 0.02)

SETTINGS = (
    Setting("40 labels, 10 held out", UNEQUAL, (0.9, 0.85, 0.8, 0.9), (3, 3, 2, 2)),
    Setting("equal classes, 5 of each held out", EQUAL, (0.9, 0.85, 0.8, 0.9), (5,) * 4),
    Setting("six micrographs that differ", UNEQUAL, (0.85,) * 4, (15,) * 4, micrographs=6, spread=0.1),
    Setting("less accurate than it was held to be", UNEQUAL, (0.9,) * 4, (20,) * 4, shift=0.1),
    Setting("a rare class, 20 of each held out", RARE, (0.97, 0.9, 0.9), (20,) * 3),
    Setting("a perfect model, 10 of each held out", UNEQUAL, (1.0,) * 4, (10,) * 4),
    Setting("unequal classes, 10 of each held out", UNEQUAL, (0.9, 0.85, 0.8, 0.9), (10,) * 4),
    Setting("a poor model, 10 of each held out", UNEQUAL, (0.6, 0.55, 0.5, 0.6), (10,) * 4),
    Setting("two classes, 5 of each held out", (0.8, 0.2), (0.9, 0.8), (5, 5)),
    Setting("many held out", UNEQUAL, (0.9, 0.85, 0.8, 0.9), (200,) * 4, particles=5000),
    Setting("20 000 particles, a class of 0.1 %", (0.8, 0.199, 0.001), (0.95,) * 3, (20,) * 3, particles=20_000),
    Setting("eight classes, 5 of each held out", (0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02), (0.85,) * 8, (5,) * 8),
)


def _rows(accuracy: np.ndarray) -> np.ndarray:
    """Return the rows of a confusion matrix: most errors go to the next class."""
    k = len(accuracy)
    errors = np.roll(np.eye(k), 1, axis=1) * 0.6 + (1 - np.eye(k)) * 0.4 / max(k - 1, 1)
    errors[np.arange(k), np.arange(k)] = 0
    errors /= errors.sum(axis=1, keepdims=True)
    return np.diag(accuracy) + errors * (1 - accuracy)[:, None]


def _draw(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Return a confusion with its design effect, the counts that are seen, and the true ones."""
    k, accuracy = len(setting.shares), np.array(setting.accuracy)
    truth = rng.multinomial(setting.particles, setting.shares)
    if not setting.micrographs:
        confusion = np.stack(
            [rng.multinomial(n, row) for n, row in zip(setting.held_out, _rows(accuracy), strict=True)]
        )
        called = sum(rng.multinomial(n, row) for n, row in zip(truth, _rows(accuracy - setting.shift), strict=True))
        return confusion, 1.0, np.asarray(called), truth
    # As many micrographs hold the particles as twenty times those held out.
    right, groups, confusion = [], [], np.zeros((k, k), dtype=np.int64)
    for group in range(setting.micrographs):
        rows = _rows(np.clip(accuracy + rng.normal(0, setting.spread), 0.05, 1))
        for i, n in enumerate(setting.held_out):
            own = rng.multinomial(n // setting.micrographs + (group < n % setting.micrographs), rows[i])
            confusion[i] += own
            right += [True] * own[i] + [False] * (own.sum() - own[i])
            groups += [group] * own.sum()
    called = np.zeros(k, dtype=np.int64)
    parts = 20 * setting.micrographs
    for part in range(parts):
        rows = _rows(np.clip(accuracy + rng.normal(0, setting.spread), 0.05, 1))
        for i, n in enumerate(truth):
            called += rng.multinomial(n // parts + (part < n % parts), rows[i])
    return confusion, design_effect(np.array(right), np.array(groups)), called, truth


def _inverted(confusion: np.ndarray, called: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of Rogan and Gladen's estimator, by the delta method; (0, 1) where there is none."""
    k, n = len(called), called.sum()
    per_class = confusion.sum(axis=1)
    rows = confusion / np.maximum(per_class, 1)[:, None]
    if np.linalg.cond(rows) > 1e8:
        return np.zeros(k), np.ones(k)
    inverse, q = np.linalg.inv(rows.T), called / n
    shares = inverse @ q
    spread = (np.diag(q) - np.outer(q, q)) / n
    for i in range(k):
        spread += shares[i] ** 2 * (np.diag(rows[i]) - np.outer(rows[i], rows[i])) / max(per_class[i], 1)
    error = 1.96 * np.sqrt(np.diag(inverse @ spread @ inverse.T))
    return shares - error, shares + error


def measure(setting: Setting, sets: int, seed: int = 0) -> None:
    """Print the coverage of a setting."""
    rng = np.random.default_rng(seed)
    k = len(setting.shares)
    inside, naive, inverted = np.zeros(k), np.zeros(k), np.zeros(k)
    below = above = 0
    width = np.zeros(k)
    for number in range(sets):
        confusion, effect, called, truth = _draw(setting, rng)
        n = setting.particles
        low, high = interval(true_counts(confusion, called, design_effect=effect, seed=number) / n)
        share = truth / n
        inside += (low <= share) & (share <= high)
        below, above = below + int((share < low).sum()), above + int((share > high).sum())
        width += high - low
        p = called / n
        naive += np.abs(p - share) <= 1.96 * np.sqrt(p * (1 - p) / n)
        low, high = _inverted(confusion, called)
        inverted += (low <= share) & (share <= high)
    report(
        setting=setting.name,
        sets=sets,
        coverage=round(float(inside.mean() / sets), 3),
        coverage_by_class=(inside / sets).round(3).tolist(),
        width_by_class=(width / sets).round(3).tolist(),
        truth_below=round(below / (sets * k), 3),
        truth_above=round(above / (sets * k), 3),
        coverage_of_counts=round(float(naive.mean() / sets), 3),
        coverage_inverted=round(float(inverted.mean() / sets), 3),
    )


def measure_images(path: str, labels: int, sets: int) -> None:
    """Print the coverage on an image file, for its own classes and for unequal ones."""
    images = read_images(path)
    config = EmbeddingConfig(blocks=BLOCKS)
    features = Features(config, 0, "cpu").fit_blocks(images.images, images.masks)
    k = images.n_classes
    columns = {"rings": slice(0, config.components), "descriptors": slice(config.components, features.shape[1])}
    thinned = np.array([max(2 * labels, round(150 * 0.5**c)) for c in range(k)])
    for name, most in (("as they are", np.full(k, len(images))), ("unequal", thinned)):
        inside, of_counts, width, right = np.zeros(k), np.zeros(k), np.zeros(k), 0.0
        for number in range(sets):
            rng = np.random.default_rng(number)
            members = [rng.permutation(np.flatnonzero(images.labels == c))[: most[c]] for c in range(k)]
            rows = np.sort(np.concatenate(members))
            part = np.where(np.isin(rows, np.concatenate([own[:labels] for own in members])), 0, 1).astype(np.int8)
            found, called = _inferred(images.take(rows), features[rows], columns, part, number)
            share = np.bincount(images.labels[rows], minlength=k) / len(rows)
            low, high = (np.array([getattr(one, end) for one in found.classes]) for end in ("low", "high"))
            inside += (low <= share + 1e-9) & (share <= high + 1e-9)
            width += high - low
            p = np.bincount(np.where(part == 0, images.labels[rows], called), minlength=k) / len(rows)
            of_counts += np.abs(p - share) <= 1.96 * np.sqrt(p * (1 - p) / len(rows))
            right += float((called == images.labels[rows])[part == 1].mean())
        report(
            images=name,
            sets=sets,
            labels_per_class=labels,
            coverage=round(float(inside.mean() / sets), 3),
            coverage_by_class=(inside / sets).round(3).tolist(),
            width_by_class=(width / sets).round(3).tolist(),
            coverage_of_counts=round(float(of_counts.mean() / sets), 3),
            head_accuracy=round(right / sets, 3),
        )


def _inferred(
    images: ImageSet, features: np.ndarray, columns: dict[str, slice], part: np.ndarray, seed: int
) -> tuple[Fractions, np.ndarray]:
    """Return the fractions of images of which part 0 is labelled, and the head's classes."""
    n, k = len(images), images.n_classes
    empty, unknown = np.zeros((n, 0), dtype=np.float32), np.full(n, np.nan, dtype=np.float32)
    prob = np.full((n, k), 1 / k, dtype=np.float32)
    predictions = Predictions(images.ids, images.labels, prob, empty, empty, unknown, unknown, unknown)
    particles = Particles(predictions, part, unknown, groups=images.groups)
    library = replay([], Base.of("0" * 12, images.class_names, particles))
    head = QuickHead(Answers(features, columns, np.ones(n), images.groups, seed), None)
    classified = by_head(head, library, particles)
    assert classified is not None, "no label can be left out"
    return class_fractions(library, particles, classified=classified, seed=seed), classified.called


def main() -> None:
    """Measure every setting, or an image file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--only", default="")
    parser.add_argument("--images", help="an image file with every label")
    parser.add_argument("--labels", type=int, default=13, help="labels drawn of each class of the file")
    given = parser.parse_args()
    report(**machine())
    if given.images:
        measure_images(given.images, given.labels, given.sets)
        return
    for setting in SETTINGS:
        if given.only in setting.name:
            measure(setting, given.sets)


if __name__ == "__main__":
    main()
