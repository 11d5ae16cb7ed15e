"""Results of rivals in the store, with rivals that fit in no time."""

import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.evaluation import rivals
from ssrvae_core.runs.comparison import RESULT, RIVALS_DIRECTORY, find_rival, list_rivals, rival_id, rival_result
from ssrvae_core.runs.files import atomic_write
from ssrvae_core.runs.store import RunStore


class Guess:
    """A rival that says the same of every image."""

    def __init__(self):
        self.parameters = {"guess": 1}

    def predict_proba(self, images):
        return np.tile([0.1, 0.6, 0.2, 0.1], (len(images), 1))


@pytest.fixture
def fits(monkeypatch):
    """Put a guess in the place of every rival; return the seeds it was fitted with."""
    seeds = []

    def fit(data, seed, device):
        seeds.append(seed)
        return Guess()

    for name in rivals.RIVALS:
        monkeypatch.setitem(rivals.RIVALS, name, fit)
    return seeds


def test_a_rival_is_fitted_once(fits, tiny_config, store):
    first = rival_result(tiny_config(), "knn", store)
    assert rival_result(tiny_config(), "knn", store) == first
    assert find_rival(tiny_config(), "knn", RunStore(store.root)) == first
    assert fits == [0]


def test_a_viewer_reads_rivals_and_fits_none(fits, tiny_config, store, monkeypatch):
    first = rival_result(tiny_config(), "knn", store)
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    assert rival_result(tiny_config(), "knn", store) == first
    with pytest.raises(UserError, match="read-only"):
        rival_result(tiny_config(seed=1), "knn", store)
    assert fits == [0]


def test_it_does_not_matter_how_our_model_is_trained(fits, tiny_config, store):
    rival_result(tiny_config(), "knn", store)
    rival_result(tiny_config(model__latent_dim=3, training__epochs=2), "knn", store)
    assert fits == [0]


def test_other_data_labels_seeds_rivals_and_recipes_are_other_results(fits, tiny_config, store, monkeypatch):
    rival_result(tiny_config(), "knn", store)
    others = [{"dataset__seed": 1}, {"split__labels_per_class": 4}, {"seed": 5}]
    for other in others:
        rival_result(tiny_config(**other), "knn", store)
    rival_result(tiny_config(), "cnn", store)
    monkeypatch.setitem(rivals.RIVALS, "knn", replace(rivals.RIVALS["knn"], version=99))
    assert find_rival(tiny_config(), "knn", store) is None
    rival_result(tiny_config(), "knn", store)
    assert fits == [0, 0, 0, 5, 0, 0]
    assert len(list_rivals(store)) == 6


def test_a_result_says_what_was_compared_and_how(fits, tiny_config, store):
    config = tiny_config()
    result = rival_result(config, "xgboost", store)
    assert (result.rival, result.version, result.id) == ("xgboost", 2, rival_id(config, "xgboost"))
    assert (result.dataset, result.split, result.seed) == (config.dataset, config.split, config.seed)
    assert (result.n_labelled, result.n_unlabelled, result.n_validation) == (20, 60, 32)
    assert result.parameters == {"guess": 1}
    assert result.accuracy == result.validation["balanced_accuracy"] == 0.25
    assert set(result.class_names) == {"hearts", "spades", "diamonds", "clubs"}
    assert (result.path / "environment.json").exists()
    row = result.as_row()
    assert (row["run_id"], row["model"], row["state"], row["n_labelled"]) == (result.id, "xgboost", "finished", 20)
    assert row["seconds"] == result.fit_seconds >= 0


def test_predictions_are_kept_with_their_ids_and_factors(fits, tiny_config, store, finished):
    """The rival is judged on the images the run of the same configuration was judged on."""
    said = rival_result(tiny_config(), "cnn", store).predictions()
    ours = finished.predictions()
    np.testing.assert_array_equal(said.ids, ours.ids)
    np.testing.assert_array_equal(said.labels, ours.labels)
    np.testing.assert_array_equal(said.factors["angle"], ours.factors["angle"])
    np.testing.assert_allclose(said.class_prob, Guess().predict_proba(said.ids), rtol=1e-6)
    assert said.z_mean.shape == (32, 0)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": "abc"}'])
def test_a_damaged_result_is_none_and_is_fitted_anew(fits, tiny_config, store, content):
    path = rival_result(tiny_config(), "knn", store).path
    atomic_write(path / RESULT, content)
    assert find_rival(tiny_config(), "knn", store) is None
    assert list_rivals(store) == []
    assert rival_result(tiny_config(), "knn", store).parameters == {"guess": 1}
    assert fits == [0, 0]


def test_looking_for_a_result_writes_nothing(tiny_config, store):
    assert find_rival(tiny_config(), "knn", store) is None
    assert list_rivals(store) == []
    assert not store.root.exists()


def test_results_are_listed_last_first_and_are_no_runs(fits, tiny_config, store):
    results = [rival_result(tiny_config(), name, store) for name in ("knn", "cnn")]
    assert list_rivals(store) == results[::-1]
    assert store.scan() == ([], [])


def test_two_at_once_fit_once(fits, tiny_config, store):
    threads = [threading.Thread(target=rival_result, args=(tiny_config(), "knn", store)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fits == [0]


def test_images_that_are_loaded_already_are_not_loaded_again(fits, tiny_config, store):
    from ssrvae_core.data import load

    images, asked = load(tiny_config().dataset), []
    rival_result(tiny_config(), "knn", store, loader=lambda dataset: asked.append(dataset) or images)
    assert asked == [tiny_config().dataset]


def test_an_unknown_rival_or_device_and_unfit_data_are_sentences_and_write_nothing(tiny_config, store):
    with pytest.raises(UserError, match="no rival called 'nobody'; choose one of decision-tree"):
        rival_result(tiny_config(), "nobody", store)
    with pytest.raises(UserError, match="50 labels per class"):
        rival_result(tiny_config(split__labels_per_class=50), "knn", store)
    with pytest.raises(UserError, match="'cuda:77' is not available"):
        rival_result(tiny_config(), "cnn", store, "cuda:77")
    assert not store.root.exists()


def test_a_store_that_cannot_be_written_is_a_sentence(fits, tiny_config, tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        rival_result(tiny_config(), "knn", RunStore(tmp_path / "runs"))


def test_reading_needs_neither_torch_nor_scikit_learn(fits, tiny_config, store):
    rival_result(tiny_config(), "knn", store)
    assert (store.root / RIVALS_DIRECTORY).is_dir()
    script = (
        "import sys; from ssrvae_core.runs import RunStore, comparison;"
        "found = comparison.list_rivals(RunStore(sys.argv[1]));"
        "print(len(found), len(found[0].predictions()), {'torch', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script, str(store.root)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["1", "32", "set()"]
