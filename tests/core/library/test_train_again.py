"""Corrections become training labels: end to end on a tiny data set, from a file, a folder, a zip and drawn cards."""

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from ssrvae_core.config import UserError, run_config
from ssrvae_core.data import file_dataset, load, split
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.evaluation.outliers import outlier_scores
from ssrvae_core.library import NONE, Journal, Origin
from ssrvae_core.library.compare import compare
from ssrvae_core.library.crops import crops
from ssrvae_core.library.outliers import trusted_scores
from ssrvae_core.library.quick import MEASURED, quick_answer, quick_head
from ssrvae_core.library.sheets import sheets
from ssrvae_core.library.training import parent_of, train_again_config, training_labels
from ssrvae_core.records import Particles
from ssrvae_core.runs import RunStore, particle_file
from ssrvae_core.runs.execute import train_run
from tests.core.conftest import TINY

SIDE = 16
SETTINGS = {name: value for name, value in TINY.items() if not name.startswith("dataset.")} | {"training.epochs": 2}


def particles_of(run):
    """What a finished run says of every image, written where it is not there yet."""
    if (kept := run.particles()) is not None:
        return kept
    parts = split(load(run.dataset), run.config.split)
    pieces = (parts.labelled, parts.unlabelled, parts.validation)
    model = run.model("cpu")
    said = [predict(model, piece) for piece in pieces if len(piece)]
    ids = np.concatenate([one.ids for one in said])
    order = np.argsort(ids)
    labels = np.concatenate([parts.labelled.labels, parts.hidden_labels, parts.validation.labels])[order]
    names = ("class_prob", "z_mean", "z_sd", "angle", "concentration", "log_likelihood")
    together = {name: np.concatenate([getattr(one, name) for one in said])[order] for name in names}
    predictions = replace(said[0], ids=ids[order], labels=labels, factors={}, **together)
    part = np.repeat([0, 1, 2], [len(piece) for piece in pieces])[order].astype(np.int8)
    found = Particles(predictions, part, outlier_scores(predictions).astype(np.float32))
    particle_file.write(run.path, found)
    return found


