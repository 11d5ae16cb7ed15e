"""From the store to the films: runs in, frames and curves out. Needs torch only for a run without a kept manifold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from ssrvae_core.config import MODELS, UserError
from ssrvae_core.figures.align import align_frames
from ssrvae_core.figures.curves import loss
from ssrvae_core.figures.film import describe_film, film
from ssrvae_core.figures.frames import Curve, Frame, Track
from ssrvae_core.figures.manifold import examples_picture, manifold_picture
from ssrvae_core.figures.stage import SIDE
from ssrvae_core.records import Predictions, Snapshot
from ssrvae_core.reports.label_axis import PER_CLASS, RATIO, LabelAxis, amount_of, amount_text, axis_of
from ssrvae_core.reports.wording import MODEL_TITLES, plain, titles
from ssrvae_core.runs import Run
from ssrvae_core.runs.manifold import manifold

MOST_FRAMES = 40
"""Frames of a training film; of a longer training, evenly chosen epochs are shown."""

ALIGNED = (
    "The latents of all frames are aligned (orthogonal Procrustes) and drawn on the same axes, so that motion means "
    "learning."
)
"""What the captions of films say of it."""

Axis = Literal["epoch", "supervised ratio", "labels per class"]


@dataclass(frozen=True)
class Film:
    """What a film shows; drawn as a figure for the browser, or frame by frame as a picture file."""

    tracks: tuple[Track, ...]
    class_names: tuple[str, ...]
    axis: Axis
    curves: tuple[Curve, ...]
    curve_title: str

    def figure(
        self,
        start: float | None = None,
        *,
        missing: Mapping[float, str] | None = None,
        columns: Literal[1, 2, 4] = 2,
        side: int = SIDE,
        screen: int | None = None,
        controls: bool = True,
    ) -> go.Figure:
        """Return the film as one figure, see :func:`ssrvae_core.figures.film.film`; class names show as they are."""
        return film(
            [replace(track, name=plain(track.name)) for track in self.tracks],
            [plain(name) for name in self.class_names],
            axis=self.axis,
            curves=self.curves,
            curve_title=self.curve_title,
            start=start,
            missing=missing,
            columns=columns,
            side=side,
            screen=screen,
            controls=controls,
        )

    def alt(self) -> str:
        """Say in a sentence what the film shows, for people who cannot see it."""
        return describe_film(self.tracks, self.class_names, self.axis, self.curves)

    def gif(self, fps: float, caption: str = "") -> bytes:
        """Return the film as an animated GIF, with a caption in small print."""
        from ssrvae_core.figures.pictures import film_gif

        return film_gif(self.tracks, self.class_names, fps=fps, caption=caption, **self._drawn)

    def mp4(self, fps: float, caption: str = "") -> bytes:
        """Return the film as MP4.

        Raises
        ------
        UserError
            If imageio-ffmpeg is not installed.
        """
        from ssrvae_core.figures.pictures import film_mp4

        return film_mp4(self.tracks, self.class_names, fps=fps, caption=caption, **self._drawn)

    @property
    def _drawn(self) -> dict[str, Any]:
        return {"axis": self.axis, "curves": self.curves, "curve_title": self.curve_title}


Truth = Callable[[Run], tuple[np.ndarray, np.ndarray]]
"""Gives the ids of a run's validation images and their classes, -1 where unknown."""


Pictures = Callable[[Run, np.ndarray], np.ndarray | None]
"""Gives the images of a run's samples as bytes (n, H, W) or (n, H, W, 3), None where there are none."""
EXAMPLES, MOST_EXAMPLES = 6, 36
"""Images per class, and in all, in the picture of a training film."""


