"""Averages of many particles: what they are does not depend on how few images are in memory at a time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ssrvae_core.config import RunConfig
from ssrvae_core.data import file_dataset, load
from ssrvae_core.library import Journal
from ssrvae_core.library.crops import Crops, crops
from ssrvae_core.library.sheets import sheets
from ssrvae_core.runs import RunStore, directory, particle_file
from tests.core.library.conftest import NAMES, make_particles

N, SIDE = 4000, 32


@pytest.fixture(params=["image", "masked"])
def many(request, store, tmp_path):
    """A run whose file has its images in another order than the ids, and its particles."""
    rng = np.random.default_rng(0)
    particles = make_particles(N)
    order = rng.permutation(N)
    images, masks = np.full((N, SIDE, SIDE), 90, np.uint8), np.zeros((N, SIDE, SIDE), bool)
    masks[:, 8:20, 10:26] = True
    images[masks] = rng.integers(100, 220, masks.sum())
    path = tmp_path / "many.npz"
    labels = np.array(NAMES)[particles.predictions.labels[order]]
    np.savez(path, images=images, masks=masks, ids=particles.ids[order], labels=labels)
    config = RunConfig(dataset=file_dataset(path, request.param))
    folder = store.path(config.run_id)
    folder.mkdir(parents=True)
    (folder / directory.CONFIG).write_text(config.model_dump_json())
    directory.write_status(folder, directory.Status(state="finished", class_names=NAMES))
    particle_file.write(folder, particles)
    return RunStore(store.root).get(config.run_id), particles


def test_averages_of_a_file_are_those_of_all_its_images_in_memory(many):
    run, particles = many
    library = Journal(run, particles).read()
    stored = crops(run, particles)
    whole = load(run.dataset)
    whole = whole.take(np.argsort(whole.ids))
    some = np.array([5, 0, N - 1])
    assert np.array_equal(stored.rows(some), whole.images[some])
    taken = stored.images.take(some)
    assert np.array_equal(taken.ids, particles.ids[some]) and np.array_equal(taken.masks, whole.masks[some])
    assert np.array_equal(taken.labels, np.where(particles.part[some] == 1, -1, whole.labels[some]))
    assert np.array_equal(taken.validation, particles.part[some] == 2)
    in_memory = Crops(whole, stored.angle, stored.frame, stored.centre)
    for mine, theirs in zip(sheets(library, particles, stored), sheets(library, particles, in_memory), strict=True):
        assert mine.averaged == theirs.averaged
        assert np.allclose(mine.mean, theirs.mean, atol=1e-6) and np.allclose(mine.variance, theirs.variance, atol=1e-6)


def test_averages_never_hold_all_images_as_floats(many):
    run, particles = many
    library = Journal(run, particles).read()
    sheets(library, particles, crops(run, particles))  # what is imported the first time does not count
    tracemalloc.start()
    try:
        kept = crops(run, particles)
        sheets(library, particles, kept)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    pixels = N * SIDE * SIDE
    assert now < 2.5 * pixels and peak < 4 * pixels, "a byte per pixel and one of the mask, where floats take four"