def _pictures(n=36, seed=0):
    """Bars and discs, 16 bits with 12 of them used, so that the grey levels are the run's own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    labels = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    u = x * np.cos(angle)[:, None, None] + y * np.sin(angle)[:, None, None]
    v = -x * np.sin(angle)[:, None, None] + y * np.cos(angle)[:, None, None]
    bars, discs = np.exp(-(u**2) / 20 - v**2 / 2), np.exp(-(x**2 + y**2) / 12) + 0 * u
    images = np.where(labels[:, None, None] == 0, bars, discs) * 3000 + rng.integers(0, 300, (n, SIDE, SIDE))
    return images.astype(np.uint16), labels, np.where(labels[:, None, None] == 0, bars, discs) > 0.3


def _npz(tmp_path):
    images, labels, masks = _pictures()
    known = np.where(np.arange(36) < 24, labels, -1)
    path = tmp_path / "data.npz"
    groups = np.arange(36) // 6
    np.savez(path, images=images, labels=known, class_names=["bars", "discs"], groups=groups, masks=masks,
             ids=np.arange(36)[::-1] * 2 - 40, names=[f"m{k}.tif" for k in range(36)])  # fmt: skip
    return path


def _folder(tmp_path):
    images, labels, _ = _pictures()
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / "data" / ("unlabelled" if k >= 24 else ("bars", "discs")[label])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image >> 4).astype(np.uint8)).save(folder / f"{k:02}.png")
    return tmp_path / "data"


def _zip(tmp_path):
    folder = _folder(tmp_path)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder).as_posix())
    shutil.rmtree(folder)
    return tmp_path / "data.zip"


def _trained(store, dataset, **more):
    config = run_config(dataset=dataset, model="ss-rvae", settings=SETTINGS | more)
    return train_run(config, store, device="cpu")


@pytest.fixture(params=[_npz, _folder, _zip])
def run(request, tmp_path, store):
    return _trained(store, file_dataset(request.param(tmp_path)))


def test_train_again_end_to_end(run, store):
    particles = particles_of(run)
    journal = Journal(run, particles)
    first = journal.read()
    free = first.base.ids[first.origin == Origin.MODEL]
    labelled = first.base.ids[particles.part == 0]
    held_out = first.base.ids[particles.part == 2]
    journal.move(free[:3], 0, who="Ada")
    journal.move(free[3:5], NONE, who="Ada")
    journal.move(labelled[:1], 1 - first.known[particles.part == 0][0], who="Ada")
    journal.move(held_out[:1], 1 - first.known[particles.part == 2][0], who="Ada")
    library = journal.rename(0, "rods", who="Ada")

    labels = training_labels(library, particles)
    assert (labels.n, labels.new, labels.changed, labels.held_out, labels.left_out) == (len(labelled) + 3, 3, 1, 1, 2)
    assert labels.in_words == f"{len(labelled) + 3} labels, 3 new, 1 changed, 2 particles left out"
    config = train_again_config(run, library, particles)
    assert config.run_id != run.id and config == train_again_config(run, library, particles)
    new = train_run(config, store, device="cpu")
    assert new.status.state == "finished" and new.class_names == ("rods", "discs")
    assert new.status.n_labelled == len(labelled) + 3 and parent_of(new).run == run.id

    again = split(load(new.dataset), new.config.split)
    assert np.array_equal(np.sort(again.validation.ids), held_out)  # the same images stay held out
    assert again.validation.labels[again.validation.ids == held_out[0]] == -1  # moved by hand, so it does not judge
    assert new.status.validation["n"] == run.status.validation["n"] - 1
    assert set(again.labelled.ids) == {*labelled, *free[:3]} and not set(free[3:5]) & set(again.unlabelled.ids)
    old_images, new_images = load(run.dataset), load(new.dataset)
    rows = [old_images.ids.tolist().index(number) for number in new_images.ids.tolist()]
    assert np.array_equal(new_images.images, old_images.images[rows])  # exactly as the run saw them
    for name in ("groups", "masks"):
        mine, theirs = getattr(new_images, name), getattr(old_images, name)
        assert (mine is None and theirs is None) or np.array_equal(mine, theirs[rows])
    assert new_images.names == tuple(old_images.names[row] for row in rows)

    new_journal = Journal(new, particles_of(new))
    told = compare(particles, run.class_names, particles_of(new), new.class_names, journal.at(parent_of(new).entries))
    assert told.both == len(particles) - 2 and told.old.n == told.new.n == len(held_out) - 1 and told.left_out == 1
    corrected = new_journal.base.ids[new_journal.base.corrected]  # which judge nothing in the new run's library, too
    assert set(corrected) == {*free[:3], labelled[0], held_out[0]}
    assert len(trusted_scores(new_journal.read(), particles_of(new))) == len(held_out) - 1
    [row] = new_journal.base.rows(held_out[:1])  # and what the person said of it is not forgotten
    assert [new_journal.read().known[row]] == library.known[library.base.rows(held_out[:1])]
    assert sum(count for *_, count in told.moves) == len(told.changed) and "held out" in told.in_words
    assert "bars" not in {name for move in told.moves for name in move[:2]}  # called as the library calls it

    Path(run.config.dataset.path).rename(store.root / "elsewhere")  # the store has all that is needed
    assert train_run(config, RunStore(store.root), device="cpu").id == new.id
    store.delete(new.id)
    assert train_run(config, RunStore(store.root), device="cpu").status.state == "finished"


def test_drawn_cards_are_trained_again_as_the_run_saw_them(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "runs" / finished.id)
    store = RunStore(tmp_path / "runs")
    run = store.get(finished.id)
    particles = particles_of(run)
    journal = Journal(run, particles)
    free = journal.base.ids[particles.part == 1][:4]
    truth = particles.predictions.labels[particles.part == 1][:4]
    for number, k in zip(free, truth, strict=True):
        library = journal.move([number], int(k), who="a")
    config = train_again_config(run, library, particles)
    assert config.model.angle_prior_labelled == "uniform"  # those four stand at any angle
    new = train_run(config, store, device="cpu")
    assert (new.status.n_labelled, new.status.n_unlabelled) == (run.status.n_labelled + 4, run.status.n_unlabelled - 4)
    whole = np.arange(len(particles))
    mine, theirs = crops(new, particles_of(new)).images.take(whole), crops(run, particles).images.take(whole)
    assert np.array_equal(mine.images, theirs.images) and np.array_equal(mine.ids, theirs.ids)


def test_what_does_not_suffice_is_told(tmp_path, store, monkeypatch):
    run = _trained(store, file_dataset(_npz(tmp_path)))
    particles = particles_of(run)
    journal = Journal(run, particles)
    with pytest.raises(UserError, match="Nothing was corrected"):
        train_again_config(run, journal.read(), particles)
    held_out = journal.base.ids[particles.part == 2][:1]
    number = 1 - journal.read().known[particles.part == 2][0]
    with pytest.raises(UserError, match="held-out images, which teach nothing"):
        train_again_config(run, journal.move(held_out, number, who="a"), particles)
    journal.undo(who="a")
    discs = journal.base.ids[(particles.part == 0) & (journal.read().known == 1)]
    with pytest.raises(UserError, match="'discs' has a label"):
        training_labels(journal.move(discs, 0, who="a"), particles)
    with pytest.raises(UserError, match="two classes"):
        training_labels(journal.merge([1], 0, who="a"), particles)
    journal.undo(who="a")
    library = journal.move(discs[:1], 1, who="a")
    (tmp_path / "data.npz").unlink()
    with pytest.raises(UserError, match="is not here"):
        train_again_config(run, library, particles)
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    with pytest.raises(UserError, match="read-only"):
        train_again_config(run, library, particles)
    assert not (store.root / "uploads").exists()


def test_a_quick_answer_needs_no_training_and_is_kept(tmp_path, store):
    run = _trained(store, file_dataset(_npz(tmp_path)))
    particles = particles_of(run)
    journal = Journal(run, particles)
    head = quick_head(run, particles)
    assert head.embedding is None and (run.path / MEASURED).exists()
    (tmp_path / "data.npz").unlink()  # it was measured already
    head = quick_head(run, particles)
    answer = quick_answer(head, journal.read(), particles)
    assert answer.class_prob.shape == (36, 2) and answer.held_out.n == (particles.part == 2).sum()
    assert answer.held_out.share == 1.0  # bars and discs
    free = journal.base.ids[particles.part == 1]
    assert set(answer.changed) <= set(free)
    wrong = journal.split(journal.base.ids[(particles.part == 0)][:2], "odd", who="a")
    assert quick_answer(head, wrong, particles).class_names == ("bars", "discs", "odd")
    few = {"ids": particles.ids, "features": np.zeros((36, 2), np.float32), "outlier_scores": np.zeros(36, np.float32)}
    np.savez(run.path / MEASURED, **few)
    with pytest.raises(UserError, match=MEASURED):  # and the images to measure again are not here
        quick_head(run, particles)
    _npz(tmp_path)
    for content in (None, b"nonsense"):
        if content is not None:
            (run.path / MEASURED).write_bytes(content)
        again = quick_head(run, particles)
        assert np.allclose(again.answers.features, head.answers.features)
        assert len(again.remarks) == 1 and MEASURED in again.remarks[0] and "measured again" in again.remarks[0]
    assert quick_head(run, particles).remarks == ()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(MemoryError(), "memory"), (PermissionError(13, "Permission denied"), "Permission denied"), (None, "damaged")],
)
def test_why_what_was_measured_cannot_be_read_is_said(tmp_path, store, monkeypatch, fault, reason):
    run = _trained(store, file_dataset(_npz(tmp_path)))
    particles = particles_of(run)
    quick_head(run, particles)
    (tmp_path / "data.npz").unlink()
    if fault is None:
        (run.path / MEASURED).write_bytes(b"nonsense")
    else:
        monkeypatch.setattr(np, "load", Mock(side_effect=fault))
    with pytest.raises(UserError, match=f"{MEASURED}.*{reason}.*cannot be measured again") as refusal:
        quick_head(run, particles)
    assert ("damaged" in str(refusal.value)) == (fault is None) and ". " not in str(refusal.value)


def test_a_quick_answer_takes_the_embedding_that_is_there(finished, tmp_path, tiny_embedding):
    from ssrvae_core.runs import train_embedding

    shutil.copytree(finished.path, tmp_path / "runs" / finished.id)
    run = RunStore(tmp_path / "runs").get(finished.id)
    particles = particles_of(run)
    config = tiny_embedding(dataset=run.config.dataset, steps=2)
    embedding = train_embedding(config, RunStore(tmp_path / "runs"), device="cpu")
    head = quick_head(run, particles)
    assert head.embedding == embedding.id and not (run.path / MEASURED).exists()
    assert quick_answer(head, Journal(run, particles).read(), particles).class_prob.shape == (len(particles), 4)
    with (embedding.path / "features.npz").open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"damaged" * 5)
    head = quick_head(run, particles)
    [remark] = head.remarks
    assert head.embedding is None and embedding.id in remark and "features.npz" in remark and remark.endswith(".")
    assert quick_answer(head, Journal(run, particles).read(), particles).class_prob.shape == (len(particles), 4)


def test_sheets_average_upright_particles_and_count_all(tmp_path, store):
    run = _trained(store, file_dataset(_npz(tmp_path)))
    particles = particles_of(run)
    library = Journal(run, particles).read()
    images = crops(run, particles)
    found = sheets(library, particles, images)
    assert sum(sheet.count for sheet in found) == 36
    for sheet in found:
        rows = np.searchsorted(particles.ids, sheet.ids)
        kept = particles.predictions.predicted[rows]
        rows = rows[kept == np.bincount(kept).argmax()]
        upright = images.rows(rows, turned=True)
        assert sheet.averaged == len(rows)
        assert np.allclose(sheet.mean, upright.mean(axis=0), atol=1e-6)
        assert np.allclose(sheet.variance, upright.var(axis=0), atol=1e-6)
