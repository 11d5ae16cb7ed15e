"""Class fractions: the truth lies within the intervals, and what is not known is told."""

from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.library import Journal
from ssrvae_core.library.base import Base
from ssrvae_core.library.confusion import design_effect, validation_confusion
from ssrvae_core.library.double_sampling import interval, true_counts
from ssrvae_core.library.fractions import Fraction, class_fractions
from ssrvae_core.library.outliers import Rate, false_alarms, outliers, threshold_for, trusted_scores
from ssrvae_core.library.replaying import replay
from tests.core.library.conftest import NAMES, make_particles


def _library(particles):
    return replay([], Base.of("0" * 12, NAMES, particles))


def test_shares_sum_to_one_and_known_particles_are_counted(run):
    library, particles = Journal(run).read(), run.particles()
    found = class_fractions(library, particles)
    assert sum(one.estimate for one in found.classes) == pytest.approx(1, abs=1e-9)
    assert sum(one.counted for one in found.classes) == found.total == len(particles)
    for one in found.classes:
        assert one.known / found.total <= one.low <= one.estimate <= one.high <= 1
    assert found.classes == class_fractions(library, particles).classes  # the same numbers again


def test_where_a_person_knows_every_particle_the_fractions_are_exact():
    particles = replace(make_particles(), part=np.zeros(60, dtype=np.int8))
    found = class_fractions(_library(particles), particles)
    shares = np.bincount(particles.predictions.labels, minlength=3) / 60
    for one, share in zip(found.classes, shares, strict=True):
        assert (one.low, one.estimate, one.high) == pytest.approx((share, share, share))
    assert not found.remarks


def test_the_bias_of_a_known_confusion_is_taken_away():
    rows = np.array([[0.9, 0.1], [0.4, 0.6]])
    called = np.array([0.8, 0.2]) @ rows * 10_000
    draws = true_counts((rows * 2000).astype(int), called.astype(int)) / 10_000
    low, high = interval(draws)
    assert low[0] < 0.8 < high[0] and high[0] - low[0] < 0.15 and called[0] / 10_000 == pytest.approx(0.8)
    called = np.array([0.2, 0.8]) @ rows * 10_000  # here the counts are wrong by a quarter of all particles
    low, high = interval(true_counts((rows * 2000).astype(int), called.astype(int)) / 10_000)
    assert low[0] < 0.2 < high[0] < called[0] / 10_000


def test_intervals_hold_the_truth_as_often_as_they_promise():
    """Fifteen data sets with few labels; ``benchmarks/class_fractions.py`` takes thousands."""
    rng = np.random.default_rng(0)
    rows = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]])
    inside = 0
    for number in range(15):
        truth = rng.multinomial(400, [0.7, 0.25, 0.05])
        called = sum(rng.multinomial(n, row) for n, row in zip(truth, rows, strict=True))
        confusion = np.stack([rng.multinomial(8, row) for row in rows])
        low, high = interval(true_counts(confusion, called, seed=number))
        inside += ((low <= truth) & (truth <= high)).sum()
    assert inside >= 0.9 * 45


def test_more_held_out_images_narrow_the_intervals_and_alike_ones_do_not():
    rows, called = np.array([[9, 1], [2, 8]]), np.array([300, 200])

    def width(confusion, **more):
        low, high = interval(true_counts(confusion, called, **more) / 500)
        return high[0] - low[0]

    assert width(rows * 20) < width(rows * 5) < width(rows)
    assert width(rows * 20, design_effect=20.0) > 1.5 * width(rows * 20)


def test_nothing_known_of_the_confusion_is_told_and_a_million_particles_are_no_harder():
    particles = make_particles()
    unknown = replace(particles, part=np.where(particles.part == 2, 1, particles.part).astype(np.int8))
    found = class_fractions(_library(unknown), unknown)
    assert found.confusion.n == 0 and any("No labelled image was held out" in remark for remark in found.remarks)
    assert max(one.high - one.low for one in found.classes) > 0.3
    draws = true_counts(np.diag([50, 50, 50]), np.array([700_000, 299_999, 1]))
    assert draws.sum(axis=1) == pytest.approx(1_000_000)


