"""What corrected labels change, at once: the embedding's closed-form head on them, before a full training has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ssrvae_core.config import DatasetConfig, EmbeddingConfig, UserError
from ssrvae_core.embedding.answers import Answers
from ssrvae_core.library.crops import crops
from ssrvae_core.library.judging import held_out_and_corrected, held_out_and_judging
from ssrvae_core.library.outliers import Rate
from ssrvae_core.library.state import NONE, Library
from ssrvae_core.library.training import training_labels
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.runs.embeddings.store import EmbeddingStore
from ssrvae_core.runs.files import write_npz, writing
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.npz import UnreadableArrays, read_npz
from ssrvae_core.runs.store import Run, RunStore

if TYPE_CHECKING:
    from pathlib import Path

    from ssrvae_core.data import ImageSet

MEASURED = "measured.npz"
"""What was measured of a run's images, in its directory: it is kept, as measuring takes longer than the head."""

BLOCKS = ("rings", "descriptors")
"""What is measured where the store has no embedding of the images."""


@dataclass(frozen=True)
class QuickHead:
    """What answers label questions about a run's particles in milliseconds.

    Attributes
    ----------
    answers : Answers
        Features of all particles, in the order of their ids.
    embedding : str, optional
        Id of the embedding they are from; None where they were measured for this.
    remarks : tuple of str
        A sentence for each file that was passed over because it cannot be read.
    """

    answers: Answers
    embedding: str | None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuickAnswer:
    """The classes of all particles under corrected labels.

    Attributes
    ----------
    class_names : tuple of str
        The classes with a training label.
    class_prob : float32 array (N, K)
        Their probabilities, in the order of the ids.
    changed : int64 array (M,)
        Ids of particles that no person knows, and that are in another class of the library.
    held_out : Rate
        How often it is right on the images that the run held out and whose labels are from before any correction.
    model_held_out : Rate
        How often the run is right on the same images.
    left_out : int
        Held-out images that a person moved: they do not judge, as people move what is wrong.
    """

    class_names: tuple[str, ...]
    class_prob: np.ndarray
    changed: np.ndarray
    held_out: Rate
    model_held_out: Rate
    left_out: int


def quick_head(run: Run, particles: Particles, load: Callable[[DatasetConfig], ImageSet] | None = None) -> QuickHead:
    """Return the head of a run's particles: on an embedding of the same images, else on what is measured of them.

    The first time, measuring takes about a second for 700 images; the result is kept with the run, unless this is a
    viewer. Keep the returned object for as long as labels change: it holds what no label changes. An embedding that
    cannot be read is passed over with a remark, and what was measured is measured again where it cannot be read.

    Raises
    ------
    UserError
        If the images are needed and are not here.
    """
    seed, remarks = run.config.seed, []
    for one in EmbeddingStore(RunStore(run.path.parent)).scan()[0]:
        if one.status.state == "finished" and _content(one.config.dataset) == _content(run.config.dataset):
            try:
                images = one.images()
            except UserError as error:
                remarks.append(f"Embedding {one.id} was passed over: {error}")
                continue
            order = np.argsort(images.samples.ids)
            if np.array_equal(images.samples.ids[order], particles.ids):
                found = images.answers
                groups = None if found.groups is None else found.groups[order]
                scores = found.outlier_scores[order]
                answers = Answers(found.features[order], found.columns, scores, groups, seed)
                return QuickHead(answers, one.id, tuple(remarks))
    features, scores, remark = _measured(run, particles, load)
    answers = Answers(features, _columns(features), scores, particles.groups, seed)
    return QuickHead(answers, None, (*remarks, *([remark] if remark else [])))


MOST_MEASURED = 5000
"""Images that are measured without being asked to: some seconds."""


def head_at_hand(
    run: Run, particles: Particles, load: Callable[[DatasetConfig], ImageSet] | None = None
) -> QuickHead | None:
    """Return :func:`quick_head` where it takes seconds at most and can tell something of the particles.

    None for generated data, whose labelled images look otherwise than the others; for more than :data:`MOST_MEASURED`
    images that were never measured; and where the images are not here.
    """
    if run.config.dataset.path is None:
        return None
    if not (run.path / MEASURED).exists() and len(particles) > MOST_MEASURED:
        return None
    try:
        return quick_head(run, particles, load)
    except UserError:  # the file of the images is away, or what was measured does not fit it
        return None


