"""Networks on views of any shape, and for all classes at once."""

import pytest
import torch

from ssrvae_core.models import networks


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("features", [networks.PolarFeatures(2, 5, (4, 4), "gelu"), networks.Spectrum(2, 5, 16)])
def test_polar_features_do_not_change_with_the_angle(features):
    x = noise(3, 2, 5, 16)
    assert features(x).shape == (3, features.width)
    for steps in (2, 8, 14):
        torch.testing.assert_close(features(x.roll(steps, dims=-1)), features(x), atol=1e-5, rtol=1e-5)


def test_polar_features_tell_a_mirrored_object_apart():
    features, x = networks.PolarFeatures(1, 5, (4, 4), "gelu"), noise(1, 1, 5, 16)
    assert (features(x) - features(x.flip(-1))).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 30), (1, 2, 3), (1, 1, 1)])
def test_pixel_features_know_their_width_for_any_image(shape):
    features = networks.PixelFeatures(shape, (4, 6), "relu")
    assert features(noise(2, *shape)).shape == (2, features.width)


def test_standardised_features_tell_shape_from_contrast_and_brightness():
    features = networks.Standardised(networks.PixelFeatures((2, 8, 8), (4, 6), "relu"))
    x = torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    shape, levels = features(x).tensor_split([-2], dim=1)
    assert features.width == shape.shape[1] + 2
    torch.testing.assert_close(levels, torch.stack([x.mean((1, 2, 3)), x.flatten(1).std(1, correction=0)], dim=1))
    fainter, fainter_levels = features(0.5 * x + 0.2).tensor_split([-2], dim=1)
    torch.testing.assert_close(fainter, shape, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fainter_levels, 0.5 * levels + torch.tensor([0.2, 0.0]))


def test_an_image_without_features_is_not_blown_up_by_standardising():
    features = networks.Standardised(networks.Flatten((1, 8, 8)))
    flat = torch.full((1, 1, 8, 8), 0.3)
    assert features(flat)[:, :-2].abs().max() < 1e-4
    assert features(flat + 1e-4 * noise(1, 1, 8, 8))[:, :-2].abs().max() < 0.1


def test_the_encoder_serves_all_classes_at_once():
    encoder = networks.Encoder(networks.Flatten((2, 3)), (8,), 4, 5, "tanh")
    x, classes = noise(6, 2, 3), torch.eye(4).unsqueeze(1).expand(4, 6, 4)
    mean, sd = encoder(x, classes)
    assert mean.shape == sd.shape == (4, 6, 5)
    assert (sd > 0).all()
    for k in range(4):
        for together, alone in zip((mean[k], sd[k]), encoder(x, classes[k]), strict=True):
            torch.testing.assert_close(together, alone)


def test_the_spatial_decoder_reads_each_image_at_its_own_points():
    decoder = networks.SpatialDecoder(2, 3, (7, 6), 2, "tanh")
    points, z, y = noise(4, 5, 11, 2), noise(4, 5, 2), noise(4, 5, 3)
    together = decoder(points, z, y)
    assert together.shape == (4, 5, 2, 11)
    torch.testing.assert_close(together[1, 2], decoder(points[1, 2], z[1, 2], y[1, 2]))


def test_the_dense_decoder_draws_the_grid_it_was_told():
    assert networks.DenseDecoder(2, 3, (7,), (2, 5, 6), "softplus")(noise(4, 5, 2), noise(4, 5, 3)).shape == (
        4,
        5,
        2,
        5,
        6,
    )


def test_an_initialised_encoder_spreads_these_images_as_the_prior_does():
    encoder = networks.Encoder(networks.Flatten((2, 3)), (8,), 4, 5, "tanh")
    x, y = 5 + 0.01 * noise(200, 2, 3), torch.full((200, 4), 0.25)
    encoder.initialise(x, y)
    mean, _ = encoder(x, y)
    torch.testing.assert_close(mean.mean(dim=0), torch.zeros(5), atol=1e-3, rtol=0)
    torch.testing.assert_close(mean.std(dim=0), torch.ones(5), atol=1e-3, rtol=0)


def test_images_that_are_all_alike_leave_the_encoder_as_it_is():
    encoder = networks.Encoder(networks.Flatten((2, 3)), (8,), 4, 5, "tanh")
    x, y = torch.ones(9, 2, 3), torch.full((9, 4), 0.25)
    before = encoder(x, y)[0]
    encoder.initialise(x, y)
    torch.testing.assert_close(encoder(x, y)[0], before)
