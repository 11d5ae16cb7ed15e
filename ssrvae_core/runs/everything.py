"""Classes, latents and angles of every image of a run's data, whichever part it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.records import PARTS, Particles, Predictions
from ssrvae_core.runs import directory, particle_file
from ssrvae_core.runs.data_files import images_in_batches
from ssrvae_core.runs.files import writing
from ssrvae_core.runs.mode import is_viewer

if TYPE_CHECKING:
    from ssrvae_core.data import Images, ImageSet, Split
    from ssrvae_core.data.split import Positions
    from ssrvae_core.evaluation.outliers import Usual
    from ssrvae_core.models import SSVAE
    from ssrvae_core.runs.store import Run

LABELLED, UNLABELLED, VALIDATION = range(len(PARTS))
NO_PART = -1
"""Part of an image that is not one of the run's own."""

CHUNK = 2000
"""Images that are copied out of a data set at a time."""


@dataclass(frozen=True)
class Block:
    """Some images of one part.

    Attributes
    ----------
    part : int
        Position in :data:`ssrvae_core.records.PARTS`, or :data:`NO_PART`.
    images : ImageSet
        The images.
    labels : int64 array (n,)
        Their classes, -1 where there is none.
    predictions : Predictions, optional
        What the model says of them, where that is known already.
    """

    part: int
    images: ImageSet
    labels: np.ndarray
    predictions: Predictions | None = None


def write_particles(run: Run, device: str = "auto", *, between: Callable[[int, int], None] | None = None) -> Particles:
    """Classify every image of a finished run's data, and keep the result in its directory, but not in a viewer.

    Parameters
    ----------
    run : Run
        A finished run whose images are in reach.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    between : callable, optional
        Called before every batch with how many images are done, and of how many; what it raises ends the work.

    Raises
    ------
    UserError
        If the run has not finished, its images or its weights are not here, or the store cannot be written.
    """
    particles = particles_of(run, device, between)
    keep(run, particles)
    return particles


def particles_of(run: Run, device: str = "auto", between: Callable[[int, int], None] | None = None) -> Particles:
    """Classify every image of a finished run's data, as :func:`write_particles` does, and write nothing."""
    from ssrvae_core.data import naming
    from ssrvae_core.data.split import positions

    model = run.model(device)
    images = images_in_batches(run.config.dataset, run.path.parent)
    with naming(run.dataset):
        at = positions(images, run.config.split)
        return classify(model, blocks_of(images, at), _of(between, len(images)))


def keep(run: Run, particles: Particles) -> None:
    """Write what a run says of all its images into its directory; a viewer writes nothing.

    Raises
    ------
    UserError
        If the store cannot be written.
    """
    if not is_viewer():
        with writing(f"The store {run.path.parent}"):
            particle_file.write(run.path, particles)


def usual_of(run: Run) -> Usual:
    """Return how well a run usually draws each class: by all images of its data, else by the validation images.

    Raises
    ------
    UserError
        If the run has not finished, or what it says of its images cannot be read.
    """
    from ssrvae_core.evaluation.outliers import usual

    particles = run.particles()
    return usual(run.predictions() if particles is None else particles.predictions)


def classify_others(
    model: SSVAE, images: Images, by: Usual, between: Callable[[int, int], None] | None = None
) -> Particles:
    """Classify images that are none of the run's own.

    Parameters
    ----------
    model : SSVAE
        The run's trained model.
    images : Images
        The images; their labels are passed on.
    by : Usual
        What :func:`usual_of` returns for the run, so that a single image has an outlier score.
    between : callable, optional
        Called before every batch with how many images are done, and of how many; what it raises ends the work.

    Raises
    ------
    UserError
        If there is no image, or they have another shape than the model's.
    """
    blocks = (Block(NO_PART, images.take(rows), images.labels[rows]) for rows in _some(np.arange(len(images))))
    return classify(model, blocks, _of(between, len(images)), by)


def classify_split(
    model: SSVAE, data: Split, validation: Predictions | None = None, between: Callable[[], None] | None = None
) -> Particles:
    """Classify all images of a split.

    Parameters
    ----------
    model : SSVAE
        The trained model.
    data : Split
        Its data.
    validation : Predictions, optional
        What the model says of the validation part, where that is known already.
    between : callable, optional
        Called before every batch; what it raises ends the work.
    """
    blocks = (
        Block(LABELLED, data.labelled, data.labelled.labels),
        Block(UNLABELLED, data.unlabelled, data.hidden_labels),
        Block(VALIDATION, data.validation, data.validation.labels, validation),
    )
    return classify(model, blocks, None if between is None else lambda _: between())


def blocks_of(images: Images, at: Positions) -> Iterator[Block]:
    """Yield the images of a data set in parts as they are in its split, a copy of some at a time."""
    take = images.as_labelled or images.take
    for part, rows, taken in (
        (LABELLED, at.labelled, take),
        (UNLABELLED, at.unlabelled, images.take),
        (VALIDATION, at.validation, images.take),
    ):
        for some in _some(rows):
            yield Block(part, taken(some), images.labels[some])


