"""The journal: what is written is there again, whoever wrote it and however the writing ended."""

import json
import multiprocessing
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrvae_core.config import UserError
from ssrvae_core.library import NONE, Journal, Origin
from ssrvae_core.library.base import Base
from ssrvae_core.library.entries import parse
from ssrvae_core.library.journal import JOURNAL, in_words
from ssrvae_core.library.replaying import replay
from ssrvae_core.runs.store import RunStore
from tests.core.library.conftest import NAMES, make_particles


@pytest.fixture
def journal(run):
    return Journal(run)


def _free(library, n=3):
    """Ids of particles that the model alone classifies, in class 0."""
    return library.base.ids[(library.assigned == 0) & (library.origin == Origin.MODEL)][:n].tolist()


def test_before_any_change_labels_win_over_the_model_and_hidden_labels_are_not_used(journal, particles):
    library = journal.read()
    labelled = particles.part != 1
    assert np.array_equal(library.assigned[labelled], particles.predictions.labels[labelled])
    assert np.array_equal(library.assigned[~labelled], particles.predictions.predicted[~labelled])
    assert set(library.origin[labelled]) == {Origin.LABEL} and set(library.origin[~labelled]) == {Origin.MODEL}
    assert list(library.names.values()) == list(NAMES) and sum(library.counts.values()) == len(particles)


def test_moved_particles_are_there_again_with_who_and_when(journal, run):
    ids = _free(journal.read())
    journal.move(ids, 2, who="Ada")
    journal.move(ids[:1], NONE, who="Bob")
    library = Journal(run).read()
    assert set(ids[1:]) <= set(library.members(2).tolist()) and ids[0] in library.members(NONE)
    assert library.decisions[ids[0]].who == "Bob" and library.decisions[ids[1]].who == "Ada"
    assert library.decisions[ids[0]].time >= library.decisions[ids[1]].time > 1e9
    written = [json.loads(line) for line in (run.path / JOURNAL).read_text().splitlines()]
    assert written[0] | {"time": 0} == {
        "time": 0, "who": "Ada", "run": run.id, "particles": ids, "from": [0, 0, 0], "action": "move", "to": 2,
    }  # fmt: skip
    assert written[1]["from"] == [2] and written[1]["to"] is None


def test_a_class_keeps_its_number_whatever_happens_to_others(journal):
    ids = _free(journal.read())
    journal.rename(1, "balls", who="a")
    library = journal.split(ids, "long rods", who="a")
    assert dict(library.names) == {0: "cubes", 1: "balls", 2: "rods", 3: "long rods"}
    before = library.counts
    library = journal.merge([3, 1], 2, who="a")
    assert dict(library.names) == {0: "cubes", 2: "rods"}
    assert library.counts[2] == before[1] + before[2] + before[3]
    assert journal.split(ids, "another", who="a").names[4] == "another"  # 3 is not given again


def test_everything_can_be_undone_and_done_again(journal):
    first = journal.read()
    ids = _free(first)
    steps = [
        lambda: journal.move(ids, 1, who="a"),
        lambda: journal.split(ids[:2], "new", who="a"),
        lambda: journal.rename(3, "newer", who="a"),
        lambda: journal.merge([0], 3, who="b"),
        lambda: journal.set_threshold(1.0, who="b"),
    ]
    states = [first, *(step() for step in steps)]
    for state in reversed(states[:-1]):
        library = journal.undo(who="c")
        assert np.array_equal(library.assigned, state.assigned) and library.names == state.names
    with pytest.raises(UserError, match="nothing to undo"):
        journal.undo(who="c")
    for state in states[1:]:
        library = journal.redo(who="c")
        assert np.array_equal(library.assigned, state.assigned) and library.names == state.names
        assert np.array_equal(library.origin, state.origin)
    with pytest.raises(UserError, match="nothing was undone"):
        journal.redo(who="c")
    assert len(journal.entries()) == 15  # nothing is deleted
    assert np.array_equal(journal.at(2).assigned, states[2].assigned)


def test_a_change_after_an_undo_ends_what_could_be_done_again(journal):
    ids = _free(journal.read())
    journal.move(ids, 1, who="a")
    assert journal.undo(who="a").redoable is not None
    assert journal.move(ids, 2, who="a").redoable is None


