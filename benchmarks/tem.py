"""Measure methods on real TEM particles with few labels, by three protocols (see ``tem_protocols.py``).

Usage: ``python benchmarks/tem.py [--file ../shared/data/nanoshapes/crops64.npz] [--out tem.jsonl]
[--protocols transfer library clicks] [--views mask] [--methods cheap] [--splits 20] [--draws 3]``

Views are silhouettes (``mask``, the headline), contrast-normalised objects on black (``masked``) and raw crops
(``image``). Class, micrograph and acquisition are confounded in this data: a raw crop's background can give the
class away; the method ``border-ring`` is the control: it sees the rim of the crop only. All methods see the same
labels, and no method is given a label of a judged particle. Every fit is a JSON line in ``--out``; what is there is not
fitted again, so the command can be stopped, repeated and given more methods. ``--summary`` fits nothing.

``worst`` is over all fits. A paired difference is taken per split, the draws averaged before, against ``--reference``;
its interval is a bootstrap over splits (95 %). Splits share micrographs, so the intervals are too narrow for particles
of other laboratories.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import machine, report
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from tem_methods import ALL_LABELS, CHEAP, METHODS, ONLY_RAW, Features, Task
from tem_protocols import PROPOSALS, PROTOCOLS, by_clicks, by_micrograph, known_classes, training_groups

from ssrvae_core.data import ImageSet, Split, file_dataset, load
from ssrvae_core.evaluation.metrics import expected_calibration_error

KEY = ("protocol", "view", "labels", "proposal", "split", "draw", "method", "settings", "data")
"""What a fit is known by."""

RESAMPLES = 10_000
FLOOR = 1e-6


def fit(method: str, task: Task, present: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Fit a method and return how well it judges."""
    began = time.perf_counter()
    known = METHODS[method](task)
    seconds = time.perf_counter() - began
    n_classes = int(labels.max()) + 1
    prob = np.zeros((len(labels), n_classes))
    prob[:, present] = known
    predicted = prob.argmax(axis=1)
    right = np.clip(prob[np.arange(len(labels)), labels], FLOOR, None)
    return {
        "balanced_accuracy": round(float(balanced_accuracy_score(labels, predicted)), 5),
        "ece": round(expected_calibration_error(labels, prob), 5),
        "nll": round(float(-np.log(right).mean()), 5),
        "confusion": confusion_matrix(labels, predicted, labels=np.arange(n_classes)).tolist(),
        "seconds": round(seconds, 2),
    }