def _some(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


def classify(
    model: SSVAE,
    blocks: Iterable[Block],
    between: Callable[[int], None] | None = None,
    by: Usual | None = None,
) -> Particles:
    """Run a model over blocks of images, in batches, and put what it says together in the order of the ids.

    No image is held that the blocks do not hold; of each, some hundred bytes of numbers are kept.

    Parameters
    ----------
    model : SSVAE
        The trained model.
    blocks : iterable of Block
        Of one data set: they have the same factors, class names and group names.
    between : callable, optional
        Called before every batch with how many images are done; what it raises ends the work.
    by : Usual, optional
        What outlier scores are measured by; by default these images themselves.

    Raises
    ------
    UserError
        If there is no image, or they have another shape than the model's.
    """
    from ssrvae_core.evaluation.evaluate import predict
    from ssrvae_core.evaluation.outliers import outlier_scores

    rows: list[_Rows] = []
    done = 0
    for block in blocks:
        if n := len(block.images):
            said = block.predictions or predict(model, block.images, between=_batches(between, done, n))
            rows.append(_Rows.of(block, replace(said, labels=block.labels)))
            done += n
    if not rows:
        raise UserError("There are no images to classify; give a data set with at least one image.")
    order = np.argsort(np.concatenate([some.predictions.ids for some in rows]))
    predictions = _joined([some.predictions for some in rows], order)
    size, unit = _sizes(rows)
    return Particles(
        predictions=predictions,
        part=np.repeat(np.array([some.part for some in rows], np.int8), [len(some.predictions) for some in rows])[
            order
        ],
        outlier_score=outlier_scores(predictions, by).astype(np.float32),
        groups=_column([some.groups for some in rows], order),
        group_names=rows[0].group_names,
        names=_names(rows, order),
        size=None if size is None else size[order],
        size_unit=unit,
    )


@dataclass(frozen=True)
class _Rows:
    """What is kept of a block once its images are let go; ``area`` is of the masks, pixels, and ``pixel`` nm^2."""

    part: int
    predictions: Predictions
    groups: np.ndarray | None
    group_names: tuple[str, ...] | None
    names: tuple[str, ...] | None
    area: np.ndarray | None
    pixel: np.ndarray | None

    @staticmethod
    def of(block: Block, predictions: Predictions) -> _Rows:
        images = block.images
        masks, pixel = images.masks, images.pixel_size
        return _Rows(
            part=block.part,
            predictions=predictions,
            groups=images.groups,
            group_names=images.group_names,
            names=images.names,
            area=None if masks is None else np.count_nonzero(masks, axis=(1, 2)),
            pixel=None if pixel is None else pixel.prod(axis=1),
        )


def _joined(parts: Sequence[Predictions], order: np.ndarray) -> Predictions:
    def rows(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(arrays)[order]

    arrays = {name: rows([getattr(part, name) for part in parts]) for name in directory.PREDICTION_ARRAYS}
    factors = {name: rows([part.factors[name] for part in parts]) for name in parts[0].factors}
    return Predictions(**arrays, factors=factors)


def _column(arrays: Sequence[np.ndarray | None], order: np.ndarray) -> np.ndarray | None:
    there = [values for values in arrays if values is not None]
    return np.concatenate(there)[order] if len(there) == len(arrays) else None


def _names(rows: Sequence[_Rows], order: np.ndarray) -> tuple[str, ...] | None:
    names: list[str] = []
    for some in rows:
        if some.names is None:
            return None
        names += some.names
    return tuple(names[row] for row in order)


def _sizes(rows: Sequence[_Rows]) -> tuple[np.ndarray | None, str | None]:
    """Return the diameters of circles with the areas of the masks, float32 (N,), and their unit."""
    areas = [some.area for some in rows if some.area is not None]
    if len(areas) < len(rows):
        return None, None
    pixels = [some.pixel for some in rows if some.pixel is not None]
    area, pixel = np.concatenate(areas), np.concatenate(pixels) if len(pixels) == len(rows) else np.array([np.nan])
    known = bool(np.isfinite(pixel).all())
    return (2 * np.sqrt(area * (pixel if known else 1) / np.pi)).astype(np.float32), "nm" if known else "px"


def _batches(told: Callable[[int], None] | None, done: int, n: int) -> Callable[[], None] | None:
    """Return what tells, batch by batch of a block of N images, how many are done with those of other blocks."""
    if told is None:
        return None
    from ssrvae_core.evaluation.evaluate import BATCH

    starts = iter(range(done, done + n, BATCH))
    return lambda: told(next(starts))


def _of(between: Callable[[int, int], None] | None, n: int) -> Callable[[int], None] | None:
    return None if between is None else lambda done: between(done, n)
