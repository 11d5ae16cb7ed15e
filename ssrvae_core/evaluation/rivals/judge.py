"""Fit a rival on a split, and judge it like our own models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ssrvae_core.data import ImageSet, Split
from ssrvae_core.evaluation.angles import SYMMETRY_ORDERS
from ssrvae_core.evaluation.evaluate import flip_rate
from ssrvae_core.evaluation.metrics import summary
from ssrvae_core.evaluation.rivals.contract import Fitted, Rival
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
    predictions = _predictions(fitted, data.validation)
    predict_seconds = time.perf_counter() - began

    def classify(turned: Tensor) -> np.ndarray:
        return fitted.predict_proba(turned.numpy()).argmax(axis=1)

    metrics = summary(predictions, data.validation.class_names, symmetry)
    metrics["flip_rate"] = flip_rate(classify, data.validation, predictions.predicted)
    return Judged(predictions, metrics, fitted.parameters, fit_seconds, predict_seconds)


def _predictions(fitted: Fitted, images: ImageSet) -> Predictions:
    nothing, unknown = np.empty((len(images), 0), np.float32), np.full(len(images), np.nan, np.float32)
    return Predictions(
        ids=images.ids,
        labels=images.labels,
        class_prob=fitted.predict_proba(images.images).astype(np.float32),
        z_mean=nothing,
        z_sd=nothing,
        angle=unknown,
        concentration=unknown,
        log_likelihood=unknown,
        factors=images.factors,
    )
