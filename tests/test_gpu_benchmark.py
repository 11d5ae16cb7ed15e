"""The script for whoever has a GPU for five minutes: it runs to its end here, and notices what it is for."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ssrvae_core.config import run_config
from ssrvae_core.data import load, split
from ssrvae_core.models import build

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
CPU = torch.device("cpu")
SETTINGS = {
    **{"dataset.size": 16, "dataset.train_per_class": 8, "dataset.validation_per_class": 2},
    **{"training.epochs": 2, "training.starts": 1, "training.min_steps": 4, "training.batch_size": 8},
}


@pytest.fixture
def script():
    """Import a script's modules by name, as Python does where the script is started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        patch.setattr(sys, "path", [*sys.path])  # the scripts add to it
        yield importlib.import_module


@pytest.fixture(scope="module")
def small():
    config = run_config(data="cards-b2", model="ss-rvae", labels_per_class=4, settings=SETTINGS)
    return config, split(load(config.dataset), config.split)


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "gpu.py"), *arguments],
        **{"capture_output": True, "text": True, "timeout": 600, "cwd": "/"},
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )


def test_it_runs_to_its_end_without_a_gpu_and_prints_what_goes_on_the_page():
    done = run("--device", "cpu", "--quick")
    assert done.returncode == 0, done.stderr
    first, *parts, last = [
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        for line in done.stdout.splitlines()
    ]
    assert first["machine"]["device"] == "cpu" and first["machine"]["torch"] == torch.__version__
    engines = {"ss-vae", "ss-rvae", "ss-rvae-paper stochastic", "ss-rvae-paper exact"}
    measured = {part: {each["name"] for each in parts if each["part"] == part} for part in ("agreement", "resume")}
    assert measured == {"agreement": engines | {"embedding's stage", "ParticleEmbedding"}, "resume": engines}
    assert all(each["ok"] for each in parts if each["part"] in measured)
    assert all(each["epoch_seconds"] > 0 and each["peak_memory_mb"] > 0 for each in parts if each["part"] == "epoch")
    (esi,) = (each for each in parts if each["part"] == "esi")
    assert esi["hours"] == pytest.approx(esi["epoch_seconds"] * 1000 / 3600)
    assert last["failed"] == [] and last["markdown"] in done.stderr
    assert all(name in last["markdown"] for name in engines) and "benchmarks/gpu.py" in last["markdown"]


def test_what_does_not_fit_the_time_is_left_out_and_named(script, capsys):
    session = script("gpu").Session(CPU, quick=False, seconds=5)
    session.measure("epoch", "ss-rvae", lambda: pytest.fail("there is no time for it"), needs=10)
    (line,) = capsys.readouterr().out.splitlines()
    assert "seconds" in json.loads(line)["skipped"]
    about = {"device_name": "a device", "torch": "2.11", "revision": "abc"}
    assert "Not measured: epoch of ss-rvae." in script("gpu").page(session, about)


def test_what_a_device_cannot_do_is_reported_and_the_rest_goes_on(script, capsys):
    def fail():
        raise NotImplementedError("no such kernel\nand a long explanation")

    session = script("gpu").Session(CPU, quick=True, seconds=5)
    session.measure("resume", "ss-vae", fail)
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is False and result["error"].endswith("no such kernel")


def test_what_is_missing_is_said_in_a_sentence(tmp_path, script, monkeypatch):
    gpu = script("gpu")
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None if name == "pyro" else object())
    assert "pyro-ppl" in gpu.refusal() and gpu.refusal().count(". ") == 0
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(torch, "__version__", "2.9.1+cu126")
    assert "2.11" in gpu.refusal() and "2.9.1" in gpu.refusal()
    monkeypatch.setattr(torch, "__version__", "2.11.0+cu130")
    assert gpu.refusal() is None
    done = run("--device", "cuda:77")
    assert done.returncode == 2 and done.stdout == "" and "cuda:77" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_every_device_draws_the_same_numbers(script):
    agreement = script("gpu_agreement")

    def drawn():
        with agreement.SameDraws(5):
            own = torch.Generator().manual_seed(int(torch.initial_seed()) % 97)
            return [
                torch.rand(3, generator=own, device="cpu"),
                torch.randperm(6, generator=own, device="cpu"),
                torch.distributions.Normal(torch.zeros(2), torch.ones(2)).rsample(),
            ]

    first = drawn()
    torch.rand(11)
    assert all(map(torch.equal, first, drawn()))


@pytest.mark.parametrize("quantity", ["z_mean", "decoded", "elbo_unlabelled", "gradient"])
def test_a_device_that_computes_something_else_does_not_agree(script, small, quantity):
    agreement = script("gpu_agreement")
    config, data = small
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(config.model, data.labelled.image_shape, data.labelled.n_classes)
    said = agreement.asked(model, agreement.Probe.of(data, 6), CPU)
    assert agreement.agrees(agreement.difference(said, said))
    for wrong in (said[quantity] * 1.01, np.full_like(said[quantity], np.nan)):
        assert not agreement.agrees(agreement.difference(said | {quantity: wrong}, said))


def test_single_precision_is_within_the_tolerances_of_double(script, small):
    agreement = script("gpu_agreement")
    found = agreement.engine_agreement(*small, CPU, 6)
    assert found["ok"] and max(found["cpu_off_double"].values()) > 0 and agreement.agrees(found["cpu_off_double"])
    assert 0 < found["training"]["off_by_one_rounding"] < agreement.TRAINING / 5


def test_a_resume_that_is_not_equal_is_noticed(script, small, monkeypatch):
    training = script("gpu_training")
    assert training.resume(*small, CPU) == {"ok": True, "repeated_equal": True, "resumed_equal": True}
    restore = torch.Generator.set_state
    monkeypatch.setattr(
        "ssrvae_core.training.trainer.restore_random_state",
        lambda generator, state: restore(generator, torch.Generator().manual_seed(9).get_state()),
    )
    found = training.resume(*small, CPU)
    assert found == {"ok": False, "repeated_equal": True, "resumed_equal": False, "not_deterministic": []}
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_epoch_that_takes_too_long_is_told_by_its_steps(script, small):
    config, data = small
    training = script("gpu_training")
    cut = training.epoch_seconds(config, data, CPU, seconds=0.0, epochs=2)
    assert cut["whole_epochs"] == 0 and cut["epoch_seconds"] == pytest.approx(cut["step_seconds"] * cut["steps"])
    whole = training.epoch_seconds(config, data, CPU, seconds=100, epochs=2)
    assert whole["whole_epochs"] == 2 and whole["steps"] == 4 and whole["images"] == 32
