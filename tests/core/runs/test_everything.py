"""What a run says of every image of its data: labelled, unlabelled and validation ones."""

import shutil
import tracemalloc
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.data import load, split
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.readers import file_dataset
from ssrvae_core.data.split import Positions
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.models import build
from ssrvae_core.records import PARTS
from ssrvae_core.runs import RunStore, directory, everything, particle_file
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.files import remove_directory
from ssrvae_core.runs.stopping import Stopped
from tests.core.runs.test_particle_file import assert_same


@pytest.fixture
def older(finished, tmp_path):
    """A run of an earlier version, which told of its validation images alone; yours to change."""
    path = tmp_path / "older" / finished.id
    shutil.copytree(finished.path, path)
    (path / directory.PARTICLES).unlink()
    return RunStore(path.parent).get(finished.id)


def test_every_image_has_a_row_in_the_order_of_the_ids_and_knows_its_part(finished):
    images = load(finished.config.dataset)
    data, particles = split(images, finished.config.split), finished.particles()
    np.testing.assert_array_equal(particles.ids, np.sort(images.ids))
    for number, part in enumerate((data.labelled, data.unlabelled, data.validation)):
        np.testing.assert_array_equal(particles.ids[particles.part == number], np.sort(part.ids), PARTS[number])
    np.testing.assert_array_equal(
        particles.predictions.labels, images.labels
    )  # hidden from training, known all the same
    assert np.isfinite(particles.outlier_score).all()


def test_it_is_what_the_model_says_of_each_part_as_it_is_trained_on(finished):
    data, particles = split(load(finished.config.dataset), finished.config.split), finished.particles()
    for part in (data.labelled, data.unlabelled, data.validation):
        said, rows = predict(finished.model("cpu"), part), np.searchsorted(particles.ids, part.ids)
        for name in ("class_prob", "z_mean", "z_sd", "angle", "concentration", "log_likelihood"):
            stored = getattr(particles.predictions, name)[rows]
            np.testing.assert_allclose(stored, getattr(said, name), rtol=1e-3, atol=1e-4, err_msg=name)
        np.testing.assert_array_equal(particles.predictions.factors["shear_x"][rows], part.factors["shear_x"])


def test_of_the_validation_images_it_says_what_the_run_was_judged_by(finished):
    particles, judged = finished.particles(), finished.predictions()
    rows = np.searchsorted(particles.ids, judged.ids)
    np.testing.assert_array_equal(particles.predictions.class_prob[rows], judged.class_prob)
    assert (particles.part[rows] == PARTS.index("validation")).all()


