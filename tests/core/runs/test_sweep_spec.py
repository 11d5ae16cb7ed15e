from pathlib import Path

import numpy as np
import pytest

from ssrvae_core.config import DATASETS, DEMO_MODELS, SWEEP_LABELS, UserError, run_config
from ssrvae_core.data import load, split
from ssrvae_core.runs.sweep import SweepSpec, read_spec

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_a_sweep_is_every_combination_in_the_order_of_the_table():
    spec = SweepSpec(data=["digits", "cards-b1"], models=["ss-vae", "ss-rvae"], labels_per_class=[2, 5], seeds=[0, 1])
    seen = [(task.data, task.model, task.config.split.labels_per_class, task.config.seed) for task in spec.tasks()]
    assert seen == [
        (data, model, labels, seed)
        for data in ("digits", "cards-b1")
        for model in ("ss-vae", "ss-rvae")
        for labels in (2, 5)
        for seed in (0, 1)
    ]
    assert len({config.run_id for config in spec.configs()}) == 16


def test_a_single_value_is_a_list_of_one_and_the_preset_says_the_rest():
    (task,) = SweepSpec(preset="teaching", labelled_ratios=0.05, seeds=3).tasks()
    assert (task.data, task.model, task.config.seed) == ("cards-teaching", "ss-rvae", 3)
    expected = run_config(preset="teaching", labelled_ratio=0.05, seed=3)
    assert task.config.training == expected.training


def test_a_rival_is_fitted_once_for_all_models(tiny_settings):
    spec = SweepSpec(models=["ss-vae", "ss-rvae"], labels_per_class=5, seeds=[0, 1], rivals=["knn"])
    rivals = [task for task in spec.tasks() if task.rival]
    assert [(task.model, task.config.seed) for task in rivals] == [("knn", 0), ("knn", 1)]
    assert len(spec.configs()) == 4


def test_fewer_labels_are_part_of_more(tiny_settings):
    spec = SweepSpec(labelled_ratios=[0.5, 0.1, 0.25], settings=tiny_settings)
    few, more, many = (
        set(split(load(config.dataset), config.split).labelled.ids)
        for config in sorted(spec.configs(), key=lambda config: config.split.labelled_ratio)
    )
    assert few < more < many


def test_a_setting_goes_to_the_models_that_use_it():
    spec = SweepSpec(models=["ss-vae", "ss-rvae"], labels_per_class=5, settings={"model.radii": 7})
    plain = SweepSpec(models=["ss-vae", "ss-rvae"], labels_per_class=5)
    (vae, rvae), (same, _) = spec.configs(), plain.configs()
    assert rvae.model.radii == 7
    assert vae.run_id == same.run_id


