"""What a run says of its particles before anybody corrects it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ssrvae_core.config import UserError
from ssrvae_core.records import PARTS, Particles

NONE = -1
"""Class of the particles that belong to none of the classes."""


@dataclass(frozen=True)
class Base:
    """What a run says of its particles before anybody corrects it.

    Attributes
    ----------
    run : str
        The run's id.
    class_names : tuple of str
        The run's classes; class ``k`` of the library is class ``k`` of the run at first.
    ids : int64 array (N,)
        Ascending.
    predicted : int64 array (N,)
        The model's class of each particle.
    labels : int64 array (N,)
        Label of each training or validation image that has one, and class of each held-out image that was moved before
        the training; -1 for all others, also where labels are hidden.
    outlier_score : float32 array (N,)
        NaN where it is not known.
    corrected : bool array (N,)
        Whether a person had set the class by hand, in the library that the run was trained from or one before that.
    """

    run: str
    class_names: tuple[str, ...]
    ids: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray
    outlier_score: np.ndarray
    corrected: np.ndarray

    @classmethod
    def of(
        cls,
        run: str,
        class_names: Sequence[str],
        particles: Particles,
        corrected: Sequence[int] = (),
        moved: Mapping[int, int] | None = None,
    ) -> Base:
        """Return it of all particles of a run.

        Parameters
        ----------
        run, class_names, particles
            The run's id, its classes, and what it says.
        corrected : sequence of int
            Ids of the particles that were set by hand before its training.
        moved : mapping of int to int, optional
            Class of each held-out image among them, by its id: the run has no label of these, as they do not judge it.

        Raises
        ------
        UserError
            If the particles are told by other classes than the run has.
        """
        predictions = particles.predictions
        k = len(class_names)
        if predictions.class_prob.shape[1] != k or not NONE <= predictions.labels.min() <= predictions.labels.max() < k:
            raise UserError(
                f"What run {run} says of its particles is of other classes than its own ({', '.join(class_names)});"
                f" have it classify all its images again, with 'predict {run} --all'."
            )
        hidden = particles.part == PARTS.index("unlabelled")
        labels = np.where(hidden, NONE, predictions.labels)
        if moved:
            given = np.array([moved.get(number, NONE) for number in predictions.ids.tolist()], dtype=np.int64)
            held_out = particles.part == PARTS.index("validation")
            labels = np.where(held_out & (labels == NONE) & (given < k), given, labels)
        return cls(
            run=run,
            class_names=tuple(class_names),
            ids=predictions.ids,
            predicted=predictions.predicted,
            labels=labels,
            outlier_score=particles.outlier_score,
            corrected=np.isin(predictions.ids, np.asarray(corrected, dtype=np.int64)),
        )

    def rows(self, ids: Sequence[int] | Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
        """Return the positions of particles.

        Raises
        ------
        UserError
            If one is not a particle of the run.
        """
        wanted = sample_ids(ids)
        rows = np.searchsorted(self.ids, wanted).clip(max=len(self.ids) - 1)
        if (unknown := self.ids[rows] != wanted).any():
            raise UserError(
                f"Run {self.run} has no particle {wanted[unknown][0]}; give ids of its own particles, such as"
                f" {self.ids[0]}."
            )
        return rows


def beyond(scores: Float[np.ndarray, " n"], threshold: float | None) -> Bool[np.ndarray, " n"]:
    """Return which outlier scores lie beyond a threshold, which may be any number: none of them where it is None.

    A score that is not known (NaN) does not lie beyond any.
    """
    # In double precision: a threshold of 1e308 does not fit into that of the scores.
    return scores.astype(np.float64) > (np.inf if threshold is None else threshold)


def sample_ids(ids: Sequence[int] | np.ndarray) -> Int[np.ndarray, " m"]:
    """Return sample ids as an array.

    Raises
    ------
    UserError
        If one is too large to be an id.
    """
    try:
        return np.asarray(ids, dtype=np.int64).reshape(-1)
    except (OverflowError, TypeError, ValueError) as error:
        raise UserError("A sample id is not a whole number of at most 19 digits; give those of the run.") from error