def test_micrographs_that_differ_count_for_fewer_images():
    right = np.repeat([True, False, True, False], 25)
    assert design_effect(right, np.repeat(np.arange(4), 25)) == pytest.approx(25, rel=0.05)
    assert design_effect(right, np.tile(np.arange(25), 4)) == 1.0
    assert design_effect(right, np.zeros(100, dtype=int)) == 1.0  # of one micrograph nothing is known
    assert design_effect(right[:0], np.zeros(0, dtype=int)) == 1.0


def test_mistakes_that_come_in_whole_micrographs_are_told():
    particles = make_particles(600)
    wrong = particles.predictions.predicted != particles.predictions.labels
    together = replace(particles, groups=np.where(wrong, 0, 1 + np.arange(600) % 5))
    told = class_fractions(_library(together), together).remarks
    assert any("whole micrographs" in remark for remark in told)
    apart = class_fractions(_library(particles), particles).remarks
    assert not any("whole micrographs" in remark for remark in apart)


def test_leakage_between_micrographs_is_told(run):
    library, particles = Journal(run).read(), run.particles()
    assert any("new micrographs" in remark for remark in class_fractions(library, particles).remarks)
    assert not any(
        "new micrographs" in remark for remark in class_fractions(library, particles, by_micrograph=True).remarks
    )


def test_the_confusion_is_that_of_the_librarys_classes(run):
    journal, particles = Journal(run), run.particles()
    held_out = particles.part == 2
    first = validation_confusion(journal.read(), particles)
    assert first.n == held_out.sum() and first.counts.shape == (3, 3)
    assert np.trace(first.counts) == (particles.predictions.predicted == particles.predictions.labels)[held_out].sum()
    merged = validation_confusion(journal.merge([2], 1, who="a"), particles)
    assert np.array_equal(merged.counts, [[first.counts[0, 0], first.counts[0, 1:].sum()],
                                          [first.counts[1:, 0].sum(), first.counts[1:, 1:].sum()]])  # fmt: skip
    assert validation_confusion(journal.set_threshold(0.5, who="a"), particles).n < first.n


def test_none_of_ten_is_not_none_of_all():
    none = Rate.of(0, 10)
    assert none.share == 0 and none.low == 0 and none.high == pytest.approx(0.3085, abs=1e-4)
    assert Rate.of(10, 10).low == pytest.approx(1 - 0.3085, abs=1e-4)
    assert Rate.of(5, 100).low == pytest.approx(0.0164, abs=1e-4)
    assert Rate.of(0, 0) == Rate(0, 0, 0.0, 1.0) and Rate.of(0, 0).share is None


def test_a_threshold_costs_the_good_particles_that_it_promises():
    rng = np.random.default_rng(0)
    costs = []
    for seed in range(300):
        particles = make_particles(seed=seed)
        particles = replace(particles, outlier_score=rng.exponential(size=60).astype(np.float32))
        threshold = threshold_for(_library(particles), particles, 0.2)
        costs.append(np.exp(-threshold))  # of the scores' own distribution
    assert np.mean(costs) == pytest.approx(2 / 11, abs=0.02)  # the ninth of ten: 2 in 11, not more than asked for


def test_too_few_trusted_images_for_a_small_rate_are_told():
    particles = make_particles()
    library = _library(particles)
    assert len(trusted_scores(library, particles)) == 10
    with pytest.raises(UserError, match=r"10 labelled images.* too few .*0\.01; ask for 0\.091"):
        threshold_for(library, particles, 0.01)
    with pytest.raises(UserError, match="between 0 and 1"):
        threshold_for(library, particles, 0)
    nobody = replace(particles, outlier_score=np.full(60, np.nan, dtype=np.float32))
    with pytest.raises(UserError, match="hold out labelled images"):
        threshold_for(library, nobody, 0.1)
    assert false_alarms(library, nobody, 1.0).n == 0


