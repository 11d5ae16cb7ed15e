"""The explorer's modules on a page of their own, in a real browser: no Streamlit, no server."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.shared import PATIENCE
from tests.explorer_page import HOST, NAMES, files, invented, serving_files
from ui.explorer.downloads import particle_table
from ui.explorer.told import ids_in_link

pytestmark = pytest.mark.slow

N = 300


@pytest.fixture(scope="module")
def made():
    return {models: files(*invented(N, models)) for models in (1, 2)}


@pytest.fixture
def open_explorer(browser, made):
    """Open an explorer of one model or two; afterwards, no error was logged."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    errors = []

    def go(models=1, address="", width=1280):
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.set_viewport_size({"width": width, "height": 900})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        go.serving = serving_files(page, made[models])
        go.serving.__enter__()
        page.goto(f"{HOST}/{address}")
        page.wait_for_function("window.ready")
        return page

    yield go
    context.close()
    assert not errors


def lasso(page, corners=((0.1, 0.1), (0.98, 0.1), (0.98, 0.95), (0.1, 0.95)), chart=0, keys=()):
    """Draw an outline around shares of a map's width and height."""
    box = page.locator("[data-explorer-map]").nth(chart).bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in [*corners, corners[0]]]
    for key in keys:
        page.keyboard.down(key)
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()
    for key in keys:
        page.keyboard.up(key)


def place_of(page, row):
    """Where the point of a row is in the window."""
    return page.evaluate(
        f"""() => {{ const map = explorer.maps[0], box = map.element.getBoundingClientRect();
        const [x, y] = map.placeOf({row}); return [box.left + x, box.top + y]; }}"""
    )


def selected(page):
    return int(page.locator("[data-selected]").inner_text())


def shown_ids(page):
    pictures = page.locator(".pictures [data-sample]")
    return set(map(int, pictures.evaluate_all("all => all.map(one => one.dataset.sample)")))


LEFT = ((0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98))
RIGHT = ((0.5, 0.02), (0.99, 0.02), (0.99, 0.98), (0.5, 0.98))


def test_a_lasso_shows_the_pictures_of_its_points_and_shift_adds_and_alt_takes_away(open_explorer):
    page = open_explorer()
    assert selected(page) == 0
    lasso(page, LEFT)
    left = selected(page)
    assert 0 < left < N
    ids = set(page.evaluate("explorer.ids"))
    assert len(ids) == left and shown_ids(page) <= ids, "pictures of particles that are not selected"
    xs = page.evaluate(
        "explorer.ids.map(id => explorer.table.columns['0/z'][2 * explorer.table.row(id)]).sort((a, b) => a - b)"
    )
    others = page.evaluate(
        "Array.from(explorer.table.ids).filter(id => !explorer.ids.includes(id))"
        ".map(id => explorer.table.columns['0/z'][2 * explorer.table.row(id)]).sort((a, b) => a - b)"
    )
    assert xs[-1] <= others[0], "the points left of a line are those left of it"

    lasso(page, RIGHT, keys=["Shift"])
    assert selected(page) == N
    lasso(page, RIGHT, keys=["Alt"])
    assert selected(page) == left
    page.keyboard.press("Escape")
    assert selected(page) == 0


TOPS = "['.map', '.pictures'].map((one) => document.querySelector(one).getBoundingClientRect().top)"
PLACEHOLDER = """(() => { const { find } = explorer.bar, style = getComputedStyle(find);
    const brush = document.createElement('canvas').getContext('2d');
    brush.font = style.font;
    return find.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)
        - brush.measureText(find.placeholder).width; })()"""


@pytest.mark.parametrize("models", [1, 2])
def test_nothing_moves_when_a_selection_is_made_however_wide_the_window_is(models, open_explorer):
    page = open_explorer(models)
    (other, *some) = page.evaluate("Array.from(explorer.table.ids)")
    for width in range(780, 1300, 20):
        page.set_viewport_size({"width": width, "height": 900})
        before = page.evaluate(TOPS)
        for ids in (some, [*some, other]):
            page.evaluate("ids => explorer.select(ids)", ids)
            assert page.evaluate(TOPS) == before, f"{len(ids)} selected in a window of {width} pixels"
        page.evaluate("explorer.clear()")
        assert page.evaluate(TOPS) == before
        assert page.evaluate(PLACEHOLDER) >= 0, f"what can be searched for is cut in a window of {width} pixels"


