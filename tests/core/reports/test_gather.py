from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.records import Snapshot
from ssrvae_core.reports import gather
from ssrvae_core.reports.gather import by_images, ratio_film, training_film
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.execute import train_run

RATIOS = (0.25, 0.5)


@pytest.fixture(scope="module")
def by_ratio(tiny_config, tmp_path_factory):
    """The ss-rVAE at two supervised ratios, with two seeds at the first."""
    store = RunStore(tmp_path_factory.mktemp("ratios"))

    def run(ratio, seed=0):
        config = tiny_config(training__epochs=1)
        split = config.split.model_copy(update={"labels_per_class": None, "labelled_ratio": ratio, "seed": seed})
        return train_run(config.model_copy(update={"split": split, "seed": seed}), store)

    return [run(0.5), run(0.25, seed=1), run(0.25)]


def test_a_training_film_has_the_tracked_images_of_every_epoch(finished):
    film = training_film([finished])
    (track,) = film.tracks
    kept = finished.snapshots()
    assert [frame.position for frame in track.frames] == [epoch for epoch, _ in kept]
    for frame, (_, snapshot) in zip(track.frames, kept, strict=True):
        np.testing.assert_array_equal(frame.ids, snapshot.ids)
        np.testing.assert_array_equal(frame.predicted, snapshot.class_prob.argmax(axis=1))


def test_the_confusion_of_the_last_frame_is_that_of_the_same_images_in_the_run(finished):
    frame = training_film([finished]).tracks[0].frames[-1]
    predictions = finished.predictions()
    rows = np.isin(predictions.ids, frame.ids)
    expected = np.zeros((4, 4), int)
    np.add.at(expected, (predictions.labels[rows], predictions.predicted[rows]), 1)
    np.testing.assert_array_equal(frame.confusion, expected)
    assert frame.accuracy == pytest.approx(finished.metrics()[-1]["validation_accuracy"])


def test_the_loss_is_minus_the_bound_and_the_accuracy_that_of_the_tracked_images(finished):
    lines = finished.metrics()
    (loss,) = training_film([finished]).curves
    (share,) = training_film([finished], curve="accuracy").curves
    np.testing.assert_allclose(loss.y, [-line["elbo_unlabelled"] for line in lines])
    np.testing.assert_allclose(share.y, [line["validation_accuracy"] for line in lines])


def test_a_long_training_is_thinned_to_its_ends_and_what_lies_evenly_between():
    chosen = gather._chosen_epochs([range(1, 1001)])
    assert (chosen[0], chosen[-1], len(chosen)) == (1, 1000, gather.MOST_FRAMES)
    assert np.ptp(np.diff(chosen)) <= 1


def test_a_run_that_stopped_early_stands_still():
    snapshots = [(epoch, Snapshot(np.arange(2), np.full((2, 2), epoch), np.eye(2))) for epoch in (2, 4)]
    assert gather._chosen_epochs([[2, 4], [1, 3, 5]]) == [2, 3, 4, 5]
    assert [s.z_mean[0, 0] for s in gather._held(snapshots, [2, 3, 4, 5])] == [2, 2, 4, 4]


def test_a_film_of_a_run_without_snapshots_says_so(finished, tmp_path):
    for name in (directory.CONFIG, directory.STATUS, directory.VALIDATION):
        (tmp_path / finished.id).mkdir(exist_ok=True)
        (tmp_path / finished.id / name).write_bytes((finished.path / name).read_bytes())
    with pytest.raises(UserError, match="no snapshots"):
        training_film([RunStore(tmp_path).get(finished.id)])


def test_a_ratio_film_shows_the_smallest_seed_and_the_spread_of_all(by_ratio):
    film = ratio_film(by_ratio)
    (track,) = film.tracks
    assert [frame.position for frame in track.frames] == list(RATIOS)
    assert [frame.run_id for frame in track.frames] == [by_ratio[2].id, by_ratio[0].id]
    (curve,) = film.curves
    accuracies = [run.status.validation["accuracy"] for run in by_ratio[1:]]
    assert (curve.low[0], curve.high[0]) == (min(accuracies), max(accuracies))
    assert curve.y[0] == pytest.approx(np.mean(accuracies))


