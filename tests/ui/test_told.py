"""Whatever a browser tells, forged or damaged: it is done or refused in a sentence, and nothing raises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssrvae_core.config import DatasetConfig, RunConfig, UserError
from ssrvae_core.library import Journal
from ssrvae_core.library.outliers import outliers
from ssrvae_core.runs import RunStore, directory, particle_file, selections
from tests.core.library.conftest import NAMES, make_particles
from ui.explorer import component as explorer
from ui.explorer.told import ids_of, sound
from ui.library import acting, component

ODD = (
    None, True, -1, 10**400, 2**63, 1e308, float("nan"), float("inf"), "", "x", "\ud800", "0-999999999999999", "13.16",
    [], [1], [None], {}, {"kind": "move"},
)  # fmt: skip
"""Values that a forged message may hold in the place of any other."""

values = st.sampled_from(ODD) | st.integers(-2, 4) | st.floats() | st.text(max_size=5)
actions = st.fixed_dictionaries(
    {"kind": st.sampled_from(acting.KINDS) | values, "who": st.just("AB") | values},
    optional=dict.fromkeys(("sequence", "ids", "to", "name", "number", "numbers", "into", "value", "entry"), values),
)  # fmt: skip


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    store = RunStore(tmp_path_factory.mktemp("told") / "runs")
    config = RunConfig(dataset=DatasetConfig(source="file", path="nowhere.npz", sha256="0" * 64))
    path = store.path(config.run_id)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text(config.model_dump_json())
    directory.write_status(path, directory.Status(state="finished", class_names=NAMES))
    particles = make_particles()
    particle_file.write(path, particles)
    return Journal(store.get(config.run_id), particles)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(actions | values, max_size=3))
def test_a_forged_change_of_a_library_is_made_or_refused_in_a_sentence(journal, told):
    for number, action in enumerate(sound({"view": {"actions": told}}, component.NAMES)["actions"]):
        before = journal.read()
        try:
            library = acting.do(journal, action)
        except UserError as error:
            sentence = str(error)
            assert sentence.endswith(".") and ". " not in sentence, number
            assert journal.read().n_entries == before.n_entries
        else:
            assert library.n_entries == before.n_entries + 1
            assert component.described(library, np.arange(len(library.base.ids)))
    journal.path.unlink(missing_ok=True)  # each example begins with a library that nobody has changed


@settings(max_examples=100, deadline=None)
@given(
    told=values
    | st.dictionaries(
        st.sampled_from(("sequence", "ids", "open", "address", "sheets", "actions", "stats")),
        values | st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(explorer.NAMES), values, max_size=3),
    )
)
def test_a_forged_view_is_taken_without_what_cannot_be_meant(told):
    view = sound({"view": told}, explorer.NAMES)
    known = np.arange(3, 60, 3)
    assert np.isin(ids_of(view["ids"], known), known).all()
    assert view["open"] is None or (isinstance(view["open"], int) and -(2**63) <= view["open"] < 2**63)
    assert view["address"].keys() <= set(explorer.NAMES)
    assert all(isinstance(one, str) for one in view["address"].values())
    assert all(i >= 0 for i in view["sheets"])


def test_a_threshold_that_the_scores_could_not_hold_costs_nothing(journal):
    library = acting.do(journal, {"kind": "threshold", "value": 1e308, "who": "AB"})
    assert library.threshold == 1e308 and not (library.assigned < 0).any()
    assert outliers(library, make_particles()).beyond == 0
    journal.undo(who="AB")


def test_as_many_ranges_as_a_message_holds_take_no_more_memory_than_there_are_particles():
    known = np.array([1, 5, 10**14], dtype=np.int64)
    assert ids_of("0-999999999999999." * 500 + "5", known).tolist() == known.tolist()
    assert ids_of("2-5.6-9", known).tolist() == [5] and ids_of("", known[:0]).tolist() == []


def test_a_name_that_cannot_be_written_as_text_is_kept_without_it(tmp_path):
    selections.keep(tmp_path, "0" * 12, "od\ud800d", "3-5")
    assert [one.name for one in selections.kept(tmp_path, "0" * 12)] == ["odd"]
    with pytest.raises(UserError, match="name of a selection"):
        selections.keep(tmp_path, "0" * 12, "\ud800", "3-5")
