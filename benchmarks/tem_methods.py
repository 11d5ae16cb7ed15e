"""The methods compared on TEM particles: each takes a split and returns class probabilities of what is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.measure import label, regionprops
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.semi_supervised import LabelSpreading

from ssrvae_core.config import run_config
from ssrvae_core.data import UNLABELLED, ImageSet, Split
from ssrvae_core.embedding.descriptors import DESCRIPTOR_NAMES, SIMPLE_NAMES, outlines, shape_descriptors
from ssrvae_core.embedding.rings import ring_spectra
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.evaluation.rivals import RIVALS, shape, spreading
from ssrvae_core.evaluation.rivals.pixels import folds
from ssrvae_core.training import Trainer

FOREST_GRID = {"max_features": ["sqrt", 0.1], "min_samples_leaf": [1, 3]}

RING = 3
"""Width in pixels of the border that the control sees."""


@dataclass(frozen=True)
class Task:
    """What a method is given.

    Attributes
    ----------
    data : Split
        Labelled, unlabelled and judged images; the judged ones without labels.
    features : Features
        Of all images of the view.
    config : object
        The data set's configuration, for the models.
    seed : int
    settings : dict
        Of our models, by their dotted names.
    """

    data: Split
    features: Features
    config: Any
    seed: int
    settings: dict[str, Any]


class Features:
    """Numbers per particle, measured once per view and looked up by the particle's id."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self.row = {int(i): row for row, i in enumerate(images.ids)}
        self.kept: dict[str, np.ndarray] = {}

    def __call__(self, kind: str, part: ImageSet) -> np.ndarray:
        """Return one kind of features (N, F) of these particles; see :data:`KINDS`."""
        if kind not in self.kept:
            self.kept[kind] = KINDS[kind](self.images)
        return self.kept[kind][[self.row[int(i)] for i in part.ids]]


def _simple(images: ImageSet) -> np.ndarray:
    return shape_descriptors(images.masks)[:, [DESCRIPTOR_NAMES.index(name) for name in SIMPLE_NAMES]]


def _counted(images: ImageSet) -> np.ndarray:
    """Measure the six simple ones as scikit-image counts pixels; extent is of the upright rectangle."""
    rows = []
    for mask in images.masks:
        seen = max(regionprops(label(mask)), key=lambda region: region.area)
        ratio = seen.axis_minor_length / seen.axis_major_length
        circularity = 4 * np.pi * seen.area / seen.perimeter**2
        feret = seen.area / seen.feret_diameter_max**2
        rows.append([seen.solidity, seen.eccentricity, circularity, seen.extent, ratio, feret])
    return np.array(rows)


def _with_rings(images: ImageSet) -> np.ndarray:
    """Descriptors, and the first 20 principal components of the ring spectra (no label is seen)."""
    spectra = ring_spectra(images.images).astype(np.float64)
    spectra -= spectra.mean(axis=0)
    scores = np.linalg.svd(spectra, full_matrices=False)[0][:, :20]
    return np.concatenate([shape_descriptors(images.masks), scores], axis=1)


def _border(images: ImageSet) -> np.ndarray:
    """Quantiles of the grey levels of the border ring, and of their gradients: the particle is not in it."""
    ring = np.ones(images.images.shape[2:], dtype=bool)
    ring[RING:-RING, RING:-RING] = False
    grey = images.images.mean(axis=1)
    levels = np.quantile(grey[:, ring], np.linspace(0, 1, 33), axis=1).T
    y, x = np.gradient(grey, axis=(1, 2))
    edge = np.quantile(np.hypot(x, y)[:, ring], np.linspace(0.1, 0.9, 9), axis=1).T
    return np.concatenate([levels, edge], axis=1)


KINDS: dict[str, Callable[[ImageSet], np.ndarray]] = {
    "descriptors": lambda images: shape_descriptors(images.masks),
    "simple": _simple,
    "counted": _counted,
    "outline": lambda images: shape_descriptors(outlines(images.images)),
    "with_rings": _with_rings,
    "border": _border,
}
"""Kinds of features; ``outline`` does without the masks, and ``border`` sees the ring around the particle alone."""


def head(kind: str, heads: dict[str, shape.Head]) -> Method:
    """Return a method that fits one of these heads to a kind of features, calibrated as in the registry's method."""

    def method(task: Task) -> np.ndarray:
        data = task.data
        labelled = task.features(kind, data.labelled)
        units = shape.Standardised(np.concatenate([labelled, task.features(kind, data.unlabelled)]))
        parts = folds(data.labelled, task.seed)
        fitted, _ = shape.fit_head(units(labelled), data.labelled.labels, parts, task.seed, heads)
        return fitted.predict_proba(units(task.features(kind, data.validation)))

    return method