def test_what_a_threshold_does_is_told_with_its_cost(run):
    particles = run.particles()
    library = Journal(run).set_threshold(1.0, who="a")
    found = outliers(library, particles)
    free = particles.part == 1
    assert found.beyond == (particles.outlier_score[free] > 1).sum() == library.counts[-1]
    assert found.judged == free.sum() and found.rate.n == 10
    assert str(found.beyond) in found.in_words and "false alarm" in found.in_words
    assert "No outlier threshold" in outliers(replay([], library.base), particles).in_words


def test_a_class_that_is_rare_among_many_particles_stays_rare():
    """Twenty of 20 000: where the sampler takes 100 particles for all, each of those stands for 200."""
    called = np.array([15_000, 4_980, 20])
    for seed in range(3):
        draws = true_counts(np.eye(3, dtype=int) * 10, called, seed=seed)
        assert np.array_equal(draws.sum(axis=1), np.full(len(draws), 20_000))
        low, high = interval(draws)
        assert low[2] <= 20 <= high[2] and draws[:, 2].mean() < 45


def test_a_class_that_the_model_never_learnt_may_be_larger_than_what_was_moved_there(run):
    """The model cannot call it, so that it is called by nobody says nothing of how many there are."""
    journal, particles = Journal(run), run.particles()
    rods = journal.read().members(2)
    library = journal.split(rods[:2], "long rods", who="a")
    found = class_fractions(library, particles)
    (new,) = [one for one in found.classes if library.names[one.number] == "long rods"]
    assert new.known == 2 and new.low <= 2 / found.total + 1e-9
    assert new.high > 0.3  # as many as it puts into all classes that it knows might be some of these
    assert any("not trained" in remark and "long rods" in remark for remark in found.remarks)
    merged = class_fractions(journal.merge([3], 2, who="a"), particles)
    assert not any("not trained" in remark for remark in merged.remarks)


def test_classes_that_are_all_new_have_any_share(run):
    journal, particles = Journal(run), run.particles()
    journal.merge([1, 2], 0, who="a")
    library = journal.split(journal.base.ids[:3], "new", who="a")
    found = class_fractions(library, particles)
    assert sum(one.estimate for one in found.classes) == pytest.approx(1)
    assert all(one.high - one.low > 0.3 for one in found.classes)


def test_the_estimate_lies_within_its_interval_where_few_particles_are_left_to_the_model():
    part = np.zeros(60, dtype=np.int8)
    part[7] = 1
    for seed in range(5):
        particles = replace(make_particles(60, seed=seed), part=part)
        for one in class_fractions(_library(particles), particles).classes:
            assert one.low <= one.estimate <= one.high


def test_a_class_of_which_no_image_was_judged_has_an_interval_and_no_estimate_to_be_misread(run):
    particles, journal = run.particles(), Journal(run)
    free = particles.ids[particles.part == 1][:3]
    library = journal.split(free, "long rods", who="Ada")
    *others, new = class_fractions(library, particles).classes
    assert new.judged == 0 and all(one.judged for one in others)
    assert not new.telling and new.in_words == f"{100 * new.low:.1f} to {100 * new.high:.1f} %"


def test_the_interval_comes_first_and_an_estimate_that_corrections_move_at_will_is_not_shown():
    wide = Fraction(number=0, counted=152, known=9, judged=10, estimate=0.395, low=0.024, high=0.66)
    narrow = replace(wide, low=0.352, high=0.471, estimate=0.41)
    exact = replace(wide, low=0.25, high=0.25, estimate=0.25)
    assert not wide.telling and "39.5" not in wide.in_words and wide.in_words.startswith("2.4 to 66.0 %")
    assert narrow.telling and narrow.in_words.startswith("35.2 to 47.1 %") and "41.0 %" in narrow.in_words
    assert exact.in_words == "25.0 %" and replace(narrow, judged=0).in_words == "35.2 to 47.1 %"


def test_what_is_called_so_is_told_beside_the_share_that_is_inferred(run):
    found = class_fractions(Journal(run).read(), run.particles())
    for one in found.classes:
        assert found.called(one) == f"{one.counted} of 60, {100 * one.counted / 60:.1f} %"
        assert found.called(one, " particles").startswith(f"{one.counted} of 60 particles, ")
