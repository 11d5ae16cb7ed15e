"""How far an embedding is: steps of its unsupervised stage, then images that are measured."""

from __future__ import annotations

from collections import deque

from pydantic import BaseModel, ConfigDict, Field

STEP = 12
"""Images that are measured in about the time of a step."""

_LATEST = 100  # places that the pace is taken from


class EmbeddingProgress(BaseModel):
    """The content of ``progress.json`` of an embedding.

    Attributes
    ----------
    step, steps : int
        Steps of the stage that are done, and all; 0 of 0 where there is no stage.
    measured, images : int
        Images that are measured, and all.
    seconds_left : float, optional
        At the pace measured; None before there is one.
    saved : int
        Steps that are kept: it goes on from there if it is stopped now.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    step: int = Field(0, ge=0)
    steps: int = Field(ge=0)
    measured: int = Field(0, ge=0)
    images: int = Field(ge=1)
    seconds_left: float | None = None
    saved: int = Field(0, ge=0)

    @property
    def done(self) -> float:
        """What is done, in steps and their like."""
        return self.step + self.measured / STEP

    @property
    def total(self) -> float:
        """What there is to do, in steps and their like."""
        return self.steps + self.images / STEP

    @property
    def share(self) -> float:
        """Share of the work that is done, in [0, 1]."""
        return self.done / self.total

    @property
    def in_words(self) -> str:
        """What is under way, such as ``step 40 of 1500``."""
        if self.step < self.steps:
            return f"step {self.step} of {self.steps}"
        if self.measured < self.images:
            return f"{self.measured:,} of {self.images:,} images measured"
        return f"all {self.images:,} images measured, comparing them"

    @property
    def stopped(self) -> EmbeddingProgress:
        """The same once it has stopped: where it goes on."""
        return self.model_copy(update={"step": self.saved, "measured": 0, "seconds_left": None})

    @property
    def goes_on(self) -> str:
        """Where it goes on if it is stopped now, such as ``step 41``; empty where it has to begin again."""
        if not self.saved:
            return ""
        return f"step {self.saved + 1}" if self.saved < self.steps else "its trained stage"

    @property
    def done_in_words(self) -> str:
        """What is done and kept, such as ``40 of 1500 steps``."""
        return f"{self.saved} of {self.steps} steps" if self.steps else f"0 of {self.images:,} images"


class Pace:
    """Tells from the latest places how long the rest takes."""

    def __init__(self) -> None:
        self._places: deque[tuple[float, float]] = deque(maxlen=_LATEST)

    def passes(self, progress: EmbeddingProgress, now: float) -> float | None:
        """Take in how far it is at this time, and return the seconds left; None before there is a pace."""
        self._places.append((now, progress.done))
        (first, at), (last, here) = self._places[0], self._places[-1]
        return (last - first) / (here - at) * (progress.total - here) if here > at else None