def test_outliers_are_none_of_these_unless_a_person_knows_better(journal, particles):
    ids = _free(journal.read(), 1)
    journal.move(ids, 0, who="a")
    library = journal.set_threshold(0.0, who="a")
    free = (particles.part == 1) & (particles.predictions.ids != ids[0])
    assert (library.assigned[free] == NONE).all() and (library.origin[free] == Origin.OUTLIER).all()
    assert (library.assigned[~free] != NONE).all()
    assert journal.set_threshold(None, who="a").counts[NONE] == 0


def test_a_line_that_a_crash_cut_short_is_passed_over_and_the_next_stands_alone(journal, run):
    ids = _free(journal.read())
    journal.move(ids, 1, who="a")
    path = run.path / JOURNAL
    whole = path.read_bytes()
    journal.move(ids, 2, who="a")
    path.write_bytes(path.read_bytes()[:-20])
    again = Journal(run)
    assert set(ids) <= set(again.read().members(1).tolist())
    again.rename(0, "blocks", who="a")
    lines = path.read_bytes()
    assert lines.startswith(whole) and lines.count(b"\n") == 2 and again.read().names[0] == "blocks"


def _moves(root, run_id, ids, to):
    journal = Journal(RunStore(root).get(run_id))
    for one in ids:
        journal.move([one], to, who=f"writer {to}")


def test_two_writers_lose_nothing(journal, run):
    ids = journal.base.ids.tolist()
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=_moves, args=(run.path.parent, run.id, ids[:20], 1)),
        spawn.Process(target=_moves, args=(run.path.parent, run.id, ids[20:40], 2)),
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    library = journal.read()
    assert set(ids[:20]) <= set(library.members(1).tolist()) and set(ids[20:40]) <= set(library.members(2).tolist())
    assert library.n_entries == 40


def test_a_change_is_made_on_what_another_browser_wrote_before(run):
    here, there = Journal(run), Journal(run)
    here.read()
    there.merge([1], 0, who="b")
    with pytest.raises(UserError, match=r"merged into class 0"):
        here.move(_free(here.read()), 1, who="a")
    assert here.read().n_entries == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda j: j.move([1], 0, who="a"), "no particle 1"),
        (lambda j: j.move([10**30], 0, who="a"), "sample id"),
        (lambda j: j.move([], 0, who="a"), "No particle is selected"),
        (lambda j: j.move(j.base.ids[:1], 7, who="a"), "no class 7"),
        (lambda j: j.move(j.base.ids[:1], 0, who=" "), "0 characters"),
        (lambda j: j.rename(0, "SPHERES", who="a"), "already"),
        (lambda j: j.rename(0, "", who="a"), "1 to 100"),
        (lambda j: j.rename(0, "unlabelled", who="a"), "no class"),
        (lambda j: j.rename(0, "None of these", who="a"), "no class"),
        (lambda j: j.rename(9, "x", who="a"), "no class 9"),
        (lambda j: j.merge([0, 1], 1, who="a"), "into itself"),
        (lambda j: j.merge([], 1, who="a"), "No class"),
        (lambda j: j.merge([0, 0], 1, who="a"), "twice"),
        (lambda j: j.split(j.base.ids[:1], "rods", who="a"), "already"),
        (lambda j: j.set_threshold(float("nan"), who="a"), "finite"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_nothing_is_written(journal, run, change, told):
    with pytest.raises(UserError, match=told) as caught:
        change(journal)
    sentence = str(caught.value)
    assert sentence.endswith(".") and ". " not in sentence
    assert not (run.path / JOURNAL).exists()


@pytest.mark.parametrize(
    "line",
    [
        "{}", "[]", "null", "nonsense", '{"action": "move"}', "[" * 3000, "\u00ff",
        '{"time":1,"who":"a","run":"RUN","action":"move","particles":[1],"from":[0],"to":0}',
        '{"time":1,"who":"a","run":"RUN","action":"move","particles":[10],"from":[0],"to":99}',
        '{"time":1,"who":"a","run":"RUN","action":"move","particles":[10,13],"from":[0],"to":0}',
        '{"time":1,"who":"a","run":"RUN","action":"move","particles":["10"],"from":[0],"to":0}',
        '{"time":1,"who":"a","run":"RUN","action":"move","particles":[1e400],"from":[0],"to":0}',
        '{"time":1,"who":"a","run":"RUN","action":"undo","entry":0}',
        '{"time":1,"who":"a","run":"RUN","action":"redo","entry":0}',
        '{"time":1,"who":"a","run":"RUN","action":"split","particles":[10],"from":[0],"class":1,"to":"x"}',
        '{"time":1,"who":"a","run":"000000000000","action":"rename","class":0,"from":"","to":"x"}',
        '{"time":NaN,"who":"a","run":"RUN","action":"rename","class":0,"from":"","to":"x"}',
    ],
)  # fmt: skip
def test_a_journal_that_does_not_fit_is_one_sentence_that_names_file_and_line(run, line):
    (run.path / JOURNAL).write_bytes((line.replace("RUN", run.id) + "\n").encode())
    with pytest.raises(UserError, match=r"[Ll]ine 1") as caught:
        Journal(run).read()
    sentence = str(caught.value)
    assert JOURNAL in sentence and sentence.endswith(".") and ". " not in sentence


def test_a_viewer_reads_and_cannot_write(journal, run, monkeypatch):
    journal.rename(0, "blocks", who="a")
    before = sorted(run.path.iterdir())
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    assert Journal(run).read().names[0] == "blocks"
    for change in (lambda: journal.undo(who="a"), lambda: journal.rename(0, "x", who="a")):
        with pytest.raises(UserError, match="read-only"):
            change()
    assert sorted(run.path.iterdir()) == before


def test_a_run_that_was_deleted_is_not_made_again(journal, run):
    RunStore(run.path.parent).delete(run.id)
    with pytest.raises(UserError, match="not in the store"):
        journal.rename(0, "x", who="a")
    assert not run.path.exists()


def test_changes_are_told_in_words(journal):
    ids = _free(journal.read())
    names = dict(enumerate(NAMES))
    assert in_words(journal.move(ids, 1, who="a").undoable[1], names) == "3 particles to spheres"
    assert "none of these" in in_words(journal.move(ids[:1], NONE, who="a").undoable[1], names)


_changes = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(0, 59), st.integers(-1, 5)),
        st.tuples(st.just("split"), st.integers(0, 59), st.text("xyz", min_size=1, max_size=2)),
        st.tuples(st.just("rename"), st.integers(0, 5), st.text("xyz", min_size=1, max_size=2)),
        st.tuples(st.just("merge"), st.integers(0, 5), st.integers(0, 5)),
        st.tuples(st.just("undo"), st.just(0), st.just(0)),
        st.tuples(st.just("redo"), st.just(0), st.just(0)),
    ),
    max_size=12,
)


