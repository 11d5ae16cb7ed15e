"""The film of a training: which runs have one, and how it is put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.figures.frames import steps_of
from ssrvae_core.reports.film import Film
from ssrvae_core.reports.gather import judged_truth, training_film
from ssrvae_core.runs import Run, directory
from ssrvae_core.runs.comparable import same_images
from ui import datasets, films
from ui.images import validation_pictures
from ui.overview import LIVE
from ui.presentation import enlarged
from ui.reel import Reel, reel
from ui.runs import first_shown, partner, run_label

Curve = Literal["loss", "accuracy"]
CURVES: dict[str, Curve] = {"loss": "loss", "accuracy": "accuracy"}


def filmed(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that have kept an epoch, finished or not, in the same order."""
    return [run for run in runs if run.class_names and (run.path / directory.SNAPSHOTS).exists()]


def left_default(runs: Sequence[Run]) -> Run:
    """Return the run to begin with: of a pair the one without invariance, else the newest."""
    return first_shown(runs)[0]


def beside(run: Run, runs: Sequence[Run]) -> list[Run]:
    """Return the runs that can stand beside a run, its partner first: those on the same images."""
    others = [other for other in runs if other.id != run.id and same_images(run, other)]
    first = partner(run, others)
    return sorted(others, key=lambda other: first is None or other.id != first.id)


def still_training(runs: Sequence[Run]) -> str:
    """Say which of these runs are not at their end, empty where all are."""
    live = [run for run in runs if run.status.state in LIVE]
    return "; ".join(f"{run_label(run)} is at epoch {run.status.epoch} of {run.config.training.epochs}" for run in live)


def truth(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and classes of the validation images, from the data set where the run has not been judged yet.

    Raises
    ------
    UserError
        If neither can be read.
    """
    return judged_truth(run) if run.status.state == "finished" else _from_data(run.id, run)


@st.cache_resource(max_entries=4, show_spinner="Loading the classes of the images")
def _from_data(run_id: str, _run: Run) -> tuple[np.ndarray, np.ndarray]:
    validation = datasets.parts_of(_run.dataset, _run.config.split).validation
    return validation.ids, validation.labels


Stamps = tuple[tuple[str, int], ...]


def stamps_of(runs: Sequence[Run]) -> Stamps:
    """Tell the state of these runs from an earlier one: a film and all that is made of it go by one look at them.

    Raises
    ------
    UserError
        If one of them was deleted meanwhile.
    """
    try:
        return tuple((str(run.path.absolute()), (run.path / directory.SNAPSHOTS).stat().st_mtime_ns) for run in runs)
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}); reload the page.") from error


@st.cache_resource(max_entries=4, show_spinner="Putting the film together")
def film_of(stamps: Stamps, curve: Curve, _runs: Sequence[Run]) -> Film:
    """Return the film of one run, or of two in step.

    Raises
    ------
    UserError
        If a file of a run, or the data set of an unfinished one, cannot be read.
    """
    return training_film(_runs, curve=curve, truth=truth, pictures=pictures_of)


def pictures_of(run: Run, ids: np.ndarray) -> np.ndarray | None:
    """Return the images of these samples as bytes, None where they are not here; a film can do without."""
    try:
        pictures = validation_pictures(run, np.sort(run.snapshots()[0][1].ids))
    except UserError:
        return None
    found = [pictures.of(int(sample)) for sample in ids]
    shown = [one for one in found if one is not None]
    return np.stack(shown) if shown and len(shown) == len(found) else None


def reel_of(stamps: Stamps, curve: Curve, film: Film, width: int, room: int | None) -> Reel:
    """Return the film of these stamps ready to be shown."""
    return _reel_of(stamps, curve, width, room, film)


@st.cache_data(max_entries=8, show_spinner="Putting the film together")
def _reel_of(stamps: Stamps, curve: Curve, width: int, room: int | None, _film: Film) -> Reel:
    figure = _film.figure(**films.look_of(width, len(_film.tracks), room))
    shown = figure if room is None else enlarged(figure)
    ends = [max(curve.x, default=0.0) for curve in _film.curves]
    return reel(shown, steps_of(_film.tracks), _film.tracks, width, lambda step: f"Epoch {step.label}", room, ends=ends)


def epochs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Tabulate the trainings, a row per epoch and run."""
    parts = [pd.DataFrame(run.metrics()).assign(run=run.id, model=run.config.model.name) for run in runs]
    table = pd.concat(parts, ignore_index=True)
    first = ["run", "model", "epoch"]
    return table[[*first, *(name for name in table.columns if name not in first)]]
