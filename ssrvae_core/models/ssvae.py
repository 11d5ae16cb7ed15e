"""The semi-supervised variational autoencoder: Pyro model and guide, and what a trained model can be asked.

M2 of Kingma et al. 2014 (arXiv 1406.5298) with a pose: a uniform class y, a standard normal latent z, and an image.
:class:`SSVAE` holds all that the engines share. They differ in how they look at an image and in p(x|z,y):
:mod:`~ssrvae_core.models.plain` has no invariance, :mod:`~ssrvae_core.models.marginal` sums the rotation out, and
:mod:`~ssrvae_core.models.latent` infers it, as the paper does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import pyro
import pyro.distributions as dist
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pyro import poutine
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from ssrvae_core import geometry
from ssrvae_core.config import ModelConfig
from ssrvae_core.models.likelihood import pixel_family
from ssrvae_core.models.networks import Classifier, Encoder, Features
from ssrvae_core.models.opinion import SecondOpinion


@dataclass(frozen=True)
class Nuisance:
    """How each image of a batch is looked at: view point p reads the image at ``matrix @ p + shift``.

    Attributes
    ----------
    matrix : tensor (B, 2, 2)
    shift : tensor (B, 2)
        Pixels.
    contrast, brightness : tensor (B,)
        The intensity x becomes ``contrast * x + brightness``, kept within [0, 1].
    """

    matrix: Tensor
    shift: Tensor
    contrast: Tensor
    brightness: Tensor

    def intensity(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Apply contrast and brightness."""
        shape = (-1,) + (1,) * (x.dim() - 1)
        return torch.addcmul(self.brightness.view(shape), self.contrast.view(shape), x).clamp_(0, 1)


@dataclass(frozen=True)
class Encoding:
    """What the model infers of a batch of images.

    Attributes
    ----------
    class_prob : tensor (B, K)
        Class probabilities: q(y|x), joined with the second opinion where there is one.
    z_mean, z_sd : tensor (B, D)
        q(z|x,y) at the most probable class; content only, without the pose.
    angle : tensor (B,)
        Direction of the angle posterior around its peak, radians in [-pi, pi], counter-clockwise; NaN without rotation.
    concentration : tensor (B,)
        Mean resultant length of the angle posterior, 0 (unknown) to 1 (certain); NaN without rotation.
    shift : tensor (B, 2)
        Where the object's centre is, pixels right and up from the image's.
    scale : tensor (B,)
        Size factor of the object; 1 unless it is a latent.
    log_likelihood : tensor (B,)
        log p(x|z,y) at ``z_mean`` and the most probable class, nats.
    """

    class_prob: Tensor
    z_mean: Tensor
    z_sd: Tensor
    angle: Tensor
    concentration: Tensor
    shift: Tensor
    scale: Tensor
    log_likelihood: Tensor

    @property
    def y(self) -> Int[Tensor, " batch"]:
        """Most probable class."""
        return self.class_prob.argmax(dim=-1)

    @staticmethod
    def join(parts: list[Encoding]) -> Encoding:
        """Put the encodings of several batches together."""
        return Encoding(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Encoding)))


