import numpy as np
import pytest

from ssrvae_core.config import DATASETS, DatasetConfig, Disorder
from ssrvae_core.data import load
from ssrvae_core.data.cards import GLYPH_HEIGHT, SUITS
from ssrvae_core.data.pose import POSE_FACTORS, linear_maps
from ssrvae_core.data.shapes import Frame, coverage

STRONG = Disorder(rotation=180, shear=20, shift=0.1, scale=(0.8, 1.3))


def small(**changes):
    return DatasetConfig(size=32, train_per_class=6, validation_per_class=3, unlabelled=STRONG).model_copy(
        update=changes
    )


def pose(**changes):
    rest = dict.fromkeys(POSE_FACTORS, 0.0) | {"scale": 1.0}
    return {name: np.array([value], dtype=np.float32) for name, value in (rest | changes).items()}


def glyph(suit, size=48, **changes):
    return coverage(SUITS[suit](Frame(pose(**changes), GLYPH_HEIGHT * size, size)))[0]


def test_a_set_has_the_parts_it_was_asked_for():
    images = load(small())
    assert images.images.shape == (4 * 9, 1, 32, 32)
    assert images.images.dtype == np.float32
    assert images.class_names == ("hearts", "spades", "diamonds", "clubs")
    assert images.images.min() == 0 and images.images.max() == 1
    assert np.bincount(images.labels[~images.validation]).tolist() == [6] * 4
    assert np.bincount(images.labels[images.validation]).tolist() == [3] * 4


def test_one_seed_gives_one_set_and_another_seed_another():
    first, second, other = load(small()), load(small()), load(small(seed=1))
    np.testing.assert_array_equal(first.images, second.images)
    assert (first.images != other.images).any()


def test_the_labelled_look_is_weaker_and_the_same_in_every_subset():
    images = load(small(labelled=Disorder(rotation=4)))
    many = images.as_labelled(np.arange(12))
    few = images.as_labelled(np.array([7, 2]))
    np.testing.assert_array_equal(few.images, many.images[[7, 2]])
    np.testing.assert_array_equal(few.ids, [7, 2])
    np.testing.assert_array_equal(few.labels, images.labels[[7, 2]])
    assert np.abs(many.factors["angle"]).max() <= np.deg2rad(4)
    assert not many.factors["shear_x"].any()


def test_the_factors_stay_in_their_ranges():
    factors = load(small()).factors
    assert np.abs(factors["angle"]).max() <= np.pi
    assert np.abs(factors["shear_x"]).max() <= np.deg2rad(20.01)
    assert np.abs(factors["shift_x"]).max() <= 3.2
    assert factors["scale"].min() >= 0.8 and factors["scale"].max() <= 1.3


@pytest.mark.parametrize("suit", SUITS)
def test_rotating_by_a_quarter_turn_counter_clockwise_is_exact(suit):
    np.testing.assert_allclose(glyph(suit, angle=np.pi / 2), np.rot90(glyph(suit)), atol=2e-3)


@pytest.mark.parametrize("suit", SUITS)
def test_a_shift_moves_right_and_up(suit):
    moved = np.roll(glyph(suit), (-3, 5), axis=(0, 1))
    np.testing.assert_allclose(glyph(suit, shift_x=5.0, shift_y=3.0), moved, atol=2e-3)


@pytest.mark.parametrize("suit", SUITS)
def test_every_suit_is_upright_symmetric_and_of_the_glyph_height(suit):
    image = glyph(suit)
    np.testing.assert_allclose(image, image[:, ::-1], atol=1e-4)
    height = np.ptp(np.flatnonzero(image.max(axis=1) > 0.3)) + 1
    assert abs(height - GLYPH_HEIGHT * 48) <= 2


@pytest.mark.parametrize("suit", SUITS)
@pytest.mark.parametrize("changes", [{}, {"angle": 0.7, "shear_x": 0.35, "shear_y": 0.35, "scale": 1.2}])
def test_the_soft_outline_agrees_with_supersampling(suit, changes):
    fine = 16
    image, supersampled = glyph(suit, **changes), glyph(suit, 48 * fine, **changes)
    exact = supersampled.reshape(48, fine, 48, fine).mean(axis=(1, 3))
    assert np.abs(image - exact).mean() < 0.002
    assert abs(image.sum() / exact.sum() - 1) < 0.01


def test_a_shear_keeps_the_area_and_a_scale_squares_it():
    maps = linear_maps(pose(angle=1.0, shear_x=0.3, shear_y=0.2, scale=1.3))
    np.testing.assert_allclose(np.linalg.det(maps), 1.3**2, rtol=1e-6)


def test_no_two_suits_look_alike():
    images = [glyph(suit) for suit in SUITS]
    for i, first in enumerate(images):
        for second in images[:i]:
            assert np.abs(first - second).sum() > 0.1 * first.sum()


@pytest.mark.parametrize("name", ["cards-b1", "cards-b2"])
def test_published_cards_stay_inside_the_image(name):
    images = load(DATASETS[name].model_copy(update={"train_per_class": 200, "validation_per_class": 1})).images
    border = np.concatenate([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], axis=-1)
    assert (border.max(axis=(1, 2)) > 0).mean() < 0.01
