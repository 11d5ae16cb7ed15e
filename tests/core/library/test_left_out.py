"""The confusion from labels left out in turn: known from more images, and honest."""

from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.embedding.answers import Answers
from ssrvae_core.library import Origin
from ssrvae_core.library.base import Base
from ssrvae_core.library.entries import Move
from ssrvae_core.library.fractions import class_fractions
from ssrvae_core.library.left_out import ENOUGH, best_known, by_head
from ssrvae_core.library.quick import QuickHead
from ssrvae_core.library.replaying import replay
from tests.core.library.conftest import NAMES, make_particles


def _setting(n=240, spread=0.6, seed=0, groups=8):
    """Particles whose features tell the classes apart, up to a spread; a sixth labelled, a sixth held out."""
    particles = make_particles(n, seed=seed, groups=groups)
    truth = particles.predictions.labels
    rng = np.random.default_rng(seed + 1)
    centres = np.eye(3)[truth] @ rng.normal(size=(3, 6)) * 2
    features = (centres + spread * rng.normal(size=(n, 6))).astype(np.float32)
    answers = Answers(features, {"descriptors": slice(0, 6)}, np.ones(n), particles.groups, 0)
    return particles, QuickHead(answers, None), replay([], Base.of("0" * 12, NAMES, particles))


def test_every_label_is_judged_without_itself_and_its_micrograph():
    particles, head, library = _setting()
    found = by_head(head, library, particles)
    labelled = library.origin == Origin.LABEL
    assert found.confusion.n == labelled.sum() and found.confusion.by_micrograph and found.confusion.left_out
    truth = particles.predictions.labels
    assert (found.called == truth)[~labelled].mean() > 0.9
    right = np.trace(found.confusion.counts) / found.confusion.n
    assert right == pytest.approx((found.called == truth)[~labelled].mean(), abs=0.1)


def test_a_label_does_not_tell_its_own_class():
    """Labels at random: a head that saw them would be right, one that is honest is right in one of three."""
    particles, head, _ = _setting()
    rng = np.random.default_rng(9)
    labels = rng.integers(0, 3, len(particles))
    lied = replace(particles, predictions=replace(particles.predictions, labels=labels))
    found = by_head(head, replay([], Base.of("0" * 12, NAMES, lied)), lied)
    assert np.trace(found.confusion.counts) / found.confusion.n < 0.55


def test_what_people_correct_teaches_and_does_not_judge():
    particles, head, library = _setting()
    ids = library.base.ids[library.origin == Origin.MODEL][:5].tolist()
    move = Move(time=1.0, who="a", run=library.base.run, particles=tuple(ids), before=(0,) * 5, to=1)
    corrected = by_head(head, replay([move], library.base), particles)
    assert corrected.confusion.n == by_head(head, library, particles).confusion.n


def test_the_runs_own_confusion_is_taken_where_enough_was_held_out():
    particles, head, library = _setting()
    few = best_known(library, particles, head)
    assert few.confusion.left_out and few.confusion.n > 40
    own = best_known(library, particles, None).confusion
    assert not own.left_out and own.n == 40
    many, head_of_many, library_of_many = _setting(n=12 * 3 * ENOUGH)
    assert not best_known(library_of_many, many, head_of_many).confusion.left_out


def test_a_class_without_a_label_cannot_be_left_out():
    particles, head, library = _setting()
    labels = np.where(library.base.labels == 2, -1, library.base.labels)
    assert by_head(head, replay([], replace(library.base, labels=labels)), particles) is None


def test_the_intervals_hold_the_truth_and_are_narrower():
    particles, head, library = _setting()
    truth = np.bincount(particles.predictions.labels, minlength=3) / len(particles)
    found = class_fractions(library, particles, classified=by_head(head, library, particles))
    own = class_fractions(library, particles)
    for one, other, share in zip(found.classes, own.classes, truth, strict=True):
        assert one.low <= share <= one.high and one.high - one.low < other.high - other.low


def test_one_micrograph_or_none_is_left_out_label_by_label():
    particles, head, library = _setting(groups=1)
    found = by_head(head, library, particles)
    assert not found.confusion.by_micrograph and found.confusion.micrographs == 1
    alone = replace(particles, groups=None, group_names=None)
    assert by_head(head, library, alone).confusion.micrographs is None


def test_a_class_that_is_known_by_hand_alone_leaves_the_others_out_by_micrograph():
    particles, head, library = _setting()
    labels = np.where(library.base.labels == 2, -1, library.base.labels)
    base = replace(library.base, labels=labels)
    free = base.ids[(labels == -1) & (particles.predictions.labels == 2)][:8].tolist()
    move = Move(time=1.0, who="a", run=base.run, particles=tuple(free), before=(0,) * 8, to=2)
    found = by_head(head, replay([move], base), particles)
    assert found.confusion.by_micrograph and found.confusion.counts[2].sum() == 0
