"""The library's page: what the browser asks for is done once and only where it can be meant, and exports are exact."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.config import UserError
from ssrvae_core.data import read_images
from ssrvae_core.library import NONE, Journal, Origin
from ssrvae_core.library.crops import crops
from ssrvae_core.library.fractions import class_fractions
from ssrvae_core.library.sheets import sheets
from ssrvae_core.library.training import train_again_config
from ssrvae_core.records import PARTS
from ssrvae_core.reports.explorer import bundle as explorer_bundle
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.everything import write_particles
from ssrvae_core.times import time_text
from tests.ui.conftest import APP, copy_run
from ui.library import acting, bundle, compared, component, downloads, history, strips
from ui.library import stats as slow

WHO = {"who": "AB"}


@pytest.fixture
def run(make_store):
    """The ss-rVAE of the golden store, with the classes of all its 80 particles."""
    found = next(run for run in make_store("two").runs() if run.config.model.name == "ss-rvae")
    write_particles(found, "cpu")
    return found


@pytest.fixture
def journal(run):
    return Journal(run)


@pytest.fixture
def open_library(monkeypatch):
    """Open the page; its component does not draw, and is told what a browser would tell."""
    monkeypatch.setattr("ui.entry.through_app", lambda: None)
    given = {}

    def take(*, key, data, on_view_change):
        given.update(data)

    monkeypatch.setattr(component, "_component", take)

    def go(**address):
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.switch_page("pages/library.py")
        for name, value in address.items():
            app.query_params[name] = value
        app.given = given
        return app.run()

    return go


def downloadable(app):
    return [element.proto.label for element in app.get("download_button")]


def test_each_change_of_the_browser_is_made_and_can_be_undone(journal):
    ids = journal.base.ids[:3].tolist()
    library = acting.do(journal, {"kind": "move", "ids": f"{ids[0]}.{ids[1]}", "to": 2} | WHO)
    assert [library.decisions[one].number for one in ids[:2]] == [2, 2]
    library = acting.do(journal, {"kind": "split", "ids": str(ids[2]), "name": "odd"} | WHO)
    new = library.class_called("odd")
    assert acting.do(journal, {"kind": "rename", "number": new, "name": "odder"} | WHO).names[new] == "odder"
    assert acting.do(journal, {"kind": "merge", "numbers": [new], "into": 0} | WHO).merged == {new: 0}
    assert acting.do(journal, {"kind": "threshold", "value": 1.5} | WHO).threshold == 1.5
    assert acting.do(journal, {"kind": "threshold", "value": None} | WHO).threshold is None
    last = journal.read().undoable[0]
    assert acting.do(journal, {"kind": "undo", "entry": last} | WHO).threshold == 1.5
    assert acting.do(journal, {"kind": "redo", "entry": journal.read().redoable[0]} | WHO).threshold is None
    assert {entry.who for entry in journal.entries()} == {"AB"}


def test_undo_takes_back_what_its_button_says_and_not_what_somebody_else_did_meanwhile(journal):
    sample = journal.base.ids[:1]
    shown = journal.move(sample, 1, who="AB").undoable[0]
    journal.move(sample, 2, who="CD")
    with pytest.raises(UserError, match="meanwhile"):
        acting.do(journal, {"kind": "undo", "entry": shown} | WHO)
    assert journal.read().decisions[int(sample[0])].number == 2


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"kind": "delete"} | WHO,
        {"kind": "move", "ids": 3, "to": 1} | WHO,
        {"kind": "move", "ids": "1", "to": "1"} | WHO,
        {"kind": "move", "ids": "1", "to": 1},
        {"kind": "threshold", "value": "1"} | WHO,
        {"kind": "undo", "entry": None} | WHO,
        {"kind": "move", "ids": "10", "to": True} | WHO,
        {"kind": ["move"], "ids": "10", "to": 1} | WHO,
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence_and_changes_nothing(journal, action):
    with pytest.raises(UserError, match="reload the page"):
        acting.do(journal, action)
    assert not journal.entries()


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "move", "ids": "999999", "to": 1},
        {"kind": "move", "ids": "1-9999999999", "to": 99},
        {"kind": "rename", "number": 0, "name": "unlabelled"},
        {"kind": "merge", "numbers": ["x"], "into": 0},
        {"kind": "threshold", "value": float("nan")},
        {"kind": "threshold", "value": float("inf")},
        {"kind": "threshold", "value": 10**400},
        {"kind": "move", "ids": "0-9999999", "to": 10**30},
        {"kind": "merge", "numbers": [0], "into": 2**40},
        {"kind": "merge", "numbers": [], "into": 0},
        {"kind": "redo", "entry": 0},
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(journal, action):
    with pytest.raises(UserError):
        acting.do(journal, action | WHO)
    assert not journal.entries()


def test_an_action_that_the_browser_tells_again_is_made_once():
    told = [{"sequence": 7, "kind": "b"}, {"sequence": 5, "kind": "a"}, {"sequence": 3}, {"sequence": "9"}, "x", None]
    assert [number for number, _ in acting.waiting(told, 3)] == [5, 7]


def test_the_browser_gets_the_place_of_each_particle_and_who_says_so(journal):
    ids = journal.base.ids
    journal.merge([0], 1, who="AB")
    library = journal.move(ids[5:6], NONE, who="AB")
    found = component.described(library, np.arange(len(ids)))
    place = np.frombuffer(base64.b64decode(found["place"]), "<i2")
    origin = np.frombuffer(base64.b64decode(found["origin"]), np.uint8)
    numbers = np.array([one["number"] for one in found["classes"]] + [NONE])
    assert numbers[place].tolist() == library.assigned.tolist() and place[5] == -1
    assert origin.tolist() == library.origin.tolist() and origin[5] == Origin.HAND
    model = np.frombuffer(base64.b64decode(found["model"]), "<i2")
    assert numbers[model].tolist() == library.current(library.base.predicted).tolist()
    [[who, when, rows]] = found["moved"]
    assert who == "AB" and when == time_text(library.decisions[int(ids[5])].time) and rows == [5]
    assert found["undo"]["entry"] == 1 and "none of these" in found["undo"]["words"] and found["redo"] is None


def ready(run, journal):
    particles = run.particles()
    library = journal.read()
    images = crops(run, particles)
    return downloads.Ready(
        run,
        library,
        particles,
        crops=lambda: images,
        sheets=lambda: sheets(library, particles, images),
        fractions=lambda: class_fractions(library, particles),
    )


def test_changes_of_somebody_who_is_logged_in_are_theirs(journal):
    sample = str(journal.base.ids[0])
    action = {"sequence": 1, "kind": "move", "ids": sample, "to": 1, "who": "somebody else"}
    library = component._act("library-test", journal, [action], "ab@example.org")
    assert [one.who for one in library.decisions.values()] == ["ab@example.org"]


def test_every_format_has_exactly_the_selected_particles(run, journal, tmp_path):
    ids = journal.base.ids[[3, 8, 50]]
    of = ready(run, journal)
    made = {kind: downloads.exported(kind, of, ids, turned=False) for kind in downloads.FORMATS}
    assert pd.read_csv(io.BytesIO(made["csv"]))["id"].tolist() == ids.tolist()
    assert pd.read_parquet(io.BytesIO(made["parquet"]))["id"].tolist() == ids.tolist()
    (tmp_path / "some.npz").write_bytes(made["npz"])
    images = read_images(tmp_path / "some.npz")
    assert images.ids.tolist() == ids.tolist()
    rows = np.searchsorted(journal.base.ids, ids)
    assert (images.labels >= 0).tolist() == (
        of.library.known[rows] != NONE
    ).tolist()  # what the model says is not a label
    (tmp_path / "all.npz").write_bytes(downloads.exported("npz", of, ids, turned=False, model_labels=True))
    assert (read_images(tmp_path / "all.npz").labels >= 0).all()
    for kind, told in (("npz", "label"), ("zip", "folder")):
        assert told in downloads._classes_text(kind, of.library, ids, False)
    assert downloads._classes_text("csv", of.library, ids, False) == ""
    assert made["html"].count(b"data-sample=") == 3 and b"<span data-selected>3</span>" in made["html"]
    everything = downloads.exported("csv", of, None, turned=False)
    assert len(pd.read_csv(io.BytesIO(everything))) == len(journal.base.ids)


def test_the_history_says_who_did_what_the_latest_first(journal):
    assert history.lines(journal.entries(), journal.read()) == []
    journal.move(journal.base.ids[:2], 1, who="AB")
    journal.undo(who="CD")
    found = history.lines(journal.entries(), journal.read())
    assert [who for _, who, _ in found] == ["CD", "AB"]
    assert found[0][2].startswith("undone: 2 particles") and journal.base.class_names[1] in found[1][2]


def test_a_name_changes_no_average_and_a_move_those_of_its_two_classes(journal):
    def seen():
        library = journal.read()
        return slow.placed(library), slow.memberships(library)

    places, members = seen()
    journal.rename(0, "blocks", who="AB")
    assert seen() == (places, members)
    moved = journal.read().members(0)[:2]
    journal.move(moved, 1, who="AB")
    after, others = seen()
    assert after != places
    assert {number for number in members if members[number] != others[number]} == {0, 1}
    journal.undo(who="AB")
    assert seen() == (places, members)


def test_what_changed_class_is_grouped_by_from_and_to_the_most_first():
    found = compared.grouped(np.array([1, 2, 3]), ["a", "a", "b"], ["b", "b", "a"])
    assert [(title, ids.tolist()) for title, ids in found] == [("a \u2192 b", [1, 2]), ("b \u2192 a", [3])]


def test_a_strip_shows_names_as_text_and_says_how_many_more_there_are():
    html = strips.strips([strips.Strip("<b>a", np.arange(30), np.zeros((24, 2, 2), np.uint8))])
    assert "&lt;b&gt;a (30)" in html and html.count("data-sample=") == 24 and "6 more" in html


# The page.


def test_the_page_hands_over_the_run_and_offers_all_particles_where_none_is_selected(run, open_library):
    app = open_library(left=run.id)
    assert not app.exception and not app.error
    assert app.given["library"]["version"] == 0 and not app.given["readonly"]
    assert "Export 80 particles" in downloadable(app)
    assert app.query_params["left"] in (run.id, [run.id])


def test_a_selection_in_the_address_is_what_is_exported(run, open_library):
    ids = run.particles().ids[:3]
    app = open_library(left=run.id, select="ri" + ".".join(map(str, ids)))
    assert "Export 3 particles" in downloadable(app)


def test_corrections_offer_a_training_with_their_labels(run, open_library, journal):
    particles = run.particles()
    assert not [button for button in open_library(left=run.id).button if "Train again" in button.label]
    journal.move(particles.ids[particles.part == 1][:4], 0, who="AB")
    app = open_library(left=run.id)
    assert [button for button in app.button if button.label == "Train again with 20 labels, 4 new"]


def test_moves_of_held_out_images_alone_offer_no_training_and_say_why(run, open_library, journal):
    particles = run.particles()
    [row] = np.flatnonzero(particles.part == PARTS.index("validation"))[:1]
    journal.move(particles.ids[[row]], int(journal.read().known[row] + 1) % len(run.class_names), who="AB")
    app = open_library(left=run.id)
    assert not app.exception and not [button for button in app.button if "Train again" in button.label]
    told = " ".join(one.value for one in app.caption)
    assert "1 held-out image was moved by hand" in told and "not trained on" in told and "measure accuracy" in told


def test_labels_that_were_trained_with_are_not_offered_again_until_they_change(run, open_library, journal):
    particles = run.particles()
    free = particles.ids[particles.part == 1]
    journal.move(free[:4], 0, who="AB")
    trained = copy_run(RunStore(run.path.parent), run, train_again_config(run, journal.read(), particles))
    journal.rename(0, "the hearts", who="AB")
    journal.undo(who="AB")  # other entries, and the same labels

    def shown():
        app = open_library(left=run.id)
        assert not app.exception and not app.error
        [button] = [one for one in app.button if one.key == "library-again"]
        return button, [one.value for one in app.subheader]

    button, headings = shown()
    assert button.disabled and "nothing has changed" in button.label and "20 labels, 4 new" in button.label
    assert "exactly these labels" in button.help
    assert headings.index("What training again changed") < headings.index("Train again")
    journal.move(free[4:5], 0, who="AB")
    button, headings = shown()
    assert not button.disabled and button.label == "Train again with 21 labels, 5 new"
    assert headings.index("Train again") < headings.index("What training again changed")
    assert trained.id != run.id


def test_who_may_only_look_gets_exports_and_no_button_that_changes_anything(run, open_library, journal, monkeypatch):
    particles = run.particles()
    journal.move(particles.ids[particles.part == 1][:4], 0, who="AB")
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_library(left=run.id)
    assert app.given["readonly"] and "Export 80 particles" in downloadable(app)
    assert not [button for button in app.button if "Train" in button.label]


def test_a_run_that_has_classified_its_validation_images_alone_offers_to_do_the_others(make_store, open_library):
    make_store("one")
    app = open_library()
    assert not app.exception
    assert "every particle" in app.info[0].value
    assert [button for button in app.button if button.label == "Classify all particles"]


def test_a_damaged_journal_is_a_sentence_that_names_the_file(run, open_library):
    (run.path / "journal.jsonl").write_text("{}\n")
    app = open_library(left=run.id)
    assert not app.exception and any("journal.jsonl" in error.value for error in app.error)


def test_an_empty_store_says_what_to_do(make_store, open_library):
    make_store("empty")
    app = open_library()
    assert not app.exception and app.info


def test_no_two_modules_declare_one_name_and_all_that_is_imported_is_there():
    names = [name for module in explorer_bundle.modules() for name in explorer_bundle.declared(module)]
    for module in (*bundle.MODULES, "mount.js"):
        text = (bundle.HERE / module).read_text("utf-8")
        for several, one in explorer_bundle._DECLARED.findall(text):
            names += [word.strip() for word in several.split(",")] if several else [one]
        for wanted in (bundle._IMPORT.findall(text)) if module != "mount.js" else ():
            for name in wanted.split("{")[1].split("}")[0].split(","):
                assert name.strip() in names, f"{module} imports {name}"
    assert len(names) == len(set(names)), sorted(name for name in set(names) if names.count(name) > 1)
    assert "import " not in bundle.script().replace("important", "") and "export " not in bundle.script()


def test_it_is_said_where_not_all_particles_can_be_shown(run, open_library, monkeypatch):
    assert not [one for one in open_library(left=run.id).caption if "even choice" in one.value]
    monkeypatch.setattr("ui.explorer.everything.MOST", 40)
    monkeypatch.setattr(component, "MOST", 40)
    app = open_library(left=run.id)
    assert not app.exception
    assert any("even choice of 40 of the 80 particles" in one.value for one in app.caption)
    assert downloadable(app) == ["Export 80 particles"]


def test_another_name_of_a_class_is_another_state_of_the_library(journal):
    before = slow.token_of(journal.read())
    assert slow.token_of(journal.rename(0, "blocks", who="Ada")) != before
