"""A run of six hundred particles that was never trained: its files are written as a training would write them."""

import numpy as np
import pytest

from ssrvae_core.config import DatasetConfig, RunConfig
from ssrvae_core.records import Particles, Predictions
from ssrvae_core.runs import directory, particle_file
from ssrvae_core.runs.store import RunStore

NAMES = ("cubes", "spheres", "rods")


def make_particles(n=60, k=3, seed=0, groups=6):
    """Random particles: a sixth is labelled, a sixth held out, and three of four are told right."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    predicted = np.where(rng.random(n) < 0.75, labels, (labels + 1) % k)
    prob = np.full((n, k), 0.2 / (k - 1), dtype=np.float32)
    prob[np.arange(n), predicted] = 0.8
    part = np.tile([0, 1, 1, 1, 1, 2], -(-n // 6))[:n].astype(np.int8)
    predictions = Predictions(
        ids=np.arange(n, dtype=np.int64) * 3 + 10,
        labels=labels,
        class_prob=prob,
        z_mean=rng.normal(size=(n, 2)).astype(np.float32),
        z_sd=np.ones((n, 2), dtype=np.float32),
        angle=rng.uniform(-3, 3, n).astype(np.float32),
        concentration=np.ones(n, dtype=np.float32),
        log_likelihood=rng.normal(size=n).astype(np.float32),
    )
    return Particles(
        predictions=predictions,
        part=part,
        outlier_score=np.abs(rng.normal(size=n)).astype(np.float32),
        groups=np.arange(n) % groups,
        group_names=tuple(f"m{g}.tif" for g in range(groups)),
        names=tuple(f"m{i % groups}/{i}.png" for i in range(n)),
        size=rng.uniform(5, 9, n).astype(np.float32),
        size_unit="nm",
    )


@pytest.fixture
def particles():
    return make_particles()


@pytest.fixture
def run(store, particles):
    """A finished run with particles, whose images are nowhere."""
    config = RunConfig(dataset=DatasetConfig(source="file", path="nowhere.npz", sha256="0" * 64))
    path = store.path(config.run_id)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text(config.model_dump_json())
    directory.write_status(path, directory.Status(state="finished", class_names=NAMES))
    particle_file.write(path, particles)
    return RunStore(store.root).get(config.run_id)
