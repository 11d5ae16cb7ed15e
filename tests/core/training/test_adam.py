"""The optimiser steps as PyTorch's does, and a training imports nothing that it does not need."""

import subprocess
import sys

import pytest
import torch

from ssrvae_core.training.adam import Adam

RATE = 0.01


def weights():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, requires_grad=True) for shape in [(3, 4), (5,), (2,)]]


def step(optimiser, parameters, times=3):
    for _ in range(times):
        optimiser.zero_grad()
        sum((parameter**4).sum() for parameter in parameters[:2]).backward()  # the third has no gradient
        optimiser.step()


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_are_those_of_pytorch_bit_by_bit(decay):
    ours, theirs = weights(), weights()
    reference = torch.optim.AdamW(theirs, RATE, weight_decay=decay, fused=True) if decay else None
    reference = reference or torch.optim.Adam(theirs, RATE, fused=True)
    optimiser = Adam(ours, RATE, weight_decay=decay)
    step(optimiser, ours)
    step(reference, theirs)
    optimiser.learning_rate = reference.param_groups[0]["lr"] = RATE / 3
    step(optimiser, ours)
    step(reference, theirs)
    for parameter, expected, initial in zip(ours, theirs, weights(), strict=True):
        assert torch.equal(parameter, expected)
        assert parameter.grad is None or not torch.equal(parameter, initial)


@pytest.mark.parametrize("earlier", [Adam, lambda *arguments: torch.optim.Adam(*arguments, fused=True)])
def test_it_goes_on_from_a_state_also_from_one_of_pytorch(earlier):
    """Checkpoints of earlier versions hold PyTorch's."""
    whole, begun = weights(), weights()
    step(Adam(whole, RATE), whole, 5)
    first = earlier(begun, RATE)
    step(first, begun, 2)
    resumed = Adam(begun, 1.0)
    resumed.load_state_dict(first.state_dict())
    step(resumed, begun, 3)
    assert all(torch.equal(parameter, expected) for parameter, expected in zip(begun, whole, strict=True))


def test_a_state_is_not_changed_by_who_goes_on_from_it():
    parameters = weights()
    first = Adam(parameters, RATE)
    step(first, parameters)
    state = first.state_dict()
    before = state["state"][0]["exp_avg"].clone()
    resumed = Adam(parameters, RATE)
    resumed.load_state_dict(state)
    step(resumed, parameters)
    assert torch.equal(state["state"][0]["exp_avg"], before)


def test_a_state_of_other_parameters_is_refused():
    with pytest.raises(ValueError, match="2 parameters"):
        Adam(weights(), RATE).load_state_dict(Adam(weights()[:2], RATE).state_dict())


TRAINING = """
import sys, tempfile
from ssrvae_core.config import RunConfig
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.execute import train_run
train_run(RunConfig.model_validate_json(sys.argv[1]), RunStore(tempfile.mkdtemp()))
print("torch._dynamo" in sys.modules)
"""


def test_a_training_imports_no_compiler(tiny_config):
    command = [sys.executable, "-c", TRAINING, tiny_config(training__epochs=1).model_dump_json()]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