def test_a_click_on_a_point_or_a_picture_opens_its_particle_and_arrows_go_on(open_explorer):
    page = open_explorer()
    place = place_of(page, 17)
    page.mouse.move(*place)
    expect(page.locator(".tip")).to_be_visible()
    expect(page.locator(".tip .tile")).to_have_attribute("style", re.compile("sheet-0"))
    page.mouse.click(*place)
    card = page.locator(".card")
    opened = page.evaluate("explorer.values.open")
    expect(card).to_contain_text(f"Particle {opened}")
    expect(card.locator(".bars dt")).to_have_count(4)
    expect(card).to_contain_text("grid <b>1</b>.tif" if (opened - 10) // 3 % 4 == 0 else "Micrograph")

    page.locator(".pictures [data-sample]").nth(2).click()
    first = page.locator(".pictures .picture.open").get_attribute("data-sample")
    expect(card).to_contain_text(f"Particle {first}")
    page.keyboard.press("ArrowRight")
    expect(card).not_to_contain_text(f"Particle {first}")
    near = card.locator(".near").first
    sample = near.get_attribute("data-sample")
    near.click()
    expect(card).to_contain_text(f"Particle {sample}")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


def colours(page):
    """How many different colours the points are painted in."""
    return page.evaluate(
        """() => { const { canvas } = explorer.maps[0];
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), found = new Set();
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 180) found.add(data[i] >> 4 | data[i + 1] >> 4 << 4);
        return found.size; }"""
    )


def test_another_colour_is_painted_at_once_and_its_scale_stands_above(open_explorer):
    page = open_explorer()
    before = colours(page)
    page.get_by_label("Colour by").select_option("angle")
    assert colours(page) > before + 5
    expect(page.locator(".scale")).to_contain_text("180 degrees")
    page.get_by_label("Colour by").select_option("correct")
    expect(page.locator(".legend .entry")).to_have_count(3)
    page.locator(".legend .entry", has_text="Correct").click()
    assert page.evaluate("explorer.cache.inSight") < N
    expect(page.locator(".legend .entry", has_text="Correct")).to_have_attribute("aria-pressed", "false")


def test_a_map_without_colours_says_why(open_explorer):
    page = open_explorer(models=2)
    notes = page.locator(".map .grey")
    expect(notes.nth(0)).to_be_hidden()
    page.get_by_label("Colour by").select_option("angle")
    expect(notes.nth(0)).to_be_visible()
    expect(notes.nth(0)).to_contain_text("ss-VAE infers no angle")
    expect(notes.nth(1)).to_be_hidden()
    assert page.evaluate("explorer.lines(3, 0)")[-1].endswith("not known")
    assert page.evaluate("explorer.lines(3, 1)")[-1].endswith("degrees")
    assert "infers no angle" in page.evaluate("explorer.maps[0].figure().layout.title.text")
    page.get_by_label("Colour by").select_option("confidence")
    expect(notes.nth(0)).to_be_hidden()


def test_a_kept_selection_comes_back_and_a_link_restores_everything(open_explorer):
    page = open_explorer(models=2)
    page.get_by_label("Colour by").select_option("confidence")
    page.get_by_label("Sort by").select_option("outlier score")
    page.get_by_label("Upright").check()
    page.get_by_role("checkbox", name="Labelled", exact=False).first.uncheck()
    lasso(page, LEFT, chart=1)
    chosen = page.evaluate("explorer.ids")
    assert chosen
    page.get_by_text("Selections").click()
    page.get_by_label("Name of the selection").fill("left <i>side</i>")
    page.get_by_label("Keep the selection under this name").click()
    page.keyboard.press("Escape")
    lasso(page, RIGHT, chart=1)
    assert page.evaluate("explorer.ids") != chosen
    page.get_by_text("Selections").click()
    page.get_by_role("button", name="left <i>side</i>").first.click()
    assert page.evaluate("explorer.ids") == chosen

    lasso(page, LEFT, chart=1)
    page.locator(".pictures [data-sample]").first.click()
    page.get_by_role("button", name="Copy link").click()
    link = page.evaluate("window.copied")
    other = open_explorer(models=2, address=link)
    assert other.evaluate("explorer.ids") == chosen
    assert other.evaluate("explorer.values") == page.evaluate("explorer.values")
    assert shown_ids(other) == shown_ids(page)


def test_what_an_address_asks_for_and_is_not_there_is_named_and_falls_back(open_explorer):
    page = open_explorer(
        address="?colour=taste&select=rm0.0.1.5&sort=-confidence&sample=999999&hide=class:x&zoom=0:1_0"
    )
    notice = page.locator(".notice")
    for name in ("colour", "select", "sample", "hide", "zoom"):
        expect(notice).to_contain_text(f"'{name}'")
    assert page.evaluate("[explorer.values.colour, explorer.values.sort, explorer.values.descending]") == [
        "class",
        "confidence",
        True,
    ]


@pytest.mark.parametrize("models", [1, 2])
def test_the_csv_is_the_page_s_own_table_of_exactly_what_is_selected(models, open_explorer):
    page = open_explorer(models)
    lasso(page, LEFT)
    ids = page.evaluate("explorer.ids")
    with page.expect_download() as download:
        page.get_by_role("button", name="Selected particles as CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    views, _ = invented(N, models)
    size = views[0].particles.size  # of the image, whoever looks at it
    sources = [replace(source, particles=replace(source.particles, size=size)) for source in views]
    own = list(csv.DictReader(io.StringIO(particle_table(".csv", np.array(ids), sources, NAMES).decode())))
    assert [int(row["id"]) for row in rows] == [one for one in ids for _ in range(models)]
    assert list(rows[0]) == list(own[0])
    for row, expected in zip(rows, own, strict=True):
        for name, text in expected.items():
            if name in ("id", "run", "model", "name", "group", "part", "label", "class", "size_unit") or not text:
                assert row[name] == text, name
            else:
                assert float(row[name]) == pytest.approx(float(text), rel=1e-4, abs=1e-3), name


def test_thousands_of_pictures_are_few_elements_and_every_one_can_be_scrolled_to(browser, made):
    many = files(*invented(5000))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    with serving_files(page, many):
        page.goto(f"{HOST}/")
        page.wait_for_function("window.ready")
        assert page.locator(".pictures [data-sample]").count() < 400
        page.evaluate("explorer.select(explorer.table.ids)")
        assert page.locator("[data-selected]").evaluate("one => one.textContent") == "5000", "for programs"
        assert page.locator(".comma").evaluate("one => getComputedStyle(one, '::before').content") == '","'
        expect(page.locator(".counter")).to_contain_text("of 5,000 selected")
        expect(page.locator(".told")).to_have_text("5,000 selected")
        page.locator(".pictures").evaluate("one => { one.scrollTop = one.scrollHeight; }")
        last = page.evaluate("explorer.table.ids[explorer.grid.rows[explorer.grid.rows.length - 1]]")
        tile = page.locator(f".pictures [data-sample='{last}'] .tile")
        expect(tile).to_have_attribute("style", re.compile("sheet-"))
    page.close()


def test_everything_can_be_done_by_keyboard(open_explorer):
    page = open_explorer()
    search = page.get_by_label("Search by id")
    search.fill("10, 13-22")
    expect(page.locator(".told")).to_contain_text("5 in sight")
    search.press("Enter")
    assert page.evaluate("explorer.ids") == [10, 13, 16, 19, 22]
    page.locator(".pictures [tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert selected(page) == 4
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_be_visible()
    page.locator("[data-explorer-map]").focus()
    page.keyboard.press("+")
    page.wait_for_function("explorer.values.zooms[0]")
    page.keyboard.press("0")
    page.wait_for_function("!explorer.values.zooms[0]")
    page.keyboard.press("p")
    page.wait_for_function("explorer.maps[0].graph._fullLayout.dragmode === 'pan'")
    assert page.locator("[role=status]").first.inner_text() == "4 of 300 selected"


def test_on_a_phone_bar_map_and_pictures_stand_below_each_other(open_explorer):
    page = open_explorer(models=2, width=390)
    tops = [page.locator(place).first.bounding_box()["y"] for place in (".bar", "[data-explorer-map]", ".pictures")]
    assert tops == sorted(tops)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_a_phone_the_particle_of_a_point_is_in_sight_beside_the_map(open_explorer):
    page = open_explorer(width=390)
    page.mouse.click(*place_of(page, 17))
    card = page.locator(".card")
    expect(card).to_be_visible()
    box = card.bounding_box()
    assert box["y"] > 300 and box["y"] + box["height"] <= 901
    card.get_by_role("button", name="Close").click()
    expect(card).to_be_hidden()


def test_ranges_outlines_and_cells_of_a_table_read_as_they_should(open_explorer):
    page = open_explorer()
    results = {
        "ids.js": {
            "rangesOf([3, 4, 5, 9])": "3-5.9",
            "rangesOf([-5, -4, -3, -1])": "-5--3.-1",
            "rangesOf([2n ** 60n, 2n ** 60n + 1n, 2n ** 60n + 3n])": f"{2**60}-{2**60 + 1}.{2**60 + 3}",
            "idsOfRanges('3-5.9', [1, 3, 5, 9])": [3, 5, 9],
            "idsOfRanges('-5--3', [-6, -5, -4, -3, 3])": [-5, -4, -3],
            "idsOfRanges('0-1000000000000000000', [3, 4])": [3, 4],
            "idsOfRanges('5-3', [4])": None,
            "idsOfRanges('', [4])": [],
            "linkOf([3, 4, 5, 9])": "i3-5.9",
            "idsOfLink('i3-5.9', [1, 3, 5, 9])": [3, 5, 9],
            "idsOfLink('pBgID', [1, 3, 4, 5])": None,
            "idsOfLink('pBgI', [2, 3, 4, 5, 6])": [3, 4, 5],
            "idsOfLink('p?', [4])": None,
            "idsOfLink('', [4])": None,
        },
        "selection.js": {
            "simplified([[0, 0], [1, 0.1], [2, 0], [2, 2]], 0.5).length": 3,
        },
        "csv.js": {"cell('=1+1')": "'=1+1", "cell(`'=1+1`)": "''=1+1", "cell('a,\"b')": '"a,""b"', "cell(NaN)": ""},
        "shares.js": {"share(0.99999)": ">0.999"},
        "elements.js": {"figure(NaN)": "not known", "thousands(1234567)": "1,234,567"},
    }
    for module, calls in results.items():
        for call, result in calls.items():
            assert page.evaluate(f"async () => (await import('./{module}')).{call}") == result, call


def test_pictures_in_order_of_their_angle_tell_it_in_degrees(open_explorer):
    page = open_explorer()
    page.evaluate("explorer.set({ sort: 'angle' })")
    captions = page.locator(".pictures .caption").all_inner_texts()
    assert len(captions) > 5 and all(re.fullmatch(r"-?\d{1,3}\u00b0", caption) for caption in captions)


PACKED = """async () => {
  const { idsOfLink, linkOf } = await import("./ids.js");
  const tell = (ids) => {
    const link = linkOf(ids);
    const back = link && idsOfLink(link, ids);
    return { link, same: back !== null && back.length === ids.length && back.every((id, i) => id === ids[i]) };
  };
  const every = Array.from({ length: 9000 }, (_, i) => 2 * i);
  const odd = Array.from({ length: 6000 }, (_, i) => i).filter((i) => (i * 7919) % 10 < 4);
  const shifted = (by) => odd.map((id) => BigInt(id) * 3n + by);
  return [tell(odd), tell(shifted(-(2n ** 63n))), tell(odd.map((id) => id - 3000)), linkOf(every)];
}"""


def test_thousands_of_ids_go_into_an_address_and_come_back(open_explorer):
    *told, too_many = open_explorer().evaluate(PACKED)
    ids = np.array([i for i in range(6000) if (i * 7919) % 10 < 4])
    for one, known in zip(told, (ids, np.iinfo(np.int64).min + ids * 3, ids - 3000), strict=True):
        assert one["same"] and one["link"].startswith("p") and len(one["link"]) < 8000
        others = np.union1d(known, known[:-1] + 1)  # what is not selected stays so
        assert ids_in_link(f"r{one['link']}", others).tolist() == known.tolist()
    assert too_many is None


def test_a_selection_that_no_link_can_hold_is_told_of(open_explorer):
    page = open_explorer()
    page.evaluate("explorer.set({ steps: [{ how: 'r', ids: Array.from({ length: 9000 }, (_, i) => 2 * i) }] })")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".notice")).to_contain_text("too long for a link")
    assert "select=" not in page.evaluate("window.copied")


CROSSINGS = """async () => {
  const { markInside } = await import("./selection.js");
  let seed = 7;
  const next = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed / 2 ** 32; };
  const inside = (outline, x, y) => {
    let odd = false;
    for (let a = 0, b = outline.length - 1; a < outline.length; b = a, a += 1) {
      const [[ax, ay], [bx, by]] = [outline[a], outline[b]];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
    }
    return odd;
  };
  const values = Float32Array.from({ length: 4000 }, (_, i) => (i % 7 ? next() : Math.round(4 * next()) / 4));
  const [xs, ys] = [{ values, step: 2, start: 0 }, { values, step: 2, start: 1 }];
  let [wrong, marked] = [0, 0];
  for (const corners of [3, 4, 9, 60, 400]) {
    const outline = Array.from({ length: corners }, () => [Math.round(20 * next()) / 20, Math.round(20 * next()) / 20]);
    const marks = new Uint8Array(2000);
    markInside(outline, xs, ys, marks, 1);
    for (let row = 0; row < 2000; row += 1) {
      wrong += marks[row] !== Number(inside(outline, values[2 * row], values[2 * row + 1]));
      marked += marks[row];
    }
  }
  const flat = new Uint8Array(2000);
  markInside([[0, 0.5], [1, 0.5], [0.5, 0.5]], xs, ys, flat, 1);
  return [wrong, marked > 500, flat.includes(1)];
}"""


def test_an_outline_holds_the_same_points_whether_all_its_sides_are_looked_at_or_few(open_explorer):
    page = open_explorer()
    assert page.evaluate(CROSSINGS) == [0, True, False]


def test_what_is_found_is_added_to_what_is_selected_and_a_search_says_that_it_hides_it(open_explorer):
    page = open_explorer()
    lasso(page, LEFT)
    before = page.evaluate("explorer.ids")
    (other, *_) = page.evaluate("Array.from(explorer.table.ids).filter(id => !explorer.ids.includes(id))")
    search = page.get_by_label("Search by id")
    search.fill(str(other))
    expect(page.locator(".counter")).to_have_text(f"{len(before)}, 0 in view")
    assert selected(page) == len(before) and page.get_by_role("button", name="Clear the selection").is_enabled()
    assert page.evaluate("explorer.ids") == before  # which is what is saved and kept
    search.press("Enter")
    assert set(page.evaluate("explorer.ids")) == {*before, other}
    expect(page.locator(".counter")).to_have_text(f"{len(before) + 1} of {N} selected")


def test_a_kept_selection_is_deleted_or_replaced_only_when_asked_twice(open_explorer):
    page = open_explorer()
    page.evaluate("explorer.select([10, 13])")
    page.get_by_text("Selections").click()
    name = page.get_by_label("Name of the selection")
    name.fill("two")
    name.press("Enter")
    use = page.locator(".kept .use", has_text="two")
    expect(use).to_contain_text("2")
    page.evaluate("explorer.select([10, 13, 16])")
    name.fill("two")
    name.press("Enter")
    expect(use).to_contain_text("2")
    page.get_by_role("button", name="Replace the selection two").click()
    expect(use).to_contain_text("3")
    page.get_by_label("Forget the selection two").click()
    expect(page.locator(".kept li")).to_contain_text("Delete?")
    name.focus()
    expect(page.locator(".kept li")).not_to_contain_text("Delete?")
    page.get_by_label("Forget the selection two").click()
    page.get_by_label("Forget the selection two").click()
    expect(use).to_have_count(0)


def test_a_name_of_a_selection_that_is_too_long_is_said_to_be_and_not_cut(open_explorer):
    page = open_explorer()
    page.locator(".kept summary").click()
    field = page.get_by_label("Name of the selection")
    field.fill("a" * 61)
    expect(page.locator(".kept .where")).to_contain_text("at most 60 characters, and this one has 61")
    page.keyboard.press("Enter")
    assert not page.evaluate("sessionStorage.length")
    field.fill("a" * 60)
    expect(page.locator(".kept .where")).not_to_contain_text("at most")


def test_shift_and_arrows_select_what_is_on_the_way(open_explorer):
    page = open_explorer()
    first = page.locator(".pictures [data-sample]").first
    first.focus()
    for key, n in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2)):
        page.keyboard.press(f"Shift+{key}")
        expect(page.locator("[data-selected]")).to_have_text(str(n))
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-selected]")).to_have_text("2")


