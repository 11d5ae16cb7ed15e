"""The features of the embedding: latents, ring spectra and shape descriptors, each brought to one scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from ssrvae_core.config import EmbeddingConfig
from ssrvae_core.embedding.measuring import measure
from ssrvae_core.embedding.scaling import Block
from ssrvae_core.embedding.stage import Stage


class Features:
    """Fits the features of a data set, and gives those of new images on the same scale.

    Parameters
    ----------
    config : EmbeddingConfig
        Which blocks, and the stage's settings.
    seed : int
        Of the stage.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.

    Attributes
    ----------
    stage : Stage or None
        The unsupervised stage; None where neither latents nor pooled responses are asked for.
    blocks : list of Block
        What was fitted.
    """

    def __init__(self, config: EmbeddingConfig, seed: int = 0, device: str = "auto") -> None:
        self.config = config
        learnt = {"latents", "pooled"} & set(config.blocks)
        self.stage = Stage(config, seed, device) if learnt else None
        self.blocks: list[Block] = []

    def fit_transform(
        self,
        images: Float[np.ndarray, "n channel height width"],
        masks: Bool[np.ndarray, "n height width"] | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Float[np.ndarray, "n features"]:
        """Train the stage, fit every block, and return the features, float32 (N, F).

        Parameters
        ----------
        images : float32 array (N, C, H, W)
            Intensities in [0, 1].
        masks : bool array (N, H, W), optional
            True inside the particle; by default outlines are found by a threshold.
        on_step : callable
            See :meth:`ssrvae_core.embedding.stage.Stage.fit`.
        """
        if self.stage is not None:
            self.stage.fit(images, on_step)
        measured = self._measure(images, masks)
        self.blocks = [Block.fit(name, measured[name], self.config.components) for name in self.config.blocks]
        return self._join(measured)

    def transform(
        self,
        images: Float[np.ndarray, "n channel height width"],
        masks: Bool[np.ndarray, "n height width"] | None = None,
    ) -> Float[np.ndarray, "n features"]:
        """Return the features of images, float32 (N, F), with all that was fitted; see :meth:`fit_transform`."""
        return self._join(self._measure(images, masks))

    def columns(self) -> dict[str, slice]:
        """Return which columns each block has."""
        columns, first = {}, 0
        for block in self.blocks:
            columns[block.name] = slice(first, first + len(block.after.mean))
            first = columns[block.name].stop
        return columns

    def _measure(self, images: np.ndarray, masks: np.ndarray | None) -> dict[str, np.ndarray]:
        measured: dict[str, np.ndarray] = {}
        if self.stage is not None:
            measured["latents"], measured["pooled"] = self.stage.encode(images)
        return measured | measure(images, masks, self.config.blocks)

    def _join(self, measured: dict[str, np.ndarray]) -> np.ndarray:
        return np.hstack([block(measured[block.name]) for block in self.blocks]).astype(np.float32)
