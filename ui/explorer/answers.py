"""What only a model can say of one particle: how it draws it, and how probable each angle is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.records import Predictions
from ssrvae_core.reports.explorer.images import drawn
from ssrvae_core.reports.explorer.source import Source
from ssrvae_core.runs import Run
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
        ``id`` (as text), ``picture`` (an address of an image, or None), and for every model its ``drawing`` as the
        particle is seen, the ``difference`` (grey where both are alike), and ``posterior``, the probabilities of evenly
        spaced angles from -180 degrees on; None where there is none.
    """
    seen = None if pictures is None else pictures.one(sample)
    each = [_answer(run, source.predictions, sample, seen) for run, source in zip(runs, sources, strict=True)]
    picture = None if seen is None else data_uri(enlarge(seen, LEAST))
    return {"id": str(sample), "picture": picture, "models": each}


def _answer(run: Run, predictions: Predictions, sample: int, seen: np.ndarray | None) -> dict[str, Any]:
    row = int(np.searchsorted(predictions.ids, sample))
    try:
        made, posterior = _drawn(str(run.path.absolute()), run.status.updated, sample, run, predictions, row, seen)
    except UserError:
        return {"drawing": None, "difference": None, "posterior": None}
    alike = seen is not None and seen.shape == made.shape
    difference = 127.5 + (seen.astype(float) - made) / 2 if seen is not None and alike else None
    return {
        "drawing": data_uri(enlarge(made, LEAST)),
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
    pictures, posterior = drawn(model_of(_run), _predictions, np.array([_row]), None if _seen is None else _seen[None])
    return pictures[0], None if posterior is None else posterior[0].round(5).tolist()