def judged_truth(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and classes of the validation images of a finished run, as its predictions have them."""
    predictions = run.predictions()
    return predictions.ids, predictions.labels


def training_film(
    runs: Sequence[Run],
    *,
    curve: Literal["loss", "accuracy"] = "loss",
    truth: Truth = judged_truth,
    pictures: Pictures | None = None,
) -> Film:
    """Gather the training of one run, or of two in step.

    Parameters
    ----------
    runs : sequence of Run
        Runs of the same classes, left to right: finished ones, or with ``truth`` others that have kept epochs.
    curve : str
        What the curve beside the frames shows: the loss (minus the unlabelled evidence lower bound, nats per image) or
        the accuracy on the tracked validation images.
    truth : callable
        Gives the true classes; by default those that were kept when a run was judged.
    pictures : callable, optional
        Gives the images of samples, of which some are shown in the colour of the class they are taken for.

    Returns
    -------
    Film
        A frame for every epoch kept, at most 40. Where a run has none at an epoch, its latest before stands.

    Raises
    ------
    UserError
        If a run has kept no epoch, its true classes cannot be had, or the runs have different classes.
    """
    names = _shared_class_names(runs)
    kept = {run.id: run.snapshots() for run in runs}
    for run in runs:
        if not kept[run.id]:
            raise UserError(f"Run {run.id} has no snapshots, so there is no film of it; delete it and train it again.")
    positions = _chosen_epochs([[epoch for epoch, _ in frames] for frames in kept.values()])
    tracks = [
        _training_track(title, run, _held(kept[run.id], positions), positions, truth, pictures)
        for title, run in zip(titles(runs), runs, strict=True)
    ]
    curves = [_training_curve(title, run, curve) for title, run in zip(titles(runs), runs, strict=True)]
    curve_title = "Loss (nats per image)" if curve == "loss" else "Accuracy, tracked images"
    return Film(tuple(tracks), names, "epoch", tuple(curves), curve_title)


def ratio_film(
    runs: Sequence[Run],
    *,
    rivals: Mapping[str, Mapping[float, Sequence[float]]] | None = None,
    seed: int | None = None,
    device: str = "auto",
) -> Film:
    """Gather what the supervised ratio, or the number of labels per class, does to each model.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs on the same images; those without a supervised ratio are left out, and where none has one, those
        without a number of labels per class. The frames show the smallest seed of every model and number of labels, the
        curve the mean over the seeds, from the lowest to the highest.
    rivals : mapping, optional
        Accuracies of each rival, by name and ratio (or labels per class), a seed each; drawn as dashed curves.
    seed : int, optional
        The seed whose frames are shown, instead of the smallest of every model and ratio; only its runs need to be
        judged on the same images.
    device : str
        Where a manifold that is not kept yet is decoded.

    Returns
    -------
    Film
        A track a model, a frame for each of its numbers of labels (with a seed, for those it was trained at).

    Raises
    ------
    UserError
        If no run has a supervised ratio or a number of labels per class, or they are not judged on the same images.
    """
    _check_same_images([run for run in runs if seed in (None, run.config.seed)])
    by_model: dict[str, dict[float, list[Run]]] = {}
    axes = {axis_of(run.config.split) for run in runs}
    axis = next((axis for axis in (RATIO, PER_CLASS) if axis in axes), None)
    if axis is None:
        raise UserError(
            "None of these runs has a supervised ratio; train some with --labelled-ratio or --labels-per-class."
        )
    for run in sorted(runs, key=lambda run: (list(MODELS).index(run.config.model.name), run.config.seed)):
        if axis_of(run.config.split) == axis and (amount := amount_of(run.config.split)) is not None:
            by_model.setdefault(run.config.model.name, {}).setdefault(amount, []).append(run)
    several = (
        len({run.config.seed for of_ratio in by_model.values() for group in of_ratio.values() for run in group}) > 1
    )
    tracks = [
        _ratio_track(MODEL_TITLES[model], axis, _shown(of_ratio, seed), device, tell_seed=several)
        for model, of_ratio in by_model.items()
    ]
    ours = {
        MODEL_TITLES[model]: {
            ratio: [share for run in group if (share := run.accuracy) is not None] for ratio, group in of_ratio.items()
        }
        for model, of_ratio in by_model.items()
    }
    curves = [_ratio_curve(name, values, dashed=False) for name, values in ours.items()]
    curves += [_ratio_curve(name, values, dashed=True) for name, values in (rivals or {}).items()]
    return Film(tuple(tracks), runs[0].class_names, axis, tuple(curves), "Accuracy")


def same_images(run: Run, other: Run) -> bool:
    """Whether two runs are judged on the same validation images.

    A generated data set brings its own validation part; that of a file depends on the split.
    """
    if run.config.dataset.model_dump(exclude={"path"}) != other.config.dataset.model_dump(exclude={"path"}):
        return False
    rules = [(r.config.split.seed, r.config.split.by_group, r.config.split.validation_fraction) for r in (run, other)]
    return run.config.dataset.source != "file" or rules[0] == rules[1]


def by_images(runs: Iterable[Run]) -> list[list[Run]]:
    """Group runs that are judged on the same images, both groups and runs in the order given."""
    groups: list[list[Run]] = []
    for run in runs:
        group = next((group for group in groups if same_images(group[0], run)), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    return groups


# Frames


def _training_track(
    title: str,
    run: Run,
    snapshots: Sequence[Snapshot],
    positions: Sequence[int],
    truth: Truth,
    pictures: Pictures | None,
) -> Track:
    ids, known = truth(run)
    rows = {int(sample): row for row, sample in enumerate(ids)}
    labels = known[[rows[int(sample)] for sample in snapshots[0].ids]]
    aligned = align_frames([(snapshot.ids, snapshot.z_mean) for snapshot in snapshots])
    chosen = _examples(labels)
    images = None if pictures is None else pictures(run, snapshots[0].ids[chosen])
    frames = []
    for epoch, snapshot, z in zip(positions, snapshots, aligned, strict=True):
        taken_for = snapshot.class_prob[chosen].argmax(axis=1)
        picture = None if images is None else examples_picture(images, taken_for, EXAMPLES)
        frames.append(_frame(epoch, f"{epoch}", snapshot.ids, z, labels, snapshot.class_prob, picture, run.id))
    return Track(title, tuple(frames), "what it says of images")


def _examples(labels: np.ndarray) -> np.ndarray:
    """Return the rows of the first images of every class, or of any where none is known."""
    known = sorted(set(labels[labels >= 0].tolist()))
    rows = [np.flatnonzero(labels == label)[:EXAMPLES] for label in known] or [np.arange(len(labels))]
    return np.concatenate(rows)[:MOST_EXAMPLES]


def _shown(runs: Mapping[float, Sequence[Run]], seed: int | None) -> dict[float, Run]:
    """Return the run of each ratio whose frames are shown."""
    wanted = {ratio: [run for run in runs[ratio] if seed in (None, run.config.seed)] for ratio in sorted(runs)}
    return {ratio: of_seed[0] for ratio, of_seed in wanted.items() if of_seed}


def _ratio_track(title: str, axis: LabelAxis, runs: Mapping[float, Run], device: str, *, tell_seed: bool) -> Track:
    said = [run.predictions() for run in runs.values()]
    aligned = align_frames([(predictions.ids, predictions.z_mean) for predictions in said])
    frames = [
        _frame(
            ratio,
            amount_text(axis, ratio),
            predictions.ids,
            z,
            predictions.labels,
            predictions.class_prob,
            _picture(manifold(run, device), predictions, z),
            run.id,
            f"seed {run.config.seed}" if tell_seed else "",
        )
        for (ratio, run), predictions, z in zip(runs.items(), said, aligned, strict=True)
    ]
    return Track(title, tuple(frames))


def _frame(
    position: float,
    label: str,
    ids: np.ndarray,
    z: np.ndarray,
    labels: np.ndarray,
    class_prob: np.ndarray,
    picture: np.ndarray | None,
    run_id: str,
    seed: str = "",
) -> Frame:
    predicted, k = class_prob.argmax(axis=1), class_prob.shape[1]
    known = labels >= 0
    confusion = np.bincount(labels[known] * k + predicted[known], minlength=k * k).reshape(k, k)
    return Frame(
        position=float(position),
        label=label,
        ids=ids,
        z=z,
        labels=labels,
        predicted=predicted,
        confusion=confusion,
        manifold=picture,
        run_id=run_id,
        seed=seed,
    )


def _picture(images: np.ndarray, predictions: Predictions, shown: np.ndarray) -> np.ndarray:
    """Draw the manifolds of all classes as one picture, turned the way the points were when they were aligned.

    The grid can be flipped and transposed without a loss, not turned by any angle; the nearest of these is taken.
    """
    k, d = images.shape[:2]
    if predictions.z_mean.shape[1] == 2:
        images = images[:, *_turned_grid(_turn(predictions.z_mean, shown), d)]
    columns = math.ceil(math.sqrt(k))
    rows = math.ceil(k / columns)
    sheet = np.zeros((rows * d, columns * d, *images.shape[3:]), np.uint8)
    for label, plane in enumerate(images):
        row, column = divmod(label, columns)
        sheet[row * d : (row + 1) * d, column * d : (column + 1) * d] = plane
    picture = manifold_picture(sheet)
    if k == rows * columns:
        return picture
    seen = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
    whole = np.concatenate([seen, np.full((*seen.shape[:2], 1), 255, np.uint8)], axis=-1)
    height, width = ((side + 1) // count for side, count in zip(whole.shape[:2], (rows, columns), strict=True))
    whole[(rows - 1) * height :, (k - (rows - 1) * columns) * width :] = 0  # no class has the last places
    return whole


def _turn(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the matrix of a quarter turn or a flip that comes nearest to what took one set of points to the other."""
    known = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    if not known.any():
        return np.eye(2, dtype=int)
    before, after = before[known], after[known]
    move = np.linalg.lstsq(before - before.mean(axis=0), after - after.mean(axis=0))[0]
    straight = abs(move[0, 0]) + abs(move[1, 1]) >= abs(move[0, 1]) + abs(move[1, 0])
    mask = np.eye(2) if straight else np.eye(2)[::-1]
    return np.where(mask > 0, np.where(move < 0, -1, 1), 0)


def _turned_grid(turn: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and column at which a d x d grid of images, y upwards, holds what a turned one shows."""
    rows, columns = np.indices((d, d))
    # Doubled and centred, so that the middle of an even grid is an integer too.
    shown = np.stack([2 * columns - (d - 1), (d - 1) - 2 * rows], axis=-1)
    x, y = np.moveaxis(shown @ turn.T, -1, 0)
    return (d - 1 - y) // 2, (x + d - 1) // 2


def _chosen_epochs(kept: Sequence[Sequence[int]]) -> list[int]:
    """Return epochs at which every run has begun, evenly chosen where there are many, the last among them."""
    epochs = sorted(epoch for epoch in set().union(*kept) if epoch >= max(each[0] for each in kept))
    if len(epochs) <= MOST_FRAMES:
        return epochs
    return [epochs[round(i)] for i in np.linspace(0, len(epochs) - 1, MOST_FRAMES)]


def _held(snapshots: Sequence[tuple[int, Snapshot]], positions: Sequence[int]) -> list[Snapshot]:
    """Return the latest snapshot at each of these epochs."""
    latest = np.searchsorted([epoch for epoch, _ in snapshots], positions, side="right") - 1
    return [snapshots[index][1] for index in latest]


# Curves


def _training_curve(title: str, run: Run, curve: Literal["loss", "accuracy"]) -> Curve:
    lines = run.metrics()
    y = [loss(line) if curve == "loss" else line["validation_accuracy"] for line in lines]  # None becomes NaN
    return Curve(name=title, x=np.array([line["epoch"] for line in lines], float), y=np.array(y, float))


def _ratio_curve(name: str, values: Mapping[float, Sequence[float]], *, dashed: bool) -> Curve:
    known = {ratio: accuracies for ratio, accuracies in sorted(values.items()) if len(accuracies)}
    several = any(len(accuracies) > 1 for accuracies in known.values())
    return Curve(
        name=name,
        x=np.array(list(known), float),
        y=np.array([np.mean(accuracies) for accuracies in known.values()], float),
        low=np.array([min(accuracies) for accuracies in known.values()], float) if several else None,
        high=np.array([max(accuracies) for accuracies in known.values()], float) if several else None,
        dashed=dashed,
    )


def _check_same_images(runs: Sequence[Run]) -> None:
    for run in runs:
        if not same_images(runs[0], run):
            raise UserError(
                f"Runs {runs[0].id} and {run.id} are judged on different images, so they cannot share a film; "
                "choose others."
            )


def _shared_class_names(runs: Sequence[Run]) -> tuple[str, ...]:
    for run in runs:
        if run.class_names != runs[0].class_names:
            raise UserError(
                f"Runs {runs[0].id} and {run.id} have different classes, so they cannot share a film; choose others."
            )
    return runs[0].class_names
