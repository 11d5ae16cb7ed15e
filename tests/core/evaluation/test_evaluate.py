from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from ssrvae_core.config import UserError
from ssrvae_core.data import ImageSet
from ssrvae_core.evaluation.evaluate import evaluate, predict, turn
from ssrvae_core.models.ssvae import Encoding

SIZE = 17


class Threshold:
    """A model of two classes that looks at the brightness of one region only."""

    n_classes = 2
    image_shape = (1, SIZE, SIZE)
    device = torch.device("cpu")

    def __init__(self, region: torch.Tensor):
        self.region = region

    def encode(self, images: torch.Tensor, masks: np.ndarray | None = None) -> Encoding:
        bright = (images * self.region).sum(dim=(1, 2, 3)) / self.region.sum()
        rows = torch.zeros(len(images))
        return Encoding(
            class_prob=torch.stack([1 - bright, bright], dim=1).clamp(0, 1),
            z_mean=torch.stack([bright, bright], dim=1),
            z_sd=torch.ones(len(images), 2),
            angle=rows * math.nan,
            concentration=rows * math.nan,
            shift=torch.zeros(len(images), 2),
            scale=rows + 1,
            log_likelihood=rows,
        )


def _images(n: int = 12) -> ImageSet:
    """Bars from the centre to the right: bright ones are class 1."""
    images = np.zeros((n, 1, SIZE, SIZE), np.float32)
    labels = np.arange(n) % 2
    images[:, :, SIZE // 2 - 1 : SIZE // 2 + 2, SIZE // 2 :] = labels[:, None, None, None]
    factors = {"angle": np.zeros(n, np.float32)}
    return ImageSet(images, labels, np.arange(100, 100 + n), ("dark", "bright"), factors=factors)


def _right() -> Threshold:
    region = torch.zeros(SIZE, SIZE)
    region[SIZE // 2, SIZE // 2 + 2 : SIZE // 2 + 6] = 1
    return Threshold(region)


def _centre() -> Threshold:
    region = torch.zeros(SIZE, SIZE)
    region[SIZE // 2, SIZE // 2] = 1
    return Threshold(region)


def test_predictions_keep_ids_labels_and_order_whatever_the_batch():
    images = _images()
    whole, pieces = predict(_right(), images), predict(_right(), images, batch_size=5)
    assert (whole.ids == images.ids).all() and (whole.labels == images.labels).all()
    assert (whole.predicted == images.labels).all()
    np.testing.assert_array_equal(whole.class_prob, pieces.class_prob)
    assert whole.factors is images.factors


def test_the_report_has_every_number_and_is_strict_json():
    report = evaluate(_right(), _images())
    assert set(report) == {
        *("n", "accuracy", "balanced_accuracy", "confusion", "per_class", "ece", "nll", "accuracy_by_angle"),
        *("flip_rate", "angle", "probe_r2", "silhouette"),
    }
    assert report["accuracy"] == 1.0 and report["n"] == 12
    json.dumps(report, allow_nan=False)


def test_the_flip_rate_tells_an_invariant_model_from_one_that_is_not():
    assert evaluate(_centre(), _images())["flip_rate"] == 0.0
    # Every bright bar leaves the region at each of the angles; nothing happens to the dark half.
    assert evaluate(_right(), _images())["flip_rate"] == 0.5


def test_unlabelled_images_are_evaluated_without_a_crash():
    report = evaluate(_centre(), _images().without_labels())
    assert report["accuracy"] is None and report["n"] == 0
    assert report["flip_rate"] == 0.0


def test_turning_is_counter_clockwise_rigid_and_leaves_the_corners():
    images = torch.from_numpy(_images(2).images)[1:]
    images[..., 0, 0] = 0.5
    quarter = turn(images, math.pi / 2)
    expected = torch.rot90(images, 1, dims=(-2, -1))
    inside = slice(4, 13)
    torch.testing.assert_close(quarter[..., inside, inside], expected[..., inside, inside], atol=1e-5, rtol=0)
    assert quarter[..., 0, 0] == 0.5


def test_turning_moves_a_point_of_a_wide_image_on_a_circle():
    images = torch.zeros(1, 1, 11, 21)
    images[..., 5, 13] = 1
    turned = turn(images, math.pi / 2)
    assert turned[0, 0, 2, 10] == pytest.approx(1, abs=1e-5)
    assert turned.sum() == pytest.approx(1, abs=1e-4)


def test_images_of_another_shape_are_refused_with_both_shapes():
    small = _images()
    model = _right()
    model.image_shape = (1, 48, 48)
    with pytest.raises(UserError, match=r"1x17x17 .* 1x48x48"):
        predict(model, small)


def test_no_images_are_refused():
    with pytest.raises(UserError, match="no images"):
        predict(_right(), _images().take(np.arange(0)))


def test_labels_of_other_classes_are_refused():
    model = _right()
    model.n_classes = 3
    with pytest.raises(UserError, match=r"2 classes .* knows 3"):
        evaluate(model, _images())
