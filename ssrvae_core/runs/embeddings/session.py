"""One process's work on one embedding: the stage, the measuring, and the files that tell of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssrvae_core.embedding.features import Features
from ssrvae_core.embedding.proposals import outlier_scores
from ssrvae_core.runs import directory
from ssrvae_core.runs.checkpoints import load_state, remove_checkpoint, write_checkpoint
from ssrvae_core.runs.embeddings.config import StoredEmbeddingConfig
from ssrvae_core.runs.embeddings.files import STAGE, read_stage, write_features, write_stage
from ssrvae_core.runs.embeddings.progress import EmbeddingProgress, Pace
from ssrvae_core.runs.session import Session
from ssrvae_core.runs.stopping import Stopped, log

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet

SAVE = 10.0
"""Seconds between two checkpoints of the stage: what a process that is killed loses at most."""


class EmbeddingSession(Session[EmbeddingProgress]):
    """One process's work on one embedding, whose lock it holds.

    Parameters
    ----------
    path : Path
        The embedding's directory.
    config : StoredEmbeddingConfig
        What it is made of.
    images : ImageSet
        All images of the data set.
    device : str
        Where the stage is trained.
    on_progress, should_stop : callable, optional
        As in :func:`ssrvae_core.runs.embeddings.execute.train_embedding`.
    """

    config: StoredEmbeddingConfig

    def __init__(
        self,
        path: Path,
        config: StoredEmbeddingConfig,
        images: ImageSet,
        device: str,
        on_progress: Callable[[EmbeddingProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        super().__init__(path, config, device, on_progress, should_stop)
        self.images = images
        self.features = Features(config.embedding, config.seed, device)
        self.stage = self.features.stage
        self.reached = EmbeddingProgress(steps=config.embedding.steps if self.stage else 0, images=len(images))
        self.pace = Pace()
        self.kept = time.monotonic()

    def _progress(self) -> EmbeddingProgress:
        return self.reached

    def _resume(self) -> None:
        if self.stage is None:
            return
        if (self.path / STAGE).exists():
            self.stage.restore(read_stage(self.path, self.config, self.images.image_shape))
            self.earlier = directory.read_status(self.path).seconds
            remove_checkpoint(self.path)
            self._move(step=self.reached.steps, saved=self.reached.steps)
            return
        self.stage.prepare(self.images.image_shape)
        self.earlier = load_state(self.path, self.stage)
        self._move(step=self.stage.steps_done, saved=self.stage.steps_done)

    def _beginning(self) -> str:
        where = f"goes on from {self.reached.goes_on}" if self.reached.goes_on else "begins"
        return f"embedding {len(self.images)} images on {self.device}; {where}"

    def _work(self) -> None:
        images, masks = self.images.images, self.images.masks
        if self.stage is not None and self.reached.step < self.reached.steps:
            self.stage.fit(images, self._before_step)
            write_stage(self.path, self.config, self.stage.model)
            remove_checkpoint(self.path)
            self._move(step=self.reached.steps, saved=self.reached.steps)
            log(self.path, f"the stage is trained, {self.reached.steps} steps")
        values = self.features.fit_blocks(images, masks, self._before_part)
        self._move(measured=len(images))
        self._show(self.reached)
        scores = outlier_scores(values)
        self.stop.check()
        write_features(self.path, self.config, self.features, values, scores, self.images)
        self._write_status("finished")

    def _before_step(self, step: int, _: int) -> None:
        self._move(step=step)
        try:
            self._look()
        except Stopped:
            self._save()  # here, where the random state is still that of the stage
            raise
        if time.monotonic() - self.kept >= SAVE:
            self._save()

    def _before_part(self, measured: int, _: int) -> None:
        self._move(measured=measured)
        self._look()

    def _move(self, **places: int) -> None:
        self.reached = self.reached.model_copy(update=places)

    def _look(self) -> None:
        """Stop if somebody says so, and say now and then how far it is."""
        now = time.monotonic()
        self._move_pace(now)
        if self._is_time_to_look(now):
            self.stop.check()
        if self._is_time_to_show(now):
            self._show(self.reached)

    def _move_pace(self, now: float) -> None:
        self.reached = self.reached.model_copy(update={"seconds_left": self.pace.passes(self.reached, now)})

    def _save(self) -> None:
        """Keep where the stage is, between two steps."""
        if self.stage is not None:
            write_checkpoint(self.path, self.stage.state_dict(), self._seconds())
            self._move(saved=self.reached.step)
            self.kept = time.monotonic()
            self._show(self.reached)

    def _keep(self) -> None:
        self._write_down(self.reached)

    def _keep_after_signal(self) -> None:
        self._write_down(self.reached)  # the last checkpoint stands

    def _begin_again(self) -> None:
        self._move(saved=self.reached.steps if (self.path / STAGE).exists() else 0)

    def _where(self) -> str:
        return ""

    def _described(self) -> dict[str, Any]:
        labelled = int((self.images.labels >= 0).sum())
        return {
            "class_names": self.images.class_names,
            "n_labelled": labelled,
            "n_unlabelled": len(self.images) - labelled,
        }
