"""How far a training is, what it will still take, and where it goes on: functions of numbers alone."""

import pytest

from ssrvae_core.records import Step
from ssrvae_core.runs.progress import PROGRESS, Pace, Place, Progress, read_progress, roughly, write_progress

THREE = {"starts": 3, "epochs": 8, "steps": 120}


def at(**values):
    return Progress(**THREE | values)


@pytest.mark.parametrize(
    ("progress", "words", "share"),
    [
        (at(start=1), "start 1 of 3, step 0 of 120", 0.0),
        (at(start=2, step=40), "start 2 of 3, step 40 of 120", (1 + 1 / 3) / 10),
        (at(epoch=1), "epoch 2 of 8, step 0 of 120", 3 / 10),
        (at(epoch=2, step=60), "epoch 3 of 8, step 60 of 120", 4.5 / 10),
        (at(epoch=2, step=120), "epoch 3 of 8, evaluating", 5 / 10),
        (at(epoch=8), "all 8 epochs done, evaluating", 1.0),
        (at(start=2, start_epochs=2, epoch=1, step=30), "start 2 of 3, epoch 2 of 2, step 30 of 120", 3.25 / 12),
        (Progress(epochs=8), "epoch 1 of 8", 0.0),
        (Progress(epochs=8, epoch=2, step=40, steps=80), "epoch 3 of 8, step 40 of 80", 2.5 / 8),
    ],
)
def test_start_epoch_and_step_are_named_and_every_start_counts(progress, words, share):
    assert progress.in_words == words
    assert progress.share == pytest.approx(share)


@pytest.mark.parametrize(
    ("saved", "done", "goes_on"),
    [
        (Place(), "0 of 3 starts", ""),
        (Place(step=3), "0 of 3 starts", "start 1 of 3, step 4"),
        (Place(start=1), "1 of 3 starts", "start 2 of 3"),
        (Place(start=3, epoch=1), "1 of 8 epochs", "epoch 2"),
        (Place(start=3, epoch=3, step=40), "3 of 8 epochs", "epoch 4, step 41"),
        (Place(start=3, epoch=3, step=120), "3 of 8 epochs", "epoch 4"),
        (Place(start=3, epoch=8), "8 of 8 epochs", "its evaluation"),
    ],
)
def test_where_it_goes_on_is_what_is_kept_and_not_where_it_was(saved, done, goes_on):
    progress = at(epoch=8, saved=saved)
    assert (progress.done_in_words, progress.goes_on) == (done, goes_on)
    stopped = progress.stopped
    assert (stopped.epoch, stopped.step) == (saved.epoch, saved.step)
    assert stopped.share <= progress.share


def test_a_single_start_is_not_spoken_of():
    assert Progress(epochs=8, saved=Place(start=1)).goes_on == ""
    assert Progress(epochs=8, saved=Place(start=1, epoch=2)).goes_on == "epoch 3"
    assert Progress(epochs=8, saved=Place(start=1, epoch=2)).done_in_words == "2 of 8 epochs"


def test_the_remaining_time_is_that_of_the_steps_left_at_the_measured_pace():
    assert at(start=1).seconds_left is None
    assert "estimating" in at(start=1).left_in_words
    assert at(start=1, step=1, step_seconds=2.0).seconds_left == pytest.approx((10 * 120 - 1) * 2.0)
    late = at(epoch=7, step=60, step_seconds=2.0)
    assert late.seconds_left == pytest.approx(60 * 2.0)
    assert late.model_copy(update={"end_seconds": 9.0}).seconds_left == pytest.approx(60 * 2.0 + 9.0)
    early = at(start=3, step=120, step_seconds=2.0, end_seconds=9.0)
    assert early.seconds_left == pytest.approx(7 * 120 * 2.0 + 8 * 9.0)
    assert at(epoch=8, step_seconds=2.0, end_seconds=9.0).seconds_left == 0
    assert at(epoch=8, step_seconds=2.0).left_in_words == ""


def passing(pace, *places):
    """Have a training pass (start, epoch, step) at these times; three steps an epoch."""
    for (start, epoch, step), now in places:
        pace.passes(Step(start, 2, 1, epoch, 8, step, 3), now)


def test_the_pace_is_measured_from_the_first_step_on():
    pace = Pace()
    passing(pace, ((1, 0, 0), 0.0))
    assert (pace.step_seconds, pace.end_seconds) == (None, None)
    passing(pace, ((1, 0, 1), 10.0))
    assert pace.step_seconds == 10
    # The first step was slow, as nothing was ready: it no longer counts once there is another.
    passing(pace, ((1, 0, 2), 12.0), ((1, 0, 3), 16.0))
    assert pace.step_seconds == pytest.approx(3.0)
    assert pace.end_seconds is None
    # Two batches are evaluated, and then the next start begins.
    passing(pace, ((1, 0, 3), 17.0), ((2, 0, 0), 21.0))
    assert (pace.step_seconds, pace.end_seconds) == (pytest.approx(3.0), pytest.approx(5.0))


def test_the_pace_is_that_of_the_latest_steps():
    pace, now = Pace(), 0.0
    for epoch in range(100):
        for step in range(4):
            pace.passes(Step(0, 1, 1, epoch, 100, step, 3), now)
            now += 1.0 if epoch < 50 else 5.0
    assert pace.step_seconds == pytest.approx(5.0)


def test_a_training_that_goes_on_within_an_epoch_measures_no_step_it_did_not_make():
    pace = Pace()
    passing(pace, ((0, 4, 2), 0.0), ((0, 4, 3), 1.5))
    assert pace.step_seconds == 1.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "a few seconds"),
        (12.4, "about 10 s"),
        (51, "about 50 s"),
        (58, "about 1 min"),
        (80, "about 1 min 30 s"),
        (161, "about 3 min"),
        (960, "about 15 min"),
        (3580, "about 1 h"),
        (4870, "about 1 h 20 min"),
        (50000, "about 14 h"),
    ],
)
def test_a_forecast_is_said_no_more_precisely_than_it_is(seconds, text):
    assert roughly(seconds) == text


def test_progress_comes_back_from_its_file_and_a_damaged_file_says_nothing(tmp_path):
    assert read_progress(tmp_path) is None
    progress = at(start=2, step=40, step_seconds=0.5, saved=Place(start=1))
    write_progress(tmp_path, progress)
    assert read_progress(tmp_path) == progress
    (tmp_path / "progress.json").write_text("")
    assert read_progress(tmp_path) is None


@pytest.mark.parametrize(
    "values", ['{"epochs": 0}', '{"epochs": 3, "step": -1}', '{"epochs": 3, "step_seconds": NaN}', "[]"]
)
def test_numbers_that_cannot_be_are_no_progress(tmp_path, values):
    (tmp_path / PROGRESS).write_text(values)
    assert read_progress(tmp_path) is None