def cases(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return what each case is known by: all protocols of one split and draw, then those of the next."""
    clicks = [("clicks", number, options.proposal) for number in options.clicks]
    fixed = [(protocol, options.labels_per_class, None) for protocol in ("transfer", "library")]
    return [
        {"protocol": protocol, "labels": number, "proposal": proposal, "split": split, "draw": draw}
        for split, draw in itertools.product(range(options.splits), range(options.draws))
        for protocol, number, proposal in [*fixed, *clicks]
        if protocol in options.protocols
    ]


def parts(case: dict[str, Any], images: ImageSet, features: Features, halves: list[np.ndarray]) -> Split:
    """Return the labelled, unlabelled and judged images of a case."""
    if case["protocol"] == "clicks":
        described = features("descriptors", images)
        return by_clicks(images, described, case["labels"], seed_of(case), PROPOSALS[case["proposal"]])
    library = case["protocol"] == "library"
    return by_micrograph(images, halves[case["split"]], case["labels"], case["draw"], library=library)


def seed_of(case: dict[str, Any]) -> int:
    """Return the seed of everything random in a case."""
    return case["split"] * 1000 + case["draw"]


def applicable(method: str, view: str, protocol: str) -> bool:
    """Return whether a method means anything here."""
    if method in ONLY_RAW and view != "image":
        return False
    return method not in ALL_LABELS or protocol == "transfer"


def measure(options: argparse.Namespace, settings: dict[str, Any], done: set[str]) -> None:
    """Fit what is not there yet, and append a line per fit."""
    for view in options.views:
        config = file_dataset(options.file, view=view)
        images = load(config)
        features = Features(images)
        halves = training_groups(images, options.splits)
        for case in cases(options):
            data: Split | None = None
            for method in options.methods:
                used = settings if method in ("ss-rvae", "without-generative-terms") else {}
                key = {**case, "view": view, "method": method, "settings": used, "data": (config.sha256 or "")[:12]}
                if identity(key) in done or not applicable(method, view, case["protocol"]):
                    continue
                data = data or parts(case, images, features, halves)
                known, present = known_classes(data)
                task = Task(known, features, config, seed_of(case), used)
                line = {**key, **fit(method, task, present, data.validation.labels)}
                line |= {"labelled": len(known.labelled), "judged": len(known.validation)}
                append(Path(options.out), line)
                report(**line)


def identity(line: dict[str, Any]) -> str:
    """Return what a fit is known by, as a text."""
    return json.dumps([line.get(name) for name in KEY], sort_keys=True)


def kept(path: Path) -> list[dict[str, Any]]:
    """Return the fits in a file; a last line that was cut off is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if "balanced_accuracy" in line:
            lines.append(line)
    return lines


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a fit to a file, below a last line that may have been cut off."""
    cut = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut + json.dumps(line) + "\n")


def interval(differences: Sequence[float]) -> list[float]:
    """Return the 95 % bootstrap interval of a mean over splits."""
    array = np.asarray(differences)
    rows = np.random.default_rng(0).integers(len(array), size=(RESAMPLES, len(array)))
    return [round(float(end), 4) for end in np.percentile(array[rows].mean(axis=1), [2.5, 97.5])]


def summarise(lines: list[dict[str, Any]], reference: str) -> list[dict[str, Any]]:
    """Return a row per protocol, view, number of labels and method, with the paired difference from the reference."""
    cells: dict[tuple[Any, ...], dict[tuple[int, int], dict[str, Any]]] = defaultdict(dict)
    for line in lines:
        place = tuple(json.dumps(line.get(name)) for name in ("protocol", "view", "labels", "proposal", "data"))
        cells[*place, f"{line['method']} {line['settings'] or ''}".strip()][line["split"], line["draw"]] = line
    rows = []
    for (*place, method), fits in cells.items():
        score = [line["balanced_accuracy"] for line in fits.values()]
        row = dict(zip(("protocol", "view", "labels", "proposal"), map(json.loads, place), strict=False))
        row |= {"method": method, "fits": len(fits), "splits": len({split for split, _ in fits})}
        row |= {"mean": round(float(np.mean(score)), 4), "worst": round(min(score), 4)}
        for name in ("ece", "nll", "seconds"):
            row[name] = round(float(np.mean([line[name] for line in fits.values()])), 4)
        other = cells.get((*place, reference), {})
        if method != reference and (common := sorted(set(fits) & set(other))):
            by_split = defaultdict(list)
            for pair in common:
                by_split[pair[0]].append(fits[pair]["balanced_accuracy"] - other[pair]["balanced_accuracy"])
            differences = [float(np.mean(values)) for values in by_split.values()]
            row |= {
                "minus": reference,
                "paired": round(float(np.mean(differences)), 4),
                "over_splits": len(differences),
            }
            row["interval"] = interval(differences)
        rows.append(row)
    return sorted(
        rows, key=lambda row: (row["protocol"], row["view"], row["labels"], str(row["proposal"]), -row["mean"])
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", default="../shared/data/nanoshapes/crops64.npz")
    parser.add_argument("--out", default="tem.jsonl", help="the fits, one per line; those in it are not fitted again")
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--views", nargs="+", default=["mask"], choices=["mask", "masked", "image"])
    parser.add_argument("--methods", nargs="+", default=["cheap"], choices=[*METHODS, "cheap", "all"])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--draws", type=int, default=3, help="of labels, per split")
    parser.add_argument("--labels-per-class", type=int, default=10, help="of transfer and library")
    parser.add_argument("--clicks", nargs="+", type=int, default=[30, 10, 60])
    parser.add_argument("--proposal", default="coverage", choices=list(PROPOSALS))
    parser.add_argument("--reference", default="descriptors-lda", help="what the others are compared with in pairs")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of both of our models")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--summary", action="store_true", help="fit nothing; summarise what is in --out")
    options = parser.parse_args()
    named = options.methods
    options.methods = (
        list(METHODS) if "all" in named else [m for m in METHODS if m in named or ("cheap" in named and m in CHEAP)]
    )
    return options


def main() -> None:
    """Fit, and print a summary row per method."""
    options = arguments()
    torch.set_num_threads(options.threads)
    settings = {name: json.loads(value) for name, value in (text.split("=", 1) for text in options.set)}
    report(benchmark="tem", machine=machine(), settings=settings)
    if not options.summary:
        measure(options, settings, {identity(line) for line in kept(Path(options.out))})
    for row in summarise(kept(Path(options.out)), options.reference):
        report(**row)


if __name__ == "__main__":
    main()
