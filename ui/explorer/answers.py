"""What only a model can say of one particle: how it draws it, and how probable each angle is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.records import Predictions
from ssrvae_core.reports.explorer.source import Source
from ssrvae_core.runs import Run
from ssrvae_core.runs.thumbnails import to_pixels
from ui.explorer.pictures import Pictures
from ui.images import data_uri, enlarge, model_of

LEAST = 128
"""Pixels along the longer side of a picture in an answer, at least."""


def answer(sample: int, runs: Sequence[Run], sources: Sequence[Source], pictures: Pictures | None) -> dict[str, Any]:
    """Return what is to be shown of one particle beside what the table says, ready for JSON.

    Parameters
    ----------
    sample : int
        Its id, one of every source's.
    runs, sources : sequence
        The models' runs, and what they say.
    pictures : Pictures, optional
        The particles' pictures.

    Returns
    -------
    dict
        ``id``, ``picture`` (an address of an image, or None), and for every model its ``drawing`` as the particle is
        seen, the ``difference`` (grey where both are alike), and ``posterior``, the probabilities of evenly spaced
        angles from -180 degrees on; None where there is none.
    """
    seen = None if pictures is None else pictures.one(sample)
    each = [_answer(run, source.predictions, sample, seen) for run, source in zip(runs, sources, strict=True)]
    picture = None if seen is None else data_uri(enlarge(seen, LEAST))
    return {"id": sample, "picture": picture, "models": each}


def _answer(run: Run, predictions: Predictions, sample: int, seen: np.ndarray | None) -> dict[str, Any]:
    row = int(np.searchsorted(predictions.ids, sample))
    try:
        drawn, posterior = _drawn(str(run.path.absolute()), run.status.updated, sample, run, predictions, row, seen)
    except UserError:
        return {"drawing": None, "difference": None, "posterior": None}
    alike = seen is not None and seen.shape == drawn.shape
    difference = 127.5 + (seen.astype(float) - drawn) / 2 if seen is not None and alike else None
    return {
        "drawing": data_uri(enlarge(drawn, LEAST)),
        "difference": None if difference is None else data_uri(enlarge(difference.round().astype(np.uint8), LEAST)),
        "posterior": posterior,
    }


@st.cache_data(max_entries=512, show_spinner=False)
def _drawn(
    path: str,
    updated: float,
    sample: int,
    _run: Run,
    _predictions: Predictions,
    _row: int,
    _seen: np.ndarray | None,
) -> tuple[np.ndarray, list[float] | None]:
    """Return a model's drawing of a particle as it is seen, uint8, and the posterior of its angle."""
    import torch

    from ssrvae_core.evaluation.turning import angle_posterior

    model = model_of(_run)
    z = torch.from_numpy(_predictions.z_mean[_row : _row + 1])
    y = torch.from_numpy(_predictions.predicted[_row : _row + 1])
    angle = float(np.nan_to_num(_predictions.angle[_row]))
    image = _image(_seen, model.image_shape)
    if image is None:
        return to_pixels(model.decode(z, y, angle).cpu().numpy())[0], None
    batch = torch.from_numpy(image)
    said = model.encode(batch, alone=True)  # the class is known already, and a second opinion may want masks
    said = replace(said, class_prob=model.one_hot(y.to(model.device)))
    drawn = model.decode(z, y, angle, shift=said.shift, scale=said.scale)
    posterior = angle_posterior(model, batch, said)
    if posterior is None:
        return to_pixels(drawn.cpu().numpy())[0], None
    return to_pixels(drawn.cpu().numpy())[0], np.roll(posterior[0], len(posterior[0]) // 2).round(5).tolist()


def _image(seen: np.ndarray | None, shape: tuple[int, int, int]) -> np.ndarray | None:
    """Return a picture as the model takes images, float32 (1, C, H, W); None where it is not of the model's shape."""
    if seen is None:
        return None
    channels = np.moveaxis(seen, -1, 0) if seen.ndim == 3 else seen[None]
    return channels[None].astype(np.float32) / 255 if channels.shape == shape else None
