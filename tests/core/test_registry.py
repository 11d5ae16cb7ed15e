"""What is added in one place works everywhere, or one sentence says what is missing."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sys

import numpy as np
import pytest

from ssrvae_core.config import DATASETS, MODELS, PRESETS, DatasetConfig, RunConfig, UserError, applies, run_config
from ssrvae_core.data import ImageSet, load
from ssrvae_core.registry import PLUGINS, RIVALS, SOURCES, RivalSpec, SourceSpec, load_plugins, rival_title
from ssrvae_core.relevance import NOT_GENERATED
from ssrvae_core.reports.wording import disorder_text
from ssrvae_core.runs import jobs as queueing
from ssrvae_core.runs import worker
from ssrvae_core.runs.comparison import RESULT, list_rivals, rival_id, rival_result
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.job import LOCK
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.sweep import SweepSpec, run_sweep

PLUGIN = """
import numpy as np
from ssrvae_core.data import ImageSet
from ssrvae_core.registry import RIVALS, SOURCES

def stripes(config):
    rng = np.random.default_rng(config.seed)
    labels = np.arange(40) % 2
    images = rng.random((40, 1, 16, 16)).astype("float32") * 0.5
    images[labels == 1, :, ::2] += 0.5
    return ImageSet(images, labels, np.arange(40), ("plain", "striped"))

class Even:
    parameters = {}
    def predict_proba(self, images):
        return np.full((len(images), 2), 0.5)

