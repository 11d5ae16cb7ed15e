"""Small models, and an object whose pose is known."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ssrvae_core.config import ModelConfig
from ssrvae_core.geometry import pixel_points, rotation
from ssrvae_core.models import SSVAE, build

BLOBS = torch.tensor([[6.0, 1.0], [-3.0, 5.0], [-2.0, -4.0]])
BRIGHTNESS = torch.tensor([0.9, 0.65, 0.45])


@pytest.fixture
def small() -> Callable[..., SSVAE]:
    """Build a small untrained model; any setting can be given by name."""

    def make(
        rotation="marginal", shape=(1, 16, 16), n_classes=3, *, seed=0, networks_by_hand=None, **settings
    ) -> SSVAE:
        tiny = {"channels": (6, 6), "hidden": (8, 8), "radii": 6, "angles": 16}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            config = ModelConfig(rotation=rotation, **tiny | settings)
            return build(config, shape, n_classes, **networks_by_hand or {}).eval()

    return make


@pytest.fixture
def draw_object() -> Callable[..., torch.Tensor]:
    """Draw an object without any symmetry exactly, as an image (1, C, H, W), in any pose."""

    def draw(shape=(1, 32, 32), angle=0.0, shift=(0.0, 0.0), scale=1.0) -> torch.Tensor:
        channels, height, width = shape
        middles = scale * BLOBS @ rotation(torch.tensor(float(angle))).T + torch.tensor(shift)
        squared = (pixel_points(height, width).unsqueeze(-2) - middles).square().sum(-1)
        image = (BRIGHTNESS * (-squared / (2 * (2 * scale) ** 2)).exp()).sum(-1)
        return torch.stack([image * (channel + 1) / channels for channel in range(channels)]).unsqueeze(0)

    return draw


class StillLife(nn.Module):
    """A decoder that always draws one view."""

    def __init__(self, view: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("logits", view.clamp(0.01, 0.99).logit())

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(*z.shape[:-1], *self.logits.shape)


@pytest.fixture
def still_life() -> Callable[..., SSVAE]:
    """Hand a model a decoder that draws the object in this image (1, C, H, W), as the model looks at it."""

    def hand_in(model: SSVAE, image: torch.Tensor) -> SSVAE:
        view = model.features(model.look(image))[0]
        return build(model.config, model.image_shape, model.n_classes, decoder=StillLife(view)).eval()

    return hand_in
