from __future__ import annotations

import numpy as np
import pytest

from ssrvae_core.figures.curves import LOGARITHMIC, curve_at, position_axis, training_curves
from ssrvae_core.figures.frames import Curve
from ssrvae_core.figures.manifold import SEPARATOR, manifold_picture

RATIOS = np.array([0.005, 0.05, 0.5])
OURS = Curve("ss-rVAE", RATIOS, np.array([0.7, np.nan, 0.9]), np.array([0.6, np.nan, 0.8]), np.array([0.8, np.nan, 1]))


def test_a_curve_is_followed_between_its_points_and_not_beyond():
    losses = Curve("ss-rVAE", np.array([1, 3, 5]), np.array([4.0, np.nan, 2.0]))
    assert curve_at(losses, 2, "epoch") == pytest.approx(3.5)
    assert curve_at(losses, 6, "epoch") is None
    assert curve_at(OURS, 0.5, LOGARITHMIC) == pytest.approx(0.9)
    assert curve_at(OURS, 0.001, LOGARITHMIC) is None
    assert curve_at(Curve("none", RATIOS, np.full(3, np.nan)), 0.05, LOGARITHMIC) is None
    assert position_axis([3], "epoch")["range"][0] < 3 < position_axis([3], "epoch")["range"][1]
    assert position_axis([1, 2, 3], "epoch")["tickvals"] == [1, 2, 3]
    assert "tickvals" not in position_axis([0, 1000], "epoch")


def test_trainings_are_drawn_in_both_panels_under_one_legend():
    lines = [
        {"epoch": e, "elbo_unlabelled": -300.0 + e, "validation_accuracy": None if e == 1 else 0.5} for e in (1, 2)
    ]
    figure = training_curves({"ss-VAE": lines, "ss-rVAE": lines})
    assert len(figure.data) == 4 and sum(trace.showlegend is not False for trace in figure.data) == 2
    assert list(figure.data[0].y) == [299.0, 298.0]
    assert np.isnan(figure.data[2].y[0])


def test_where_every_image_has_a_label_the_loss_is_that_of_the_labelled():
    line = {"epoch": 1, "elbo_unlabelled": 0.0, "elbo_labelled": -250.0, "validation_accuracy": 0.5}
    assert list(training_curves({"ss-VAE": [line]}).data[0].y) == [250.0]


@pytest.mark.parametrize(("channels", "last"), [(1, ()), (3, (3,)), (5, ())])
def test_a_manifold_is_laid_out_row_by_row_with_thin_lines_between(channels, last):
    images = np.zeros((2, 3, channels, 4, 5))
    images[1, 2] = 1.2
    picture = manifold_picture(images)
    assert picture.shape == (9, 17, *last) and picture.dtype == np.uint8
    assert (picture[5:, 12:] == 255).all() and (picture[:4, :5] == 0).all()
    assert (picture[4] == SEPARATOR).all() and (picture[:, 5] == SEPARATOR).all()
    np.testing.assert_array_equal(manifold_picture(np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)), picture)