def quick_answer(head: QuickHead, library: Library, particles: Particles) -> QuickAnswer:
    """Classify all particles by the labels of a library.

    Parameters
    ----------
    head : QuickHead
        Of the same run.
    library, particles : Library and Particles
        Its state and what the run says. Images that were held out do not teach, and judge the answer where nobody
        corrected their label.

    Raises
    ------
    UserError
        If the labels do not suffice, see :func:`ssrvae_core.library.training.training_labels`.
    """
    labels = training_labels(library, particles)
    known = np.full(len(particles), NONE)
    known[labels.rows] = labels.labels
    held_out = particles.part == PARTS.index("validation")
    probabilities = head.answers.predict_proba(np.where(held_out, NONE, known))
    called = probabilities.argmax(axis=1)
    numbers = np.array([number for number, name in library.names.items() if name in labels.class_names])
    judged = held_out_and_judging(library, particles) & (known != NONE)
    model = library.current(particles.predictions.predicted)
    return QuickAnswer(
        class_names=labels.class_names,
        class_prob=probabilities,
        changed=particles.ids[
            (library.known == NONE) & (library.assigned != NONE) & (numbers[called] != library.assigned)
        ],
        held_out=Rate.of(int((called == known)[judged].sum()), int(judged.sum())),
        model_held_out=Rate.of(int((model[judged] == numbers[known[judged]]).sum()), int(judged.sum())),
        left_out=int(held_out_and_corrected(library, particles).sum()),
    )


def _content(dataset: DatasetConfig) -> DatasetConfig:
    """Return a data set's configuration without how its file is found."""
    return dataset.model_copy(update={"path": None if dataset.path is None else "", "skip_missing": False})


def _columns(features: np.ndarray) -> dict[str, slice]:
    from ssrvae_core.embedding.measuring import MEASURED as NUMBERS

    first = features.shape[1] - NUMBERS["descriptors"]
    return {"rings": slice(0, first), "descriptors": slice(first, features.shape[1])}


def _measured(
    run: Run, particles: Particles, load: Callable[[DatasetConfig], ImageSet] | None
) -> tuple[Float[np.ndarray, "n features"], Float[np.ndarray, " n"], str]:
    """Return what is measured of the images, their outlier scores, and why what was kept of them cannot be read.

    They are from the disk where they are there and whole; the last one is a sentence, or empty.
    """
    file = run.path / MEASURED
    kept, reason = _kept(file, particles)
    if kept is not None:
        return *kept, ""
    from ssrvae_core.embedding.features import Features
    from ssrvae_core.embedding.proposals import outlier_scores

    try:
        images = crops(run, particles, load).images.take(np.arange(len(particles)))
    except UserError as error:
        if not reason:
            raise
        raise UserError(f"{reason}, and the images cannot be measured again: {error}") from error
    config = EmbeddingConfig(blocks=BLOCKS)
    features = Features(config, run.config.seed, "cpu").fit_blocks(images.images, images.masks)
    scores = outlier_scores(features)
    if not is_viewer():
        with writing(f"The store {run.path.parent}"):
            write_npz(file, {"ids": particles.ids, "features": features, "outlier_scores": scores})
    return features, scores, f"{reason}, so the images were measured again." if reason else ""


def _kept(file: Path, particles: Particles) -> tuple[tuple[np.ndarray, np.ndarray] | None, str]:
    """Return what was measured before, or None and, where there is a file, why it is not used."""
    if not file.exists():
        return None, ""
    try:
        arrays = read_npz(file, ["ids", "features", "outlier_scores"])
    except UnreadableArrays as error:
        return None, error.what
    if np.array_equal(arrays["ids"], particles.ids) and _fits(arrays, len(particles)):
        return (arrays["features"], arrays["outlier_scores"]), ""
    return None, f"{file} does not fit the particles of the run"


def _fits(arrays: dict[str, np.ndarray], n: int) -> bool:
    """Whether the arrays are what is measured of n images."""
    from ssrvae_core.embedding.measuring import MEASURED as NUMBERS

    features, scores = arrays["features"], arrays["outlier_scores"]
    fit = features.ndim == 2 and len(features) == n and scores.shape == (n,)
    fit = fit and features.shape[1] > NUMBERS["descriptors"]
    numbers = features.dtype.kind == "f" and scores.dtype.kind == "f"
    return fit and numbers and bool(np.isfinite(features).all())