SOURCES["stripes"] = stripes
RIVALS["even-odds"] = lambda data, seed, device: Even()
"""
SETTINGS = {
    "model.channels": [4, 4],
    "model.hidden": [8],
    "model.radii": 6,
    "model.angles": 8,
    "training.epochs": 1,
    "training.starts": 1,
    "training.min_steps": 1,
}
SPEC = SweepSpec(data="stripes", models="ss-rvae", labels_per_class=5, rivals="even-odds", settings=SETTINGS)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A module of the user's that adds a source and a method, which this process and its children can import."""
    (tmp_path / "my_lab.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv(PLUGINS, "my_lab")
    load_plugins()
    yield "my_lab"
    sys.modules.pop("my_lab")
    SOURCES.pop("stripes")
    RIVALS.pop("even-odds")


def stripes(config):
    labels = np.arange(40) % 2
    images = np.zeros((40, 1, 16, 16), np.float32)
    images[labels == 1, :, ::2] = 1
    return ImageSet(images, labels, np.arange(40), ("plain", "striped"))


LATER = {
    "model.second_opinion": False,
    "training.gauge_weight": 0.0,
    "training.generative_shear": False,
    "training.labelled_epochs": 0,
}
"""What switches off that is younger than the ids below."""


def as_it_was(**options):
    """The configuration of these names without what is younger than the ids below."""
    config = run_config(**options)
    off = {name: value for name, value in LATER.items() if applies(config, name)}
    if options.get("preset", "fast") == "fast":
        off["training.min_steps"] = 100  # the preset has fewer since
        off |= {"training.epochs": 8} if options.get("data") == "digits" else {}  # and more epochs of digits
    return run_config(**options | {"settings": options.get("settings", {}) | off})


def test_the_ids_of_what_there_was_stay_as_they_were():
    named = ("cards-a", "cards-b1", "cards-b2", "cards-teaching", "particles", "digits")
    ids = {}
    for preset, model, data in itertools.product(PRESETS, MODELS, named):
        ids[f"{preset} {model} {data}"] = as_it_was(preset=preset, model=model, data=data).run_id
        changed = {"labelled_ratio": 0.05, "seed": 3, "settings": {"model.latent_dim": 3}}
        ids[f"{preset} {model} {data} r"] = as_it_was(preset=preset, model=model, data=data, **changed).run_id
    for model in MODELS:
        file = DatasetConfig(source="file", path="a.npz", sha256="aa")
        ids[f"file {model}"] = as_it_was(model=model, dataset=file, labels_per_class=5).run_id
    for rival in RIVALS:
        ids[rival] = rival_id(run_config(), rival)
    digest = hashlib.sha256(json.dumps(ids, sort_keys=True).encode()).hexdigest()
    assert (len(ids), digest[:16]) == (192, "bfa787ad4b442e63")


@pytest.mark.parametrize("name", SOURCES)
def test_what_a_source_declares_is_so(name):
    spec = SOURCES[name]
    if name in NOT_GENERATED:
        assert not spec.poses_known and not spec.validates
        return
    per_class = {} if spec.most_per_class is None else {"train_per_class": spec.most_per_class - 4}
    config = DatasetConfig(source=name, size=16, **({"train_per_class": 3} | per_class), validation_per_class=4)
    images = load(config)
    assert spec.validates == bool(images.validation is not None and images.validation.any())
    assert spec.generated == (images.as_labelled is not None)
    assert spec.masks == (images.masks is not None)
    if spec.most_per_class is not None:
        with pytest.raises(UserError, match=str(spec.most_per_class)):
            load(config.model_copy(update={"validation_per_class": 5}))


def test_of_a_source_that_declares_nothing_nothing_is_taken_for_granted(monkeypatch):
    monkeypatch.setitem(SOURCES, "stripes", stripes)
    config = run_config(data="stripes", settings={"dataset.unlabelled.shear": 20})
    assert config.model.angle_prior_labelled == "uniform"
    assert config.training.augmentation.shear == RunConfig().training.augmentation.shear
    assert applies(config, "split.validation_fraction") and applies(config, "split.seed")
    assert disorder_text(config.dataset) == ""


def test_a_source_whose_poses_are_declared_is_taken_at_its_word(monkeypatch):
    monkeypatch.setitem(SOURCES, "stripes", SourceSpec(stripes, posed=True, own_validation=True))
    config = run_config(data="stripes", settings={"dataset.unlabelled.shear": 20})
    assert config.model.angle_prior_labelled == "von_mises"
    assert config.training.augmentation.shear == 20
    assert not applies(config, "split.validation_fraction")


def test_an_unknown_source_declares_nothing():
    assert run_config(dataset=DatasetConfig(source="crystals")).model.angle_prior_labelled == "uniform"


def test_a_source_is_a_data_set_of_its_own_name_until_a_named_one_has_it(monkeypatch):
    monkeypatch.setitem(SOURCES, "stripes", stripes)
    assert "stripes" in DATASETS and DATASETS["stripes"] == DatasetConfig(source="stripes")
    assert run_config(data="stripes").split.labels_per_class is None
    monkeypatch.setitem(DATASETS, "wide-stripes", DatasetConfig(source="stripes", size=64))
    assert "stripes" not in DATASETS and run_config(data="wide-stripes").dataset.size == 64
    assert set(DATASETS).isdisjoint(NOT_GENERATED)


def test_a_function_in_the_place_of_a_known_method_keeps_title_and_version(monkeypatch):
    before = RIVALS["knn"]
    monkeypatch.setitem(RIVALS, "knn", lambda data, seed, device: None)
    assert (RIVALS["knn"].title, RIVALS["knn"].version) == (before.title, before.version)


@pytest.mark.parametrize(("name", "entry"), [("a,b", len), ("a.b", len), ("", len), ("Übung", len), ("fine", 3)])
def test_an_entry_that_could_not_work_is_refused_in_a_sentence(name, entry):
    with pytest.raises(UserError, match="entry"):
        RIVALS[name] = entry
    assert name not in RIVALS


def test_a_run_on_a_source_of_ones_own_is_trained_and_judged(monkeypatch, store):
    monkeypatch.setitem(SOURCES, "stripes", stripes)
    run = train_run(run_config(data="stripes", labels_per_class=5, settings=SETTINGS), store)
    assert run.status.validation["n"] == 10 and run.data_name == "stripes"


def test_other_processes_know_what_a_plugin_adds(plugin, store):
    sweep = run_sweep(SPEC, store, workers=1, device="cpu")
    assert [(row["model"], row["state"]) for row in sweep.rows] == [("ss-rvae", "finished"), ("even-odds", "finished")]
    assert rival_title("even-odds") == "Even odds"


def test_what_only_this_process_knows_is_a_sentence_that_says_how_others_would(plugin, store, monkeypatch):
    monkeypatch.delenv(PLUGINS)
    sweep = run_sweep(SPEC, store, workers=1, device="cpu")
    for row in sweep.rows:
        assert row["state"] == "failed" and PLUGINS in row["error"]
        assert "stripes" in row["error"] or "even-odds" in row["error"]


def test_a_module_that_cannot_be_imported_is_named(monkeypatch, complaint_of):
    monkeypatch.setenv(PLUGINS, "no_such_lab")
    said = complaint_of("list")
    assert "no_such_lab" in said and PLUGINS in said and "PYTHONPATH" in said


def test_a_job_that_lacks_a_module_fails_with_its_name(monkeypatch, store, tiny_config):
    monkeypatch.setattr(queueing, "ensure_dispatcher", lambda store: None)
    monkeypatch.setattr(worker, "ensure_dispatcher", lambda store: None)
    job = JobQueue(store).submit(config=tiny_config())
    monkeypatch.setenv(PLUGINS, "no_such_lab")
    with pytest.raises(UserError), locked(job.path / LOCK, wait=False) as lock:
        worker.work(store, job.id, lock)
    failed = JobQueue(store).get(job.id)
    assert failed.state == "failed" and "no_such_lab" in failed.error


def test_a_method_from_elsewhere_goes_by_its_name_if_that_is_one(plugin, store, tiny_config, monkeypatch):
    config = run_config(data="stripes", labels_per_class=5, settings=SETTINGS)
    result = rival_result(config, "even-odds", store)
    assert rival_title("nobody-knows") == "nobody-knows"
    path = result.path / RESULT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rival": "<b>x</b>"}))
    assert list_rivals(store) == []


def test_a_declared_method_has_its_title(monkeypatch):
    monkeypatch.setitem(RIVALS, "mine", RivalSpec(len, title="My method", version=3))
    assert rival_title("mine") == "My method"
