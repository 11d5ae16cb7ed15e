"""Labels that people corrected teach and do not judge: what was moved is what a run has wrong."""

from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.embedding.answers import Answers
from ssrvae_core.library import NONE, Journal
from ssrvae_core.library.compare import compare
from ssrvae_core.library.confusion import validation_confusion
from ssrvae_core.library.judging import held_out_and_judging, left_out_text
from ssrvae_core.library.outliers import outliers, threshold_for, trusted_scores
from ssrvae_core.library.quick import QuickHead, quick_answer
from ssrvae_core.library.state import Origin
from ssrvae_core.library.training import training_labels
from tests.core.library.conftest import NAMES, make_particles


@pytest.fixture
def particles():
    """Half of the ten held-out images have no label, and the run has all of those wrong."""
    made = make_particles()
    held_out = np.flatnonzero(made.part == 2)
    hidden = held_out[::2]
    truth = made.predictions.labels
    prob = made.predictions.class_prob.copy()
    prob[hidden] = 0.1
    prob[hidden, (truth[hidden] + 1) % 3] = 0.8
    labels = truth.copy()
    labels[hidden] = NONE
    return replace(made, predictions=replace(made.predictions, class_prob=prob, labels=labels))


@pytest.fixture
def truth():
    return make_particles().predictions.labels


@pytest.fixture
def hidden(particles):
    return np.flatnonzero((particles.part == 2) & (particles.predictions.labels == NONE))


def _corrected(journal, rows, truth):
    for row in rows.tolist():
        library = journal.move(journal.base.ids[[row]], int(truth[row]), who="Ada")
    return library


def _again(particles, truth):
    """The run on the corrected labels, which has the same classes, and those that were moved right."""
    moved = (particles.part == 2) & (particles.predictions.labels == NONE)
    prob = particles.predictions.class_prob.copy()
    prob[moved] = 0.1
    prob[moved, truth[moved]] = 0.8
    return replace(particles, predictions=replace(particles.predictions, class_prob=prob))


def test_images_that_were_moved_do_not_say_which_run_is_better(run, particles, truth, hidden):
    library = _corrected(Journal(run), hidden, truth)
    found = compare(particles, NAMES, _again(particles, truth), NAMES, library)
    assert found.old.n == found.new.n == 5 and found.left_out == 5
    assert found.old.count == found.new.count and found.p_value == 1.0  # no gain, as nothing else has changed
    assert "5 held-out images" in found.in_words and "left out" in found.in_words


def test_of_corrected_labels_alone_nothing_can_be_compared(run, particles, truth, hidden):
    held_out = np.flatnonzero(particles.part == 2)
    library = _corrected(Journal(run), held_out, (truth + 1) % 3)
    found = compare(particles, NAMES, _again(particles, truth), NAMES, library)
    assert found.old.n == 0 and found.left_out == 10 and "nothing can be compared" in found.in_words


def test_the_quick_head_is_judged_by_labels_that_nobody_corrected(run, particles, truth, hidden):
    rng = np.random.default_rng(0)
    features = (np.eye(3)[truth] @ rng.normal(size=(3, 6)) * 9 + rng.normal(size=(60, 6))).astype(np.float32)
    head = QuickHead(Answers(features, {"descriptors": slice(0, 6)}, np.ones(60), None, 0), None)
    journal = Journal(run)
    first = quick_answer(head, journal.read(), particles)
    answer = quick_answer(head, _corrected(journal, hidden, truth), particles)
    assert answer.model_held_out == first.model_held_out and answer.held_out.n == 5
    assert (first.left_out, answer.left_out) == (0, 5)


def test_the_confusion_is_not_that_of_what_was_moved_because_it_is_confused(run, particles, truth, hidden):
    journal = Journal(run)
    first = validation_confusion(journal.read(), particles)
    moved = validation_confusion(_corrected(journal, hidden, truth), particles)
    assert np.array_equal(first.counts, moved.counts) and first.n == 5


def test_a_false_alarm_is_not_one_of_what_was_moved(run, particles, truth, hidden):
    journal = Journal(run)
    scores = particles.outlier_score.copy()
    scores[particles.part == 2], scores[hidden] = 0.5, 9.0  # people move what looks odd
    particles = replace(particles, outlier_score=scores)
    library = _corrected(journal, hidden, truth)
    found = outliers(library, particles, 1.0)
    assert (found.rate.count, found.rate.n, found.left_out) == (0, 5, 5)
    assert trusted_scores(library, particles).max() == 0.5 == threshold_for(library, particles, 0.2)
    assert "5 held-out images" in found.in_words and "left out" in found.in_words
    everything = _corrected(journal, np.flatnonzero(particles.part == 2), (truth + 1) % 3)
    assert "no image whose label nobody corrected" in outliers(everything, particles, 1.0).in_words


def test_an_expected_number_of_false_alarms_never_contradicts_what_was_found(run, particles):
    scores = np.where(particles.part == 2, 2.0, 0.1).astype(np.float32)
    unlike = outliers(Journal(run).read(), replace(particles, outlier_score=scores), 1.0)
    assert unlike.scores_differ and unlike.beyond == 5 and "score higher than the others" in unlike.in_words
    assert "would lie" not in unlike.in_words
    alike = outliers(Journal(run).read(), replace(particles, groups=None), 1.0)
    assert not alike.scores_differ and "would lie beyond it" in alike.in_words and not alike.apart


def test_a_rate_of_other_micrographs_is_told_as_such(run, particles):
    apart = replace(particles, groups=np.where(particles.part == 2, 7, particles.groups))
    found = outliers(Journal(run).read(), apart, 1.0)
    assert found.apart and "held out whole" in found.in_words


def test_confirming_the_label_that_is_there_takes_no_evidence(run, particles):
    journal = Journal(run)
    before = journal.read()
    rows = np.flatnonzero(before.origin == Origin.LABEL)
    for row in rows.tolist():
        confirmed = journal.move(before.base.ids[[row]], int(before.known[row]), who="Ada")
    assert (confirmed.origin == before.origin).all() and (confirmed.uncorrected == before.uncorrected).all()
    judging = held_out_and_judging(confirmed, particles)
    assert judging.sum() == held_out_and_judging(before, particles).sum() > 0
    assert training_labels(confirmed, particles).held_out == 0
    row = int(np.flatnonzero(judging)[0])
    changed = journal.move(before.base.ids[[row]], int(before.known[row] + 1) % 3, who="Ada")
    assert changed.origin[row] == Origin.HAND and not held_out_and_judging(changed, particles)[row]
    back = journal.move(before.base.ids[[row]], int(before.known[row]), who="Ada")
    assert back.origin[row] == Origin.LABEL and held_out_and_judging(back, particles)[row]


def test_one_rule_says_how_many_held_out_images_were_moved(run, particles, truth, hidden):
    prob = particles.predictions.class_prob.copy()
    prob[hidden[0]] = 0.1
    prob[hidden[0], truth[hidden[0]]] = 0.8  # the model has it right: moved to where it is
    particles = replace(particles, predictions=replace(particles.predictions, class_prob=prob))
    library = _corrected(Journal(run, particles), hidden, truth)
    told = training_labels(library, particles)
    assert told.held_out == outliers(library, particles, 1.0).left_out == 5
    held_out = particles.part[told.rows] == 2
    assert (told.labels[held_out] >= 0).sum() == held_out_and_judging(library, particles).sum()
    assert left_out_text(told.held_out) in compare(particles, NAMES, _again(particles, truth), NAMES, library).in_words
