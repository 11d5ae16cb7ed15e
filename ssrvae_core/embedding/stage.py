"""The unsupervised stage: latents of all images, learnt without a label and with the rotation summed out.

It is M1 of Kingma et al. 2014 (arXiv 1406.5298): the engine with a single class, whose class is always known. So
encoder, decoder, likelihood and evidence lower bound are those of the semi-supervised model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ssrvae_core.config import EmbeddingConfig, TrainingConfig, UserError
from ssrvae_core.models import SSVAE, build
from ssrvae_core.models.networks import Encoder
from ssrvae_core.training.adam import Adam
from ssrvae_core.training.batches import shuffled_rows
from ssrvae_core.training.clipping import GradientClip
from ssrvae_core.training.device import (
    choose_device,
    keep_freed_memory,
    random_state,
    restore_random_state,
    seeded,
)
from ssrvae_core.training.objective import Objective
from ssrvae_core.training.schedule import cosine
from ssrvae_core.training.trainer import INITIAL_IMAGES

INIT, STEPS = 0, 1
"""What a seed is for, so that no two uses share their random numbers."""

ENCODED = 500
"""Images encoded at a time, which bounds the memory."""


class Stage:
    """Learns latents of images without labels.

    Parameters
    ----------
    config : EmbeddingConfig
        Its settings.
    seed : int
        Makes two stages on the same images and machine equal.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.

    Attributes
    ----------
    model : SSVAE
        The trained model, of a single class.
    elbo : list of float
        Mean evidence lower bound of a batch at each step, nats per image.
    """

    model: SSVAE

    def __init__(self, config: EmbeddingConfig, seed: int = 0, device: str = "auto") -> None:
        self.config, self.seed = config, seed
        self.device = choose_device(device)
        self.elbo: list[float] = []
        self._bounds: list[Tensor] = []
        self._resumed: list[Tensor] | None = None  # the random state of a checkpoint that was loaded

    def prepare(self, image_shape: tuple[int, int, int]) -> None:
        """Build the model with its initial weights, and the optimiser, for images (C, H, W)."""
        with seeded(self.device, self.seed, INIT):
            self.model = build(self.config.model, image_shape, 1).to(self.device)
        # The classifier of a single class has nothing to learn.
        weights = [*self._encoder.parameters(), *self.model.decoder.parameters()]
        self._optimiser = Adam(weights, self.config.learning_rate)
        self._clip = GradientClip(self.config.gradient_clip)
        self._bounds, self._resumed = [], None

    def fit(
        self, images: Float[np.ndarray, "n channel height width"], on_step: Callable[[int, int], None] | None = None
    ) -> Stage:
        """Train on all images, a fixed number of steps, from the beginning or from a state that was loaded.

        Parameters
        ----------
        images : float32 array (N, C, H, W)
            Intensities in [0, 1].
        on_step : callable, optional
            Called with the number of steps done and of all before each step; an exception it raises leaves the method.
            :meth:`state_dict` is called from it.

        Raises
        ------
        UserError
            If the evidence lower bound or a gradient is not a finite number.
        """
        keep_freed_memory()
        if self._resumed is None:
            channels, height, width = images.shape[1:]
            self.prepare((channels, height, width))
        views = self._views(images)
        if self._resumed is None:
            self._initialise(views[:INITIAL_IMAGES])
        objective = Objective(self.model, TrainingConfig())
        self.model.train()
        with seeded(self.device, self.seed, STEPS) as generator, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Encountered")  # Pyro's; ours is an error, with advice
            batches = shuffled_rows(len(views), self.config.batch_size, self.config.steps, generator)
            self._generator = generator
            if self._resumed is not None:
                restore_random_state(generator, self._resumed)
                self._resumed = None
            for step in range(len(self._bounds), self.config.steps):
                if on_step is not None:
                    on_step(step, self.config.steps)
                self._step(objective, views[batches[step]], step)
        self.model.eval()
        self.elbo = torch.stack(self._bounds).tolist()
        return self

    @property
    def steps_done(self) -> int:
        """Steps that were made, or that the state which was loaded had made."""
        return len(self._bounds)

    def state_dict(self) -> dict[str, Any]:
        """Return all that going on needs, tensors and plain values; only within ``on_step`` of :meth:`fit`."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "gradient_norm": self._clip.typical,
            "elbo": torch.stack(self._bounds) if self._bounds else torch.zeros(0),
            "random": random_state(self._generator),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Have the next :meth:`fit`, on the same images, go on from what :meth:`state_dict` returned.

        Raises
        ------
        KeyError, RuntimeError or ValueError
            If it is of another model than the one that was prepared.
        """
        self.model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._clip.typical = float(state["gradient_norm"])
        self._bounds = list(state["elbo"].to(self.device))
        self._resumed = list(state["random"])

    def restore(self, model: SSVAE) -> None:
        """Take a model that was trained before."""
        self.model = model.to(self.device).eval()

    @torch.no_grad()
    def encode(
        self, images: Float[np.ndarray, "n channel height width"]
    ) -> tuple[Float[np.ndarray, "n latents"], Float[np.ndarray, "n pooled"]]:
        """Return the latent means, and the encoder's responses with the angle pooled away.

        Parameters
        ----------
        images : float32 array (N, C, H, W)
            Intensities in [0, 1].

        Returns
        -------
        float32 array (N, latent_dim)
            Means of q(z|x).
        float32 array (N, P)
            What the encoder stands on.
        """
        means, pooled = [], []
        for part in _parts(images):
            seen = self.model.features(self._look(part))
            means.append(self._encoder(seen, self._single_class(len(seen)))[0].cpu())
            pooled.append(self._encoder.features(seen).cpu())
        return torch.cat(means).numpy(), torch.cat(pooled).numpy()

    @torch.no_grad()
    def _look(self, images: np.ndarray) -> Tensor:
        return self.model.look(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)).to(self.device))

    def _views(self, images: np.ndarray) -> Tensor:
        """Return what the model sees of all images, looked at in parts and put in one place."""
        views = torch.empty(0)
        for rows in parts(len(images)):
            part = self._look(images[rows])
            if not rows.start:
                views = part.new_empty(len(images), *part.shape[1:])
            views[rows] = part
        return views

    @property
    def _encoder(self) -> Encoder:
        encoder = self.model.encoder
        assert isinstance(encoder, Encoder)  # built without networks of one's own
        return encoder

    def _single_class(self, n: int) -> Tensor:
        return torch.ones(n, 1, device=self.device)

    def _initialise(self, views: Tensor) -> None:
        if len(views) > 1:
            self._encoder.initialise(self.model.features(views), self._single_class(len(views)))

    def _step(self, objective: Objective, views: Tensor, step: int) -> None:
        loss = -objective.elbo(views, self._single_class(len(views)), 1.0) / len(views)
        self._optimiser.learning_rate = self.config.learning_rate * cosine(step / self.config.steps)
        self._optimiser.zero_grad()
        loss.backward()
        if not self._clip(self.model):
            rate = self.config.learning_rate
            raise UserError(
                f"The embedding's training diverged in step {step + 1}: a gradient is not a finite number;"
                f" lower its learning_rate (now {rate:g}), for instance to {rate / 3:.1g}."
            )
        self._optimiser.step()
        self._bounds.append(-loss.detach())


def parts(n: int) -> Iterator[slice]:
    """Yield the rows of n images that are encoded together."""
    for first in range(0, max(n, 1), ENCODED):
        yield slice(first, first + ENCODED)


def _parts(images: np.ndarray) -> Iterator[np.ndarray]:
    for rows in parts(len(images)):
        yield images[rows]
