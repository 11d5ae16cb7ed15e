"""What a film is made of: frames of models at positions along an axis, and curves over the same axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssrvae_core.config import UserError


@dataclass(frozen=True)
class Frame:
    """What one model shows of N images with K classes at one position of the film.

    Attributes
    ----------
    position : float
        Where on the film's axis: an epoch, a supervised ratio or a number of labels per class.
    label : str
        The position in words, the same in all tracks; it names the frame in the browser.
    ids : int64 array (N,)
        Sample ids.
    z : float32 array (N, 2)
        Latents, aligned by :func:`ssrvae_core.figures.align.align_frames`.
    labels, predicted : int array (N,)
        True classes, -1 where unknown, and predicted ones.
    confusion : int array (K, K)
        Images by true (row) and predicted class.
    manifold : uint8 array (H, W), (H, W, 3) or (H, W, 4), optional
        Decoded images laid out as one, or images as seen, see
        :mod:`ssrvae_core.figures.manifold`.
    run_id : str, optional
        The run behind the frame.
    seed : str
        Which of several seeds the frame is of, such as "seed 0"; empty where there is one.
    """

    position: float
    label: str
    ids: np.ndarray
    z: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    confusion: np.ndarray
    manifold: np.ndarray | None = None
    run_id: str | None = None
    seed: str = ""

    @property
    def judged(self) -> int:
        """Number of images with a label, of which the accuracy is."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float | None:
        """Share of the confusion matrix that lies on its diagonal, None where it is empty."""
        return float(np.trace(self.confusion)) / self.judged if self.judged else None


@dataclass(frozen=True)
class Track:
    """One model's frames, under its name; ``picture`` says what their pictures show."""

    name: str
    frames: tuple[Frame, ...]
    picture: str = "manifold"

    def at(self, position: float) -> Frame | None:
        """Return the frame at a position, None where the model has none."""
        return next((frame for frame in self.frames if frame.position == position), None)


@dataclass(frozen=True)
class Curve:
    """A number over the film's axis, with its spread from ``low`` to ``high`` where several seeds were run."""

    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    dashed: bool = False


@dataclass(frozen=True)
class Step:
    """One position of the film, and every track's frame there, None where a model has none."""

    position: float
    label: str
    frames: tuple[Frame | None, ...]


def steps_of(tracks: Sequence[Track], missing: Mapping[float, str] | None = None) -> list[Step]:
    """Line up the frames of all tracks by position.

    Parameters
    ----------
    tracks : sequence of Track
        The models.
    missing : mapping of float to str, optional
        Further positions and their labels, at which no track has a frame yet.

    Raises
    ------
    UserError
        If there is no frame, or if two positions have one label.
    """
    labels = {frame.position: frame.label for track in tracks for frame in track.frames}
    if not labels:
        raise UserError("A film needs at least one frame; train a run that keeps snapshots, or one at another ratio.")
    labels = {**(missing or {}), **labels}
    if len(set(labels.values())) < len(labels):
        raise UserError(f"The frames of a film need a label each, and some share one: {', '.join(labels.values())}.")
    return [Step(p, labels[p], tuple(track.at(p) for track in tracks)) for p in sorted(labels)]


def nearest(steps: Sequence[Step], position: float | None) -> int:
    """Return the index of the step closest to a position, the last one if none is asked for."""
    if position is None:
        return len(steps) - 1
    return int(np.argmin([abs(step.position - position) for step in steps]))
