"""The second opinion in training: what is left out, who is heeded, and that a stop changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssrvae_core.config import UserError
from ssrvae_core.models.checkpoint import load_model, save_weights
from ssrvae_core.training import Trainer
from ssrvae_core.training.advice import MOST_MEASURED, NEVER, Advice, decide, folds
from ssrvae_core.training.starts import LeftOut
from tests.core.training.test_starts import assert_equal, plain, resumed, stopped, undisturbed

SECOND = {"second_opinion": True}


def sayings(labels, sure, n_classes=3):
    """Log-probabilities that are right about the labels with this probability each."""
    sure = np.broadcast_to(sure, len(labels))
    prob = np.repeat((1 - sure)[:, None] / (n_classes - 1), n_classes, axis=1)
    prob[np.arange(len(labels)), labels] = sure
    return torch.from_numpy(np.log(prob))


def left_out(network, measurements, n=30):
    labels = np.arange(n) % 3
    return [LeftOut(torch.from_numpy(labels), sayings(labels, network), sayings(labels, measurements))]


def rng():
    return np.random.default_rng(0)


def test_every_label_is_left_out_once_where_its_class_has_several():
    labels = np.repeat([0, 1, 2], [7, 2, 1])
    found = folds(labels, None, 3, rng())
    assert (found[labels == 0] >= 0).all() and len(np.unique(found[labels == 0])) == 3
    assert len(np.unique(found[labels == 1])) == 2, "one of the two is always known"
    assert (found[labels == 2] == NEVER).all(), "the only label of a class is never left out"


def test_whole_micrographs_are_left_out_and_never_the_only_one_of_a_class():
    labels = np.repeat([0, 1], [8, 4])
    groups = np.array([5, 5, 5, 6, 6, 7, 7, 7, 9, 9, 9, 9])
    found = folds(labels, groups, 3, rng())
    for group in (5, 6, 7):
        assert len(np.unique(found[groups == group])) == 1
    assert sorted({int(found[groups == group][0]) for group in (5, 6, 7)}) == [0, 1, 2]
    assert (found[groups == 9] == NEVER).all()


def test_a_micrograph_of_several_classes_is_left_out_with_all_its_labels_or_not_at_all():
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 1, 2, 0, 2])
    groups = np.repeat([3, 4, 5, 6], 3)
    found = folds(labels, groups, 3, rng())
    for group in np.unique(groups):
        assert len(np.unique(found[groups == group])) == 1
    for fold in range(3):
        assert set(labels[found != fold]) == {0, 1, 2}


def test_with_one_start_nothing_is_left_out():
    assert (folds(np.arange(6) % 2, None, 1, rng()) == NEVER).all()


def test_whoever_tells_left_out_labels_better_is_heeded():
    assert decide(left_out(0.99, 0.2), by_group=False).by == "network"
    assert decide(left_out(0.05, 0.8), by_group=False).by == "measurements"


def test_both_are_heeded_where_each_knows_what_the_other_does_not():
    knows = np.where(np.arange(30) < 15, 0.9, 1 / 3)
    found = decide(left_out(knows, knows[::-1]), by_group=False)
    assert found.by == "both" and found.left_out == 30
    assert found.scores[2] > max(found.scores[:2])


def test_across_micrographs_the_network_has_to_be_clearly_better():
    a_little_better = left_out(np.where(rng().permutation(45) < 27, 0.8, 0.08), 0.6, n=45)
    assert decide(left_out(0.99, 0.5), by_group=True).by != "measurements"
    assert decide(a_little_better, by_group=False).by != "measurements"
    assert decide(a_little_better, by_group=True).by == "measurements"


def test_a_few_micrographs_do_not_say_how_sure_the_measurements_are():
    too_sure = left_out(0.1, np.where(np.arange(30) < 15, 0.99, 0.01))
    assert decide(too_sure, by_group=False).measurements < 1
    assert decide(too_sure, by_group=True).measurements == 1


@pytest.mark.parametrize(("by_group", "who"), [(False, "network"), (True, "measurements")])
def test_where_all_know_all_nobody_else_is_asked(by_group, who):
    assert decide(left_out(0.9995, 0.9999), by_group=by_group).by == who


@pytest.mark.parametrize(("by_group", "who"), [(False, "both"), (True, "measurements")])
def test_where_no_label_could_be_left_out_what_is_said_follows_from_the_micrographs(by_group, who):
    found = decide([], by_group=by_group)
    assert (found.by, found.left_out, found.scores) == (who, 0, (0.0, 0.0, 0.0))


def test_the_network_keeps_its_part_where_labels_do_not_speak_against_it():
    """Labels of little disorder say nothing of shapes that only unlabelled images show, which the network learns."""
    knows_little_yet = left_out(0.8, 0.9998)
    assert decide(knows_little_yet, by_group=False).by == "both"
    assert decide(knows_little_yet, by_group=False).network == 1
    assert decide(left_out(0.35, 0.9998), by_group=False).by == "both"
    assert decide(left_out(0.05, 0.8), by_group=False).by == "measurements"


def test_a_class_with_few_labels_counts_as_much_as_others():
    labels = torch.tensor([0] * 27 + [1] * 3)
    knows_the_many = sayings(labels.numpy(), np.where(labels == 0, 0.99, 0.02), 2)
    knows_both = sayings(labels.numpy(), 0.8, 2)
    assert decide([LeftOut(labels, knows_the_many, knows_both)], by_group=False).by == "measurements"


def test_more_images_than_can_be_measured_are_told_nothing_of(make_split, monkeypatch):
    monkeypatch.setattr("ssrvae_core.training.advice.MOST_MEASURED", 10)
    assert MOST_MEASURED >= 1000
    advice = Advice(make_split(12, 40), 3, 0)
    advice.take(lambda: None)
    opinion = advice.course(None, torch.device("cpu")).opinion
    assert ((opinion == 0).all(dim=1).sum(), len(opinion)) == (30, 40)


def test_a_head_does_not_know_the_labels_that_are_left_out(make_split):
    split = make_split(12, 40)
    advice = Advice(split, 3, 0)
    advice.take(lambda: None)
    other = replace(
        split.labelled, labels=np.where(advice.folds == 0, (split.labelled.labels + 1) % 3, split.labelled.labels)
    )
    changed = Advice(replace(split, labelled=other), 3, 0)
    changed.folds = advice.folds
    changed.take(lambda: None)
    cpu = torch.device("cpu")
    assert torch.equal(advice.course(0, cpu).opinion, changed.course(0, cpu).opinion)
    assert not torch.equal(advice.course(1, cpu).opinion, changed.course(1, cpu).opinion)
    assert set(advice.course(0, cpu).kept.tolist()) == set(np.flatnonzero(advice.folds != 0))


@pytest.mark.parametrize("calls", [0, 1, 3, 6, 10, 12, 15, 18])
def test_a_training_with_a_second_opinion_goes_on_from_any_step(make_config, make_split, calls):
    config = make_config(epochs=3, starts=3, start_epochs=1, consistency_threshold=0.4, model=SECOND)
    split = make_split()
    whole, records, passed = undisturbed(config, split)
    if calls >= len(passed):
        pytest.skip("the training has fewer steps")
    trainer, _ = stopped(config, split, calls)
    other = resumed(trainer, config, split)
    told = list(other.fit())
    assert plain(told) == plain(records[-len(told) :])
    assert_equal(other, whole)


def test_measuring_can_be_stopped(make_config, make_split):
    trainer, passed = stopped(make_config(starts=3, model=SECOND), make_split(), 0)
    assert len(passed) == 1
    trainer.on_step = lambda step: None
    assert [record.epoch for record in trainer.fit()] == [1, 2, 3]


def test_the_trained_model_says_who_is_heeded_and_its_file_keeps_it(make_config, make_split, tmp_path):
    config, split = make_config(epochs=2, starts=3, model=SECOND), make_split(12, 60, 30)
    trainer = Trainer(config, split, "cpu")
    list(trainer.fit())
    model = trainer.model
    assert model.opinion.judgement().left_out == 12
    model.opinion.shares.copy_(torch.tensor([0.5, 0.5]))
    save_weights(model, tmp_path / "model.safetensors", config=config, class_names=split.validation.class_names)
    again = load_model(tmp_path / "model.safetensors")
    images = torch.from_numpy(split.validation.images)
    said = model.encode(images)
    assert torch.equal(said.class_prob, again.encode(images).class_prob)
    assert again.opinion.judgement() == model.opinion.judgement()
    assert not torch.allclose(said.class_prob, model.encode(images, alone=True).class_prob)
    torch.testing.assert_close(said.class_prob.sum(dim=1), torch.ones(30))


def test_without_short_starts_there_is_a_second_opinion_all_the_same(make_config, make_split):
    trainer = Trainer(make_config(epochs=1, model=SECOND), make_split(), "cpu")
    list(trainer.fit())
    assert trainer.model.opinion.judgement().by == "both"


def test_a_stop_before_the_choice_keeps_what_was_said_of_left_out_labels(make_config, make_split):
    config, split = make_config(epochs=2, starts=3, model=SECOND), make_split()
    trainer = Trainer(config, split, "cpu")
    seen = iter(trainer.choose_start())
    next(seen), next(seen)
    other = resumed(trainer, config, split)
    list(other.fit())
    assert other.model.opinion.judgement().left_out == 12


def with_masks(images):
    return replace(images, masks=images.images[:, 0] > 0.5)


def test_heads_on_masks_say_nothing_of_images_without(make_config, make_split):
    split = make_split(12, 40, 15)
    masked = replace(split, labelled=with_masks(split.labelled), unlabelled=with_masks(split.unlabelled))
    trainer = Trainer(make_config(epochs=1, starts=2, model=SECOND), masked, "cpu")
    list(trainer.fit())
    model, images = trainer.model, torch.from_numpy(split.validation.images)
    model.opinion.shares.copy_(torch.tensor([0.0, 1.0]))
    assert model.opinion.needs_masks
    network = model.encode(images, alone=True).class_prob
    torch.testing.assert_close(model.encode(images).class_prob, network)
    masks = split.validation.images[:, 0] > 0.5
    assert not torch.allclose(model.encode(images, masks).class_prob, network)


def test_heads_on_outlines_do_not_look_at_masks(make_config, make_split):
    split = make_split(12, 40, 15)
    trainer = Trainer(make_config(epochs=1, model=SECOND), split, "cpu")
    list(trainer.fit())
    images, nothing = torch.from_numpy(split.validation.images), np.zeros((15, 12, 12), dtype=bool)
    assert torch.equal(trainer.model.encode(images).class_prob, trainer.model.encode(images, nothing).class_prob)


@pytest.mark.parametrize("early_stop", [None, 1])
def test_curves_and_films_show_the_network_alone_and_at_the_end_what_the_run_tells(make_config, make_split, early_stop):
    split = make_split(12, 40, 15)
    config = make_config(epochs=4, starts=2, model=SECOND, tracked=15, early_stop=early_stop)
    trainer = Trainer(config, split, "cpu")
    images = torch.from_numpy(split.validation.images)
    for record in trainer.fit():
        alone = trainer.model.encode(images, alone=True).class_prob.numpy()
        both = trainer.model.encode(images).class_prob.numpy()
        shown = both if trainer.finished else alone
        np.testing.assert_allclose(record.snapshot.class_prob, shown, atol=1e-6)
        if trainer.model.opinion.counts:
            assert not np.allclose(alone, both, atol=1e-3)
    assert trainer.model.opinion.counts


def test_starts_are_compared_by_what_the_network_is_sure_of(make_config, make_split):
    config = make_config(epochs=1, starts=3, learning_rate=1e-9, consistency_threshold=0.9, model=SECOND)
    first = next(Trainer(config, make_split(12, 60), "cpu").fit())
    assert first.confident == 0, "an untrained network is sure of nothing, whatever the head says"


@pytest.mark.parametrize("name", ["shares", "heeded", "weight"])
def test_a_model_file_with_impossible_numbers_is_refused(make_config, make_split, tmp_path, name):
    config, split = make_config(epochs=1, model=SECOND), make_split()
    trainer = Trainer(config, split, "cpu")
    list(trainer.fit())
    trainer.model.opinion.get_buffer(name).fill_(3e38)
    save_weights(trainer.model, tmp_path / "m.safetensors", config=config, class_names=split.validation.class_names)
    with pytest.raises(UserError, match=r"second opinion[^.]*m\.safetensors"):
        load_model(tmp_path / "m.safetensors")


def test_a_great_many_labels_are_measured_evenly_over_the_classes(make_split, monkeypatch):
    monkeypatch.setattr("ssrvae_core.training.advice.MOST_MEASURED", 9)
    advice = Advice(make_split(30, 40), 3, 0)
    known = advice.folds != NEVER
    assert known.sum() == 9 and np.bincount(advice._labelled.labels[known]).tolist() == [3, 3, 3]
    advice.take(lambda: None)
    assert len(advice.course(0, torch.device("cpu")).kept) == 30 - (advice.folds == 0).sum()
