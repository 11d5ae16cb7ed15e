"""Where the images of a class are."""

import numpy as np
import pytest

from ssrvae_core.evaluation.latents import manifold_bounds
from ssrvae_core.records import Predictions


def predictions(z, predicted):
    n = len(z)
    unknown = np.full(n, np.nan, np.float32)
    return Predictions(
        ids=np.arange(n),
        labels=np.full(n, -1),
        class_prob=np.eye(2, dtype=np.float32)[predicted],
        z_mean=z.astype(np.float32),
        z_sd=np.ones_like(z, dtype=np.float32),
        angle=unknown,
        concentration=unknown,
        log_likelihood=unknown,
    )


def test_the_box_of_a_class_covers_its_images_without_the_outermost():
    z = np.stack([np.linspace(0, 1, 401), np.linspace(-3, -2.9, 401)], axis=1)
    others = np.full((50, 2), 9.0)
    found = predictions(np.concatenate([z, others]), np.repeat([0, 1], [401, 50]))
    np.testing.assert_allclose(manifold_bounds(found, 0), [[0.025, 0.975], [-2.9975, -2.9025]], rtol=1e-5)


@pytest.mark.parametrize("n", [0, 9])
def test_a_class_with_hardly_an_image_has_the_priors_box(n):
    found = predictions(np.full((n + 20, 3), 0.1), np.repeat([1, 0], [n, 20]))
    np.testing.assert_array_equal(manifold_bounds(found, 1), [[-2, 2]] * 3)
