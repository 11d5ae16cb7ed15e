"""The networks a model is put together from.

Anything with the same call can be handed in instead: a classifier ``x -> logits (batch, classes)``, an encoder
``(x, y) -> (mean, sd)``, each ``(*leading, batch, latents)`` for one-hot classes ``y (*leading, batch, classes)``, and
a decoder ``(z, y) -> (*leading, batch, channel, *grid)``; that of the latent engine reads points as well,
``(points, z, y) -> (*leading, batch, channel, points)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ssrvae_core.models.circular import CircularConvolution, CircularPool

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
}


def dense(widths: Sequence[int], activation: str) -> nn.Sequential:
    """Return fully connected layers through these widths, an activation after each."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)


class Features(nn.Module):
    """What classifier and encoder stand on: rows of ``width`` numbers from a view."""

    width: int


class Flatten(Features):
    """No features but the intensities themselves."""

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.width = int(torch.Size(event_shape).numel())

    def forward(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch features"]:
        """Return every intensity in one row."""
        return x.flatten(1)


class Spectrum(Features):
    """Amplitudes of a polar image's frequencies around the angle: a rotation changes their phases only."""

    def __init__(self, channels: int, radii: int, angles: int) -> None:
        super().__init__()
        self.width = channels * radii * (angles // 2 + 1)

    def forward(self, x: Float[Tensor, "batch channel radii angles"]) -> Float[Tensor, "batch features"]:
        """Return the amplitudes in one row."""
        return torch.fft.rfft(x, norm="ortho").abs().flatten(1)


class Standardised(Features):
    """Features of each view at mean 0 and standard deviation 1, beside these two of the view as it was.

    Contrast and brightness no longer drown the shape, and yet both are there. A view that is flatter than
    :attr:`FLATTEST` stays so in proportion.

    Parameters
    ----------
    features : Features
        Of the standardised view.
    """

    FLATTEST = 1e-2  # a smaller standard deviation is noise, and not blown up

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.features = features
        self.width = features.width + 2

    def forward(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch features"]:
        """Return the features, the mean and the standard deviation in one row."""
        every = x.flatten(1)
        mean = every.mean(dim=1, keepdim=True)
        centred = every - mean
        sd = torch.linalg.vector_norm(centred, dim=1, keepdim=True) / math.sqrt(every.shape[1])
        standard = centred / sd.clamp(min=self.FLATTEST)
        return torch.cat([self.features(standard.view_as(x)), mean, sd], dim=1)


class PolarFeatures(Features):
    """Features of a polar image that a rotation leaves unchanged.

    Convolutions run around the angle, circularly, with the rings as channels; then the angle is pooled away.

    Parameters
    ----------
    channels, radii : int
        Shape of the polar image.
    widths : sequence of int
        Channels of each convolution.
    activation : str
        A name in :data:`ACTIVATIONS`.
    """

    KERNEL = 5

    def __init__(self, channels: int, radii: int, widths: Sequence[int], activation: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer, (before, after) in enumerate(pairwise([channels * radii, *widths])):
            stride = 1 if layer == 0 else 2
            layers += [CircularConvolution(before, after, self.KERNEL, stride), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers)
        self.width = 2 * widths[-1]

    def forward(self, x: Float[Tensor, "batch channel radii angles"]) -> Float[Tensor, "batch features"]:
        """Return the mean and the largest response over the angles."""
        return CircularPool.apply(self.layers(x.flatten(1, 2).transpose(1, 2)))


class PixelFeatures(Features):
    """Features of a pixel image: convolutions that halve the image, then every response in one row."""

    KERNEL = 3
    SMALLEST = 4  # no further halving below this side

    def __init__(self, image_shape: tuple[int, int, int], widths: Sequence[int], activation: str) -> None:
        super().__init__()
        channels, height, width = image_shape
        layers: list[nn.Module] = []
        for before, after in pairwise([channels, *(max(w // 2, 1) for w in widths), widths[-1]]):
            stride = 2 if min(height, width) > self.SMALLEST else 1
            layers += [nn.Conv2d(before, after, self.KERNEL, stride, self.KERNEL // 2), ACTIVATIONS[activation]()]
            height, width = (height - 1) // stride + 1, (width - 1) // stride + 1
        self.layers = nn.Sequential(*layers)
        self.width = widths[-1] * height * width

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch features"]:
        """Return the responses at every place."""
        return self.layers(x).flatten(1)


class Classifier(nn.Module):
    """Features, fully connected layers, logits."""

    def __init__(self, features: Features, hidden: Sequence[int], n_classes: int, activation: str) -> None:
        super().__init__()
        self.features = features
        self.layers = dense([features.width, *hidden], activation)
        self.out = nn.Linear(hidden[-1], n_classes)

    def forward(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch classes"]:
        """Return the logits of q(y|x)."""
        return self.out(self.layers(self.features(x)))


class Encoder(nn.Module):
    """Features joined with the class, fully connected layers, mean and standard deviation."""

    SMALLEST_SD = 1e-6
    SMALLEST_SPREAD = 1e-5

    def __init__(
        self, features: Features, hidden: Sequence[int], n_classes: int, latents: int, activation: str
    ) -> None:
        super().__init__()
        self.features = features
        self.layers = dense([features.width + n_classes, *hidden], activation)
        self.mean = nn.Linear(hidden[-1], latents)
        self.sd = nn.Linear(hidden[-1], latents)

    def forward(
        self, x: Float[Tensor, "batch *event"], y: Float[Tensor, "*leading batch classes"]
    ) -> tuple[Float[Tensor, "*leading batch latents"], Float[Tensor, "*leading batch latents"]]:
        """Return the mean and standard deviation of q(z|x,y); the features are computed once for all classes."""
        return self._heads(self._joined(self._first(self.features(x), y)))

    def parts(
        self, x: Float[Tensor, "batch *event"], classes: Sequence[Float[Tensor, "..."]]
    ) -> list[tuple[Tensor, Tensor]]:
        """Return the same of consecutive parts of a batch, each with classes of its own, in one pass."""
        features = self.features(x).split([y.shape[-2] for y in classes])
        hidden = [self._first(part, y) for part, y in zip(features, classes, strict=True)]
        means, sds = self._heads(self._joined(torch.cat([part.flatten(0, -2) for part in hidden])))
        rows = [part.shape[:-1] for part in hidden]
        sizes = [shape.numel() for shape in rows]
        return [
            (mean.unflatten(0, shape), sd.unflatten(0, shape))
            for mean, sd, shape in zip(means.split(sizes), sds.split(sizes), rows, strict=True)
        ]

    def _first(self, features: Tensor, y: Tensor) -> Tensor:
        """Return the first layer before its activation: the features' part of it is the same for all classes."""
        first = self.layers[0]
        assert isinstance(first, nn.Linear)
        of_features, of_class = first.weight.split([features.shape[-1], y.shape[-1]], dim=1)
        return F.linear(features, of_features, first.bias) + F.linear(y, of_class)

    def _joined(self, first: Tensor) -> Tensor:
        return self.layers[1:](first)

    def _heads(self, joined: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean(joined), F.softplus(self.sd(joined)) + self.SMALLEST_SD

    @torch.no_grad()
    def initialise(self, x: Float[Tensor, "batch *event"], y: Float[Tensor, "batch classes"]) -> None:
        """Rescale the mean so that these images start as spread out as the prior.

        An untrained encoder maps all images nearly to one point, and a decoder that gets no signal from the latent
        learns to do without it. This is data-dependent initialisation (Salimans and Kingma 2016, arXiv 1602.07868).
        """
        mean = self.mean(self._joined(self._first(self.features(x), y)))
        middle, spread = mean.mean(dim=0), mean.std(dim=0)
        # Else the images are alike, and differ by rounding, or they are not finite.
        if bool((spread > self.SMALLEST_SPREAD).all() and spread.isfinite().all()):
            self.mean.bias.sub_(middle).div_(spread)
            self.mean.weight.div_(spread[:, None])


class DenseDecoder(nn.Module):
    """Fully connected layers from latents and class to a whole grid of parameters."""

    def __init__(
        self, latents: int, n_classes: int, hidden: Sequence[int], grid: Sequence[int], activation: str
    ) -> None:
        super().__init__()
        self.grid = torch.Size(grid)
        self.layers = dense([latents + n_classes, *hidden], activation)
        self.out = nn.Linear(hidden[-1], self.grid.numel())

    def forward(
        self, z: Float[Tensor, "*batch latents"], y: Float[Tensor, "*batch classes"]
    ) -> Float[Tensor, "*batch channel rows columns"]:
        """Return the decoder's output on the grid."""
        hidden = self.layers(torch.cat([z, y], dim=-1))
        # On a CPU, a layer with a bias first writes the bias into every row of its result.
        return F.linear(hidden, self.out.weight).add_(self.out.bias).unflatten(-1, self.grid)


class SpatialDecoder(nn.Module):
    """One network evaluated at every coordinate (spatial-VAE, Bepler et al. 2019, arXiv 1909.11663)."""

    def __init__(self, latents: int, n_classes: int, hidden: Sequence[int], channels: int, activation: str) -> None:
        super().__init__()
        self.coordinate = nn.Linear(2, hidden[0])
        self.latent = nn.Linear(latents + n_classes, hidden[0], bias=False)
        self.activation = ACTIVATIONS[activation]()
        self.layers = dense([hidden[0], *hidden], activation)
        self.out = nn.Linear(hidden[-1], channels)

    def forward(
        self,
        points: Float[Tensor, "*#batch points 2"],
        z: Float[Tensor, "*batch latents"],
        y: Float[Tensor, "*batch classes"],
    ) -> Float[Tensor, "*batch channel points"]:
        """Return the decoder's output at each point; points that all images share need no batch dimension."""
        latent = self.latent(torch.cat([z, y], dim=-1)).unsqueeze(-2)
        hidden = self.activation(self.coordinate(points) + latent)
        return self.out(self.layers(hidden)).transpose(-1, -2)
