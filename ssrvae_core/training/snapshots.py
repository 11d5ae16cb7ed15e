"""A fixed subset of the validation images, followed through the training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ssrvae_core.data import UNLABELLED, ImageSet
from ssrvae_core.models import SSVAE
from ssrvae_core.records import Snapshot

BATCH = 500


class Tracker:
    """Looks at the same validation images after every epoch.

    Parameters
    ----------
    validation : ImageSet
        Where to choose from.
    n_tracked : int
        How many images at most.
    seed : int
        Chooses them.
    device : torch.device
        Where the model is.
    """

    def __init__(self, validation: ImageSet, n_tracked: int, seed: int, device: torch.device) -> None:
        order = np.random.default_rng(seed).permutation(len(validation))
        tracked = validation.take(np.sort(order[:n_tracked]))
        self._ids, self._labels = tracked.ids, tracked.labels
        self._images, self._masks = torch.from_numpy(tracked.images).to(device), tracked.masks

    def __call__(self, model: SSVAE, between: Callable[[], None], *, alone: bool) -> tuple[Snapshot, float]:
        """Return latents and class probabilities, and the accuracy (NaN where no label is known).

        ``between`` is called before every batch; what it raises ends the look. The network is looked at ``alone`` while
        it is trained, and with its second opinion at the end.
        """
        parts = []
        for first in range(0, len(self._images), BATCH):
            between()
            own = slice(first, first + BATCH)
            masks = None if self._masks is None else self._masks[own]
            parts.append(model.encode(self._images[own], masks, alone=alone))
        z_mean = torch.cat([part.z_mean for part in parts]).cpu().numpy()
        class_prob = torch.cat([part.class_prob for part in parts]).cpu().numpy()
        known = self._labels != UNLABELLED
        correct = class_prob.argmax(axis=1)[known] == self._labels[known]
        return Snapshot(self._ids, z_mean, class_prob), float(correct.mean()) if known.any() else float("nan")
