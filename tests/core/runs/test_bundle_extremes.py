"""What a training can produce can be shared, up to the ends of what the settings allow."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import DATASETS, RunConfig, run_config
from ssrvae_core.data import load
from ssrvae_core.records import Snapshot
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.bundle import check, export, export_bundle, import_bundle
from ssrvae_core.runs.execute import train_run


def brought(run, store):
    out = io.BytesIO()
    export_bundle([run], out)
    import_bundle(out.getvalue(), store)
    return store.get(run.id), zipfile.ZipFile(out)


def a_few(dataset):
    return load(dataset.model_copy(update={"train_per_class": 4, "validation_per_class": 2}))


@pytest.mark.parametrize("size", [256, 512])
def test_a_run_at_the_ends_of_the_settings_comes_through(size, tiny_config, tmp_path, store):
    config = tiny_config(
        dataset__size=size,
        dataset__train_per_class=DATASETS["cards-b2"].train_per_class,
        dataset__validation_per_class=DATASETS["cards-b2"].validation_per_class,
        model__latent_dim=64,
        model__hidden=[2] * 40,
        training__epochs=2,
        training__batch_size=4,
        training__labelled_batch_size=4,
        training__tracked=10**9,
    ).model_copy(update={"seed": 2**32 - 1})
    config = config.model_copy(update={"split": config.split.model_copy(update={"labels_per_class": 1})})
    run = train_run(RunConfig.model_validate(config.model_dump()), RunStore(tmp_path / "own"), loader=a_few)
    there, _ = brought(run, store)
    assert there.config == run.config
    assert len(there.snapshots()) == 2


@pytest.mark.parametrize("preset", ["fast", "esi", "notebook-a", "notebook-b", "teaching"])
@pytest.mark.parametrize("data", DATASETS)
def test_no_preset_has_a_configuration_that_cannot_be_shared(preset, data):
    config = run_config(preset=preset, data=data, settings={"dataset.size": 512} if data != "digits" else {})
    check._config(config.model_dump_json().encode())


def a_copy(run, tmp_path):
    import shutil

    store = RunStore(tmp_path / "own")
    shutil.copytree(run.path, store.path(run.id))
    return store.get(run.id)


def test_a_film_that_is_too_long_for_a_bundle_goes_with_fewer_epochs(finished, tmp_path, store, monkeypatch):
    run = a_copy(finished, tmp_path)
    frames = run.snapshots()
    assert len(frames) == 4
    each = frames[0][1].z_mean.nbytes + frames[0][1].class_prob.nbytes
    room = export._HEADERS + 8 * len(frames) + frames[0][1].ids.nbytes
    monkeypatch.setitem(check.LARGEST, directory.SNAPSHOTS, room + 3 * each)
    there, _ = brought(run, store)
    kept = [epoch for epoch, _ in there.snapshots()]
    assert len(kept) == 3
    assert (kept[0], kept[-1]) == (1, 4)
    monkeypatch.setitem(check.LARGEST, directory.SNAPSHOTS, room + each)
    assert export._few(frames) == []
    assert export._few([]) == []


def test_a_film_of_many_epochs_and_classes_has_room():
    snapshot = Snapshot(np.arange(1000), np.zeros((1000, 64), np.float32), np.zeros((1000, 20), np.float32))
    kept = export._few([(epoch, snapshot) for epoch in range(1, 1001)])
    assert 500 < len(kept) < 1000
    assert (kept[0][0], kept[-1][0]) == (1, 1000)
    size = len(kept) * (snapshot.z_mean.nbytes + snapshot.class_prob.nbytes)
    assert size < check.LARGEST[directory.SNAPSHOTS]


def test_a_manifold_that_is_too_large_for_a_bundle_is_drawn_again_there(finished, tmp_path, store, monkeypatch):
    run = a_copy(finished, tmp_path)
    monkeypatch.setitem(check.LARGEST, directory.MANIFOLD, 1000)
    there, bundle = brought(run, store)
    assert f"{run.id}/manifold.npz" not in bundle.namelist()
    from ssrvae_core.runs.manifold import manifold

    np.testing.assert_array_equal(manifold(there, "cpu"), manifold(run, "cpu"))


def test_the_evaluation_of_a_thousand_classes_has_room():
    k = check.MAX_CLASSES
    values = {"confusion": [[10**6] * 3 + [0] * (k - 3)] * k}
    assert len(json.dumps(values, indent=2)) < check.LARGEST[directory.STATUS]


def test_factors_with_long_names_or_many_of_them_do_not_stop_an_export(finished, tmp_path, store):
    run = a_copy(finished, tmp_path)
    said = run.predictions()
    one = np.arange(len(said), dtype=np.float32)
    names = ["\u5927" * 60, "n" * 200, "line\nbreak", "n" * 1000, *(f"f{i}" for i in range(80))]
    directory.write_predictions(run.path, replace(said, factors=dict.fromkeys(names, one)))
    there, _ = brought(run, store)
    assert there.predictions().factors.keys() == set(names) - {"line\nbreak", "n" * 1000}


def test_one_image_that_a_second_look_takes_otherwise_is_no_forgery(finished, tmp_path, store):
    """The evaluation is of a second pass, in which two classes that are all but level may change places."""
    run = a_copy(finished, tmp_path)
    said = run.predictions()
    at = int(np.flatnonzero(said.class_prob.argmax(axis=1) == said.labels)[0])
    class_prob = said.class_prob.copy()
    class_prob[at] = np.roll(class_prob[at], 1)
    directory.write_predictions(run.path, replace(said, class_prob=class_prob))
    assert brought(run, store)[0].id == run.id