def spread(task: Task) -> np.ndarray:
    """Spread the labels over the descriptors of labelled and unlabelled images."""
    data = task.data
    labelled, unlabelled = (task.features("descriptors", part) for part in (data.labelled, data.unlabelled))
    units = shape.Standardised(np.concatenate([labelled, unlabelled]))
    known = np.concatenate([data.labelled.labels, np.full(len(unlabelled), UNLABELLED)])
    fitted = LabelSpreading(
        kernel="knn",
        n_neighbors=min(spreading.NEIGHBOURS[0], len(known)),
        alpha=spreading.CLAMPING,
        max_iter=spreading.MOST_STEPS,
    ).fit(units(np.concatenate([labelled, unlabelled])), known)
    with np.errstate(invalid="ignore"):
        prob = fitted.predict_proba(units(task.features("descriptors", data.validation)))
    return np.where(np.isfinite(prob), prob, 1 / prob.shape[1])


def rival(name: str) -> Method:
    """Return a method of the registry, on the images as the view shows them."""

    def method(task: Task) -> np.ndarray:
        fitted = RIVALS[name](task.data, task.seed, "cpu")
        judged = task.data.validation
        if RIVALS[name].masks:
            return fitted.predict_proba(judged.images, judged.masks)
        return fitted.predict_proba(judged.images)

    return method


def ours(**fixed: Any) -> Method:
    """Return our model with these settings, and those of the command."""

    def method(task: Task) -> np.ndarray:
        settings = {**task.settings, **fixed}
        config = run_config(dataset=task.config, labels_per_class=1, seed=task.seed, settings=settings)
        trainer = Trainer(config, task.data)
        for _ in trainer.fit():
            pass
        return predict(trainer.model, task.data.validation).class_prob

    return method


def forest_all_labels(task: Task) -> np.ndarray:
    """Fit a random forest of pixels with every label of the training part: what labels alone could reach."""
    data = task.data
    known = data.hidden_labels != UNLABELLED
    images = np.concatenate([data.labelled.images, data.unlabelled.images[known]])
    labels = np.concatenate([data.labelled.labels, data.hidden_labels[known]])
    search = GridSearchCV(RandomForestClassifier(500, random_state=task.seed, n_jobs=-1), FOREST_GRID, cv=3)
    search.fit(images.reshape(len(images), -1), labels)
    return search.predict_proba(data.validation.images.reshape(len(data.validation), -1))


def _logistic(seed: int) -> LogisticRegression:
    return LogisticRegression(max_iter=2000)


LDA: dict[str, shape.Head] = {"lda": shape.linear}

Method = Callable[[Task], np.ndarray]
"""From a task to the class probabilities (judged, K)."""

METHODS: dict[str, Method] = {
    "shape-descriptors": rival("shape-descriptors"),
    "descriptors-lda": head("descriptors", LDA),
    "descriptors-trees": head("descriptors", {"extra-trees": shape.trees}),
    "descriptors-logistic": head("descriptors", {"logistic": _logistic}),
    "simple-lda": head("simple", LDA),
    "counted-lda": head("counted", LDA),
    "outline-lda": head("outline", LDA),
    "rings-lda": head("with_rings", LDA),
    "descriptors-spreading": spread,
    "random-forest": rival("random-forest"),
    "xgboost": rival("xgboost"),
    "cnn": rival("cnn"),
    "cnn-fixmatch": rival("cnn-fixmatch"),
    "ss-rvae": ours(),
    "ss-rvae-alone": ours(**{"model.second_opinion": False}),
    "without-generative-terms": ours(**{"training.generative_weight": 0.0}),
    "forest-all-labels": forest_all_labels,
    "border-ring": head("border", {"lda": shape.linear, "extra-trees": shape.trees}),
}

CHEAP = (
    "shape-descriptors",
    "descriptors-lda",
    "descriptors-trees",
    "descriptors-logistic",
    "simple-lda",
    "counted-lda",
    "outline-lda",
    "rings-lda",
    "descriptors-spreading",
    "random-forest",
)
"""Seconds per fit on one core."""

ONLY_RAW = ("border-ring", "outline-lda")
"""Mean nothing, or nothing new, where the view has taken the background away."""

ALL_LABELS = ("forest-all-labels",)
"""Has the labels of the judged particles where those are among the unlabelled, so it runs on ``transfer`` alone."""
