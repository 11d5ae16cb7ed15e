"""Which way up the pictures of a class stand is what its upright labelled images say, at every latent."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ssrvae_core.config import ModelConfig, TrainingConfig
from ssrvae_core.geometry import pixel_points, rotation
from ssrvae_core.models import build
from ssrvae_core.training.gauge import gauge_loss, gauged, sheared
from ssrvae_core.training.objective import Batch, Objective

SIDE, ANGLES, CLASSES = 24, 32, 2
UPRIGHT = {"angle_prior_labelled": "von_mises", "angle_concentration": 30.0}
CORNERS = torch.tensor([[6.0, 1.0], [-3.0, 5.0], [-2.0, -4.0]])
BAR = torch.tensor([[0.0, 7.0], [0.0, 3.5], [0.0, 0.0], [0.0, -3.5], [0.0, -7.0]])


def draw(blobs, angle=0.0):
    """Blobs turned counter-clockwise, an image (1, 1, H, W)."""
    middles = blobs @ rotation(torch.tensor(float(angle))).T
    return (
        (-(pixel_points(SIDE, SIDE).unsqueeze(-2) - middles).square().sum(-1) / 8)
        .exp()
        .sum(-1)
        .clamp(max=1)[None, None]
    )


class Pictures(nn.Module):
    """A decoder of one free picture, whatever latent and class."""

    def __init__(self, view):
        super().__init__()
        self.logits = nn.Parameter(view.clamp(0.02, 0.98).logit())

    def forward(self, z, y):
        return self.logits.expand(*z.shape[:-1], *self.logits.shape)


@pytest.fixture
def model_of():
    """Build a model that draws this image."""

    def make(image, **settings):
        tiny = {"channels": (4, 4), "hidden": (8,), "radii": 12, "angles": ANGLES}
        config = ModelConfig(**tiny | UPRIGHT | settings)
        plain = build(config, (1, SIDE, SIDE), CLASSES)
        return build(config, (1, SIDE, SIDE), CLASSES, decoder=Pictures(plain.look(image)[0, 0]))

    return make


def loss_of(model, image):
    y = F.one_hot(torch.zeros(len(image), dtype=torch.long), CLASSES).float()
    return gauge_loss(model, model.look(image), y, torch.Generator().manual_seed(0))


def test_a_picture_that_stands_as_the_labelled_image_costs_little_and_one_on_its_head_much(model_of):
    upright = draw(CORNERS)
    losses = [float(loss_of(model_of(draw(CORNERS, angle)), upright).detach()) for angle in (0.0, 1.0, math.pi)]
    assert losses[0] < 0.7
    assert losses[1] > losses[0] + 3 and losses[2] > losses[0] + 3


def test_learning_the_gauge_turns_a_picture_upright(model_of):
    upright, model = draw(CORNERS), model_of(draw(CORNERS, 0.9))
    optimiser = torch.optim.Adam(model.decoder.parameters(), lr=0.2)

    def turned():
        return model.likelihood(torch.zeros(1, 2), torch.zeros(1, CLASSES)).joint(model.look(upright))[0, 0].argmax()

    assert int(turned()) not in {0, 1, ANGLES - 1}
    for _ in range(200):
        optimiser.zero_grad()
        loss_of(model, upright).backward()
        optimiser.step()
    assert int(turned()) in {0, 1, ANGLES - 1}


def test_a_class_that_looks_the_same_after_half_a_turn_is_not_asked_which_end_is_up(model_of):
    bar = draw(BAR)
    upright, overturned = (loss_of(model_of(draw(BAR, angle)), bar) for angle in (0.0, math.pi))
    torch.testing.assert_close(upright, overturned, atol=1e-3, rtol=0)
    assert upright < loss_of(model_of(draw(BAR, math.pi / 2)), bar) - 3


def test_without_direction_there_is_nothing_to_learn(model_of):
    model = model_of(torch.full((1, 1, SIDE, SIDE), 0.5))
    loss_of(model, torch.full((2, 1, SIDE, SIDE), 0.5)).backward()
    assert model.decoder.logits.grad.isfinite().all() and model.decoder.logits.grad.abs().max() < 1e-3


@pytest.mark.parametrize("rotation_engine", ["none", "marginal", "latent"])
@pytest.mark.parametrize("prior", ["uniform", "von_mises"])
def test_only_upright_labelled_images_of_a_model_that_sums_the_angle_out_fix_it(rotation_engine, prior):
    model = build(ModelConfig(rotation=rotation_engine, angle_prior_labelled=prior), (1, 16, 16), CLASSES)
    assert gauged(model) == (rotation_engine == "marginal" and prior == "von_mises")


def test_in_the_first_epochs_labelled_images_alone_teach_what_is_drawn(model_of):
    model = model_of(draw(CORNERS, 2.0))

    def learnt(term, epoch):
        losses = objective_total(model, epoch=epoch, labelled_epochs=1)
        (gradient,) = torch.autograd.grad(getattr(losses, term), model.decoder.logits, allow_unused=True)
        return gradient

    assert learnt("elbo_labelled", 0).abs().max() > 0 and learnt("elbo_unlabelled", 1).abs().max() > 0
    with pytest.raises(RuntimeError, match="does not require grad"):
        learnt("elbo_unlabelled", 0)


def objective_total(model, *, epoch=None, **training):
    batch = Batch(draw(CORNERS), torch.tensor([[1.0, 0.0]]), draw(CORNERS, 2.0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Objective(model, TrainingConfig(**training))(batch, 1.0, torch.Generator().manual_seed(1), epoch=epoch)


def test_the_total_holds_the_gauge_with_its_weight(model_of):
    model = model_of(draw(CORNERS, 2.0))
    totals = [float(objective_total(model, gauge_weight=weight).total.detach()) for weight in (0.0, 1.0, 3.0)]
    assert totals[1] > totals[0] + 1
    assert totals[2] - totals[0] == pytest.approx(3 * (totals[1] - totals[0]), rel=1e-3)


def test_labelled_images_count_sheared_as_far_as_the_augmentation_does(model_of):
    model = model_of(draw(CORNERS))
    plain, sheared_far = (
        objective_total(model, generative_shear=True, augmentation={"shear": shear}).elbo_labelled for shear in (0, 40)
    )
    torch.testing.assert_close(plain, objective_total(model, augmentation={"shear": 0}).elbo_labelled)
    assert abs(float((sheared_far - plain).detach())) > 0.1


def test_a_shear_neither_turns_an_image_to_one_side_nor_resizes_it(model_of):
    model = model_of(draw(BAR))
    images = draw(BAR).expand(400, -1, -1, -1)
    generator = torch.Generator().manual_seed(0)
    torch.testing.assert_close(sheared(model, images[:2], 0.0, generator), model.look(images[:2]))
    views = sheared(model, images, 20.0, generator)[:, 0]
    area, before = ((view * model.weights).sum((-3, -2, -1)) for view in (views, model.look(images[:1])[:, 0]))
    torch.testing.assert_close(area, before.expand_as(area), rtol=0.05, atol=0)
    fit = model.likelihood(torch.zeros(1, 2), torch.zeros(1, CLASSES)).joint(views[:, None]).flatten(-2).argmax(-1)
    turns = torch.exp(4j * math.pi * fit / ANGLES).mean()
    assert abs(float(turns.angle())) < 0.05
