"""The library's modules on a page of their own: pure functions, and the classes without Streamlit."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest

from tests.browser.shared import PATIENCE
from tests.explorer_page import HOST, files, invented, serving_files
from ui.images import data_uri
from ui.library import bundle

pytestmark = pytest.mark.slow

N = 300
_BEGIN = """
import { LibraryView } from "./library.js";
import { bytesAs } from "./marks.js";
import { readTable } from "./table.js";
import * as marks from "./marks.js";
import * as choices from "./choices.js";
import * as threshold from "./threshold.js";
window.threshold = threshold;
window.choices = choices;
const settings = await (await fetch("settings.json")).json();
const table = readTable(await (await fetch("table.bin")).arrayBuffer());
const state = await (await fetch("library.json")).json();
window.acts = [];
window.marks = marks;
window.view = new LibraryView(document.querySelector("#place"), table, {
  sheets: settings.sheets, ask() {}, act: (action) => window.acts.push(action), changed() {}, address: {}, who: "AB",
  keepWho() {}, readonly: false, decodes: false, neutral: "#888888",
  trusted: { scores: [0.1, 2], low: [0, 0.1, 0.2], high: [0.8, 0.9, 1], apart: false, left_out: 0 },
});
const library = {
  ...state, place: bytesAs(Int16Array, state.place), model: bytesAs(Int16Array, state.model),
  origin: bytesAs(Uint8Array, state.origin),
};
window.view.receive(library);
window.library = library;
window.ready = true;
"""


def library_files(sources, pixels):
    """Return what a page of the library's modules asks for, as that of the explorer's."""
    found = files(sources, pixels)
    n = len(pixels)
    place = sources[0].predictions.predicted.astype("<i2")
    state = {
        "version": 0,
        "placed": 0,
        "classes": [{"number": k, "name": name, "colour": "#0072b2", "members": k} for k, name in enumerate("abcd")],
        "place": base64.b64encode(place.tobytes()).decode(),
        "model": base64.b64encode(place.tobytes()).decode(),
        "moved": [],
        "origin": base64.b64encode(np.zeros(n, np.uint8).tobytes()).decode(),
        "threshold": None,
        "undo": None,
        "redo": None,
    }
    found["begin.js"] = ("text/javascript", _BEGIN.encode())
    found["explorer.css"] = ("text/css", bundle.style().encode())
    found["library.json"] = ("application/json", json.dumps(state).encode())
    for name in bundle.MODULES:
        found[name] = ("text/javascript", (bundle.HERE / name).read_bytes())
    return found


@pytest.fixture(scope="module")
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with serving_files(page, library_files(*invented(N))):
        page.goto(f"{HOST}/")
        page.wait_for_function("window.ready")
        yield page
    context.close()
    assert not errors


def test_what_is_counted_and_binned_and_beyond_a_threshold(page):
    assert page.evaluate("marks.tallied([0, 1, -1, 0], [0, 1, 2, 3])") == {"by": [1, 1, 0, 1], "none": 1}
    assert page.evaluate("marks.rowsByClass([2, 0, 1], [1, -1, 0], 2)") == [[2], [0], [1]]
    assert page.evaluate("marks.edgesOf([NaN, 0, 4], 4)") == [0, 1, 2, 3, 4]
    assert page.evaluate("marks.edgesOf([NaN])") is None and page.evaluate("marks.edgesOf([2], 1)") == [1.5, 2.5]
    assert page.evaluate("marks.binnedCounts([0, 4, 1.5, NaN], [0, 1, 2, 3], [0, 1, 2, 3, 4])") == [1, 1, 0, 1]
    cost = page.evaluate("marks.thresholdCost([1, 3, 3, 3, NaN], [0, 2, 1, 3, 0], 2, [1, 2.5])")
    assert cost == {"judged": 2, "beyond": 1, "alarms": 1}, "labelled and moved particles stay where they are"


def test_the_cost_of_a_threshold_does_not_contradict_what_is_beyond_it(page):
    def text(beyond, **more):
        trusted = {"scores": [1, 2], "low": [0, 0.1, 0.5], "high": [0.8, 0.9, 1], "apart": False, "left_out": 0} | more
        cost = {"judged": 100, "beyond": beyond, "alarms": 2}
        return page.evaluate(f"threshold.costText({json.dumps(cost)}, 1.5, {json.dumps(trusted)})")

    assert "score higher than the others" in text(49) and "score higher" not in text(51)
    assert "held out whole" in text(51, apart=True) and "held out whole" not in text(51)
    assert "8 held-out" in text(51, left_out=8) and "nobody corrected" in text(51, scores=[], left_out=8)


def test_clicks_and_boxes_select_what_they_touch(page):
    def after(row, options, marks="[1, 0, 0, 0]"):
        return page.evaluate(
            f"Array.from(marks.afterClick(Uint8Array.from({marks}), [0, 1, 2, 3], {row}, 0, {json.dumps(options)}))"
        )

    assert after(2, {}) == [0, 0, 1, 0]
    assert after(2, {"toggle": True}) == [1, 0, 1, 0] and after(0, {"toggle": True}) == [0, 0, 0, 0]
    assert after(2, {"shift": True}) == [1, 1, 1, 0]
    lay = "{gap: 6, across: 3, side: 50, pitch: 74, count: 8}"
    assert page.evaluate(f"marks.boxed({lay}, {{left: 0, top: 0, right: 70, bottom: 10}})") == [0, 1]
    assert page.evaluate(f"marks.boxed({lay}, {{left: 0, top: 60, right: 999, bottom: 9999}})") == [3, 4, 5, 6, 7]
    assert page.evaluate(f"marks.boxed({lay}, {{left: 57, top: 0, right: 60, bottom: 5}})") == []


@pytest.mark.parametrize(
    ("event", "meaning"),
    [
        ({"key": "3"}, {"kind": "move", "at": 2}),
        ({"key": "0"}, {"kind": "move", "at": -1}),
        ({"key": "9"}, {"kind": "missing", "key": "9"}),
        ({"key": "1", "ctrlKey": True}, None),
        ({"key": "z", "ctrlKey": True}, {"kind": "undo"}),
        ({"key": "z"}, {"kind": "undo"}),
        ({"key": "Z", "shiftKey": True}, {"kind": "redo"}),
        ({"key": "a", "metaKey": True}, {"kind": "all"}),
        ({"key": "a"}, None),
        ({"key": "Escape"}, {"kind": "clear"}),
        ({"key": "u", "altKey": True}, None),
    ],
)
def test_keys_mean_what_people_expect(page, event, meaning):
    usual = {"ctrlKey": False, "metaKey": False, "altKey": False, "shiftKey": False}
    assert page.evaluate(f"marks.meant({json.dumps(usual | event)}, 4)") == meaning


def test_a_move_is_seen_before_the_server_has_made_it_and_only_pictures_in_view_are_there(page):
    first = page.evaluate("view.columns.get(0).rows[0]")
    page.evaluate(f"view.move(1, [{first}])")
    [action] = page.evaluate("acts")
    assert action["kind"] == "move" and action["to"] == 1 and action["who"] == "AB"
    page.evaluate("view.receive(library, acts)")
    assert page.evaluate(f"view.library.place[{first}]") == 1
    assert page.evaluate(f"Array.from(view.columns.get(1).rows).includes({first})")
    page.evaluate("view.receive(library, [])")
    assert page.evaluate(f"view.library.place[{first}]") == 0, "what the server does not know is not so"
    assert 0 < page.locator(".library .picture").count() < N


def test_a_moved_particle_says_so_and_by_whom_in_place_of_the_models_confidence(page):
    row = page.evaluate("view.columns.get(0).rows[0]")
    of = f"{{ ...library, place: library.place.with({row}, 1), origin: library.origin.with({row}, 3) }}"
    page.evaluate(f"view.receive({{ ...{of}, moved: [['Ada', '2026-11-29 14:00 UTC', [{row}]]] }})")
    page.evaluate(f"view.openRow({row})")
    picture = page.locator(f".library [data-class='1'] [data-sample='{page.evaluate(f'view.table.ids[{row}]')}']").first
    page.evaluate(f"view.columns.get(1).grid.focus({row})")
    assert picture.locator(".caption").text_content() == "by hand" and "marked" in picture.get_attribute("class")
    told = picture.get_attribute("aria-label")
    assert "by hand" in told and f"the model says {page.evaluate('view.library.classes[0].name')}" in told
    card = page.locator(".library .card .details").text_content()
    assert "by hand" in card and "Ada, 2026-11-29 14:00 UTC" in card
    page.evaluate("view.receive(library)")
    assert "Ada" not in page.locator(".library .card .details").text_content(), "it was undone"
    page.evaluate("view.closeCard()")
    assert page.locator(".library .picture.marked").count() == 0


def test_particles_are_shown_by_their_part(page):
    for at, shown in enumerate(("labelled", "unlabelled", "validation")):
        page.evaluate(f"view.set({{ shown: '{shown}' }})")
        parts = page.evaluate(
            "[...view.columns.values()].flatMap(({ rows }) => [...rows].map((row) => view.table.columns.part[row]))"
        )
        assert set(parts) <= {at}
        assert len(parts) == page.evaluate(f"view.table.columns.part.filter((part) => part === {at}).length")
    page.evaluate("view.set({ shown: 'all' })")


def test_a_key_without_a_class_and_an_old_refusal_are_said_and_cleared(page):
    notice = page.locator(".library .notice[role=alert]")
    page.evaluate("view.columns.get(0).grid.focus(view.columns.get(0).rows[0])")
    page.keyboard.press("9")
    assert "9" in notice.text_content() and "1 to 4" in notice.text_content()
    page.locator(".library [data-class='0'] .menu summary").click()
    page.wait_for_function("document.querySelector('.library .notice[role=alert]').hidden")
    page.keyboard.press("Escape")


def stats_of(places, members=0):
    """Return what a server has worked out of class 0 when particles were in these places and it had these members."""
    dot = data_uri(np.zeros((1, 1), np.uint8))
    fraction = "100 of 300 particles, 33.3 %; true share 30.1 to 36.2 %"
    one = {"number": 0, "members": members, "mean": dot, "deviation": dot, "averaged": 3, "fraction": fraction}
    return {"words": "", "version": 0, "placed": places, "classes": [one]}


def test_averages_of_a_moment_ago_stay_legible_while_new_ones_are_worked_out(page):
    column = page.locator(".library [data-class='0']")
    working = column.get_by_text("working out averages")
    page.evaluate("view.told(null)")
    assert working.is_visible()
    top = column.locator(".pictures").bounding_box()["y"]
    page.evaluate("stats => view.told(stats)", stats_of(0))
    assert not working.is_visible() and column.locator("figcaption").first.is_visible()
    assert column.locator(".pictures").bounding_box()["y"] == top, "rows move when averages come"
    page.evaluate("stats => view.told(stats)", stats_of(-1, -1))
    assert working.is_visible() and column.locator(".averages img").count() == 2
    assert column.locator(".pictures").bounding_box()["y"] == top, "rows move when averages are worked out again"
    assert not re.search(r"\d", column.locator(".fraction").text_content()), "numbers of a moment ago"
    assert not re.search(r"\d", page.locator(".library .foot").first.text_content())
    known = column.locator(".averages img, .fraction")
    faint = known.evaluate_all("all => all.map(one => getComputedStyle(one).opacity)")
    assert min(map(float, faint)) > 0.7


def test_only_what_is_worked_out_again_is_said_to_be(page):
    working = page.locator(".library [data-class='0'] .working")
    for stats, said in (
        (stats_of(0) | {"version": -1}, None),  # a class has another name
        (stats_of(-1), "working out fractions"),  # particles were moved between other classes
        (stats_of(-1, -1), "working out averages"),
    ):
        page.evaluate("stats => view.told(stats)", stats)
        assert (working.text_content() if working.is_visible() else None) == said
    page.evaluate("view.told(null)")


def test_shift_and_arrows_select_what_is_on_the_way_and_give_back_what_is_left(page):
    pictures = page.locator(".library [data-class='0'] .picture")
    rows = page.evaluate("Array.from(view.columns.get(0).rows.slice(0, 5))")
    page.evaluate("row => { view.clear(); view.columns.get(0).grid.focus(row); }", rows[1])
    selected = "() => Array.from(view.chosen.keys()).filter((row) => view.chosen[row])"
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    for key, chosen in (("ArrowRight", rows[1:4]), ("ArrowRight", rows[1:5]), ("ArrowLeft", rows[1:4])):
        page.keyboard.press(f"Shift+{key}")
        assert sorted(page.evaluate(selected)) == sorted(chosen)
    page.keyboard.press("ArrowLeft")
    assert sorted(page.evaluate(selected)) == sorted(rows[1:4]) and pictures.count() > 0
    page.evaluate("view.clear()")


def test_a_name_that_is_too_long_is_said_to_be_and_not_cut(page):
    column = page.locator(".library [data-class='0']")
    column.locator(".menu summary").click()
    field = column.get_by_label("New name of the class")
    before = page.evaluate("acts.length")
    field.fill("a" * 101)
    page.keyboard.press("Enter")
    assert "100 characters" in field.evaluate("field => field.validationMessage")
    assert page.evaluate("acts.length") == before
    field.fill("a" * 100)
    page.keyboard.press("Enter")
    assert page.evaluate("acts.pop().name") == "a" * 100


def test_an_address_restores_how_pictures_are_shown_and_what_is_selected(page):
    sorts = '[{name: "confidence"}, {name: "size"}]'
    values = {"sort": "size", "descending": True, "size": 96, "upright": True, "shown": "hand"}
    parts = page.evaluate(f"choices.partsOf({json.dumps(values)}, [3, 4, 5, 9])")
    assert parts == {"sort": "-size", "upright": "1", "pictures": "96", "show": "hand", "select": "ri3-5.9"}
    known = "[1, 3, 4, 5, 7, 9]"
    restored = page.evaluate(f"choices.choicesOf({json.dumps(parts)}, {sorts}, {known})")
    assert restored == {"values": values, "ids": [3, 4, 5, 9], "refused": []}
    usual = page.evaluate(f"choices.choicesOf({{}}, {sorts}, {known})")
    wrong = {"sort": "x", "pictures": "1e9", "show": "<b>", "select": "ra3", "upright": "no"}
    found = page.evaluate(f"choices.choicesOf({json.dumps(wrong)}, {sorts}, {known})")
    assert found == {**usual, "refused": ["sort", "upright", "pictures", "show", "select"]}
    gone = page.evaluate(f"choices.choicesOf({{select: 'ri77'}}, {sorts}, {known})")
    assert (gone["ids"], gone["refused"]) == ([], ["select"]), "a selection of other particles is passed over"
    assert page.evaluate("choices.partsOf(choices.LIBRARY_USUAL, [])") == {}