def test_the_id_is_that_of_the_content_and_not_of_the_order_or_the_place(tmp_path):
    copy = tmp_path / "tiny_particles.npz"
    copy.write_bytes((EXAMPLES / "tiny_particles.npz").read_bytes())
    spec = SweepSpec(data=str(copy), seeds=[0, 1])
    assert spec.sweep_id == SweepSpec(data=str(EXAMPLES / "tiny_particles.npz"), seeds=[1, 0]).sweep_id
    assert spec.sweep_id != SweepSpec(data=str(copy), seeds=[0, 2]).sweep_id
    assert spec.sweep_id != SweepSpec(data=str(copy), seeds=[0, 1], rivals=["knn"]).sweep_id


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("models: [vae]", "no model called 'vae'"),
        ("data: [nothing.npz]", "no file"),
        ("rivals: [svm]", "no rival called 'svm'"),
        ("preset: slow", "no preset called 'slow'"),
        ("seeds: []", "seeds: there is none; write at least one"),
        ("seeds:", "seeds: there is none; write at least one"),
        ("seeds: true", "seeds: true is not a number"),
        ("seeds: [0, yes]", "seeds: true is not a number"),
        ("seeds: [-1]", "seeds: -1 is not a seed"),
        ("seeds: [0]\nmodels: [ss-vae]\nseeds: [1]", "line 3 has 'seeds' a second time"),
        ("settings: {model.radii: 7, model.radii: 8}", "line 1 has 'model.radii' a second time"),
        ("settings: {seed: 3}", "settings: seed cannot be set here; a sweep has seeds for it"),
        ("settings: {split.seed: 3}", "split.seed cannot be set here; a sweep has seeds for it"),
        ("settings: {split.labels_per_class: 3}", "a sweep has labels_per_class for it"),
        ("settings: {split.labelled_ratio: 0.5}", "a sweep has labelled_ratios for it"),
        ("settings: {split.by_group: true}", "a sweep has by_group for it"),
        ("settings: {split: {seed: 1}}", "split cannot be set here"),
        (
            "settings: {split.labels_per_class: null}\nlabelled_ratios: 0.1",
            "asks for every label, and a field for some",
        ),
        ("labels_per_class: [0]", "labels_per_class: 0 is not a number of labels"),
        ("seeds: [0, 0]", "0 is there 2 times"),
        ("ratios: [0.1]", "There is no field 'ratios'; the fields are data, models, labelled_ratios"),
        ("labelled_ratios: [2]", "labelled_ratios: 2.0 is not a share of the images"),
        ("labelled_ratios: [0.1]\nlabels_per_class: [3]", "not both"),
        ("settings: {model.disc: 0.5}\nmodels: [ss-vae]", "model.disc does nothing in any run"),
        ("settings: {model.size: 3}", "no setting 'model.size'"),
        ("- 3", "is not a sweep"),
        ("a: [", "is not YAML in line 1, column 5: expected the node content"),
        ("a: \x00", "is not YAML: "),
    ],
)
def test_a_wrong_specification_is_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_spec(path).tasks()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["seeds: []", "ratios: 1", "labelled_ratios: 2", "labelled_ratios: 1\nlabels_per_class: 3", "seeds: 1\nseeds: 2"],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name_and_without_its_content(tmp_path, text):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_spec(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and "{" not in said and "(got" not in said


def test_an_empty_field_says_nothing(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("rivals:\nsettings:\ndata:\nseeds: [1]\n")
    assert read_spec(path) == SweepSpec(seeds=(1,))


def test_a_data_set_is_called_as_its_runs_are(tiny_settings):
    spec = SweepSpec(data=["cards-b2", "digits"], settings={"dataset.size": 16})
    assert [task.data for task in spec.tasks()] == ["cards (changed)", "digits (changed)"]
    assert [task.data for task in SweepSpec(data=["cards-b2"]).tasks()] == ["cards-b2"]


def test_two_data_sets_that_are_changed_to_one_name_stay_apart():
    spec = SweepSpec(data=["cards-a", "cards-b2"], settings={"dataset.size": 16})
    assert [task.data for task in spec.tasks()] == ["cards-a (changed)", "cards-b2 (changed)"]


def test_a_missing_specification_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml cannot be opened"):
        read_spec(tmp_path / "none.yaml")


def test_two_files_of_one_name_are_refused(tmp_path):
    paths = [tmp_path / folder / "images.npz" for folder in "ab"]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        np.savez(path, images=np.random.default_rng(number).random((4, 8, 8)), labels=[0, 0, 1, 1])
    with pytest.raises(UserError, match=r"called 'images\.npz'"):
        SweepSpec(data=[str(path) for path in paths]).tasks()


def test_paths_are_relative_to_the_specification(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = read_spec(EXAMPLES / "sweep.yaml")
    assert {task.data for task in spec.tasks()} == {"tiny_particles.npz"}
    assert len(spec.configs()) == 8


def test_the_sweep_for_a_classroom_goes_over_the_labels_that_the_slider_offers():
    spec = read_spec(EXAMPLES / "labels.yaml")
    assert spec.labels_per_class == SWEEP_LABELS and spec.models == DEMO_MODELS and len(spec.seeds) == 3
    configs = spec.configs()
    assert len(configs) == 36 and {task.data for task in spec.tasks()} == {"particles-teaching"}
    (dataset,) = {config.dataset for config in configs}
    assert dataset == DATASETS["particles-teaching"]
    assert max(SWEEP_LABELS) <= dataset.train_per_class / 2, "most images stay unlabelled"
