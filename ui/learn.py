"""What the Learn page shows: one validation image at every angle, and what to notice in it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from ssrvae_core.data import UNLABELLED
from ssrvae_core.evaluation.turning import Turning, all_angles, peaks, turned, turning
from ssrvae_core.figures import theme
from ssrvae_core.reports.explorer import bundle
from ssrvae_core.runs import Run
from ssrvae_core.runs.data_files import load_images
from ssrvae_core.runs.thumbnails import to_pixels
from ui.images import data_uri, model_of

MOST_PER_CLASS = 100
"""Images of a class that can be chosen."""
TILE = 64
"""Longest side of a picture on the turntable, pixels."""
GUESSES = ("first", "second", "both", "neither", "skip")
"""Which of the models a reader guesses to be right at every angle, or that none is guessed, as the address has it."""

_HERE = Path(__file__).parent / "turntable"
_turntable = st.components.v2.component(
    "ssrvae-turntable",
    html=(_HERE / "turntable.html").read_text("utf-8"),
    css=(_HERE / "turntable.css").read_text("utf-8"),
    js=(bundle.HERE / "shares.js").read_text("utf-8") + (_HERE / "turntable.js").read_text("utf-8"),
)


# The images to choose from.


@dataclass(frozen=True)
class Subjects:
    """Labelled validation images, at most 100 per class.

    Attributes
    ----------
    ids, labels : int64 array (N,)
        Sample ids, and classes, -1 where unknown.
    images : float32 array (N, C, H, W)
        The images as the runs see them.
    angles : float32 array (N,) or None
        By how much each is turned already, radians; None where that is not known.
    masks : bool array (N, H, W) or None
        True inside the particle; None where there are no masks.
    """

    ids: np.ndarray
    labels: np.ndarray
    images: np.ndarray
    angles: np.ndarray | None
    masks: np.ndarray | None

    def classes(self) -> list[int]:
        """Classes that have an image; those that are not known stand last."""
        return sorted(set(self.labels.tolist()), key=lambda label: (label < 0, label))

    def of_class(self, label: int) -> list[int]:
        """Ids of the images of a class."""
        found: list[int] = self.ids[self.labels == label].tolist()
        return found

    def upright(self, sample: int) -> np.ndarray:
        """Return one image (C, H, W), turned back by its angle where that is known."""
        row = int(np.flatnonzero(self.ids == sample)[0])
        return self._turned_back(self.images[row], row)

    def mask(self, sample: int) -> np.ndarray | None:
        """Return the mask (H, W) of an image, turned back with it; None where there is none."""
        row = int(np.flatnonzero(self.ids == sample)[0])
        return None if self.masks is None else self._turned_back(as_picture(self.masks[row]), row)[0] > 0.5

    def _turned_back(self, picture: np.ndarray, row: int) -> np.ndarray:
        if self.angles is None:
            return np.asarray(picture)
        return turned(picture, -np.degrees(self.angles[row : row + 1]))[0]


def subjects(run: Run) -> Subjects:
    """Return the validation images of a run that can be put on the turntable.

    Raises
    ------
    UserError
        If the data set cannot be loaded, for one because its file is gone.
    """
    held_out = run.config.split.model_dump_json(include={"seed", "by_group", "validation_fraction"})
    return _subjects(run.dataset.model_dump_json() + held_out, run)


@st.cache_resource(max_entries=2, show_spinner="Loading the images")
def _subjects(data: str, _run: Run) -> Subjects:
    from ssrvae_core.data import split

    images = split(load_images(_run.config.dataset, _run.path.parent), _run.config.split).validation
    chosen = [np.flatnonzero(images.labels == label)[:MOST_PER_CLASS] for label in range(UNLABELLED, images.n_classes)]
    some = images.take(np.sort(np.concatenate(chosen)))
    return Subjects(some.ids, some.labels, some.images, some.factors.get("angle"), some.masks)


# What the models say of one.


def turnings(runs: Sequence[Run], sample: int, image: np.ndarray, mask: np.ndarray | None = None) -> list[Turning]:
    """Ask every run's model about an image (C, H, W) at every angle; its mask (H, W) turns with it.

    Raises
    ------
    UserError
        If a model cannot be read.
    """
    return [_turning(str(run.path.absolute()), run.status.updated, sample, run, image, mask) for run in runs]


@st.cache_data(max_entries=64, show_spinner="Turning the image")
def _turning(
    path: str, updated: float, sample: int, _run: Run, _image: np.ndarray, _mask: np.ndarray | None
) -> Turning:
    degrees = all_angles()
    masks = None if _mask is None else turned(as_picture(_mask), degrees)[:, 0] > 0.5
    return turning(model_of(_run), turned(_image, degrees), degrees, masks)


def as_picture(mask: np.ndarray) -> np.ndarray:
    """Return a mask (H, W) as an image float32 (1, H, W)."""
    return mask[None].astype(np.float32)


def wrong_at(seen: Turning, truth: int) -> np.ndarray:
    """Return the angles at which a model is wrong about a class, degrees ascending."""
    return seen.degrees[seen.class_prob.argmax(axis=1) != truth]


def angles_text(degrees: np.ndarray, of: int) -> str:
    """Say how many of ``of`` angles these are, and which of them is nearest to upright."""
    if not len(degrees):
        return f"at none of the {of} angles"
    nearest = int(degrees[np.abs(degrees).argmin()])
    return f"at {len(degrees)} of the {of} angles, the nearest to upright at {nearest}°"


def pixel_distance(image: np.ndarray, other: np.ndarray) -> float:
    """Root mean squared difference of two images' pixels; 0 is the same image, 1 is black against white."""
    return float(np.sqrt(np.mean((image - other) ** 2)))


