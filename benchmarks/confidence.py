"""How sure a head may be of images whose micrograph has no label: factors of its confidence, and their calibration.

Usage: ``python benchmarks/confidence.py [--data solids solids-mild transfer library] [--file
../shared/data/nanoshapes/crops64.npz]``

The head stands on what is measured of silhouettes (ring spectra and shape descriptors), with 10 labels per class of
half of each class's micrographs; the other half is judged. ``solids`` and ``solids-mild`` are drawings (see
``solids.py``), four data sets with twelve draws each: the factor is chosen on them. ``transfer`` and ``library`` are
real particles (see ``tem_protocols.py``), 20 splits with three draws each. Each line has the mean and the largest
calibration error over the fits, that of all judged images together, and the negative log-likelihood; ``perfect`` is the
mean calibration error of labels drawn from the probabilities themselves: what so few images show where nothing is
wrong. With one factor for all, no mean is below the smallest of its column.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from common import machine, report
from heads import Set, cases
from sklearn.metrics import balanced_accuracy_score
from solids import KINDS, solids
from tem_protocols import by_micrograph, training_groups

from ssrvae_core.data import file_dataset, load
from ssrvae_core.embedding.crowd import softmax
from ssrvae_core.embedding.head import DOUBT_ACROSS_MICROGRAPHS, Mixture
from ssrvae_core.embedding.measuring import measure
from ssrvae_core.evaluation.metrics import expected_calibration_error
from ssrvae_core.models.opinion import SecondOpinion

FACTORS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.3, 1.7)
PER_CLASS, SEEDS, DRAWS, SPLITS, LABEL_DRAWS = 10, 4, 12, 20, 3

Fit = tuple[np.ndarray, np.ndarray, list[np.ndarray]]
"""Labels of what is judged, weights of the heads, and each head's log-odds with its own confidence."""


def odds(
    measured: dict[str, np.ndarray], rows: np.ndarray, y: np.ndarray, groups: np.ndarray, judged: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Fit the heads to these rows, and return their weights and log-odds of the judged rows."""
    opinion = SecondOpinion(int(y.max()) + 1)
    features = opinion.scale({kind: values[rows] for kind, values in measured.items()})
    mixture = Mixture.fit(features, y, opinion.columns, DOUBT_ACROSS_MICROGRAPHS, groups[rows])
    seen = opinion.features({kind: values[judged] for kind, values in measured.items()})
    pairs = zip(mixture.heads, mixture.columns, strict=True)
    return mixture.weights_elsewhere, [head.confidence * head.log_odds(seen[:, own]) for head, own in pairs]


def drawn(name: str) -> Iterator[Fit]:
    """Fit to drawings."""
    for seed in range(SEEDS):
        masks, labels, groups = solids(name, seed)
        measured = measure(masks[:, None].astype(np.float32), masks)
        for draw in range(DRAWS):
            y, judged = cases(Set(masks, masks, labels, groups), PER_CLASS, draw, False)
            yield labels[judged], *odds(measured, np.arange(len(y)), y, groups, np.flatnonzero(judged))


def real(protocol: str, file: str) -> Iterator[Fit]:
    """Fit to real particles."""
    images = load(file_dataset(file, view="mask"))
    measured = measure(images.images, images.masks)
    row = {int(sample): place for place, sample in enumerate(images.ids)}
    for half in training_groups(images, SPLITS):
        for draw in range(LABEL_DRAWS):
            split = by_micrograph(images, half, PER_CLASS, draw, library=protocol == "library")
            labelled, others, judged = (
                np.array([row[int(sample)] for sample in part.ids])
                for part in (split.labelled, split.unlabelled, split.validation)
            )
            y = np.concatenate([images.labels[labelled], np.full(len(others), -1)])
            rows = np.concatenate([labelled, others])
            yield images.labels[judged], *odds(measured, rows, y, images.groups, judged)


def main() -> None:
    """Print a line per data set and factor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=[*KINDS, "transfer", "library"])
    parser.add_argument("--file", default="../shared/data/nanoshapes/crops64.npz")
    arguments = parser.parse_args()
    report(benchmark="confidence", machine=machine())
    rng = np.random.default_rng(0)
    for name in arguments.data:
        fits = list(drawn(name) if name in KINDS else real(name, arguments.file))
        for factor in FACTORS:
            said = [
                (labels, sum(weight * softmax(factor * one) for weight, one in zip(weights, each, strict=True)))
                for labels, weights, each in fits
            ]
            errors = [expected_calibration_error(labels, found) for labels, found in said]
            perfect = [
                expected_calibration_error((rng.random((len(found), 1)) > found.cumsum(axis=1)).sum(axis=1), found)
                for _, found in said
            ]
            right = [np.clip(found[np.arange(len(labels)), labels], 1e-6, None) for labels, found in said]
            every = [np.concatenate(parts) for parts in zip(*said, strict=True)]
            report(
                data=name,
                factor=factor,
                fits=len(said),
                balanced_accuracy=round(
                    float(np.mean([balanced_accuracy_score(labels, found.argmax(axis=1)) for labels, found in said])), 4
                ),
                ece=round(float(np.mean(errors)), 4),
                ece_worst=round(max(errors), 4),
                ece_pooled=round(expected_calibration_error(*every), 4),
                perfect=round(float(np.mean(perfect)), 4),
                nll=round(float(np.mean([-np.log(values).mean() for values in right])), 4),
            )


if __name__ == "__main__":
    main()
