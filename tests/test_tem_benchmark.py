"""The measure itself: what is labelled, seen and judged by each protocol, and what a repeated command does."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ssrvae_core.data import UNLABELLED, ImageSet
from ssrvae_core.embedding.descriptors import shape_descriptors

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
GROUPS_OF = {0: (0, 1, 2, 3), 1: (4, 5, 6), 2: (7, 8)}
PER_GROUP = 12


@pytest.fixture(scope="module")
def benchmark():
    """Import a script's modules by name, as Python does where the script is started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        patch.setattr(sys, "path", [*sys.path])  # the scripts add to it
        yield importlib.import_module


def particles():
    """Ellipses, squares and triangles in micrographs of one class each."""
    groups = np.repeat(np.arange(9), PER_GROUP)
    labels = np.array([label for label, own in GROUPS_OF.items() for _ in own])[groups]
    rng = np.random.default_rng(0)
    y, x = np.indices((24, 24)) - 11.5
    masks = np.empty((len(labels), 24, 24), dtype=bool)
    for mask, label, size in zip(masks, labels, rng.uniform(6, 9, len(labels)), strict=True):
        radius = (np.hypot(1.5 * x, y), np.maximum(abs(x), abs(y)), np.maximum(y + 3, 1.7 * abs(x) - y))[label]
        mask[:] = radius < size
    images = (np.where(masks, 0.3, 0.7) + rng.uniform(-0.1, 0.1, masks.shape)).astype(np.float32)
    return ImageSet(images[:, None], labels, np.arange(len(labels)), ("a", "b", "c"), groups=groups, masks=masks)


def test_each_split_learns_from_half_of_every_class_and_no_two_splits_are_the_same(benchmark):
    halves = benchmark("tem_protocols").training_groups(particles(), 12)
    assert len({tuple(half) for half in halves}) == 12
    for half in halves:
        of_class = [sum(group in half for group in own) for own in GROUPS_OF.values()]
        assert of_class[0] == 2 and of_class[1] in (1, 2) and of_class[2] == 1
    with pytest.raises(SystemExit, match="--splits"):
        benchmark("tem_protocols").training_groups(particles(), 200)


@pytest.mark.parametrize("library", [False, True])
def test_transfer_keeps_the_judged_particles_away_and_library_shows_them_without_labels(benchmark, library):
    images, training = particles(), np.array([0, 2, 5, 8])
    data = benchmark("tem_protocols").by_micrograph(images, training, 10, draw=1, library=library)
    assert np.bincount(data.labelled.labels).tolist() == [10, 10, 10]
    assert set(data.labelled.groups) <= set(training)
    assert set(data.validation.groups) == set(range(9)) - set(training)
    shared = set(data.unlabelled.ids) & set(data.validation.ids)
    assert shared == (set(data.validation.ids) if library else set())
    assert not set(data.labelled.ids) & {*data.unlabelled.ids, *data.validation.ids}
    assert (data.unlabelled.labels == UNLABELLED).all()
    np.testing.assert_array_equal(data.hidden_labels, images.labels[data.unlabelled.ids])
    other = benchmark("tem_protocols").by_micrograph(images, training, 10, draw=2, library=library)
    assert set(other.labelled.ids) != set(data.labelled.ids)
    np.testing.assert_array_equal(other.validation.ids, data.validation.ids)


@pytest.mark.parametrize("name", ["coverage", "random"])
def test_clicks_label_what_was_proposed_and_judge_the_rest(benchmark, name):
    protocols, images = benchmark("tem_protocols"), particles()
    described = shape_descriptors(images.masks)
    data = protocols.by_clicks(images, described, 20, 3, protocols.PROPOSALS[name])
    assert len(data.labelled) == 20
    assert {*data.labelled.ids, *data.validation.ids} == set(images.ids)
    np.testing.assert_array_equal(data.unlabelled.ids, data.validation.ids)
    again = protocols.by_clicks(images, described, 20, 3, protocols.PROPOSALS[name])
    np.testing.assert_array_equal(again.labelled.ids, data.labelled.ids)


def test_a_proposal_is_answered_batch_by_batch_and_never_sees_a_label_that_it_has_not_asked_for(benchmark):
    protocols, images = benchmark("tem_protocols"), particles()
    asked = []

    def propose(blind, descriptors, labels, n, seed):
        assert (blind.labels == UNLABELLED).all()
        known = labels != UNLABELLED
        np.testing.assert_array_equal(labels[known], images.labels[known])
        asked.append((int(known.sum()), n))
        return np.flatnonzero(~known)[:n]

    protocols.by_clicks(images, np.zeros((len(images), 1)), 10, 0, protocols.Proposal(propose, batch=4))
    assert asked == [(0, 4), (4, 4), (8, 2)]
    twice = protocols.Proposal(lambda *_: np.array([1, 1]))
    with pytest.raises(SystemExit, match="different images"):
        protocols.by_clicks(images, np.zeros((len(images), 1)), 2, 0, twice)