def test_with_a_seed_only_its_frames_are_shown_under_the_curves_of_all(by_ratio):
    film = ratio_film(by_ratio, seed=1)
    assert [frame.run_id for frame in film.tracks[0].frames] == [by_ratio[1].id]
    assert list(film.curves[0].x) == list(RATIOS)
    assert not ratio_film(by_ratio, seed=9).tracks[0].frames


def test_an_unfinished_run_has_a_film_where_its_classes_are_told(finished, tmp_path):
    for name in (directory.CONFIG, directory.STATUS, directory.SNAPSHOTS, directory.METRICS):
        (tmp_path / finished.id).mkdir(exist_ok=True)
        (tmp_path / finished.id / name).write_bytes((finished.path / name).read_bytes())
    live, predictions = RunStore(tmp_path).get(finished.id), finished.predictions()
    film = training_film([live], truth=lambda run: (predictions.ids, predictions.labels))
    assert len(film.tracks[0].frames) == len(finished.snapshots())
    with pytest.raises(UserError, match=r"has lost its validation.npz"):
        training_film([live])


def test_rivals_are_dashed_curves(by_ratio):
    film = ratio_film(by_ratio, rivals={"Decision tree": {0.5: [0.6], 0.25: [0.4]}})
    curve = film.curves[1]
    assert (curve.name, curve.dashed, list(curve.x), list(curve.y)) == ("Decision tree", True, [0.25, 0.5], [0.4, 0.6])


def with_labels(run, labels_per_class):
    split = run.config.split.model_copy(update={"labelled_ratio": None, "labels_per_class": labels_per_class})
    return replace(run, config=run.config.model_copy(update={"split": split}))


def test_a_ratio_film_without_numbers_of_labels_says_what_to_train(finished):
    with pytest.raises(UserError, match="--labelled-ratio or --labels-per-class"):
        ratio_film([with_labels(finished, None)])


def test_a_sweep_over_labels_per_class_is_a_film_over_these(by_ratio):
    runs = [with_labels(run, number) for run, number in zip(by_ratio, (20, 3, 3), strict=True)]
    film = ratio_film(runs)
    assert film.axis == "labels per class" and "labels per class, 3 to 20" in film.alt()
    assert [(frame.position, frame.label) for frame in film.tracks[0].frames] == [(3, "3"), (20, "20")]
    assert list(film.curves[0].x) == [3, 20]
    axis = next(axis for axis in film.figure().select_xaxes() if axis.title.text == "Labels per class")
    assert axis.type == "log" and set(axis.ticktext) == {"5", "10", "20"}
    assert ratio_film([*runs, by_ratio[0]]).axis == "supervised ratio"


def test_runs_on_other_images_share_no_ratio_film(by_ratio, finished):
    config = finished.config
    other = replace(
        finished, config=config.model_copy(update={"dataset": config.dataset.model_copy(update={"seed": 1})})
    )
    with pytest.raises(UserError, match="different images"):
        ratio_film([*by_ratio, other])
    assert by_images([*by_ratio, other]) == [by_ratio, [other]]


def test_a_training_film_shows_images_where_they_are_given(finished):
    assert training_film([finished]).tracks[0].frames[0].manifold is None
    asked = []

    def pictures(run, ids):
        asked.append(ids)
        return np.zeros((len(ids), 8, 8), np.uint8)

    (track,) = training_film([finished], pictures=pictures).tracks
    assert track.picture != "manifold" and track.frames[0].manifold.shape[-1] == 4
    labels = dict(zip(track.frames[0].ids.tolist(), track.frames[0].labels.tolist(), strict=True))
    shown = [labels[int(sample)] for sample in asked[0]]
    assert shown == sorted(shown) and set(shown) == set(labels.values()), "class by class"