@given(_changes)
def test_whatever_is_done_every_particle_is_in_one_class_that_is_there(changes):
    base = Base.of("0" * 12, NAMES, make_particles())
    entries, library = [], replay([], base)
    for action, a, b in changes:
        head = {"time": 1, "who": "a", "run": base.run, "action": action}
        more = {
            "move": {"particles": [10 + 3 * a], "from": [0], "to": None if b == -1 else b},
            "split": {"particles": [10 + 3 * a], "from": [0], "class": library.next_class, "to": b},
            "rename": {"class": a, "from": "", "to": b},
            "merge": {"class": [a], "to": b},
        }.get(action) or {"entry": ((library.undoable if action == "undo" else library.redoable) or (0,))[0]}
        entry = parse(json.dumps(head | more))
        try:
            library = replay([*entries, entry], base)
        except UserError:
            continue
        entries.append(entry)
        assert parse(entry.line()) == entry
    assert set(library.assigned.tolist()) <= {*library.names, NONE}
    assert sum(library.counts.values()) == len(base.ids)


@pytest.mark.parametrize(
    "line",
    [
        '{"time":1,"who":"a","run":"RUN","action":"split","particles":[10],"from":[0],"class":99,"to":"x"}',
        '{"time":1,"who":"a","run":"RUN","action":"undo","entry":1}',
        '{"time":1,"who":"a","run":"RUN","action":"redo","entry":7}',
    ],
)
def test_a_line_that_was_changed_by_hand_is_not_taken_for_another(run, line):
    rename = '{"time":1,"who":"a","run":"RUN","action":"rename","class":0,"from":"cubes","to":"blocks"}\n'
    undo = '{"time":1,"who":"a","run":"RUN","action":"undo","entry":0}\n'
    before = rename + (undo if "redo" in line else "")
    (run.path / JOURNAL).write_text((before + line + "\n").replace("RUN", run.id))
    with pytest.raises(UserError, match=rf"[Ll]ine {3 if 'redo' in line else 2} .*{JOURNAL}|{JOURNAL}.*[Ll]ine"):
        Journal(run).read()


