"""A training that is stopped between two steps, or among its short starts, goes on as if nothing had been."""

import io
from itertools import pairwise

import pytest
import torch

from ssrvae_core.training import Diverged, Trainer
from ssrvae_core.training.starts import Within

each_engine = pytest.mark.parametrize("engine", ["none", "marginal", "latent"])


class Stop(Exception):
    """What the caller of a training raises between two steps."""


def through_a_file(state):
    """The state as it comes back from a file that is read without pickles."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def stopped(config, split, calls):
    """A trainer that was stopped at this call of ``on_step``, counted from 0."""
    trainer, passed = Trainer(config, split, "cpu"), []

    def stop(step):
        passed.append(step)
        if len(passed) > calls:
            raise Stop

    trainer.on_step = stop
    with pytest.raises(Stop):
        list(trainer.fit())
    return trainer, passed


def resumed(trainer, config, split):
    """Another trainer that stands where this one was stopped."""
    other = Trainer(config, split, "cpu")
    if (starts := trainer.starts_state()) is not None:
        other.load_starts_state(through_a_file(starts))
    else:
        other.load_state_dict(through_a_file(trainer.state_dict()))
    assert other.position == trainer.position
    return other


def assert_equal(first, second):
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    for name in ("epoch", "gradient_norm", "first_loss", "best_loss", "epochs_since_best"):
        assert first.state_dict()[name] == second.state_dict()[name]


def undisturbed(config, split):
    trainer = Trainer(config, split, "cpu")
    passed = []
    trainer.on_step = passed.append
    return trainer, list(trainer.fit()), passed


def plain(records):
    timed = {"seconds", "images_per_second", "peak_memory_mb"}
    return [{name: value for name, value in record.as_json().items() if name not in timed} for record in records]


@pytest.fixture(scope="module")
def undisturbed_once():
    """Train each configuration once for all the tests that stop it somewhere; what comes back is shared, to be read."""
    done = {}

    def of(config, split):
        if config not in done:
            done[config] = undisturbed(config, split)
        return done[config]

    return of


@each_engine
@pytest.mark.parametrize("calls", [1, 4, 6])
def test_a_training_goes_on_from_any_step_to_bit_equal_weights(
    make_config, make_split, undisturbed_once, engine, calls
):
    """Three steps an epoch, and the look at the validation images, which is the last call of an epoch."""
    config, split = make_config(engine, epochs=2, batch_size=15, labelled_batch_size=6), make_split()
    whole, records, passed = undisturbed_once(config, split)
    assert [(step.epoch, step.step) for step in passed] == [(e, s) for e in (0, 1) for s in (0, 1, 2, 3)]
    trainer, before = stopped(config, split, calls)
    torch.rand(3)  # whatever happens in between
    other, after = resumed(trainer, config, split), []
    other.on_step = after.append
    told = list(other.fit())
    assert before[:-1] + after == passed, "no step is made twice"
    assert_equal(other, whole)
    assert plain(told) == plain(records[-len(told) :])


@pytest.mark.parametrize("calls", [0, 2, 3, 5, 7, 8, 9, 12, 13, 15])
def test_a_training_stopped_among_its_starts_goes_on_with_the_next_and_makes_none_again(
    make_config, make_split, undisturbed_once, calls
):
    config = make_config(epochs=3, starts=3, start_epochs=2, consistency_threshold=0.4, learning_rate=0.02)
    split = make_split()
    whole, records, passed = undisturbed_once(config, split)
    trainer, before = stopped(config, split, calls)
    other, after = resumed(trainer, config, split), []
    other.on_step = after.append
    assert plain(other.fit()) == plain(records)
    assert before[:-1] + after == passed
    assert_equal(other, whole)


def test_the_places_of_a_training_count_its_starts_and_steps(make_config, make_split):
    _, _, passed = undisturbed(make_config(epochs=2, starts=2), make_split())
    assert [(at.start, at.epoch, at.step, at.steps) for at in passed] == [
        (start, epoch, step, 2) for start, epoch in ((1, 0), (2, 0), (0, 1)) for step in (0, 1, 2)
    ]
    assert {(at.starts, at.start_epochs, at.epochs) for at in passed} == {(2, 1, 2)}
    assert all(later != earlier for earlier, later in pairwise(passed))


def test_a_start_that_diverged_is_remembered_as_one_that_is_done(make_config, make_split):
    config, split = make_config(epochs=2, starts=3), make_split()

    def diverging(trainer):
        train_epoch = trainer._train_epoch

        def attempt():
            if trainer.position.start == 1:
                raise trainer._diverged("a loss is not a finite number")
            return train_epoch()

        trainer._train_epoch = attempt
        return trainer

    first = diverging(Trainer(config, split, "cpu"))
    assert next(first.choose_start()) == (2, 1)
    second = resumed(first, config, split)
    assert list(second.choose_start()) == [(3, 1)]
    assert [record.epoch for record in second.fit()] == [1, 2]


def test_where_every_start_diverged_before_and_after_the_stop_the_run_says_so(make_config, make_split):
    trainer = Trainer(make_config(epochs=2, starts=2), make_split(), "cpu")
    trainer._starts.fail("The training diverged in epoch 1.")
    trainer._starts.fail("The training diverged in epoch 1.")
    other = resumed(trainer, trainer.config, make_split())
    with pytest.raises(Diverged, match="diverged in epoch 1"):
        list(other.fit())


def test_a_checkpoint_of_an_earlier_version_is_read(make_config, make_split):
    config, split = make_config(epochs=2), make_split()
    whole, _, _ = undisturbed(config, split)
    trainer = Trainer(config, split, "cpu")
    next(trainer.fit())
    state = trainer.state_dict()
    del state["within"]
    other = Trainer(config, split, "cpu")
    other.load_state_dict(through_a_file(state))
    assert [record.epoch for record in other.fit()] == [2]
    assert_equal(other, whole)


def test_a_state_is_whole_after_a_stop_and_between_epochs(make_config, make_split):
    config = make_config(epochs=2)
    trainer, _ = stopped(config, make_split(), 1)
    assert Within(**trainer.state_dict()["within"]).step == 1
    fresh = Trainer(config, make_split(), "cpu")
    next(fresh.fit())
    assert fresh.state_dict()["within"] is None
