import numpy as np
import pytest

from ssrvae_core.figures.manifold_sheet import manifold_sheet, nearest_turn, turned_grid

TURNS = [np.diag([a, b]) for a in (1, -1) for b in (1, -1)]
TURNS += [np.array([[0, a], [b, 0]]) for a in (1, -1) for b in (1, -1)]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("d", [4, 5])
def test_the_manifold_turns_with_the_points(turn, d):
    ticks = np.arange(d) - (d - 1) / 2
    grid = np.stack([np.broadcast_to(ticks, (d, d)), np.broadcast_to(-ticks[:, None], (d, d))], axis=-1)
    points = np.random.default_rng(0).normal(size=(30, 2))
    found = nearest_turn(points, points @ turn + 3)
    np.testing.assert_array_equal(found, turn)
    np.testing.assert_allclose((grid @ turn)[turned_grid(found, d)], grid)


def test_a_slanted_alignment_is_taken_for_the_nearest_quarter():
    points = np.random.default_rng(0).normal(size=(30, 2))
    slanted = np.array([[np.cos(1.9), np.sin(1.9)], [-np.sin(1.9), np.cos(1.9)]])
    np.testing.assert_array_equal(nearest_turn(points, points @ slanted), [[0, 1], [-1, 0]])


def test_no_tile_of_a_picture_of_five_manifolds_stands_for_a_class_that_is_not_there():
    z = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    white = np.full((5, 3, 3, 1, 4, 4), 255, np.uint8)
    picture = manifold_sheet(white, z, z)
    assert picture.shape == (2 * 15 - 1, 3 * 15 - 1, 4)
    seen = picture[..., 3] == 255
    assert seen[:15].all() and seen[:, : 2 * 15].all() and not seen[15:, 30:].any()
    assert manifold_sheet(white[:4], z, z).ndim == 2, "four fill their square"
