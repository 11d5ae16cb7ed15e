"""Run a model over images, and judge it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ssrvae_core import geometry
from ssrvae_core.config import UserError
from ssrvae_core.data import ImageSet
from ssrvae_core.evaluation.angles import SYMMETRY_ORDERS
from ssrvae_core.evaluation.metrics import summary
from ssrvae_core.models.ssvae import SSVAE, Encoding
from ssrvae_core.records import Predictions

FLIP_ANGLES_DEG = (45, 90, 135, 180, 225, 270, 315)
FLIP_SAMPLES = 500
BATCH = 100
"""Images that a model is run over at a time."""


def predict(
    model: SSVAE, images: ImageSet, batch_size: int = BATCH, *, between: Callable[[], None] | None = None
) -> Predictions:
    """Run a trained model over images.

    Parameters
    ----------
    model : SSVAE
        The trained model.
    images : ImageSet
        N images of the shape the model was trained on; labels and factors are passed on, not used.
    batch_size : int
        Images at a time. A last batch of fewer is filled up: other sizes are rounded differently, and what is said of
        an image should not depend on the images beside it.
    between : callable, optional
        Called before every batch; what it raises ends the work.

    Returns
    -------
    Predictions
        Row ``i`` belongs to ``images.ids[i]``.

    Raises
    ------
    UserError
        If there are no images, or they have another shape than the model's.
    """
    if not len(images):
        raise UserError("There are no images to predict; give a data set with at least one image.")
    if images.image_shape != model.image_shape:
        given, wanted = ("x".join(map(str, shape)) for shape in (images.image_shape, model.image_shape))
        raise UserError(
            f"The images are {given} (channels x height x width) but the model was trained on {wanted};"
            f" {'resize them' if images.image_shape[0] == model.image_shape[0] else 'save them with as many channels'}."
        )
    x = torch.from_numpy(images.images)
    rows = torch.cat([torch.arange(len(x)), torch.zeros(-len(x) % batch_size, dtype=torch.long)])
    parts = []
    for batch in rows.split(batch_size):
        if between is not None:
            between()
        parts.append(model.encode(x[batch], None if images.masks is None else images.masks[batch]))
    encoding = Encoding.join(parts)

    def array(values: Tensor) -> np.ndarray:
        return values[: len(images)].cpu().numpy()

    return Predictions(
        ids=images.ids,
        labels=images.labels,
        class_prob=array(encoding.class_prob),
        z_mean=array(encoding.z_mean),
        z_sd=array(encoding.z_sd),
        angle=array(encoding.angle),
        concentration=array(encoding.concentration),
        log_likelihood=array(encoding.log_likelihood),
        factors=images.factors,
    )


def evaluate(
    model: SSVAE,
    images: ImageSet,
    symmetry: Mapping[str, int] = SYMMETRY_ORDERS,
    *,
    predictions: Predictions | None = None,
    between: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Judge a trained model on images.

    Parameters
    ----------
    model : SSVAE
        The trained model with K classes.
    images : ImageSet
        Images; what needs a label leaves out those with label -1.
    symmetry : mapping of str to int
        Order of rotational symmetry by class name, 0 for none at all; 1 where not listed.
    predictions : Predictions, optional
        What :func:`predict` said of these images, where that is known already.
    between : callable, optional
        Called before every batch; what it raises ends the work.

    Returns
    -------
    dict
        JSON-ready: what :func:`ssrvae_core.evaluation.metrics.summary` gives, and ``flip_rate``.

    Raises
    ------
    UserError
        If the images are labelled with other classes than the model's K, or do not fit the model.
    """
    labelled = (images.labels >= 0).any()
    if labelled and images.n_classes != model.n_classes:
        raise UserError(
            f"The images are labelled with {images.n_classes} classes ({', '.join(images.class_names)}) but the model "
            f"knows {model.n_classes}; label them with the model's classes."
        )
    names = images.class_names if labelled else tuple(map(str, range(model.n_classes)))
    if predictions is None:
        predictions = predict(model, images, between=between)

    def classify(turned: Tensor, masks: np.ndarray | None) -> np.ndarray:
        if between is not None:
            between()
        return model.encode(turned, masks).y.cpu().numpy()

    return summary(predictions, names, symmetry) | {"flip_rate": flip_rate(classify, images, predictions.predicted)}


def flip_rate(
    classify: Callable[[Tensor, np.ndarray | None], np.ndarray], images: ImageSet, predicted: np.ndarray
) -> float:
    """Share of predictions that change when the image turns: the mean over images and multiples of 45 degrees.

    Parameters
    ----------
    classify : callable
        Turned images (M, C, H, W), and their masks (M, H, W) where there are any, to their predicted classes (M,).
    images : ImageSet
        N images; at most 500 of them, drawn with a fixed seed, are turned.
    predicted : int array (N,)
        Predicted class of each image as it is.
    """
    chosen = np.arange(len(images))
    if len(chosen) > FLIP_SAMPLES:
        chosen = np.random.default_rng(0).choice(chosen, FLIP_SAMPLES, replace=False)
    upright, before = torch.from_numpy(images.images[chosen]), predicted[chosen]
    masks = None if images.masks is None else images.masks[chosen]
    angles = [math.radians(degrees) for degrees in FLIP_ANGLES_DEG]
    changed = [classify(turn(upright, angle), turn_masks(masks, angle)) != before for angle in angles]
    return float(np.mean(changed))


def turn_masks(
    masks: Bool[np.ndarray, "n height width"] | None, angle: float
) -> Bool[np.ndarray, "n height width"] | None:
    """Turn masks as :func:`turn` does images; there may be none."""
    if masks is None:
        return None
    return turn(torch.from_numpy(masks[:, None].astype(np.float32)), angle)[:, 0].numpy() > 0.5


def turn(
    images: Float[Tensor, "batch channel height width"], angle: float
) -> Float[Tensor, "batch channel height width"]:
    """Turn the inscribed disc of each image counter-clockwise by ``angle`` radians; the corners stay as they are.

    Leaving the corners alone keeps the background free of edges that no training image has.
    """
    height, width = images.shape[-2:]
    points = geometry.pixel_points(height, width, images.device)
    back = geometry.rotation(points.new_tensor(-angle))
    turned = geometry.sample(images, (points @ back.T).expand(len(images), -1, -1, -1))
    inside = points.norm(dim=-1) <= min(height, width) / 2
    return torch.where(inside, turned, images)
