"""Embeddings in the store: made once, whatever stops them, and asked from what is on disk."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core import ParticleEmbedding
from ssrvae_core.config import UserError
from ssrvae_core.data import file_dataset, load
from ssrvae_core.runs import (
    BrokenRun,
    EmbeddingStore,
    RunStore,
    StoredEmbeddingConfig,
    directory,
    embedding_config,
    session,
    train_embedding,
)
from ssrvae_core.runs.embeddings import session as of_embeddings
from ssrvae_core.runs.embeddings.files import FEATURES, STAGE
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.progress import PROGRESS
from tests.trainings import Training


@pytest.fixture
def at_once(monkeypatch):
    """Look, tell and save at every step."""
    for module, name in ((session, "LOOK"), (session, "TELL"), (of_embeddings, "SAVE")):
        monkeypatch.setattr(module, name, 0.0)


@pytest.fixture
def copied(embedded, store):
    """A copy of the finished embedding that may be changed."""
    shutil.copytree(embedded.path, EmbeddingStore(store).path(embedded.id))
    return EmbeddingStore(store).get(embedded.id)


def same_files(one, other):
    """Whether two embeddings have the same weights and features, bit by bit."""
    arrays, others = np.load(one.path / FEATURES), np.load(other.path / FEATURES)
    assert set(arrays) == set(others)
    equal = all(np.array_equal(arrays[name], others[name]) for name in arrays)
    return equal and (one.path / STAGE).read_bytes() == (other.path / STAGE).read_bytes()


# Configuration and id.


def test_the_id_follows_from_data_settings_and_seed(tiny_embedding):
    config = tiny_embedding()
    assert tiny_embedding().embedding_id == config.embedding_id
    others = [tiny_embedding(seed=1), tiny_embedding(steps=7), tiny_embedding(blocks=["pooled"])]
    ids = [config.embedding_id, config.as_run.run_id, *(other.embedding_id for other in others)]
    assert len(set(ids)) == 5
    assert StoredEmbeddingConfig.model_validate_json(config.model_dump_json()).embedding_id == config.embedding_id


def test_the_order_of_the_blocks_and_a_short_name_make_no_other_embedding():
    def made(**settings):
        asked = {f"embedding.{name.replace('__', '.')}": value for name, value in settings.items()}
        return embedding_config(data="cards-b2", settings=asked).embedding_id

    assert made(blocks=["rings", "latents", "descriptors"]) == made(blocks=["latents", "rings", "descriptors"])
    assert made(latent_dim=3) == made(model__latent_dim=3)
    assert made(steps=1500) == made()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"embedding.model.standardise": True}, "embedding.model.standardise"),
        ({"embedding.angle_prior": "von_mises"}, "embedding.model.angle_prior"),
        ({"embedding.pixel_fraction": 0.5}, "pixel_fraction"),
        ({"embedding.blocks": ["descriptors"], "embedding.steps": 3}, "embedding.steps"),
        ({"embedding.blocks": ["descriptors"], "embedding.latent_dim": 3}, "latent_dim"),
        ({"embedding.blocks": ["latents"], "embedding.components": 3}, "embedding.components"),
        ({"embedding.nonsense": 3}, "embed --help"),
        ({"embedding.steps": 0}, "embedding.steps"),
        ({"dataset.intensity": [0, 1]}, "dataset.intensity"),
    ],
)
def test_a_setting_that_is_refused_or_does_nothing_is_named(settings, named):
    with pytest.raises(UserError, match=named):
        embedding_config(data="cards-b2", settings=settings)


def test_a_setting_that_does_nothing_changes_nothing(tiny_embedding, embedded, store):
    config = tiny_embedding()
    model = config.embedding.model.model_copy(update={"angle_prior": "von_mises"})
    other = config.model_copy(update={"embedding": config.embedding.model_copy(update={"model": model})})
    made = train_embedding(other, store)
    features, others = (one.images().answers.features for one in (embedded, made))
    np.testing.assert_array_equal(features, others)


# Making.


def test_a_finished_embedding_is_returned_untouched(copied, store, tiny_embedding):
    before = {file.name: file.stat().st_mtime_ns for file in copied.path.iterdir()}
    again = train_embedding(tiny_embedding(), store, loader=lambda _: pytest.fail("the data are loaded"))
    assert again == copied
    assert {file.name: file.stat().st_mtime_ns for file in copied.path.iterdir()} == before


def test_what_a_finished_embedding_says_of_itself(embedded):
    status = embedded.status
    assert (status.state, embedded.n_images, status.n_labelled, embedded.share) == ("finished", 112, 112, 1.0)
    assert (embedded.steps_done, embedded.steps, embedded.progress) == (6, 6, None)
    left = {file.name for file in embedded.path.iterdir()}
    assert left == {"config.json", "status.json", "environment.json", "log.txt", "lock", FEATURES, STAGE}
    assert "finished" in (embedded.path / directory.LOG).read_text()


@pytest.mark.usefixtures("at_once")
def test_a_cancelled_embedding_goes_on_where_it_says_to_the_same_result(embedded, store, tiny_embedding):
    config, embeddings = tiny_embedding(), EmbeddingStore(store)
    shown = []

    def cancel(progress):
        shown.append(progress.in_words)
        if progress.step == 3 and len(set(shown)) == 4:
            embeddings.get(config.embedding_id).cancel()

    stopped = train_embedding(config, store, on_progress=cancel)
    assert (stopped.status.state, stopped.progress.goes_on) == ("cancelled", "step 5")
    assert not (stopped.path / directory.CANCEL).exists()
    with pytest.raises(UserError, match="cancelled"):
        stopped.images()
    shown.clear()
    finished = train_embedding(config, store, on_progress=lambda progress: shown.append(progress.in_words))
    assert shown[0] == "step 4 of 6" and "step 3 of 6" not in shown
    assert same_files(finished, embedded)
    assert {file.name for file in finished.path.iterdir()} == {file.name for file in embedded.path.iterdir()}


def test_whoever_calls_may_stop_it(store, tiny_embedding):
    stopped = train_embedding(tiny_embedding(), store, should_stop=lambda: True)
    assert (stopped.status.state, stopped.progress.goes_on, stopped.share) == ("cancelled", "", 0.0)


@pytest.mark.usefixtures("at_once")
def test_one_that_is_interrupted_while_it_measures_keeps_its_stage(embedded, store, tiny_embedding):
    def interrupt(progress):
        if progress.step == progress.steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_embedding(tiny_embedding(), store, on_progress=interrupt)
    one = EmbeddingStore(store).get(embedded.id)
    assert (one.status.state, one.progress.goes_on, one.steps_done) == ("interrupted", "its trained stage", 6)
    shown = []
    finished = train_embedding(tiny_embedding(), store, on_progress=lambda progress: shown.append(progress.step))
    assert set(shown) == {6}
    assert same_files(finished, embedded)


@pytest.mark.slow
@pytest.mark.parametrize(("place", "goes_on"), [("step 4 of 6", "step 4"), ("0 of 112 images", "its trained stage")])
def test_a_killed_embedding_goes_on_to_the_same_result(embedded, store, tiny_embedding, place, goes_on):
    assert Training(tiny_embedding(), store, killed_at=place).end() == -signal.SIGKILL
    one = EmbeddingStore(store).get(embedded.id)
    assert one.status.state == "interrupted"
    assert one.progress.goes_on == goes_on
    assert same_files(train_embedding(tiny_embedding(), store), embedded)


def test_one_that_diverges_says_what_to_do_and_begins_again(store, tiny_embedding):
    config = tiny_embedding(learning_rate=1e30)
    for _ in range(2):
        with pytest.raises(UserError, match="learning_rate"):
            train_embedding(config, store)
    one = EmbeddingStore(store).get(config.embedding_id)
    assert (one.status.state, one.progress.goes_on) == ("failed", "")
    assert "learning_rate" in one.status.error


def test_a_viewer_makes_cancels_and_deletes_nothing_and_may_ask(copied, store, tiny_embedding, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    for action in (
        lambda: train_embedding(tiny_embedding(seed=9), store),
        copied.cancel,
        lambda: EmbeddingStore(store).delete(copied.id),
    ):
        with pytest.raises(UserError, match="read-only"):
            action()
    assert train_embedding(tiny_embedding(), store) == copied
    assert len(copied.images().answers.propose(np.full(112, -1), 3)) == 3


def test_another_process_at_it_is_waited_for_or_said(store, tiny_embedding):
    config = tiny_embedding()
    path = EmbeddingStore(store).path(config.embedding_id)
    with locked(path / directory.LOCK, wait=False):
        with pytest.raises(UserError, match=f"embedding {config.embedding_id}"):
            train_embedding(config, store, wait=False)
        with pytest.raises(UserError, match="being"):
            EmbeddingStore(store).delete(config.embedding_id)
        assert EmbeddingStore(store).scan() == ([], [])


@pytest.mark.parametrize(("n", "level", "sentence"), [(1, None, "at least 2"), (4, 0.5, "grey level")])
def test_images_that_nothing_can_be_learnt_from_leave_the_store_untouched(
    store, tiny_embedding, tmp_path, n, level, sentence
):
    np.savez(tmp_path / "images.npz", images=np.random.default_rng(0).random((n, 16, 16)))
    dataset = file_dataset(tmp_path / "images.npz")

    def loader(config):
        images = load(config)
        return images if level is None else replace(images, images=np.full_like(images.images, level))

    with pytest.raises(UserError, match=sentence) as caught:
        train_embedding(tiny_embedding(dataset=dataset), store, loader=loader)
    assert "images.npz" in str(caught.value)
    assert not store.root.exists()


def test_a_file_that_changed_is_other_data(store, tiny_embedding, tmp_path):
    path, draw = tmp_path / "images.npz", np.random.default_rng(0)
    np.savez(path, images=draw.random((4, 16, 16)))
    config = tiny_embedding(dataset=file_dataset(path))
    np.savez(path, images=draw.random((4, 16, 16)))
    with pytest.raises(UserError, match="has changed"):
        train_embedding(config, store)


# Asking.


def test_what_is_read_from_disk_answers_as_what_is_in_memory(embedded, tiny_embedding):
    config = tiny_embedding()
    images = load(config.dataset)
    memory = ParticleEmbedding(blocks=config.embedding.blocks, random_state=0)
    memory._config = lambda: config.embedding
    memory.fit(images.images, images.masks, images.groups)
    disk = embedded.embedding()
    np.testing.assert_array_equal(disk.features_, memory.features_)
    np.testing.assert_array_equal(disk.outlier_scores_, memory.outlier_scores_)
    y = np.where(np.arange(len(images)) % 9 == 0, images.labels, -1)
    np.testing.assert_array_equal(disk.propose(y, 5), memory.propose(y, 5))
    np.testing.assert_array_equal(disk.predict_proba(y), memory.predict_proba(y))
    new = images.images[:7, :, ::-1].copy()
    np.testing.assert_array_equal(disk.transform(new), memory.transform(new))
    np.testing.assert_array_equal(disk.predict_proba(y, new), memory.predict_proba(y, new))
    answers = embedded.images().answers
    np.testing.assert_array_equal(answers.propose(y, 5), memory.propose(y, 5))
    np.testing.assert_array_equal(answers.predict_proba(y), memory.predict_proba(y))


def test_masks_groups_names_and_labels_of_a_file_are_used_and_kept(store, tiny_embedding, tmp_path):
    draw = np.random.default_rng(0)
    masks = np.zeros((12, 16, 16), dtype=bool)
    masks[:, 4:12, 3:13] = True
    masks[::2, 4:8] = False
    arrays = {
        "images": draw.random((12, 16, 16)),
        "labels": np.array([0, 1, *[-1] * 10]),
        "class_names": np.array(["rod", "cube"]),
        "groups": np.array(["A", "B"] * 6),
        "names": np.array([f"p{number}.png" for number in range(12)]),
        "ids": np.arange(100, 112),
    }
    np.savez(tmp_path / "with.npz", masks=masks, **arrays)
    np.savez(tmp_path / "without.npz", **arrays)
    kept = [
        train_embedding(tiny_embedding(dataset=file_dataset(tmp_path / f)), store) for f in ("with.npz", "without.npz")
    ]
    first, second = (one.images() for one in kept)
    described = first.answers.columns["descriptors"]
    assert not np.allclose(first.answers.features[:, described], second.answers.features[:, described])
    assert first.answers.groups.tolist() == [0, 1] * 6
    samples = first.samples
    assert (samples.name(3), samples.group(3), int(samples.ids[3])) == ("p3.png", "B", 103)
    assert samples.labels.class_names == ("rod", "cube") and samples.labels.index.tolist()[:3] == [0, 1, -1]


def test_features_that_need_no_stage_are_made_without_one(store, tiny_embedding):
    values = tiny_embedding().dataset.model_dump(include={"size", "train_per_class", "validation_per_class"})
    settings = {f"dataset.{name}": value for name, value in values.items()}
    bare = embedding_config(data="cards-b2", settings=settings | {"embedding.blocks": ["descriptors"]})
    one = train_embedding(bare, store)
    assert not (one.path / STAGE).exists() and (one.steps, one.share) == (0, 1.0)
    assert one.embedding().transform(load(bare.dataset).images[:3]).shape == one.images().answers.features[:3].shape


def test_asking_needs_no_torch(embedded):
    code = (
        "import sys; from ssrvae_core.runs import EmbeddingStore, RunStore; import numpy as np\n"
        f"images = EmbeddingStore(RunStore({str(embedded.store_root)!r})).get({embedded.id!r}).images()\n"
        "y = images.samples.labels.index.copy(); y[9:] = -1\n"
        "images.answers.propose(y, 3); images.answers.predict_proba(np.unique(y, return_inverse=True)[1] - 1)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Store.


def test_embeddings_are_listed_found_and_deleted_by_the_beginning_of_their_id(copied, store):
    embeddings = EmbeddingStore(store)
    assert embeddings.scan() == ([copied], [])
    assert embeddings.get(copied.id[:5]) == copied == embeddings.find(copied.config)
    with pytest.raises(UserError, match="There is no embedding"):
        embeddings.get("0" * 12)
    with pytest.raises(UserError, match="is not an embedding id"):
        embeddings.get("../x")
    assert embeddings.delete(copied.id[:5]) == copied.id
    assert embeddings.scan() == ([], [])


def test_runs_and_embeddings_do_not_see_each_other_and_say_where_an_id_is_from(copied, store, finished):
    assert store.scan() == ([], [])
    with pytest.raises(UserError, match="is an embedding and not a run"):
        store.get(copied.id)
    shutil.copytree(finished.path, store.path(finished.id))
    assert [run.id for run in store.runs()] == [finished.id]
    with pytest.raises(UserError, match="is a run and not an embedding"):
        EmbeddingStore(store).get(finished.id)


def test_a_directory_that_cannot_be_read_hides_no_other(copied, store):
    lost, empty = "0" * 12, "1" * 12
    for name in (lost, empty):
        EmbeddingStore(store).path(name).mkdir()
    (EmbeddingStore(store).path(lost) / directory.CONFIG).write_text("{")
    found, broken = EmbeddingStore(store).scan()
    assert found == [copied] and {one.id for one in broken} == {lost, empty}
    assert all(isinstance(one, BrokenRun) for one in broken)
    with pytest.raises(UserError, match="broken"):
        EmbeddingStore(store).get(lost)


def rewritten(one, **changes):
    arrays = {name: values for name, values in np.load(one.path / FEATURES).items() if name not in changes}
    np.savez(one.path / FEATURES, **arrays, **{name: values for name, values in changes.items() if values is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"features": np.full((112, 3), 1.0)},
        {"features": np.full((112, 50), np.nan, dtype=np.float32)},
        {"labels": np.full(112, 9)},
        {"labels": np.full(112, -2)},
        {"ids": np.zeros(112, dtype=int)},
        {"ids": np.zeros(0, dtype=int)},
        {"class_names": np.arange(4)},
        {"outlier_scores": np.zeros(3)},
        {"image_shape": np.array([16, 16])},
        {"embedding": np.array("0" * 12)},
        {"blocks/rings/axes": np.zeros((3, 3))},
        {"blocks/rings/axes": None},
        {"blocks/latents/sd": np.zeros(9)},
        {"blocks/latents/mean": None},
        {"groups": np.full(112, -3), "group_names": np.array(["a"])},
        {"names": np.zeros(112)},
    ],
    ids=str,
)
def test_damaged_features_are_one_sentence_that_says_what_to_do(copied, changes):
    rewritten(copied, **changes)
    with pytest.raises(UserError) as caught:
        copied.images()
    sentence = str(caught.value)
    assert FEATURES in sentence and f"delete {copied.id}" in sentence and ". " not in sentence


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"PK\x03\x04" + b"\0" * 30])
def test_files_that_are_no_files_of_this_kind_are_one_sentence(copied, content):
    (copied.path / STAGE).write_bytes(content)
    with pytest.raises(UserError, match=STAGE):
        copied.embedding()
    copied.images()
    (copied.path / FEATURES).write_bytes(content)
    with pytest.raises(UserError, match=FEATURES):
        copied.images()


def test_the_stage_of_another_embedding_is_not_taken(copied, store, tiny_embedding):
    other = train_embedding(tiny_embedding(latent_dim=3), store)
    shutil.copy(other.path / STAGE, copied.path / STAGE)
    with pytest.raises(UserError, match="is not the stage of this embedding"):
        copied.embedding()
    (copied.path / STAGE).unlink()
    with pytest.raises(UserError, match="missing"):
        copied.embedding()


@pytest.mark.usefixtures("at_once")
def test_a_damaged_checkpoint_is_one_sentence(store, tiny_embedding):
    config = tiny_embedding()
    steps = iter(range(4))
    train_embedding(config, store, should_stop=lambda: next(steps) == 3)
    path = EmbeddingStore(store).path(config.embedding_id)
    (path / directory.CHECKPOINT).write_bytes(b"no zip")
    with pytest.raises(UserError, match=f"delete {config.embedding_id}"):
        train_embedding(config, store)


def test_progress_that_cannot_be_read_costs_nothing_but_what_is_shown(store, tiny_embedding):
    one = train_embedding(tiny_embedding(), store, should_stop=lambda: True)
    (one.path / PROGRESS).write_text(json.dumps({"steps": -1}))
    again = EmbeddingStore(RunStore(store.root)).get(one.id)
    assert (again.progress, again.share, again.steps_done) == (None, 0.0, 0)
