"""Which images to label next: first those that cover all kinds, then those that are unsure and have many like them.

Pure functions of features and probabilities. Images far from all others are never among the first: an outlier teaches
little about the rest. They are told apart by :func:`outlier_scores`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

COVERAGE = 15
"""Labels by coverage before any by uncertainty, or more: see :data:`COVERAGE_PER_CLASS`."""

COVERAGE_PER_CLASS = 4
"""Labels by coverage for each class that is known."""

NEIGHBOURS = 10
"""Nearest images from which the density around an image is told."""

OUTLIERS = 0.05
"""Share of the images, those with the highest outlier scores, that are proposed last."""

UNCERTAIN = 8
"""Unsure images looked at for each one that is proposed."""

MOST_CLUSTERS = 300
"""Groups that k-means is asked for at most; beyond, they are filled one after the other."""


def propose(
    features: Float[np.ndarray, "n features"],
    probabilities: Float[np.ndarray, "n classes"] | None,
    y: Int[np.ndarray, " n"],
    n: int,
    rng: np.random.Generator,
    scores: Float[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, " proposed"]:
    """Return which images to label next.

    Parameters
    ----------
    features : float array (N, F)
        Features of all images.
    probabilities : float array (N, K), optional
        Class probabilities; None, or those of a single class, where there is nothing to be unsure between.
    y : int array (N,)
        Position of the class of each, -1 where unlabelled.
    n : int
        Images to propose.
    rng : numpy.random.Generator
        Seeds the grouping; the same state gives the same proposals.
    scores : float array (N,), optional
        Outlier scores, where they are known: of many images they take long.

    Returns
    -------
    int array (min(n, unlabelled),)
        Their positions, the most telling first.
    """
    free = y < 0
    n = min(n, int(free.sum()))
    seed = int(rng.integers(2**31 - 1))
    done = int((~free).sum())
    n_classes = 0 if probabilities is None else probabilities.shape[1]
    wanted = n if n_classes < 2 else min(n, max(0, max(COVERAGE, COVERAGE_PER_CLASS * n_classes) - done))
    scores = outlier_scores(features) if scores is None else scores
    chosen = covering(features, free, wanted, scores, seed)
    if len(chosen) < n and probabilities is not None:
        free = free.copy()
        free[chosen] = False
        chosen = np.concatenate([chosen, unsure(features, probabilities, free, n - len(chosen), scores, seed)])
    return chosen


def covering(
    features: Float[np.ndarray, "n features"],
    free: Bool[np.ndarray, " n"],
    n: int,
    scores: Float[np.ndarray, " n"],
    seed: int,
) -> Int[np.ndarray, " proposed"]:
    """Return images that stand for all, the largest group without a label first.

    All images are parted into as many groups as there will be labels (k-means), and the most typical image of each
    group without one is taken, as TypiClust does (Hacohen et al. 2022, arXiv 2202.02794).

    Parameters
    ----------
    features : float array (N, F)
        Features of all images.
    free : bool array (N,)
        Which may be proposed: those without a label.
    n : int
        Images to propose, at most as many as are free.
    scores : float array (N,)
        Outlier scores.
    seed : int
        Of the grouping.
    """
    if n < 1:
        return np.empty(0, dtype=np.int64)
    n_groups = min(len(features), MOST_CLUSTERS, n + int((~free).sum()))
    groups = _grouped(features, n_groups, seed)
    labels = np.bincount(groups[~free], minlength=n_groups)
    sizes = np.bincount(groups, minlength=n_groups)
    return _one_of_each(groups, np.lexsort((-sizes, labels)), free, scores, n)


def unsure(
    features: Float[np.ndarray, "n features"],
    probabilities: Float[np.ndarray, "n classes"],
    free: Bool[np.ndarray, " n"],
    n: int,
    scores: Float[np.ndarray, " n"],
    seed: int,
) -> Int[np.ndarray, " proposed"]:
    """Return images whose two most probable classes are nearly alike, one of each group of such images.

    Parameters are those of :func:`covering` and the class probabilities, float (N, K) with K of at least 2.
    """
    if n < 1:
        return np.empty(0, dtype=np.int64)
    margin = _margin(probabilities)
    allowed = np.flatnonzero(free & ~is_outlier(scores))
    if len(allowed) < n:  # then outliers come last
        allowed = np.concatenate([allowed, np.flatnonzero(free & is_outlier(scores))[: n - len(allowed)]])
    pool = allowed[np.argsort(margin[allowed], kind="stable")[: UNCERTAIN * n]]
    groups = _grouped(features[pool], min(n, len(pool)), seed)
    # The largest group of unsure images first: a label there settles most.
    order = np.argsort(-np.bincount(groups), kind="stable")
    return pool[_one_of_each(groups, order, np.ones(len(pool), dtype=bool), scores[pool], n)]


def outlier_scores(features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, " n"]:
    """Return how far each image is from its neighbours: the mean distance of the nearest ones, over the median's.

    1 is as usual; the largest scores are particles unlike all others, overlaps and failed crops.
    """
    n_neighbours = min(NEIGHBOURS, len(features) - 1)
    if n_neighbours < 1:
        return np.ones(len(features))
    distances = NearestNeighbors(n_neighbors=n_neighbours).fit(features).kneighbors()[0].mean(axis=1)
    middle = np.median(distances)
    return distances / middle if middle > 0 else np.ones(len(features)) + distances


def is_outlier(scores: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Return which images are outliers: the share :data:`OUTLIERS` with the highest scores."""
    return scores > np.quantile(scores, 1 - OUTLIERS)


def _margin(probabilities: np.ndarray) -> np.ndarray:
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def _grouped(features: np.ndarray, n_groups: int, seed: int) -> np.ndarray:
    """Return the group of each image; where images are alike, some groups are empty."""
    distinct = len(np.unique(features, axis=0))
    return KMeans(min(n_groups, distinct), n_init=3, random_state=seed).fit_predict(features)


def _one_of_each(groups: np.ndarray, order: np.ndarray, free: np.ndarray, scores: np.ndarray, n: int) -> np.ndarray:
    """Return the most typical free image of each group in turn, and then the next ones, until there are n.

    Outliers come last, whatever their group.
    """
    outliers = is_outlier(scores)
    chosen: list[int] = []
    for kind in (free & ~outliers, free & outliers):
        queues = [np.flatnonzero(kind & (groups == group)) for group in order]
        queues = [queue[np.argsort(scores[queue], kind="stable")] for queue in queues]
        depth = max((len(queue) for queue in queues), default=0)
        for place in range(depth):
            chosen += [int(queue[place]) for queue in queues if place < len(queue)]
            if len(chosen) >= n:
                return np.array(chosen[:n], dtype=np.int64)
    return np.array(chosen[:n], dtype=np.int64)
