"""Fit a rival on a split, and judge it like our own models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from ssrvae_core.data import ImageSet, Split
from ssrvae_core.evaluation.angles import SYMMETRY_ORDERS
from ssrvae_core.evaluation.evaluate import flip_rate
from ssrvae_core.evaluation.metrics import summary
from ssrvae_core.evaluation.rivals.contract import Rival
from ssrvae_core.records import Predictions


@dataclass(frozen=True)
class Judged:
    """What a rival is worth on the validation images of a split.

    Attributes
    ----------
    predictions : Predictions
        Of the validation images; without latents, angles and likelihoods, which a rival does not have.
    validation : dict
        JSON-ready: what :func:`ssrvae_core.evaluation.metrics.summary` gives, and ``flip_rate``.
    parameters : dict
        What the rival chose, and how.
    fit_seconds, predict_seconds : float
        Wall time of fitting, search included, and of predicting the validation images.
    """

    predictions: Predictions
    validation: dict[str, Any]
    parameters: dict[str, Any]
    fit_seconds: float
    predict_seconds: float


def judge(
    rival: Rival, data: Split, seed: int, device: str = "auto", symmetry: Mapping[str, int] = SYMMETRY_ORDERS
) -> Judged:
    """Fit a rival on the training part of a split and judge it on the validation part.

    Parameters
    ----------
    rival : callable
        An entry of :data:`ssrvae_core.evaluation.rivals.RIVALS`.
    data : Split
        The same that our models see.
    seed : int
        Seeds everything random in the rival.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`; for the networks.
    symmetry : mapping of str to int
        Order of rotational symmetry by class name, see :data:`ssrvae_core.evaluation.angles.SYMMETRY_ORDERS`.
    """
    began = time.perf_counter()
    fitted = rival(data, seed, device)
    fit_seconds, began = time.perf_counter() - began, time.perf_counter()
    masks = data.validation.masks if getattr(rival, "masks", False) else None
    predictions = _predictions(_probabilities(fitted, data.validation.images, masks), data.validation)
    predict_seconds = time.perf_counter() - began
    metrics = summary(predictions, data.validation.class_names, symmetry)

    def classify(turned: Tensor, turned_masks: np.ndarray | None) -> np.ndarray:
        return _probabilities(fitted, turned.numpy(), turned_masks).argmax(axis=1)

    metrics["flip_rate"] = flip_rate(classify, replace(data.validation, masks=masks), predictions.predicted)
    return Judged(predictions, metrics, fitted.parameters, fit_seconds, predict_seconds)


def _probabilities(fitted: Any, images: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
    return (fitted.predict_proba(images) if masks is None else fitted.predict_proba(images, masks)).astype(np.float32)


def _predictions(class_prob: np.ndarray, images: ImageSet) -> Predictions:
    nothing, unknown = np.empty((len(images), 0), np.float32), np.full(len(images), np.nan, np.float32)
    return Predictions(
        ids=images.ids,
        labels=images.labels,
        class_prob=class_prob,
        z_mean=nothing,
        z_sd=nothing,
        angle=unknown,
        concentration=unknown,
        log_likelihood=unknown,
        factors=images.factors,
    )
