"""How far an embedding is, in numbers and words."""

from ssrvae_core.runs.embeddings.progress import EmbeddingProgress, Pace

PROGRESS = EmbeddingProgress(steps=100, images=1200)


def at(**places):
    return PROGRESS.model_copy(update=places)


def test_it_says_what_is_under_way():
    assert at(step=40).in_words == "step 40 of 100"
    assert at(step=100, measured=500).in_words == "500 of 1,200 images measured"
    assert at(step=100, measured=1200).in_words == "all 1,200 images measured, comparing them"
    assert EmbeddingProgress(steps=0, images=5).in_words == "0 of 5 images measured"


def test_it_says_where_it_goes_on():
    assert (at(step=40).goes_on, at(step=40).done_in_words) == ("", "0 of 100 steps")
    assert (at(step=40, saved=30).goes_on, at(step=40, saved=30).done_in_words) == ("step 31", "30 of 100 steps")
    assert at(saved=100).goes_on == "its trained stage"
    assert EmbeddingProgress(steps=0, images=5).done_in_words == "0 of 5 images"
    stopped = at(step=100, measured=700, saved=100, seconds_left=3).stopped
    assert (stopped.step, stopped.measured, stopped.seconds_left) == (100, 0, None)


def test_its_share_goes_from_nothing_to_all():
    shares = [at(step=step, measured=measured).share for step, measured in ((0, 0), (50, 0), (100, 0), (100, 1200))]
    assert shares == sorted(shares) and (shares[0], shares[-1]) == (0, 1)


def test_the_rest_takes_as_long_as_the_pace_says():
    pace = Pace()
    assert pace.passes(at(), 10.0) is None
    assert pace.passes(at(step=50), 15.0) == 15.0
    assert pace.passes(at(step=100), 20.0) == 10.0
