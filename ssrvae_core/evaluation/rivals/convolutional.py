"""The rival a practitioner would reach for: a small convolutional network that sees the images at any angle.

Trained on the labelled images alone, or with FixMatch (Sohn et al. 2020, arXiv 2001.07685) on the unlabelled ones, too.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ssrvae_core.config import Augmentation
from ssrvae_core.data import Split
from ssrvae_core.models.plain import PixelView
from ssrvae_core.training.adam import Adam
from ssrvae_core.training.device import choose_device, seeded
from ssrvae_core.training.objective import draw_nuisance

WIDTHS = (16, 32, 64, 128)
"""Channels of the blocks; each halves the image."""

STEPS, FIXMATCH_STEPS = 1000, 500
LABELLED_BATCH, UNLABELLED_BATCH = 32, 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 5e-3
WEAK = Augmentation()
"""What the labelled images are turned into: any rotation, and the small nuisances our models are told of as well."""

STRONG = Augmentation(shear=20, scale=0.2, shift=0.1, intensity=0.3)
"""What a confident prediction must withstand: any rotation, and nuisances as wide as RandAugment's."""

THRESHOLD = 0.95
"""Smallest confidence of a pseudo-label, as in the paper."""

CONSISTENCY_WEIGHT = 1.0
"""Weight of the consistency loss, as in the paper."""

PREDICTION_BATCH = 500


class SmallCNN(nn.Module):
    """Blocks of convolution, batch normalisation, ReLU and pooling; then the mean over the image, and a linear layer.

    Parameters
    ----------
    mean, sd : float
        Of the training pixels; the images are standardised by them.
    """

    def __init__(self, channels: int, n_classes: int, mean: float, sd: float) -> None:
        super().__init__()
        blocks = [self._block(before, after) for before, after in pairwise((channels, *WIDTHS))]
        self.layers = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], n_classes))
        self.mean, self.sd = mean, sd

    @staticmethod
    def _block(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        )

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch classes"]:
        """Return logits."""
        standard = (images - self.mean) / self.sd
        return self.layers(standard.contiguous(memory_format=torch.channels_last))


class FittedCNN:
    """A trained network, on its device."""

    def __init__(self, network: SmallCNN, device: torch.device, parameters: dict[str, Any]) -> None:
        self.network, self.device, self.parameters = network.eval(), device, parameters

    @torch.no_grad()
    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities (N, K) of images (N, C, H, W)."""
        batches = torch.from_numpy(images).split(PREDICTION_BATCH)
        return np.concatenate([self.network(batch.to(self.device)).softmax(dim=-1).cpu().numpy() for batch in batches])


def cnn(data: Split, seed: int, device: str) -> FittedCNN:
    """Train on the labelled images under random rotations and small nuisances."""
    return _Training(data, seed, device, fixmatch=False).run()


def cnn_fixmatch(data: Split, seed: int, device: str) -> FittedCNN:
    """Train the same network with FixMatch: what it is sure of on an image must hold under strong nuisances."""
    return _Training(data, seed, device, fixmatch=True).run()


class _Training:
    """One training of the network."""

    def __init__(self, data: Split, seed: int, device: str, *, fixmatch: bool) -> None:
        self.device, self.seed = choose_device(device), seed
        self.fixmatch = fixmatch and len(data.unlabelled) > 0
        self.steps = FIXMATCH_STEPS if self.fixmatch else STEPS
        seen = data.labelled.images
        self.mean, self.sd = float(seen.mean()), max(float(seen.std()), 1e-3)
        self.labelled = torch.from_numpy(seen).to(self.device)
        self.y = torch.from_numpy(data.labelled.labels).to(self.device)
        self.unlabelled = torch.from_numpy(data.unlabelled.images).to(self.device)
        self.n_classes = data.labelled.n_classes
        self.view = PixelView(data.labelled.image_shape, centre=False)

    def run(self) -> FittedCNN:
        with seeded(self.device, self.seed) as generator:
            self.generator = generator
            network = SmallCNN(self.labelled.shape[1], self.n_classes, self.mean, self.sd)
            network = network.to(self.device).train()
            optimiser = Adam(network.parameters(), LEARNING_RATE, WEIGHT_DECAY)
            for step in range(self.steps):
                optimiser.learning_rate = LEARNING_RATE * (1 + math.cos(math.pi * step / self.steps)) / 2
                loss = self._loss(network)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        return FittedCNN(network, self.device, self._parameters())

    def _loss(self, network: SmallCNN) -> Tensor:
        rows = self._rows(self.labelled, LABELLED_BATCH)
        labelled = self._under(WEAK, self.labelled[rows])
        if not self.fixmatch:
            return F.cross_entropy(network(labelled), self.y[rows])
        unlabelled = self.unlabelled[self._rows(self.unlabelled, UNLABELLED_BATCH)]
        with torch.no_grad():
            confidence, pseudo = network(self._under(WEAK, unlabelled)).softmax(dim=-1).max(dim=-1)
        both = torch.cat([labelled, self._under(STRONG, unlabelled)])
        known, guessed = network(both).split([len(labelled), len(unlabelled)])
        certain = (confidence >= THRESHOLD).float()
        consistency = (F.cross_entropy(guessed, pseudo, reduction="none") * certain).mean()
        return F.cross_entropy(known, self.y[rows]) + CONSISTENCY_WEIGHT * consistency

    def _rows(self, images: Tensor, size: int) -> Tensor:
        return torch.randint(len(images), (size,), generator=self.generator, device=self.device)

    def _under(self, nuisances: Augmentation, images: Tensor) -> Tensor:
        return self.view(images, draw_nuisance(nuisances, images, turn=True, generator=self.generator))

    def _parameters(self) -> dict[str, Any]:
        told = {
            "steps": self.steps,
            "batch_size": LABELLED_BATCH,
            "learning_rate": LEARNING_RATE,
            "widths": list(WIDTHS),
        }
        if not self.fixmatch:
            return told
        return told | {"unlabelled_batch_size": UNLABELLED_BATCH, "confidence_threshold": THRESHOLD}