def test_an_older_run_is_told_of_afterwards_as_one_that_has_just_ended(older, finished):
    assert older.particles() is None
    told = []
    made = everything.write_particles(older, "cpu", between=lambda done, n: told.append((done, n)))
    assert_same(older.particles(), made)
    assert told[0] == (0, len(made)) and all(done <= n for done, n in told)
    ended = finished.particles()
    np.testing.assert_array_equal(made.part, ended.part)
    np.testing.assert_allclose(made.predictions.class_prob, ended.predictions.class_prob, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(made.outlier_score, ended.outlier_score, rtol=1e-2, atol=1e-2)


def test_a_viewer_s_store_is_not_written_to(older, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    before = sorted(file.name for file in older.path.iterdir())
    assert len(everything.write_particles(older, "cpu"))
    assert sorted(file.name for file in older.path.iterdir()) == before


def test_work_that_is_stopped_between_two_batches_leaves_no_file(older):
    def stop(done, n):
        raise Stopped("cancelled")

    with pytest.raises(Stopped):
        everything.write_particles(older, "cpu", between=stop)
    assert older.particles() is None


def test_a_store_that_cannot_be_written_is_a_sentence(older):
    particles = everything.write_particles(older, "cpu")
    remove_directory(older.path)
    with pytest.raises(UserError, match="cannot be written"):
        everything.keep(older, particles)


def test_an_unfinished_run_has_no_particles_and_can_give_none(tiny_config, store):
    run = train_run(tiny_config(), store, should_stop=lambda: True)
    assert run.status.state == "cancelled" and run.particles() is None
    with pytest.raises(UserError, match="train it to the end"):
        everything.write_particles(run)


def test_what_a_process_that_is_killed_between_weights_and_particles_leaves_is_completed(
    tiny_config, store, finished, tmp_path, monkeypatch
):
    left = RunStore(tmp_path / "left")

    def look(*given):
        shutil.copytree(store.root, left.root)  # what is on disk at this moment
        return classify(*given)

    classify = everything.classify
    monkeypatch.setattr(everything, "classify", look)
    run = train_run(tiny_config(), store)
    monkeypatch.setattr(everything, "classify", classify)
    assert (left.path(run.id) / directory.WEIGHTS).exists()
    assert left.find(run.config).particles() is None
    completed = train_run(tiny_config(), left)
    assert completed.status.state == "finished"
    assert [line["epoch"] for line in completed.metrics()] == [1, 2, 3, 4]
    for whole in (completed, run):
        assert_same(whole.particles(), finished.particles())


@pytest.mark.parametrize("end", [KeyboardInterrupt(), Stopped("cancelled")])
def test_a_run_that_is_stopped_while_all_images_are_classified_goes_on(tiny_config, store, monkeypatch, end):
    def ending(*_):
        raise end

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(everything, "classify", ending)
        train_run(tiny_config(), store)
    stopped = store.find(tiny_config())
    assert stopped.status.state in ("interrupted", "cancelled") and stopped.particles() is None
    assert train_run(tiny_config(), store).particles() is not None


def test_a_cancelled_classification_ends_before_the_next_batch(tiny_config, store, monkeypatch):
    monkeypatch.setattr(everything, "CHUNK", 10)
    path, batches = store.path(tiny_config().run_id), []

    def cancelling(*_):
        batches.append(1)
        (path / directory.CANCEL).touch()
        return original(*_)

    original = everything._Rows.of
    monkeypatch.setattr(everything._Rows, "of", staticmethod(cancelling))
    run = train_run(tiny_config(), store)
    assert run.status.state == "cancelled"
    assert len(batches) == 1


def image_file(path, n=24, side=16, **fields):
    rng = np.random.default_rng(0)
    masks = np.zeros((n, side, side), bool)
    masks[:, 4:12, 4:12] = True
    given = {
        "images": rng.integers(0, 256, (n, side, side), dtype=np.uint8),
        "labels": np.where(np.arange(n) % 4 < 3, np.arange(n) % 2, -1),
        "class_names": np.array(["cube", "rod"]),
        "groups": np.array([f"m{i % 3}" for i in range(n)]),
        "names": np.array([f"crop {i}.png" for i in range(n)]),
        "ids": np.arange(n)[::-1] * 3,
        "masks": masks,
    }
    np.savez(path, **{name: values for name, values in (given | fields).items() if values is not None})
    return file_dataset(path)


def trained_on(tiny_config, store, dataset):
    base = tiny_config()
    rule = base.split.model_copy(update={"labels_per_class": None, "by_group": False})
    return train_run(base.model_copy(update={"dataset": dataset, "split": rule}), store)


def test_names_micrographs_and_sizes_come_from_the_data(tiny_config, store, tmp_path):
    run = trained_on(tiny_config, store, image_file(tmp_path / "crops.npz"))
    particles = run.particles()
    assert particles.ids.tolist() == sorted(np.arange(24) * 3)
    assert particles.names[0] == "crop 23.png" and particles.names[-1] == "crop 0.png"
    assert [particles.group_names[group] for group in particles.groups[:3]] == ["m2", "m1", "m0"]
    assert particles.size_unit == "px"
    np.testing.assert_allclose(particles.size, 2 * np.sqrt(64 / np.pi), rtol=1e-6)
    assert (particles.predictions.labels == -1).sum() == 6
    (run.path / directory.PARTICLES).unlink()
    assert_close(everything.write_particles(run, "cpu"), particles)


def assert_close(one, other):
    left, right = particle_file.arrays_of(one), particle_file.arrays_of(other)
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_allclose(left[name], right[name], rtol=1e-2, atol=1e-2, err_msg=name)


@pytest.mark.parametrize(("unknown", "unit"), [(False, "nm"), (True, "px")])
def test_sizes_are_in_nanometres_where_every_pixel_size_is_known(tiny_config, store, tmp_path, unknown, unit):
    pixel_size = np.full((24, 2), 0.5)
    if unknown:
        pixel_size[3] = np.nan
    run = trained_on(tiny_config, store, image_file(tmp_path / "crops.npz", pixel_size=pixel_size))
    particles = run.particles()
    assert particles.size_unit == unit
    wanted = 2 * np.sqrt(64 / np.pi) * (1 if unknown else 0.5)
    np.testing.assert_allclose(particles.size, wanted, rtol=1e-6)


def test_data_without_masks_names_and_groups_have_none(tiny_config, store, tmp_path):
    run = trained_on(tiny_config, store, image_file(tmp_path / "c.npz", masks=None, names=None, groups=None))
    particles = run.particles()
    assert (particles.size, particles.size_unit, particles.groups, particles.names) == (None, None, None, None)


def test_a_model_gets_the_masks_that_its_second_opinion_needs(finished, monkeypatch):
    model, images = finished.model("cpu"), load(finished.config.dataset)
    encode, given = type(model).encode, []
    monkeypatch.setattr(
        type(model), "encode", lambda self, x, masks=None, **more: given.append(masks) or encode(self, x, masks, **more)
    )
    masks = np.ones((len(images), 16, 16), bool)
    everything.classify_split(model, split(replace(images, masks=masks, as_labelled=None), finished.config.split))
    assert all(some.shape == (100, 16, 16) for some in given)


def test_no_image_is_held_twice(finished, monkeypatch):
    """Two thousand images more take some hundred bytes more of each, where an image has thousands."""
    monkeypatch.setattr(everything, "CHUNK", 100)
    model, side = build(finished.config.model, (1, 32, 32), 4).eval(), 32

    def peak(n):
        images = ImageSet(np.zeros((n, 1, side, side), np.float32), np.arange(n) % 4, np.arange(n), tuple("abcd"))
        rows = np.arange(n)
        at = Positions(rows[: n // 10], rows[n // 10 : n // 2], rows[n // 2 :])
        tracemalloc.start()
        try:
            everything.classify(model, everything.blocks_of(images, at))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(400)  # what is loaded once
    few, many = peak(400), peak(2400)
    assert (many - few) / 2000 < 400 < side * side * 4
