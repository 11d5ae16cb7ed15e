"""Classifiers of shape descriptors: what a microscopist does today with the measurements of an outline.

A descriptor is measured on the mask where there is one, else on an outline found by a threshold, see
:mod:`ssrvae_core.embedding.descriptors`. Two heads are fitted on them: linear discriminant analysis with shrinkage, and
extremely randomised trees. Cross-validation on the labelled images chooses between them, over whole groups where there
are groups, and calibrates the one chosen, over images: folds of whole groups leave so few labels to learn from that the
errors made there say little of how sure the final head may be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from ssrvae_core.data import ImageSet, Split
from ssrvae_core.embedding.descriptors import outlines, shape_descriptors
from ssrvae_core.evaluation.rivals.pixels import Folds, folds, image_folds

TREES = 200

FLATTEST = 1e-6
"""Standard deviation below which a descriptor is constant, and says nothing."""

SMALLEST_PROBABILITY = 1e-3
"""Of a class of which no tree has seen anything there: trees say 0 where they have few images, and mean "seldom"."""

TEMPERATURES = np.geomspace(0.5, 32, 49)
"""By which the logarithms of the probabilities are divided to calibrate them."""

RIDGE = 0.1
"""Inverse strength of the penalty of the head that stands in where a class has one label, and so no spread."""

Head = Callable[[int], Any]
"""From a seed to a classifier of scikit-learn."""


def linear(seed: int) -> LinearDiscriminantAnalysis:
    """Return linear discriminant analysis: Ledoit-Wolf shrinkage, all classes equally probable."""
    return _EqualPriors(solver="lsqr", shrinkage="auto")


def trees(seed: int) -> ExtraTreesClassifier:
    """Return extremely randomised trees, all classes equally heavy."""
    return ExtraTreesClassifier(TREES, class_weight="balanced", random_state=seed, n_jobs=torch.get_num_threads())


HEADS: dict[str, Head] = {"lda": linear, "extra-trees": trees}
"""The first is taken where both are equally accurate."""


class _EqualPriors(LinearDiscriminantAnalysis):
    """Discriminant analysis that expects all the classes it is fitted on equally often."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> _EqualPriors:
        classes = np.unique(y)
        self.priors = np.full(len(classes), 1 / len(classes))
        return super().fit(X, y)


class Standardised:
    """Descriptors with mean 0 and standard deviation 1 on the images it is made of.

    Parameters
    ----------
    descriptors : float array (N, D)
        Of all training images, labelled and unlabelled.
    """

    def __init__(self, descriptors: np.ndarray) -> None:
        exact = descriptors.astype(np.float64)
        self.mean, self.sd = exact.mean(axis=0), exact.std(axis=0)

    def __call__(self, descriptors: np.ndarray) -> np.ndarray:
        """Return the descriptors (N, D) in these units; 0 where one is constant."""
        return np.where(self.sd > FLATTEST, (descriptors - self.mean) / np.maximum(self.sd, FLATTEST), 0.0)


