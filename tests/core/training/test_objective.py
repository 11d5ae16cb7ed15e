"""Every term of the loss, and that each can be switched off."""

import math

import pytest
import torch
import torch.nn.functional as F
from pyro.infer import Trace_ELBO, TraceEnum_ELBO

from ssrvae_core.config import Augmentation
from ssrvae_core.models import build
from ssrvae_core.training.objective import Batch, Objective, draw_nuisance

ENGINES = ["none", "marginal", "latent"]
each_engine = pytest.mark.parametrize("engine", ENGINES)
IMAGES = torch.rand(400, 1, 12, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def batch(make_split):
    split = make_split(6, 20)
    labelled, y = torch.from_numpy(split.labelled.images), torch.from_numpy(split.labelled.labels)
    return Batch(labelled, F.one_hot(y, 3).float(), torch.from_numpy(split.unlabelled.images))


@pytest.fixture
def evaluate(make_config, batch):
    """Compute the losses of one batch, with everything random fixed."""

    def compute(engine="marginal", *, beta=1.0, on=batch, bias=0.0, **training):
        config = make_config(engine, **training)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build(config.model, (1, 12, 12), 3).train()
            with torch.no_grad():
                model.classifier.out.bias[0] += bias
            losses = Objective(model, config.training)(on, beta, torch.Generator().manual_seed(1))
        return model, losses

    return compute


@each_engine
def test_total_is_the_weighted_sum_of_the_terms(evaluate, engine):
    _, losses = evaluate(
        engine, aux_weight=7.0, consistency_weight=3.0, generative_weight=0.5, consistency_threshold=0.1
    )
    expected = (
        7 * losses.classification + 3 * losses.consistency - 0.5 * (losses.elbo_labelled + losses.elbo_unlabelled)
    )
    torch.testing.assert_close(losses.total, expected)
    assert all(term.isfinite() for term in vars(losses).values())
    assert losses.consistency > 0 and losses.confident == 1


@each_engine
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_the_elbos_are_pyros_a_mean_over_their_images(evaluate, batch, engine, beta):
    model, losses = evaluate(engine, beta=beta, augment=False, generative_weight=1.0)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        draws = []
        for seed in range(20):
            torch.manual_seed(seed)
            unlabelled = TraceEnum_ELBO(max_plate_nesting=1).loss(
                model.model, model.guide, model.look(batch.unlabelled), None, beta
            )
            labelled = Trace_ELBO(max_plate_nesting=1).loss(
                model.model, model.guide, model.look(batch.labelled), batch.y, beta
            )
            draws.append([-unlabelled / 20, -labelled / 6])
    mean, sd = torch.tensor(draws).mean(0), torch.tensor(draws).std(0)
    assert abs(losses.elbo_unlabelled - mean[0]) < 5 * sd[0]
    assert abs(losses.elbo_labelled - mean[1]) < 5 * sd[1]


def test_classification_is_the_cross_entropy_of_the_labels(evaluate, batch):
    model, losses = evaluate(augment=False)
    logits = model.classifier(model.features(model.look(batch.labelled)))
    torch.testing.assert_close(losses.classification, F.cross_entropy(logits, batch.y.argmax(1)))


@each_engine
def test_without_augmentation_the_classifier_sees_the_images_as_they_are(evaluate, nothing_declared, engine):
    _, off = evaluate(engine, augment=False)
    _, none_declared = evaluate(engine, augment=True, augmentation=nothing_declared)
    _, on = evaluate(engine, augment=True)
    torch.testing.assert_close(off.classification, none_declared.classification, atol=1e-4, rtol=1e-4)
    assert abs(on.classification - off.classification) > 1e-5


def test_consistency_counts_confident_images_only(evaluate):
    _, sure = evaluate(bias=20.0)
    _, unsure = evaluate(consistency_threshold=0.99)
    assert sure.confident == 1
    assert (unsure.confident, unsure.consistency) == (0, 0)
    _, off = evaluate(bias=20.0, consistency_weight=0.0)
    assert (off.confident, off.consistency) == (0, 0)


def test_consistency_teaches_nothing_about_the_plain_image(evaluate, batch):
    """Only the prediction on the image under nuisance learns; the pseudo-label is a constant."""
    model, losses = evaluate(aux_weight=0.0, generative_weight=0.0, consistency_threshold=0.01, augment=False)
    logits = model.classifier(model.features(model.look(batch.unlabelled)))
    expected = F.cross_entropy(logits, logits.argmax(1))
    torch.testing.assert_close(losses.consistency, expected)
    ours = torch.autograd.grad(losses.consistency, list(model.classifier.parameters()))
    theirs = torch.autograd.grad(expected, list(model.classifier.parameters()))
    for first, second in zip(ours, theirs, strict=True):
        torch.testing.assert_close(first, second)


@each_engine
def test_without_the_generative_terms_only_the_classifier_learns(evaluate, engine):
    model, losses = evaluate(engine, generative_weight=0.0)
    assert (losses.elbo_labelled, losses.elbo_unlabelled) == (0, 0)
    losses.total.backward()
    learns = {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learns == {"classifier"}


@each_engine
def test_the_classifier_feels_its_share_of_the_unlabelled_elbo(evaluate, engine):
    def felt(share):
        model, losses = evaluate(engine, augment=False, classifier_elbo_weight=share)
        parameters = list(model.classifier.parameters())
        gradients = torch.autograd.grad(losses.elbo_unlabelled, parameters, allow_unused=True, materialize_grads=True)
        return losses.elbo_unlabelled, gradients

    (whole, full), (value, part), (_, nothing) = felt(1.0), felt(0.25), felt(0.0)
    torch.testing.assert_close(value, whole)
    for one, quarter, none in zip(full, part, nothing, strict=True):
        assert one.abs().sum() > 0 and not none.any()
        torch.testing.assert_close(quarter, one / 4, rtol=1e-4, atol=1e-5)


@each_engine
def test_a_batch_without_unlabelled_images_has_no_such_terms(evaluate, batch, engine):
    _, losses = evaluate(engine, on=Batch(batch.labelled, batch.y, batch.unlabelled[:0]))
    assert (losses.elbo_unlabelled, losses.consistency, losses.confident) == (0, 0, 0)
    assert losses.total.isfinite()


def drawn(turn=True, **ranges):
    return draw_nuisance(Augmentation(**ranges), IMAGES, turn=turn, generator=torch.Generator().manual_seed(0))


def test_nuisances_stay_within_their_declared_ranges(nothing_declared):
    nothing = nothing_declared.model_dump()
    shear = drawn(**nothing | {"shear": 12}).matrix
    assert shear[:, 0, 1].abs().max() <= math.tan(math.radians(12)) and shear[:, 1, 0].abs().max() > 0.15
    scale = drawn(**nothing | {"scale": 0.2}).matrix.det().sqrt()
    assert scale.log().abs().max() <= 0.2001 and scale.log().std() > 0.1
    shift = drawn(**nothing | {"shift": 0.25}).shift
    assert shift.abs().max() <= 0.25 * 12 and shift.abs().max() > 2.5, "a fraction of the short side, pixels"
    intensity = drawn(**nothing | {"intensity": 0.2})
    assert (intensity.contrast - 1).abs().max() <= 0.2001 and intensity.brightness.abs().max() <= 0.1001


def test_no_declared_nuisance_changes_nothing(nothing_declared):
    nuisance = draw_nuisance(nothing_declared, IMAGES, turn=True, generator=torch.Generator())
    assert torch.equal(nuisance.matrix, torch.eye(2).expand(400, 2, 2))
    assert not nuisance.shift.any() and not nuisance.brightness.any()
    assert torch.equal(nuisance.intensity(IMAGES), IMAGES)


def test_any_rotation_is_drawn_when_it_is_declared(nothing_declared):
    nuisance = drawn(**nothing_declared.model_dump() | {"rotation": True})
    angle = torch.atan2(nuisance.matrix[:, 1, 0], nuisance.matrix[:, 0, 0])
    assert torch.histc(angle, 8, -math.pi, math.pi).min() > 20
    torch.testing.assert_close(nuisance.matrix.det(), torch.ones(400))


def test_the_ss_vae_never_sees_the_rotation_nuisance(evaluate, nothing_declared):
    rotation_only = nothing_declared.model_copy(update={"rotation": True})
    _, plain = evaluate("none", augment=False)
    _, declared = evaluate("none", augment=True, augmentation=rotation_only)
    torch.testing.assert_close(declared.classification, plain.classification, atol=1e-4, rtol=1e-4)
    _, turned = evaluate("latent", augment=True, augmentation=rotation_only)
    assert abs(turned.classification - evaluate("latent", augment=False)[1].classification) > 1e-4