class SSVAE(nn.Module, ABC):
    """What the engines share. Build one with :func:`ssrvae_core.models.build`.

    Parameters
    ----------
    config : ModelConfig
        The model's settings.
    image_shape : tuple (C, H, W)
        Shape of an image.
    n_classes : int
        Number of classes K.
    """

    pose_latents = 0
    """Leading dimensions of the latent vector that are the pose."""

    def __init__(self, config: ModelConfig, image_shape: tuple[int, int, int], n_classes: int) -> None:
        super().__init__()
        self.config, self.image_shape, self.n_classes = config, image_shape, n_classes
        self.family = pixel_family(config)

    def equip(
        self,
        classifier: nn.Module | None = None,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
    ) -> Self:
        """Put the networks in: those handed in, and the configuration's where there is none."""
        hidden, activation = self.config.hidden, self.config.activation
        self.classifier = classifier or Classifier(self.classified(), hidden, self.n_classes, activation)
        self.encoder = encoder or Encoder(self.new_features(), hidden, self.n_classes, self.latents, activation)
        self.decoder = decoder or self.new_decoder()
        self.opinion = SecondOpinion(self.n_classes) if self.config.asks else None
        return self

    # What an engine says.

    @abstractmethod
    def new_features(self) -> Features:
        """Return the features that classifier and encoder each stand on, unless they are handed in."""

    def classified(self) -> Features:
        """Return the features of the classifier, where they are not the encoder's."""
        return self.new_features()

    @abstractmethod
    def new_decoder(self) -> nn.Module:
        """Return the decoder, unless it is handed in."""

    @abstractmethod
    def look(self, images: Tensor, nuisance: Nuisance | None = None, middle: Tensor | None = None) -> Tensor:
        """Return the view of images (B, C, H, W) that networks and likelihood work on.

        ``middle`` (B, 2) is what :meth:`middle` returns, where it is known already.
        """

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Return the part of a view that classifier and encoder see."""

    @abstractmethod
    def conditional(self, x: Tensor, z: Tensor, y: Tensor, *, labelled: bool) -> tuple[TorchDistribution, Tensor]:
        """Return p(x|z,y) for latents (*, B, L) and one-hot classes (*, B, K), and what of the view ``x`` it is of."""

    @abstractmethod
    def pose(self, x: Tensor, z: Tensor, z_sd: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return angle, concentration, shift and scale of views, and their log-likelihood, as in `Encoding`."""

    @abstractmethod
    def draw(self, z: Tensor, y: Tensor, angle: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """Return the mean images (B, C, H, W) of content latents and one-hot classes in a pose."""

    def middle(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch 2"]:
        """Return the point of each image that is brought to the centre, in pixels from it."""
        return geometry.centroid(images) if self.config.centre else images.new_zeros(len(images), 2)

    def infer(
        self, x: Float[Tensor, "batch *event"], classes: Sequence[Float[Tensor, "..."]]
    ) -> list[tuple[Tensor, Tensor]]:
        """Return mean and standard deviation of q(z|x,y) of consecutive parts of the views, each with its classes."""
        seen = self.features(x)
        if isinstance(self.encoder, Encoder):
            return self.encoder.parts(seen, classes)
        parts = seen.split([y.shape[-2] for y in classes])
        return [self.encoder(part, y) for part, y in zip(parts, classes, strict=True)]

    def log_likelihoods(
        self, x: Sequence[Tensor], z: Sequence[Tensor], y: Sequence[Tensor], labelled: Sequence[bool]
    ) -> list[Float[Tensor, "..."]]:
        """Return log p(x|z,y) of parts of a batch, nats, each at its own latents (*, B, L) and classes (*, B, K)."""
        fits = []
        for *part, known in zip(x, z, y, labelled, strict=True):
            likelihood, observed = self.conditional(*part, labelled=known)
            fits.append(likelihood.log_prob(observed))
        return fits

    # The Pyro program.

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(self.parameters()).device

    @property
    def latents(self) -> int:
        """Dimension of the whole latent vector: pose, then content."""
        return self.pose_latents + self.config.latent_dim

    def model(self, x: Tensor, y: Tensor | None = None, beta: float = 1.0, logits: Tensor | None = None) -> None:
        """p(y) p(z) p(x|z,y) for views ``x``; one-hot ``y`` (B, K) where labelled; ``beta`` weighs the KL of z."""
        with pyro.plate("images", len(x)):
            y_all = pyro.sample("y", dist.OneHotCategorical(x.new_ones(self.n_classes) / self.n_classes), obs=y)
            with poutine.scale(scale=beta):
                prior = dist.Normal(x.new_zeros(self.latents), x.new_ones(self.latents)).to_event(1)
                z = pyro.sample("z", prior)
            y_all = y_all.expand(*z.shape[:-1], -1)
            self.observe(x, z, y_all, labelled=y is not None)

    def observe(self, x: Tensor, z: Tensor, y: Tensor, *, labelled: bool) -> None:
        """State p(x|z,y): a ``pyro.sample`` of the view ``x`` for latents (*, B, L) and one-hot classes (*, B, K)."""
        likelihood, observed = self.conditional(x, z, y, labelled=labelled)
        pyro.sample("x", likelihood, obs=observed)

    def guide(self, x: Tensor, y: Tensor | None = None, beta: float = 1.0, logits: Tensor | None = None) -> None:
        """q(y|x) q(z|x,y); the class of an unlabelled image is enumerated, never sampled.

        ``logits`` (B, K) are the classifier's, where the caller has them already.
        """
        seen = self.features(x)
        with pyro.plate("images", len(x)):
            if y is None:
                q_y = dist.OneHotCategorical(logits=self.classifier(seen) if logits is None else logits)
                y = pyro.sample("y", q_y, infer={"enumerate": "parallel"}).expand(-1, len(x), -1)
            with poutine.scale(scale=beta):
                pyro.sample("z", dist.Normal(*self.encoder(seen, y)).to_event(1))

    # What a trained model can be asked.

    def one_hot(self, y: Int[Tensor, " batch"]) -> Float[Tensor, "batch classes"]:
        """Return class indices as one-hot rows."""
        return F.one_hot(y, self.n_classes).float()

    @torch.no_grad()
    def encode(
        self,
        images: Float[Tensor, "batch channel height width"],
        masks: Bool[np.ndarray, "batch height width"] | None = None,
        *,
        alone: bool = False,
    ) -> Encoding:
        """Infer class, latents and pose of images.

        Parameters
        ----------
        images : tensor (B, C, H, W)
            Intensities in [0, 1].
        masks : bool array (B, H, W), optional
            True inside the particle, for a second opinion; by default outlines are found by a threshold.
        alone : bool
            Whether the network tells the classes alone, without a second opinion.
        """
        images = images.to(self.device)
        x = self.look(images)
        seen = self.features(x)
        logits = self.classifier(seen)
        class_prob = logits.softmax(dim=-1)
        if self.opinion is not None and self.opinion.counts and not alone:
            class_prob = self.opinion(logits.log_softmax(dim=-1), images, masks)
        y = self.one_hot(class_prob.argmax(dim=-1))
        mean, sd = self.encoder(seen, y)
        pose = self.pose(x, mean, sd, y)
        if self.config.centre:
            pose["shift"] = pose["shift"] + geometry.centroid(images)
        content = slice(self.pose_latents, None)
        return Encoding(class_prob=class_prob, z_mean=mean[:, content], z_sd=sd[:, content], **pose)

    @torch.no_grad()
    def decode(
        self,
        z: Float[Tensor, "batch latents"],
        y: Int[Tensor, " batch"],
        angle: Float[Tensor, " batch"] | float = 0.0,
        shift: Float[Tensor, "batch 2"] | None = None,
        scale: Float[Tensor, " batch"] | float = 1.0,
    ) -> Float[Tensor, "batch channel height width"]:
        """Draw objects as the model imagines them.

        Parameters
        ----------
        z : tensor (B, D)
            Content latents.
        y : int tensor (B,)
            Class indices.
        angle : tensor (B,) or float
            Radians, counter-clockwise; 0 draws the de-rotated object. Has no effect without rotation.
        shift : tensor (B, 2), optional
            Pixels right and up; by default the centre.
        scale : tensor (B,) or float
            Size factor.

        Returns
        -------
        tensor (B, C, H, W)
            Expected intensities. With the angle, shift and scale of :meth:`encode`, the objects as seen.
        """
        z = z.to(self.device)
        rows = z.new_zeros(len(z))
        shift = z.new_zeros(len(z), 2) if shift is None else shift.to(z)
        # In the latents' precision: NumPy's is double, which MPS does not have.
        angle, scale = (rows + torch.as_tensor(value).to(rows) for value in (angle, scale))
        return self.draw(z, self.one_hot(y.to(self.device)), angle, shift, scale)

    def manifold2d(
        self,
        y: int,
        d: int = 9,
        extent: float = 2.0,
        angle: float = 0.0,
        dims: tuple[int, int] = (0, 1),
        bounds: Float[np.ndarray, "latents 2"] | None = None,
    ) -> Float[Tensor, "d d channel height width"]:
        """Decode a d x d grid over two latent dimensions of class ``y``.

        Row 0 is the largest value of the second dimension, so that the picture's axes point as a scatter's do.

        Parameters
        ----------
        y : int
            The class.
        d : int
            Images along a side.
        extent : float
            Standard deviations of the prior to either side of 0, where no bounds are given.
        angle : float
            Radians, counter-clockwise.
        dims : tuple of int
            The dimensions across and upwards.
        bounds : array (D, 2), optional
            Smallest and largest value of every latent, such as
            :func:`ssrvae_core.evaluation.latents.manifold_bounds` gives; the other dimensions are in the middle.
        """
        low, high = self._box(extent, bounds)
        z = ((low + high) / 2).repeat(d, d, 1)
        if self.config.latent_dim > 1:
            z[..., dims[1]] = torch.linspace(low[dims[1]], high[dims[1]], d).flip(0)[:, None]
        z[..., dims[0]] = torch.linspace(low[dims[0]], high[dims[0]], d)[None, :]
        return self.decode(z.flatten(0, 1), torch.full((d * d,), y), angle).unflatten(0, (d, d))

    def traverse(
        self,
        y: int,
        dim: int,
        d: int = 9,
        extent: float = 2.0,
        angle: float = 0.0,
        bounds: Float[np.ndarray, "latents 2"] | None = None,
    ) -> Float[Tensor, "d channel height width"]:
        """Decode d steps upwards along one latent dimension of class ``y``; all else is as in :meth:`manifold2d`."""
        low, high = self._box(extent, bounds)
        z = ((low + high) / 2).repeat(d, 1)
        z[:, dim] = torch.linspace(low[dim], high[dim], d)
        return self.decode(z, torch.full((d,), y), angle)

    def _box(self, extent: float, bounds: np.ndarray | None) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest value (D,) of each latent."""
        if bounds is None:
            edge = torch.full((self.config.latent_dim,), extent)
            return -edge, edge
        low, high = torch.as_tensor(bounds, dtype=torch.float32).T
        return low, high
