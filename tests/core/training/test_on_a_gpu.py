"""What a GPU needs of a training, shown on the meta device: it computes nothing, and refuses to tell a value."""

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ssrvae_core.config import UserError
from ssrvae_core.models import build
from ssrvae_core.training import Trainer
from ssrvae_core.training.device import repeatable, within_memory
from ssrvae_core.training.objective import Objective

each_engine = pytest.mark.parametrize("engine", ["none", "marginal", "latent"])
META = torch.device("meta")
CLASSES = 3


class Copies(TorchDispatchMode):
    """Notes every copy between two devices: on CUDA it waits until all that was asked for is done."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        result = operation(*arguments, **(named or {}))
        devices = {part.device.type for part in tree_leaves((arguments, named, result)) if torch.is_tensor(part)}
        if len(devices) > 1 and "copy" in str(operation):
            self.found.append(str(operation))
        return result


class NoLiterals(TorchFunctionMode):
    """Refuses tensors of Python's numbers, which are made on the CPU and copied; the meta device does not show it."""

    def __torch_function__(self, function, types, arguments=(), named=None):
        assert function not in (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)
        return function(*arguments, **(named or {}))


@pytest.fixture
def objective(make_config):
    def make(engine, device, **model):
        config = make_config(engine, model=model)
        return Objective(build(config.model, (1, 12, 12), CLASSES).to(device).train(), config.training)

    return make


@each_engine
@pytest.mark.parametrize("centre", [True, False])
def test_looking_encoding_and_drawing_stay_on_the_device(objective, engine, centre):
    model = objective(engine, META, centre=centre).model.eval()
    images, classes = torch.rand(5, 1, 12, 12, device=META), torch.zeros(5, dtype=torch.long, device=META)
    model.look(images)
    with NoLiterals(), Copies() as copies:
        x = model.look(images)
        z, _ = model.encoder(model.features(x), model.one_hot(classes))
        z = z[:, model.pose_latents :]
        drawn = model.draw(z, model.one_hot(classes), z.new_zeros(5), z.new_zeros(5, 2), z.new_ones(5))
    assert drawn.device == META and drawn.shape == images.shape
    assert copies.found == []


@each_engine
def test_the_elbo_of_labelled_images_asks_the_device_for_nothing(objective, engine):
    trained = objective(engine, META)
    images, y = torch.rand(6, 1, 12, 12, device=META), torch.eye(CLASSES, device=META).repeat(2, 1)
    x = trained.model.look(images)
    with Copies() as copies:
        trained.elbo(x, y, 1.0).backward()
    assert copies.found == []
    assert next(trained.model.encoder.parameters()).grad.device == META


@each_engine
def test_poses_of_any_precision_are_drawn_in_that_of_the_latents(objective, engine):
    model = objective(engine, "cpu").model.eval()
    z, y = torch.randn(2, model.config.latent_dim), torch.tensor([0, 1])
    double = model.decode(z, y, torch.tensor([0.3, 1.0], dtype=torch.float64), torch.ones(2, 2).double(), np.float64(1))
    single = model.decode(z, y, torch.tensor([0.3, 1.0]), torch.ones(2, 2), 1.0)
    assert double.dtype == torch.float32
    torch.testing.assert_close(double, single)


def test_convolutions_are_repeatable_on_cuda_while_a_training_runs(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    for device, asked in (("cuda", True), ("cpu", False)):
        with repeatable(torch.device(device)):
            assert torch.backends.cudnn.deterministic is asked
        assert torch.backends.cudnn.deterministic is False


def test_a_training_asks_for_repeatable_kernels(make_config, make_split, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "ssrvae_core.training.device.repeatable", lambda device: asked.append(device) or repeatable(device)
    )
    next(Trainer(make_config(epochs=1), make_split(), "cpu").fit())
    assert len(asked) == 2, "for the first weights, and for the epoch"


@pytest.mark.parametrize(
    "said", ["CUDA out of memory. Tried to allocate 2 GiB", "MPS backend out of memory", "can't allocate memory: 9"]
)
def test_a_batch_too_large_for_the_device_is_told_in_a_sentence(make_config, make_split, monkeypatch, said):
    def refuse(*arguments, **named):
        raise torch.OutOfMemoryError(said)

    trainer = Trainer(make_config(epochs=1, batch_size=20), make_split(), "cpu")
    monkeypatch.setattr(trainer, "_objective", refuse)
    with pytest.raises(UserError, match=r"^[^.]*memory[^.]*training\.batch_size[^.]*20[^.]*\.$"):
        next(trainer.fit())


def test_other_errors_of_a_device_are_left_as_they_are():
    with pytest.raises(RuntimeError, match=r"^an illegal address$"), within_memory(META, "wait"):
        raise RuntimeError("an illegal address")