class Calibrated:
    """A head with the temperature that its cross-validated probabilities need.

    Parameters
    ----------
    head : classifier
        Fitted.
    temperature : float
        Divides the logarithms of the probabilities; above 1 they become more even.
    """

    def __init__(self, head: Any, temperature: float) -> None:
        self.head, self.temperature = head, temperature

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Return the class probabilities (N, K) of features (N, F)."""
        return softmax(_log_probabilities(self.head, features) / self.temperature, axis=1)


class ShapeClassifier:
    """A classifier of standardised shape descriptors.

    Parameters
    ----------
    standardised : Standardised
        The units of the descriptors.
    head : Calibrated
        Classifies them.
    parameters : dict
        What was chosen, and how.
    """

    def __init__(self, standardised: Standardised, head: Calibrated, parameters: dict[str, Any]) -> None:
        self.standardised, self.head, self.parameters = standardised, head, parameters

    def predict_proba(self, images: np.ndarray, masks: np.ndarray | None = None) -> np.ndarray:
        """Return the class probabilities (N, K) of images (N, C, H, W), with their masks (N, H, W) if there are any."""
        described = shape_descriptors(outlines(images) if masks is None else masks)
        return self.head.predict_proba(self.standardised(described))


def shape_classifier(data: Split, seed: int, device: str) -> ShapeClassifier:
    """Fit the head that classifies the descriptors best in cross-validation."""
    labelled = _described(data.labelled)
    standardised = Standardised(np.concatenate([labelled, _described(data.unlabelled)]))
    labels = data.labelled.labels
    head, parameters = fit_head(standardised(labelled), labels, folds(data.labelled, seed), seed)
    described_by = "outlines" if data.labelled.masks is None else "masks"
    return ShapeClassifier(standardised, head, {"described_by": described_by} | parameters)


def fit_head(
    features: np.ndarray, labels: np.ndarray, parts: Folds, seed: int, heads: dict[str, Head] | None = None
) -> tuple[Calibrated, dict[str, Any]]:
    """Fit the head with the best cross-validated balanced accuracy, and calibrate it by folds of single images.

    Parameters
    ----------
    features : float array (N, F)
        Of the labelled images, standardised.
    labels : int array (N,)
        All of 0 to K - 1 occur.
    parts : list of (learnt, judged)
        Rows of each fold to choose by; none where a class has one label only.
    seed : int
        Of the trees, and of the folds to calibrate by.
    heads : dict, optional
        Those to choose among, by name; by default :data:`HEADS`.

    Returns
    -------
    head : Calibrated
    parameters : dict
        ``head``, ``temperature``, ``folds`` and ``cross_validated_accuracy``; ready for JSON.
    """
    heads = HEADS if heads is None else heads
    if np.bincount(labels).min() < 2:
        return Calibrated(_single(seed).fit(features, labels), 1.0), _told("logistic-regression", 1.0, 0, None)
    if not parts:
        name = next(iter(heads))
        return Calibrated(heads[name](seed).fit(features, labels), 1.0), _told(name, 1.0, 0, None)
    accuracy = {name: _accuracy(head, features, labels, parts, seed) for name, head in heads.items()}
    best = max(accuracy, key=lambda name: accuracy[name])
    temperature = _temperature(*_cross_validated(heads[best], features, labels, image_folds(labels, seed), seed))
    told = _told(best, temperature, len(parts), accuracy[best])
    return Calibrated(heads[best](seed).fit(features, labels), temperature), told


def _single(seed: int) -> LogisticRegression:
    return LogisticRegression(C=RIDGE, max_iter=1000)


def _described(images: ImageSet) -> np.ndarray:
    return shape_descriptors(outlines(images.images) if images.masks is None else images.masks)


def _accuracy(head: Head, features: np.ndarray, labels: np.ndarray, parts: Folds, seed: int) -> float:
    log_prob, judged = _cross_validated(head, features, labels, parts, seed)
    return float(balanced_accuracy_score(judged, log_prob.argmax(axis=1)))


def _cross_validated(
    head: Head, features: np.ndarray, labels: np.ndarray, parts: Folds, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithms of the probabilities (N, K) of the judged rows, fold after fold, and their labels."""
    guesses = []
    for learnt, judged in parts:
        few = np.bincount(labels[learnt], minlength=labels.max() + 1).min() < 2
        fitted = (_single if few else head)(seed).fit(features[learnt], labels[learnt])
        guesses.append(_log_probabilities(fitted, features[judged]))
    return np.concatenate(guesses), labels[np.concatenate([judged for _, judged in parts])]


def _log_probabilities(head: Any, features: np.ndarray) -> np.ndarray:
    if isinstance(head, LinearDiscriminantAnalysis):  # its probabilities round to 0 and 1; their logarithms do not
        scores = head.decision_function(features)
        return log_softmax(scores if scores.ndim == 2 else np.stack([0 * scores, scores], axis=1), axis=1)
    return np.log(np.maximum(head.predict_proba(features), SMALLEST_PROBABILITY))


def _temperature(log_prob: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the smallest Brier score against targets as sure as so few labels allow.

    Of n labels that all come back, Platt (1999) concludes (n + 1) / (n + 2), not certainty. The Brier score is bounded:
    with few labels a single gross error would decide the cross-entropy alone.
    """
    n_classes = log_prob.shape[1]
    seldom = 1 / (np.bincount(labels, minlength=n_classes) + 2)
    target = np.repeat((seldom / (n_classes - 1))[labels, None], n_classes, axis=1)
    target[np.arange(len(labels)), labels] = 1 - seldom[labels]
    loss = [((softmax(log_prob / t, axis=1) - target) ** 2).sum(axis=1).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(loss))])


def _told(head: str, temperature: float, n_folds: int, accuracy: float | None) -> dict[str, Any]:
    return {"head": head, "temperature": temperature, "folds": n_folds, "cross_validated_accuracy": accuracy}
