"""``particles.npz``: what was written is what is read, and what is not such a file is said in a sentence."""

from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.records import Particles, Predictions
from ssrvae_core.runs import directory, particle_file


def particles(n=5, k=3, d=2, **more):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(k), n).astype(np.float32)
    numbers = {name: rng.random(n, dtype=np.float32) for name in ("angle", "concentration", "log_likelihood")}
    latents = {name: rng.random((n, d), dtype=np.float32) for name in ("z_mean", "z_sd")}
    predictions = Predictions(
        ids=np.arange(0, 2 * n, 2),
        labels=rng.integers(-1, k, n),
        class_prob=probabilities,
        factors={"Größe": rng.random(n, dtype=np.float32)},
        **numbers,
        **latents,
    )
    return Particles(predictions, rng.integers(0, 3, n).astype(np.int8), rng.random(n, dtype=np.float32), **more)


def assert_same(one, other):
    left, right = particle_file.arrays_of(one), particle_file.arrays_of(other)
    assert left.keys() == right.keys()
    for name, values in left.items():
        assert values.dtype == right[name].dtype, name
        np.testing.assert_array_equal(values, right[name], err_msg=name)
    assert (one.names, one.group_names, one.size_unit) == (other.names, other.group_names, other.size_unit)


def test_a_run_without_the_file_has_no_particles(tmp_path):
    assert particle_file.read(tmp_path) is None


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"names": ("a.png", "", "häh\udcff", "0\0", "e" * 500), "size": np.ones(5, np.float32), "size_unit": "nm"},
        {"groups": np.array([0, 1, 1, 0, 0]), "group_names": ("first", "second")},
    ],
)
def test_what_is_written_is_read(tmp_path, more):
    written = particles(**more)
    particle_file.write(tmp_path, written)
    assert_same(particle_file.read(tmp_path), written)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"part": np.zeros(4, np.uint8)}, "part"),
        ({"part": np.full(5, 3, np.uint8)}, "part"),
        ({"part": np.zeros((), np.int8)}, "part"),
        ({"ids": np.zeros(5, np.int64)}, "ids"),
        ({"ids": np.array(list("abcde"))}, "ids"),
        ({"class_prob": np.zeros(5, np.float32)}, "prob"),
        ({"names": np.zeros(3, np.uint8)}, "names"),
        ({"names": np.zeros(3, np.uint8), "names_bytes": np.array([1, 1, 1, 1, -1])}, "names"),
        ({"names": np.full(5, 255, np.uint8), "names_bytes": np.ones(5, np.int64)}, "utf-8"),
        ({"names": np.zeros(1, np.uint8), "names_bytes": np.ones(1, np.int64)}, "names"),
        ({"groups": np.ones(5, np.int64), "group_names": np.zeros(1, np.uint8), "group_names_bytes": [1]}, "group"),
        ({"factors/height": np.zeros(4, np.float32)}, "height"),
    ],
)
def test_a_file_that_is_another_is_said_in_a_sentence_with_a_way_out(tmp_path, change, word):
    np.savez(tmp_path / directory.PARTICLES, **particle_file.arrays_of(particles()) | change)
    with pytest.raises(UserError, match=word) as refused:
        particle_file.read(tmp_path)
    assert directory.PARTICLES in str(refused.value)
    assert "delete" in str(refused.value)


def test_a_file_that_lacks_an_array_or_is_cut_off_is_said_in_a_sentence(tmp_path):
    arrays = particle_file.arrays_of(particles())
    file = tmp_path / directory.PARTICLES
    np.savez(file, **{name: values for name, values in arrays.items() if name != "part"})
    with pytest.raises(UserError, match="part"):
        particle_file.read(tmp_path)
    particle_file.write(tmp_path, particles())
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="cannot be read"):
        particle_file.read(tmp_path)


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    first = particles()
    particle_file.write(tmp_path, first)
    with pytest.raises(ValueError, match="pickle"):
        particle_file.write(tmp_path, replace(first, size=np.array([object()] * 5), size_unit="px"))
    assert_same(particle_file.read(tmp_path), first)
    assert [file.name for file in tmp_path.iterdir()] == [directory.PARTICLES]


def test_whatever_byte_is_damaged_the_file_is_read_or_refused_in_a_sentence(tmp_path):
    file = tmp_path / directory.PARTICLES
    particle_file.write(tmp_path, particles())
    with np.load(file) as archive:
        np.savez_compressed(tmp_path / "small.npz", **dict(archive))  # as another program may write it
    rng = np.random.default_rng(0)
    for whole in (file.read_bytes(), (tmp_path / "small.npz").read_bytes()):
        for _ in range(150):
            damaged = bytearray(whole)
            for place in rng.integers(0, len(whole), rng.integers(1, 4)):
                damaged[place] = rng.integers(0, 256)
            file.write_bytes(damaged)
            try:
                particle_file.read(tmp_path)
            except UserError as error:
                text = str(error)
                assert directory.PARTICLES in text and "delete" in text
                assert len(text.replace(str(tmp_path), "")) < 200 and text.isprintable() and ". " not in text
