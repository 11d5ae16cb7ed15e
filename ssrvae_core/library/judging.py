"""Which labels may judge a classification: those from before any correction.

People correct what a run has wrong. A held-out image that was moved by hand is one that the run has wrong nearly
always, and that a training with the correction has right more often. Such labels teach, and they do not judge.
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
    return f"{which} left out, as people move what a run has wrong."
