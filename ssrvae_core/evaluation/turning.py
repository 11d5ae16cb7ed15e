"""One image turned all the way round, and what a model says of it at every angle. Imports torch where it is used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from ssrvae_core.models import SSVAE
    from ssrvae_core.models.ssvae import Encoding

STEP_DEG = 5
"""Degrees between two angles."""
_APART, _LEAST, _HEIGHT = 60, 0.2, 3  # degrees between two peaks, and of one the share and the height over the mean


@dataclass(frozen=True)
class Turning:
    """What a model says of one image turned by T angles.

    Attributes
    ----------
    degrees : int array (T,)
        By how much the image is turned, counter-clockwise, in [-180, 180].
    class_prob : float32 array (T, K)
        Class probabilities.
    drawn : float32 array (T, C, H, W)
        What the model draws of it from class and latents at angle zero.
    angle : float32 array (T,)
        Mean direction of the angle posterior, radians; NaN without rotation.
    posterior : float32 array (T, A) or None
        Probability of A evenly spaced angles ``2 pi a / A``; None without rotation.
    reconstruction : float32 array (T,)
        -log p(x|z,y) at the mean of z and the most probable class, nats.
    kl : float32 array (T,)
        KL divergence of q(z|x,y) from the prior of z, nats.
    """

    degrees: np.ndarray
    class_prob: np.ndarray
    drawn: np.ndarray
    angle: np.ndarray
    posterior: np.ndarray | None
    reconstruction: np.ndarray
    kl: np.ndarray

    def classification(self, label: int) -> np.ndarray:
        """Return -log q(label|x) at every angle, nats, float32 (T,)."""
        return np.abs(np.log(np.maximum(self.class_prob[:, label], np.finfo(np.float32).tiny)))


def all_angles() -> np.ndarray:
    """Degrees an image is turned by: once round in even steps, both ends included, int64 (T,)."""
    return np.arange(-180, 181, STEP_DEG)


def turned(image: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Turn the inscribed disc of an image (C, H, W) counter-clockwise by each of T angles: float32 (T, C, H, W)."""
    import torch

    from ssrvae_core.evaluation.evaluate import turn

    upright = torch.from_numpy(image)[None]
    return torch.cat([turn(upright, math.radians(angle)) for angle in degrees]).numpy()


def turning(model: SSVAE, images: np.ndarray, degrees: np.ndarray, masks: np.ndarray | None = None) -> Turning:
    """Ask a model about one image at every angle, in one batch.

    Parameters
    ----------
    model : SSVAE
        The trained model.
    images : float32 array (T, C, H, W)
        What :func:`turned` gives for ``degrees``.
    degrees : array (T,)
        The angles.
    masks : bool array (T, H, W), optional
        True inside the particle, turned likewise.
    """
    import torch

    batch = torch.from_numpy(images)
    said = model.encode(batch, masks)
    drawn = model.decode(said.z_mean, said.y)
    kl = (said.z_mean.square() + said.z_sd.square() - 1 - 2 * said.z_sd.log()).sum(dim=-1) / 2
    return Turning(
        degrees=np.asarray(degrees),
        class_prob=_array(said.class_prob),
        drawn=_array(drawn),
        angle=_array(said.angle),
        posterior=angle_posterior(model, batch, said),
        reconstruction=-_array(said.log_likelihood),
        kl=_array(kl),
    )


def peaks(posterior: np.ndarray) -> list[int]:
    """Return the angles at which a posterior of the angle has a peak of its own, the highest first.

    Parameters
    ----------
    posterior : array (A,)
        Probability of A evenly spaced angles ``2 pi a / A``.

    Returns
    -------
    list of int
        Whole degrees in (-180, 180]. A peak has at least a fifth of the probability within 30 degrees of it, and is 60
        degrees from any other; there is none where every angle is nearly as good.
    """
    n = len(posterior)
    smooth = posterior / 2 + (np.roll(posterior, 1) + np.roll(posterior, -1)) / 4
    found: list[int] = []
    for at in np.argsort(-smooth, kind="stable"):
        apart = np.abs((np.arange(n) - at + n // 2) % n - n // 2) * (360 / n)
        if any(apart[other] < _APART for other in found):
            continue
        if posterior[apart <= _APART / 2].sum() < _LEAST or smooth[at] < _HEIGHT * smooth.mean():
            break
        found.append(int(at))
    return [round((at * 360 / n + 179) % 360 - 179) for at in found]


def angle_posterior(model: SSVAE, images: Tensor, said: Encoding) -> np.ndarray | None:
    """Return how probable each of A evenly spaced angles ``2 pi a / A`` is, float32 (B, A); None without rotation.

    It is exact where the rotation is summed out; of an angle latent it is the inferred Gaussian, wrapped round.

    Parameters
    ----------
    model : SSVAE
        The trained model.
    images : tensor (B, C, H, W)
        Images.
    said : Encoding
        What the model says of them.
    """
    import torch

    from ssrvae_core.models import MarginalSSVAE

    if isinstance(model, MarginalSSVAE):
        return _array(model.angle_posterior(images, said.y))
    if not torch.isfinite(said.angle).all():
        return None
    n = model.config.angles
    grid = torch.arange(n, device=said.angle.device) * (2 * math.pi / n)
    variance = -2 * said.concentration.clamp(1e-6, 1 - 1e-6).log()
    turns = torch.arange(-3, 4, device=grid.device) * (2 * math.pi)
    apart = grid[None, :, None] - said.angle[:, None, None] + turns
    return _array((-(apart**2) / (2 * variance[:, None, None])).logsumexp(dim=-1).softmax(dim=-1))


def _array(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()
