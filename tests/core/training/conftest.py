"""Small splits and runs that train in a blink."""

from collections.abc import Callable

import numpy as np
import pytest

from ssrvae_core.config import Augmentation, ModelConfig, RunConfig, TrainingConfig
from ssrvae_core.data import ImageSet, Split

SIDE, CLASSES = 12, ("disc", "bar", "ring")


def draw(n_images: int, *, seed: int, first_id: int, labelled: bool = True, channels: int = 1) -> ImageSet:
    """Discs, bars and rings at any angle, with a little noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_images) % len(CLASSES)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    angle = rng.uniform(-np.pi, np.pi, (n_images, 1, 1))
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    radius = np.hypot(along, across)
    shapes = np.stack([radius < 3, (abs(along) < 5) & (abs(across) < 1.5), abs(radius - 4) < 1.2])
    images = 0.8 * shapes[labels, np.arange(n_images)] + rng.uniform(0, 0.2, radius.shape)
    return ImageSet(
        images=np.repeat(images[:, None], channels, axis=1).astype(np.float32),
        labels=labels if labelled else np.full(n_images, -1),
        ids=np.arange(first_id, first_id + n_images),
        class_names=CLASSES,
    )


@pytest.fixture
def make_split() -> Callable[..., Split]:
    """Build a split of these sizes."""

    def make(n_labelled: int = 12, n_unlabelled: int = 40, n_validation: int = 15, channels: int = 1) -> Split:
        return Split(
            labelled=draw(n_labelled, seed=1, first_id=0, channels=channels),
            unlabelled=draw(n_unlabelled, seed=2, first_id=1000, labelled=False, channels=channels),
            validation=draw(n_validation, seed=3, first_id=5000, channels=channels),
            hidden_labels=np.arange(n_unlabelled) % len(CLASSES),
        )

    return make


@pytest.fixture
def make_config() -> Callable[..., RunConfig]:
    """Build a run of a small model; training settings by name, the model's as ``model=``."""

    def make(rotation: str = "marginal", *, model: dict | None = None, seed: int = 0, **training) -> RunConfig:
        tiny = {"channels": (8, 8), "hidden": (12,), "radii": 6, "angles": 16}
        quick = {"epochs": 3, "batch_size": 20, "labelled_batch_size": 6, "min_steps": 1, "tracked": 10}
        return RunConfig(
            model=ModelConfig(rotation=rotation, **tiny | (model or {})),
            training=TrainingConfig(**quick | training),
            seed=seed,
        )

    return make


@pytest.fixture
def nothing_declared() -> Augmentation:
    """No nuisance at all."""
    return Augmentation(rotation=False, shear=0, scale=0, shift=0, intensity=0)
