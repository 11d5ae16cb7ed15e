"""The images of each step: a labelled batch and an unlabelled one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from ssrvae_core.config import TrainingConfig
from ssrvae_core.data import Split
from ssrvae_core.training.advice import Course
from ssrvae_core.training.objective import Batch


class PairedBatches:
    """The training images on the device, and the two batches that each step of an epoch takes of them.

    Parameters
    ----------
    data : Split
        Where they are from.
    config : TrainingConfig
        Sizes of the batches, and the smallest number of steps.
    device : torch.device
        Where they go.

    Attributes
    ----------
    labelled, unlabelled : float32 tensor (N, C, H, W)
        The images.
    n_steps : int
        Steps of an epoch: the larger of the two sets is seen at least once.
    """

    def __init__(self, data: Split, config: TrainingConfig, device: torch.device) -> None:
        self._config = config
        self.labelled = torch.from_numpy(data.labelled.images).to(device)
        self._y = F.one_hot(torch.from_numpy(data.labelled.labels), data.labelled.n_classes).float().to(device)
        self.unlabelled = torch.from_numpy(data.unlabelled.images).to(device)
        self.n_steps = max(
            config.min_steps,
            math.ceil(len(self.labelled) / config.labelled_batch_size),
            math.ceil(len(self.unlabelled) / config.batch_size),
        )

    def of_epoch(self, course: Course, generator: torch.Generator) -> Iterator[Batch]:
        """Yield the batches of an epoch: the larger set is seen at least once, the smaller cycles.

        Parameters
        ----------
        course : Course
            The labels that the epoch learns from, and what the second opinion says of unlabelled images.
        generator : torch.Generator
            Shuffles, on the images' device.
        """
        config, n_steps = self._config, self.n_steps
        kept = torch.arange(len(self.labelled), device=self.labelled.device) if course.kept is None else course.kept
        labelled = kept[shuffled_rows(len(kept), config.labelled_batch_size, n_steps, generator)]
        unlabelled = shuffled_rows(len(self.unlabelled), config.batch_size, n_steps, generator)
        for own, other in zip(labelled, unlabelled, strict=True):
            # Indexing with brackets takes several times as long on a CPU.
            opinion = None if course.opinion is None else course.opinion.index_select(0, other)
            images = self.labelled.index_select(0, own), self._y[own], self.unlabelled.index_select(0, other)
            yield Batch(*images, opinion)


def shuffled_rows(n_images: int, size: int, n_steps: int, generator: torch.Generator) -> Int[Tensor, "step batch"]:
    """Return the rows of each step's images: shuffled passes, one after the other.

    Parameters
    ----------
    n_images : int
        Images there are.
    size : int
        Images per step; fewer where there are fewer.
    n_steps : int
        Steps.
    generator : torch.Generator
        Shuffles, on its own device.
    """
    size = min(size, n_images)
    n_passes = math.ceil(n_steps * size / n_images) if n_images else 0
    passes = [torch.randperm(n_images, generator=generator, device=generator.device) for _ in range(n_passes)]
    rows = torch.cat(passes) if passes else torch.empty(0, dtype=torch.long, device=generator.device)
    return rows[: n_steps * size].view(n_steps, size)
