"""The plain records that travel between training, evaluation, store and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """What a trained model says of N images with K classes and D latent dimensions.

    Attributes
    ----------
    ids : int64 array (N,)
        Stable sample ids.
    labels : int64 array (N,)
        True classes, -1 where unknown.
    class_prob : float32 array (N, K)
        Class probabilities q(y|x).
    z_mean, z_sd : float32 array (N, D)
        Mean and standard deviation of q(z|x,y) at the most probable class.
    angle : float32 array (N,)
        Estimated angle, radians in [-pi, pi), counter-clockwise on the screen; NaN for a model without rotation.
    concentration : float32 array (N,)
        Mean resultant length of the angle posterior, in [0, 1]; NaN for a model without rotation.
    log_likelihood : float32 array (N,)
        Log-likelihood of the image at ``z_mean`` and the most probable class, nats per image.
    factors : mapping of str to float32 array (N,)
        Known factors, as in :class:`ssrvae_core.data.ImageSet`.
    """

    ids: np.ndarray
    labels: np.ndarray
    class_prob: np.ndarray
    z_mean: np.ndarray
    z_sd: np.ndarray
    angle: np.ndarray
    concentration: np.ndarray
    log_likelihood: np.ndarray
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def predicted(self) -> np.ndarray:
        """Most probable class of each image, int64 (N,)."""
        return self.class_prob.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """Probability of the most probable class, float32 (N,)."""
        return self.class_prob.max(axis=1)

    @property
    def n_labelled(self) -> int:
        """Number of images with a label, on which an accuracy is judged."""
        return int((self.labels >= 0).sum())


PARTS = ("labelled", "unlabelled", "validation")
"""The parts of a run's data, in the order in which they are numbered."""


@dataclass(frozen=True)
class Particles:
    """What a finished run says of every image of its data; row ``i`` of every array belongs to ``predictions.ids[i]``.

    Attributes
    ----------
    predictions : Predictions
        N rows in ascending order of the ids. The labels are the true classes where the data know them, also those that
        were hidden from training, else -1.
    part : int8 array (N,)
        Position of each image's part in :data:`PARTS`; -1 for an image that is not one of the run's own.
    outlier_score : float32 array (N,)
        See :func:`ssrvae_core.evaluation.outliers.outlier_scores`; NaN where it is not known.
    groups : int64 array (N,), optional
        Micrograph that each image comes from.
    group_names : tuple of str, optional
        Name of group ``g`` at position ``g``.
    names : tuple of str of length N, optional
        File that each image came from.
    size : float32 array (N,), optional
        Diameter of a circle with the area of the mask; None where the data have no masks.
    size_unit : str, optional
        ``nm`` where every pixel size is known, else ``px``; None where there are no sizes.
    """

    predictions: Predictions
    part: np.ndarray
    outlier_score: np.ndarray
    groups: np.ndarray | None = None
    group_names: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    size: np.ndarray | None = None
    size_unit: str | None = None

    def __len__(self) -> int:
        return len(self.predictions)

    @property
    def ids(self) -> np.ndarray:
        """Stable sample ids in ascending order, int64 (N,)."""
        return self.predictions.ids


@dataclass(frozen=True)
class Judgement:
    """How the class probabilities of a model come about that has a second opinion.

    They are proportional to the network's to the power of one number, times those of the measurements to the power of
    another.

    Attributes
    ----------
    network, measurements : float
        The powers; 0 for one that is not heeded.
    scores : tuple of three floats
        Mean log-likelihood of labels left out of training, nats per label: under the network alone, the measurements
        alone, and both. Zeros where no label could be left out.
    left_out : int
        How many labels those are of.
    """

    network: float
    measurements: float
    scores: tuple[float, float, float] = (0.0, 0.0, 0.0)
    left_out: int = 0

    @property
    def by(self) -> Literal["network", "measurements", "both"]:
        """Who is heeded."""
        if not self.measurements:
            return "network"
        return "both" if self.network else "measurements"


@dataclass(frozen=True)
class Snapshot:
    """The tracked validation images at one epoch, for the training films.

    Attributes
    ----------
    ids : int64 array (N,)
        Sample ids, the same at every epoch of a run.
    z_mean : float32 array (N, D)
        Latent means at the most probable class.
    class_prob : float32 array (N, K)
        Class probabilities.
    """

    ids: np.ndarray
    z_mean: np.ndarray
    class_prob: np.ndarray


@dataclass(frozen=True)
class Epoch:
    """One epoch of training; :meth:`as_json` is a line of ``metrics.jsonl``.

    Attributes
    ----------
    epoch : int
        Counts from 1.
    elbo_unlabelled, elbo_labelled : float
        Evidence lower bounds, nats per image, KL weight included; the two losses are reported separately.
    classification : float
        Cross-entropy of the auxiliary classifier on labelled images, nats per image, before its weight.
    consistency : float
        Cross-entropy on confident unlabelled images, nats per image, before its weight.
    confident : float
        Share of unlabelled images whose prediction was confident enough for the consistency term.
    beta, learning_rate : float
        KL weight and learning rate during the epoch.
    seconds : float
        Wall time of the epoch's training steps; the first one's includes the short starts that did not go on.
    images_per_second : float
        Unlabelled and labelled images processed a second.
    peak_memory_mb : float
        Largest memory of the process (CPU) or of the device so far, MB.
    validation_accuracy : float
        Accuracy on the tracked validation images, NaN when none has a label. It is shown and chooses nothing.
    snapshot : Snapshot, optional
        Kept every ``snapshot_every`` epochs and after the last.
    """

    epoch: int
    elbo_unlabelled: float
    elbo_labelled: float
    classification: float
    consistency: float
    confident: float
    beta: float
    learning_rate: float
    seconds: float
    images_per_second: float
    peak_memory_mb: float
    validation_accuracy: float
    snapshot: Snapshot | None = None

    def as_json(self) -> dict[str, float | None]:
        """Every number as plain JSON; NaN becomes None."""
        numbers = {name: value for name, value in vars(self).items() if name != "snapshot"}
        return {name: None if value != value else value for name, value in numbers.items()}


@dataclass(frozen=True)
class Step:
    """Where a training is between two optimisation steps.

    Attributes
    ----------
    start : int
        The short start that is trained, from 1; 0 where there is one start only, or one was chosen.
    starts, start_epochs : int
        Short starts there are, and the epochs of each.
    epoch, epochs : int
        Epochs done of the start or of the run, and epochs of the run.
    step, steps : int
        Steps done of the epoch under way, and its steps; they are equal while the epoch is evaluated.
    """

    start: int
    starts: int
    start_epochs: int
    epoch: int
    epochs: int
    step: int
    steps: int
