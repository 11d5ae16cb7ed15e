"""A run is its config: reproducible, resumable, and never a silent bad model."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssrvae_core.config import UserError
from ssrvae_core.models import build
from ssrvae_core.training import Diverged, Trainer
from ssrvae_core.training.objective import Losses
from ssrvae_core.training.trainer import GradientClip

ENGINES = ["none", "marginal", "latent"]
each_engine = pytest.mark.parametrize("engine", ENGINES)


def trained(config, split, epochs=None):
    """A trainer after some or all of its epochs."""
    trainer = Trainer(config, split, "cpu")
    for record in trainer.fit():
        if record.epoch == epochs:
            break
    return trainer


def weights(trainer):
    return trainer.model.state_dict()


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@each_engine
def test_two_runs_of_one_config_give_bit_equal_weights(make_config, make_split, engine):
    config = make_config(engine, epochs=2, model={"pixel_fraction": 0.5})
    first, second = (trained(config, make_split()) for _ in range(2))
    assert equal(weights(first), weights(second))
    other = trained(config.model_copy(update={"seed": 1}), make_split())
    assert not equal(weights(first), weights(other))


@each_engine
@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_equals_an_undisturbed_one(make_config, make_split, engine, stop):
    config = make_config(engine, epochs=4, early_stop=3, beta_ramp_epochs=2, beta_end=2.0)
    split = make_split()
    undisturbed, killed = trained(config, split), trained(config, split, epochs=stop)
    file = io.BytesIO()
    torch.save(killed.state_dict(), file)
    file.seek(0)
    torch.rand(10)  # whatever happens in between
    resumed = Trainer(config, split, "cpu")
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert [record.epoch for record in resumed.fit()] == list(range(stop + 1, undisturbed.epoch + 1))
    assert equal(weights(resumed), weights(undisturbed))
    ends = [trainer.state_dict() for trainer in (resumed, undisturbed)]
    for name in ("epoch", "gradient_norm", "first_loss", "best_loss", "epochs_since_best"):
        assert ends[0][name] == ends[1][name]


def short_starts(config, split):
    """A trainer after its short starts, and the records of each."""
    trainer, records = Trainer(config, split, "cpu"), []
    train_epoch = trainer._train_epoch

    def remember():
        records.append(train_epoch())
        return records[-1]

    trainer._train_epoch = remember
    starts = list(trainer.choose_start())
    size = config.training.start_epochs
    assert starts == [(s, e) for s in range(1, config.training.starts + 1) for e in range(1, size + 1)]
    return trainer, [records[i : i + size] for i in range(0, len(records), size)]


@pytest.mark.parametrize("engine", ["none", "marginal"])
def test_of_several_starts_the_one_sure_of_most_unlabelled_images_goes_on(make_config, make_split, engine):
    config = make_config(engine, epochs=4, starts=3, start_epochs=2, consistency_threshold=0.4, learning_rate=0.02)
    trainer, starts = short_starts(config, make_split())
    sure = [(records[-1].confident, -records[-1].consistency) for records in starts]
    assert len(set(sure)) > 1
    best = starts[sure.index(max(sure))]
    told = list(trainer.fit())
    assert [record.epoch for record in told] == [1, 2, 3, 4]
    assert [record.elbo_unlabelled for record in told[:2]] == [record.elbo_unlabelled for record in best]
    assert told[0].seconds + told[1].seconds == pytest.approx(sum(r.seconds for start in starts for r in start))
    assert equal(weights(trainer), weights(trained(config, make_split())))


def test_a_start_that_diverges_is_left_out(make_config, make_split):
    config = make_config(epochs=3, starts=3, start_epochs=2)
    trainer = Trainer(config, make_split(), "cpu")
    train_epoch, calls = trainer._train_epoch, []

    def diverging():
        calls.append(trainer.epoch)
        if len(calls) == 2:
            raise trainer._diverged("a loss is not a finite number")
        return train_epoch()

    trainer._train_epoch = diverging
    assert list(trainer.choose_start()) == [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)]
    assert [record.epoch for record in trainer.fit()] == [1, 2, 3]


def test_where_every_start_diverges_the_run_says_so(make_config, make_split):
    trainer = Trainer(make_config(epochs=3, starts=2), make_split(), "cpu")

    def diverging():
        raise trainer._diverged("a loss is not a finite number")

    trainer._train_epoch = diverging
    with pytest.raises(Diverged, match="not a finite number"):
        list(trainer.fit())


def test_a_run_resumes_after_its_short_starts_to_the_same_result(make_config, make_split):
    config, split = make_config(epochs=4, starts=2, start_epochs=2), make_split()
    stopped = Trainer(config, split, "cpu")
    for record in stopped.fit():
        assert stopped.resumable == (record.epoch >= 2)
        if record.epoch == 3:
            break
    resumed = Trainer(config, split, "cpu")
    resumed.load_state_dict(stopped.state_dict())
    assert [record.epoch for record in resumed.fit()] == [4]
    assert equal(weights(resumed), weights(trained(config, split)))


@pytest.mark.parametrize(("n_unlabelled", "weight"), [(0, 1.0), (40, 0.0)])
def test_where_no_unlabelled_image_can_judge_there_is_one_start(make_config, make_split, n_unlabelled, weight):
    config = make_config(epochs=1, starts=3, consistency_weight=weight)
    assert list(Trainer(config, make_split(12, n_unlabelled), "cpu").choose_start()) == []


def test_the_callers_random_state_is_untouched(make_config, make_split):
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 (the caller's, not ours)
    trained(make_config(epochs=1), make_split())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_a_run_does_not_depend_on_the_callers_random_state(make_config, make_split):
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        runs.append(weights(trained(make_config(epochs=1), make_split())))
    assert equal(*runs)


@each_engine
def test_no_hidden_or_validation_label_reaches_the_weights(make_config, make_split, engine):
    config, split = make_config(engine, epochs=2, early_stop=1), make_split()
    shuffled = replace(
        split,
        validation=replace(split.validation, labels=split.validation.labels[::-1].copy()),
        hidden_labels=split.hidden_labels[::-1].copy(),
    )
    assert equal(weights(trained(config, split)), weights(trained(config, shuffled)))


@pytest.mark.parametrize(
    ("n_labelled", "n_unlabelled"),
    [(12, 40), (40, 12), (12, 0), (3, 40), (3, 2), (41, 7), (200, 20)],
)
def test_every_image_is_seen_every_epoch_whichever_set_is_the_larger(make_config, make_split, n_labelled, n_unlabelled):
    split = make_split(n_labelled, n_unlabelled)
    trainer = Trainer(make_config(epochs=1), split, "cpu")
    seen, n_steps = {"labelled": [], "unlabelled": []}, 0
    objective = trainer._objective

    def watch(batch, beta, generator, *, epoch):
        nonlocal n_steps
        n_steps += 1
        for part, images in seen.items():
            images.append(getattr(batch, part))
        assert len(batch.labelled) == min(6, n_labelled)
        assert len(batch.unlabelled) == min(20, n_unlabelled)
        for image, y in zip(batch.labelled, batch.y, strict=True):
            row = (torch.from_numpy(split.labelled.images) == image).flatten(1).all(1).nonzero().item()
            assert y.argmax().item() == split.labelled.labels[row]
        return objective(batch, beta, generator, epoch=epoch)

    trainer._objective = watch
    (record,) = trainer.fit()
    assert n_steps == max(math.ceil(n_labelled / 6), math.ceil(n_unlabelled / 20))
    for part, batches in seen.items():
        rows = torch.cat(batches).flatten(1)
        counts = torch.unique(rows, dim=0, return_counts=True)[1]
        assert len(counts) == len(getattr(split, part).images)
        if len(counts):
            assert counts.max() - counts.min() <= 1, "the set cycles evenly"
    assert math.isfinite(record.elbo_labelled) and math.isfinite(record.classification)
    if not n_unlabelled:
        assert (record.elbo_unlabelled, record.consistency, record.confident) == (0, 0, 0)


def test_every_epoch_has_an_order_of_its_own(make_config, make_split):
    trainer = Trainer(make_config(epochs=2), make_split(), "cpu")
    firsts, objective = [], trainer._objective

    def watch(batch, beta, generator, *, epoch):
        firsts.append(batch.unlabelled)
        return objective(batch, beta, generator, epoch=epoch)

    trainer._objective = watch
    list(trainer.fit())
    assert not torch.equal(firsts[0], firsts[len(firsts) // 2])


@each_engine
def test_labels_alone_train_a_model(make_config, make_split, engine):
    trainer = trained(make_config(engine, epochs=1), make_split(n_unlabelled=0))
    assert all(tensor.isfinite().all() for tensor in weights(trainer).values())


def test_the_trained_model_knows_the_classes(make_config, make_split):
    config = make_config(epochs=15, learning_rate=1e-2, model={"angles": 32, "radii": 8})
    *_, last = Trainer(config, make_split(30, 100), "cpu").fit()
    assert last.validation_accuracy >= 0.9


@pytest.mark.parametrize("where", ["labelled", "unlabelled"])
def test_a_number_that_is_not_finite_stops_the_run_with_advice(make_config, make_split, where):
    split = make_split()
    getattr(split, where).images[3, 0, 5, 5] = np.nan
    trainer = Trainer(make_config(model={"centre": False}), split, "cpu")
    with pytest.raises(Diverged, match=r"diverged in epoch 1.*lower training\.learning_rate"):
        list(trainer.fit())
    assert all(tensor.isfinite().all() for tensor in weights(trainer).values())


@each_engine
@pytest.mark.parametrize("rate", [1.0, 1e3, 1e6])
def test_a_hopeless_learning_rate_stops_the_run_with_advice(make_config, make_split, engine, rate):
    with pytest.raises(Diverged, match=r"lower training\.learning_rate \(now"):
        trained(make_config(engine, epochs=5, learning_rate=rate, min_steps=10), make_split())


def test_a_loss_far_above_the_untrained_models_stops_the_run(make_config, make_split):
    trainer = Trainer(make_config(epochs=9, batch_size=40, labelled_batch_size=12), make_split(), "cpu")
    with pytest.raises(Diverged, match=r"diverged in epoch 4: the loss is 4e\+03, and was 100 before"):
        epochs_with(trainer, [100, -50, 500, 4000])


def test_diverged_is_an_error_the_user_can_mend():
    assert issubclass(Diverged, UserError)


def test_the_kl_weight_ramps_up_and_stays(make_config, make_split):
    config = make_config(epochs=6, beta_start=1.0, beta_end=2.0, beta_ramp_epochs=4)
    assert [record.beta for record in Trainer(config, make_split(), "cpu").fit()] == [1, 1.25, 1.5, 1.75, 2, 2]
    flat = make_config(epochs=2, beta_start=1.0, beta_end=0.5)
    assert [record.beta for record in Trainer(flat, make_split(), "cpu").fit()] == [0.5, 0.5]


def test_the_learning_rate_falls_along_a_cosine_or_stays(make_config, make_split):
    falling = [r.learning_rate for r in Trainer(make_config(epochs=4, learning_rate=0.01), make_split(), "cpu").fit()]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < 0.1 * falling[0]
    constant = make_config(epochs=2, learning_rate=0.01, schedule="constant")
    assert [r.learning_rate for r in Trainer(constant, make_split(), "cpu").fit()] == [0.01, 0.01]


def epochs_with(trainer, losses):
    """The epochs a trainer runs for when its losses are these, one per epoch."""
    told = iter(losses)
    trainer._step = lambda batch, generator: Losses(*torch.zeros(5), torch.tensor(float(next(told))))
    return [record.epoch for record in trainer.fit()]


def test_early_stop_strikes_after_so_many_epochs_without_a_better_loss(make_config, make_split):
    trainer = Trainer(make_config(epochs=9, early_stop=2, batch_size=40, labelled_batch_size=12), make_split(), "cpu")
    assert epochs_with(trainer, [5, 4, 4.5, 3, 3, 3.5, 1]) == [1, 2, 3, 4, 5, 6]
    assert trainer.finished


def test_early_stop_waits_for_the_kl_weight_to_settle(make_config, make_split):
    ramp = {"beta_start": 0.1, "beta_end": 1.0, "beta_ramp_epochs": 4}
    trainer = Trainer(
        make_config(epochs=9, early_stop=2, batch_size=40, labelled_batch_size=12, **ramp), make_split(), "cpu"
    )
    assert epochs_with(trainer, [1, 2, 3, 4, 5, 5, 5, 4]) == [1, 2, 3, 4, 5, 6, 7]


def test_snapshots_follow_the_same_images_and_are_kept_as_often_as_told(make_config, make_split):
    config, split = make_config(epochs=5, snapshot_every=2, tracked=10), make_split()
    records = list(Trainer(config, split, "cpu").fit())
    assert [record.epoch for record in records if record.snapshot] == [2, 4, 5]
    kept = [record.snapshot for record in records if record.snapshot]
    assert all(np.array_equal(snapshot.ids, kept[0].ids) for snapshot in kept)
    assert len(kept[0].ids) == 10 and set(kept[0].ids) <= set(split.validation.ids)
    assert kept[0].z_mean.shape == (10, 2) and kept[0].class_prob.shape == (10, 3)
    rows = np.searchsorted(split.validation.ids, kept[-1].ids)
    accuracy = (kept[-1].class_prob.argmax(1) == split.validation.labels[rows]).mean()
    assert records[-1].validation_accuracy == pytest.approx(accuracy)


def test_accuracy_is_unknown_where_no_validation_label_is(make_config, make_split):
    split = make_split()
    blind = replace(split, validation=split.validation.without_labels())
    (record,) = Trainer(make_config(epochs=1), blind, "cpu").fit()
    assert math.isnan(record.validation_accuracy)


def test_a_record_counts_images_time_and_memory(make_config, make_split):
    (record,) = Trainer(make_config(epochs=1), make_split(), "cpu").fit()
    assert record.seconds > 0 and record.peak_memory_mb > 50
    assert record.images_per_second * record.seconds == pytest.approx(2 * (20 + 6))


def test_a_model_of_ones_own_networks_is_trained(make_config, make_split):
    config = make_config(epochs=1)
    classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6 * 16, 3))
    before = classifier[1].weight.detach().clone()
    model = build(config.model, (1, 12, 12), 3, classifier=classifier)
    trainer = Trainer(config, make_split(), "cpu", model=model)
    list(trainer.fit())
    assert trainer.model is model
    assert not torch.equal(classifier[1].weight, before)


def test_a_spike_in_the_gradient_is_clipped_to_a_multiple_of_the_usual():
    layer = torch.nn.Linear(1, 1, bias=False)
    clip = GradientClip(10.0)

    def norm_after(gradient):
        layer.weight.grad = torch.tensor([[gradient]])
        assert clip(layer)
        return layer.weight.grad.abs().item()

    for _ in range(3):
        assert norm_after(2.0) == pytest.approx(2)
    assert norm_after(1000.0) == pytest.approx(20, rel=1e-3)
    assert clip.typical < 3
    layer.weight.grad = torch.tensor([[math.inf]])
    assert not clip(layer)
