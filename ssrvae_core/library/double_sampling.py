"""Class fractions where some particles are known and the others classified by a model that confuses classes.

The particles of a run are of two kinds: those a person knows, by label or by hand, are counted; the others are
classified by the model, which confuses classes. How it does that is known from the validation images alone, so this is
double sampling (Tenenbein 1970, J. Am. Stat. Assoc. 65, 1350): a fallible classification of all, a true one of some.
What carries over from these to the others is how often class ``i`` is called ``j`` (the rows of the confusion matrix),
and not the class fractions, as people label as many of a rare class as of a common one. So the counts are inverted by
the rows, as Rogan and Gladen do (1978, Am. J. Epidemiol. 107, 71), but by Bayes' rule: with few labels the solution of
an inverted matrix leaves the simplex, or does not exist.

The model of the counts: rows ``theta_i`` have a Dirichlet prior; of class ``i``, ``n_ij`` validation images and an
unknown number ``z_ij`` of the others were called ``j``; the true fractions of the others have a Dirichlet prior; the
sums of ``z_ij`` over ``i`` are the counts that are seen. A Gibbs sampler draws ``z``, the rows and the fractions in
turn, many chains at once (for two classes: Joseph, Gyorkos and Coupal 1995, Am. J. Epidemiol. 141, 263).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

LEVEL = 0.95
"""Probability that an interval is to hold."""

RIGHT_PRIOR, WRONG_PRIOR = 1.0, 0.5
"""Images that are called right and wrong that the prior of a row of the confusion matrix is worth: a class is believed
to be told right in two of three cases until images of it are held out; the wrong ones are spread over all classes."""

FRACTION_PRIOR = 0.5
"""Parameter of the Dirichlet prior of the class fractions, Jeffreys' for known classes."""

MOST_COUNTED = 100
"""Images that are classified by the model are taken for this many at most, or for as many as five times those that the
confusion is known from: more images make the chains slow, and the intervals no narrower. What they say of the other
particles is said of all of them, so that a class of twenty among 20 000 is not one of 200."""

CHAINS, WARM_UP, KEPT, EVERY = 40, 400, 150, 4
"""Chains of the sampler, their steps before draws are kept, the draws kept of each, and the steps between them."""


def true_counts(
    confusion: Int[np.ndarray, "classes classes"],
    called: Int[np.ndarray, " classes"],
    *,
    learnt: Bool[np.ndarray, " classes"] | None = None,
    design_effect: float = 1.0,
    seed: int = 0,
) -> Float[np.ndarray, "draws classes"]:
    """Draw how many particles are truly of each class, from their posterior.

    Parameters
    ----------
    confusion : int array (K, K)
        Images of known class ``i`` that were called ``j``.
    called : int array (K,)
        Other images that were called ``j``.
    learnt : bool array (K,), optional
        Classes that an image can be called; by default all. That none is called otherwise says nothing of how many are.
    design_effect : float
        The images of the confusion tell as much as this many times fewer.
    seed : int
        Of the sampler.

    Returns
    -------
    float array (:data:`CHAINS` * :data:`KEPT`, K)
        Every row sums to the number of the other images.
    """
    rng, k, n = np.random.default_rng(seed), len(called), int(called.sum())
    if n == 0 or k == 1:
        return np.tile(called.astype(np.float64), (CHAINS * KEPT, 1))
    can = np.ones(k, dtype=bool) if learnt is None else learnt
    called, told = called[can], confusion[:, can] / design_effect
    taken = _thinned(rng, called, int(max(MOST_COUNTED, 5 * confusion.sum())))
    shares = rng.dirichlet(np.ones(k), CHAINS)
    prior = np.where(np.eye(k, dtype=bool), RIGHT_PRIOR, WRONG_PRIOR / (k - 1))[:, can]
    theta = _dirichlet(rng, np.tile(prior + told, (CHAINS, 1, 1)))
    kept = []
    for step in range(WARM_UP + KEPT * EVERY):
        odds = shares[:, :, None] * theta
        odds = np.moveaxis(odds / odds.sum(axis=1, keepdims=True), 1, 2)  # of each call, the true classes
        truly = np.moveaxis(rng.multinomial(taken, odds), 1, 2)
        theta = _dirichlet(rng, prior + told + truly)
        shares = _dirichlet(rng, FRACTION_PRIOR + truly.sum(axis=2))
        if step >= WARM_UP and step % EVERY == 0:
            kept.append(rng.multinomial(called[None], odds).sum(axis=1))
    return np.concatenate(kept).astype(np.float64)


def interval(draws: Float[np.ndarray, "draws classes"], level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the shortest interval (K,) that holds this share of the draws, of each column.

    It may begin at 0 or end at 1, as that of equal tails cannot.
    """
    ordered = np.sort(draws, axis=0)
    inside = int(np.ceil(level * len(ordered)))
    widths = ordered[inside - 1 :] - ordered[: len(ordered) - inside + 1]
    first, columns = widths.argmin(axis=0), np.arange(draws.shape[1])
    return ordered[first, columns], ordered[first + inside - 1, columns]


def _dirichlet(rng: np.random.Generator, parameters: np.ndarray) -> np.ndarray:
    """Draw from Dirichlet distributions along the last axis."""
    gammas = rng.standard_gamma(parameters) + np.finfo(np.float64).tiny
    return gammas / gammas.sum(axis=-1, keepdims=True)


def _thinned(rng: np.random.Generator, counts: np.ndarray, most: int) -> Int[np.ndarray, "chains calls"]:
    """Return counts with a smaller sum for each chain, rounded at random so that on average the shares are the same."""
    expected = np.tile(counts * min(1.0, most / counts.sum()), (CHAINS, 1))
    whole = np.floor(expected)
    return (whole + (rng.random(expected.shape) < expected - whole)).astype(np.int64)
