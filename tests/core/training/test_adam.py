"""The optimiser takes the very steps of torch's, and its processes do not wait for torch's compiler."""

import copy
import subprocess
import sys

import pytest
import torch

from ssrvae_core.training.adam import Adam

TRAINING = """
import sys
from ssrvae_core.config import run_config
from ssrvae_core.data import load, split
from ssrvae_core.training import Trainer
tiny = {"dataset.size": 16, "dataset.train_per_class": 4, "dataset.validation_per_class": 2}
short = {"training.epochs": 1, "training.min_steps": 1}
config = run_config(preset="teaching", labels_per_class=2, settings=tiny | short)
(epoch,) = Trainer(config, split(load(config.dataset), config.split), "cpu").fit()
sys.exit("torch._dynamo" in sys.modules)
"""
"""Train for an epoch; leave with 1 if that has imported the compiler."""


def network() -> torch.nn.Module:
    """Two layers, of which the loss uses the first one alone."""
    torch.manual_seed(0)
    return torch.nn.ModuleList([torch.nn.Linear(5, 4), torch.nn.Linear(4, 3)])


def steps(model, optimiser, numbers):
    """Take a step for each number."""
    for number in numbers:
        optimiser.zero_grad()
        x = torch.linspace(-1, number, 10).view(2, 5)
        model[0](x).pow(2).sum().backward()
        optimiser.step()


def assert_equal(one, other):
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("theirs", "decay"), [(torch.optim.Adam, 0.0), (torch.optim.AdamW, 0.1)], ids=["adam", "decoupled decay"]
)
def test_the_steps_are_those_of_torch_bit_by_bit(theirs, decay):
    ours, reference = network(), network()
    optimiser = Adam(ours.parameters(), 0.01, decay)
    other = theirs(reference.parameters(), lr=0.01, weight_decay=decay, fused=True)
    steps(ours, optimiser, range(3))
    steps(reference, other, range(3))
    optimiser.learning_rate = other.param_groups[0]["lr"] = 0.003
    steps(ours, optimiser, range(3, 6))
    steps(reference, other, range(3, 6))
    assert_equal(ours, reference)
    assert not torch.equal(ours[0].weight, network()[0].weight)
    assert torch.equal(ours[1].weight, network()[1].weight), "what has no gradient stays, whatever the decay"


@pytest.mark.parametrize("saved_by_torch", [True, False])
def test_a_saved_state_is_gone_on_from(saved_by_torch):
    ours, reference = network(), network()
    other = torch.optim.Adam(reference.parameters(), lr=0.01, fused=True)
    first = other if saved_by_torch else Adam(reference.parameters(), 0.01)
    steps(reference, first, range(3))
    ours.load_state_dict(reference.state_dict())
    optimiser = Adam(ours.parameters(), 1.0)
    optimiser.load_state_dict(copy.deepcopy(first.state_dict()))
    assert optimiser.learning_rate == 0.01
    steps(ours, optimiser, range(3, 6))
    steps(reference, first, range(3, 6))
    assert_equal(ours, reference)


def test_a_state_that_was_loaded_is_not_written_to():
    model = network()
    optimiser = Adam(model.parameters(), 0.01)
    steps(model, optimiser, range(2))
    saved = copy.deepcopy(optimiser.state_dict())
    kept = copy.deepcopy(saved)
    optimiser.load_state_dict(saved)
    steps(model, optimiser, range(2))
    for row, own in kept["state"].items():
        assert all(torch.equal(saved["state"][row][name], value) for name, value in own.items())


def test_a_process_that_trains_does_not_wait_for_the_compiler():
    assert subprocess.run([sys.executable, "-c", TRAINING]).returncode == 0