def test_a_selection_of_particles_of_another_data_set_is_told_of(open_explorer):
    page = open_explorer(address="?select=ri1000000001")
    expect(page.locator(".notice")).to_contain_text("'select'")


def test_a_click_on_the_map_closes_the_menu_of_kept_selections(open_explorer):
    page = open_explorer()
    page.get_by_text("Selections").click()
    expect(page.locator(".kept .menu")).to_be_visible()
    page.get_by_label("Name of the selection").click()
    expect(page.locator(".kept .menu")).to_be_visible()
    page.mouse.click(*place_of(page, 17))
    expect(page.locator(".kept .menu")).to_be_hidden()


def test_what_is_not_found_is_said_to_be_and_stays_in_the_box_until_another_is_searched_for(open_explorer):
    page = open_explorer()
    lasso(page, LEFT)
    before = page.evaluate("explorer.ids")
    search = page.get_by_label("Search by id")
    search.fill("zzzz")
    search.press("Enter")
    expect(search).to_have_value("zzzz")
    expect(page.locator(".notice")).to_contain_text("'zzzz'")
    assert page.evaluate("explorer.ids") == before
    search.fill("13")
    expect(page.locator(".notice")).to_be_hidden()


def test_likeness_can_be_sorted_by_only_while_a_particle_is_open(open_explorer):
    page = open_explorer(address="?sort=likeness")
    sort, likeness = page.get_by_label("Sort by"), page.locator("option[value=likeness]")
    expect(sort).to_have_value("confidence")
    assert likeness.is_disabled() and "particle" in likeness.text_content()
    page.locator(".pictures [data-sample]").first.click()
    sort.select_option("likeness")
    assert page.evaluate("explorer.values.sort") == "likeness"
    page.locator(".card").get_by_role("button", name="Close").click()
    expect(sort).to_have_value("confidence")
    assert likeness.is_disabled()


