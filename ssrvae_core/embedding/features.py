"""The features of the embedding: latents, ring spectra and shape descriptors, each brought to one scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from ssrvae_core.config import EmbeddingConfig, UserError
from ssrvae_core.embedding.measuring import measure
from ssrvae_core.embedding.scaling import Block
from ssrvae_core.embedding.stage import Stage, parts


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
    config, device
        As they were handed in.
    stage : Stage or None
        The unsupervised stage; None where neither latents nor pooled responses are asked for.
    blocks : list of Block
        What was fitted.
    on_masks : bool
        Whether the descriptors were measured on masks, as those of other images have to be then.
    """

    def __init__(self, config: EmbeddingConfig, seed: int = 0, device: str = "auto") -> None:
        self.config, self.device = config, device
        learnt = {"latents", "pooled"} & set(config.blocks)
        self.stage = Stage(config, seed, device) if learnt else None
        self.blocks: list[Block] = []
        self.on_masks = False

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
        return self.fit_blocks(images, masks)

    def fit_blocks(
        self,
        images: Float[np.ndarray, "n channel height width"],
        masks: Bool[np.ndarray, "n height width"] | None = None,
        on_part: Callable[[int, int], None] | None = None,
    ) -> Float[np.ndarray, "n features"]:
        """Fit every block on the stage as it is, and return the features, float32 (N, F).

        Parameters
        ----------
        images, masks : arrays
            As in :meth:`fit_transform`.
        on_part : callable, optional
            Called with the number of images measured and of all, now and then; an exception it raises leaves the
            method.
        """
        measured = self._measure(images, masks, on_part)
        self.on_masks = masks is not None and "descriptors" in self.config.blocks
        self.blocks = [Block.fit(name, measured[name], self.config.components) for name in self.config.blocks]
        return self._join(measured)

    def transform(
        self,
        images: Float[np.ndarray, "n channel height width"],
        masks: Bool[np.ndarray, "n height width"] | None = None,
    ) -> Float[np.ndarray, "n features"]:
        """Return the features of images, float32 (N, F), with all that was fitted; see :meth:`fit_transform`.

        Raises
        ------
        UserError
            If there are no masks, and the images in fit had some: a threshold finds other outlines.
        """
        if self.on_masks and masks is None:
            raise UserError(
                "The images that the features were fitted to had masks, and these have none; give the masks of these"
                " images, or fit without masks."
            )
        if not self.on_masks:
            masks = None
        return self._join(self._measure(images, masks))

    def columns(self) -> dict[str, slice]:
        """Return which columns each block has."""
        columns, first = {}, 0
        for block in self.blocks:
            columns[block.name] = slice(first, first + len(block.after.mean))
            first = columns[block.name].stop
        return columns

    def _measure(
        self, images: np.ndarray, masks: np.ndarray | None, on_part: Callable[[int, int], None] | None = None
    ) -> dict[str, np.ndarray]:
        """Measure a part of the images after the other, so that what is needed in between takes little memory."""
        measured: dict[str, list[np.ndarray]] = {}
        for rows in parts(len(images)):
            if on_part is not None:
                on_part(rows.start, len(images))
            for name, values in self._measure_part(images[rows], None if masks is None else masks[rows]).items():
                measured.setdefault(name, []).append(values)
        return {name: np.concatenate(values) for name, values in measured.items()}

    def _measure_part(self, images: np.ndarray, masks: np.ndarray | None) -> dict[str, np.ndarray]:
        measured = measure(images, masks, self.config.blocks)
        if self.stage is not None:
            measured["latents"], measured["pooled"] = self.stage.encode(images)
        return {name: measured[name] for name in self.config.blocks}

    def _join(self, measured: dict[str, np.ndarray]) -> np.ndarray:
        return np.hstack([block(measured[block.name]) for block in self.blocks]).astype(np.float32)
