import shutil

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.evaluation.latents import manifold_bounds
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.manifold import STEPS, manifold


@pytest.fixture
def own(finished, tmp_path):
    """A finished run of its own, which a test may change."""
    shutil.copytree(finished.path, tmp_path / finished.id)
    return RunStore(tmp_path).get(finished.id)


def test_training_keeps_the_manifold_beside_the_run(finished):
    kept = directory.read_manifold(finished.path)
    assert (kept.dtype, kept.shape) == (np.uint8, (4, STEPS, STEPS, 1, 16, 16))


def test_the_manifold_is_what_the_model_draws(finished):
    bounds = manifold_bounds(finished.predictions(), 2)
    drawn = finished.model().manifold2d(2, d=STEPS, bounds=bounds).numpy()
    np.testing.assert_allclose(manifold(finished)[2] / 255, drawn, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"no archive")])
def test_a_missing_or_damaged_manifold_is_made_again(own, finished, damage):
    damage(own.path / directory.MANIFOLD)
    np.testing.assert_array_equal(manifold(own), manifold(finished))
    np.testing.assert_array_equal(directory.read_manifold(own.path), manifold(finished))


def test_a_run_without_a_model_says_so(own):
    for name in (directory.MANIFOLD, directory.WEIGHTS):
        (own.path / name).unlink()
    with pytest.raises(UserError, match=r"has lost its model.safetensors"):
        manifold(own)