def test_a_journal_that_another_one_replaced_is_read_from_its_beginning(journal, run):
    ids = _free(journal.read())
    journal.move(ids, 1, who="a")
    path = run.path / JOURNAL
    other = path.with_name("other")
    other.write_text("".join(journal.rename(0, name, who="a").undoable[1].line() + "\n" for name in "wxyxyz"))
    other.replace(path)
    library = journal.read()
    assert library.n_entries == 6 and library.names[0] == "z" and not library.decisions


def test_a_class_that_was_merged_away_keeps_its_name_in_the_history(journal):
    library = journal.merge([2], 1, who="a")
    assert library.all_names == {0: "cubes", 1: "spheres", 2: "rods"} and list(library.names) == [0, 1]
    assert in_words(library.undoable[1], library.all_names) == "rods merged into spheres"


def test_a_class_may_be_called_what_particles_without_one_are_called():
    base = Base.of("0" * 12, ("cubes", "None of these", "rods"), make_particles())
    library = replay([], base)
    assert library.class_called("None of these") == 1 and library.class_called("none of these") == NONE


def test_twenty_thousand_particles_and_a_thousand_changes_are_read_at_once(run):
    base = Base.of("0" * 12, NAMES, make_particles(20_000))
    head = {"time": 1, "who": "a", "run": base.run, "action": "move"}
    every = parse(json.dumps(head | {"particles": base.ids.tolist(), "from": [0] * 20_000, "to": 1}))
    one = [
        parse(json.dumps(head | {"particles": [int(base.ids[i])], "from": [1], "to": i % 3})) for i in range(1, 1000)
    ]
    library = replay([every, *one], base)
    assert library.counts == {0: 333, 1: 20_000 - 666, 2: 333, NONE: 0}


@pytest.mark.parametrize("number", [-1, -5])
def test_what_is_no_class_is_refused_in_a_sentence_and_nothing_is_written(journal, number):
    for change in (
        lambda: journal.rename(number, "x", who="Ada"),
        lambda: journal.merge([number], 0, who="Ada"),
        lambda: journal.merge([0], number, who="Ada"),
        lambda: journal.move(_free(journal.read()), -5, who="Ada"),
    ):
        with pytest.raises(UserError, match=r"no class|not a class"):
            change()
    assert journal.read().n_entries == 0


def test_a_change_that_does_not_fit_is_told_without_a_line_of_the_journal(journal):
    with pytest.raises(UserError, match=r"^There is a class 'rods' already"):
        journal.rename(0, "rods", who="Ada")


@pytest.mark.parametrize("line", ["{}", '{"action": "dance"}', "[1]", "3"])
def test_a_line_that_is_no_change_is_told_in_words_of_its_own(line):
    with pytest.raises(ValueError, match=r"change") as told:
        parse(line)
    assert not THEIRS.search(str(told.value))


THEIRS = re.compile("discriminator|tag|[Ii]nput|[Ff]ield required|valid|[Tt]uple|Expecting|dictionary")
"""Words of pydantic and json."""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[" * 5000, "nested"),
        ('{"action":"move"}', "'time'.* missing"),
        ('{"action":"move","time":"x","who":"a","run":"r","particles":[1],"from":[0],"to":1}', "'time'.* number"),
        ('{"action":"move","time":1,"who":"a","run":"r","particles":[],"from":[],"to":1}', "'particles'.* one value"),
        ('{"action":"move","time":1,"who":"a","run":"r","particles":["x"],"from":[0],"to":1}', "'particles.0'.* whole"),
        ('{"action":"move","time":1,"who":"a","run":"r","particles":[1],"from":[0],"to":-1}', "'to'.* 0 or more"),
        ('{"action":"move","time":1,"who":"","run":"r","particles":[1],"from":[0],"to":1}', "'who'.* 1 characters"),
        ('{"action":"move","time":1,"who":"a","run":"r","particles":[1],"from":[0],"to":1,"x":1}', "'x'.* no such"),
        ('{"action":"move","time":1,"who":"a","run":"r","particles":[1],"from":[0,1],"to":1}', "number of classes"),
        ('{"action":"threshold","time":1,"who":"a","run":"r","from":null,"to":1e999}', "'to'.* finite"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_in_words_of_ours(line, said):
    with pytest.raises(ValueError, match=said) as told:
        parse(line)
    assert not THEIRS.search(str(told.value)) and not str(told.value).endswith(".")
