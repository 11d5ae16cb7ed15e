"""Labels spread over the images: each image is like its nearest ones, and these are like theirs.

A graph joins every image to the nearest others, and a label's mass is spread along it (Zhou et al. 2004, "Learning with
local and global consistency"). This needs no idea of how a class is shaped, so that it says most where a class has one
label or two. The graph does not depend on labels, and is made once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 10
"""Nearest images that each one is joined to."""

REACH = 0.99
"""Share of an image's mass that comes from its neighbours, the rest from its label."""

SHARPNESS = 3.0
"""Power that the shares of the classes are raised to: as they are spread, they are far too even."""

TOLERANCE = 1e-6
"""Of the conjugate gradients, as a share of what they begin with."""

MOST_STEPS = 100
"""Steps of the conjugate gradients; some ten are enough."""

SMALLEST = 1e-12
"""Mass of a class where nothing of it has come, and distance where images are alike."""


@dataclass(frozen=True)
class Neighbours:
    """The graph.

    Attributes
    ----------
    weights : sparse float array (N, N)
        How near two images are, symmetric, divided by the roots of both images' sums.
    """

    weights: csr_matrix

    @classmethod
    def fit(cls, features: Float[np.ndarray, "n features"]) -> Neighbours:
        """Join each image to the nearest others; distances count by that to the last of them (self-tuning)."""
        n, k = len(features), min(NEIGHBOURS, len(features) - 1)
        if k < 1:
            return cls(csr_matrix((n, n)))
        distances, nearest = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(features).kneighbors()
        widths = np.maximum(distances[:, -1], SMALLEST)
        near = np.exp(-(distances**2) / (widths[:, None] * widths[nearest]))
        rows = np.repeat(np.arange(n), k)
        graph = csr_matrix((near.ravel(), (rows, nearest.ravel())), (n, n))
        graph = graph.maximum(graph.T)
        roots = np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), SMALLEST))
        return cls(csr_matrix(graph.multiply(1 / roots[:, None]).multiply(1 / roots[None])))

    def spread(self, y: Int[np.ndarray, " n"], n_classes: int) -> Float[np.ndarray, "n classes"]:
        """Return the share of each class in each image, of which every class has the same mass over all images.

        Parameters
        ----------
        y : int array (N,)
            Position of the class of each, -1 where unlabelled.
        n_classes : int
            K; each has one label at least.
        """
        labelled = np.flatnonzero(y >= 0)
        begin = np.zeros((len(y), n_classes))
        begin[labelled, y[labelled]] = 1
        mass = np.maximum(self._solve(begin / begin.sum(axis=0)), SMALLEST)
        mass /= mass.sum(axis=0)
        shares = (mass / mass.max(axis=1, keepdims=True)) ** SHARPNESS
        return shares / shares.sum(axis=1, keepdims=True)

    def _solve(self, begin: np.ndarray) -> np.ndarray:
        """Return (1 - REACH weights)^-1 begin by conjugate gradients, each column on its own."""
        found, rest = np.zeros_like(begin), begin.copy()
        along, square = rest.copy(), np.einsum("nk,nk->k", rest, rest)
        enough = TOLERANCE**2 * square
        for _ in range(MOST_STEPS):
            applied = along - REACH * (self.weights @ along)
            step = square / np.maximum(np.einsum("nk,nk->k", along, applied), np.finfo(float).tiny)
            found += step * along
            rest -= step * applied
            before, square = square, np.einsum("nk,nk->k", rest, rest)
            if (square <= enough).all():
                break
            along = rest + square / np.maximum(before, np.finfo(float).tiny) * along
        return found