def test_a_class_without_a_click_is_left_out_of_training_and_no_judged_label_is_handed_on(benchmark):
    protocols, images = benchmark("tem_protocols"), particles()
    only = protocols.Proposal(lambda blind, d, labels, n, seed: np.flatnonzero(images.labels != 1)[:n])
    data = protocols.by_clicks(images, np.zeros((len(images), 1)), 60, 0, only)
    known, present = protocols.known_classes(data)
    assert present.tolist() == [0, 2]
    assert known.labelled.class_names == ("a", "c")
    np.testing.assert_array_equal(present[known.labelled.labels], data.labelled.labels)
    assert (known.validation.labels == UNLABELLED).all()
    assert (known.hidden_labels[data.hidden_labels == 1] == UNLABELLED).all()


def test_an_interval_is_narrow_where_all_splits_agree_and_holds_zero_where_they_do_not(benchmark):
    interval = benchmark("tem").interval
    assert interval([0.1] * 20) == [0.1, 0.1]
    low, high = interval([-0.1, 0.1] * 10)
    assert low < 0 < high


def line(method, split, draw, score):
    key = {"protocol": "transfer", "view": "mask", "labels": 10, "proposal": None, "split": split, "draw": draw}
    scores = {"balanced_accuracy": score, "ece": 0.1, "nll": 0.5, "seconds": 1.0}
    return {**key, "method": method, "settings": {}, "data": "abc", **scores}


def test_differences_are_paired_within_splits(benchmark):
    """One method is 0.1 better on each split; the splits differ by more."""
    lines = [line("one", s, d, 0.5 + 0.04 * s + 0.01 * d) for s in range(5) for d in range(2)]
    lines += [line("other", s, d, 0.6 + 0.04 * s + 0.01 * d) for s in range(5) for d in range(2) if s != 4]
    best, reference = benchmark("tem").summarise(lines, "one")
    assert (best["method"], best["minus"], best["over_splits"], best["fits"]) == ("other", "one", 4, 8)
    assert best["paired"] == pytest.approx(0.1)
    np.testing.assert_allclose(best["interval"], 0.1)
    assert (reference["worst"], "paired" in reference) == (0.5, False)


def test_a_repeated_command_fits_only_what_is_missing(benchmark, tmp_path, monkeypatch, capsys):
    images = particles()
    shown = {"images": images.images[:, 0], "labels": images.labels, "groups": images.groups, "masks": images.masks}
    np.savez(tmp_path / "p.npz", **shown)
    tem, out = benchmark("tem"), tmp_path / "fits.jsonl"
    monkeypatch.setattr(tem, "RESAMPLES", 100)

    def run(*options):
        command = ["tem.py", "--file", str(tmp_path / "p.npz"), "--out", str(out), "--draws", "1", "--clicks", "12"]
        monkeypatch.setattr(sys, "argv", [*command, *options])
        tem.main()
        return [json.loads(text) for text in capsys.readouterr().out.splitlines()]

    run("--splits", "1", "--methods", "simple-lda", "border-ring")
    first = out.read_text().splitlines()
    assert [json.loads(text)["protocol"] for text in first] == ["transfer", "library", "clicks"]
    assert all(json.loads(text)["balanced_accuracy"] > 0.6 for text in first)

    out.write_text("\n".join(first[:2]) + '\n{"protocol": "cl')  # stopped in the middle of a line
    report = run("--splits", "2", "--methods", "simple-lda")
    fits = tem.kept(out)
    assert len(fits) == len({tem.identity(fit) for fit in fits}) == 6
    assert [row["fits"] for row in report if "mean" in row] == [2, 2, 2]
    assert out.read_text().startswith("\n".join(first[:2]))

    summary = run("--splits", "2", "--methods", "simple-lda", "--summary")
    assert [row for row in summary if "mean" in row] == [row for row in report if "mean" in row]
    run("--splits", "1", "--methods", "border-ring", "outline-lda", "--views", "image", "--protocols", "transfer")
    assert {fit["method"] for fit in tem.kept(out) if fit["view"] == "image"} == {"border-ring", "outline-lda"}