def test_of_two_models_the_legend_names_the_one_whose_classes_it_counts_and_hides(open_explorer):
    page = open_explorer(models=2, address="?colour=predicted")
    titles = page.evaluate("explorer.table.models.map((model) => model.title)")
    for by, title in enumerate(titles):
        page.get_by_label("Model that sorts and turns").select_option(str(by))
        expect(page.locator(".legend .lead")).to_have_text(f"Predicted class by {title}:")
    expect(page.locator(".legend .lead")).to_have_attribute("title", re.compile("library"))
    page.get_by_label("Colour by").select_option("class")
    assert not any(title in page.locator(".legend .lead").inner_text() for title in titles)
    assert "by" not in open_explorer(models=1, address="?colour=predicted").locator(".legend .lead").inner_text()


def test_turned_pictures_are_smooth_and_those_as_seen_keep_their_pixels(open_explorer):
    page = open_explorer()
    rendering = "one => getComputedStyle(one).imageRendering"
    tile = page.locator(".pictures .tile").first
    assert tile.evaluate(rendering) == "pixelated"
    page.get_by_label("Upright").check()
    assert tile.evaluate(rendering) == "auto"
    page.locator(".pictures [data-sample]").first.click()
    assert page.locator(".card .tile").evaluate_all(f"all => all.map({rendering})")[:2] == ["pixelated", "auto"]
    page.get_by_role("checkbox", name="Upright").uncheck()
    assert tile.evaluate(rendering) == "pixelated"


def test_the_zero_of_an_angle_is_marked_at_the_top_of_its_circle(open_explorer):
    page = open_explorer()
    page.evaluate("explorer.set({ open: explorer.table.ids[0] })")
    circle = page.locator(".card .circle")
    expect(circle.locator(".zero")).to_have_text("0\u00b0")
    zero, rim = circle.locator(".zero").bounding_box(), circle.locator(".rim").bounding_box()
    assert abs(zero["x"] + zero["width"] / 2 - rim["x"] - rim["width"] / 2) < 3 and zero["y"] < rim["y"]
    assert zero["y"] >= circle.bounding_box()["y"] - 1, "the mark is cut"
