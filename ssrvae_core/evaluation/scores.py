"""Scores of predictions as scikit-learn defines them, without the second that its import takes.

Every training ends with them, and every report begins with them; a test holds them equal to scikit-learn's.
"""

from __future__ import annotations

import numpy as np

RIDGE = 1.0
"""Weight of the penalty on the squared slopes of :func:`cross_validated_r2`."""


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Count the images, a row per true class, a column per predicted one.

    Parameters
    ----------
    labels, predicted : int array (N,)
        Classes, each in [0, K).
    n_classes : int
        K.

    Returns
    -------
    int array (K, K)
    """
    return np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def precision_recall_f1(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall and F1 of each class, NaN where a ratio is 0/0.

    Parameters
    ----------
    counts : int array (K, K)
        See :func:`confusion_matrix`.
    """
    right, predicted, support = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return right / predicted, right / support, 2 * right / (predicted + support)


def log_loss(labels: np.ndarray, class_prob: np.ndarray) -> float:
    """Mean negative log probability of the true class, which counts as the type's smallest step at least.

    Parameters
    ----------
    labels : int array (N,)
        True classes, N > 0.
    class_prob : float array (N, K)
        Class probabilities.
    """
    step = np.finfo(class_prob.dtype).eps
    chosen = np.clip(class_prob[np.arange(len(labels)), labels], step, 1 - step)
    return float(-np.log(chosen.astype(np.float64)).mean())


def silhouette_score(z: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the images of (b - a) / max(a, b), 0 for an image alone in its class (Rousseeuw 1987).

    ``a`` is the mean distance to the other images of its class, ``b`` to those of the nearest other class.

    Parameters
    ----------
    z : float array (N, D)
        Points.
    labels : int array (N,)
        Their classes, two or more, and fewer than N.
    """
    n = np.arange(len(z))
    _, members = np.unique(labels, return_inverse=True)
    centred = (z - z.mean(axis=0)).astype(np.float64)
    squares = (centred**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * centred @ centred.T, 0.0))
    distances[n, n] = 0.0
    one_hot = np.eye(members.max() + 1)[members]
    sums, sizes = distances @ one_hot, one_hot.sum(axis=0)
    own = sizes[members]
    within = sums[n, members] / np.maximum(own - 1, 1)
    means = sums / sizes
    means[n, members] = np.inf
    nearest = means.min(axis=1)
    larger = np.maximum(within, nearest)
    usable = (own > 1) & (larger > 0)
    return float(np.where(usable, (nearest - within) / np.where(usable, larger, 1.0), 0.0).mean())


def cross_validated_r2(z: np.ndarray, target: np.ndarray, n_folds: int) -> float:
    """R2, averaged over the targets, of ridge regression on standardised inputs; the folds are drawn with a fixed seed.

    Parameters
    ----------
    z : float64 array (N, D)
        Inputs.
    target : float64 array (N,) or (N, T)
        What they are to explain.
    n_folds : int
        Number of folds.
    """
    target = target.reshape(len(target), -1)
    predicted = np.empty_like(target)
    order = np.random.RandomState(0).permutation(len(z))
    for fold in np.array_split(order, n_folds):
        rest = np.setdiff1d(order, fold)
        mean, scale = _standard(z[rest])
        inputs, offset = (z[rest] - mean) / scale, target[rest].mean(axis=0)
        penalty = RIDGE * np.eye(z.shape[1])
        slopes = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (target[rest] - offset))
        predicted[fold] = (z[fold] - mean) / scale @ slopes + offset
    residual = ((target - predicted) ** 2).sum(axis=0)
    total = ((target - target.mean(axis=0)) ** 2).sum(axis=0)
    constant = np.where(residual == 0, 1.0, 0.0)
    varies = total > 0
    return float(np.where(varies, 1 - residual / np.where(varies, total, 1.0), constant).mean())


def _standard(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each column, 1 where it is constant but for rounding."""
    n, eps = len(values), np.finfo(np.float64).eps
    mean, variance = values.mean(axis=0), values.var(axis=0)
    constant = variance <= n * eps * variance + (n * mean * eps) ** 2
    return mean, np.where(constant, 1.0, np.sqrt(variance))