# The turntable.


def scene(
    titles: Sequence[str],
    seen: Sequence[Turning],
    image: np.ndarray,
    *,
    class_names: Sequence[str],
    truth: int,
    caption: str,
    labelled_range: float | None,
) -> dict[str, Any]:
    """Return all the turntable shows at every angle, ready for JSON.

    Parameters
    ----------
    titles, seen : sequence
        The models' names, and what each says of the image at the angles of :func:`all_angles`.
    image : float32 array (C, H, W)
        The image at angle zero.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    truth : int
        The image's class, -1 where unknown.
    caption : str
        What stands below the image.
    labelled_range : float, optional
        Half-range of the angles that labelled images have, degrees. None where it, or "upright", is not known.
    """
    degrees = all_angles()
    sheet, tile = contact_sheet(turned(image, degrees))
    inside = None if labelled_range is None else np.flatnonzero(np.abs(degrees) <= labelled_range)[[0, -1]].tolist()
    content: dict[str, Any] = {
        "degrees": degrees.tolist(),
        "sheet": sheet,
        "tile": list(tile),
        "caption": caption,
        "classes": list(class_names),
        "colours": [theme.class_colour(label) for label in range(len(class_names))],
        "truth": truth,
        "labelled": inside,
        "models": [_model_scene(title, turning, truth) for title, turning in zip(titles, seen, strict=True)],
    }
    return content | {"token": hashlib.sha256(repr(content).encode()).hexdigest()}


def _model_scene(title: str, seen: Turning, truth: int) -> dict[str, Any]:
    wrong = angles_text(wrong_at(seen, truth), len(seen.degrees))
    return {
        "title": title,
        "said": seen.class_prob.argmax(axis=1).tolist(),
        "shares": _rounded(seen.class_prob).tolist(),
        "sheet": contact_sheet(seen.drawn)[0],
        "posterior": None if seen.posterior is None else seen.posterior.round(4).tolist(),
        "peaks": None if seen.posterior is None else [peaks_text(peaks(row)) for row in seen.posterior],
        "told": f"wrong {wrong}" if truth >= 0 else "its true class is not known",
    }


def _rounded(probability: np.ndarray) -> np.ndarray:
    """Round to four decimals, which is less to send; nothing but 0 becomes 0, and nothing but 1 becomes 1."""
    inside = probability.astype(np.float64).round(4).clip(0.0001, 0.9999)
    return np.where((probability > 0) & (probability < 1), inside, probability)


def peaks_text(degrees: Sequence[int]) -> str:
    """Say what the peaks of an angle's posterior mean."""
    if not degrees:
        return "No angle stands out"
    if len(degrees) == 1:
        return f"It infers {degrees[0]}°"
    return f"Looks the same at {' and '.join(f'{angle}°' for angle in sorted(degrees))}"


def contact_sheet(images: np.ndarray) -> tuple[str, tuple[int, int]]:
    """Put images (T, C, H, W) in a row, shrunk to at most 64 pixels: the address of the picture, (height, width)."""
    pictures = [Image.fromarray(picture) for picture in to_pixels(images)]
    for picture in pictures:
        picture.thumbnail((TILE, TILE))
    tiles = np.stack([np.asarray(picture) for picture in pictures])
    height, width = tiles.shape[1:3]
    return data_uri(np.concatenate(list(tiles), axis=1)), (height, width)


def start_angle(asked: str | None) -> int:
    """Return the angle of the table nearest to what an address asks for; upright if that is not an angle."""
    try:
        wanted = float(asked or 0)
    except ValueError:
        return 0
    if not -180 <= wanted <= 180:
        return 0
    degrees = all_angles()
    return int(degrees[np.abs(degrees - wanted).argmin()])


def turntable(content: dict[str, Any], key: str) -> int:
    """Show the turntable, and return the angle it stands at; the address follows it, and whether a guess was made.

    The angle it starts from stays the same while one image is shown, so that a step sends nothing to the browser.
    """
    name = f"{key}-start"
    state = st.session_state.get(key) or {}
    moved = state.get("angle")
    now = start_angle(st.query_params.get("angle")) if moved is None else int(moved)
    guess = state.get("guess") or st.query_params.get("guess")
    if st.session_state.get(name, (None, 0))[0] != content["token"]:
        st.session_state[name] = (content["token"], now)
    data = content | {"start": st.session_state[name][1], "guess": guess if guess in GUESSES else None}
    _turntable(key=key, data=data, on_angle_change=_nothing, on_guess_change=_nothing)
    if st.query_params.get("angle") != str(now):
        st.query_params["angle"] = str(now)
    if guess not in GUESSES:
        st.query_params.pop("guess", None)
    elif st.query_params.get("guess") != guess:
        st.query_params["guess"] = guess
    return now


def _nothing() -> None:
    """Have a value of the turntable rerun what reads it."""
