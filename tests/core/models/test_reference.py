"""Agreement with the public reference implementation (pyroVED 0.3.0, class ssiVAE), number for number."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO

from ssrvae_core.config import ModelConfig
from ssrvae_core.models import build, networks

REFERENCE = Path(__file__).parents[2] / "data" / "pyroved_0.3.0_ssivae.npz"
SHAPE, K = (1, 16, 16), 3
CONFIG = ModelConfig(rotation="latent", networks="mlp", activation="tanh", latent_dim=2, centre=False)
VARIANTS = {
    "none": CONFIG.model_copy(update={"rotation": "none"}),
    "r": CONFIG,
    "t": CONFIG.model_copy(update={"angle": False, "translation": True}),
    "rt": CONFIG.model_copy(update={"translation": True}),
    "rts": CONFIG.model_copy(update={"translation": True, "scaling": True}),
}
OURS = {
    "encoder_y.fc_layers": "classifier.layers",
    "encoder_y.out": "classifier.out",
    "encoder_z.fc_layers": "encoder.layers",
    "encoder_z.fc11": "encoder.mean",
    "encoder_z.fc12": "encoder.sd",
    "decoder.coord_latent.fc_coord": "decoder.coordinate",
    "decoder.coord_latent.fc_latent": "decoder.latent",
    "decoder.fc_layers": "decoder.layers",
    "decoder.out": "decoder.out",
}


@pytest.fixture(scope="module")
def values():
    """Every array of the reference."""
    with np.load(REFERENCE) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture(params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture
def reference(values, variant):
    """The arrays of one variant, with the inputs that all share."""
    own = {name.removeprefix(f"{variant}/"): array for name, array in values.items() if name.startswith(f"{variant}/")}
    return own | {"x": values["x"].unsqueeze(1), "y": values["y_onehot"]}


@pytest.fixture
def model(reference, variant):
    """Our model with the reference's networks and weights."""
    config = VARIANTS[variant]
    n_latents = reference["z"].shape[1]
    pixels = networks.Flatten(SHAPE)
    decoder = (
        networks.DenseDecoder(2, K, (22, 18), SHAPE, "tanh")
        if variant == "none"
        else networks.SpatialDecoder(2, K, (22, 18), 1, "tanh")
    )
    model = build(
        config,
        SHAPE,
        K,
        classifier=networks.Classifier(pixels, (16, 14), K, "tanh"),
        encoder=networks.Encoder(pixels, (24, 20), K, n_latents, "tanh"),
        decoder=decoder,
    )
    state = {}
    for name, array in reference.items():
        if name.startswith("state/"):
            layer, kind = name.removeprefix("state/").rsplit(".", 1)
            own = next(f"{new}{layer.removeprefix(old)}" for old, new in OURS.items() if layer.startswith(old))
            state[f"{own}.{kind}"] = array
    model.load_state_dict(state)
    return model


def at(z):
    """A trace that fixes z, for ``poutine.replay``."""
    trace = poutine.Trace()
    trace.add_node("z", name="z", type="sample", value=z, is_observed=False, infer={})
    return trace


def one_hot(k, n_images):
    return torch.eye(K)[torch.full((n_images,), k)]


def test_class_probabilities_agree(model, reference):
    with torch.no_grad():
        torch.testing.assert_close(
            model.classifier(reference["x"]).softmax(-1), reference["class_prob"], rtol=1e-4, atol=0
        )


def test_posterior_of_the_latents_agrees(model, reference):
    with torch.no_grad():
        mean, sd = model.encoder(reference["x"], reference["y"])
    torch.testing.assert_close(mean, reference["z_loc"], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(sd, reference["z_scale"], rtol=1e-4, atol=0)


def test_decoded_images_and_their_log_likelihoods_agree(model, reference):
    x, z, y = reference["x"], reference["z"], reference["y"]
    with torch.no_grad():
        trace = poutine.trace(poutine.condition(model.model, {"z": z})).get_trace(x, y)
        trace.compute_log_prob()
    decoded = trace.nodes["x"]["fn"].sample().view(-1, 16, 16)
    torch.testing.assert_close(decoded, reference["decoded_prob"], rtol=1e-4, atol=0)
    torch.testing.assert_close(trace.nodes["x"]["log_prob"], reference["log_lik"], rtol=1e-3, atol=0)


def test_elbo_of_every_class_agrees(model, reference):
    x = reference["x"]
    for k, eps in enumerate(reference["eps"]):
        y = one_hot(k, len(x))
        with torch.no_grad():
            mean, sd = model.encoder(x, y)
            guide = poutine.replay(model.guide, trace=at(mean + sd * eps))
            guide = poutine.trace(guide).get_trace(x, y)
            generated = poutine.trace(poutine.replay(model.model, trace=guide)).get_trace(x, y)
            guide.compute_log_prob()
            generated.compute_log_prob()
        log_p = sum(generated.nodes[site]["log_prob"] for site in "xyz")
        elbo = log_p - guide.nodes["z"]["log_prob"]
        torch.testing.assert_close(elbo, reference["elbo_given_class"][:, k], rtol=1e-3, atol=0)


def test_pyros_unlabelled_loss_agrees_with_the_class_enumerated(model, reference):
    elbo = TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=True)
    for i, expected in enumerate(reference["elbo_unlabelled"]):
        x, eps = reference["x"][i : i + 1], reference["eps"][:, i : i + 1]
        with torch.no_grad():
            mean, sd = model.encoder(x, torch.eye(K).unsqueeze(1))
            loss = elbo.loss(model.model, poutine.replay(model.guide, trace=at(mean + sd * eps)), x)
        assert -loss == pytest.approx(expected.item(), rel=1e-3)


def test_pyros_labelled_loss_agrees(model, reference):
    elbo = Trace_ELBO(max_plate_nesting=1)
    for i, expected in enumerate(reference["elbo_labelled"]):
        x, y = reference["x"][i : i + 1], reference["y"][i : i + 1]
        eps = reference["eps"][y.argmax(), i : i + 1]
        with torch.no_grad():
            mean, sd = model.encoder(x, y)
            loss = elbo.loss(model.model, poutine.replay(model.guide, trace=at(mean + sd * eps)), x, y)
        assert -loss == pytest.approx(expected.item(), rel=1e-3)


def test_decode_in_the_encoded_pose_draws_what_the_reference_decodes(model, reference):
    z, y = reference["z"], reference["y"]
    with torch.no_grad():
        pose = model.pose(reference["x"], z, torch.ones_like(z), y)
    images = model.decode(z[:, model.pose_latents :], y.argmax(-1), pose["angle"], pose["shift"], pose["scale"])
    torch.testing.assert_close(images.squeeze(1), reference["decoded_prob"], rtol=1e-4, atol=0)
