from dataclasses import replace

import pytest

from ssrvae_core.records import Judgement
from ssrvae_core.reports.wording import LABELS_MEASURED, course_text, judgement_text, plain
from ssrvae_core.training.advice import MOST_MEASURED

SCORES = (-0.5, -0.25, -0.125)


def test_plotly_finds_neither_markup_nor_a_placeholder_in_a_name():
    assert plain("<b>%{x}</b>") == "&lt;b&gt;&#37;{x}&lt;/b&gt;"


@pytest.mark.parametrize(
    ("powers", "who"), [((1, 0), "network alone"), ((0, 0.5), "shape alone"), ((1, 0.5), "network and the measured")]
)
def test_it_is_said_whose_classes_these_are_and_by_how_many_labels(powers, who):
    text = judgement_text(Judgement(*powers, SCORES, 30))
    assert who in text and "30 training labels" in text
    assert all(f"{score:.2f}" in text for score in SCORES)
    assert "could be left out" in judgement_text(Judgement(*powers))


def test_it_is_said_why_not_every_label_of_the_training_was_left_out():
    judgement = Judgement(1, 0, SCORES, 18)
    text = judgement_text(judgement, 24)
    assert "18 of the 24 training labels" in text and "the other 6 always stay" in text
    assert "other" not in judgement_text(judgement, 18)
    assert LABELS_MEASURED == MOST_MEASURED and "always stay" not in judgement_text(judgement, MOST_MEASURED + 1)


def test_what_is_perfect_is_0_and_not_minus_0():
    assert "-0.00" not in judgement_text(Judgement(1, 0, (-1e-9, -0.004, 0.0), 30))


def test_it_is_said_why_an_accuracy_leaps_at_the_last_epoch(hostile_pair):
    _, run = hostile_pair
    asks = run.config.model_copy(update={"model": run.config.model.model_copy(update={"second_opinion": True})})

    def told(*powers):
        judgement = Judgement(*powers, SCORES, 30) if powers else None
        return course_text(replace(run, config=asks, status=run.status.model_copy(update={"judgement": judgement})))

    assert "network alone" in told(0, 1) and "measured shape alone" in told(0, 1)
    assert "together" in told(0.5, 0.5) and "joined" in told()
    assert told(1, 0) == "" == course_text(hostile_pair[0])
