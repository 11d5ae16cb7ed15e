"""Classifiers of the pixels as they are, as in the paper's Fig. S3: each chosen by cross-validation on the labels.

The folds are stratified, as many as the class with fewest labels has, at most five. Where the images have groups, such
as micrographs, and every class lies in two of them or more, a group is in one fold only, and there are no more folds
than groups of any class: images of one micrograph resemble each other, and would flatter whoever learns them by heart.
Where a class has one label there is nothing to choose by, and the first value of everything is taken; so it is between
values that are equally accurate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ssrvae_core.data import ImageSet, Split

MOST_FOLDS = 5
TREES = 300
BOOSTING_ROUNDS = 150
NEIGHBOURS = (1, 3, 5, 9, 15)

Grid = dict[str, list[Any]]
"""Values to choose among."""

Folds = list[tuple[np.ndarray, np.ndarray]]
"""Rows to learn from and rows to be judged on, a pair a fold."""


class PixelClassifier:
    """A scikit-learn classifier of flattened images."""

    def __init__(self, estimator: Any, parameters: dict[str, Any]) -> None:
        self.estimator, self.parameters = estimator, parameters

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities (N, K) of images (N, C, H, W)."""
        return self.estimator.predict_proba(flat(images))


def decision_tree(data: Split, seed: int, device: str) -> PixelClassifier:
    """Fit a decision tree: one grown to the end, unless a smaller one is better."""
    grid: Grid = {"max_depth": [None, 4, 8], "min_samples_leaf": [1, 3, 10]}
    return _chosen(DecisionTreeClassifier(random_state=seed), grid, data, seed)


def random_forest(data: Split, seed: int, device: str) -> PixelClassifier:
    """Fit a random forest of 300 trees."""
    forest = RandomForestClassifier(TREES, random_state=seed, n_jobs=torch.get_num_threads())
    return _chosen(forest, {"max_features": ["sqrt", 0.1], "min_samples_leaf": [1, 3]}, data, seed)


def xgboost(data: Split, seed: int, device: str) -> PixelClassifier:
    """Fit 150 rounds of boosted trees (Chen & Guestrin 2016, arXiv 1603.02754)."""
    from xgboost import XGBClassifier

    boosting = XGBClassifier(
        n_estimators=BOOSTING_ROUNDS,
        subsample=0.8,
        colsample_bytree=0.2,
        min_child_weight=0.1,  # with 1, a leaf takes more images than few labels have
        tree_method="hist",
        max_bin=64,
        random_state=seed,
        n_jobs=torch.get_num_threads(),
    )
    return _chosen(boosting, {"max_depth": [3, 6], "learning_rate": [0.1, 0.3]}, data, seed)


def logistic_regression(data: Split, seed: int, device: str) -> PixelClassifier:
    """Fit a logistic regression on standardised pixels."""
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    return _chosen(regression, {"logisticregression__C": [1e-2, 1e-4, 1e-3, 1e-1, 1.0]}, data, seed)


def knn(data: Split, seed: int, device: str) -> PixelClassifier:
    """Ask the nearest labelled images."""
    fewest = min((len(learnt) for learnt, _ in folds(data.labelled, seed)), default=1)
    neighbours = [number for number in NEIGHBOURS if number <= fewest]
    grid: Grid = {"n_neighbors": neighbours, "weights": ["uniform", "distance"]}
    return _chosen(KNeighborsClassifier(), grid, data, seed)


def flat(images: np.ndarray) -> np.ndarray:
    """Return the pixels (N, C * H * W) of images (N, C, H, W)."""
    return images.reshape(len(images), math.prod(images.shape[1:]))


def folds(labelled: ImageSet, seed: int) -> Folds:
    """Return the folds to choose by: at most five, and none where a class has one label only.

    Parameters
    ----------
    labelled : ImageSet
        Images that all have a label. Their groups stay whole where every class is in two or more, and every fold can
        be learnt for from all classes.
    seed : int
        Of the shuffling.
    """
    labels, groups = labelled.labels, labelled.groups
    if groups is not None and (whole := _whole_groups(labels, groups, seed)):
        return whole
    return image_folds(labels, seed)


def image_folds(labels: np.ndarray, seed: int) -> Folds:
    """Return folds of single images, whatever their groups: at most five, and none where a class has one label only."""
    number = min(MOST_FOLDS, int(np.bincount(labels).min()))
    return _drawn(StratifiedKFold(number, shuffle=True, random_state=seed), labels) if number > 1 else []


def _whole_groups(labels: np.ndarray, groups: np.ndarray, seed: int) -> Folds:
    """Folds of whole groups, none where they cannot be made."""
    classes = np.unique(labels)
    number = min(MOST_FOLDS, *(len(np.unique(groups[labels == c])) for c in classes))
    if number < 2:
        return []
    drawn = _drawn(StratifiedGroupKFold(number, shuffle=True, random_state=seed), labels, groups)
    usable = all(len(judged) and len(np.unique(labels[learnt])) == len(classes) for learnt, judged in drawn)
    return drawn if usable else []  # groups of several classes can leave one with all that there is of a class


def _drawn(folding: StratifiedKFold | StratifiedGroupKFold, labels: np.ndarray, groups: Any = None) -> Folds:
    return list(folding.split(labels, labels, groups))


def _chosen(estimator: BaseEstimator, grid: Grid, data: Split, seed: int) -> PixelClassifier:
    """Fit the estimator with the values of the grid that are most accurate in cross-validation."""
    pixels, labels = flat(data.labelled.images), data.labelled.labels
    parts = folds(data.labelled, seed)
    if not parts:
        first = {name: values[0] for name, values in grid.items()}
        return PixelClassifier(estimator.set_params(**first).fit(pixels, labels), _told(first, 0, None))
    search = GridSearchCV(estimator, grid, cv=parts, error_score="raise")
    search.fit(pixels, labels)
    told = _told(search.best_params_, len(parts), float(search.best_score_))
    return PixelClassifier(search.best_estimator_, told)


def _told(values: Mapping[str, Any], n_folds: int, accuracy: float | None) -> dict[str, Any]:
    """Return the values by their plain names, and what they were chosen by."""
    plain = {name.rpartition("__")[2]: value for name, value in values.items()}
    return plain | {"folds": n_folds, "cross_validated_accuracy": accuracy}
