"""Which labels may judge a classification: those from before any correction.

People correct what a run has wrong. A held-out image that was moved by hand is one that the run has wrong nearly
always, and that a training with the correction has right more often. So its label judges neither this run nor the one
that is trained again: it is held out there, too, without a label. To confirm the label that is there corrects nothing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from ssrvae_core.library.state import NONE, Library
from ssrvae_core.records import PARTS, Particles


def held_out_and_judging(library: Library, particles: Particles) -> Bool[np.ndarray, " n"]:
    """Return which held-out images of a class have a label that nobody corrected, bool (N,)."""
    return (particles.part == PARTS.index("validation")) & library.uncorrected


def held_out_and_corrected(library: Library, particles: Particles) -> Bool[np.ndarray, " n"]:
    """Return which held-out images a person put into a class, in this library or in one it was trained from."""
    held_out = particles.part == PARTS.index("validation")
    return held_out & (library.known != NONE) & ~library.uncorrected


def left_out_text(n: int) -> str:
    """Say how many held-out images do not judge, and why; nothing of none."""
    if not n:
        return ""
    which = "1 held-out image that was moved by hand is" if n == 1 else f"{n:,} held-out images moved by hand are"
    return f"{which} left out, because people mostly move images that the run has wrong."


def moved_text(n: int) -> str:
    """Say what becomes of held-out images that were moved when the run is trained again; nothing of none."""
    if not n:
        return ""
    which, they = ("1 held-out image was", "it is") if n == 1 else (f"{n:,} held-out images were", "they are")
    return (
        f"{which} moved by hand: {they} not trained on, and not used to measure accuracy, because people mostly move"
        " images that the run has wrong."
    )
