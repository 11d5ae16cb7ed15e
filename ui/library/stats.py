"""What takes longer than a click: class fractions with their intervals, and the average upright particles."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.library import Library
from ssrvae_core.library.crops import Crops, crops
from ssrvae_core.library.fractions import Fraction, Fractions, class_fractions
from ssrvae_core.library.left_out import best_known
from ssrvae_core.library.quick import QuickHead, head_at_hand
from ssrvae_core.library.sheets import Sheet, sheets
from ssrvae_core.records import Particles
from ssrvae_core.runs import Run
from ssrvae_core.runs.thumbnails import to_pixels
from ui.images import data_uri


def token_of(library: Library) -> str:
    """Return what tells one state of a library from others."""
    numbers = crc32(library.assigned.tobytes(), crc32(library.origin.tobytes()))
    return f"{library.base.run} {numbers:08x} {sorted(library.names.items())} {library.threshold}"


def memberships(library: Library) -> dict[int, int]:
    """Return a number per class that is another one once other particles are in it: its average is another then."""
    return {number: crc32(library.members(number).tobytes()) for number in library.names}


def placed(library: Library) -> int:
    """Return a number that is another one once a class fraction can be: who is in a class, and who says so."""
    assigned = crc32(library.assigned.tobytes(), crc32(library.origin.tobytes()))
    return crc32(repr(sorted(library.names)).encode(), assigned)


def stats(run: Run, library: Library, particles: Particles, written: float) -> dict[str, Any]:
    """Return what the browser shows of each class beside its particles, ready for JSON.

    Parameters
    ----------
    run, library, particles : Run, Library and Particles
        Of one run.
    written : float
        When the particles were written, which tells them from those that were there before.

    Returns
    -------
    dict
        ``version``, the entries that the library's journal has; ``placed``, see :func:`placed`; ``classes`` with
        ``number``, ``members`` (see :func:`memberships`), ``mean`` and ``deviation`` (addresses of pictures, or None),
        ``averaged`` and ``fraction`` (how many are in it and the interval of the true share, in words); ``words``,
        how far to trust them.
    """
    token = f"{written} {token_of(library)}"
    head = _head(written, run, particles)
    found = fractions(token, written, run, library, particles)
    try:
        averages = _averages(token, written, run, library, particles)
        lacking = ""
    except UserError as error:
        averages, lacking = {}, f" There are no averages: {error}"
    members = memberships(library)
    each = {
        one.number: {
            "number": one.number,
            "members": members.get(one.number),
            "fraction": fraction_text(found, one),
        }
        for one in found.classes
    }
    nothing = {"mean": None, "deviation": None, "averaged": 0}
    return {
        "version": library.n_entries,
        "placed": placed(library),
        "classes": [one | averages.get(number, nothing) for number, one in each.items()],
        "words": " ".join((in_words(found) + lacking, *(() if head is None else head.remarks))),
    }


def fraction_text(found: Fractions, one: Fraction) -> str:
    """Say how many particles are in a class, and apart from that what its true share is."""
    return f"{found.called(one, ' particles')}; true share {one.in_words}"


def in_words(found: Fractions) -> str:
    """Say what the intervals of fractions hold, and what they are known from."""
    return " ".join((found.in_words, *found.remarks))


@st.cache_data(max_entries=32, show_spinner=False)
def fractions(token: str, written: float, _run: Run, _library: Library, _particles: Particles) -> Fractions:
    """Estimate the class fractions of a library's state."""
    head = _head(written, _run, _particles)
    classified = best_known(_library, _particles, head, by_micrograph=_run.config.split.by_group)
    return class_fractions(_library, _particles, classified=classified)


def _head(written: float, run: Run, particles: Particles) -> QuickHead | None:
    """Return the embedding's head of a run where it is at hand."""
    found = _head_kept(str(run.path.absolute()), written, run, particles)
    if found is not None and found.remarks:
        _head_kept.clear()  # the damaged file may have been replaced the next time
    return found


@st.cache_resource(max_entries=2, show_spinner=False)
def _head_kept(path: str, written: float, _run: Run, _particles: Particles) -> QuickHead | None:
    return head_at_hand(_run, _particles)


@st.cache_resource(max_entries=1, show_spinner=False)  # the library says itself that it works: a line above moves it
def crops_of(path: str, written: float, _run: Run, _particles: Particles) -> Crops:
    """Return the images of a run.

    Raises
    ------
    UserError
        If they are not here.
    """
    return crops(_run, _particles)


@st.cache_data(max_entries=8, show_spinner=False)
def sheets_of(token: str, written: float, _run: Run, _library: Library, _particles: Particles) -> tuple[Sheet, ...]:
    """Return the sheets of a library's state, with averages."""
    return sheets(_library, _particles, crops_of(str(_run.path.absolute()), written, _run, _particles))


def _averages(
    token: str, written: float, run: Run, library: Library, particles: Particles
) -> dict[int, dict[str, Any]]:
    found = {}
    for sheet in sheets_of(token, written, run, library, particles):
        if sheet.mean is None or sheet.variance is None:
            continue
        deviation = np.sqrt(sheet.variance)
        # White is where they differ most, as small differences could not be seen otherwise.
        both = to_pixels(np.stack([sheet.mean, deviation / (deviation.max() or 1)]))
        found[sheet.number] = {"mean": data_uri(both[0]), "deviation": data_uri(both[1]), "averaged": sheet.averaged}
    return found
