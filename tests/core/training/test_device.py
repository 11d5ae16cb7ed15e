"""The device is chosen, or refused with a sentence; randomness is a function of its key."""

import subprocess
import sys

import pytest
import torch

from ssrvae_core.config import UserError
from ssrvae_core.training.device import ENVIRONMENT, choose_device, peak_memory_mb, seeded

CPU = torch.device("cpu")

STEPS = """
import resource, torch
from ssrvae_core.training.device import keep_freed_memory
def step():
    return [torch.ones(n * 50_000).sin() for n in range(1, 40)]
def faults():
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
untouched = faults()
keep_freed_memory()
print(untouched, faults())
"""
"""Print the page faults of steps that take and free blocks of many sizes, before freed memory is kept and after."""


def test_the_environment_chooses_for_auto_and_a_name_overrides_it(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "meta")
    assert choose_device("auto").type == "meta"
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize(("present", "chosen"), [("cuda", "cuda"), ("mps", "mps"), ("xpu", "cpu"), (None, "cpu")])
def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch, present, chosen):
    monkeypatch.delenv(ENVIRONMENT)
    device = None if present is None else torch.device(present)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: device)
    assert choose_device("auto").type == chosen


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cpu:x"])
def test_a_device_that_is_not_there_gives_a_sentence(monkeypatch, name):
    with pytest.raises(UserError, match=rf"^Device '{name}' is not available here; use 'auto', or 'cpu' to be sure\.$"):
        choose_device(name)
    monkeypatch.setenv(ENVIRONMENT, name)
    with pytest.raises(UserError, match="is not available here"):
        choose_device("auto")


def test_peak_memory_is_in_megabytes():
    assert 50 < peak_memory_mb(CPU) < 1e5


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries are left as they are")
def test_memory_that_a_step_frees_serves_the_next_step():
    untouched, kept = map(int, subprocess.check_output([sys.executable, "-c", STEPS]).split())
    assert kept < untouched / 4


def test_random_numbers_are_a_function_of_the_key_and_the_callers_state_stays():
    def numbers(*key):
        with seeded(CPU, *key) as generator:
            return torch.rand(3), torch.rand(3, generator=generator)

    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = numbers(0, 1, 5)
    torch.rand(4)
    again = numbers(0, 1, 5)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    others = [numbers(*key)[0] for key in [(0, 0), (0, 1), (1, 0), (0, 1, 4), (0, 1, 6), (1, 1, 5)]]
    assert not any(torch.equal(first[0], other) for other in others)
    torch.set_rng_state(state)
    with pytest.raises(KeyError), seeded(CPU, 3):
        raise KeyError
    assert torch.equal(torch.get_rng_state(), state)
