"""The second opinion: class probabilities from what is measured of an image, beside those of the network.

With a few labels a linear head on a few smooth, invariant numbers often knows more than a network on many; with more of
them, and on shapes that no number describes, the network does. A model that has both says with what weights they are
joined: p(y|x) is proportional to q(y|x) ** a times the head's p(y|x) ** b, a product of experts (Hinton 2002,
doi:10.1162/089976602760128018).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ssrvae_core.embedding.head import CONFIDENCE_ELSEWHERE, DOUBT, DOUBT_ACROSS_MICROGRAPHS, Mixture
from ssrvae_core.embedding.measuring import MEASURED, measure
from ssrvae_core.embedding.scaling import REDUCED, Block, Scaling
from ssrvae_core.records import Judgement

COMPONENTS = 20
"""Principal components that are taken of ring spectra."""

LARGEST = 1e9
"""Beyond any number that it holds."""

LEAST = 1e-4
"""Probability below which the head's is not heeded: a few labels cannot tell more."""


class SecondOpinion(nn.Module):
    """Heads on ring spectra and shape descriptors, and how much they and the network count.

    It is fitted in closed form, not trained: all that it holds are buffers. Until :meth:`join` the network counts
    alone.

    Parameters
    ----------
    n_classes : int
        Number of classes K.
    """

    shares: Tensor
    scores: Tensor
    left_out: Tensor
    joined: Tensor
    on_masks: Tensor
    weight: Tensor
    bias: Tensor
    heeded: Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.widths = {kind: min(COMPONENTS, width) if kind in REDUCED else width for kind, width in MEASURED.items()}
        for kind, width in MEASURED.items():
            self.register_buffer(f"{kind}_measured", torch.zeros(2, width))
            self.register_buffer(f"{kind}_features", torch.zeros(2, self.widths[kind]))
            if kind in REDUCED:
                self.register_buffer(f"{kind}_axes", torch.zeros(width, self.widths[kind]))
        n_heads, n_features = len(self.columns), sum(self.widths.values())
        self.register_buffer("weight", torch.zeros(n_heads, n_features, n_classes))
        self.register_buffer("bias", torch.zeros(n_heads, n_classes))
        self.register_buffer("heeded", torch.full((n_heads,), 1 / n_heads))
        self.register_buffer("shares", torch.tensor([1.0, 0.0]))
        self.register_buffer("scores", torch.zeros(3))
        self.register_buffer("left_out", torch.zeros(()))
        self.register_buffer("joined", torch.zeros(()))
        self.register_buffer("on_masks", torch.zeros(()))

    @property
    def columns(self) -> list[Int[np.ndarray, " own"]]:
        """Which features each head stands on: all, and the descriptors alone."""
        every = np.arange(sum(self.widths.values()))
        return [every, every[self.widths["rings"] :]]

    @property
    def fitted(self) -> bool:
        """Whether there are heads, and it is said how much they count."""
        return bool(self.joined)

    @property
    def needs_masks(self) -> bool:
        """Whether the outlines it was fitted to came from masks."""
        return bool(self.on_masks)

    @property
    def sound(self) -> bool:
        """Whether its numbers are such as a training gives; a file may hold any."""
        values = list(self.buffers())
        in_range = all(bool((part >= 0).all() and (part <= 1).all()) for part in (self.shares, self.heeded))
        return in_range and all(bool((value.abs() <= LARGEST).all()) for value in values)

    @property
    def counts(self) -> bool:
        """Whether it has a part in the class probabilities."""
        return bool(self.shares[1] > 0)

    # How it is fitted.

    def scale(self, measured: Mapping[str, Float[np.ndarray, "n measured"]]) -> Float[np.ndarray, "n features"]:
        """Bring what was measured of the training images to one scale, and return their features."""
        for kind, values in measured.items():
            block = Block.fit(kind, values, COMPONENTS)
            self._buffer(f"{kind}_measured").copy_(_tensor(np.stack([block.before.mean, block.before.sd])))
            features = self._buffer(f"{kind}_features").zero_()
            kept = len(block.after.mean)  # fewer images than components have fewer of them
            features[:, :kept] = _tensor(np.stack([block.after.mean, block.after.sd]))
            if block.axes is not None:
                self._buffer(f"{kind}_axes").zero_()[:, :kept] = _tensor(block.axes)
        return self.features(measured)

    def fit(
        self,
        features: Float[np.ndarray, "n features"],
        y: Int[np.ndarray, " n"],
        groups: Int[np.ndarray, " n"] | None = None,
    ) -> None:
        """Fit the heads; see :meth:`ssrvae_core.embedding.head.Mixture.fit`.

        With several micrographs (``groups``), they count as for images of a micrograph without labels.
        """
        doubt = DOUBT if groups is None else DOUBT_ACROSS_MICROGRAPHS
        factor = 1.0 if groups is None else CONFIDENCE_ELSEWHERE
        mixture = Mixture.fit(features, y, self.columns, doubt, groups)
        self.weight.zero_()
        for position, (head, own) in enumerate(zip(mixture.heads, mixture.columns, strict=True)):
            linear = factor * head.confidence * head.means @ head.precision
            self.weight[position, torch.from_numpy(own).to(self.weight.device)] = _tensor(linear.T).to(self.weight)
            self.bias[position] = _tensor(-(linear * head.means).sum(axis=1) / 2)
        self.heeded.copy_(_tensor(mixture.weights_elsewhere))

    def join(self, judgement: Judgement) -> None:
        """Let the network and the heads count as they are said to."""
        self.shares.copy_(torch.tensor([judgement.network, judgement.measurements]))
        self.scores.copy_(torch.tensor(judgement.scores))
        self.left_out.fill_(judgement.left_out)
        self.joined.fill_(1)

    # What it says.

    def judgement(self) -> Judgement:
        """Return how the class probabilities come about."""
        network, measurements = self.shares.tolist()
        alone, measured, both = self.scores.tolist()
        return Judgement(network, measurements, (alone, measured, both), int(self.left_out))

    def features(self, measured: Mapping[str, Float[np.ndarray, "n measured"]]) -> Float[np.ndarray, "n features"]:
        """Return the features of images of which this was measured."""
        return np.hstack([self._block(kind)(measured[kind]) for kind in MEASURED])

    def log_prob(self, features: Float[np.ndarray, "n features"]) -> Float[Tensor, "n classes"]:
        """Return the heads' log-probabilities of the classes."""
        rows = _tensor(features).to(self.weight)
        odds = torch.einsum("nf,hfk->hnk", rows, self.weight) + self.bias[:, None, :]
        probability = torch.einsum("h,hnk->nk", self.heeded, odds.softmax(dim=-1))
        return probability.clamp(min=LEAST).log().log_softmax(dim=-1)

    def forward(
        self,
        log_prob: Float[Tensor, "n classes"],
        images: Float[Tensor, "n channel height width"],
        masks: Bool[np.ndarray, "n height width"] | None = None,
    ) -> Float[Tensor, "n classes"]:
        """Return the class probabilities, given the network's logarithms of them.

        Heads that were fitted to what was measured on masks say nothing of images without, whose outlines are others.
        """
        if self.needs_masks and masks is None:
            return log_prob.softmax(dim=-1)
        measured = measure(images.float().cpu().numpy(), masks if self.needs_masks else None)
        own = self.log_prob(self.features(measured))
        return (self.shares[0] * log_prob + self.shares[1] * own).softmax(dim=-1)

    def _block(self, kind: str) -> Block:
        before, after = (self._buffer(f"{kind}_{name}").cpu().double().numpy() for name in ("measured", "features"))
        axes = self._buffer(f"{kind}_axes").cpu().double().numpy() if kind in REDUCED else None
        return Block(kind, Scaling(*before), axes, Scaling(*after))

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(name)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
